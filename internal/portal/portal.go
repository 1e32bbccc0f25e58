// Package portal serves the pages on which the staff of a shop set Dixa up, follow
// claims and look at key figures. A person enters with a link that the platform creates.
//
// Every page is a client of the HTTP API: it sends its requests to the API's handler in
// the same process, for a key that has the shop and the scopes of the session. So a page
// can do nothing that the API cannot, and the API's checks, errors and audit log apply.
package portal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"path"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/felixge/httpsnoop"
	"github.com/go-chi/httprate"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/store"
)

// Options are the portal's dependencies and configuration.
type Options struct {
	// Store holds the links and sessions. Required.
	Store *store.Store
	// API is the handler of the HTTP API. Required.
	API http.Handler
	// Acting returns a context in which API acts for a key. Required.
	Acting func(context.Context, claim.Key) context.Context
	// Scopes returns the scopes of a key with the given capabilities. Required.
	Scopes func([]claim.PortalCapability) []string
	// WallScopes are the scopes that showing a board on a screen needs. Required.
	WallScopes []string
	// Log receives one line per request, without its address, and all errors. Required.
	Log *slog.Logger
	// PublicURL is the address of the service. Cookies are Secure unless it is on the
	// machine itself. Required.
	PublicURL string
	// OpenID lets operators of the platform sign in. Optional.
	OpenID OpenID
	// LiveEvery is how often an open page looks for news. Defaults to 2 s.
	LiveEvery time.Duration
}

// Portal is the handler of the portal. Create one with [New].
type Portal struct {
	Options
	secure  bool
	mux     *http.ServeMux
	handler http.Handler
	sets    map[string]*pageSet
	// pages are what routes registers, and live the patterns of pages that show news.
	pages []pageRoute
	live  map[string]bool
	// streams counts the open streams of news by session.
	streams streams
	kept    keptChoices
	// ending is closed when streams must end.
	ending  chan struct{}
	endOnce sync.Once
	// tries counts unknown links and cookies by network address.
	tries *httprate.RateLimiter
}

// maxTries is how many unknown links one network address may try in a minute.
const maxTries = 30

// New returns the portal. It serves the paths below /portal/.
func New(o Options) (*Portal, error) {
	if o.Store == nil || o.API == nil || o.Acting == nil || o.Scopes == nil || len(o.WallScopes) == 0 || o.Log == nil {
		return nil, errors.New("create the portal: Store, API, Acting, Scopes, WallScopes and Log are required")
	}
	public, err := url.Parse(o.PublicURL)
	if err != nil || public.Host == "" {
		return nil, errors.New("create the portal: the public URL must be an http or https URL")
	}
	o.LiveEvery = cmp.Or(o.LiveEvery, 2*time.Second)
	p := &Portal{
		Options: o, mux: http.NewServeMux(), secure: !claim.IsLoopback(public.Hostname()),
		live: map[string]bool{}, streams: streams{open: map[string]int{}}, kept: keptChoices{kept: map[string]keptChoice{}}, ending: make(chan struct{}),
		tries: httprate.NewRateLimiter(maxTries, time.Minute),
	}
	if p.sets, err = parsePages(); err != nil {
		return nil, fmt.Errorf("create the portal: %w", err)
	}
	p.routes()
	sameOrigin := http.NewCrossOriginProtection()
	if err := sameOrigin.AddTrustedOrigin(public.Scheme + "://" + public.Host); err != nil {
		return nil, fmt.Errorf("create the portal: %w", err)
	}
	sameOrigin.SetDenyHandler(http.HandlerFunc(p.denyCrossOrigin))
	p.handler = p.logged(p.recovered(p.protected(sameOrigin.Handler(p.pagesOfCommands(p.mux)))))
	return p, nil
}

// ServeHTTP implements [http.Handler].
func (p *Portal) ServeHTTP(w http.ResponseWriter, r *http.Request) { p.handler.ServeHTTP(w, r) }

// everythingElse is the pattern of the addresses that no other serves.
const everythingElse = "/portal/"

// routes is the index of the portal.
func (p *Portal) routes() {
	p.mux.HandleFunc("GET /portal/enter/{secret}", p.showLink)
	p.mux.HandleFunc("POST /portal/enter/{secret}", p.useLink)
	p.mux.HandleFunc("GET /portal/wall/{secret}", p.showWall)
	p.mux.HandleFunc("GET /portal/wall/{secret}/live", p.wallNews)
	p.mux.Handle("GET /portal/assets/", assets())
	p.mux.HandleFunc("GET /portal/embed.js", embedScript)
	p.mux.HandleFunc("POST /portal/language", p.chooseLanguage)

	p.mux.HandleFunc("GET /portal/{$}", p.inSession("", "", (*visit).home))
	p.mux.HandleFunc("POST /portal/leave", p.inSession("", "", (*visit).leave))
	p.mux.HandleFunc(livePattern, p.inSession("", "", (*visit).news))
	p.mux.HandleFunc(everythingElse, p.inSession("", "", (*visit).nothingHere))

	p.operatorRoutes()
	p.setupRoutes()
	p.claimsRoutes()
	p.templateRoutes()
	p.ruleRoutes()
	p.endpointRoutes()
	p.dataRoutes()
	p.dashboardRoutes()
}

// pagesOfCommands leads a person who opens the address of a command, which stays in the
// browser after a refused form, to the page that the command belongs to. next answers
// everything else.
func (p *Portal) pagesOfCommands(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		page, isCommand := p.pageOfCommand(r.URL.Path)
		if r.Method != http.MethodGet || !isCommand {
			next.ServeHTTP(w, r)
			return
		}
		to := url.URL{Path: page, RawQuery: r.URL.RawQuery}
		http.Redirect(w, r, to.String(), http.StatusSeeOther)
	})
}

// pageOfCommand returns the page that the address of a command belongs to: the next address
// above that shows something.
func (p *Portal) pageOfCommand(address string) (page string, isCommand bool) {
	route := func(method, path string) string {
		_, pattern := p.mux.Handler(&http.Request{Method: method, URL: &url.URL{Path: path}})
		return strings.TrimPrefix(pattern, method+" ")
	}
	command, read := route(http.MethodPost, address), route(http.MethodGet, address)
	// A command such as imports/retry is not the import named retry.
	if command == everythingElse || command == "" || read != everythingElse && strings.Count(read, "{") <= strings.Count(command, "{") {
		return "", false
	}
	page = path.Dir(address)
	for page != "/portal" && route(http.MethodGet, page) == everythingElse {
		page = path.Dir(page)
	}
	if page == "/portal" {
		page += "/"
	}
	return page, true
}

// pageRoute is a line of the index of pages.
type pageRoute struct {
	page    claim.PortalPage
	pattern string
	needs   claim.PortalCapability
}

// serves reports whether routes registers a page.
func (p *Portal) serves(page claim.PortalPage) bool {
	return slices.ContainsFunc(p.pages, func(r pageRoute) bool { return r.page == page })
}

// page registers a page and what can be done on it. A pattern is a method and a path
// below /portal/. needs is empty for what only reads.
func (p *Portal) page(page claim.PortalPage, pattern string, needs claim.PortalCapability, serve func(*visit) error) {
	p.pages = append(p.pages, pageRoute{page, pattern, needs})
	method, path, _ := strings.Cut(pattern, " ")
	p.mux.HandleFunc(method+" /portal/"+path, p.inSession(page, needs, serve))
}

// livePage registers a page that shows news by itself.
func (p *Portal) livePage(page claim.PortalPage, path string, serve func(*visit) error) {
	p.live["GET /portal/"+path] = true
	p.page(page, "GET "+path, "", serve)
}

// protected sets the headers that protect every answer.
func (p *Portal) protected(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		setPolicy(h, "")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-store")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=()")
		if p.secure {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxFormBytes)
		next.ServeHTTP(w, r)
	})
}

// maxFormBytes bounds the body of a request.
const maxFormBytes = 2 << 20

// setPolicy sets the Content-Security-Policy. origin may show the page in a frame; nobody
// may if it is empty.
func setPolicy(h http.Header, origin string) {
	ancestors := "'none'"
	if origin != "" {
		ancestors = origin
		h.Del("X-Frame-Options")
	} else {
		h.Set("X-Frame-Options", "DENY")
	}
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors "+ancestors)
}

// denyCrossOrigin answers a request that another site sent with the person's cookie.
func (p *Portal) denyCrossOrigin(w http.ResponseWriter, r *http.Request) {
	p.notice(w, r, notice{status: http.StatusForbidden, key: "refused"})
}

// logged writes one line per request. It logs the route instead of the address, which may
// contain the secret of a link.
func (p *Portal) logged(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, route := p.mux.Handler(r)
		about := &noted{}
		m := httpsnoop.CaptureMetrics(next, w, r.WithContext(context.WithValue(r.Context(), notedKey{}, about)))
		attrs := []slog.Attr{slog.String("route", r.Method+" "+route), slog.Int("status", m.Code), slog.Int64("took_ms", m.Duration.Milliseconds())}
		if about.session != "" {
			attrs = append(attrs, slog.String("session", about.session))
		}
		level := slog.LevelInfo
		if about.err != nil {
			level = slog.LevelError
			attrs = append(attrs, slog.String("error", about.err.Error()))
		}
		p.Log.LogAttrs(r.Context(), level, "portal request", attrs...)
	})
}

// noted is what handlers tell about a request for the log.
type noted struct {
	session string
	err     error
}

type notedKey struct{}

func note(ctx context.Context) *noted {
	if about, ok := ctx.Value(notedKey{}).(*noted); ok {
		return about
	}
	return &noted{}
}

func (p *Portal) recovered(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			cause := recover()
			if cause == nil {
				return
			}
			if err, ok := cause.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(cause)
			}
			p.Log.ErrorContext(r.Context(), "panic in the portal", "panic", cause, "stack", string(debug.Stack()))
			p.notice(w, r, notice{status: http.StatusInternalServerError, key: "broken"})
		}()
		next.ServeHTTP(w, r)
	})
}
