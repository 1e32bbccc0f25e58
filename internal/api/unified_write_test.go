package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"github.com/claimflow/claimflow/activities"
	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
	emulator "github.com/claimflow/claimflow/emulator/server"
	"github.com/claimflow/claimflow/integration/contracttest"
	"github.com/claimflow/claimflow/internal/api"
	"github.com/claimflow/claimflow/internal/onboarding"
	"github.com/claimflow/claimflow/internal/seal"
	"github.com/claimflow/claimflow/internal/todixa/connection"
	"github.com/claimflow/claimflow/internal/unify"
	"github.com/claimflow/claimflow/store"
)

// writeBench is the unified API over HTTP with an emulated Dixa.
type writeBench struct {
	*testing.T
	store   *store.Store
	dixa    *emulator.Server
	clients *connection.Clients
	unified *unify.Service
	url     string
	account string
	secret  string
	// ahead is by how much the store's clock is ahead, in nanoseconds.
	ahead atomic.Int64
	// hold, if not nil, keeps operations from starting until it is closed.
	hold    chan struct{}
	running sync.WaitGroup
}

func newWriteBench(t *testing.T, switches emulator.Switches, changes ...func(*api.Options)) *writeBench {
	t.Helper()
	b := &writeBench{T: t}
	text, err := seal.Generate()
	require.NoError(t, err)
	keys, err := seal.Parse(text)
	require.NoError(t, err)
	b.store, err = store.Open(t.Context(), "sqlite::memory:", keys, store.WithClock(func() time.Time { return time.Now().Add(time.Duration(b.ahead.Load())) }))
	require.NoError(t, err)
	t.Cleanup(func() { _ = b.store.Close() })
	t.Cleanup(b.running.Wait)
	b.dixa = emulator.New(emulator.Options{Token: token, Switches: switches, Limit: emulator.Limit{Reading: emulator.LimitOff}})
	host := httptest.NewServer(contracttest.Handler(t, b.dixa))
	t.Cleanup(func() { host.Close(); b.dixa.Close() })
	b.clients = connection.New(b.store, connection.Options{
		BaseURL: host.URL + "/v1/", Timeout: 2 * time.Second,
		Limits: store.BudgetLimits{Interval: time.Microsecond, MaxWait: time.Second, PerDay: 1_000_000},
	})
	_, err = b.store.Shops.Create(t.Context(), store.NewShop{Slug: "acme", Name: "Acme", Feature: true})
	require.NoError(t, err)
	c, err := b.store.Connections.SaveToken(t.Context(), "acme", token, store.Organization{ID: emulator.SeedOrganization, Name: "Demo"})
	require.NoError(t, err)
	b.account = c.ID
	b.settings(`{"email_integration_id": "` + emulator.SeedMailbox + `", "commit_window": "0s", "list_lag": "0s"}`)

	server := httptest.NewUnstartedServer(nil)
	b.url = "http://" + server.Listener.Addr().String()
	b.unified = &unify.Service{Store: b.store, Clients: b.clients, PublicURL: b.url, Start: b.start}
	options := api.Options{
		Store: b.store, Onboarding: onboarding.New(onboarding.Options{Store: b.store, Dixa: b.clients, PublicURL: b.url, AutoReplyWait: -1}),
		Log: slog.New(slog.DiscardHandler), Unified: b.unified, PublicURL: b.url, WriteWait: 15 * time.Second,
	}
	for _, change := range changes {
		change(&options)
	}
	handler, err := api.New(options)
	require.NoError(t, err)
	server.Config.Handler = handler
	server.Start()
	t.Cleanup(server.Close)
	b.secret = b.key("", client.ScopeUnifiedRead, client.ScopeUnifiedWrite, client.ScopeDirectoryWrite)
	return b
}

func (b *writeBench) settings(layer string) {
	b.Helper()
	_, err := b.store.Settings.Save(b.Context(), "acme", json.RawMessage(layer))
	require.NoError(b, err)
}

func (b *writeBench) key(shop string, scopes ...string) string {
	b.Helper()
	_, secret, err := b.store.APIKeys.Create(b.Context(), claim.NewKey{Name: "test", Shop: shop, Scopes: scopes})
	require.NoError(b, err)
	return secret
}

// start carries out an operation as its workflow does. The wait between two attempts is
// short: Dixa's habits take real time.
func (b *writeBench) start(_ context.Context, ref store.OperationRef) error {
	ctx := context.WithoutCancel(b.Context())
	b.running.Go(func() {
		if b.hold != nil {
			<-b.hold
		}
		operations := &activities.Operations{Store: b.store, Clients: b.clients, Unified: b.unified}
		for range 200 {
			var suite testsuite.WorkflowTestSuite
			suite.SetLogger(sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)))
			env := suite.NewTestActivityEnvironment()
			env.RegisterActivity(operations)
			_, err := env.ExecuteActivity(operations.CarryOut, ref)
			var app *temporal.ApplicationError
			if err == nil || errors.As(err, &app) && app.NonRetryable() {
				return
			}
			pause := time.NewTimer(20 * time.Millisecond)
			select {
			case <-pause.C:
			case <-ctx.Done():
			}
		}
	})
	return nil
}

// written is an answer of the API.
type written struct {
	status int
	header http.Header
	body   map[string]any
	raw    string
}

// send sends a request. The account is added to the address. key is the Idempotency-Key;
// empty for none.
func (b *writeBench) send(method, path, key, body string) written {
	b.Helper()
	address := b.url + path
	if strings.HasPrefix(path, "/unified/") {
		separator := "?"
		if strings.Contains(path, "?") {
			separator = "&"
		}
		address += separator + "integrated_account_id=" + b.account
	}
	r, err := http.NewRequestWithContext(b.Context(), method, address, strings.NewReader(body))
	require.NoError(b, err)
	r.Header.Set("Authorization", "Bearer "+b.secret)
	r.Header.Set("Content-Type", "text/plain")
	if key != "" {
		r.Header.Set("Idempotency-Key", key)
	}
	response, err := (&http.Client{Timeout: 40 * time.Second}).Do(r)
	require.NoError(b, err)
	defer func() { require.NoError(b, response.Body.Close()) }()
	text, err := io.ReadAll(response.Body)
	require.NoError(b, err)
	out := written{status: response.StatusCode, header: response.Header, raw: string(text)}
	require.NoError(b, json.Unmarshal(text, &out.body), "%s %s: %s", method, path, text)
	return out
}

// done sends a request that must succeed.
func (b *writeBench) done(method, path, body string) map[string]any {
	b.Helper()
	r := b.send(method, path, "", body)
	require.Equal(b, http.StatusOK, r.status, "%s %s: %s", method, path, r.raw)
	return r.body
}

// copied returns Dixa's copy of a file.
func (b *writeBench) copied(address string) []byte {
	b.Helper()
	u, err := url.Parse(address)
	require.NoError(b, err)
	r := httptest.NewRequest(http.MethodGet, u.Path, nil)
	r.SetBasicAuth("bearer", token)
	w := httptest.NewRecorder()
	b.dixa.ServeHTTP(w, r)
	require.Equal(b, http.StatusOK, w.Code, w.Body.String())
	return w.Body.Bytes()
}

// conversation returns the newest conversation in Dixa.
func (b *writeBench) conversation() *emulator.Conversation {
	b.Helper()
	all := b.dixa.State().Conversations
	require.NotEmpty(b, all)
	return all[len(all)-1]
}

// ticket opens a conversation and returns its id as JSON.
func (b *writeBench) ticket() string {
	b.Helper()
	made := b.done("POST", "/unified/ticketing/tickets", `{"name": "A vase", "description": "It is broken.", "contact": {"name": "Ada", "emails": [{"email": "ada@example.org"}]}}`)
	id, _ := made["id"].(string)
	require.NotEmpty(b, id)
	return id
}

func TestNoteIsWrittenThroughTheUnifiedAPI(t *testing.T) {
	t.Parallel()
	b := newWriteBench(t, emulator.Switches{})
	id := b.ticket()
	made := b.done("POST", "/unified/ticketing/comments", `{"ticket": {"id": "`+id+`"}, "body": "Call back.", "is_private": true}`)
	require.Equal(t, "Call back.", made["body"])
	require.Equal(t, true, made["is_private"])
	require.Equal(t, true, made["is_internal"])
	require.Equal(t, map[string]any{"id": id}, made["ticket"])
	c := b.conversation()
	require.Len(t, c.Notes, 1)
	require.Len(t, c.Messages, 1, "a note must not become a message")
	require.Equal(t, c.Notes[0].ID, made["id"])
}
