package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/claimflow/claimflow/claim"
)

// Submitted is what became of a submitted claim.
type Submitted struct {
	// New is false where the claim was known already with this content.
	New   bool         `json:"new" doc:"False where the claim was known already with this content."`
	Claim claim.Record `json:"claim"`
	// Cut is what was shortened or left out because it is too long.
	Cut []claim.Cut `json:"cut,omitempty" doc:"What was shortened or left out because it is too long."`
	// Ignored are members that the flat form does not know, by JSON path, up to 20.
	Ignored []string `json:"ignored,omitempty" doc:"Members that the contract does not know, by JSON path, up to 20."`
}

// ClaimDetail is one claim with what happened to it.
type ClaimDetail struct {
	claim.Record
	// Reference is the short code of the claim that stands in its conversation,
	// by which people find it in Dixa; see [claim.Ref.Reference]. It hides that
	// method of the embedded Ref.
	Reference string `json:"reference" doc:"The short code that stands in the claim's conversation, by which people find it in Dixa." example:"CF-PCCQ4LTTGVMU"`
	// Conversation is what is known of the conversation in Dixa: its state, who
	// has it, its tags and rating. Nil before Dixa told anything.
	Conversation *claim.Conversation `json:"conversation,omitempty" doc:"What is known of the conversation in Dixa."`
	// Timeline is what happened, oldest first.
	Timeline []claim.TimelineEntry `json:"timeline" doc:"What happened to the claim, oldest first."`
}

// Filter narrows a list of claims. Zero members do not.
type Filter struct {
	State          claim.State
	Cause          claim.Cause
	Reason         string
	OrderNumber    string
	ConversationID int64
	// Since and Until bound when the claim was accepted: from, and before.
	Since, Until time.Time
	// PageSize is how many claims one request fetches; 0 leaves it to the service.
	PageSize int
}

// Page is one page of a list of claims, newest first.
type Page struct {
	Claims []claim.Record `json:"data"`
	// Next is the cursor of the next page; empty on the last.
	Next string `json:"next,omitempty" doc:"The cursor of the next page; missing on the last."`
}

// Submit hands a claim over. It returns once the claim is durable. The same
// claim again is not new; the same id with other content is an [*Error] with
// [CodeDiffers] that names the fields, and one that cannot be taken an [*Error]
// with [CodeInvalid] that names every fault.
func (c *Client) Submit(ctx context.Context, k *claim.Claim) (Submitted, error) {
	body, err := json.Marshal(k)
	if err != nil {
		return Submitted{}, fmt.Errorf("claimflow: encode the claim: %w", err)
	}
	return c.SubmitBody(ctx, k.Shop, body)
}

// SubmitBody hands over a claim of the shop that is JSON already, in either wire
// form, see [Client.Submit].
func (c *Client) SubmitBody(ctx context.Context, shop string, body json.RawMessage) (Submitted, error) {
	var out Submitted
	err := c.do(ctx, call{method: http.MethodPost, path: claimsOf(shop), body: body}, &out)
	return out, err
}

// Claim reads one claim.
func (c *Client) Claim(ctx context.Context, ref claim.Ref) (ClaimDetail, error) {
	var out ClaimDetail
	err := c.do(ctx, call{method: http.MethodGet, path: oneClaim(ref)}, &out)
	return out, err
}

// Claims lists a shop's claims, newest first, fetching pages as they are wanted.
// After an error it ends.
func (c *Client) Claims(ctx context.Context, shop string, f Filter) iter.Seq2[claim.Record, error] {
	return func(yield func(claim.Record, error) bool) {
		cursor := ""
		for {
			page, err := c.ClaimsPage(ctx, shop, f, cursor)
			if err != nil {
				yield(claim.Record{}, err)
				return
			}
			for _, r := range page.Claims {
				if !yield(r, nil) {
					return
				}
			}
			if page.Next == "" {
				return
			}
			cursor = page.Next
		}
	}
}

// ClaimsPage reads one page; an empty cursor means the first.
func (c *Client) ClaimsPage(ctx context.Context, shop string, f Filter, cursor string) (Page, error) {
	q := f.query()
	if cursor != "" {
		q.Set("cursor", cursor)
	}
	var out Page
	err := c.do(ctx, call{method: http.MethodGet, path: claimsOf(shop), query: q}, &out)
	return out, err
}

// ClaimsCSV reads one page as CSV with a header line.
func (c *Client) ClaimsCSV(ctx context.Context, shop string, f Filter) ([]byte, error) {
	a, err := c.send(ctx, call{method: http.MethodGet, path: claimsOf(shop), query: f.query(), accept: "text/csv"})
	if err != nil {
		return nil, err
	}
	return bytes.Clone(a.body), nil
}

// Follow reads a claim every interval and yields it each time it changed, first
// as it is. It ends with the claim's last state, see [claim.State.Final], with
// the context or with an error.
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

// RetryRequest says how a claim is taken up again.
type RetryRequest struct {
	// CreateAnyway opens a conversation although an earlier create may have
	// opened one that cannot be found.
	CreateAnyway bool `json:"create_anyway,omitempty" doc:"Open a conversation although an earlier create may have opened one that cannot be found."`
}

// Retry takes a parked, skipped or abandoned claim up again.
func (c *Client) Retry(ctx context.Context, ref claim.Ref, r RetryRequest) (claim.Record, error) {
	return c.operate(ctx, operation(ref, "retry", r))
}

// Abandon gives a claim up. Its conversation, if it has one, is left alone.
func (c *Client) Abandon(ctx context.Context, ref claim.Ref) (claim.Record, error) {
	return c.operate(ctx, operation(ref, "abandon", nil))
}

// LinkRequest names the conversation of a claim.
type LinkRequest struct {
	ConversationID int64 `json:"conversation_id" minimum:"1" doc:"The conversation's number in Dixa."`
}

// Link tells that an existing conversation of the shop's Dixa is the claim's, in
// the place of one that was named wrongly before.
func (c *Client) Link(ctx context.Context, ref claim.Ref, conversationID int64) (claim.Record, error) {
	k := operation(ref, "link", LinkRequest{ConversationID: conversationID})
	k.slow = true
	return c.operate(ctx, k)
}

func operation(ref claim.Ref, verb string, body any) call {
	return call{method: http.MethodPost, path: append(oneClaim(ref), verb), body: body}
}

func (c *Client) operate(ctx context.Context, k call) (claim.Record, error) {
	var out claim.Record
	err := c.do(ctx, k, &out)
	return out, err
}

func claimsOf(shop string) []string { return []string{"v1", "shops", shop, "claims"} }

func oneClaim(ref claim.Ref) []string { return append(claimsOf(ref.Shop), ref.ID) }

func (f Filter) query() url.Values {
	q := url.Values{}
	set := func(name, value string) {
		if value != "" {
			q.Set(name, value)
		}
	}
	set("state", string(f.State))
	set("cause", string(f.Cause))
	set("reason", f.Reason)
	set("order_number", f.OrderNumber)
	if f.ConversationID != 0 {
		set("conversation_id", strconv.FormatInt(f.ConversationID, 10))
	}
	set("since", instant(f.Since))
	set("until", instant(f.Until))
	if f.PageSize > 0 {
		set("limit", strconv.Itoa(f.PageSize))
	}
	return q
}
