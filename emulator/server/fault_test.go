package server_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/emulator/server"
)

const create = "POST /conversations"

func TestFaults(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		fault     server.Fault
		status    int // 0: the reply is lost
		committed bool
		header    string // of Retry-After
		body      string
	}{
		"status":              {fault: server.Fault{Kind: server.FaultStatus, Status: 503, Headers: map[string]string{"Retry-After": "7"}}, status: 503, header: "7"},
		"status with body":    {fault: server.Fault{Kind: server.FaultStatus, Body: "<html>"}, status: 500, body: "<html>"},
		"status without body": {fault: server.Fault{Kind: server.FaultStatus}, status: 500, body: `{"message":"There was an internal server error while processing the request"}`},
		"delay":               {fault: server.Fault{Kind: server.FaultDelay, Delay: server.Duration(time.Millisecond)}, status: 201, committed: true},
		"late":                {fault: server.Fault{Kind: server.FaultLate, Delay: server.Duration(time.Millisecond)}, status: 201, committed: true},
		"drop before commit":  {fault: server.Fault{Kind: server.FaultDropBefore}, status: 0, committed: false},
		"drop after commit":   {fault: server.Fault{Kind: server.FaultDropAfter}, status: 0, committed: true},
		"truncated":           {fault: server.Fault{Kind: server.FaultTruncate}, status: 0, committed: true},
		"garbage":             {fault: server.Fault{Kind: server.FaultGarbage}, status: 201, committed: true, body: "<html><body>Bad gateway"},
		"another operation":   {fault: server.Fault{Kind: server.FaultDropBefore, Operation: "GET /endusers"}, status: 201, committed: true},
		"another token":       {fault: server.Fault{Kind: server.FaultDropBefore, Token: "other"}, status: 201, committed: true},
		"text matches":        {fault: server.Fault{Kind: server.FaultStatus, Containing: "Order 10001"}, status: 500, committed: false},
		"text does not match": {fault: server.Fault{Kind: server.FaultStatus, Containing: "Order 10002"}, status: 201, committed: true},
		"skipped":             {fault: server.Fault{Kind: server.FaultStatus, Skip: 1}, status: 201, committed: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := start(t, server.Options{})
			d.contract = nil // these replies are deliberately wrong
			requester := d.customer("a@example.org")
			d.Inject(test.fault)
			got, err := d.send(http.MethodPost, "/conversations", mail(requester, ""))
			if test.status == 0 {
				require.Error(t, err, "the client received a complete response")
			} else {
				require.NoError(t, err)
				require.Equal(t, test.status, got.status)
			}
			require.Equal(t, test.header, got.header.Get("Retry-After"))
			if test.body != "" {
				require.Equal(t, test.body, string(got.body))
			}
			require.Equal(t, test.committed, len(d.State().Conversations) == 1, "committed")
		})
	}
}

func TestFaultSkipAndTimes(t *testing.T) {
	t.Parallel()
	d := start(t, server.Options{})
	d.Inject(server.Fault{Operation: "GET /organization", Kind: server.FaultStatus, Skip: 1, Times: 2})
	var statuses []int
	for range 5 {
		got, err := d.send(http.MethodGet, "/organization", nil)
		require.NoError(t, err)
		statuses = append(statuses, got.status)
	}
	require.Equal(t, []int{200, 500, 500, 200, 200}, statuses)
	require.Empty(t, d.Faults(), "a used-up fault is still armed")
	require.Equal(t, 2, d.Stats().Struck)

	d.Inject(server.Fault{Kind: server.FaultStatus})
	d.do(http.MethodGet, "/organization", nil, http.StatusInternalServerError)
	d.ClearFaults()
	d.do(http.MethodGet, "/organization", nil, http.StatusOK)
}

func TestFaultShareDependsOnSeed(t *testing.T) {
	t.Parallel()
	run := func(seed uint64) (statuses []int) {
		d := start(t, server.Options{Seed: server.Seed{Random: seed}})
		d.Inject(server.Fault{Kind: server.FaultStatus, Share: 0.5})
		for range 40 {
			got, err := d.send(http.MethodGet, "/organization", nil)
			require.NoError(t, err)
			statuses = append(statuses, got.status)
		}
		return statuses
	}
	first := run(1)
	require.Equal(t, first, run(1))
	require.NotEqual(t, first, run(2))
	require.Contains(t, first, 200)
	require.Contains(t, first, 500)
}

func TestLateFaultCommitsAfterClientDisconnects(t *testing.T) {
	t.Parallel()
	d := start(t, server.Options{})
	requester := d.customer("a@example.org")
	ctx, cancel := context.WithCancel(t.Context())
	d.Inject(server.Fault{Operation: create, Kind: server.FaultLate, Delay: server.Duration(time.Hour)})
	done := make(chan error, 1)
	go func() {
		_, err := d.sendWith(ctx, http.MethodPost, "/conversations", mail(requester, "key"))
		done <- err
	}()
	require.Eventually(t, func() bool { return len(d.State().Conversations) == 1 }, 10*time.Second, time.Millisecond)
	cancel()
	require.ErrorIs(t, <-done, context.Canceled)
	require.Len(t, d.State().Conversations, 1)
}

func TestFaultValidation(t *testing.T) {
	t.Parallel()
	for words, fault := range map[string]server.Fault{
		`unknown fault kind "explode"`:        {Kind: "explode"},
		"must be between 200 and 599":         {Kind: server.FaultStatus, Status: 42},
		"must be between 0 and 1":             {Kind: server.FaultStatus, Share: 2},
		"must be 0 or greater":                {Kind: server.FaultStatus, Times: -1},
		`unknown fault operation "POST /x": `: {Kind: server.FaultStatus, Operation: "POST /x"},
	} {
		require.ErrorContains(t, fault.Validate(), words)
	}
}
