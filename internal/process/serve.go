package process

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/claimflow/claimflow/internal/api"
	"github.com/claimflow/claimflow/internal/fromowner"
	"github.com/claimflow/claimflow/internal/nudge"
	"github.com/claimflow/claimflow/internal/onboarding"
	"github.com/claimflow/claimflow/internal/toowner/delivery"
	"github.com/claimflow/claimflow/internal/toowner/files"
)

const (
	// requestTime bounds a request to the API. The longest is a test of a shop's
	// set-up: it makes a dozen requests to Dixa at the token's pace.
	requestTime = 2 * time.Minute
	// drainWithin is how long requests may take to finish on shutdown.
	drainWithin = 20 * time.Second
)

// Listen listens on the address in CLAIMFLOW_LISTEN.
func (p *Parts) Listen(ctx context.Context) (net.Listener, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", p.Config.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w; choose another address with CLAIMFLOW_LISTEN", p.Config.Listen, err)
	}
	return listener, nil
}

// Serve serves the HTTP API on a listener, submits accepted claims to Temporal and
// delivers events to owners' endpoints until ctx ends. It then lets running requests
// finish and closes the listener. Claims are accepted while Temporal is down. If the
// namespace belongs to another store, Serve ends with a [ForeignNamespaceError].
func (p *Parts) Serve(ctx context.Context, listener net.Listener, version string) error {
	t := p.Telemetry
	dispatcher := nudge.New(p.Store, p.Temporal, t.Log)
	server, err := p.mailServer()
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	observe, forgetDeliveries, err := p.countDeliveries()
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	defer forgetDeliveries()
	deliverer := delivery.New(p.Store, delivery.Options{
		Log: t.Log, AllowPrivate: p.Config.AllowPrivateEndpoints, Mail: server, Observe: observe,
	})
	kick := func() {
		dispatcher.Kick()
		deliverer.Kick()
	}
	fromOwner := fromowner.New(p.Store, t.Log, kick)
	forget, err := p.countClaims()
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	defer forget()
	endConnections, err := p.observeConnections()
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	defer endConnections()
	kept, err := files.New(files.Options{Store: p.Store, BaseURL: p.Config.DixaFilesURL, AllowLoopback: p.Config.AllowLoopbackEvidence})
	if err != nil {
		return errors.Join(fmt.Errorf("CLAIMFLOW_DIXA_FILES_URL: %w", err), listener.Close())
	}
	handler, err := api.New(api.Options{
		Files:         kept,
		Store:         p.Store,
		Onboarding:    onboarding.New(onboarding.Options{Store: p.Store, Dixa: p.Clients, PublicURL: p.Config.PublicURL, Log: t.Log}),
		WebhookMaxAge: p.Config.WebhookMaxAge,
		Sweep:         p.sweepNow,
		KickOwner:     fromOwner.Kick,
		Log:           t.Log, Kick: kick, Temporal: func(ctx context.Context) (string, error) { return p.engineState(ctx, dispatcher) },
		Metrics: t.Metrics, Meters: t.Meters, Traces: t.Traces, Propagator: t.Propagator,
		PublicURL: p.Config.PublicURL, Version: version,
		AllowPrivateEndpoints: p.Config.AllowPrivateEndpoints, Mails: server != nil,
		AllowLoopback: p.Config.AllowLoopbackEvidence,
	})
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	web := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       time.Minute,
		WriteTimeout:      requestTime,
		IdleTimeout:       2 * time.Minute,
		BaseContext:       func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	served := make(chan error, 1)
	go func() {
		err := web.Serve(listener)
		stop()
		served <- err
	}()
	var background sync.WaitGroup
	refused := make(chan error, 1)
	background.Go(func() {
		if err := p.waitForEngine(ctx); err != nil {
			if ctx.Err() == nil {
				refused <- err
				stop()
			}
			return
		}
		dispatcher.Run(ctx)
	})
	background.Go(func() { p.dropOldBodies(ctx) })
	background.Go(func() { deliverer.Run(ctx) })
	background.Go(func() { p.forgetDelivered(ctx) })
	background.Go(func() { fromOwner.Run(ctx) })
	t.Log.Info("serving", "address", listener.Addr().String())

	<-ctx.Done()
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainWithin)
	defer cancel()
	stopErr := web.Shutdown(drain)
	background.Wait()
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve the HTTP API: %w", err)
	}
	select {
	case err := <-refused:
		return errors.Join(err, stopErr)
	default:
		return stopErr
	}
}
