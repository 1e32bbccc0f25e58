package activities

import (
	"context"
	"errors"
	"time"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/internal/fromdixa/fold"
	"github.com/claimflow/claimflow/internal/fromdixa/sweep"
	"github.com/claimflow/claimflow/internal/todixa/connection"
	"github.com/claimflow/claimflow/mirror"
	"github.com/claimflow/claimflow/store"
)

const (
	// reconcileBatchSize is how many conversations one activity reconciles.
	reconcileBatchSize = 20
	// lookAgain is how long after a check a quiet conversation is due for the next
	// one.
	lookAgain = time.Hour
	// maxConsecutiveFailures is the number of consecutive failures at which Dixa counts as down.
	maxConsecutiveFailures = 3
	// appearWithin is how long after its link a conversation may still be unknown to
	// some of Dixa's operations.
	appearWithin = time.Hour
	// readAhead bounds the pending events that are read to determine what the claim
	// will know once it has applied them.
	readAhead = 5000
)

// ReconcileInput is the input of [Sweeps.ReconcileConversations] and [Sweeps.CheckQuietConversations].
type ReconcileInput struct {
	ConnectionID string `json:"connection_id"`
	// Since is when the sweep began. Conversations handled after it are done.
	Since time.Time `json:"since"`
	// Limit bounds the conversations of [Sweeps.CheckQuietConversations].
	Limit int `json:"limit,omitempty"`
}

// ReconcileResult is the result of [Sweeps.ReconcileConversations].
type ReconcileResult struct {
	Report claim.SweepReport `json:"report"`
	// More says that there are more conversations to reconcile.
	More bool `json:"more,omitempty"`
}

// ReconcileConversations reconciles a batch of conversations named in the activity log
// with what is known of them. It asks Dixa about those with missing information. A
// conversation that Dixa cannot report on now waits for the next sweep.
func (a *Sweeps) ReconcileConversations(ctx context.Context, in ReconcileInput) (ReconcileResult, error) {
	var out ReconcileResult
	report, err := a.step(ctx, in.ConnectionID, "reconcile changed conversations", func(ctx context.Context, client *dixa.Client, _ *claim.SweepReport) error {
		ids, err := a.Store.Sweeps.Unreconciled(ctx, in.ConnectionID, in.Since, reconcileBatchSize)
		if err != nil {
			return err
		}
		out.More = len(ids) == reconcileBatchSize
		return a.forEach(ctx, ids, func(ctx context.Context, id int64) (claim.SweepReport, error) {
			return a.reconcile(ctx, client, in.ConnectionID, id, 0)
		}, func(ctx context.Context, id int64) error { return a.Store.Sweeps.Postpone(ctx, in.ConnectionID, id) })
	})
	out.Report = report
	return out, err
}

// CheckQuietConversations asks Dixa about conversations that have been quiet for a long time.
// Conversations about which nothing is known come first.
func (a *Sweeps) CheckQuietConversations(ctx context.Context, in ReconcileInput) (claim.SweepReport, error) {
	return a.step(ctx, in.ConnectionID, "check quiet conversations", func(ctx context.Context, client *dixa.Client, _ *claim.SweepReport) error {
		limit := in.Limit - progressOf(ctx).report().Looked
		if limit <= 0 {
			return nil
		}
		ids, err := a.Store.Sweeps.Unchecked(ctx, in.ConnectionID, in.Since.Add(-lookAgain), limit)
		if err != nil {
			return err
		}
		return a.forEach(ctx, ids, func(ctx context.Context, id int64) (claim.SweepReport, error) {
			return a.reconcile(ctx, client, in.ConnectionID, id, sweep.Conversation|sweep.Tags)
		}, func(context.Context, int64) error { return nil })
	})
}

// forEach processes conversations and counts what it finds. If Dixa fails for one,
// forEach postpones it. If Dixa fails for several in a row, the rest waits too.
func (a *Sweeps) forEach(ctx context.Context, ids []int64, do func(context.Context, int64) (claim.SweepReport, error), putOff func(context.Context, int64) error) error {
	failed := 0
	for _, id := range ids {
		one, requests := connection.Count(ctx)
		found, err := do(one, id)
		found.Requests += int(requests.Load())
		if err != nil && skippable(err) {
			if failed++; failed < maxConsecutiveFailures {
				found.Failed++
				err = putOff(ctx, id)
			}
		} else {
			failed = 0
		}
		progressOf(ctx).add(found)
		if err != nil {
			return err
		}
	}
	return nil
}

// skippable reports whether a failure may concern a single conversation.
func skippable(err error) bool {
	e, ok := dixa.AsError(err)
	return ok && e.Outcome != dixa.Unsent && !dixa.IsRateLimited(err) && !dixa.IsTokenRefused(err)
}

func progressOf(ctx context.Context) *progress {
	if p, ok := ctx.Value(progressKey{}).(*progress); ok {
		return p
	}
	return &progress{}
}

// saveActivities stores a page of the activity log.
func (a *Sweeps) saveActivities(ctx context.Context, connectionID string, page []*dixa.Activity) (conversations int, err error) {
	entries := make([]mirror.Activity, 0, len(page))
	for _, p := range page {
		if e, ok := mirror.ActivityFromLog(p); ok {
			entries = append(entries, e)
		}
	}
	return a.Store.Sweeps.SaveActivities(ctx, connectionID, entries)
}

// reconcile reconciles a conversation with what is known of it. It asks Dixa for what is
// missing and always for the given parts, and notifies the claim with an event. It
// deletes the log entries after that event is stored.
func (a *Sweeps) reconcile(ctx context.Context, client *dixa.Client, connectionID string, id int64, parts sweep.Parts) (report claim.SweepReport, err error) {
	kept, err := a.Store.Sweeps.Activities(ctx, connectionID, id)
	if err != nil {
		return report, err
	}
	ref, err := a.Store.Links.ClaimOf(ctx, connectionID, id)
	if errors.Is(err, store.ErrNotFound) {
		return report, a.Store.Sweeps.MarkReconciled(ctx, connectionID, kept)
	}
	if err != nil {
		return report, err
	}
	c, err := a.compare(ctx, connectionID, ref, id, kept)
	if err != nil {
		return report, err
	}
	c.parts |= parts
	if parts != 0 && c.known.StatusAt.At.IsZero() {
		c.parts |= sweep.Messages | sweep.Notes
	}
	if c.parts != 0 || len(c.match.Missing) > 0 {
		report, err = a.refresh(ctx, client, connectionID, id, c)
		if dixa.IsNotFound(err) {
			return a.handleMissing(ctx, connectionID, ref, id, kept)
		}
		if err != nil {
			return report, err
		}
	}
	return report, a.Store.Sweeps.MarkReconciled(ctx, connectionID, kept)
}

// comparison is a conversation as known here, compared with the log.
type comparison struct {
	ref     claim.Ref
	known   sweep.Known
	entries []sweep.Entry
	match   sweep.MatchResult
	parts   sweep.Parts
}

func (a *Sweeps) compare(ctx context.Context, connectionID string, ref claim.Ref, id int64, kept []mirror.Activity) (*comparison, error) {
	// Read this before the events, so that no event that it reflects is missed.
	logged, err := a.Store.Conversations.TimelineFromLog(ctx, ref)
	if err != nil {
		return nil, err
	}
	done := map[string]bool{}
	for _, h := range logged {
		done[h.ID] = true
	}
	c := &comparison{ref: ref}
	for _, k := range kept {
		e := sweep.Read(k)
		e.Reported = done[store.LogPrefix+k.ID]
		c.entries = append(c.entries, e)
	}
	// The state after the claim applies its pending events.
	next, err := a.Store.Inbox.NextEvents(ctx, ref, readAhead)
	if err != nil {
		return nil, err
	}
	known := next.Conversation
	c.known = sweep.Known{Messages: map[string]claim.Message{}}
	for _, e := range next.Events {
		r := fold.Read(e.ID, e.Name, e.HappenedAt, e.Body)
		known.Apply(r.Fact)
		for _, m := range r.Messages {
			c.known.Messages[m.ID] = m.Message
		}
	}
	c.known.Conversation = known.Conversation
	if len(c.entries) == 0 {
		return c, nil
	}
	from, to := c.entries[0].At.Add(-fold.MatchTolerance), c.entries[len(c.entries)-1].At.Add(fold.MatchTolerance)
	came, err := a.Store.Inbox.ReceivedBetween(ctx, connectionID, id, from, to, fold.NameRefreshed)
	if err != nil {
		return nil, err
	}
	received := make([]sweep.Received, len(came))
	expected := known // with the events that are not joined to the claim yet
	for i, r := range came {
		received[i] = sweep.Received{ID: r.ID, Name: dixa.EventName(r.Name), Timeline: claim.TimelineEntry{At: r.HappenedAt}}
		reading := fold.Read(r.ID, r.Name, r.HappenedAt, r.Body)
		if reading.Timeline != nil {
			received[i].Timeline = *reading.Timeline
		}
		expected.Apply(reading.Fact)
	}
	c.match = sweep.Match(c.entries, received)
	c.parts = c.match.Parts | sweep.TiedParts(c.entries, c.known.Conversation)
	if !c.known.DoubtAt.IsZero() || sweep.Contradicts(c.entries, expected.Conversation) {
		c.parts |= sweep.Conversation
	}
	if !c.known.TagsDoubtAt().IsZero() {
		c.parts |= sweep.Tags
	}
	return c, nil
}

// refresh asks Dixa for the parts and stores what is new.
func (a *Sweeps) refresh(ctx context.Context, client *dixa.Client, connectionID string, id int64, c *comparison) (report claim.SweepReport, err error) {
	if c.parts&(sweep.Messages|sweep.Notes) != 0 {
		if err := a.readMessages(ctx, c); err != nil {
			return report, err
		}
		if len(c.known.Messages) == 0 {
			// The conversation's start time identifies its opening message.
			c.parts |= sweep.Conversation
		}
	}
	answer, err := fetchParts(ctx, client, id, c.parts)
	if err != nil {
		return report, err
	}
	finding, ok, err := sweep.Find(id, c.known, answer, c.entries, c.match)
	if err != nil {
		return report, err
	}
	if ok {
		fresh, err := a.Store.Inbox.AddFinding(ctx, connectionID, store.DixaEvent{
			ID: finding.ID, Name: fold.NameRefreshed, ConversationID: id, HappenedAt: finding.At, Body: finding.Body,
		})
		if err != nil {
			return report, err
		}
		if fresh {
			report = finding.Report
		}
	}
	if c.parts != 0 {
		report.Looked = 1
	}
	gone := answer.Conversation != nil && answer.Conversation.Type == "AnonymizedConversation"
	if gone {
		report.Gone = 1
	}
	if c.parts.Has(sweep.Conversation) || gone {
		return report, a.Store.Sweeps.MarkChecked(ctx, connectionID, id, gone)
	}
	return report, nil
}

// fetchParts asks Dixa for some parts of a conversation.
func fetchParts(ctx context.Context, client *dixa.Client, id int64, parts sweep.Parts) (sweep.Answer, error) {
	answer := sweep.Answer{Asked: parts}
	var err error
	// Read the state first, so that the lists are at least as recent.
	if parts.Has(sweep.Conversation) {
		answer.Conversation, err = client.Conversations.Get(ctx, id)
	}
	if err == nil && parts.Has(sweep.Tags) {
		answer.Tags, err = client.Conversations.Tags(ctx, id)
	}
	if err == nil && parts.Has(sweep.Messages) {
		answer.Messages, err = client.Conversations.Messages(ctx, id)
	}
	if err == nil && parts.Has(sweep.Notes) {
		answer.Notes, err = client.Conversations.Notes(ctx, id)
	}
	if err == nil && parts.Has(sweep.Ratings) {
		answer.Ratings, err = client.Conversations.Ratings(ctx, id)
	}
	return answer, err
}

// readMessages reads the stored messages.
func (a *Sweeps) readMessages(ctx context.Context, c *comparison) error {
	filter := store.MessageFilter{Limit: 500}
	for {
		page, err := a.Store.Conversations.Messages(ctx, c.ref, filter)
		if err != nil {
			return err
		}
		for _, m := range page {
			c.known.Messages[m.ID] = m
		}
		if len(page) < filter.Limit {
			return nil
		}
		last := page[len(page)-1]
		filter.After, filter.AfterID = last.At, last.ID
	}
}

// handleMissing records that Dixa does not have a conversation. A conversation that was
// just opened may not be available to every operation yet, so its log entries wait
// for the next sweep.
func (a *Sweeps) handleMissing(ctx context.Context, connectionID string, ref claim.Ref, id int64, kept []mirror.Activity) (claim.SweepReport, error) {
	link, err := a.Store.Links.Get(ctx, ref)
	if errors.Is(err, store.ErrNotFound) {
		return claim.SweepReport{}, a.Store.Sweeps.MarkReconciled(ctx, connectionID, kept)
	}
	if err != nil {
		return claim.SweepReport{}, err
	}
	gone := time.Since(link.CreatedAt) > appearWithin
	if err := a.Store.Sweeps.MarkChecked(ctx, connectionID, id, gone); err != nil {
		return claim.SweepReport{}, err
	}
	if gone {
		return claim.SweepReport{Gone: 1}, a.Store.Sweeps.MarkReconciled(ctx, connectionID, kept)
	}
	return claim.SweepReport{}, a.Store.Sweeps.Postpone(ctx, connectionID, id)
}
