package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/emulator/server"
	"github.com/claimflow/claimflow/internal/config"
	"github.com/claimflow/claimflow/internal/process"
	"github.com/claimflow/claimflow/internal/seal"
	"github.com/claimflow/claimflow/internal/telemetry"
	"github.com/claimflow/claimflow/quickstart/engine"
	"github.com/claimflow/claimflow/store"
)

// demoToken is the API token of the emulated Dixa.
const demoToken = "demo-token"

// stack is everything that runs: the engine, the emulated Dixa, the worker and the
// HTTP API.
type stack struct {
	engine *engine.Engine
	dixa   *server.Server
	owner  *owner
	parts  *process.Parts
	api    *client.Client

	apiURL, dixaURL string
	// platformURL is the address of the system that the claims come from.
	platformURL string
	samples     []sample
	history     history
	pace        pace
	// visitorKey is the API key of the commands that the live view offers, offered
	// says that it offers them.
	visitorKey string
	offered    bool

	halts []func() error // in start order

	ended chan struct{} // closed when a part ends by itself
	end   func()
}

// start starts everything and returns once all of it answers.
func start(ctx context.Context, o options) (_ *stack, err error) {
	s := &stack{ended: make(chan struct{})}
	s.end = sync.OnceFunc(func() { close(s.ended) })
	defer func() {
		if err != nil {
			err = errors.Join(err, s.stop())
		}
	}()
	// The listeners come first, so that a port in use is reported before anything
	// starts.
	dixaListener, err := listen(ctx, o.dixa, "the emulated Dixa", "-dixa")
	if err != nil {
		return nil, err
	}
	s.halts = append(s.halts, ignoreClosed(dixaListener.Close))
	apiListener, err := listen(ctx, o.listen, "the HTTP API", "-listen")
	if err != nil {
		return nil, err
	}
	s.halts = append(s.halts, ignoreClosed(apiListener.Close))
	s.dixaURL, s.apiURL = "http://"+dixaListener.Addr().String(), "http://"+apiListener.Addr().String()

	level := "warn"
	if o.verbose {
		level = "info"
	}
	t, err := telemetry.Start(ctx, telemetry.Options{Service: "quickstart", Version: "quickstart", Log: telemetry.LogOptions{Format: "text", Level: level}})
	if err != nil {
		return nil, err
	}
	if s.engine, err = startEngine(ctx, o, t.Log); err != nil {
		return nil, errors.Join(err, t.Shutdown(ctx))
	}
	s.halts = append(s.halts, s.engine.Stop)
	if err := s.serveDixa(ctx, dixaListener, o.data); err != nil {
		return nil, err
	}
	if err := s.serveOwner(ctx); err != nil {
		return nil, err
	}
	if s.samples, err = samples(s.dixaURL + "/photos"); err != nil {
		return nil, err
	}
	st, err := openStore(ctx, o.data)
	if err != nil {
		return nil, err
	}
	c, err := config.LoadFrom(nil)
	if err != nil {
		return nil, errors.Join(err, st.Close())
	}
	c.DixaURL, c.DixaFilesURL = s.dixaURL+"/v1/", s.dixaURL+"/files"
	c.DixaExportsURL, c.ExportsPace = s.dixaURL+"/exports/v1/", exportsPace
	c.PublicURL, c.AllowLoopbackEvidence = s.apiURL, true
	c.DixaPace = dixaPace
	c.OIDCIssuer, c.OIDCClientID = s.issuer(), "claimflow"
	c.AllowPrivateEndpoints = true // the demo's endpoint is on this machine
	if s.parts, err = process.Assemble(c, t, st, s.engine.ClientOptions()); err != nil {
		return nil, errors.Join(err, st.Close())
	}
	s.halts = append(s.halts, func() error { return s.parts.Close(context.WithoutCancel(ctx)) })
	s.background(ctx, "the HTTP API", func(ctx context.Context) error { return s.parts.Serve(ctx, apiListener, "quickstart") })
	s.background(ctx, "the worker", s.parts.Work)

	key, secret, err := st.APIKeys.Create(ctx, claim.NewKey{Name: "quickstart", Scopes: client.Scopes()})
	if err != nil {
		return nil, err
	}
	s.halts = append(s.halts, func() error { return st.APIKeys.Revoke(context.WithoutCancel(ctx), key.ID) })
	s.api, err = client.New(s.apiURL, secret)
	return s, err
}

// createVisitorKey creates the API key of the commands that the live view shows. It
// is limited to the demo shop and revoked at the end.
func (s *stack) createVisitorKey(ctx context.Context) error {
	keys := s.parts.Store.APIKeys
	key, secret, err := keys.Create(ctx, claim.NewKey{
		Name: "quickstart commands", Shop: demoShop,
		Scopes: []string{client.ScopeClaimsWrite, client.ScopeClaimsRead, client.ScopeShopsRead, client.ScopeOperate, client.ScopeUnifiedRead, client.ScopeUnifiedWrite},
	})
	if err != nil {
		return err
	}
	s.visitorKey = secret
	s.halts = append(s.halts, func() error { return keys.Revoke(context.WithoutCancel(ctx), key.ID) })
	return nil
}

// background runs a part until the stack stops. A part that ends earlier closes
// ended, and stop returns its error.
func (s *stack) background(ctx context.Context, name string, run func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan error, 1)
	go func() {
		err := run(ctx)
		if ctx.Err() == nil {
			err = fmt.Errorf("%s stopped unexpectedly: %w", name, cmp.Or(err, errors.New("it returned no error")))
			s.end()
		}
		done <- err
	}()
	s.halts = append(s.halts, func() error {
		cancel()
		return <-done
	})
}

// stop stops everything in reverse start order.
func (s *stack) stop() error {
	var errs []error
	for i := len(s.halts) - 1; i >= 0; i-- {
		errs = append(errs, s.halts[i]())
	}
	s.halts = nil
	return errors.Join(errs...)
}

func startEngine(ctx context.Context, o options, log *slog.Logger) (*engine.Engine, error) {
	attributes := map[string]enumspb.IndexedValueType{}
	for _, name := range claim.SearchAttributes() {
		attributes[name] = enumspb.INDEXED_VALUE_TYPE_KEYWORD
	}
	file, err := dataFile(o.data, "temporal.db")
	if err != nil {
		return nil, err
	}
	return engine.Start(ctx, engine.Options{
		FrontendAddr: o.temporal, UIAddr: o.ui, FrontendFlag: "-temporal", UIFlag: "-ui",
		DataFile: file, SearchAttributes: attributes, Logger: log,
	})
}

func (s *stack) serveDixa(ctx context.Context, listener net.Listener, data string) error {
	s.dixa = server.New(server.Options{Token: demoToken, Limit: server.Limit{ExportsPerMinute: exportsPerMinute}})
	s.halts = append(s.halts, func() error { s.dixa.Close(); return nil })
	file, err := dataFile(data, "dixa.json")
	if err != nil {
		return err
	}
	if file != "" {
		if err := s.dixa.LoadFile(file); err != nil {
			return err
		}
		s.background(ctx, "the storage of the emulated Dixa", func(ctx context.Context) error { return s.dixa.KeepFile(ctx, file, time.Second) })
	}
	if err := s.fillDixa(ctx); err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /photos/{name}", servePhotos)
	mux.Handle("/", s.dixa)
	httpServer := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() { served <- httpServer.Serve(listener) }()
	s.halts = append(s.halts, func() error {
		err := httpServer.Close()
		if e := <-served; !errors.Is(e, http.ErrServerClosed) {
			err = errors.Join(err, fmt.Errorf("serve the emulated Dixa: %w", e))
		}
		return err
	})
	return nil
}

// openStore opens the demo's store. A store on disk has its keys beside it.
func openStore(ctx context.Context, data string) (*store.Store, error) {
	if data == "" {
		text, err := seal.Generate()
		if err != nil {
			return nil, err
		}
		keys, err := seal.Parse(text)
		if err != nil {
			return nil, err
		}
		return store.Open(ctx, "sqlite::memory:", keys)
	}
	keyFile, err := dataFile(data, "keys")
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(keyFile); errors.Is(err, os.ErrNotExist) {
		text, err := seal.Generate()
		if err != nil {
			return nil, err
		}
		if err := os.WriteFile(keyFile, []byte(text), 0o600); err != nil {
			return nil, fmt.Errorf("write the keyring: %w", err)
		}
	}
	keys, err := seal.Parse("file:" + keyFile)
	if err != nil {
		return nil, err
	}
	return store.Open(ctx, "sqlite:"+filepath.Join(data, "claimflow.db"), keys)
}

// dataFile returns the path of a file in the data directory and creates the
// directory if it is missing. It returns an empty path if nothing is stored on disk.
func dataFile(data, name string) (string, error) {
	if data == "" {
		return "", nil
	}
	if err := os.MkdirAll(data, 0o700); err != nil {
		return "", fmt.Errorf("create the data directory: %w", err)
	}
	return filepath.Join(data, name), nil
}

func listen(ctx context.Context, address, what, flag string) (net.Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, &engine.ListenError{Server: what, Address: address, Flag: flag, Err: err}
	}
	return l, nil
}

func ignoreClosed(closeIt func() error) func() error {
	return func() error {
		if err := closeIt(); !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil
	}
}

// runEngine runs only Temporal and its UI.
func runEngine(ctx context.Context, o options) error {
	log, err := telemetry.NewLogger(telemetry.LogOptions{Format: "text", Level: "warn"})
	if err != nil {
		return err
	}
	e, err := startEngine(ctx, o, log)
	if err != nil {
		return err
	}
	say(guide(e.Address(), e.UIURL()))
	<-ctx.Done()
	return e.Stop()
}

// guide explains how to run the rest beside an engine.
func guide(temporal, ui string) string {
	return fmt.Sprintf(`Temporal     %s
Temporal UI  %s

Create the keyring that encrypts the store, once:

  go run ./starter keyring new --file claimflow.keys

Run the other parts as separate processes. Set these variables in every terminal, in this directory:

  export TEMPORAL_ADDRESS=%[1]s
  export CLAIMFLOW_DIXA_URL=http://127.0.0.1:4010/v1/
  export CLAIMFLOW_DIXA_FILES_URL=http://127.0.0.1:4010/files
  export CLAIMFLOW_DIXA_EXPORTS_URL=http://127.0.0.1:4010/exports/v1/
  export CLAIMFLOW_ALLOW_LOOPBACK_EVIDENCE=true
  export CLAIMFLOW_KEYS=file:$PWD/claimflow.keys
  export CLAIMFLOW_DATABASE_URL=sqlite:$PWD/claimflow.db

The API listens on port 8080. If that port is in use, choose another one in every terminal:

  export CLAIMFLOW_LISTEN=127.0.0.1:18080 CLAIMFLOW_URL=http://127.0.0.1:18080

Run one command in each terminal:

  go run ./emulator -addr 127.0.0.1:4010 -token %[3]s
  go run ./worker
  go run ./starter serve

In one more terminal, with the same variables, create an API key and set up a shop:

  export CLAIMFLOW_API_KEY=$(go run ./starter api-key create --name me --scope admin)
  go run ./starter shop add demo-shop
  CLAIMFLOW_DIXA_TOKEN=%[3]s go run ./starter shop connect demo-shop
  go run ./starter shop settings demo-shop email_integration_id=%[4]s
  go run ./starter shop enable demo-shop

Press Ctrl-C to stop Temporal.`, temporal, ui, demoToken, server.SeedMailbox)
}
