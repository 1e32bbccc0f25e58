// Package telemetry sets up logs, metrics and traces. Callers must not log personal
// data or secrets: no names, email addresses, customer texts or tokens.
package telemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.37.0"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// endpoints are the variables that tell the OpenTelemetry SDK where to send traces
// (OpenTelemetry Protocol Exporter specification).
var endpoints = []string{"OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"}

// Options identify a process and configure its logging.
type Options struct {
	// Service is the process's name: "starter", "worker".
	Service string
	// Version is the build's version.
	Version string
	// Log configures logging.
	Log LogOptions
}

// Telemetry holds a process's logger, metrics and tracing. It changes no
// global state, so several can coexist in one process.
type Telemetry struct {
	// Log goes through logrus; see [NewLogger].
	Log *slog.Logger
	// Meters creates the metrics that Metrics serves.
	Meters metric.MeterProvider
	// Metrics serves every metric for Prometheus.
	Metrics http.Handler
	// Traces creates spans. It drops them unless OTEL_EXPORTER_OTLP_ENDPOINT or
	// OTEL_EXPORTER_OTLP_TRACES_ENDPOINT is set.
	Traces trace.TracerProvider
	// Propagator carries traces to and from other processes (W3C Trace Context).
	Propagator propagation.TextMapPropagator

	shutdown []func(context.Context) error
}

// Start sets everything up. Call Shutdown at the end.
func Start(ctx context.Context, o Options) (*Telemetry, error) {
	log, err := NewLogger(o.Log)
	if err != nil {
		return nil, err
	}
	t := &Telemetry{Log: log.With("service", o.Service), Propagator: propagation.TraceContext{}}
	about, err := resource.New(ctx, resource.WithFromEnv(), resource.WithTelemetrySDK(),
		resource.WithAttributes(semconv.ServiceName("claimflow-"+o.Service), semconv.ServiceVersion(o.Version)))
	if err != nil {
		return nil, fmt.Errorf("create the OpenTelemetry resource (OTEL_RESOURCE_ATTRIBUTES, OTEL_SERVICE_NAME): %w", err)
	}
	if err := t.startMetrics(about); err != nil {
		return nil, err
	}
	if err := t.startTraces(ctx, about); err != nil {
		return nil, errors.Join(err, t.Shutdown(ctx))
	}
	return t, nil
}

func (t *Telemetry) startMetrics(about *resource.Resource) error {
	registry := prometheus.NewRegistry()
	if err := errors.Join(
		registry.Register(collectors.NewGoCollector()),
		registry.Register(collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})),
	); err != nil {
		return fmt.Errorf("register the metrics of the Go runtime: %w", err)
	}
	exporter, err := otelprometheus.New(otelprometheus.WithRegisterer(registry))
	if err != nil {
		return fmt.Errorf("set up the Prometheus exporter: %w", err)
	}
	provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(exporter), sdkmetric.WithResource(about))
	t.Meters, t.Metrics = provider, promhttp.HandlerFor(registry, promhttp.HandlerOpts{Registry: registry})
	t.shutdown = append(t.shutdown, provider.Shutdown)
	return nil
}

func (t *Telemetry) startTraces(ctx context.Context, about *resource.Resource) error {
	t.Traces = noop.NewTracerProvider()
	if !wanted() {
		return nil
	}
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return fmt.Errorf("set up the trace exporter (OTEL_EXPORTER_OTLP_*): %w", err)
	}
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(about))
	t.Traces = provider
	t.shutdown = append(t.shutdown, provider.Shutdown)
	return nil
}

func wanted() bool {
	for _, name := range endpoints {
		if os.Getenv(name) != "" {
			return true
		}
	}
	return false
}

// Shutdown flushes unsent data. Call it once, after the last use.
func (t *Telemetry) Shutdown(ctx context.Context) error {
	var errs []error
	for _, stop := range t.shutdown {
		errs = append(errs, stop(ctx))
	}
	t.shutdown = nil
	return errors.Join(errs...)
}
