package api_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/internal/api"
)

func TestSweepIsRequestedAndShown(t *testing.T) {
	t.Parallel()
	var asked []string
	var trouble error
	b := newBenchOn(t, "sqlite::memory:", func(o *api.Options) {
		o.Sweep = func(_ context.Context, connectionID string) error {
			asked = append(asked, connectionID)
			return trouble
		}
	})
	ctx := t.Context()
	b.connected("acme")
	_, err := b.client.Sweep(ctx, "acme")
	_ = refusal(t, err, http.StatusConflict, client.CodeConflict)
	_, err = b.client.Enable(ctx, "acme")
	require.NoError(t, err)
	in, err := b.client.Integration(ctx, "acme")
	require.NoError(t, err)
	require.Nil(t, in.LastSweep)
	answer, err := b.client.Sweep(ctx, "acme")
	require.NoError(t, err)
	require.Zero(t, answer.LastStartedAt)
	require.Equal(t, []string{in.Connection.ID}, asked)

	_, err = b.store.Sweeps.Begin(ctx, in.Connection.ID)
	require.NoError(t, err)
	require.NoError(t, b.store.Sweeps.RaiseWatermark(ctx, in.Connection.ID, time.Now().Add(-time.Minute)))
	_, err = b.store.Sweeps.End(ctx, in.Connection.ID, claim.SweepReport{Messages: 2})
	require.NoError(t, err)
	in, err = b.client.Integration(ctx, "acme")
	require.NoError(t, err)
	require.Equal(t, 2, in.LastSweep.Report.Messages)
	require.GreaterOrEqual(t, in.LastSweep.LagSeconds, int64(60))

	trouble = errors.New("the engine is away")
	_, err = b.client.Sweep(ctx, "acme")
	p := refusal(t, err, http.StatusServiceUnavailable, client.CodeUnavailable)
	require.NotContains(t, p.Error(), trouble.Error())
	_, err = b.client.Sweep(ctx, "nobody")
	_ = refusal(t, err, http.StatusNotFound, client.CodeNotFound)
}
