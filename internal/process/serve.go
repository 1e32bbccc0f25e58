package process

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/claimflow/claimflow/internal/api"
	"github.com/claimflow/claimflow/internal/fromowner"
	"github.com/claimflow/claimflow/internal/nudge"
	"github.com/claimflow/claimflow/internal/onboarding"
	"github.com/claimflow/claimflow/internal/portal"
	"github.com/claimflow/claimflow/internal/proxy"
	"github.com/claimflow/claimflow/internal/reporting"
	"github.com/claimflow/claimflow/internal/toowner/delivery"
	"github.com/claimflow/claimflow/internal/toowner/files"
	"github.com/claimflow/claimflow/internal/toowner/mail"
	"github.com/claimflow/claimflow/internal/unify"
)

// jobs lists what `starter serve` does. Every replica does all of it. No job needs a
// leader: the store gives each piece of work to one replica, or doing it twice is
// harmless.
func (s *server) jobs(listener net.Listener, stop context.CancelFunc) []job {
	return []job{
		// The HTTP API, and the webhooks of Dixa and Karla. While requests wait for
		// claims to open, it polls the store every 200 ms.
		{name: "HTTP API", run: func(ctx context.Context) error { return s.serveHTTP(ctx, listener, stop) }},
		// Every second, and at once after a change by this replica: joins events from
		// Dixa with their claims, and starts or signals the workflows of changed
		// claims. Every minute it also restarts lost workflows. A second signal is
		// harmless.
		{name: "dispatcher", run: s.dispatch},
		// Every second, and at once after a change by this replica: sends due events
		// to the endpoints of owners. One replica leases each delivery.
		{name: "deliveries", run: endless(s.deliverer.Run)},
		// Every second: makes events about records from the changes of mirrors, and queues
		// them for endpoints.
		{name: "events about records", run: endless(s.feeder.Run)},
		// Every five seconds, and at once after an event that this replica received:
		// applies Karla's events, each in one transaction. Every minute it also
		// deletes the bodies of those handled a day ago.
		{name: "events of owners", run: endless(s.fromOwner.Run)},
		{name: "delete bodies of events without a claim", every: time.Minute, run: s.deleteOlder("event bodies", bodiesFor, s.Store.Inbox.DropBodies)},
		{name: "delete old operations", every: time.Hour, run: s.deleteOlder("operations", answeredFor, s.Store.Operations.DeleteFinished)},
		{name: "delete old deliveries", every: time.Hour, run: s.deleteOlder("deliveries", deliveredFor, s.Store.Deliveries.DeleteDelivered)},
		{name: "delete old events about records", every: time.Hour, run: s.deleteOlder("events about records", recordsDeliveredFor, s.Store.Deliveries.DeleteRecordEvents)},
		{name: "delete old portal sessions", every: time.Hour, run: s.deleteOlder("portal sessions", time.Hour, s.Store.Portal.DeleteEnded)},
		{name: "forget deleted records", every: time.Hour, run: s.deleteOlder("deleted records", deletedFor, s.Store.Mirror.ForgetDeleted)},
		// Deletes the content of claims that ended longer ago than their shop keeps it,
		// and late events of anonymized conversations.
		{name: "retention of claims", every: time.Hour, run: s.deleteOldClaims},
		// Deletes records that no data source selects any more. It decrypts every
		// conversation that belongs to no claim.
		{name: "retention of records", every: 6 * time.Hour, run: s.deleteExpiredRecords},
	}
}

const (
	// requestTime bounds a request to the API. The longest is a test of a shop's
	// set-up: it makes a dozen requests to Dixa at the token's pace.
	requestTime = 2 * time.Minute
	// drainWithin is how long requests may take to finish on shutdown.
	drainWithin = 20 * time.Second
	// bodiesFor is how long to keep the body of an event whose conversation belongs
	// to no claim. Its claim may arrive shortly after the event.
	bodiesFor = 24 * time.Hour
	// answeredFor is how long a repeated write through the unified API gets the answer of
	// the first.
	answeredFor = 72 * time.Hour
	// deliveredFor is how long successful deliveries stay in the store. The last one
	// of each claim at an endpoint stays longer.
	deliveredFor = 30 * 24 * time.Hour
	// recordsDeliveredFor is how long events about records stay in the store after they were
	// delivered or became dead. They contain personal data and are many.
	recordsDeliveredFor = 3 * 24 * time.Hour
	// deletedFor is how long endpoints that were paused learn of deleted records.
	deletedFor = 30 * 24 * time.Hour
)

// server holds the parts of `starter serve` in addition to those of every process.
type server struct {
	*Parts
	dispatcher *nudge.Dispatcher
	deliverer  *delivery.Deliverer
	feeder     *unify.Feeder
	fromOwner  *fromowner.Inbox
	web        http.Handler
	// endStreams ends the portal's streams, which would delay a shutdown.
	endStreams func()
}

// Listen listens on the address in CLAIMFLOW_LISTEN.
func (p *Parts) Listen(ctx context.Context) (net.Listener, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", p.Config.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w; choose another address with CLAIMFLOW_LISTEN", p.Config.Listen, err)
	}
	return listener, nil
}

// Serve is `starter serve`: it serves the HTTP API on a listener, submits accepted
// claims to Temporal and delivers events to owners' endpoints until ctx ends. It then
// lets running requests finish and closes the listener. Claims are accepted while
// Temporal is down. If the namespace belongs to another store, Serve ends with a
// [ForeignNamespaceError].
func (p *Parts) Serve(ctx context.Context, listener net.Listener, version string) error {
	s, err := p.newServer(version)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	for _, show := range []func() (hide func(), err error){p.claimGauges, p.deliveryGauges, p.connectionGauges} {
		hide, err := show()
		if err != nil {
			return errors.Join(err, listener.Close())
		}
		defer hide()
	}
	p.Telemetry.Log.Info("serving", "address", listener.Addr().String())
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	return runJobs(ctx, p.Telemetry.Log, s.jobs(listener, stop))
}

func (p *Parts) newServer(version string) (*server, error) {
	mailServer, err := p.mailServer()
	if err != nil {
		return nil, err
	}
	observe, err := p.observeDeliveries()
	if err != nil {
		return nil, err
	}
	s := &server{Parts: p}
	s.dispatcher = nudge.New(p.Store, p.Temporal, p.Telemetry.Log)
	s.deliverer = delivery.New(p.Store, delivery.Options{
		Log: p.Telemetry.Log, AllowPrivate: p.Config.AllowPrivateEndpoints, Mail: mailServer, Observe: observe,
	})
	s.feeder = &unify.Feeder{Service: p.unified(), Log: p.Telemetry.Log, Queued: s.deliverer.Kick}
	s.fromOwner = fromowner.New(p.Store, p.Telemetry.Log, s.kick)
	s.web, err = s.newWeb(version, mailServer != nil)
	return s, err
}

// newWeb returns the API and the portal.
func (s *server) newWeb(version string, mails bool) (http.Handler, error) {
	web, err := s.newAPI(version, mails)
	if err != nil {
		return nil, err
	}
	pages, err := portal.New(portal.Options{
		Store: s.Store, API: web, Acting: api.Acting, Scopes: api.PortalScopes, WallScopes: api.WallScopes(), Log: s.Telemetry.Log, PublicURL: s.Config.PublicURL,
		OpenID: portal.OpenID{
			Issuer: s.Config.OIDCIssuer, ClientID: s.Config.OIDCClientID, ClientSecret: s.Config.OIDCClientSecret.Reveal(), Group: s.Config.OIDCGroup,
		},
	})
	if err != nil {
		return nil, err
	}
	s.endStreams = pages.EndStreams
	mux := http.NewServeMux()
	mux.Handle(api.PortalPath, pages)
	mux.Handle("/", web)
	return mux, nil
}

// mailServer returns the server that sends emails, or nil if none is configured.
func (p *Parts) mailServer() (*mail.Server, error) {
	address := p.Config.SMTPURL.Reveal()
	if address == "" {
		return nil, nil //nolint:nilnil // no server is no error
	}
	server, err := mail.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("CLAIMFLOW_SMTP_URL %w", err)
	}
	return server, nil
}

func (s *server) newAPI(version string, mails bool) (http.Handler, error) {
	c, t := s.Config, s.Telemetry
	kept, err := files.New(files.Options{Store: s.Store, BaseURL: c.DixaFilesURL, AllowLoopback: c.AllowLoopbackEvidence})
	if err != nil {
		return nil, fmt.Errorf("CLAIMFLOW_DIXA_FILES_URL: %w", err)
	}
	return api.New(api.Options{
		Store: s.Store, Files: kept,
		Onboarding: onboarding.New(onboarding.Options{Store: s.Store, Dixa: s.Clients, PublicURL: c.PublicURL, Log: t.Log}),
		Kick:       s.kick, KickOwner: s.fromOwner.Kick, Sweep: s.sweepNow, Import: s.importNow, WakeImport: s.wakeImport,
		KPIs: &reporting.Service{Store: s.Store, Clients: s.Clients, Log: t.Log}, Erase: s.startErasure,
		Unified:  s.unified(),
		Proxy:    proxy.New(proxy.Options{Clients: s.Clients}),
		KeyLimit: c.KeyLimit, AccountLimit: c.AccountLimit,
		Temporal: func(ctx context.Context) (string, error) { return s.temporalState(ctx, s.dispatcher) },
		Log:      t.Log, Metrics: t.Metrics, Meters: t.Meters, Traces: t.Traces, Propagator: t.Propagator,
		PublicURL: c.PublicURL, Version: version, WebhookMaxAge: c.WebhookMaxAge, Mails: mails,
		AllowPrivateEndpoints: c.AllowPrivateEndpoints, AllowLoopback: c.AllowLoopbackEvidence,
	})
}

// kick makes this replica act on a change at once.
func (s *server) kick() {
	s.dispatcher.Kick()
	s.deliverer.Kick()
}

// serveHTTP serves until ctx ends, then lets running requests finish. If serving fails,
// it calls stop first, so that the other jobs end meanwhile.
func (s *server) serveHTTP(ctx context.Context, listener net.Listener, stop context.CancelFunc) error {
	web := &http.Server{
		Handler:           s.web,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       time.Minute,
		WriteTimeout:      requestTime,
		IdleTimeout:       2 * time.Minute,
		BaseContext:       func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
	}
	web.RegisterOnShutdown(s.endStreams)
	served := make(chan error, 1)
	go func() {
		served <- web.Serve(listener)
		stop()
	}()
	<-ctx.Done()
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainWithin)
	defer cancel()
	stopErr := web.Shutdown(drain)
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve the HTTP API: %w", err)
	}
	return stopErr
}

// dispatch dispatches once the namespace is known to belong to this store.
func (s *server) dispatch(ctx context.Context) error {
	if err := s.waitForTemporal(ctx); err != nil || ctx.Err() != nil {
		return err
	}
	s.dispatcher.Run(ctx)
	return nil
}

// deleteOlder returns the run of a job that deletes what is older than age.
func (p *Parts) deleteOlder(what string, age time.Duration, remove func(ctx context.Context, before time.Time) (int, error)) func(context.Context) error {
	return func(ctx context.Context) error {
		n, err := remove(ctx, time.Now().Add(-age))
		if n > 0 {
			p.Telemetry.Log.Debug("deleted what is no longer needed", "kind", what, "count", n)
		}
		return err
	}
}
