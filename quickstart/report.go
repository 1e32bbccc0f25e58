package main

import (
	"context"
	"time"

	"github.com/claimflow/claimflow/claim"
)

// report is the output of -once.
type report struct {
	Claims []reportedClaim `json:"claims"`
	Totals totals          `json:"totals"`
	Import importReport    `json:"import"`
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
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
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
	r.Import, err = s.reportImport(ctx)
	return r, err
}
