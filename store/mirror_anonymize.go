package store

import (
	"context"
	"maps"
	"slices"
)

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
		if err := m.addMessage(insert, message.Anonymized()); err != nil {
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
		body, err := m.sealJSON(activityBody, a.Anonymized(), m.ConnectionID, a.ID)
		if err != nil {
			return err
		}
		_, err = exec(ctx, m.tx, `UPDATE activities SET body = $3, change = $4 WHERE connection_id = $1 AND id = $2`, m.ConnectionID, a.ID, body, m.next())
		if err != nil {
			return err
		}
	}
	return nil
}
