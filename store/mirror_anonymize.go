package store

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/claimflow/claimflow/mirror"
)

// findErased finds which conversations belong to customers who were erased. A source that
// was read before the erasure must not bring their data back.
func (m *merge) findErased(ctx context.Context) error {
	var some bool
	err := queryOne(ctx, m.tx, nil, []any{&some}, `SELECT EXISTS (SELECT 1 FROM erasure_subjects WHERE connection_id = $1 AND kind = $2)`, m.ConnectionID, SubjectConversation)
	if err != nil || !some {
		return err
	}
	m.erased = map[int64]time.Time{}
	var ids []string
	for _, id := range m.ids {
		if m.rows[id] == nil || m.anonymized(id) {
			ids = append(ids, number(id))
		}
	}
	for batch := range slices.Chunk(ids, m.batchSize()) {
		args := arguments{m.ConnectionID, SubjectConversation}
		err := queryEach(ctx, m.tx, func(scan func(...any) error) error {
			var id, at int64
			err := scan(&id, &at)
			m.erased[id] = timeOf(at)
			return err
		}, `SELECT CAST(s.id AS BIGINT), MAX(e.started_at) FROM erasure_subjects s JOIN erasures e ON e.id = s.erasure_id
			WHERE s.connection_id = $1 AND s.kind = $2 AND NOT e.dry_run AND s.id IN (`+placeholders(&args, batch)+`) GROUP BY s.id`, args...)
		if err != nil {
			return err
		}
	}
	return nil
}

// withoutPerson returns an activity of an anonymized conversation without personal data.
// Of a customer who was erased, not even the id stays, and authors are not told apart.
func (m *merge) withoutPerson(a mirror.Activity) mirror.Activity {
	if !m.erased[a.ConversationID].IsZero() {
		a.AuthorID = ""
	}
	return a.Anonymized()
}

// anonymized reports whether Dixa anonymized a conversation.
func (m *merge) anonymized(id int64) bool {
	row := m.rows[id]
	return row != nil && !row.Reported.AnonymizedAt.IsZero()
}

// anonymize removes the personal data of the stored messages and activities of
// conversations that the batch reports as anonymized for the first time.
func (m *merge) anonymize(ctx context.Context) error {
	done := map[int64]bool{}
	for _, f := range m.Facts {
		row := m.rows[f.ID]
		if done[f.ID] || row.excluded || !m.anonymized(f.ID) || !row.before.Reported.AnonymizedAt.IsZero() {
			continue
		}
		done[f.ID] = true
		if _, err := exec(ctx, m.tx, `DELETE FROM deliveries WHERE about = $1`, aboutConversation(m.ConnectionID, f.ID)); err != nil {
			return err
		}
		if err := m.forgetRequester(ctx, row); err != nil {
			return err
		}
		if err := m.anonymizeMessages(ctx, f.ID); err != nil {
			return err
		}
		if err := m.anonymizeActivities(ctx, f.ID); err != nil {
			return err
		}
	}
	return nil
}

// forgetRequester forgets for which customers an anonymized conversation's requester is
// remembered: Dixa may have anonymized the end user as well. The next claim looks the
// customer up again.
func (m *merge) forgetRequester(ctx context.Context, row *conversationRow) error {
	requesters := map[string]bool{}
	if row.before.Requester != nil {
		requesters[row.before.Requester.ID] = true
	}
	for _, f := range m.Facts {
		if f.ID == row.id && f.Requester != nil {
			requesters[f.Requester.ID] = true
		}
	}
	for _, id := range slices.Sorted(maps.Keys(requesters)) {
		if id == "" {
			continue
		}
		if _, err := exec(ctx, m.tx, `DELETE FROM customers WHERE connection_id = $1 AND end_user_id = $2`, m.ConnectionID, id); err != nil {
			return err
		}
	}
	return nil
}

func (m *merge) anonymizeMessages(ctx context.Context, id int64) error {
	messages, err := collect(ctx, m.tx, m.scanMessage,
		`SELECT connection_id, conversation_id, id, listed, body FROM messages WHERE connection_id = $1 AND conversation_id = $2 ORDER BY id`, m.ConnectionID, id)
	if err != nil {
		return err
	}
	insert := newMessageUpsert()
	for _, message := range messages {
		blank := message.Anonymized()
		if err := m.addMessage(insert, &blank); err != nil {
			return err
		}
	}
	return insert.run(ctx, m.tx, m.dialect)
}

func (m *merge) anonymizeActivities(ctx context.Context, id int64) error {
	activities, err := collect(ctx, m.tx, m.scanActivity(m.ConnectionID),
		`SELECT `+activityColumns+` FROM activities WHERE connection_id = $1 AND conversation_id = $2 ORDER BY id`, m.ConnectionID, id)
	if err != nil {
		return err
	}
	for _, a := range activities {
		a = m.withoutPerson(a)
		body, err := m.sealJSON(activityBody, a, m.ConnectionID, a.ID)
		if err != nil {
			return err
		}
		_, err = exec(ctx, m.tx, `UPDATE activities SET body = $3, change = $4, author_id = $5 WHERE connection_id = $1 AND id = $2`, m.ConnectionID, a.ID, body, m.next(), plain(a.AuthorID))
		if err != nil {
			return err
		}
	}
	return nil
}
