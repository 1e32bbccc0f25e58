// Package api is the HTTP API of `starter serve`: claims, shops, settings,
// templates and operator commands under /v1, events from Dixa and Karla under /webhooks,
// and /healthz, /readyz, /metrics, /openapi.json and /docs. The bodies that it speaks are those of the packages
// claim and client; routes.go is its index.
package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/swaggest/swgui/v5emb"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/internal/fromdixa/subscription"
	"github.com/claimflow/claimflow/internal/onboarding"
	"github.com/claimflow/claimflow/internal/toowner/delivery"
	"github.com/claimflow/claimflow/internal/toowner/files"
	"github.com/claimflow/claimflow/store"
)

// Options are what the API works with.
type Options struct {
	// Store keeps everything. Required.
	Store *store.Store
	// Onboarding sets shops up against Dixa. Required.
	Onboarding *onboarding.Service
	// Log takes one line per request and what goes wrong. Required.
	Log *slog.Logger
	// WebhookMaxAge is how old the signature of an event from Dixa may be.
	// Defaults to 72 h, since event ids keep replays out.
	WebhookMaxAge time.Duration
	// WebhookPatience is how long an event from Dixa may take to arrive. Defaults
	// to 10 s.
	WebhookPatience time.Duration
	// Kick is called after every change, so that claims start at once rather
	// than at the dispatcher's next round. Optional.
	Kick func()
	// KickOwner is called after every event of Karla's that was kept. Optional.
	KickOwner func()
	// Temporal says for /readyz, in a few words for everybody, how it stands with
	// Temporal; the error, where claims do not get there, is for the log. Optional.
	Temporal func(context.Context) (state string, err error)
	// Sweep begins a sweep of a connection in the background. Without it, asking
	// for one is refused.
	Sweep func(ctx context.Context, connectionID string) error
	// Metrics serves /metrics. Optional.
	Metrics http.Handler
	// Meters, Traces and Propagator instrument requests. Optional.
	Meters     metric.MeterProvider
	Traces     trace.TracerProvider
	Propagator propagation.TextMapPropagator
	// PublicURL is the address under which the outside reaches the API: the first
	// server of /openapi.json. The address that the document was fetched from is
	// another, and the only one where this is empty.
	PublicURL string
	// AllowPrivateEndpoints takes endpoints on this machine and in private
	// networks.
	AllowPrivateEndpoints bool
	// Files fetches the files of messages. Without it, asking for one is refused.
	Files *files.Files
	// AllowLoopback takes replies whose attachments are on this machine, also by
	// plain http. For development only.
	AllowLoopback bool
	// Mails says that there is a mail server, so that people can be written to.
	Mails bool
	// Version is the build's version, for /openapi.json.
	Version string
}

type api struct {
	store      *store.Store
	onboarding *onboarding.Service
	log        *slog.Logger
	kick       func()
	temporal   func(context.Context) (string, error)
	endpoints  *delivery.Guard
	sweep      func(ctx context.Context, connectionID string) error
	mails      bool
	files      *files.Files
	loopback   bool
}

// New returns the API as a handler.
func New(o Options) (http.Handler, error) {
	if o.Store == nil || o.Onboarding == nil || o.Log == nil {
		return nil, errors.New("make the HTTP API: Store, Onboarding and Log are required")
	}
	a := &api{store: o.Store, onboarding: o.Onboarding, log: o.Log, kick: o.Kick, temporal: o.Temporal, sweep: o.Sweep, endpoints: delivery.NewGuard(o.AllowPrivateEndpoints), mails: o.Mails, files: o.Files, loopback: o.AllowLoopback}
	if a.kick == nil {
		a.kick = func() {}
	}
	hooks, err := newWebhooks(o, a.kick)
	if err != nil {
		return nil, fmt.Errorf("make the HTTP API: %w", err)
	}
	fromKarla, err := newKarlaWebhooks(o)
	if err != nil {
		return nil, fmt.Errorf("make the HTTP API: %w", err)
	}
	mux := http.NewServeMux()
	spec := humago.New(mux, configuration(o.PublicURL, o.Version))
	spec.UseMiddleware(a.authorize(spec), a.record, a.textual(spec))
	for _, r := range a.routes() {
		r.register(spec)
	}
	documentWebhooks(spec.OpenAPI())
	documentKarla(spec.OpenAPI())
	mux.Handle("POST "+subscription.Path+"{connection}", hooks)
	mux.Handle("POST "+karlaPath, fromKarla)
	mux.Handle("POST "+karlaPath+"/{shop}", fromKarla)
	mux.HandleFunc("GET /healthz", a.alive)
	mux.HandleFunc("GET /readyz", a.ready)
	mux.Handle("GET /docs/", v5emb.New("Claimflow", "/openapi.json", "/docs/"))
	mux.Handle("GET /docs", http.RedirectHandler("/docs/", http.StatusPermanentRedirect))
	if o.Metrics != nil {
		mux.Handle("GET /metrics", o.Metrics)
	}
	mux.Handle("/", elsewhere(mux))
	return a.around(mux, o), nil
}

// around wraps the routes: request id, trace, access log, panics.
func (a *api) around(mux *http.ServeMux, o Options) http.Handler {
	// The name is fixed, or every Host that somebody makes up is a metric.
	options := []otelhttp.Option{otelhttp.WithServerName("claimflow")}
	if o.Meters != nil {
		options = append(options, otelhttp.WithMeterProvider(o.Meters))
	}
	if o.Traces != nil {
		options = append(options, otelhttp.WithTracerProvider(o.Traces))
	}
	if o.Propagator != nil {
		options = append(options, otelhttp.WithPropagators(o.Propagator))
	}
	return a.identified(a.logged(otelhttp.NewHandler(a.guarded(mux), "http", options...)))
}

func configuration(publicURL, version string) huma.Config {
	if version == "" {
		version = "dev"
	}
	servers := []*huma.Server{{URL: "/", Description: "Where this document is."}}
	if publicURL != "" {
		servers = append([]*huma.Server{{URL: strings.TrimSuffix(publicURL, "/"), Description: "For the outside."}}, servers...)
	}
	return huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title: "Claimflow", Version: version,
				Description: "Turns a shop's resolution claims into Dixa conversations. Every error is problem details (RFC 9457).",
			},
			Servers: servers,
			Components: &huma.Components{
				Schemas: huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer),
				SecuritySchemes: map[string]*huma.SecurityScheme{
					apiKeyScheme: {Type: "http", Scheme: "bearer", Description: "An API key, as `starter api-key create` prints it."},
					signatureScheme: {
						Type: "apiKey", In: "header", Name: dixa.SignatureHeader,
						Description: "t=<Unix milliseconds>,v1=<hexadecimal HMAC-SHA256 of t, a dot and the body> under the subscription's secret.",
					},
				},
			},
			Tags: tags(),
		},
		OpenAPIPath:   "/openapi",
		Formats:       map[string]huma.Format{"application/json": huma.DefaultJSONFormat, "json": huma.DefaultJSONFormat},
		DefaultFormat: "application/json",
		// A filter that is misspelt must not pass for one that matched everything.
		RejectUnknownQueryParameters: true,
	}
}

// requestTimeout bounds the work on one request; talkTimeout that on one that
// asks Dixa many things.
const (
	requestTimeout = 30 * time.Second
	talkTimeout    = 110 * time.Second
)
