package process_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/integration/mailtest"
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

// TestDeliveryMetrics delivers to a webhook that accepts, to one
// that answers 410 Gone, and to a person, then scrapes the resulting metrics.
func TestDeliveryMetrics(t *testing.T) {
	t.Parallel()
	mailServer := mailtest.New(t)
	parts := assemble(t, "CLAIMFLOW_SMTP_URL="+mailServer.URL(), "CLAIMFLOW_ALLOW_PRIVATE_ENDPOINTS=true")
	ctx, s := t.Context(), parts.Store
	_, err := s.Shops.Create(ctx, store.NewShop{Slug: "acme", Feature: true})
	require.NoError(t, err)
	took := make(chan struct{}, 10)
	takes := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { took <- struct{}{} }))
	defer takes.Close()
	gone := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusGone) }))
	defer gone.Close()
	for _, url := range []string{takes.URL, gone.URL} {
		_, _, err := s.Endpoints.Create(ctx, "acme", claim.NewEndpoint{URL: url})
		require.NoError(t, err)
	}
	_, _, err = s.Endpoints.Create(ctx, "", claim.NewEndpoint{Kind: claim.EndpointEmail, URL: "mailto:ops@claimflow.example"})
	require.NoError(t, err)
	accepted, err := s.Claims.Accept(ctx, &claim.Claim{ID: "c-1", Shop: "acme", Reason: "damaged"})
	require.NoError(t, err)
	_, err = s.Claims.Change(ctx, accepted.Record.Ref, claim.EventStart, store.ClaimUpdate{Outbox: []store.OutboxEvent{{Type: claim.OutboundFallback}}})
	require.NoError(t, err)

	url, _ := serve(t, parts)
	// The event, and the notice that the other endpoint is paused.
	for range 2 {
		<-took
	}
	require.Eventually(t, func() bool { return len(mailServer.Messages()) == 2 }, 30*time.Second, 5*time.Millisecond, "no email was sent")
	endpoints, err := s.Endpoints.List(ctx, "acme")
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		e, err := s.Endpoints.Get(ctx, "acme", endpoints[0].ID)
		return err == nil && e.Waiting == 0
	}, 30*time.Second, 5*time.Millisecond, "the accepted deliveries were not recorded")
	r, err := (&http.Client{}).Get(url + "/metrics")
	require.NoError(t, err)
	defer r.Body.Close()
	page, err := io.ReadAll(r.Body)
	require.NoError(t, err)
	text := string(page)
	require.NotEmpty(t, sample(t, text, "claimflow_deliveries_total", `kind="webhook"`, `result="delivered"`))
	require.Equal(t, "1", sample(t, text, "claimflow_deliveries_total", `kind="webhook"`, `result="failed"`))
	require.Equal(t, "1", sample(t, text, "claimflow_endpoints_paused", `kind="webhook"`))
	require.Equal(t, "1", sample(t, text, "claimflow_deliveries_waiting", `kind="webhook"`))
	require.Equal(t, "0", sample(t, text, "claimflow_deliveries_waiting", `kind="karla"`))
	require.Equal(t, "0", sample(t, text, "claimflow_deliveries_dead", `kind="email"`))
	require.NotEmpty(t, sample(t, text, "claimflow_deliveries_oldest_waiting_seconds", `kind="webhook"`))
}

// TestSweepLagMetric scrapes the serving process while Temporal is unreachable.
func TestSweepLagMetric(t *testing.T) {
	t.Parallel()
	parts := assemble(t)
	url, _ := serve(t, parts)
	ctx := t.Context()
	_, err := parts.Store.Shops.Create(ctx, store.NewShop{Slug: "acme", Feature: true})
	require.NoError(t, err)
	connection, err := parts.Store.Connections.SaveToken(ctx, "acme", "a-token-of-the-shop", store.Organization{ID: "org-1"})
	require.NoError(t, err)
	require.NoError(t, parts.Store.Shops.SetEnabled(ctx, "acme", true))
	_, err = parts.Store.Sweeps.Begin(ctx, connection.ID)
	require.NoError(t, err)
	require.NoError(t, parts.Store.Sweeps.RaiseWatermark(ctx, connection.ID, time.Now().Add(-time.Hour)))

	r, err := (&http.Client{}).Get(url + "/metrics")
	require.NoError(t, err)
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	require.NoError(t, err)
	lag, err := strconv.ParseFloat(strings.TrimSpace(sample(t, string(body), "claimflow_sweep_lag_seconds", connection.ID)), 64)
	require.NoError(t, err)
	require.GreaterOrEqual(t, lag, 3600.0)
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
