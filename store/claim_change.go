package store

import (
	"context"
	"database/sql"
	"errors"
	"time"
	"unicode/utf8"

	"github.com/claimflow/claimflow/claim"
)

// maxLastError bounds the length of a stored error, in bytes.
const maxLastError = 2000

// Snapshot is what a claim's workflow needs to know. It holds no personal data.
type Snapshot struct {
	claim.Record
	// ConnectionID is the connection of the claim's conversation, or else of its
	// shop; empty if the shop has none.
	ConnectionID    string
	ConnectionState claim.ConnectionState
	// Feature, Enabled and Paused are the shop's flags.
	Feature, Enabled, Paused bool
	// SettingsVersion is the shop's current version. ParkedVersion is the version
	// that the claim had read when it was last parked.
	SettingsVersion, ParkedVersion int64
	// Revision counts the outside changes that the workflow must see. ReadRevision
	// is the last revision that it saw.
	Revision, ReadRevision int64
	// Sequence is the number of the last event for the claim's owner.
	Sequence int64
	// Cursor is the number of the last event of the conversation that the claim has
	// applied.
	Cursor int64
	// Unread says that the conversation has events after Cursor or that RulesDue is
	// set. RulesDue says that the status rules must be evaluated again.
	Unread, RulesDue bool
	// Instructed says that instructions are waiting, ChangeInProgress that one of
	// them may change the conversation's state or tags.
	Instructed, ChangeInProgress bool
	// Conversation is what is known of the claim's conversation in Dixa.
	Conversation ConversationFacts
	// DerivedStatus is the status last derived from Dixa's facts, see [ClaimUpdate].
	DerivedStatus string
	// EndUserID is the customer's id in Dixa, once known.
	EndUserID string
	// RetriedAt, FallbackAt and ResumedAt are when a person last retried the claim,
	// when its fallback was triggered and when its shop was last resumed; zero for
	// never.
	RetriedAt, FallbackAt, ResumedAt time.Time
	// CreateAnyway says that a person checked Dixa and found no conversation. It
	// holds from the retry until the claim is open or parked.
	CreateAnyway bool
	// DoneSteps are the steps whose intent is finished, sorted.
	DoneSteps []string
}

// ConversationFacts are the facts of a conversation, without personal data.
type ConversationFacts struct {
	Status              claim.ConversationStatus
	AssigneeID, QueueID string
	// ClosedSince is zero unless the conversation is closed.
	ClosedSince time.Time
	// DoubtAt is [claim.Versions.AnyDoubtAt].
	DoubtAt time.Time
}

// Load reads what a claim's workflow needs to know. It also works for claims of a
// deleted shop, which counts as disabled.
func (s Claims) Load(ctx context.Context, ref claim.Ref) (Snapshot, error) {
	var w Snapshot
	err := s.read(ctx, "load claim "+ref.String(), func(db *sql.DB) error {
		w = Snapshot{}
		var retried, fallback, resumed, closed, doubt int64
		row := db.QueryRowContext(ctx, `SELECT `+recordColumns+`, COALESCE(w.id, ''), COALESCE(w.state, ''), s.feature, s.enabled, s.paused,
				s.settings_version, c.parked_version, c.revision, c.sequence, c.end_user_id, c.retried_at, c.fallback_at, s.resumed_at, c.create_anyway,
				c.read_revision, c.applied, c.applied < c.events, c.rules_due, c.derived_status, COALESCE(v.status, ''), COALESCE(v.assignee_id, ''), COALESCE(v.queue_id, ''), COALESCE(v.closed_since, 0), COALESCE(v.doubt_at, 0),
				EXISTS (SELECT 1 FROM instructions i WHERE i.shop = c.shop AND i.claim_id = c.id AND i.state = 'waiting'),
				EXISTS (SELECT 1 FROM instructions i WHERE i.shop = c.shop AND i.claim_id = c.id AND i.state = 'waiting' AND i.kind = 'change')
			FROM `+recordTables+` JOIN shops s ON s.slug = c.shop
			LEFT JOIN conversations v ON v.connection_id = c.connection_id AND v.conversation_id = c.conversation_id
			LEFT JOIN connections w ON w.id = COALESCE(NULLIF(c.connection_id, ''), s.connection_id)
			WHERE c.shop = $1 AND c.id = $2`, ref.Shop, ref.ID)
		var err error
		w.Record, err = scanRecord(row.Scan, &w.ConnectionID, &w.ConnectionState, &w.Feature, &w.Enabled, &w.Paused,
			&w.SettingsVersion, &w.ParkedVersion, &w.Revision, &w.Sequence, &w.EndUserID, &retried, &fallback, &resumed, &w.CreateAnyway,
			&w.ReadRevision, &w.Cursor, &w.Unread, &w.RulesDue, &w.DerivedStatus, &w.Conversation.Status, &w.Conversation.AssigneeID, &w.Conversation.QueueID, &closed, &doubt,
			&w.Instructed, &w.ChangeInProgress)
		if errors.Is(err, sql.ErrNoRows) {
			return claimNotFound(ref)
		}
		if err != nil {
			return err
		}
		// While a change waits, so do the rules.
		w.RulesDue = w.RulesDue && !w.ChangeInProgress
		w.Unread = w.Unread || w.RulesDue
		w.RetriedAt, w.FallbackAt, w.ResumedAt = timeOf(retried), timeOf(fallback), timeOf(resumed)
		w.Conversation.ClosedSince, w.Conversation.DoubtAt = timeOf(closed), timeOf(doubt)
		if w.OtherClaims, err = otherClaims(ctx, db, ref, w.OrderNumber); err != nil {
			return err
		}
		w.DoneSteps, err = collect(ctx, db, single[string],
			`SELECT step FROM intents WHERE shop = $1 AND claim_id = $2 AND done_at > 0 ORDER BY step`, ref.Shop, ref.ID)
		return err
	})
	return w, err
}

// ClaimUpdate is what to write with a change of state. Zero members and nil pointers
// leave the stored value unchanged.
type ClaimUpdate struct {
	// Cause says why a claim is parked. It is cleared when the claim leaves
	// [claim.StateNeedsAttention].
	Cause claim.Cause
	// LastError describes the last error, without personal data. It stays after the
	// claim proceeds. It is truncated to 2,000 bytes.
	LastError string
	// ParkedVersion is the shop's settings version that a parked claim had read.
	ParkedVersion int64
	// Template, Language and Route are the ones chosen for the conversation.
	Template, Language, Route string
	// EndUserID is the customer's id in Dixa.
	EndUserID string
	// Attached and LeftOut count files.
	Attached, LeftOut *int
	// Status is the claim's status as reported to the owner, and StatusBy is who set
	// it. DerivedStatus is the status that the shop's rules derive from Dixa's
	// facts, regardless of who set Status.
	Status, StatusBy, DerivedStatus string
	// FallbackUsed says that this change triggers the claim's fallback.
	FallbackUsed bool
	// Timeline entries are added to the claim's timeline, once per id.
	Timeline []TimelineEntry
	// Fact is a fact about the conversation that was read from Dixa.
	Fact *claim.Fact
	// RulesDue requests another evaluation of the status rules.
	RulesDue bool
	// Revision, unless zero, makes the change conditional on the claim's
	// [Snapshot.Revision] and [Snapshot.Sequence]. If either differs, the change is a
	// [*StaleError].
	Revision, Sequence int64
	// Outbox lists the events that the claim's owner gets for this change. An event
	// whose ID the claim already has is not added again.
	Outbox []OutboxEvent
}

// claimRow is what a change needs to know of the claim that it has locked.
type claimRow struct {
	state          claim.State
	connectionID   string
	conversationID int64
	sequence       int64
	openedAt       int64
	revision       int64
	applied        int64
	rulesDue       bool
	// erased says that the claim lost its content.
	erased bool
}

// StaleError means that a claim was changed from outside since it was read. Nothing
// was written.
type StaleError struct{ Ref claim.Ref }

func (e *StaleError) Error() string {
	return "claim " + e.Ref.String() + " has changed since it was read; read it again"
}

// lockClaim reads a claim and locks its row until the transaction ends. A no-op
// UPDATE is the only row lock that works on both databases.
func lockClaim(ctx context.Context, tx *sql.Tx, ref claim.Ref) (claimRow, error) {
	var r claimRow
	err := queryOne(ctx, tx, claimNotFound(ref), []any{&r.state, &r.connectionID, &r.conversationID, &r.sequence, &r.openedAt, &r.revision, &r.applied, &r.rulesDue, &r.erased},
		`UPDATE claims SET updated_at = updated_at WHERE shop = $1 AND id = $2
		RETURNING state, connection_id, conversation_id, sequence, opened_at, revision, applied, rules_due, erased_at > 0`, ref.Shop, ref.ID)
	return r, err
}

// lockIntact is [lockClaim] for commands that need the claim's content.
func lockIntact(ctx context.Context, tx *sql.Tx, ref claim.Ref) (claimRow, error) {
	row, err := lockClaim(ctx, tx, ref)
	if err == nil && row.erased {
		err = conflict("claim %s was erased: its content is gone; submit a new claim", ref)
	}
	return row, err
}

// Change applies an event to a claim, writes set with it and returns the new state,
// atomically. Of two concurrent changes, the second sees the result of the first. It
// returns a [*claim.TransitionError] if the event does not apply, and a
// [*StaleError] if the claim was changed meanwhile; both write nothing. The empty
// event writes set without changing the state.
func (s Claims) Change(ctx context.Context, ref claim.Ref, event claim.Event, set ClaimUpdate) (claim.State, error) {
	var next claim.State
	err := s.write(ctx, "change claim "+ref.String(), func(tx *sql.Tx) error {
		row, err := lockClaim(ctx, tx, ref)
		if err != nil {
			return err
		}
		if set.Revision != 0 && (set.Revision != row.revision || set.Sequence != row.sequence) {
			return &StaleError{Ref: ref}
		}
		next, err = s.change(ctx, tx, ref, &row, event, set)
		return err
	})
	return next, err
}

// change applies an event to a claim that the caller has locked, and updates row.
func (s *core) change(ctx context.Context, tx *sql.Tx, ref claim.Ref, row *claimRow, event claim.Event, set ClaimUpdate) (claim.State, error) {
	if event != "" {
		next, err := row.state.Next(event)
		if err != nil {
			return row.state, err
		}
		row.state = next
	}
	if row.erased {
		set.LastError, set.EndUserID, set.Timeline = "", "", nil
	}
	now := s.now()
	var args arguments
	assign := set.assignments(&args, event, row.state, now)
	if row.state == claim.StateOpen && row.openedAt == 0 {
		row.openedAt = now
		assign += `, opened_at = ` + args.add(now)
	}
	if event == claim.EventOpened {
		assign += `, gather_until = ` + args.add(now+writeGathers.Microseconds())
	}
	_, err := exec(ctx, tx, `UPDATE claims SET `+assign+` WHERE shop = `+args.add(ref.Shop)+` AND id = `+args.add(ref.ID), args...)
	if err != nil {
		return row.state, err
	}
	if err := s.recordStep(ctx, tx, ref, event, set, now); err != nil {
		return row.state, err
	}
	for _, h := range set.Timeline {
		if err := s.addTimelineEntry(ctx, tx, ref, h); err != nil {
			return row.state, err
		}
	}
	if set.Fact != nil {
		if err := s.applyFact(ctx, tx, ref, *row, *set.Fact); err != nil {
			return row.state, err
		}
	}
	if len(set.Outbox) == 0 {
		return row.state, nil
	}
	row.sequence, err = s.addEvents(ctx, tx, ref, row.sequence, set.Outbox, now)
	return row.state, err
}

// assignments returns the SET clause of the change.
func (set ClaimUpdate) assignments(args *arguments, event claim.Event, next claim.State, now int64) string {
	assign := `updated_at = ` + args.add(now) + `, state = ` + args.add(next)
	text := func(column, value string) {
		if value != "" {
			assign += `, ` + column + ` = ` + args.add(plain(value))
		}
	}
	number := func(column string, value *int) {
		if value != nil {
			assign += `, ` + column + ` = ` + args.add(*value)
		}
	}
	if next == claim.StateNeedsAttention {
		text("cause", string(set.Cause))
	} else {
		assign += `, cause = ''`
	}
	text("last_error", cut(set.LastError, maxLastError))
	text("template", set.Template)
	text("language", set.Language)
	text("route", set.Route)
	text("end_user_id", set.EndUserID)
	text("status", set.Status)
	text("status_key", claim.NormalizeKey(set.Status))
	text("status_by", set.StatusBy)
	text("derived_status", set.DerivedStatus)
	number("attached", set.Attached)
	number("left_out", set.LeftOut)
	if set.ParkedVersion != 0 {
		assign += `, parked_version = ` + args.add(set.ParkedVersion)
	}
	if set.RulesDue {
		assign += `, rules_due = TRUE`
	}
	if set.FallbackUsed {
		assign += `, fallback_used = TRUE, fallback_at = ` + args.add(now)
	}
	// A stale permission to create would open a second conversation.
	if event == claim.EventPark || event == claim.EventOpened {
		assign += `, create_anyway = FALSE`
	}
	if event == claim.EventPark {
		assign += `, woken_version = 0`
	}
	return assign
}

// cut truncates a text to at most n bytes, never within a character.
func cut(text string, n int) string {
	if len(text) <= n {
		return text
	}
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n]
}

// AddRequests adds n to the number of requests to Dixa for a claim.
func (s Claims) AddRequests(ctx context.Context, ref claim.Ref, n int) error {
	return s.execute(ctx, "count the requests of claim "+ref.String(), claimNotFound(ref),
		`UPDATE claims SET dixa_requests = dixa_requests + $3 WHERE shop = $1 AND id = $2`, ref.Shop, ref.ID, n)
}
