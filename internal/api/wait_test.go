package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/internal/api"
	"github.com/claimflow/claimflow/store"
)

// skipOnceAccepted skips a claim as soon as it exists, as its workflow does.
func (b *bench) skipOnceAccepted(ctx context.Context, id string) error {
	for {
		_, err := b.store.Claims.Change(ctx, claim.Ref{Shop: "acme", ID: id}, claim.EventSkip, store.ClaimUpdate{})
		if !errors.Is(err, store.ErrNotFound) {
			return err
		}
	}
}

// submitPreferring submits a claim with a Prefer header. It returns the status and
// the applied preference.
func (b *bench) submitPreferring(ctx context.Context, id, prefer string) (status int, applied string, out client.Submitted) {
	b.t.Helper()
	body, err := json.Marshal(aClaim(id))
	require.NoError(b.t, err)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, b.url+"/v1/shops/acme/claims", strings.NewReader(string(body)))
	require.NoError(b.t, err)
	r.Header.Set("Authorization", "Bearer "+b.secret)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Prefer", prefer)
	answer, err := http.DefaultClient.Do(r)
	require.NoError(b.t, err)
	defer answer.Body.Close()
	require.NoError(b.t, json.NewDecoder(answer.Body).Decode(&out))
	return answer.StatusCode, answer.Header.Get("Preference-Applied"), out
}

func TestSubmitWaitsUntilTheClaimIsOpened(t *testing.T) {
	t.Parallel()
	for prefer, want := range map[string]string{
		"wait=10": "wait=10", `respond-async, WAIT="10"; foo`: "wait=10", "wait=9000": "wait=30",
	} {
		t.Run(prefer, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.shop("acme")
			kicks := b.kicks.Load()
			var g errgroup.Group
			g.Go(func() error { return b.skipOnceAccepted(t.Context(), "c-1") })
			status, applied, got := b.submitPreferring(t.Context(), "c-1", prefer)
			require.NoError(t, g.Wait())
			require.Equal(t, http.StatusOK, status)
			require.Equal(t, want, applied)
			require.True(t, got.New)
			require.Equal(t, claim.StateSkipped, got.Claim.State)
			require.Greater(t, b.kicks.Load(), kicks, "the claim must start before the response")

			status, _, known := b.submitPreferring(t.Context(), "c-1", prefer)
			require.Equal(t, http.StatusOK, status)
			require.False(t, known.New)
			require.Equal(t, claim.StateSkipped, known.Claim.State)
		})
	}
}

func TestSubmitWaitTimesOutAsAccepted(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.shop("acme")
	status, applied, got := b.submitPreferring(t.Context(), "c-1", "wait=1")
	require.Equal(t, http.StatusAccepted, status)
	require.Equal(t, "wait=1", applied)
	require.Equal(t, claim.StateReceived, got.Claim.State)
}

func TestOtherPreferencesDoNotWait(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.shop("acme")
	for i, prefer := range []string{"wait=soon", "wait=-1", "wait", "wait=0", "respond-async", "handling=strict"} {
		status, applied, _ := b.submitPreferring(t.Context(), fmt.Sprint("c-", i), prefer)
		require.Equal(t, http.StatusAccepted, status, prefer)
		require.Empty(t, applied, prefer)
	}
}

func TestSubmitDoesNotWaitWhileTemporalIsDown(t *testing.T) {
	t.Parallel()
	b := newBenchOn(t, "sqlite::memory:", func(o *api.Options) {
		o.Temporal = func(context.Context) (string, error) { return "unreachable", errors.New("no route") }
	})
	b.shop("acme")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second) // shorter than the wait
	defer cancel()
	status, _, got := b.submitPreferring(ctx, "c-1", "wait=30")
	require.Equal(t, http.StatusAccepted, status)
	require.Equal(t, claim.StateReceived, got.Claim.State)
}

func TestHundredConcurrentWaits(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.shop("acme")
	const waits = 100
	var waiting errgroup.Group
	for i := range waits {
		waiting.Go(func() error {
			got, err := b.client.Submit(t.Context(), aClaim(fmt.Sprint("c-", i)), client.Wait(client.MaxWait))
			if err == nil && got.Claim.State != claim.StateSkipped {
				err = fmt.Errorf("claim %d is %s", i, got.Claim.State)
			}
			return err
		})
	}
	accepted := func() int {
		s, err := b.client.Shop(t.Context(), "acme")
		require.NoError(t, err)
		return s.Counts[claim.StateReceived]
	}
	for accepted() < waits {
		require.NoError(t, t.Context().Err())
	}
	_, err := b.client.Submit(t.Context(), aClaim("without-waiting"))
	require.NoError(t, err)
	for i := range waits {
		require.NoError(t, b.skipOnceAccepted(t.Context(), fmt.Sprint("c-", i)))
	}
	require.NoError(t, waiting.Wait())
}
