package portal_test

import (
	"bytes"
	"cmp"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/emulator/server"
	"github.com/claimflow/claimflow/internal/api"
	"github.com/claimflow/claimflow/internal/onboarding"
	"github.com/claimflow/claimflow/internal/portal"
	"github.com/claimflow/claimflow/internal/reporting"
	"github.com/claimflow/claimflow/internal/seal"
	"github.com/claimflow/claimflow/internal/todixa/connection"
	"github.com/claimflow/claimflow/internal/unify"
	"github.com/claimflow/claimflow/store"
)

const (
	shop  = "acme"
	token = "dixa-demo-token-0123456789abcdef4f2a"
)

// bench is a service with a portal and an emulated Dixa.
type bench struct {
	testing.TB
	dixa   *server.Server
	store  *store.Store
	client *client.Client
	api    http.Handler
	pages  *portal.Portal
	url    string
	// host is the address of the emulated Dixa.
	host string
	log  *locked

	// ahead is how far the store's clock is ahead.
	ahead atomic.Int64
	// looked, if set, is called whenever the store looks at its clock.
	looked atomic.Pointer[func()]
}

// locked is a buffer for several goroutines.
type locked struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *locked) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func newBench(tb testing.TB, edit ...func(*api.Options)) *bench {
	tb.Helper()
	return newBenchWith(tb, portal.OpenID{}, edit...)
}

// newBenchWith returns a bench with pages for operators.
func newBenchWith(tb testing.TB, operators portal.OpenID, edit ...func(*api.Options)) *bench {
	tb.Helper()
	return newBenchOn(tb, "sqlite::memory:", operators, edit...)
}

// newBenchOn returns a bench whose store is at an address.
func newBenchOn(tb testing.TB, database string, operators portal.OpenID, edit ...func(*api.Options)) *bench {
	tb.Helper()
	b := &bench{TB: tb, log: &locked{}}
	text, err := seal.Generate()
	require.NoError(tb, err)
	keys, err := seal.Parse(text)
	require.NoError(tb, err)
	b.store, err = store.Open(tb.Context(), database, keys, store.WithClock(b.clock))
	require.NoError(tb, err)
	tb.Cleanup(func() { _ = b.store.Close() })

	b.dixa = server.New(server.Options{Token: token, Limit: server.Limit{Reading: server.LimitOff}})
	host := httptest.NewServer(b.dixa)
	tb.Cleanup(func() { host.Close(); b.dixa.Close() })
	b.host = host.URL
	clients := connection.New(b.store, connection.Options{BaseURL: host.URL + "/v1/", Limits: store.BudgetLimits{Interval: time.Microsecond, MaxWait: time.Second}})

	web := httptest.NewUnstartedServer(nil)
	b.url = "http://" + web.Listener.Addr().String()
	log := slog.New(slog.NewJSONHandler(b.log, nil))
	options := api.Options{
		Store: b.store, Log: log, PublicURL: b.url,
		Onboarding: onboarding.New(onboarding.Options{Store: b.store, Dixa: clients, PublicURL: b.url, AutoReplyWait: -1}),
		KPIs:       &reporting.Service{Store: b.store, Clients: clients},
		Unified:    &unify.Service{Store: b.store, Clients: clients},
	}
	for _, e := range edit {
		e(&options)
	}
	handler, err := api.New(options)
	require.NoError(tb, err)
	b.api = handler
	b.pages, err = portal.New(portal.Options{
		Store: b.store, API: handler, Acting: api.Acting, Scopes: api.PortalScopes, WallScopes: api.WallScopes(), Log: log, PublicURL: b.url, LiveEvery: 10 * time.Millisecond,
		OpenID: operators,
	})
	require.NoError(tb, err)
	mux := http.NewServeMux()
	mux.Handle(api.PortalPath, b.pages)
	mux.Handle("/", handler)
	web.Config.Handler = mux
	web.Start()
	tb.Cleanup(web.Close)

	_, secret, err := b.store.APIKeys.Create(tb.Context(), claim.NewKey{Name: "platform", Scopes: []string{client.ScopeAdmin}})
	require.NoError(tb, err)
	b.client, err = client.New(b.url, secret, client.WithRetries(0, 0))
	require.NoError(tb, err)
	_, err = b.client.AddShop(tb.Context(), client.NewShop{Slug: shop, Name: "Acme & Sons"})
	require.NoError(tb, err)
	return b
}

func (b *bench) clock() time.Time {
	if looked := b.looked.Load(); looked != nil {
		(*looked)()
	}
	return time.Now().Add(time.Duration(b.ahead.Load()))
}

// later moves the store's clock.
func (b *bench) later(d time.Duration) { b.ahead.Add(int64(d)) }

// on returns the bench for a subtest.
func (b *bench) on(tb testing.TB) *bench {
	tb.Helper()
	part := &bench{TB: tb, dixa: b.dixa, store: b.store, client: b.client, api: b.api, pages: b.pages, url: b.url, log: b.log, host: b.host}
	part.ahead.Store(b.ahead.Load())
	return part
}

// connect saves the shop's token.
func (b *bench) connect() {
	b.Helper()
	_, err := b.client.Connect(b.Context(), shop, token)
	require.NoError(b, err)
}

func (b *bench) link(l client.NewPortalLink) client.PortalLink {
	b.Helper()
	l.Subject = cmp.Or(l.Subject, "staff-1")
	link, err := b.client.CreatePortalLink(b.Context(), shop, l)
	require.NoError(b, err)
	return link
}

// person is a browser without a script.
type person struct {
	*bench
	http *http.Client
}

func (b *bench) browser() *person {
	b.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(b, err)
	return &person{b, &http.Client{Jar: jar}}
}

// enter returns a person who has used a link.
func (b *bench) enter(l client.NewPortalLink) *person {
	b.Helper()
	p := b.browser()
	answer := p.post(b.link(l).URL, nil)
	require.Equal(b, http.StatusOK, answer.status, answer.text)
	return p
}

// answer is what a person sees.
type answer struct {
	status int
	text   string
	header http.Header
	url    *url.URL
}

func (p *person) send(r *http.Request) answer {
	p.Helper()
	response, err := p.http.Do(r)
	require.NoError(p, err)
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	require.NoError(p, err)
	return answer{response.StatusCode, string(text), response.Header, response.Request.URL}
}

func (p *person) request(method, path string, form url.Values) *http.Request {
	p.Helper()
	if !strings.HasPrefix(path, "http") {
		path = p.url + path
	}
	r, err := http.NewRequestWithContext(p.Context(), method, path, strings.NewReader(form.Encode()))
	require.NoError(p, err)
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return r
}

func (p *person) get(path string) answer {
	p.Helper()
	return p.send(p.request(http.MethodGet, path, nil))
}

// post submits a form as the browser does for the portal's own pages.
func (p *person) post(path string, form url.Values) answer {
	p.Helper()
	r := p.request(http.MethodPost, path, form)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return p.send(r)
}
