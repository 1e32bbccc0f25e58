package process

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// TestRepeatLogsTheStartOfAnOutageOnce lets a job fail in every call but the third.
func TestRepeatLogsTheStartOfAnOutageOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		calls := 0
		run := func(context.Context) error {
			if calls++; calls == 3 {
				return nil
			}
			return errors.New("the store is down")
		}
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Hour+time.Minute)
		defer cancel()
		require.NoError(t, runJobs(ctx, slog.New(slog.NewTextHandler(&log, nil)), []job{{name: "tidy", every: time.Hour, run: run}}))
		require.Equal(t, 5, calls, "a job runs at once and then every hour")
		require.Equal(t, 2, strings.Count(log.String(), "job=tidy"), log.String())
	})
}

func TestJobThatFailsStopsTheOthers(t *testing.T) {
	t.Parallel()
	foreign, drained := &ForeignNamespaceError{Namespace: "claims"}, errors.New("requests were cut off")
	err := runJobs(t.Context(), slog.New(slog.DiscardHandler), []job{
		{name: "dispatcher", run: func(context.Context) error { return foreign }},
		{name: "HTTP API", run: func(ctx context.Context) error {
			<-ctx.Done()
			return drained
		}},
		{name: "tidy", every: time.Hour, run: func(context.Context) error { return errors.New("the store is down") }},
	})
	require.ErrorIs(t, err, foreign)
	require.ErrorIs(t, err, drained)
	require.NotContains(t, err.Error(), "the store is down", "a job that is repeated stops nothing")
}
