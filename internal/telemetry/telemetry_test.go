package telemetry_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/internal/telemetry"
)

func TestLogsAsJSONWithoutTerminal(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log, err := telemetry.NewLogger(telemetry.LogOptions{Output: &out})
	require.NoError(t, err)
	log.Debug("below the level")
	log.With("shop", "acme").Warn("parked", "claims", 3)

	var line map[string]any
	require.NoError(t, json.Unmarshal(out.Bytes(), &line), "one JSON object: %s", out.String())
	require.Equal(t, "parked", line["msg"])
	require.Equal(t, "warning", line["level"])
	require.Equal(t, "acme", line["shop"])
	require.EqualValues(t, 3, line["claims"])
	require.NotEmpty(t, line["time"])
}

func TestLogsAsText(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log, err := telemetry.NewLogger(telemetry.LogOptions{Format: "text", Level: "debug", Output: &out})
	require.NoError(t, err)
	log.Debug("logged", "shop", "acme")
	require.Contains(t, out.String(), "level=debug")
	require.Contains(t, out.String(), "shop=acme")
}

func TestRefusesUnknownLogOptions(t *testing.T) {
	t.Parallel()
	_, err := telemetry.NewLogger(telemetry.LogOptions{Level: "loud"})
	require.EqualError(t, err, `set up logging: invalid level "loud": must be debug, info, warn or error`)
	_, err = telemetry.NewLogger(telemetry.LogOptions{Format: "xml"})
	require.EqualError(t, err, `set up logging: invalid format "xml": must be text or json`)
}

func TestMetricsAreServedForPrometheus(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	telemetries := make([]*telemetry.Telemetry, 2)
	for i := range telemetries {
		var err error
		telemetries[i], err = telemetry.Start(ctx, telemetry.Options{Service: "test", Version: "v0", Log: telemetry.LogOptions{Output: io.Discard}})
		require.NoError(t, err, "two instances run in one process")
	}
	counter, err := telemetries[0].Meters.Meter("test").Int64Counter("claims_accepted")
	require.NoError(t, err)
	counter.Add(ctx, 2)

	read := func(h http.Handler) string {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
		require.Equal(t, http.StatusOK, w.Code)
		return w.Body.String()
	}
	require.Regexp(t, `claims_accepted_total\{[^}]*\} 2`, read(telemetries[0].Metrics))
	require.Contains(t, read(telemetries[0].Metrics), "go_goroutines")
	require.NotContains(t, read(telemetries[1].Metrics), "claims_accepted")
	for _, one := range telemetries {
		require.NoError(t, one.Shutdown(ctx))
		require.NoError(t, one.Shutdown(ctx), "a second call does nothing")
	}
}

func TestTracesAreExportedOnlyWithEndpoint(t *testing.T) {
	received := make(chan string, 1)
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		received <- r.URL.Path
	}))
	defer collector.Close()
	start := func() *telemetry.Telemetry {
		one, err := telemetry.Start(t.Context(), telemetry.Options{Service: "test", Log: telemetry.LogOptions{Output: io.Discard}})
		require.NoError(t, err)
		return one
	}
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "")
	silent := start()
	_, span := silent.Traces.Tracer("test").Start(t.Context(), "not exported")
	require.False(t, span.IsRecording())
	span.End()
	require.NoError(t, silent.Shutdown(t.Context()))

	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.URL)
	traced := start()
	_, span = traced.Traces.Tracer("test").Start(t.Context(), "exported")
	span.End()
	require.NoError(t, traced.Shutdown(t.Context()))
	require.Equal(t, "/v1/traces", <-received)
}
