// Package process assembles Claimflow's two processes from the same [Parts]. The
// quickstart runs both in one process.
//
//   - `starter serve` is [Parts.Serve]. serve.go lists its jobs, of which the HTTP API
//     is one.
//   - `worker` is [Parts.Work], together with [Parts.ServeMetrics]. work.go lists its
//     task queues, with their workflows and activities, and its jobs.
//
// Each process may have any number of replicas. Every replica runs all jobs.
package process

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"
	"go.temporal.io/sdk/contrib/opentelemetry"
	"go.temporal.io/sdk/interceptor"
	sdklog "go.temporal.io/sdk/log"

	"github.com/claimflow/claimflow/internal/config"
	"github.com/claimflow/claimflow/internal/seal"
	"github.com/claimflow/claimflow/internal/telemetry"
	"github.com/claimflow/claimflow/internal/todixa/connection"
	"github.com/claimflow/claimflow/internal/todixa/evidence"
	"github.com/claimflow/claimflow/store"
)

// Parts are the components of every process.
type Parts struct {
	Config    config.Config
	Telemetry *telemetry.Telemetry
	Store     *store.Store
	// Temporal connects on first use, so that a process starts and accepts claims
	// while Temporal is down.
	Temporal  client.Client
	Namespace string
	Clients   *connection.Clients
	Checker   *evidence.Checker

	temporalAddress string
	polling         atomic.Bool // Work has started its pollers
	bound           atomic.Bool // the namespace is known to belong to this store
}

// Open creates the parts of the named process from its configuration and from the
// TEMPORAL_* variables. Close them at the end.
func Open(ctx context.Context, service, version string, c config.Config) (*Parts, error) {
	t, err := telemetry.Start(ctx, telemetry.Options{
		Service: service, Version: version,
		Log: telemetry.LogOptions{Format: c.LogFormat, Level: c.LogLevel},
	})
	if err != nil {
		return nil, err
	}
	options, err := envconfig.LoadDefaultClientOptions()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("read the Temporal configuration (TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_PROFILE, …): %w", err), t.Shutdown(ctx))
	}
	keys, err := seal.Parse(c.Keys.Reveal())
	if err != nil {
		return nil, errors.Join(fmt.Errorf("CLAIMFLOW_KEYS: %w", err), t.Shutdown(ctx))
	}
	s, err := store.Open(ctx, c.DatabaseURL, keys)
	if err != nil {
		return nil, errors.Join(err, t.Shutdown(ctx))
	}
	p, err := Assemble(c, t, s, options)
	if err != nil {
		return nil, errors.Join(err, s.Close(), t.Shutdown(ctx))
	}
	return p, nil
}

// Assemble creates the parts of a process from an existing store, telemetry and
// Temporal client options.
func Assemble(c config.Config, t *telemetry.Telemetry, s *store.Store, options client.Options) (*Parts, error) {
	if options.Namespace == "" {
		options.Namespace = client.DefaultNamespace
	}
	tracing, err := opentelemetry.NewTracingInterceptor(opentelemetry.TracerOptions{
		Tracer: t.Traces.Tracer("temporal"), TextMapPropagator: t.Propagator, DisableBaggage: true,
	})
	if err != nil {
		return nil, fmt.Errorf("set up tracing: %w", err)
	}
	options.Logger = sdklog.NewStructuredLogger(t.Log)
	options.Interceptors = append(options.Interceptors, interceptor.ClientInterceptor(tracing))
	options.MetricsHandler = opentelemetry.NewMetricsHandler(opentelemetry.MetricsHandlerOptions{
		Meter: t.Meters.Meter("temporal"), UseMonotonicCounters: true,
		OnError: func(err error) { t.Log.Warn("cannot record a Temporal metric", "error", err) },
	})
	temporal, err := client.NewLazyClient(options)
	if err != nil {
		return nil, fmt.Errorf("set up the Temporal client: %w", err)
	}
	observe, err := observeCalls(t)
	if err != nil {
		return nil, err
	}
	limits := connection.DefaultLimits()
	limits.Interval = c.DixaPace
	return &Parts{
		Config: c, Telemetry: t, Store: s, Temporal: temporal, Namespace: options.Namespace,
		Clients: connection.New(s, connection.Options{BaseURL: c.DixaURL, ExportsURL: c.DixaExportsURL, ExportsPace: c.ExportsPace, Limits: limits, Observe: observe}),
		Checker: evidence.New(evidence.Options{AllowLoopback: c.AllowLoopbackEvidence}),

		temporalAddress: cmp.Or(options.HostPort, client.DefaultHostPort),
	}, nil
}

// Close closes the Temporal client, the store and the telemetry.
func (p *Parts) Close(ctx context.Context) error {
	p.Temporal.Close()
	return errors.Join(p.Store.Close(), p.Telemetry.Shutdown(ctx))
}
