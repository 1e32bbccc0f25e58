package activities

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/internal/fromdixa/fold"
	"github.com/claimflow/claimflow/mirror"
	"github.com/claimflow/claimflow/store"
)

const (
	// eventBatchSize is how many events one activity applies. It is small, so that the
	// activity is quick and a dead worker is noticed soon.
	eventBatchSize = 200
	// maxRecentEvents is how many timeline entries the card shows.
	maxRecentEvents = 8
	// ownOpening is how long after a conversation began its first message may
	// arrive.
	ownOpening = time.Minute
)

// Follow applies the events from Dixa about the claim's conversation since the last
// read, up to one batch. It updates the claim's state and status, its timeline and
// messages, and the notifications to its owner, together with the cursor. It returns
// the resulting workflow state, whose [claim.WorkflowState.Unread] says whether more events
// wait.
func (a *Claims) Follow(ctx context.Context, ref claim.Ref) (claim.WorkflowState, error) {
	state, err := a.follow(ctx, ref)
	return state, toTemporal("apply events from Dixa", err)
}

func (a *Claims) follow(ctx context.Context, ref claim.Ref) (claim.WorkflowState, error) {
	work, err := a.Store.Claims.Load(ctx, ref)
	if errors.Is(err, store.ErrNotFound) {
		return claim.WorkflowState{State: claim.StateAbandoned}, nil
	}
	if err != nil {
		return claim.WorkflowState{}, err
	}
	if unread(work) {
		// A person's concurrent change to the claim wins: the claim is then read
		// again.
		var stale *store.StaleError
		if err := a.applyEvents(ctx, work); err != nil && !errors.As(err, &stale) {
			return claim.WorkflowState{}, err
		}
	}
	return a.read(ctx, ref)
}

func (a *Claims) applyEvents(ctx context.Context, work store.Snapshot) error {
	next, err := a.Store.Inbox.NextEvents(ctx, work.Ref, eventBatchSize)
	if err != nil {
		return err
	}
	settings, err := a.Store.Settings.Integration(ctx, work.Shop)
	if err != nil {
		return err
	}
	story := fold.Projection{
		State: next.State, Conversation: next.Conversation, Status: work.Status, DerivedStatus: work.DerivedStatus, Settings: settings.Effective,
		RulesSuspended: work.ChangeInProgress,
	}
	advance := store.EventEffects{
		Ref: work.Ref, From: next.Cursor, To: next.Last, State: next.State, ConversationID: next.ConversationID,
		RulesEvaluated: work.RulesDue,
	}
	readings := make([]fold.Reading, len(next.Events))
	for i, e := range next.Events {
		readings[i] = fold.Read(e.ID, e.Name, e.HappenedAt, e.Body)
	}
	if advance.Replaced, err = a.supersededLogEntries(ctx, work.Ref, readings); err != nil {
		return err
	}
	fold.SortOldestFirst(readings)
	wrote, err := a.Store.Instructions.SentMessages(ctx, work.Ref)
	if err != nil {
		return err
	}
	story.ApplyAll(readings, func(r fold.Reading, changes []fold.Change) {
		advance.Facts = append(advance.Facts, r.Fact)
		for _, m := range r.Messages {
			m.Ours = wrote[m.ID] || writtenByUs(work.Ref, r, m.Message)
			advance.Messages = append(advance.Messages, m)
			if !m.Ours {
				advance.Transitions = append(advance.Transitions, store.Transition{Update: store.ClaimUpdate{Outbox: []store.OutboxEvent{messageEvent(m.Message)}}})
			}
		}
		if r.Timeline != nil {
			advance.Timeline = append(advance.Timeline, store.TimelineEntry{ID: r.Fact.ID, TimelineEntry: *r.Timeline})
		}
		for id, entry := range r.Log {
			if id = store.LogPrefix + id; !slices.Contains(advance.Replaced, id) {
				advance.Timeline = append(advance.Timeline, store.TimelineEntry{ID: id, TimelineEntry: entry})
			}
		}
		advance.Transitions = append(advance.Transitions, transitions(changes)...)
	})
	advance.Transitions = append(advance.Transitions, transitions(story.Apply(mirror.Fact{}))...)
	advance.Conversation = story.Conversation.Conversation
	return a.Store.Conversations.Apply(ctx, advance)
}

// supersededLogEntries returns the timeline ids of the activity log entries whose events
// arrived after all, before or after they were found in the log. readings must be in
// the order of arrival.
func (a *Claims) supersededLogEntries(ctx context.Context, ref claim.Ref, readings []fold.Reading) ([]string, error) {
	entries, err := a.Store.Conversations.TimelineFromLog(ctx, ref)
	if err != nil {
		return nil, err
	}
	logged := map[string]claim.TimelineEntry{}
	for _, h := range entries {
		logged[h.ID] = h.TimelineEntry
	}
	told := map[string]claim.TimelineEntry{}
	var replaced []string
	for _, r := range readings {
		if len(r.Log) > 0 {
			unseen, err := a.unmatchedEvents(ctx, ref, r, told)
			if err != nil {
				return nil, err
			}
			for _, id := range slices.Sorted(maps.Keys(r.Log)) {
				entry := r.Log[id]
				if event := fold.BestMatch(entry, unseen); event != "" {
					delete(unseen, event)
					replaced = append(replaced, store.LogPrefix+id)
					continue
				}
				logged[store.LogPrefix+id] = entry
			}
		}
		if r.Timeline == nil {
			continue
		}
		told[r.Fact.ID] = *r.Timeline
		if id := fold.BestMatch(*r.Timeline, logged); id != "" {
			delete(logged, id)
			replaced = append(replaced, id)
		}
	}
	return replaced, nil
}

// unmatchedEvents returns the events, of this batch or earlier ones, that arrived while the
// log was compared with other events.
func (a *Claims) unmatchedEvents(ctx context.Context, ref claim.Ref, r fold.Reading, told map[string]claim.TimelineEntry) (map[string]claim.TimelineEntry, error) {
	var from, to time.Time
	for _, entry := range r.Log {
		if from.IsZero() || entry.At.Before(from) {
			from = entry.At
		}
		if entry.At.After(to) {
			to = entry.At
		}
	}
	before, err := a.Store.Conversations.TimelineBetween(ctx, ref, from.Add(-fold.MatchTolerance), to.Add(fold.MatchTolerance))
	if err != nil {
		return nil, err
	}
	unseen := maps.Clone(told)
	for _, h := range before {
		if !strings.HasPrefix(h.ID, store.LogPrefix) {
			unseen[h.ID] = h.TimelineEntry
		}
	}
	for _, id := range r.Seen {
		delete(unseen, id)
	}
	return unseen, nil
}

// transitions returns the transitions that changes write.
func transitions(changes []fold.Change) []store.Transition {
	var out []store.Transition
	for _, c := range changes {
		out = append(out, store.Transition{Event: c.Event, Update: updateFor(c)})
	}
	return out
}

func updateFor(c fold.Change) store.ClaimUpdate {
	set := store.ClaimUpdate{DerivedStatus: c.DerivedStatus}
	if c.Status != "" {
		set.Status, set.StatusBy = c.Status, claim.ByDixa
	}
	for _, kind := range c.Outbound {
		set.Outbox = append(set.Outbox, store.OutboxEvent{Type: kind})
	}
	return set
}

// evaluateRules adds what the shop's status rules derive from a change that time or one of
// our own steps causes.
func (a *Claims) evaluateRules(ctx context.Context, change StatusChange, work store.Snapshot, set *store.ClaimUpdate) error {
	if change.Event != claim.EventOpened && change.Event != claim.EventSettle {
		return nil
	}
	conversation, err := a.Store.Conversations.Get(ctx, change.Ref)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	settings, err := a.Store.Settings.Integration(ctx, change.Shop)
	if err != nil {
		return err
	}
	story := fold.Projection{State: work.State, Conversation: mirror.Conversation{Conversation: conversation}, Status: work.Status, DerivedStatus: work.DerivedStatus, Settings: settings.Effective, RulesSuspended: work.ChangeInProgress}
	var elsewhere *claim.TransitionError
	moved, err := story.Transition(change.Event)
	if errors.As(err, &elsewhere) {
		return nil // someone moved the claim; the change is rejected as well
	}
	if err != nil {
		return err
	}
	judged := updateFor(moved)
	set.Status, set.StatusBy, set.DerivedStatus = judged.Status, judged.StatusBy, judged.DerivedStatus
	for _, e := range judged.Outbox {
		if e.Type == claim.OutboundStatusConflict {
			set.Outbox = append(set.Outbox, e)
		}
	}
	return nil
}

// messageEvent returns the event that notifies the owner of a message. Its id deduplicates
// the notification, however often the message is read.
func messageEvent(m claim.Message) store.OutboxEvent {
	return store.OutboxEvent{
		ID: "message:" + m.ID, Type: claim.OutboundMessageAdded,
		Message: &claim.MessageNotice{ID: m.ID, Kind: m.Kind, Direction: m.Direction, At: m.At},
	}
}

// writtenByUs reports whether Claimflow wrote a message. If Dixa keeps no externalId, the
// claim's reference identifies the opening message. Later messages may quote it.
func writtenByUs(ref claim.Ref, r fold.Reading, m claim.Message) bool {
	if strings.HasPrefix(m.ExternalID, claim.ExternalIDPrefix) {
		return true
	}
	marked := strings.Contains(m.Text, ref.Reference()) || strings.Contains(m.HTML, ref.Reference())
	if m.Kind == claim.NoteKind {
		return marked
	}
	return marked && !r.CreatedAt.IsZero() && m.At.Before(r.CreatedAt.Add(ownOpening))
}

// unread reports whether a claim has something to apply: events, or a known
// conversation state that could not move the claim earlier.
func unread(w store.Snapshot) bool {
	conversation := claim.Conversation{Status: w.Conversation.Status}
	return w.Unread || conversation.NextEvent(w.State) != ""
}

// settleAt returns when a closed claim is settled. Zero while it is not closed.
func settleAt(w store.Snapshot, quiet time.Duration) time.Time {
	if w.State != claim.StateClosed || w.Conversation.ClosedSince.IsZero() {
		return time.Time{}
	}
	return w.Conversation.ClosedSince.Add(quiet)
}

// recent returns the last entries of the claim's timeline, without names.
func (a *Claims) recent(ctx context.Context, w store.Snapshot) ([]claim.RecentEvent, error) {
	if w.ConversationID == 0 {
		return nil, nil
	}
	last, err := a.Store.Conversations.LatestTimeline(ctx, w.Ref, maxRecentEvents)
	if err != nil {
		return nil, fmt.Errorf("read the latest timeline entries: %w", err)
	}
	var moments []claim.RecentEvent
	for _, h := range last {
		moments = append(moments, claim.RecentEvent{At: h.At, What: h.What})
	}
	return moments, nil
}
