// Package engine runs a complete Temporal in this process: the server with all of
// its services on one SQLite database, and the Temporal UI.
//
// It is meant for laptops, demos and tests. SQLite and a single history shard make
// it unfit for production; use a Temporal cluster or Temporal Cloud there.
package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	uiserver "github.com/temporalio/ui-server/v2/server"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"go.temporal.io/server/common/authorization"
	"go.temporal.io/server/common/config"
	sqliteschema "go.temporal.io/server/schema/sqlite"
	"go.temporal.io/server/temporal"
	"google.golang.org/protobuf/types/known/durationpb"
)

const (
	// startTimeout bounds [Start]. A start takes about a second, but much longer on
	// a machine that is busy building the rest of a project.
	startTimeout = 60 * time.Second
	// stopTimeout bounds [Engine.Stop]. The server itself would wait minutes for a
	// service that hangs.
	stopTimeout = 30 * time.Second
)

// Options configures where an [Engine] listens and what it stores.
type Options struct {
	// FrontendAddr is the IP address and port of Temporal's gRPC API. Port 0 picks a
	// free port. There is no authentication: anyone who can reach the address may do
	// anything. Defaults to "127.0.0.1:7233".
	FrontendAddr string
	// UIAddr is the IP address and port of the Temporal UI. Port 0 picks a free
	// port. If empty, there is no UI.
	UIAddr string
	// DataFile is the SQLite file that stores runs across restarts. It is created if
	// it does not exist. If empty, everything is in memory. A file serves one engine
	// at a time.
	DataFile string
	// Namespace is created if it does not exist. Defaults to "default".
	Namespace string
	// Retention is how long a new namespace retains closed runs. An existing
	// namespace keeps its own retention. Defaults to 7 days.
	Retention time.Duration
	// SearchAttributes are registered in the namespace with their types, unless they
	// exist.
	SearchAttributes map[string]enumspb.IndexedValueType
	// ContinueAfter is the number of history events after which Temporal suggests
	// that a run continue as new. Defaults to the server's default, 4,096.
	ContinueAfter int
	// Logger receives the server's warnings and errors; lower levels are dropped.
	// Defaults to none.
	Logger *slog.Logger
	// FrontendFlag and UIFlag name the command-line flags that set the two
	// addresses, for the message of a [ListenError].
	FrontendFlag, UIFlag string
}

func (o Options) withDefaults() Options {
	if o.FrontendAddr == "" {
		o.FrontendAddr = "127.0.0.1:7233"
	}
	if o.Namespace == "" {
		o.Namespace = "default"
	}
	if o.Retention == 0 {
		o.Retention = 7 * 24 * time.Hour
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// Engine is a running Temporal. Stop ends it.
type Engine struct {
	options  Options
	frontend *net.TCPAddr
	uiAddr   *net.TCPAddr

	server   temporal.Server
	ui       *uiserver.Server
	stop     func() error
	stopping atomic.Bool
}

// Start starts Temporal and its UI. It returns once both answer, the namespace
// exists and its search attributes are usable. ctx bounds the start only.
//
// If it cannot listen on an address, it returns a [*ListenError] before starting
// anything.
func Start(ctx context.Context, options Options) (_ *Engine, err error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()

	e := &Engine{options: options.withDefaults()}
	e.stop = sync.OnceValue(e.shutDown)

	if e.frontend, err = reserveAddress("Temporal", e.options.FrontendAddr, options.FrontendFlag); err != nil {
		return nil, err
	}
	if options.UIAddr != "" {
		if e.uiAddr, err = reserveAddress("the Temporal UI", options.UIAddr, options.UIFlag); err != nil {
			return nil, err
		}
	}

	store, err := sqlConfig(options.DataFile)
	if err != nil {
		return nil, err
	}
	if err := createNamespace(store, e.options); err != nil {
		return nil, err
	}
	if e.server, err = startServer(e.options, e.frontend, store, serverLogger{e.options.Logger, &e.stopping}); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, e.Stop())
		}
	}()

	if err := awaitNamespace(ctx, e.ClientOptions(), e.options.SearchAttributes); err != nil {
		return nil, fmt.Errorf("engine: wait for Temporal on %s: %w", e.Address(), err)
	}
	if e.uiAddr != nil {
		if e.ui, err = startUI(ctx, e.uiAddr, e.Address(), e.options.Namespace); err != nil {
			return nil, fmt.Errorf("engine: wait for the Temporal UI on %s: %w", e.UIURL(), err)
		}
	}
	return e, nil
}

// Address returns the host and port of Temporal's gRPC API for clients on this
// machine.
func (e *Engine) Address() string { return dialAddress(e.frontend) }

// UIURL returns the URL of the Temporal UI for browsers on this machine; empty if
// there is no UI.
func (e *Engine) UIURL() string {
	if e.uiAddr == nil {
		return ""
	}
	return "http://" + dialAddress(e.uiAddr)
}

// ClientOptions returns what an SDK client needs to connect to the engine. The
// client's own log is dropped unless the caller sets Logger.
func (e *Engine) ClientOptions() client.Options {
	return client.Options{
		HostPort:  e.Address(),
		Namespace: e.options.Namespace,
		Logger:    log.NewStructuredLogger(slog.New(slog.DiscardHandler)),
	}
}

// Stop stops the UI and the server. Stop workers and close clients first, because
// their open polls are cut off after a second. It returns an error if the server has
// not stopped within 30 s; the server may then continue in the background. Later
// calls wait for the first and return the same result.
func (e *Engine) Stop() error { return e.stop() }

func (e *Engine) shutDown() error {
	e.stopping.Store(true)
	if e.ui != nil {
		e.ui.Stop()
	}
	stopped := make(chan error, 1)
	go func() { stopped <- e.server.Stop() }()
	select {
	case err := <-stopped:
		if err != nil {
			return fmt.Errorf("engine: stop Temporal: %w", err)
		}
		return nil
	case <-time.After(stopTimeout):
		return fmt.Errorf("engine: Temporal did not stop within %v", stopTimeout)
	}
}

// createNamespace writes the namespace directly to the database. If it were
// registered over the API, it would be unusable for some seconds, until the server's
// caches see it.
func createNamespace(store *config.SQL, options Options) error {
	ns, err := sqliteschema.NewNamespaceConfig(clusterName, options.Namespace, false, options.SearchAttributes)
	if err != nil {
		return fmt.Errorf("engine: configure the namespace %q: %w", options.Namespace, err)
	}
	ns.Detail.Config.Retention = durationpb.New(options.Retention)
	if err := sqliteschema.CreateNamespaces(store, ns); err != nil {
		return fmt.Errorf("engine: open the database %q and create the namespace %q: %w",
			options.DataFile, options.Namespace, err)
	}
	return nil
}

func startServer(o Options, frontend *net.TCPAddr, store *config.SQL, logger serverLogger) (_ temporal.Server, err error) {
	defer func() {
		switch failure := recover().(type) {
		case nil:
		case fatal:
			err = fmt.Errorf("engine: start Temporal: %w", failure)
		default:
			panic(failure)
		}
	}()
	internal := internalPorts()
	server, err := temporal.NewServer(
		temporal.ForServices(temporal.DefaultServices),
		temporal.WithConfig(serverConfig(frontend, internal, store)),
		temporal.WithStaticHosts(staticHosts(frontend, internal)),
		temporal.WithDynamicConfigClient(dynamicConfig(o)),
		temporal.WithLogger(logger),
		temporal.WithAuthorizer(authorization.NewNoopAuthorizer()),
	)
	if err != nil {
		return nil, fmt.Errorf("engine: configure Temporal: %w", err)
	}
	if err := server.Start(); err != nil {
		return nil, fmt.Errorf("engine: start Temporal: %w", err)
	}
	return server, nil
}
