package api_test

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
	emulator "github.com/claimflow/claimflow/emulator/server"
	"github.com/claimflow/claimflow/integration/pgtest"
	"github.com/claimflow/claimflow/internal/api"
	"github.com/claimflow/claimflow/internal/onboarding"
	"github.com/claimflow/claimflow/internal/proxy"
	"github.com/claimflow/claimflow/internal/reporting"
	"github.com/claimflow/claimflow/internal/seal"
	"github.com/claimflow/claimflow/internal/telemetry"
	"github.com/claimflow/claimflow/internal/todixa/connection"
	"github.com/claimflow/claimflow/internal/unify"
	"github.com/claimflow/claimflow/store"
)

const token = "dixa-token-of-the-demo-shop-4f2a"

// bench is the API over HTTP, with a real store and an emulated Dixa.
type bench struct {
	t     *testing.T
	store *store.Store
	dixa  *emulator.Server
	url   string
	// secret is a platform key with every scope.
	secret string
	client *client.Client
	log    *locked
	kicks  *atomic.Int32
}

func TestMain(m *testing.M) { pgtest.Main(m) }

func newBench(t *testing.T) *bench {
	t.Helper()
	return newBenchOn(t, "sqlite::memory:")
}

// newBenchOn returns a bench whose store is at an address.
func newBenchOn(t *testing.T, database string, changes ...func(*api.Options)) *bench {
	t.Helper()
	b := &bench{t: t, log: &locked{to: &bytes.Buffer{}}, kicks: &atomic.Int32{}}
	text, err := seal.Generate()
	require.NoError(t, err)
	keys, err := seal.Parse(text)
	require.NoError(t, err)
	b.store, err = store.Open(t.Context(), database, keys)
	require.NoError(t, err)
	t.Cleanup(func() { _ = b.store.Close() })

	b.dixa = emulator.New(emulator.Options{Token: token, Limit: emulator.Limit{Reading: emulator.LimitOff}})
	dixaServer := httptest.NewServer(b.dixa)
	t.Cleanup(func() { dixaServer.Close(); b.dixa.Close() })
	clients := connection.New(b.store, connection.Options{BaseURL: dixaServer.URL + "/v1/"})

	metrics, err := telemetry.Start(t.Context(), telemetry.Options{Service: "test", Log: telemetry.LogOptions{Output: io.Discard}})
	require.NoError(t, err)
	server := httptest.NewUnstartedServer(nil)
	b.url = "http://" + server.Listener.Addr().String()
	options := api.Options{
		Store:      b.store,
		Onboarding: onboarding.New(onboarding.Options{Store: b.store, Dixa: clients, PublicURL: b.url, AutoReplyWait: -1}),
		Log:        slog.New(slog.NewJSONHandler(b.log, nil)),
		Kick:       func() { b.kicks.Add(1) },
		Meters:     metrics.Meters,
		Metrics:    metrics.Metrics,
		KPIs:       &reporting.Service{Store: b.store, Clients: clients},
		Unified:    &unify.Service{Store: b.store, Clients: clients},
		Proxy:      proxy.New(proxy.Options{Clients: clients}),
		Version:    "test",
		Mails:      true,
	}
	for _, change := range changes {
		change(&options)
	}
	handler, err := api.New(options)
	require.NoError(t, err)
	server.Config.Handler = handler
	server.Start()
	t.Cleanup(server.Close)
	b.secret = b.key("", client.ScopeAdmin)
	b.client, err = client.New(b.url, b.secret, client.WithRetries(0, 0))
	require.NoError(t, err)
	return b
}

// key creates an API key directly in the store.
func (b *bench) key(shop string, scopes ...string) string {
	b.t.Helper()
	_, secret, err := b.store.APIKeys.Create(b.t.Context(), claim.NewKey{Name: "test " + strings.Join(scopes, " "), Shop: shop, Scopes: scopes})
	require.NoError(b.t, err)
	return secret
}

// shop adds a shop.
func (b *bench) shop(slug string) {
	b.t.Helper()
	_, err := b.client.AddShop(b.t.Context(), client.NewShop{Slug: slug, Name: "Acme"})
	require.NoError(b.t, err)
}

// connected adds a shop that is connected and has a mailbox.
func (b *bench) connected(slug string) {
	b.t.Helper()
	b.shop(slug)
	_, err := b.client.Connect(b.t.Context(), slug, token)
	require.NoError(b.t, err)
	b.settings(slug, `{"email_integration_id": "`+emulator.SeedMailbox+`"}`)
}

func (b *bench) settings(slug, patch string) {
	b.t.Helper()
	_, err := b.client.UpdateSettings(b.t.Context(), slug, json.RawMessage(patch))
	require.NoError(b.t, err)
}

// conversation opens a conversation in Dixa.
func (b *bench) conversation() int64 {
	b.t.Helper()
	report, err := b.client.Test(b.t.Context(), "acme", client.TestRequest{Email: "tester@example.org"})
	require.NoError(b.t, err)
	require.NotZero(b.t, report.ConversationID)
	return report.ConversationID
}

// reply is a raw reply.
type reply struct {
	*http.Response
	text string
}

func (r *reply) problem(t *testing.T) client.Problem {
	t.Helper()
	require.Equal(t, "application/problem+json", r.Header.Get("Content-Type"), "RFC 9457: %s", r.text)
	var p client.Problem
	require.NoError(t, json.Unmarshal([]byte(r.text), &p))
	require.Equal(t, r.StatusCode, p.Status)
	require.Equal(t, r.Header.Get("X-Request-Id"), p.Instance, "the problem must contain the request id")
	return p
}

// send sends a raw request.
func (b *bench) send(method, path, secret, body string, headers ...string) *reply {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), method, b.url+path, strings.NewReader(body))
	require.NoError(b.t, err)
	if secret != "" {
		req.Header.Set("Authorization", "Bearer "+secret)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := (&http.Client{Timeout: waitFor}).Do(req)
	require.NoError(b.t, err)
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	require.NoError(b.t, err)
	return &reply{Response: resp, text: string(data)}
}

// refusal returns the *client.Error of a rejected call.
func refusal(t *testing.T, err error, status int, code string) *client.Error {
	t.Helper()
	var e *client.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, status, e.Status, e.Error())
	require.Equal(t, code, e.Code, e.Error())
	return e
}

// fields returns the names of the invalid fields.
func fields(p client.Problem) []string {
	var out []string
	for _, e := range p.Errors {
		out = append(out, e.Field)
	}
	return out
}

// locked makes a log safe for use by both the server and the test.
type locked struct {
	mu sync.Mutex
	to *bytes.Buffer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.to.Write(p)
}

func (l *locked) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.to.String()
}

const (
	waitFor = 30 * time.Second
	every   = 5 * time.Millisecond
)

func newKey(shop string, scopes ...string) claim.NewKey {
	return claim.NewKey{Name: "test", Shop: shop, Scopes: scopes}
}

func refOf(id string) claim.Ref { return claim.Ref{Shop: "acme", ID: id} }

// dixaRequests counts the requests that reached Dixa.
func dixaRequests(b *bench) int { return b.dixa.Stats().Requests }
