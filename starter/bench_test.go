package main

import (
	"bytes"
	"context"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	emulator "github.com/claimflow/claimflow/emulator/server"
	"github.com/claimflow/claimflow/internal/api"
	"github.com/claimflow/claimflow/internal/onboarding"
	"github.com/claimflow/claimflow/internal/proxy"
	"github.com/claimflow/claimflow/internal/reporting"
	"github.com/claimflow/claimflow/internal/seal"
	"github.com/claimflow/claimflow/internal/todixa/connection"
	"github.com/claimflow/claimflow/internal/toowner/files"
	"github.com/claimflow/claimflow/internal/unify"
	"github.com/claimflow/claimflow/store"
)

const dixaToken = "dixa-token-of-the-demo-shop-4f2a"

// bench runs commands against its own service, with a store in a file and an
// emulated Dixa.
type bench struct {
	t       *testing.T
	dir     string
	store   *store.Store
	dixa    *emulator.Server
	api     *httptest.Server
	environ []string
	// found is the immediate report of a sweep.
	found claim.SweepReport
	// noted are the notes of an erasure, which ends at once, and left is what is left.
	noted []string
	left  map[string]int
	// windows are those of an import, of which the first ones are done at once.
	windows  []claim.ImportWindow
	imported int
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t, dir: t.TempDir()}
	text, err := seal.Generate()
	require.NoError(t, err)
	keys, err := seal.Parse(text)
	require.NoError(t, err)
	database := "sqlite:" + filepath.Join(b.dir, "claimflow.db")
	b.store, err = store.Open(t.Context(), database, keys)
	require.NoError(t, err)
	t.Cleanup(func() { _ = b.store.Close() })

	b.dixa = emulator.New(emulator.Options{Token: dixaToken})
	dixa := httptest.NewServer(b.dixa)
	t.Cleanup(func() { dixa.Close(); b.dixa.Close() })
	b.api = httptest.NewUnstartedServer(nil)
	kept, err := files.New(files.Options{Store: b.store, BaseURL: dixa.URL + "/files", AllowLoopback: true})
	require.NoError(t, err)
	clients := connection.New(b.store, connection.Options{BaseURL: dixa.URL + "/v1/"})
	handler, err := api.New(api.Options{
		Mails: true,
		Store: b.store,
		Files: kept,
		Onboarding: onboarding.New(onboarding.Options{
			Store: b.store, Dixa: clients, AutoReplyWait: -1,
			PublicURL: "http://" + b.api.Listener.Addr().String(),
		}),
		Log: slog.New(slog.DiscardHandler),
		Sweep: func(ctx context.Context, connectionID string) error {
			if _, err := b.store.Sweeps.Begin(ctx, connectionID); err != nil {
				return err
			}
			_, err := b.store.Sweeps.End(ctx, connectionID, b.found)
			return err
		},
		Import: func(ctx context.Context, connectionID string, _ claim.ImportRequest) error {
			begun, _, err := b.store.Imports.Begin(ctx, claim.Import{ConnectionID: connectionID, Cause: "request", Access: claim.AccessExports, Windows: b.windows})
			for n := range b.windows {
				if err == nil && n < b.imported {
					w := claim.ImportWindow{N: n, Stream: b.windows[n].Stream, From: b.windows[n].From, To: b.windows[n].To}
					err = b.store.Imports.FinishWindow(ctx, connectionID, begun.ID, w, store.WindowResult{State: claim.WindowDone, ImportCounts: claim.ImportCounts{Read: 1200}})
				}
			}
			return err
		},
		Erase: func(ctx context.Context, e claim.Erasure) error {
			for _, note := range b.noted {
				if err := b.store.Erasures.Note(ctx, e.ID, note); err != nil {
					return err
				}
			}
			return b.store.Erasures.End(ctx, e.ID, b.left)
		},
		WakeImport: func(context.Context, string) error { return nil },
		KPIs:       &reporting.Service{Store: b.store},
		Unified:    &unify.Service{Store: b.store, Clients: clients},
		Proxy:      proxy.New(proxy.Options{Clients: clients}),
	})
	require.NoError(t, err)
	b.api.Config.Handler = handler
	b.api.Start()
	t.Cleanup(b.api.Close)
	b.environ = []string{"CLAIMFLOW_DATABASE_URL=" + database, "CLAIMFLOW_KEYS=" + text, "CLAIMFLOW_URL=" + b.api.URL}
	key := strings.TrimSpace(b.ok("api-key", "create", "--name", "test", "--scope", "admin"))
	b.environ = append(b.environ, "CLAIMFLOW_API_KEY="+key)
	return b
}

// run runs a command with an input and returns its output.
func (b *bench) run(in string, args ...string) (code int, out, err string) {
	b.t.Helper()
	var stdout, stderr bytes.Buffer
	code = run(b.t.Context(), args, &app{in: strings.NewReader(in), out: &stdout, err: &stderr, environ: b.environ})
	return code, stdout.String(), stderr.String()
}

// ok runs a command that must succeed.
func (b *bench) ok(args ...string) string {
	b.t.Helper()
	code, out, err := b.run("", args...)
	require.Equal(b.t, exitOK, code, "starter %s: %s", strings.Join(args, " "), err)
	return out
}

// fails runs a command that must end with the code, and returns its error.
func (b *bench) fails(code int, args ...string) string {
	b.t.Helper()
	got, out, err := b.run("", args...)
	require.Equal(b.t, code, got, "starter %s: %s%s", strings.Join(args, " "), out, err)
	return err
}

// file writes a file and returns its path.
func (b *bench) file(name, content string) string {
	b.t.Helper()
	path := filepath.Join(b.dir, name)
	require.NoError(b.t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

// connected adds a shop that is connected and has a mailbox.
func (b *bench) connected(slug string) {
	b.t.Helper()
	b.ok("shop", "add", slug, "--name", "Acme")
	b.ok("shop", "connect", slug, "--token-file", b.file("token", dixaToken+"\n"))
	b.ok("shop", "settings", slug, "email_integration_id="+emulator.SeedMailbox)
}

// gone returns a context that has ended.
func gone() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}
