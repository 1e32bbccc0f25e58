// Package activities implements the activities of the workflows: it reads and writes
// the store, checks files, and calls Dixa.
//
// There is one struct per dependency. Every activity may run twice, at any time, in
// two processes, so an intent in the store guards what it does to Dixa. Errors are
// returned through toTemporal, which says whether a retry can help.
package activities

import (
	"context"
	"errors"
	"time"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/store"
)

// Claims reads and writes the workflow state of claims.
type Claims struct {
	Store *store.Store
}

// LoadClaim reads the workflow state of a claim. If the claim is ready to be opened,
// LoadClaim marks it as opening. An erased claim counts as abandoned, because its
// workflow has nothing left to do.
func (a *Claims) LoadClaim(ctx context.Context, ref claim.Ref) (claim.WorkflowState, error) {
	state, err := a.load(ctx, ref)
	return state, toTemporal("read the claim", err)
}

func (a *Claims) load(ctx context.Context, ref claim.Ref) (claim.WorkflowState, error) {
	state, err := a.read(ctx, ref)
	if err != nil || state.Next() != claim.ActionOpen || state.State == claim.StateOpening {
		return state, err
	}
	if state.State, err = a.Store.Claims.Change(ctx, ref, claim.EventStart, store.ClaimUpdate{}); err != nil {
		return claim.WorkflowState{}, err
	}
	return state, nil
}

// read returns the workflow state for a workflow that has consumed its nudges. Later
// changes nudge the workflow again.
func (a *Claims) read(ctx context.Context, ref claim.Ref) (claim.WorkflowState, error) {
	work, err := a.Store.Claims.Load(ctx, ref)
	if err == nil && work.ReadRevision < work.Revision {
		err = a.Store.Nudges.MarkRead(ctx, ref, work.Revision)
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return claim.WorkflowState{}, err
	}
	return a.workflowState(ctx, ref)
}

func (a *Claims) workflowState(ctx context.Context, ref claim.Ref) (claim.WorkflowState, error) {
	work, err := a.Store.Claims.Load(ctx, ref)
	if errors.Is(err, store.ErrNotFound) {
		return claim.WorkflowState{State: claim.StateAbandoned}, nil
	}
	if err != nil {
		return claim.WorkflowState{}, err
	}
	recent, err := a.recent(ctx, work)
	if err != nil {
		return claim.WorkflowState{}, err
	}
	settings, err := a.Store.Settings.Integration(ctx, ref.Shop)
	if err != nil {
		return claim.WorkflowState{}, err
	}
	create, err := a.Store.Intents.Get(ctx, ref, claim.StepConversation)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return claim.WorkflowState{}, err
	}
	share, err := a.Store.Budget.Share(ctx, work.ConnectionID)
	if err != nil {
		return claim.WorkflowState{}, err
	}
	return claim.WorkflowState{
		TokenShare: share,
		State:      work.State, Cause: work.Cause, LastError: work.LastError,
		Reason: work.Reason, OrderNumber: work.OrderNumber,
		ConversationID: work.ConversationID, ConnectionID: work.ConnectionID,
		Offered: work.Feature && work.Enabled, Paused: work.Paused,
		SettingsVersion: work.SettingsVersion, ParkedVersion: work.ParkedVersion,
		Deadline:     deadline(work, time.Duration(settings.Effective.OpenWithin)),
		FallbackUsed: work.FallbackUsed,
		AwaitsRetry:  work.FallbackUsed && !work.RetriedAt.After(work.FallbackAt),
		Unanswered:   !create.SentAt.IsZero(),
		RetriedAt:    work.RetriedAt,
		Done:         work.DoneSteps,
		Cursor:       work.Cursor,
		Unread:       unread(work),
		DoubtAt:      work.Conversation.DoubtAt,
		Instructed:   work.Instructed,
		SettleAt:     settleAt(work, time.Duration(settings.Effective.QuietPeriod)),
		Status:       work.Status,
		AssigneeID:   work.Conversation.AssigneeID,
		QueueID:      work.Conversation.QueueID,
		Recent:       recent,
	}, nil
}

// afterWrite completes the state that an activity returns after it wrote to Dixa. Events
// that gather count as read, because another nudge is going to announce them.
func (a *Claims) afterWrite(ctx context.Context, ref claim.Ref, state claim.WorkflowState) (claim.WorkflowState, error) {
	if !state.Unread {
		return state, nil
	}
	gathering, err := a.Store.Nudges.Gather(ctx, ref)
	state.Unread = !gathering
	return state, err
}

// deadline counts from when the claim could first be opened. Resuming a paused shop
// or retrying the claim restarts it.
func deadline(w store.Snapshot, within time.Duration) time.Time {
	from := w.AcceptedAt
	for _, t := range []time.Time{w.ResumedAt, w.RetriedAt} {
		if t.After(from) {
			from = t
		}
	}
	return from.Add(within)
}

// SyncStatus moves a claim to its next state and writes the notifications for its
// owner to the outbox, atomically. It returns the resulting workflow state, with the
// settings read again. It leaves anything that already matches unchanged.
func (a *Claims) SyncStatus(ctx context.Context, change StatusChange) (claim.WorkflowState, error) {
	state, err := a.sync(ctx, change)
	return state, toTemporal("write the claim's state", err)
}

func (a *Claims) sync(ctx context.Context, change StatusChange) (claim.WorkflowState, error) {
	for tries := 1; ; tries++ {
		err := a.syncOnce(ctx, change)
		var stale *store.StaleError
		var moved *claim.TransitionError
		if err != nil && !errors.As(err, &stale) && !errors.As(err, &moved) {
			return claim.WorkflowState{}, err
		}
		state, err := a.workflowState(ctx, change.Ref)
		if err != nil || stale == nil || tries == maxSyncTries || !holdsDespiteEvents(change, state) {
			return state, err
		}
	}
}

// maxSyncTries bounds the attempts to write a change beside events that arrive from
// Dixa.
const maxSyncTries = 5

// holdsDespiteEvents reports whether a change is still right if the claim changed since
// it was read. While a claim has a conversation, the owner's changes to it are
// instructions, and syncOnce checks for everything that a person does to it.
func holdsDespiteEvents(change StatusChange, now claim.WorkflowState) bool {
	return now.ConversationID != 0 && (change.Event == claim.EventOpened || change.Event == claim.EventPark)
}

// syncOnce writes a change. A person's change to the claim between our read and our
// write wins: nothing is written, and the workflow decides again.
func (a *Claims) syncOnce(ctx context.Context, change StatusChange) error {
	// Read the revision first, so that any later change makes it stale.
	before, err := a.Store.Claims.Load(ctx, change.Ref)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	state, err := a.workflowState(ctx, change.Ref)
	if err != nil {
		return err
	}
	set, wanted := statusSet(change, state)
	if !wanted {
		return nil
	}
	if err := a.evaluateRules(ctx, change, before, &set); err != nil {
		return err
	}
	set.Revision, set.Sequence = before.Revision, before.Sequence
	_, err = a.Store.Claims.Change(ctx, change.Ref, change.Event, set)
	return err
}

// statusSet returns what a change writes. The change is not wanted if it is already
// written, because an activity may run twice, or if a person did something to the
// claim that the workflow does not know yet.
func statusSet(change StatusChange, now claim.WorkflowState) (set store.ClaimUpdate, wanted bool) {
	if now.State == claim.StateAbandoned || now.RetriedAt.After(change.RetriedAt) {
		return set, false
	}
	switch change.Event {
	case claim.EventOpened:
		set.Outbox = []store.OutboxEvent{{Type: claim.OutboundOpened}}
		return set, now.State == claim.StateOpening
	case claim.EventSkip:
		set.Outbox = []store.OutboxEvent{{Type: claim.OutboundSkipped}}
		return set, now.Next() == claim.ActionSkip
	case claim.EventSettle:
		set.Outbox = []store.OutboxEvent{{Type: claim.OutboundSettled}}
		return set, now.State == claim.StateClosed && !now.Unread
	case claim.EventPark:
		return parkSet(change, now)
	}
	return set, true
}

func parkSet(change StatusChange, now claim.WorkflowState) (set store.ClaimUpdate, wanted bool) {
	cause := change.Cause
	if cause == claim.CauseDeadline && now.Unanswered {
		cause = claim.CauseOutcomeUnknown // the conversation may exist: an operator has to check
	}
	raise := change.Fallback && !now.FallbackUsed && now.ConversationID == 0
	same := now.State == claim.StateNeedsAttention && now.Cause == cause
	set.Cause, set.LastError, set.ParkedVersion = cause, change.LastError, change.SettingsVersion
	// A connection that needs a token is reported once, for the connection instead
	// of for each claim.
	if !same && cause != claim.CauseConnection {
		set.Outbox = append(set.Outbox, store.OutboxEvent{Type: claim.OutboundNeedsAttention})
	}
	if raise {
		set.FallbackUsed = true
		set.Outbox = append(set.Outbox, store.OutboxEvent{Type: claim.OutboundFallback})
	}
	return set, !same || raise || now.ParkedVersion != change.SettingsVersion
}
