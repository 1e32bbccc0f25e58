package client

import (
	"context"
	"iter"
	"net/http"
	"strconv"
	"time"

	"github.com/claimflow/claimflow/claim"
)

// KPIBehindQuery asks for the conversations or claims behind one value of a key figure.
type KPIBehindQuery struct {
	// KPIQuery is the question that the value answers. CompareDixa and MaxAge are ignored.
	KPIQuery
	// Group is the group of By whose value it is.
	Group string
	// Position is the place of the value's bucket in [KPISeries.Buckets], from 0. If nil, it
	// is the value of the whole period.
	Position *int
	// Limit is how many a page lists: 50 by default, 500 at most.
	Limit int
	// Cursor continues an earlier page.
	Cursor string
}

// KPIBehind are the conversations or claims behind one value of a key figure.
type KPIBehind struct {
	KPI     string     `json:"kpi"`
	Subject string     `json:"subject" doc:"What is listed: conversations or claims."`
	Unit    string     `json:"unit" doc:"The unit of the figure: count, seconds, percent, score or ratio."`
	Request KPIRequest `json:"request" doc:"The question with its defaults."`
	Group   string     `json:"group" doc:"The group whose value it is; empty for what has none, and without by."`
	Label   string     `json:"label" doc:"The group's name."`
	Bucket  KPIBucket  `json:"bucket" doc:"The value. count is the number of those listed on all pages, and of gone."`
	// Members are ordered from the newest to the oldest.
	Members []KPIMember `json:"data" doc:"The conversations or claims, newest first."`
	// Gone is the number of conversations that no page lists: their figures stay, but their
	// records were deleted.
	Gone int `json:"gone" doc:"The number of conversations behind the value that no page lists, because their records were deleted and only their figures stay."`
	// Next is the cursor of the next page; empty on the last page.
	Next string `json:"next,omitempty" doc:"The cursor of the next page; omitted on the last page."`
}

// KPIMember is a conversation or claim behind a value.
type KPIMember struct {
	// ConversationID is the number of the conversation in Dixa; 0 for a claim without one.
	ConversationID int64 `json:"conversation_id,omitempty" doc:"The number of the conversation in Dixa; omitted for a claim without one."`
	// Claim is the claim, or the one that the conversation belongs to.
	Claim *claim.Ref `json:"claim,omitempty" doc:"The claim, or the one that the conversation belongs to."`
	At    time.Time  `json:"at" doc:"The date that places it in the period; the newest if it is behind the value several times. Of a backlog or a load, when the conversation was created."`
	Value *float64   `json:"value,omitempty" doc:"What the value took from it: a duration in seconds, a number or a score. Omitted if it only counts."`
	Times int        `json:"times" doc:"How often it is behind the value: a conversation that was closed twice is twice behind the number of closes."`
	// Part and Opposite are nil if the figure has no such part.
	Part     *int `json:"part,omitempty" doc:"Of a share: how often it counts as a part."`
	Opposite *int `json:"opposite,omitempty" doc:"Of a net share: how often it counts against it."`

	CreatedAt time.Time `json:"created_at,omitzero" doc:"When the conversation was created."`
	Channel   string    `json:"channel,omitempty"`
	Direction string    `json:"direction,omitempty"`
	QueueID   string    `json:"queue_id,omitempty" doc:"The queue by which the figure groups the conversation."`
	Queue     string    `json:"queue,omitempty" doc:"The queue's name."`
	AgentID   string    `json:"agent_id,omitempty" doc:"The agent by whom the figure groups the conversation; the assigned one if it does not."`
	Agent     string    `json:"agent,omitempty" doc:"The agent's name."`

	Reason     string `json:"reason,omitempty" doc:"Of a claim, as in the figure's dimensions. So are the following ones."`
	Carrier    string `json:"carrier,omitempty"`
	Phase      string `json:"phase,omitempty"`
	Status     string `json:"status,omitempty"`
	Resolution string `json:"resolution,omitempty"`
}

// KPIBehind lists a page of the conversations or claims behind a value of a key figure.
func (c *Client) KPIBehind(ctx context.Context, connectionID, id string, q KPIBehindQuery) (KPIBehind, error) {
	q.CompareDixa = false
	values := q.query()
	if q.By != "" {
		values.Set("group", q.Group)
	}
	if q.Position != nil {
		values.Set("position", strconv.Itoa(*q.Position))
	}
	if q.Limit != 0 {
		values.Set("limit", strconv.Itoa(q.Limit))
	}
	if q.Cursor != "" {
		values.Set("cursor", q.Cursor)
	}
	return ask[KPIBehind](ctx, c, call{method: http.MethodGet, path: connectionPath(connectionID, "kpis", id, "behind"), query: values, slow: true})
}

// KPIMembers yields the conversations or claims behind a value of a key figure from all
// pages. It ends after an error.
func (c *Client) KPIMembers(ctx context.Context, connectionID, id string, q KPIBehindQuery) iter.Seq2[KPIMember, error] {
	return pages(func(cursor string) ([]KPIMember, string, error) {
		if cursor != "" {
			q.Cursor = cursor
		}
		page, err := c.KPIBehind(ctx, connectionID, id, q)
		return page.Members, page.Next, err
	})
}
