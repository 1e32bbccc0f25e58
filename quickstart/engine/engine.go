// Package engine runs a complete Temporal in this process: the server with all
// of its services on one SQLite database, and the Temporal UI.
//
// It is meant for laptops, demonstrations and tests. SQLite and a single
// history shard make it unfit for production; there, use a Temporal cluster or
// Temporal Cloud.
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
	// startTimeout bounds [Start]. A start takes about a second; a machine
	// that is busy building the rest of a project takes many.
	startTimeout = 60 * time.Second
	// stopTimeout bounds [Engine.Stop]. The server itself would wait for
	// minutes for a service that hangs.
	stopTimeout = 30 * time.Second
)

// Options says where an [Engine] listens and what it keeps.
type Options struct {
	// FrontendAddr is the IP address and port of Temporal's gRPC API. Port 0
	// picks a free port. There is no authentication: whoever reaches the
	// address may do anything. Defaults to "127.0.0.1:7233".
	FrontendAddr string
	// UIAddr is the IP address and port of the Temporal UI. Port 0 picks a
	// free port; empty means no UI.
	UIAddr string
	// DataFile is the SQLite file that keeps runs across restarts; it is made
	// when it does not exist. Empty keeps everything in memory. One file
	// serves one engine at a time.
	DataFile string
	// Namespace is made when it does not exist. Defaults to "default".
	Namespace string
	// Retention is how long a closed run is kept, for a namespace that is
	// made; one that exists keeps its own. Defaults to 7 days.
	Retention time.Duration
	// SearchAttributes are registered in the namespace, each with its type,
	// where they are not yet.
	SearchAttributes map[string]enumspb.IndexedValueType
	// ContinueAfter is of how many events a run's history is when Temporal
	// suggests to continue as new. Defaults to what the server has: 4,096.
	ContinueAfter int
	// Logger receives the server's warnings and errors; what is less than a
	// warning is dropped. Defaults to none.
	Logger *slog.Logger
	// FrontendFlag and UIFlag name the command-line flags by which a person
	// sets the two addresses, for the words of a [ListenError].
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

// Start starts Temporal and its UI and returns when both answer, the namespace
// exists and its search attributes can be used. ctx bounds the start only.
//
// An address that cannot be listened on gives a [*ListenError], before
// anything is started.
func Start(ctx context.Context, options Options) (_ *Engine, err error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()

	e := &Engine{options: options.withDefaults()}
	e.stop = sync.OnceValue(e.shutDown)

	if e.frontend, err = claimAddress("Temporal", e.options.FrontendAddr, options.FrontendFlag); err != nil {
		return nil, err
	}
	if options.UIAddr != "" {
		if e.uiAddr, err = claimAddress("the Temporal UI", options.UIAddr, options.UIFlag); err != nil {
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

// Address is the host and port of Temporal's gRPC API, as a client on this
// machine dials it.
func (e *Engine) Address() string { return dialAddress(e.frontend) }

// UIURL is where a browser on this machine finds the Temporal UI; empty
// without one.
func (e *Engine) UIURL() string {
	if e.uiAddr == nil {
		return ""
	}
	return "http://" + dialAddress(e.uiAddr)
}

// ClientOptions are what an SDK client needs to talk to the engine. The
// client's own log is dropped unless the caller sets Logger.
func (e *Engine) ClientOptions() client.Options {
	return client.Options{
		HostPort:  e.Address(),
		Namespace: e.options.Namespace,
		Logger:    log.NewStructuredLogger(slog.New(slog.DiscardHandler)),
	}
}

// Stop ends the UI and the server. Stop workers and close clients first: their
// open polls are cut off after a second. It returns an error when the server
// has not ended within 30 s; it may then go on in the background. Calls after
// the first wait for it and return the same.
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

// createNamespace writes the namespace straight into the database. Registered
// over the API it could not be used for some seconds, until the server's
// caches have seen it.
func createNamespace(store *config.SQL, options Options) error {
	ns, err := sqliteschema.NewNamespaceConfig(clusterName, options.Namespace, false, options.SearchAttributes)
	if err != nil {
		return fmt.Errorf("engine: describe the namespace %q: %w", options.Namespace, err)
	}
	ns.Detail.Config.Retention = durationpb.New(options.Retention)
	if err := sqliteschema.CreateNamespaces(store, ns); err != nil {
		return fmt.Errorf("engine: open the database %q and make the namespace %q in it: %w",
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
