// Package api is the HTTP API of `starter serve`: claims, shops, settings, templates
// and operator commands under /v1, the unified API under /unified, /proxy,
// /integrated-account and /operations, SCIM under /scim, events from Dixa and Karla
// under /webhooks, and /healthz, /readyz, /metrics, /openapi.json and /docs. The
// packages claim and client define its request and response bodies; routes.go is its
// index.
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

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/internal/fromdixa/subscription"
	"github.com/claimflow/claimflow/internal/fromowner/karla"
	"github.com/claimflow/claimflow/internal/onboarding"
	"github.com/claimflow/claimflow/internal/proxy"
	"github.com/claimflow/claimflow/internal/reporting"
	"github.com/claimflow/claimflow/internal/toowner/delivery"
	"github.com/claimflow/claimflow/internal/toowner/files"
	"github.com/claimflow/claimflow/internal/unify"
	"github.com/claimflow/claimflow/store"
)

// Options are the API's dependencies and configuration.
type Options struct {
	// Store holds all state. Required.
	Store *store.Store
	// Onboarding sets up shops with Dixa. Required.
	Onboarding *onboarding.Service
	// Log receives one line per request and all errors. Required.
	Log *slog.Logger
	// WebhookMaxAge is the maximum age of the signature of a Dixa event. Defaults to
	// 72 h, because event ids prevent replays.
	WebhookMaxAge time.Duration
	// WebhookReadTimeout is how long a Dixa event may take to arrive. Defaults to 10 s.
	WebhookReadTimeout time.Duration
	// Kick is called after every change, so that claims start at once instead of in
	// the dispatcher's next round. Optional.
	Kick func()
	// KickOwner is called after each new Karla event is stored. Optional.
	KickOwner func()
	// Temporal reports the state of Temporal for /readyz, in a few words that are
	// safe to publish. The error, set if claims do not reach Temporal, is for the
	// log. Optional.
	Temporal func(context.Context) (state string, err error)
	// Sweep starts a sweep of a connection in the background. If nil, sweep requests
	// are rejected.
	Sweep func(ctx context.Context, connectionID string) error
	// Erase starts the workflow of an erasure. If it fails or is nil, a worker starts it
	// within a minute.
	Erase func(context.Context, claim.Erasure) error
	// Import starts an import of a connection in the background, and WakeImport makes
	// a running one read its state. If nil, such requests are rejected.
	Import     func(ctx context.Context, connectionID string, r claim.ImportRequest) error
	WakeImport func(ctx context.Context, connectionID string) error
	// KPIs evaluates key figures. If nil, requests for them are rejected.
	KPIs *reporting.Service
	// Unified answers the unified API. If nil, such requests are rejected.
	Unified *unify.Service
	// WriteWait is how long a write through the unified API is waited for before the
	// answer is 202. Defaults to 20 s.
	WriteWait time.Duration
	// Proxy passes requests on to Dixa. If nil, such requests are rejected.
	Proxy *proxy.Proxy
	// KeyLimit and AccountLimit bound the requests to the unified API, the proxy and
	// accounts in 10 s, by API key and by account; 0 is no limit. Each process counts by
	// itself.
	KeyLimit, AccountLimit int
	// Metrics serves /metrics. Optional.
	Metrics http.Handler
	// Meters, Traces and Propagator instrument requests. Optional.
	Meters     metric.MeterProvider
	Traces     trace.TracerProvider
	Propagator propagation.TextMapPropagator
	// PublicURL is the API's public address. /openapi.json lists it as the first
	// server, followed by the address that the document was fetched from. If empty,
	// only the latter is listed.
	PublicURL string
	// AllowPrivateEndpoints allows endpoints on this machine and in private
	// networks.
	AllowPrivateEndpoints bool
	// Files fetches the files of messages. If nil, file requests are rejected.
	Files *files.Files
	// AllowLoopback allows replies with attachments on this machine, also over plain
	// http. For development only.
	AllowLoopback bool
	// Mails reports whether a mail server is configured, which email endpoints
	// need.
	Mails bool
	// Version is the build's version, for /openapi.json.
	Version string
}

type api struct {
	Options
	openings  *openings
	endpoints *delivery.Guard
	limits    limits
}

// New returns the API as a handler.
func New(o Options) (http.Handler, error) {
	if o.Store == nil || o.Onboarding == nil || o.Log == nil {
		return nil, errors.New("create the HTTP API: Store, Onboarding and Log are required")
	}
	if o.Kick == nil {
		o.Kick = func() {}
	}
	if o.KickOwner == nil {
		o.KickOwner = func() {}
	}
	if o.WriteWait == 0 {
		o.WriteWait = defaultWriteWait
	}
	a := &api{
		Options: o, endpoints: delivery.NewGuard(o.AllowPrivateEndpoints),
		openings: &openings{store: o.Store, temporal: o.Temporal, log: o.Log},
		limits:   limits{key: newLimit(o.KeyLimit, "API key"), account: newLimit(o.AccountLimit, "account")},
	}
	fromDixa, err := newReceiver(o, "claimflow.webhook.events", "Events received from Dixa, by name, result and, if refused, reason.",
		receiver{signature: dixa.SignatureHeader, done: http.StatusNoContent, keep: a.keepDixaEvent, kick: o.Kick})
	if err != nil {
		return nil, fmt.Errorf("create the HTTP API: %w", err)
	}
	fromKarla, err := newReceiver(o, "claimflow.karla.events", "Events received from Karla, by kind, result and, if refused, reason.",
		receiver{signature: karla.SignatureHeader, done: http.StatusOK, keep: a.keepKarlaEvent, kick: o.KickOwner})
	if err != nil {
		return nil, fmt.Errorf("create the HTTP API: %w", err)
	}
	mux := http.NewServeMux()
	spec := humago.New(mux, configuration(o.PublicURL, o.Version))
	spec.UseMiddleware(a.authorize(spec), a.record, a.textual(spec))
	for _, r := range a.routes() {
		r.register(spec)
	}
	documentWebhooks(spec.OpenAPI())
	documentKarla(spec.OpenAPI())
	documentUnified(spec.OpenAPI())
	documentScim(spec.OpenAPI())
	mux.Handle("POST "+subscription.Path+"{connection}", fromDixa)
	mux.Handle("POST "+karlaPath, fromKarla)
	mux.Handle("POST "+karlaPath+"/{shop}", fromKarla)
	mux.HandleFunc("GET /healthz", a.alive)
	mux.HandleFunc("GET /readyz", a.ready)
	mux.Handle("GET /docs/", v5emb.New("Claimflow", "/openapi.json", "/docs/"))
	mux.Handle("GET /docs", http.RedirectHandler("/docs/", http.StatusPermanentRedirect))
	if o.Metrics != nil {
		mux.Handle("GET /metrics", o.Metrics)
	}
	mux.Handle("/", notFound(mux))
	return a.around(mux), nil
}

// around wraps the routes with request ids, traces, the access log and panic
// recovery.
func (a *api) around(mux *http.ServeMux) http.Handler {
	// A fixed name keeps made-up Host headers from becoming metrics.
	options := []otelhttp.Option{otelhttp.WithServerName("claimflow")}
	if a.Meters != nil {
		options = append(options, otelhttp.WithMeterProvider(a.Meters))
	}
	if a.Traces != nil {
		options = append(options, otelhttp.WithTracerProvider(a.Traces))
	}
	if a.Propagator != nil {
		options = append(options, otelhttp.WithPropagators(a.Propagator))
	}
	return withoutDoubledSlashes(a.withRequestID(a.withAccessLog(otelhttp.NewHandler(a.withRecovery(mux), "http", options...))))
}

func configuration(publicURL, version string) huma.Config {
	if version == "" {
		version = "dev"
	}
	servers := []*huma.Server{{URL: "/", Description: "The address of this document."}}
	if publicURL != "" {
		servers = append([]*huma.Server{{URL: strings.TrimSuffix(publicURL, "/"), Description: "The public address."}}, servers...)
	}
	return huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title: "Claimflow", Version: version,
				Description: "Turns a shop's resolution claims into Dixa conversations. Every error is problem details (RFC 9457), except those of the unified API and SCIM, which have shapes of their own.",
			},
			Servers: servers,
			Components: &huma.Components{
				Schemas: huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer),
				SecuritySchemes: map[string]*huma.SecurityScheme{
					apiKeyScheme: {Type: "http", Scheme: "bearer", Description: "An API key, created by `starter api-key create`."},
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
		// A misspelled filter must not pass for one that matched everything.
		RejectUnknownQueryParameters: true,
	}
}

// requestTimeout bounds the work on one request; talkTimeout bounds a request that
// makes many calls to Dixa, and streamTimeout one that lists everything.
const (
	requestTimeout = 30 * time.Second
	talkTimeout    = 110 * time.Second
	streamTimeout  = time.Hour
)
