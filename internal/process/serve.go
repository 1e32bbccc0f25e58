package process

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/claimflow/claimflow/internal/api"
	"github.com/claimflow/claimflow/internal/dispatch"
	"github.com/claimflow/claimflow/internal/onboarding"
)

// drainWithin is how long requests under way have to finish on shutdown.
const drainWithin = 20 * time.Second

// ServeOptions say what a process serves.
type ServeOptions struct {
	// Version is the build's version.
	Version string
	// Listener takes the connections; nil listens on the configured address.
	Listener net.Listener
	// Ready is called with the address once connections are taken. Optional.
	Ready func(net.Addr)
}

// Serve serves the HTTP API and brings claims to the engine until ctx ends, then
// lets requests under way finish. An engine that is down keeps no claim from
// being taken.
func (p *Parts) Serve(ctx context.Context, o ServeOptions) error {
	listener := o.Listener
	if listener == nil {
		var err error
		listener, err = (&net.ListenConfig{}).Listen(ctx, "tcp", p.Config.Listen)
		if err != nil {
			return fmt.Errorf("listen on %s (CLAIMFLOW_LISTEN): %w; stop what uses the address or choose another", p.Config.Listen, err)
		}
	}
	dispatcher := dispatch.New(p.Store, p.Temporal, p.Telemetry.Log)
	handler, err := api.New(api.Options{
		Store:      p.Store,
		Onboarding: onboarding.New(onboarding.Options{Store: p.Store, Dixa: p.Clients}),
		Log:        p.Telemetry.Log,
		Kick:       dispatcher.Kick,
		Temporal:   p.reachEngine,
		Metrics:    p.Telemetry.Metrics,
		Meters:     p.Telemetry.Meters,
		Traces:     p.Telemetry.Traces,
		Propagator: p.Telemetry.Propagator,
		Version:    o.Version,
	})
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       60 * time.Second,
		WriteTimeout:      150 * time.Second, // a test of a shop waits for Dixa
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
	}
	group, running := errgroup.WithContext(ctx)
	group.Go(func() error { return dispatcher.Run(running) })
	group.Go(func() error {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve HTTP on %s: %w", listener.Addr(), err)
		}
		return nil
	})
	group.Go(func() error {
		<-running.Done()
		draining, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainWithin)
		defer cancel()
		if err := server.Shutdown(draining); err != nil {
			return errors.Join(fmt.Errorf("let requests under way finish: %w", err), server.Close())
		}
		return nil
	})
	p.Telemetry.Log.Info("serving", "address", listener.Addr().String())
	if o.Ready != nil {
		o.Ready(listener.Addr())
	}
	return group.Wait()
}

// reachEngine reports whether the engine answers.
func (p *Parts) reachEngine(ctx context.Context) error {
	_, err := p.Temporal.CheckHealth(ctx, nil)
	return err
}
