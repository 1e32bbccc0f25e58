package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/store"
)

type submitInput struct {
	InShop
	Prefer  string `header:"Prefer" doc:"wait=N waits up to N seconds, at most 30, until the claim is open, parked or skipped (RFC 7240)." example:"wait=10"`
	RawBody []byte `contentType:"application/json"`
}

type submitOutput struct {
	Status            int
	PreferenceApplied string `header:"Preference-Applied" doc:"wait=N if the request has Prefer: wait=N."`
	Body              client.Submitted
}

// submitAnswers documents the second success status.
func submitAnswers(r *route) {
	r.document = func(_ huma.API, op *huma.Operation) {
		op.Responses["202"].Description = "The claim is stored and will become a conversation."
		op.Responses["200"] = &huma.Response{
			Description: "The same claim was submitted before, or Prefer: wait=N was given and the claim is open, parked or skipped.", Content: op.Responses["202"].Content,
		}
	}
}

func (a *api) submitClaim(ctx context.Context, in *submitInput) (*submitOutput, error) {
	c, err := claim.Decode(in.RawBody, in.Shop)
	if err != nil {
		return nil, err
	}
	accepted, err := a.Store.Claims.Accept(ctx, c)
	if err != nil {
		return nil, err
	}
	if len(accepted.Differences) > 0 {
		p := newProblem(http.StatusConflict, client.CodeDiffers,
			"Claim "+c.ID+" already exists with different content and stays unchanged. Submit a changed claim under a new id.")
		for _, field := range accepted.Differences {
			p.Errors = append(p.Errors, client.FieldError{Field: field, Message: "differs from the accepted claim"})
		}
		return nil, p
	}
	record := accepted.Record
	waited, applied, ok, err := a.waitForOpening(ctx, in.Prefer, record.Ref)
	if err != nil {
		return nil, err
	}
	if ok {
		record = waited
	}
	return &submitOutput{Status: submitStatus(accepted.New, record.State), PreferenceApplied: applied, Body: client.Submitted{
		New: accepted.New, Claim: record, Cut: c.Cut, Ignored: c.Ignored,
	}}, nil
}

type listInput struct {
	InShop
	Accept        string    `header:"Accept" hidden:"true"`
	Format        string    `query:"format" enum:"json,csv" doc:"csv returns CSV regardless of the Accept header."`
	State         []string  `query:"state" doc:"Only claims in one of these states, separated by commas."`
	Cause         string    `query:"cause" doc:"Only claims parked for this cause."`
	Reason        string    `query:"reason" doc:"Only claims of this reason, in any spelling."`
	OrderNumber   string    `query:"order_number" doc:"Only claims of this order."`
	Conversations []int64   `query:"conversation_id" maxItems:"500" doc:"Only the claims of these conversations, separated by commas."`
	Phase         string    `query:"phase" doc:"Only claims whose parcel was in this phase, in any spelling."`
	Carrier       string    `query:"carrier" doc:"Only claims whose first parcel has this carrier, in any spelling."`
	Search        string    `query:"search" doc:"Only the claim with this id, claims of this order, both with or without a leading #, and claims of the customer with this email address (or, without an address, this phone number or external id)."`
	Customers     bool      `query:"customers" doc:"Adds customers, the names of the customers by the ids of the claims. They are personal data. Not with CSV."`
	Since         time.Time `query:"since" doc:"Only claims accepted at or after this time."`
	Until         time.Time `query:"until" doc:"Only claims accepted before this time."`
	Limit         int       `query:"limit" minimum:"1" maximum:"500" default:"50" doc:"The number of claims per page."`
	Cursor        string    `query:"cursor" doc:"The cursor from the previous page."`
}

func (in *listInput) filter() (store.ClaimFilter, error) {
	f := store.ClaimFilter{
		Shop: in.Shop, Cause: claim.Cause(in.Cause), Reason: in.Reason, OrderNumber: in.OrderNumber,
		ConversationIDs: in.Conversations, Since: in.Since, Until: in.Until, Limit: in.Limit, Cursor: in.Cursor,
		Phase: in.Phase, Carrier: in.Carrier, Search: in.Search,
	}
	if in.Cause != "" && !slices.Contains(claim.Causes(), f.Cause) {
		return f, invalid("list", "cause", "must be one of %s", join(claim.Causes()))
	}
	if slices.ContainsFunc(in.Conversations, func(id int64) bool { return id < 1 }) {
		return f, invalid("list", "conversation_id", "must be ids of conversations, which are greater than 0")
	}
	for _, s := range in.State {
		if !slices.Contains(claim.States(), claim.State(s)) {
			return f, invalid("list", "state", "must be one of %s", join(claim.States()))
		}
		f.States = append(f.States, claim.State(s))
	}
	return f, nil
}

func join[T ~string](words []T) string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = string(w)
	}
	return strings.Join(out, ", ")
}

// wantsCSV reports whether the caller wants CSV. The format parameter takes
// precedence over the Accept header.
func (in *listInput) wantsCSV() bool {
	return in.Format == "csv" || in.Format == "" && strings.HasPrefix(in.Accept, "text/csv")
}

type listOutput struct {
	Body func(huma.Context)
}

// listAnswers documents both forms of the list.
func listAnswers(r *route) {
	r.document = func(spec huma.API, op *huma.Operation) {
		page := spec.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[client.Page](), true, "Page")
		op.Responses["200"].Content = map[string]*huma.MediaType{
			"application/json": {Schema: page},
			"text/csv":         {Schema: &huma.Schema{Type: "string"}},
		}
	}
}

func (a *api) listClaims(ctx context.Context, in *listInput) (*listOutput, error) {
	f, err := in.filter()
	if err != nil {
		return nil, err
	}
	records, next, err := a.Store.Claims.List(ctx, f)
	if err != nil {
		return nil, err
	}
	if len(records) == 0 {
		// Distinguish an unknown shop from a shop without claims.
		if _, err := a.Store.Shops.Name(ctx, in.Shop); err != nil {
			return nil, err
		}
	}
	if in.wantsCSV() {
		return &listOutput{Body: func(out huma.Context) { a.writeCSV(ctx, out, f, records, next) }}, nil
	}
	page := client.Page{Claims: notNil(records), Next: next}
	if in.Customers {
		ids := make([]string, len(records))
		for i, r := range records {
			ids[i] = r.ID
		}
		if page.Customers, err = a.Store.Claims.CustomerNames(ctx, in.Shop, ids); err != nil {
			return nil, err
		}
	}
	return &listOutput{Body: func(out huma.Context) {
		out.SetHeader("Content-Type", "application/json")
		_ = json.NewEncoder(out.BodyWriter()).Encode(page) // the caller may have disconnected
	}}, nil
}

// InClaim is the part of an input that names a claim.
type InClaim struct {
	InShop
	Claim string `path:"claim" doc:"The id of the claim."`
}

func (in *InClaim) ref() claim.Ref { return claim.Ref{Shop: in.Shop, ID: in.Claim} }

func (a *api) getClaim(ctx context.Context, in *InClaim) (*body[client.ClaimDetail], error) {
	record, err := a.Store.Claims.Record(ctx, in.ref())
	if err != nil {
		return nil, err
	}
	detail := client.ClaimDetail{Record: record, Reference: record.Reference()}
	conversation, err := a.Store.Conversations.Get(ctx, record.Ref)
	switch {
	case err == nil:
		conversation.Versions = claim.Versions{} // of no use to a reader
		detail.Conversation = &conversation
	case !errors.Is(err, store.ErrNotFound):
		return nil, err
	}
	detail.Timeline, err = a.timeline(ctx, record)
	return ok(detail, err)
}

// getContent returns a claim as its owner last reported it.
func (a *api) getContent(ctx context.Context, in *InClaim) (*body[*claim.Claim], error) {
	return ok(a.Store.Claims.LatestBody(ctx, in.ref()))
}

// timelineLimit bounds how many entries of a timeline are from Dixa.
const timelineLimit = 1000

// timeline returns a claim's history: its own times, the events for its owner,
// operator commands and what happened in Dixa.
func (a *api) timeline(ctx context.Context, r claim.Record) ([]claim.TimelineEntry, error) {
	events, err := a.Store.Outbox.List(ctx, r.Ref)
	if err != nil {
		return nil, err
	}
	happenings, err := a.Store.Conversations.LatestTimeline(ctx, r.Ref, timelineLimit)
	if err != nil {
		return nil, err
	}
	// Few commands run on a shop during the lifetime of a claim, so the newest page
	// contains the claim's own.
	commands, _, err := a.Store.AuditLog.List(ctx, claim.AuditFilter{Shop: r.Shop, Since: r.AcceptedAt, Limit: 500})
	if err != nil {
		return nil, err
	}
	entries := []claim.TimelineEntry{{At: r.AcceptedAt, What: "accepted"}}
	for _, e := range events {
		entries = append(entries, claim.TimelineEntry{At: e.CreatedAt, What: e.Type})
	}
	for _, h := range happenings {
		entries = append(entries, h.TimelineEntry)
	}
	for _, c := range commands {
		if c.Target != r.ID {
			continue
		}
		entries = append(entries, claim.TimelineEntry{At: c.At, What: strings.TrimSuffix(c.Action, "-claim"), By: c.Actor})
	}
	slices.SortStableFunc(entries, func(x, y claim.TimelineEntry) int { return x.At.Compare(y.At) })
	return entries, nil
}

type retryInput struct {
	InClaim
	Body *client.RetryRequest
}

func (a *api) retryClaim(ctx context.Context, in *retryInput) (*body[claim.Record], error) {
	o := store.RetryOptions{CreateAnyway: orZero(in.Body).CreateAnyway}
	if o.CreateAnyway {
		recordChange(ctx, "create_anyway", "true")
	}
	return a.operated(ctx, in.ref(), a.Store.Claims.Retry(ctx, in.ref(), o))
}

func (a *api) abandonClaim(ctx context.Context, in *InClaim) (*body[claim.Record], error) {
	return a.operated(ctx, in.ref(), a.Store.Claims.Abandon(ctx, in.ref()))
}

type linkInput struct {
	InClaim
	Body client.LinkRequest
}

func (a *api) linkClaim(ctx context.Context, in *linkInput) (*body[claim.Record], error) {
	// Report an unknown claim before calling Dixa.
	if _, err := a.Store.Claims.Record(ctx, in.ref()); err != nil {
		return nil, err
	}
	if err := a.Onboarding.CheckConversation(ctx, in.Shop, in.Body.ConversationID); err != nil {
		return nil, err
	}
	recordChange(ctx, "conversation_id", number(in.Body.ConversationID))
	return a.operated(ctx, in.ref(), a.Store.Claims.Link(ctx, in.ref(), in.Body.ConversationID))
}

// operated answers a command with the claim's current state.
func (a *api) operated(ctx context.Context, ref claim.Ref, err error) (*body[claim.Record], error) {
	if err != nil {
		return nil, err
	}
	return ok(a.Store.Claims.Record(ctx, ref))
}
