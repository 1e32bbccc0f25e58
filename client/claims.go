package client

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/claimflow/claimflow/claim"
)

// Submitted is the result of submitting a claim.
type Submitted struct {
	// New is false if the claim was already known with this content.
	New   bool         `json:"new" doc:"False if the claim already existed with this content."`
	Claim claim.Record `json:"claim"`
	// Cut lists what was shortened or dropped because it was too long.
	Cut []claim.Truncation `json:"cut,omitempty" doc:"Values that were shortened or dropped because they were too long."`
	// Ignored lists up to 20 members, by JSON path, that the flat form does not
	// define.
	Ignored []string `json:"ignored,omitempty" doc:"Unknown members by JSON path, at most 20."`
}

// ClaimDetail is a claim with its history.
type ClaimDetail struct {
	claim.Record
	// Reference is the short code in the claim's conversation, by which it can be
	// found in Dixa; see [claim.Ref.Reference]. It shadows that method of the
	// embedded Ref.
	Reference string `json:"reference" doc:"The short code in the claim's conversation; search for it in Dixa." example:"CF-PCCQ4LTTGVMU"`
	// Conversation is the known state of the conversation in Dixa: its status,
	// assignee, tags and rating. It is nil before the first event from Dixa.
	Conversation *claim.Conversation `json:"conversation,omitempty" doc:"The known state of the conversation in Dixa."`
	// Timeline is the claim's history, oldest first.
	Timeline []claim.TimelineEntry `json:"timeline" doc:"The history of the claim, oldest first."`
}

// Filter narrows a list of claims. Zero members have no effect.
type Filter struct {
	State          claim.State
	Cause          claim.Cause
	Reason         string
	OrderNumber    string
	ConversationID int64
	// Phase and Carrier match in any spelling.
	Phase, Carrier string
	// Search matches a claim's id or order number, with or without a leading "#", and the
	// email address of its customer.
	Search string
	// Customers adds [Page.Customers].
	Customers bool
	// Since and Until limit the time of acceptance. Since is inclusive, Until
	// exclusive.
	Since, Until time.Time
	// PageSize is the number of claims per request; 0 uses the service's default.
	PageSize int
}

// Page is one page of a list of claims, newest first.
type Page struct {
	Claims []claim.Record `json:"data"`
	// Customers are the names of the customers by the ids of the claims, only if they were
	// asked for. They are personal data.
	Customers map[string]string `json:"customers,omitempty" doc:"The names of the customers by the ids of the claims, if customers is true. Claims without a name are left out."`
	// Next is the cursor of the next page; empty on the last page.
	Next string `json:"next,omitempty" doc:"The cursor of the next page; omitted on the last page."`
}

// MaxWait is the longest time that a submission can wait for its claim to open.
const MaxWait = 30 * time.Second

// SubmitOption changes how a claim is submitted.
type SubmitOption func(*call)

// Wait waits until the claim is open, parked or skipped, for at most d, which is
// rounded up to seconds and limited to [MaxWait]. The result then has the claim's
// state and conversation. A claim that takes longer is reported as it is, and so is
// every claim while Temporal is down.
func Wait(d time.Duration) SubmitOption {
	seconds := (min(d, MaxWait) + time.Second - 1) / time.Second
	return func(k *call) { k.prefer, k.slow = fmt.Sprintf("wait=%d", seconds), true }
}

// Submit submits a claim. It returns once the claim is durable. Submitting the same
// claim again reports it as not new. The same id with different content is an
// [*Error] with [CodeDiffers] that names the fields. An invalid claim is an [*Error]
// with [CodeInvalid] that names every error.
func (c *Client) Submit(ctx context.Context, k *claim.Claim, opts ...SubmitOption) (Submitted, error) {
	body, err := json.Marshal(k)
	if err != nil {
		return Submitted{}, fmt.Errorf("claimflow: encode the claim: %w", err)
	}
	return c.SubmitBody(ctx, k.Shop, body, opts...)
}

// SubmitBody submits a claim of the shop that is already encoded as JSON, in either
// wire form; see [Client.Submit].
func (c *Client) SubmitBody(ctx context.Context, shop string, body json.RawMessage, opts ...SubmitOption) (Submitted, error) {
	k := call{method: http.MethodPost, path: shopPath(shop, "claims"), body: body}
	for _, o := range opts {
		o(&k)
	}
	return ask[Submitted](ctx, c, k)
}

// Claim returns one claim.
func (c *Client) Claim(ctx context.Context, ref claim.Ref) (ClaimDetail, error) {
	return ask[ClaimDetail](ctx, c, call{method: http.MethodGet, path: oneClaim(ref)})
}

// Content returns a claim as its owner last reported it. It is personal data.
func (c *Client) Content(ctx context.Context, ref claim.Ref) (claim.Claim, error) {
	return ask[claim.Claim](ctx, c, call{method: http.MethodGet, path: append(oneClaim(ref), "content")})
}

// Claims lists a shop's claims, newest first, and fetches pages on demand. It ends
// after an error.
func (c *Client) Claims(ctx context.Context, shop string, f Filter) iter.Seq2[claim.Record, error] {
	return pages(func(cursor string) ([]claim.Record, string, error) {
		page, err := c.ClaimsPage(ctx, shop, f, cursor)
		return page.Claims, page.Next, err
	})
}

// ClaimsPage returns one page; an empty cursor means the first page.
func (c *Client) ClaimsPage(ctx context.Context, shop string, f Filter, cursor string) (Page, error) {
	return ask[Page](ctx, c, call{method: http.MethodGet, path: shopPath(shop, "claims"), query: f.query(cursor)})
}

// ClaimsCSV returns all claims as CSV with a header line. [Client.OpenClaimsCSV] does not
// hold them in memory.
func (c *Client) ClaimsCSV(ctx context.Context, shop string, f Filter) ([]byte, error) {
	return c.send(ctx, claimsCSV(shop, f))
}

// OpenClaimsCSV returns the answer that has all claims as CSV. The caller closes its body,
// whose end is an error if the list is not complete. The request is bounded by ctx only,
// and not retried.
func (c *Client) OpenClaimsCSV(ctx context.Context, shop string, f Filter) (*http.Response, error) {
	return c.stream(ctx, claimsCSV(shop, f))
}

func claimsCSV(shop string, f Filter) call {
	return call{method: http.MethodGet, path: shopPath(shop, "claims"), query: f.query(""), accept: "text/csv"}
}

// Follow polls a claim at the interval. It yields the current claim first and then
// every change. It ends with a final state (see [claim.State.Final]), with the
// context, or with an error.
func (c *Client) Follow(ctx context.Context, ref claim.Ref, interval time.Duration) iter.Seq2[ClaimDetail, error] {
	return func(yield func(ClaimDetail, error) bool) {
		tick := time.NewTicker(interval)
		defer tick.Stop()
		var seen time.Time
		for {
			d, err := c.Claim(ctx, ref)
			if err != nil {
				yield(ClaimDetail{}, err)
				return
			}
			if !d.UpdatedAt.Equal(seen) {
				seen = d.UpdatedAt
				if !yield(d, nil) {
					return
				}
			}
			if d.State.Final() {
				return
			}
			select {
			case <-ctx.Done():
				yield(ClaimDetail{}, ctx.Err())
				return
			case <-tick.C:
			}
		}
	}
}

// RetryRequest says how to retry a claim.
type RetryRequest struct {
	// CreateAnyway opens a conversation even if an earlier create may have opened
	// one that cannot be found.
	CreateAnyway bool `json:"create_anyway,omitempty" doc:"Open a conversation even if an earlier create may have opened one that cannot be found."`
}

// Retry retries a parked, skipped or abandoned claim.
func (c *Client) Retry(ctx context.Context, ref claim.Ref, r RetryRequest) (claim.Record, error) {
	return c.operate(ctx, operation(ref, "retry", r))
}

// Abandon abandons a claim. It leaves the claim's conversation, if any, unchanged.
func (c *Client) Abandon(ctx context.Context, ref claim.Ref) (claim.Record, error) {
	return c.operate(ctx, operation(ref, "abandon", nil))
}

// LinkRequest names the conversation of a claim.
type LinkRequest struct {
	ConversationID int64 `json:"conversation_id" minimum:"1" doc:"The id of the conversation in Dixa."`
}

// Link sets an existing conversation of the shop's Dixa as the claim's conversation.
// It replaces a conversation that was linked by mistake.
func (c *Client) Link(ctx context.Context, ref claim.Ref, conversationID int64) (claim.Record, error) {
	k := operation(ref, "link", LinkRequest{ConversationID: conversationID})
	k.slow = true
	return c.operate(ctx, k)
}

func operation(ref claim.Ref, verb string, body any) call {
	return call{method: http.MethodPost, path: append(oneClaim(ref), verb), body: body}
}

// ClaimsOf returns the claims of a shop whose conversations have these ids, of at most 500
// conversations.
func (c *Client) ClaimsOf(ctx context.Context, shop string, conversations []int64) ([]claim.Record, error) {
	ids := make([]string, len(conversations))
	for i, id := range conversations {
		ids[i] = strconv.FormatInt(id, 10)
	}
	page, err := ask[Page](ctx, c, call{method: http.MethodGet, path: shopPath(shop, "claims"), query: query("conversation_id", strings.Join(ids, ","), "limit", "500")})
	return page.Claims, err
}

func (c *Client) operate(ctx context.Context, k call) (claim.Record, error) {
	return ask[claim.Record](ctx, c, k)
}

func oneClaim(ref claim.Ref) []string { return shopPath(ref.Shop, "claims", ref.ID) }

func (f Filter) query(cursor string) url.Values {
	customers := ""
	if f.Customers {
		customers = "true"
	}
	return query("customers", customers, "state", string(f.State), "cause", string(f.Cause), "reason", f.Reason, "order_number", f.OrderNumber,
		"conversation_id", number(f.ConversationID), "phase", f.Phase, "carrier", f.Carrier, "search", f.Search, "since", instant(f.Since), "until", instant(f.Until),
		"limit", number(max(f.PageSize, 0)), "cursor", cursor)
}
