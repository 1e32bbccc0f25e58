package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/mirror"
)

// EventEffects are the effects of events on a claim.
type EventEffects struct {
	Ref claim.Ref
	// From and To are the cursor before and after. State and ConversationID are the
	// values as read. The effects apply only if none of them has changed since.
	From, To       int64
	State          claim.State
	ConversationID int64
	// Facts are what the events say. Conversation is what the caller expects to be
	// known after them.
	Facts        []mirror.Fact
	Conversation claim.Conversation
	// RulesEvaluated says that the status rules were evaluated, as [Snapshot.RulesDue]
	// requires. Of two evaluations at once, only the first applies.
	RulesEvaluated bool
	// Transitions are the changes of the claim, in order.
	Transitions []Transition
	// Replaced lists the ids of timeline entries to delete.
	Replaced []string
	// Timeline and Messages are added once per id.
	Timeline []TimelineEntry
	Messages []mirror.Message
}

// Transition is one change of a claim, see [Claims.Change].
type Transition struct {
	Event  claim.Event
	Update ClaimUpdate
}

// TimelineEntry is an entry of a claim's timeline under an id that is derived from
// what happened.
type TimelineEntry struct {
	ID string
	claim.TimelineEntry
}

// Apply writes the effects of events on a claim and advances its cursor, atomically.
// So each event takes effect exactly once, regardless of how often and by which process
// it is read. It returns a [*StaleError] if the claim moved meanwhile.
func (s Conversations) Apply(ctx context.Context, a EventEffects) error {
	return s.write(ctx, "apply the events of claim "+a.Ref.String(), func(tx *sql.Tx) error {
		row, err := lockClaim(ctx, tx, a.Ref)
		if err != nil {
			return err
		}
		if row.applied != a.From || row.state != a.State || row.conversationID != a.ConversationID || a.RulesEvaluated && !row.rulesDue {
			return &StaleError{Ref: a.Ref}
		}
		if row.erased {
			a.Timeline = nil
		}
		if err := s.applyEvents(ctx, tx, row, a); err != nil {
			return err
		}
		for _, id := range a.Replaced {
			if _, err := exec(ctx, tx, `DELETE FROM timeline WHERE shop = $1 AND claim_id = $2 AND id = $3`, a.Ref.Shop, a.Ref.ID, id); err != nil {
				return err
			}
		}
		for _, h := range a.Timeline {
			if err := s.addTimelineEntry(ctx, tx, a.Ref, h); err != nil {
				return err
			}
		}
		for _, step := range a.Transitions {
			if _, err := s.change(ctx, tx, a.Ref, &row, step.Event, step.Update); err != nil {
				return err
			}
		}
		_, err = exec(ctx, tx, `UPDATE claims SET applied = $3, rules_due = rules_due AND NOT $4, updated_at = $5 WHERE shop = $1 AND id = $2`,
			a.Ref.Shop, a.Ref.ID, a.To, a.RulesEvaluated, s.now())
		return err
	})
}

// applyEvents merges what events say about a claim's conversation into the mirror. It
// returns a [*StaleError] if the result differs from what the caller expects. The
// caller has locked the claim.
func (s *core) applyEvents(ctx context.Context, tx *sql.Tx, row claimRow, a EventEffects) error {
	if len(a.Facts)+len(a.Messages) == 0 {
		return nil
	}
	m := s.mergeFor(tx, row, a.Ref)
	for _, f := range a.Facts {
		m.Facts = append(m.Facts, ConversationFact{row.conversationID, f})
	}
	for _, message := range a.Messages {
		message.ConversationID = row.conversationID
		m.Messages = append(m.Messages, message)
	}
	if err := m.run(ctx); err != nil {
		return err
	}
	if len(a.Facts) > 0 && followed(m.rows[row.conversationID].Conversation.Conversation) != followed(a.Conversation) {
		return &StaleError{Ref: a.Ref}
	}
	return nil
}

// applyFact applies a fact to the conversation of a claim that the caller has
// locked.
func (s *core) applyFact(ctx context.Context, tx *sql.Tx, ref claim.Ref, row claimRow, f claim.Fact) error {
	m := s.mergeFor(tx, row, ref)
	m.Facts = []ConversationFact{{row.conversationID, mirror.Fact{Fact: f}}}
	return m.run(ctx)
}

// mergeFor returns a merge into the conversation of a claim.
func (s *core) mergeFor(tx *sql.Tx, row claimRow, ref claim.Ref) *merge {
	return &merge{
		core: s, tx: tx, MirrorBatch: MirrorBatch{ConnectionID: row.connectionID}, always: true,
		ids: []int64{row.conversationID}, linked: map[int64]claim.Ref{row.conversationID: ref},
	}
}

func (s *core) addTimelineEntry(ctx context.Context, tx *sql.Tx, ref claim.Ref, h TimelineEntry) error {
	body, err := s.sealJSON(timelineBody, h.TimelineEntry, ref.Shop, ref.ID, h.ID)
	if err != nil {
		return err
	}
	_, err = exec(ctx, tx, `INSERT INTO timeline (shop, claim_id, id, at, body) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (shop, claim_id, id) DO NOTHING`, ref.Shop, ref.ID, h.ID, micros(h.At), body)
	return err
}

// LatestTimeline lists the newest entries of a claim's timeline, up to limit, oldest
// first.
func (s Conversations) LatestTimeline(ctx context.Context, ref claim.Ref, limit int) ([]TimelineEntry, error) {
	return s.timeline(ctx, ref, `SELECT id, body FROM (SELECT id, at, body FROM timeline WHERE shop = $1 AND claim_id = $2 ORDER BY at DESC, id DESC LIMIT $3) AS newest
			ORDER BY at, id`, ref.Shop, ref.ID, limit)
}

// Get returns what is known of a claim's conversation. It returns [ErrNotFound] if
// nothing is known.
func (s Conversations) Get(ctx context.Context, ref claim.Ref) (claim.Conversation, error) {
	return get(ctx, s.core, "read the conversation of claim "+ref.String(), func(db *sql.DB) (c claim.Conversation, err error) {
		var connection string
		var id int64
		var doc []byte
		err = queryOne(ctx, db, notFound("conversation of claim "+ref.String()), []any{&connection, &id, &doc},
			`SELECT v.connection_id, v.conversation_id, v.body FROM claims c
			JOIN conversations v ON v.connection_id = c.connection_id AND v.conversation_id = c.conversation_id
			WHERE c.shop = $1 AND c.id = $2`, ref.Shop, ref.ID)
		if err == nil {
			err = s.openJSON(conversationDoc, doc, &c, connection, number(id))
		}
		return c, err
	})
}

// MessageFilter selects the messages of a claim to list.
type MessageFilter struct {
	// After and AfterID are the time and id of the last message read: the list
	// starts after it. Zero starts with the first message.
	After   time.Time
	AfterID string
	// Newest lists the newest message first. After then ends the list.
	Newest bool
	// Limit is the maximum number of messages. Defaults to 50; at most 500.
	Limit int
}

// Messages lists the messages and notes of a claim's conversation in the order in
// which they were written, or in the reverse order.
func (s Conversations) Messages(ctx context.Context, ref claim.Ref, f MessageFilter) ([]claim.Message, error) {
	from, order := `(m.at > $3 OR m.at = $3 AND m.id > $4)`, `m.at, m.id`
	if f.Newest {
		from, order = `(m.at < $3 OR m.at = $3 AND m.id < $4 OR $3 = 0)`, `m.at DESC, m.id DESC`
	}
	return list(ctx, s.core, "read the messages of claim "+ref.String(), s.scanClaimMessage,
		`SELECT m.connection_id, m.conversation_id, m.id, m.listed, m.body FROM claims c
		JOIN messages m ON m.connection_id = c.connection_id AND m.conversation_id = c.conversation_id
		WHERE c.shop = $1 AND c.id = $2 AND `+from+` ORDER BY `+order+` LIMIT $5`,
		ref.Shop, ref.ID, micros(f.After), f.AfterID, pageSize(f.Limit))
}

// Message reads one message of a claim's conversation. It returns [ErrNotFound] if
// the conversation has no message with that id.
func (s Conversations) Message(ctx context.Context, ref claim.Ref, id string) (claim.Message, error) {
	return get(ctx, s.core, "read message "+id, func(db *sql.DB) (claim.Message, error) {
		m, err := s.scanClaimMessage(db.QueryRowContext(ctx, `SELECT m.connection_id, m.conversation_id, m.id, m.listed, m.body FROM claims c
			JOIN messages m ON m.connection_id = c.connection_id AND m.conversation_id = c.conversation_id
			WHERE c.shop = $1 AND c.id = $2 AND m.id = $3`, ref.Shop, ref.ID, id).Scan)
		if errors.Is(err, sql.ErrNoRows) {
			err = notFound("message " + id)
		}
		return m, err
	})
}
