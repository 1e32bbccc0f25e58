package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"math"
	"strconv"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/mirror"
)

// errDryRun rolls back the changes of a dry run.
var errDryRun = errors.New("dry run")

// Erase deletes or blanks the rows of what belongs to the customer, and counts them in
// the report, atomically: it can be repeated at any time. A dry run only counts. more
// says that there were too many rows for one transaction.
func (s Erasures) Erase(ctx context.Context, e claim.Erasure, subject ErasureSubject) (more bool, err error) {
	doing := "erase a " + subject.Kind + " for erasure " + e.ID
	var rows map[string]int
	err = s.write(ctx, doing, func(tx *sql.Tx) error {
		var err error
		if rows, more, err = s.eraseSubject(ctx, tx, e, subject); err != nil {
			return err
		}
		if e.DryRun {
			return errDryRun
		}
		return s.erased(ctx, tx, e.ID, subject, rows, !more)
	})
	if e.DryRun && errors.Is(err, errDryRun) {
		err = s.write(ctx, doing, func(tx *sql.Tx) error { return s.erased(ctx, tx, e.ID, subject, rows, true) })
		more = false
	}
	return more, err
}

// erased records that rows of a subject were erased. Rows of one that is done are not
// counted twice.
func (s *core) erased(ctx context.Context, tx *sql.Tx, id string, subject ErasureSubject, rows map[string]int, done bool) error {
	n, err := exec(ctx, tx, `UPDATE erasure_subjects SET done = $5 WHERE erasure_id = $1 AND kind = $2 AND connection_id = $3 AND id = $4 AND NOT done`,
		id, subject.Kind, subject.ConnectionID, subject.ID, done)
	if err != nil || n == 0 {
		return err
	}
	return s.addRows(ctx, tx, id, rows)
}

// Again makes an erasure erase everything again that it found.
func (s Erasures) Again(ctx context.Context, id string) error {
	return s.execute(ctx, "repeat erasure "+id, nil, `UPDATE erasure_subjects SET done = FALSE WHERE erasure_id = $1 AND done`, id)
}

func (s *core) eraseSubject(ctx context.Context, tx *sql.Tx, e claim.Erasure, x ErasureSubject) (rows map[string]int, more bool, err error) {
	switch x.Kind {
	case SubjectClaim:
		rows, err = s.eraseClaim(ctx, tx, claim.Ref{Shop: e.Shop, ID: x.ID})
	case SubjectConversation:
		id, parseErr := strconv.ParseInt(x.ID, 10, 64)
		if parseErr != nil {
			return nil, false, parseErr
		}
		rows, err = s.eraseConversation(ctx, tx, e.ID, x.ConnectionID, id)
	case SubjectEndUser:
		limit := erasureMessages
		if e.DryRun {
			limit = math.MaxInt32
		}
		return s.eraseEndUser(ctx, tx, e.ID, x, limit)
	}
	return rows, false, err
}

// eraseClaim removes the content of a claim: what its customer or owner wrote and what
// identifies the customer or the purchase. The state, the reason, the times and the ids
// of the claim and its conversation stay. It returns the number of rows that it changed
// by table.
func (s *core) eraseClaim(ctx context.Context, tx *sql.Tx, ref claim.Ref) (map[string]int, error) {
	row, err := lockClaim(ctx, tx, ref)
	if err != nil {
		return nil, err
	}
	rows := map[string]int{}
	if !row.erased {
		if err := s.blankClaim(ctx, tx, ref); err != nil {
			return nil, err
		}
		rows["claims"] = 1
	}
	if rows["outbox"], err = s.blankOutbox(ctx, tx, ref); err != nil {
		return nil, err
	}
	now := s.now()
	for _, change := range []struct {
		table, query string
		args         []any
	}{
		{"drafts", `DELETE FROM drafts WHERE shop = $1 AND claim_id = $2`, nil},
		{"instructions", `DELETE FROM instructions WHERE shop = $1 AND claim_id = $2`, nil},
		{"timeline", `DELETE FROM timeline WHERE shop = $1 AND claim_id = $2`, nil},
		{"intents", `UPDATE intents SET result = '' WHERE shop = $1 AND claim_id = $2 AND step LIKE '` + claim.StepCustomer + `%' AND result <> ''`, nil},
		{"links", `UPDATE links SET end_user_id = '' WHERE shop = $1 AND claim_id = $2 AND end_user_id <> ''`, nil},
		{"deliveries", `UPDATE deliveries SET last_error = '', note = '' WHERE shop = $1 AND claim_id = $2 AND (last_error <> '' OR note <> '')`, nil},
		{"owner_inbox", `UPDATE owner_inbox SET body = NULL, state = CASE WHEN state = 'waiting' THEN 'ignored' ELSE state END,
			why = CASE WHEN state = 'waiting' THEN 'the claim was erased' ELSE why END, handled_at = CASE WHEN handled_at = 0 THEN $3 ELSE handled_at END
			WHERE shop = $1 AND claim_id = $2 AND body IS NOT NULL`, []any{now}},
	} {
		n, err := exec(ctx, tx, change.query, append([]any{ref.Shop, ref.ID}, change.args...)...)
		if err != nil {
			return nil, err
		}
		rows[change.table] = n
	}
	return rows, nil
}

func (s *core) blankClaim(ctx context.Context, tx *sql.Tx, ref claim.Ref) error {
	latest, err := s.latest(ctx, tx, ref)
	if err != nil {
		return err
	}
	body, err := s.sealJSON(claimBody, latest.Anonymized(), ref.Shop, ref.ID)
	if err != nil {
		return err
	}
	_, err = exec(ctx, tx, `UPDATE claims SET body = $3, edited = NULL, latest = NULL, order_number = '', end_user_id = '', customer = '', last_error = '', erased_at = $4
		WHERE shop = $1 AND id = $2`, ref.Shop, ref.ID, body, s.now())
	return err
}

// blankOutbox removes the order number from the events for a claim's owner. The events
// stay, so that the owner learns the claim's end.
func (s *core) blankOutbox(ctx context.Context, tx *sql.Tx, ref claim.Ref) (n int, err error) {
	type event struct {
		id     string
		sealed []byte
	}
	events, err := collect(ctx, tx, func(scan func(...any) error) (e event, err error) {
		err = scan(&e.id, &e.sealed)
		return e, err
	}, `SELECT id, body FROM outbox WHERE shop = $1 AND claim_id = $2 ORDER BY sequence`, ref.Shop, ref.ID)
	if err != nil {
		return 0, err
	}
	for _, e := range events {
		body, err := s.open(outboxBody, e.sealed, ref.Shop, ref.ID, e.id)
		if err != nil {
			return 0, err
		}
		var notice claim.Notice
		if json.Unmarshal(body, &notice) != nil {
			notice = claim.Notice{}
		}
		clean := notice
		clean.Data.OrderNumber = ""
		blank, err := json.Marshal(clean)
		if err != nil {
			return 0, err
		}
		if notice.Type != "" && notice.Data.OrderNumber == "" {
			continue
		}
		sealed, err := s.seal(outboxBody, blank, ref.Shop, ref.ID, e.id)
		if err != nil {
			return 0, err
		}
		if _, err := exec(ctx, tx, `UPDATE outbox SET body = $4 WHERE shop = $1 AND claim_id = $2 AND id = $3`, ref.Shop, ref.ID, e.id, sealed); err != nil {
			return 0, err
		}
		n++
	}
	return n, nil
}

// eraseConversation blanks a conversation for good: what an import or an event says of
// it later stays blank too.
func (s *core) eraseConversation(ctx context.Context, tx *sql.Tx, erasureID, connectionID string, id int64) (map[string]int, error) {
	// The claim is locked before the mirror, and the mirror before the erasure.
	m := &merge{core: s, tx: tx, MirrorBatch: MirrorBatch{ConnectionID: connectionID, Facts: []ConversationFact{{id, mirror.Fact{AnonymizedAt: timeOf(s.now())}}}}}
	if err := m.load(ctx); err != nil {
		return nil, err
	}
	if err := m.lockClaims(ctx); err != nil {
		return nil, err
	}
	known, err := s.conversationRows(ctx, tx, connectionID, m.ids)
	if err != nil {
		return nil, err
	}
	rows := map[string]int{}
	switch row := known[id]; {
	case row == nil:
		// Messages and entries of the log that came before their conversation.
		for _, table := range []string{"messages", "activities"} {
			if rows[table], err = exec(ctx, tx, `DELETE FROM `+table+` WHERE connection_id = $1 AND conversation_id = $2`, connectionID, id); err != nil {
				return nil, err
			}
		}
	case row.Reported.AnonymizedAt.IsZero():
		rows["conversations"] = 1
		for _, table := range []string{"messages", "activities"} {
			var n int
			if err := queryOne(ctx, tx, nil, []any{&n}, `SELECT COUNT(*) FROM `+table+` WHERE connection_id = $1 AND conversation_id = $2`, connectionID, id); err != nil {
				return nil, err
			}
			rows[table] = n
		}
		if err := m.run(ctx); err != nil {
			return nil, err
		}
		if err := m.nudgeClaims(ctx); err != nil {
			return nil, err
		}
	}
	if _, err := exec(ctx, tx, `DELETE FROM deliveries WHERE about = $1`, aboutConversation(connectionID, id)); err != nil {
		return nil, err
	}
	for _, change := range []struct {
		table, query string
		args         []any
	}{
		{"inbox", `UPDATE inbox SET body = NULL WHERE connection_id = $1 AND conversation_id = $2 AND body IS NOT NULL`, nil},
		{"figures", `UPDATE figures SET requester_id = '' WHERE connection_id = $1 AND conversation_id = $2 AND requester_id <> ''`, nil},
		{"activity authors", `UPDATE activities SET author_id = '' WHERE connection_id = $1 AND conversation_id = $2 AND author_id IN (
			SELECT id FROM erasure_subjects WHERE erasure_id = $3 AND kind = $4 AND connection_id = $1)`, []any{erasureID, SubjectEndUser}},
	} {
		n, err := exec(ctx, tx, change.query, append([]any{connectionID, id}, change.args...)...)
		if err != nil {
			return nil, err
		}
		if change.table != "activity authors" {
			rows[change.table] = n
		}
	}
	return rows, nil
}

// erasureMessages bounds the messages that one transaction blanks in conversations of
// others.
const erasureMessages = 200

// eraseEndUser forgets an end user: the cached id, the entry of the directory, and the
// messages that the end user wrote in conversations of others.
func (s *core) eraseEndUser(ctx context.Context, tx *sql.Tx, erasureID string, x ErasureSubject, limit int) (rows map[string]int, more bool, err error) {
	rows = map[string]int{}
	m := &merge{core: s, tx: tx, MirrorBatch: MirrorBatch{ConnectionID: x.ConnectionID}, now: timeOf(s.now())}
	if m.change, err = s.lockMirror(ctx, tx, x.ConnectionID); err != nil {
		return nil, false, err
	}
	if rows["customers"], err = exec(ctx, tx, `DELETE FROM customers WHERE connection_id = $1 AND end_user_id = $2`, x.ConnectionID, x.ID); err != nil {
		return nil, false, err
	}
	if rows["directory"], err = exec(ctx, tx, `DELETE FROM directory WHERE connection_id = $1 AND kind = $2 AND id = $3`, x.ConnectionID, mirror.KindEndUser, x.ID); err != nil {
		return nil, false, err
	}
	if rows["directory"] > 0 {
		if err := s.bury(ctx, tx, x.ConnectionID, string(mirror.KindEndUser), x.ID); err != nil {
			return nil, false, err
		}
	}
	if _, err := exec(ctx, tx, `DELETE FROM deliveries WHERE about = $1`, aboutEntry(x.ConnectionID, mirror.KindEndUser, x.ID)); err != nil {
		return nil, false, err
	}
	messages, err := collect(ctx, tx, s.scanMessage, `SELECT connection_id, conversation_id, id, listed, body FROM messages
		WHERE connection_id = $1 AND author_id = $2 AND NOT EXISTS (SELECT 1 FROM erasure_subjects o
			WHERE o.erasure_id = $4 AND o.kind = $5 AND o.connection_id = messages.connection_id AND o.id = CAST(messages.conversation_id AS TEXT))
		LIMIT $3`, x.ConnectionID, x.ID, limit, erasureID, SubjectConversation)
	if err != nil {
		return nil, false, err
	}
	insert := newMessageUpsert()
	for _, message := range messages {
		if _, err := exec(ctx, tx, `DELETE FROM deliveries WHERE about = $1`, aboutConversation(x.ConnectionID, message.ConversationID)); err != nil {
			return nil, false, err
		}
		blank := message.Anonymized()
		blank.Author = nil
		if err := m.addMessage(insert, &blank); err != nil {
			return nil, false, err
		}
	}
	rows["messages"] = len(messages)
	if err := insert.run(ctx, tx, s.dialect); err != nil {
		return nil, false, err
	}
	return rows, len(messages) == limit, saveChange(ctx, tx, x.ConnectionID, m.change)
}

// ForgetIdentity deletes the row of an identity, see [Customers.Reserve].
func (s Customers) ForgetIdentity(ctx context.Context, connectionID, identity string) error {
	return s.execute(ctx, "delete a customer", nil, `DELETE FROM customers WHERE connection_id = $1 AND identity = $2`, connectionID, s.identity(connectionID, identity))
}
