package process

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"
)

// ServeMetrics serves /metrics, and /healthz for as long as the store answers, on
// CLAIMFLOW_METRICS_LISTEN; nowhere where that is empty. The returned function
// ends it.
func (p *Parts) ServeMetrics(ctx context.Context) (stop func(), err error) {
	if p.Config.MetricsListen == "" {
		return func() {}, nil
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", p.Config.MetricsListen)
	if err != nil {
		return nil, fmt.Errorf("listen on CLAIMFLOW_METRICS_LISTEN: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", p.Telemetry.Metrics)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, r *http.Request) {
		if err := p.Store.Ping(r.Context()); err != nil {
			http.Error(w, "the store cannot be reached", http.StatusServiceUnavailable)
			return
		}
		w.WriteHeader(http.StatusOK)
	})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go func() {
		if err := server.Serve(listener); err != http.ErrServerClosed {
			p.Telemetry.Log.Error("metrics are not served any more", "error", err)
		}
	}()
	return func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if err := server.Shutdown(ctx); err != nil {
			p.Telemetry.Log.Warn("metrics were not closed cleanly", "error", err)
		}
	}, nil
}
