package process_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/store"
)

// TestClaimMetrics scrapes the serving process while Temporal is
// unreachable.
func TestClaimMetrics(t *testing.T) {
	t.Parallel()
	parts := assemble(t)
	url, _ := serve(t, parts)
	_, err := parts.Store.Shops.Create(t.Context(), store.NewShop{Slug: "acme", Feature: true})
	require.NoError(t, err)
	for _, id := range []string{"c-1", "c-2", "c-3"} {
		_, err := parts.Store.Claims.Accept(t.Context(), &claim.Claim{ID: id, Shop: "acme", Reason: "damaged"})
		require.NoError(t, err)
	}
	parked := claim.Ref{Shop: "acme", ID: "c-3"}
	_, err = parts.Store.Claims.Change(t.Context(), parked, claim.EventPark, store.ClaimUpdate{Cause: claim.CauseTemplate})
	require.NoError(t, err)

	r, err := (&http.Client{}).Get(url + "/metrics")
	require.NoError(t, err)
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	require.NoError(t, err)
	require.Equal(t, "2", sample(t, string(body), "claimflow_claims", `state="received"`, `cause=""`))
	require.Equal(t, "1", sample(t, string(body), "claimflow_claims", `state="needs_attention"`, `cause="template_broken"`))
	require.Equal(t, "3", sample(t, string(body), "claimflow_undelivered_claims"))
	require.NotEmpty(t, sample(t, string(body), "claimflow_oldest_unopened_seconds"))
}

// sample returns the value of the metric with the given name and labels.
func sample(t *testing.T, page, name string, labels ...string) string {
	t.Helper()
lines:
	for line := range strings.Lines(page) {
		if !strings.HasPrefix(line, name+"{") {
			continue
		}
		for _, l := range labels {
			if !strings.Contains(line, l) {
				continue lines
			}
		}
		return strings.TrimSpace(line[strings.LastIndex(line, " "):])
	}
	require.Fail(t, "metric not found", "%s %v in\n%s", name, labels, page)
	return ""
}

func TestWorkerWithoutPollersIsNotReady(t *testing.T) {
	t.Parallel()
	parts := assemble(t)
	parts.Config.MetricsListen = unusedAddress(t)
	stop, err := parts.ServeMetrics(t.Context())
	require.NoError(t, err)
	defer stop()
	status := func(path string) int {
		r, err := (&http.Client{}).Get("http://" + parts.Config.MetricsListen + path)
		require.NoError(t, err)
		require.NoError(t, r.Body.Close())
		return r.StatusCode
	}
	require.Equal(t, http.StatusOK, status("/healthz"))
	require.Equal(t, http.StatusServiceUnavailable, status("/readyz"), "Temporal is unreachable")
	require.Equal(t, http.StatusOK, status("/metrics"))
}
