package store

import (
	"context"
	"maps"
	"slices"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/mirror"
)

// mergeActivities stores the activities of the batch. An entry of the log never
// changes.
func (m *merge) mergeActivities(ctx context.Context) error {
	for batch := range slices.Chunk(m.Activities, m.batchSize()) {
		args := arguments{m.ConnectionID}
		ids := make([]string, len(batch))
		for i := range batch {
			ids[i] = batch[i].ID
		}
		known := map[string]bool{}
		err := m.lookUp(ctx, m.tx, func(scan func(...any) error) error {
			id, err := single[string](scan)
			known[id] = true
			return err
		}, `SELECT id FROM `+m.activitiesWith(&args, ids), args)
		if err != nil {
			return err
		}
		if err := m.reconcileAgain(ctx, batch, known); err != nil {
			return err
		}
		insert := newUpsert("activities", []string{"connection_id", "id"},
			"conversation_id", "at", "type", "author_id", "agent_id", "queue_id", "queue_name", "message_id", "pending", "body", "stored_at", "change")
		for i := range batch {
			a := batch[i]
			switch {
			case !m.wants(a.ConversationID, claim.StreamActivityLogs):
				m.result.Activities.Excluded++
				continue
			case known[a.ID]:
				continue
			}
			known[a.ID] = true
			m.result.Activities.Added++
			if m.anonymized(a.ConversationID) {
				a = m.withoutPerson(a)
			}
			_, linked := m.linked[a.ConversationID]
			change := m.next()
			insert.addNew(func() ([]any, error) {
				body, err := m.sealJSON(activityBody, a, m.ConnectionID, a.ID)
				return []any{
					m.ConnectionID, a.ID, a.ConversationID, micros(a.At), plain(a.Type), plain(a.AuthorID), plain(a.AgentID), plain(a.QueueID), plain(a.QueueName), plain(a.MessageID),
					linked && m.Reconcile, body, micros(m.now), change,
				}, err
			})
			m.touch(a.ConversationID)
		}
		if err := insert.run(ctx, m.tx, m.dialect); err != nil {
			return err
		}
	}
	return nil
}

// activitiesWith is like [core.rowsOf] for the entries with the given ids.
func (m *merge) activitiesWith(args *arguments, ids []string) string {
	if m.dialect == onSQLite {
		return "activities WHERE connection_id = $1 AND id IN (" + placeholders(args, ids) + ")"
	}
	return "unnest(CAST(" + args.add(ids) + " AS TEXT[])) AS wanted (id_wanted) CROSS JOIN LATERAL (SELECT id FROM activities WHERE connection_id = $1 AND id = id_wanted OFFSET 0) AS found"
}

// addLogFacts adds what log entries say that came before their conversation, if the
// batch makes it known. An entry alone does not make a conversation known.
func (m *merge) addLogFacts(ctx context.Context) error {
	fresh := map[int64]bool{}
	for _, f := range m.Facts {
		if m.rows[f.ID] == nil {
			fresh[f.ID] = true
		}
	}
	for ids := range slices.Chunk(slices.Sorted(maps.Keys(fresh)), m.batchSize()) {
		args := arguments{m.ConnectionID}
		earlier, err := collect(ctx, m.tx, m.scanActivity(m.ConnectionID),
			`SELECT `+activityColumns+` FROM `+m.rowsOf("activities", &args, ids), m.planned(args)...)
		if err != nil {
			return err
		}
		for _, a := range earlier {
			m.Facts = append(m.Facts, ConversationFact{a.ConversationID, a.Fact()})
		}
	}
	return nil
}

// reconcileAgain lets known entries of claims' conversations wait for the sweep again:
// its comparison needs them beside the new ones.
func (m *merge) reconcileAgain(ctx context.Context, batch []mirror.Activity, known map[string]bool) error {
	var ids []string
	for i := range batch {
		if _, linked := m.linked[batch[i].ConversationID]; linked && known[batch[i].ID] && m.Reconcile {
			ids = append(ids, batch[i].ID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	args := arguments{m.ConnectionID}
	_, err := exec(ctx, m.tx, `UPDATE activities SET pending = TRUE WHERE connection_id = $1 AND NOT pending AND id IN (`+placeholders(&args, ids)+`)`, args...)
	return err
}

// scanActivity scans an activity with its body.
func (s *core) scanActivity(connectionID string) func(scan func(...any) error) (mirror.Activity, error) {
	return func(scan func(...any) error) (mirror.Activity, error) {
		var a mirror.Activity
		var at int64
		var body []byte
		if err := scan(&a.ID, &a.ConversationID, &at, &a.Type, &a.AuthorID, &a.AgentID, &a.QueueID, &a.QueueName, &a.MessageID, &body); err != nil {
			return a, err
		}
		err := s.openJSON(activityBody, body, &a, connectionID, a.ID)
		a.At = timeOf(at)
		return a, err
	}
}

const activityColumns = `id, conversation_id, at, type, author_id, agent_id, queue_id, queue_name, message_id, body`
