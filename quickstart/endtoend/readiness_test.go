package endtoend_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
)

func TestMissingNamespaceIsReported(t *testing.T) {
	t.Parallel()
	options := shared.engine.ClientOptions()
	options.Namespace = "nowhere"
	s := newSite(t, siteOptions{engine: options})
	s.work()
	metrics := s.serveMetrics()
	ref := s.submit(s.sample("c-1"))

	s.awaitReady("the service reports the missing namespace", func(body string) bool {
		return strings.Contains(body, "the namespace does not exist: claims are accepted and wait")
	})
	eventually(t, "the worker reports the missing namespace", func() error {
		if !strings.Contains(s.logs.String(), "namespace nowhere on "+shared.engine.Address()) ||
			!strings.Contains(s.logs.String(), "create it or set TEMPORAL_NAMESPACE") {
			return errors.New(s.logs.String())
		}
		return nil
	})
	require.Equal(t, http.StatusServiceUnavailable, status(t, metrics+"/readyz"), "a worker without a namespace must not be ready")
	require.Equal(t, http.StatusOK, status(t, metrics+"/healthz"), "a worker that a restart cannot fix must stay healthy")
	require.Equal(t, claim.StateReceived, s.record(ref).State)
}

func TestWorkerIsReadyWhileItPolls(t *testing.T) {
	t.Parallel()
	s := newSite(t, siteOptions{})
	metrics := s.serveMetrics()
	require.Equal(t, http.StatusServiceUnavailable, status(t, metrics+"/readyz"))
	stop := s.work()
	s.awaitState(s.submit(s.sample("c-1")), claim.StateOpen)
	require.Equal(t, http.StatusOK, status(t, metrics+"/readyz"))
	stop()
	require.Equal(t, http.StatusServiceUnavailable, status(t, metrics+"/readyz"))
}

// serveMetrics starts the worker's listener for monitoring.
func (s *site) serveMetrics() (url string) {
	s.t.Helper()
	s.parts.Config.MetricsListen = freeAddress(s.t)
	stop, err := s.parts.ServeMetrics(s.t.Context())
	require.NoError(s.t, err)
	s.t.Cleanup(stop)
	return "http://" + s.parts.Config.MetricsListen
}

func status(t *testing.T, url string) int {
	t.Helper()
	r, err := http.Get(url)
	require.NoError(t, err)
	require.NoError(t, r.Body.Close())
	return r.StatusCode
}
