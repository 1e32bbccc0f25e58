package main

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/unified"
)

// report is the output of -once.
type report struct {
	Claims []reportedClaim `json:"claims"`
	Totals totals          `json:"totals"`
	Import importReport    `json:"import"`
	// Tickets are the claims' conversations as the unified API lists them.
	Tickets []reportedTicket `json:"tickets"`
}

// reportedTicket is a conversation in the words of the unified API.
type reportedTicket struct {
	ID      string   `json:"id"`
	Name    string   `json:"name"`
	Status  string   `json:"status"`
	Contact string   `json:"contact"`
	Tags    []string `json:"tags"`
}

// reportedClaim is the outcome of one sample claim.
type reportedClaim struct {
	ID             string      `json:"id"`
	Shop           string      `json:"shop"`
	Reason         string      `json:"reason"`
	State          claim.State `json:"state"`
	Cause          claim.Cause `json:"cause,omitempty"`
	LastError      string      `json:"last_error,omitempty"`
	Template       string      `json:"template,omitempty"`
	Attached       int         `json:"attached"`
	LeftOut        int         `json:"left_out"`
	ConversationID int64       `json:"conversation_id,omitempty"`
	WorkflowID     string      `json:"workflow_id"`
	DixaRequests   int         `json:"dixa_requests"`
	// Status is what the owner is notified of, Reached lists the parts of the play
	// that the claim shows, Timeline is what happened, and Events is what the
	// owner's endpoint received.
	Status   string                `json:"status"`
	Reached  []string              `json:"reached"`
	Timeline []claim.TimelineEntry `json:"timeline"`
	Events   []ownerEvent          `json:"events"`
}

// totals sums up all claims, as the emulated Dixa saw them.
type totals struct {
	Claims        int     `json:"claims"`
	Settled       int     `json:"settled"`
	Events        int     `json:"events"`
	Conversations int     `json:"conversations"`
	EndUsers      int     `json:"end_users"`
	DixaRequests  int     `json:"dixa_requests"`
	Refused       int     `json:"refused_by_limit"`
	Seconds       float64 `json:"seconds"`
}

func (s *stack) report(ctx context.Context, took time.Duration) (report, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	claims, err := s.claims(ctx)
	if err != nil {
		return report{}, err
	}
	stats := s.dixa.Stats()
	conversations, people := s.demoTotals()
	r := report{Claims: []reportedClaim{}, Totals: totals{
		Claims: len(claims), Conversations: conversations, EndUsers: people,
		DixaRequests: stats.Requests, Refused: stats.Refused, Seconds: took.Round(time.Millisecond).Seconds(),
	}}
	for i, c := range claims {
		d, err := s.api.Claim(ctx, c.Ref)
		if err != nil {
			return report{}, err
		}
		events := s.owner.received(c.ID)
		if d.State == claim.StateSettled {
			r.Totals.Settled++
		}
		r.Totals.Events += len(events)
		r.Claims = append(r.Claims, reportedClaim{
			ID: c.ID, Shop: c.Shop, Reason: c.Reason, State: c.State, Cause: c.Cause, LastError: c.LastError,
			Template: c.Template, Attached: c.Attached, LeftOut: c.LeftOut,
			ConversationID: c.ConversationID, WorkflowID: c.WorkflowID, DixaRequests: c.DixaRequests,
			Status: d.Status, Reached: reached(i, d), Timeline: d.Timeline, Events: events,
		})
	}
	if r.Import, err = s.reportImport(ctx); err != nil {
		return r, err
	}
	r.Tickets, err = s.tickets(ctx, claims)
	return r, err
}

// tickets lists the conversations of claims through the unified API.
func (s *stack) tickets(ctx context.Context, claims []claim.Record) ([]reportedTicket, error) {
	connection, err := s.connection(ctx)
	if err != nil {
		return nil, err
	}
	ours := map[string]bool{}
	for _, c := range claims {
		ours[strconv.FormatInt(c.ConversationID, 10)] = true
	}
	listed := []reportedTicket{}
	resource := client.ResourceOf[unified.Ticket](s.api, connection, client.ModelTicketing, "tickets")
	for t, err := range resource.List(ctx, url.Values{"created_at[gte]": {s.history.until.Truncate(time.Second).UTC().Format(time.RFC3339)}}) {
		if err != nil {
			return nil, fmt.Errorf("list the tickets: %w", err)
		}
		if !ours[t.ID] {
			continue
		}
		ticket := reportedTicket{ID: t.ID, Status: t.Status.ID, Tags: []string{}}
		if t.Name != nil {
			ticket.Name = *t.Name
		}
		if t.Contact != nil && t.Contact.Name != nil {
			ticket.Contact = *t.Contact.Name
		}
		for _, tag := range t.Tags {
			ticket.Tags = append(ticket.Tags, *tag.Name)
		}
		listed = append(listed, ticket)
	}
	return listed, nil
}
