package process_test

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/store"
)

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
