package activities_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"image/jpeg"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"github.com/claimflow/claimflow/activities"
	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/emulator/server"
	"github.com/claimflow/claimflow/internal/seal"
	"github.com/claimflow/claimflow/internal/todixa/connection"
	"github.com/claimflow/claimflow/internal/todixa/evidence"
	"github.com/claimflow/claimflow/store"
)

const shop = "acme"

// bench is a shop connected to an emulated Dixa, with every activity registered.
type bench struct {
	*testing.T
	store   *store.Store
	dixa    *server.Server
	photos  *httptest.Server
	clients *connection.Clients
	// host is the address of the emulated Dixa.
	host string
	// asked is called with each request to Dixa before the response; may be nil.
	asked func(*http.Request)
	// dixaAhead is how far the clock of the emulated Dixa is ahead.
	dixaAhead atomic.Int64
	// more holds additional activities; may be nil.
	more any
}

// setup connects a shop. The settings are the shop's own layer.
func setup(t *testing.T, switches server.Switches, settings map[string]any) *bench {
	t.Helper()
	ctx := t.Context()
	keys, err := seal.Generate()
	require.NoError(t, err)
	ring, err := seal.Parse(keys)
	require.NoError(t, err)
	s, err := store.Open(ctx, "sqlite::memory:", ring)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })

	b := &bench{T: t, store: s, photos: photoServer(t)}
	dixa := server.New(server.Options{Switches: switches, Limit: server.Limit{Reading: server.LimitOff}, Clock: func() time.Time {
		return time.Now().Add(time.Duration(b.dixaAhead.Load()))
	}})
	t.Cleanup(dixa.Close)
	b.dixa = dixa
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if b.asked != nil {
			b.asked(r)
		}
		dixa.ServeHTTP(w, r)
	}))
	t.Cleanup(api.Close)
	b.host = api.URL
	b.timeout(0)
	_, err = s.Shops.Create(ctx, store.NewShop{Slug: shop, Name: "Acme", Feature: true})
	require.NoError(t, err)
	_, err = s.Connections.SaveToken(ctx, shop, "demo-token", store.Organization{ID: server.SeedOrganization, Name: "Demo"})
	require.NoError(t, err)
	require.NoError(t, s.Shops.SetEnabled(ctx, shop, true))
	layer := map[string]any{"email_integration_id": server.SeedMailbox, "commit_window": "0s", "list_lag": "0s"}
	for k, v := range settings {
		layer[k] = v
	}
	b.save(layer)

	return b
}

// timeout sets how long a request to Dixa may take; 0 for as long as in production.
func (b *bench) timeout(d time.Duration) {
	b.clients = connection.New(b.store, connection.Options{
		BaseURL: b.host + "/v1/",
		Timeout: d,
		Limits:  store.BudgetLimits{Interval: time.Microsecond, MaxWait: time.Second, PerDay: 100_000},
	})
}

// environment returns a worker for one activity, because an SDK test environment serves
// one goroutine.
func (b *bench) environment() *testsuite.TestActivityEnvironment {
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	env := suite.NewTestActivityEnvironment()
	env.SetTestTimeout(20 * time.Second)
	env.RegisterActivity(&activities.Claims{Store: b.store})
	env.RegisterActivity(&activities.Tickets{Store: b.store})
	env.RegisterActivity(&activities.Evidence{Store: b.store, Checker: evidence.New(evidence.Options{AllowLoopback: true})})
	env.RegisterActivity(&activities.Dixa{Store: b.store, Clients: b.clients, Checker: evidence.New(evidence.Options{AllowLoopback: true})})
	env.RegisterActivity(&activities.OpeningSteps{Dixa: activities.Dixa{Store: b.store, Clients: b.clients}})
	if b.more != nil {
		env.RegisterActivity(b.more)
	}
	return env
}

func (b *bench) save(layer map[string]any) {
	b.Helper()
	data, err := json.Marshal(layer)
	require.NoError(b, err)
	_, err = b.store.Settings.Save(b.Context(), shop, data)
	require.NoError(b, err)
}

func photoServer(t *testing.T) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{name}", func(w http.ResponseWriter, r *http.Request) {
		img := image.NewGray(image.Rect(0, 0, 4, 4))
		for i := range img.Pix {
			img.Pix[i] = r.PathValue("name")[0] * 5 // each name gets a different picture
		}
		var out bytes.Buffer
		if err := jpeg.Encode(&out, img, nil); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		_, _ = w.Write(out.Bytes()) // a disconnected reader is not a test failure
	})
	mux.Handle("GET /gone/", http.NotFoundHandler())
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

// sample returns a claim with a customer, an item and two photos.
func (b *bench) sample(id string) *claim.Claim {
	return &claim.Claim{
		ID: id, Shop: shop, Reason: "damaged", Preference: "refund", Description: "The mug is broken.",
		Customer:     claim.Customer{Email: "anna.berg@example.org", FirstName: "Anna", LastName: "Berg"},
		Order:        claim.Order{Number: "10001", Currency: "EUR"},
		Items:        []claim.Item{{SKU: "MUG-01", Title: "Mug", Quantity: 1, ImageURLs: []string{b.photos.URL + "/a"}}},
		ImageURLs:    []string{b.photos.URL + "/b"},
		SignatureURL: b.photos.URL + "/s",
	}
}

// accept accepts a claim, moves it to opening, renders its ticket and checks its
// evidence.
func (b *bench) accept(c *claim.Claim) claim.Ref {
	b.Helper()
	require.NoError(b, c.Validate())
	_, err := b.store.Claims.Accept(b.Context(), c)
	require.NoError(b, err)
	ref := claim.Ref{Shop: c.Shop, ID: c.ID}
	require.Equal(b, claim.StateOpening, b.load(ref).State)
	b.prepare(ref)
	return ref
}

func (b *bench) prepare(ref claim.Ref) (activities.ResolveResult, activities.EvidenceResult) {
	b.Helper()
	var (
		tickets  *activities.Tickets
		evidence *activities.Evidence
	)
	resolved, err := run[activities.ResolveResult](b, tickets.ResolveTemplate, ref)
	require.NoError(b, err)
	checked, err := run[activities.EvidenceResult](b, evidence.CheckEvidence, ref)
	require.NoError(b, err)
	return resolved, checked
}

func (b *bench) load(ref claim.Ref) claim.WorkflowState {
	b.Helper()
	var claims *activities.Claims
	state, err := run[claim.WorkflowState](b, claims.LoadClaim, ref)
	require.NoError(b, err)
	return state
}

// run executes an activity once.
func run[R any](b *bench, activity, in any) (R, error) {
	var out R
	value, err := b.environment().ExecuteActivity(activity, in)
	if err != nil {
		return out, err
	}
	require.NoError(b, value.Get(&out))
	return out, nil
}

// runVoid executes an activity without a result once.
func runVoid(b *bench, activity, in any) error {
	_, err := b.environment().ExecuteActivity(activity, in)
	return err
}

// open runs the activity that creates the conversation.
func (b *bench) open(ref claim.Ref) (activities.Conversation, error) {
	var dixa *activities.Dixa
	return run[activities.Conversation](b, dixa.CreateConversation, ref)
}

// customer runs only the part of that activity that finds or creates the customer.
func (b *bench) customer(ref claim.Ref) (activities.Customer, error) {
	return run[activities.Customer](b, steps.FindOrCreateCustomer, ref)
}

// complete runs a step that completes the conversation.
func (b *bench) complete(step any, ref claim.Ref) (activities.Completed, error) {
	return run[activities.Completed](b, step, ref)
}

// steps refers to single steps of the opening.
var steps *activities.OpeningSteps

// failure returns the application error of an activity.
func failure(t *testing.T, err error) *temporal.ApplicationError {
	t.Helper()
	var app *temporal.ApplicationError
	require.ErrorAs(t, err, &app)
	return app
}

// requireParked checks that an activity parks its claim for the cause and returns the
// message.
func requireParked(t *testing.T, err error, cause claim.Cause) string {
	t.Helper()
	app := failure(t, err)
	require.Equal(t, claim.ErrorPark, app.Type(), app.Error())
	require.True(t, app.NonRetryable())
	var p activities.Park
	require.NoError(t, app.Details(&p))
	require.Equal(t, cause, p.Cause, app.Message())
	return app.Message()
}

// conversations returns the conversations in the emulated Dixa.
func (b *bench) conversations() []*server.Conversation { return b.dixa.State().Conversations }

func (b *bench) requests() string {
	return fmt.Sprint(b.dixa.Stats().ByOperation)
}
