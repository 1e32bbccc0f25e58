package process

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"
)

// ServeMetrics serves metrics and health checks on CLAIMFLOW_METRICS_LISTEN, or
// nothing if that is empty. /healthz is 200 while the store answers; /readyz is 200
// only while Work also polls for work. The returned function stops the server.
func (p *Parts) ServeMetrics(ctx context.Context) (stop func(), err error) {
	if p.Config.MetricsListen == "" {
		return func() {}, nil
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", p.Config.MetricsListen)
	if err != nil {
		return nil, fmt.Errorf("listen on CLAIMFLOW_METRICS_LISTEN: %w", err)
	}
	server := &http.Server{Handler: p.metricsHandler(), ReadHeaderTimeout: 5 * time.Second}
	go func() {
		if err := server.Serve(listener); err != http.ErrServerClosed {
			p.Telemetry.Log.Error("the metrics server stopped", "error", err)
		}
	}()
	return func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if err := server.Shutdown(ctx); err != nil {
			p.Telemetry.Log.Warn("the metrics server did not shut down cleanly", "error", err)
		}
	}, nil
}

func (p *Parts) metricsHandler() http.Handler {
	storeAnswers := func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), 3*time.Second)
		defer cancel()
		if err := p.Store.Ping(ctx); err != nil {
			http.Error(w, "the store cannot be reached", http.StatusServiceUnavailable)
			return
		}
		w.WriteHeader(http.StatusOK)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", p.Telemetry.Metrics)
	mux.HandleFunc("GET /healthz", storeAnswers)
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		if !p.polling.Load() {
			http.Error(w, "not polling for work: waiting for Temporal or its namespace; see the log for the reason", http.StatusServiceUnavailable)
			return
		}
		storeAnswers(w, r)
	})
	return mux
}
