package process_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

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
