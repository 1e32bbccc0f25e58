package server_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/emulator/server"
)

// admitted counts the requests of a burst that the limit admits.
func (d *dixa) admitted(burst int) (count int) {
	d.t.Helper()
	for range burst {
		got, err := d.send(http.MethodGet, "/organization", nil)
		require.NoError(d.t, err)
		switch got.status {
		case http.StatusOK:
			count++
		case http.StatusTooManyRequests:
		default:
			d.t.Fatalf("status %d", got.status)
		}
	}
	return count
}

func TestLimitInterpretations(t *testing.T) {
	t.Parallel()
	for reading, want := range map[string]struct{ atOnce, after500ms, after1s int }{
		server.LimitBucket: {4, 4, 4},
		server.LimitWindow: {10, 0, 10},
		server.LimitBoth:   {4, 4, 4},
		server.LimitOff:    {20, 20, 20},
	} {
		t.Run(reading, func(t *testing.T) {
			t.Parallel()
			clock := newClock()
			d := start(t, server.Options{Clock: clock.Now, Limit: server.Limit{Reading: reading}})
			require.Equal(t, want.atOnce, d.admitted(20), "immediately")
			clock.Advance(500 * time.Millisecond)
			require.Equal(t, want.after500ms, d.admitted(20), "after half a second")
			clock.Advance(500 * time.Millisecond)
			require.Equal(t, want.after1s, d.admitted(20), "after one second")
		})
	}
}

func TestSteadyPaceIsNeverRateLimited(t *testing.T) {
	t.Parallel()
	for _, reading := range []string{server.LimitBucket, server.LimitWindow, server.LimitBoth} {
		clock := newClock()
		d := start(t, server.Options{Clock: clock.Now, Limit: server.Limit{Reading: reading}})
		for range 200 {
			d.do(http.MethodGet, "/organization", nil, http.StatusOK)
			clock.Advance(100 * time.Millisecond)
		}
		require.Zero(t, d.Stats().Refused, reading)
		require.Equal(t, 10, d.Stats().WorstSecond, reading)
	}
}

func TestBucketAndWindowDiffer(t *testing.T) {
	t.Parallel()
	// A full bucket and its refill allow 13 requests within a second; the window
	// allows 10.
	for reading, want := range map[string]int{server.LimitBucket: 13, server.LimitWindow: 10, server.LimitBoth: 10} {
		clock := newClock()
		d := start(t, server.Options{Clock: clock.Now, Limit: server.Limit{Reading: reading}})
		count := d.admitted(4)
		for range 9 {
			clock.Advance(100 * time.Millisecond)
			count += d.admitted(1)
		}
		require.Equal(t, want, count, reading)
	}
}

func TestLimitIsPerTokenAndRejectsBeforeCommit(t *testing.T) {
	t.Parallel()
	clock := newClock()
	d := start(t, server.Options{Clock: clock.Now, Limit: server.Limit{Reading: server.LimitBoth}, Tokens: []string{"other"}})
	require.Equal(t, 4, d.admitted(5))
	refused := d.do(http.MethodPost, "/endusers", object{"email": "a@example.org"}, http.StatusTooManyRequests)
	require.Equal(t, "Too Many Requests", refused.message())
	require.Empty(t, refused.header.Get("Retry-After"))
	require.Empty(t, d.State().EndUsers)

	d.token = "wrong"
	d.do(http.MethodGet, "/organization", nil, http.StatusUnauthorized)
	d.token = "other"
	require.Equal(t, 4, d.admitted(5))

	stats := d.Stats()
	require.Equal(t, server.TokenStats{Requests: 6, Refused: 2, WorstSecond: 6, WorstSecondAt: clock.Now()}, stats.ByToken["demo-token"])
	require.Equal(t, 5, stats.ByToken["other"].Requests)
	require.Equal(t, 1, stats.ByToken["(unknown)"].Requests)
	require.Equal(t, map[int]int{200: 8, 401: 1, 429: 3}, stats.ByStatus)
	require.Equal(t, 3, stats.Refused)
	require.Equal(t, 6, stats.WorstSecond)
	require.Equal(t, map[int]int{429: 1}, stats.Outcomes["POST /endusers"])
}

func TestDailyQuota(t *testing.T) {
	t.Parallel()
	clock := newClock()
	d := start(t, server.Options{Clock: clock.Now, Limit: server.Limit{Reading: server.LimitWindow, PerDay: 3}})
	require.Equal(t, 3, d.admitted(5))
	clock.Advance(time.Minute)
	require.Zero(t, d.admitted(1))
	clock.Advance(24 * time.Hour)
	require.Equal(t, 3, d.admitted(5), "the next day")
}

func TestLimitResponses(t *testing.T) {
	t.Parallel()
	clock := newClock()
	d := start(t, server.Options{Clock: clock.Now, Limit: server.Limit{Reading: server.LimitWindow, PerSecond: 1}})
	d.contract = nil
	refusal := func(switches server.Switches) answer {
		d.SetSwitches(switches)
		return d.do(http.MethodGet, "/organization", nil, http.StatusTooManyRequests)
	}
	d.admitted(1)
	clock.Advance(400 * time.Millisecond)
	require.Equal(t, "1", refusal(server.Switches{RetryAfter: server.RetryAfterSeconds}).header.Get("Retry-After"), "rounded up")
	require.Equal(t, "Mon, 02 Mar 2026 08:30:01 GMT", refusal(server.Switches{RetryAfter: server.RetryAfterDate}).header.Get("Retry-After"))
	require.Empty(t, refusal(server.Switches{LimitBody: "empty"}).body)
	require.Contains(t, string(refusal(server.Switches{LimitBody: "html"}).body), "<html>")
	d.SetSwitches(server.Switches{LimitReading: server.LimitOff})
	require.Equal(t, 3, d.admitted(3), "the limit was switched off at run time")
}
