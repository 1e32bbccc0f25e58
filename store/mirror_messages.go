package store

import (
	"context"
	"database/sql"
	"slices"
	"strings"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/mirror"
)

// messageKey identifies a message of a connection.
type messageKey struct {
	conversationID int64
	id             string
}

// storedMessage is a message as stored, including the fields that are never exposed.
type storedMessage struct {
	mirror.Message
	Sources []string `json:"sources,omitempty"`
}

// mergeMessages merges the messages of the batch.
func (m *merge) mergeMessages(ctx context.Context) error {
	var keys []messageKey
	fresh := map[messageKey]*mirror.Message{}
	for i := range m.Messages {
		message := &m.Messages[i]
		if !m.wants(message.ConversationID, claim.StreamMessages) {
			m.result.Messages.Excluded++
			continue
		}
		key := messageKey{message.ConversationID, message.ID}
		if earlier, ok := fresh[key]; ok {
			merged := mirror.MergeMessages(*earlier, *message)
			message = &merged
		} else {
			keys = append(keys, key)
		}
		fresh[key] = message
	}
	for batch := range slices.Chunk(keys, m.batchSize()) {
		known, err := m.messages(ctx, batch)
		if err != nil {
			return err
		}
		insert := newMessageUpsert()
		for _, key := range batch {
			message := fresh[key]
			old, ok := known[key]
			if ok {
				merged := mirror.MergeMessages(old, *message)
				message = &merged
			}
			if m.anonymized(key.conversationID) {
				anonymized := message.Anonymized()
				message = &anonymized
			}
			switch {
			case !ok:
				m.result.Messages.Added++
			case !old.Equal(*message):
				m.result.Messages.Changed++
			default:
				continue
			}
			m.touch(key.conversationID)
			if !ok {
				insert.addNew(m.messageRow(message))
			} else if err := m.addMessage(insert, message); err != nil {
				return err
			}
		}
		if err := insert.run(ctx, m.tx, m.dialect); err != nil {
			return err
		}
	}
	return nil
}

func newMessageUpsert() *upsert {
	insert := newUpsert("messages", []string{"connection_id", "conversation_id", "id"},
		"at", "kind", "direction", "author_id", "automated", "listed", "body", "stored_at", "change", "first_change")
	insert.keep["first_change"] = `messages.first_change`
	return insert
}

func (m *merge) addMessage(insert *upsert, message *mirror.Message) error {
	values, err := m.messageRow(message)()
	insert.add(values...)
	return err
}

// messageRow returns what makes the row of a message.
func (m *merge) messageRow(message *mirror.Message) func() ([]any, error) {
	change := m.next()
	return func() ([]any, error) {
		stored := storedMessage{Message: *message}
		for _, a := range message.Attachments {
			stored.Sources = append(stored.Sources, a.Source)
		}
		body, err := m.sealJSON(messageBody, stored, m.ConnectionID, number(message.ConversationID), message.ID)
		var author string
		if message.Author != nil {
			author = message.Author.ID
		}
		automated := sql.NullBool{Bool: message.Automated, Valid: message.AutomatedKnown || message.Automated}
		return []any{
			m.ConnectionID, message.ConversationID, message.ID, micros(message.At), plain(message.Kind), plain(message.Direction), plain(author),
			automated, message.Source == mirror.FromList, body, micros(m.now), change, change,
		}, err
	}
}

// messages reads the messages with the given keys.
func (m *merge) messages(ctx context.Context, keys []messageKey) (map[messageKey]mirror.Message, error) {
	known := map[messageKey]mirror.Message{}
	args := arguments{m.ConnectionID}
	wanted, err := m.wanted(&args, keys)
	if err != nil {
		return nil, err
	}
	err = m.lookUp(ctx, m.tx, func(scan func(...any) error) error {
		message, err := m.scanMessage(scan)
		known[messageKey{message.ConversationID, message.ID}] = message
		return err
	}, `SELECT connection_id, conversation_id, id, listed, body FROM `+wanted, args)
	return known, err
}

// wanted is like [core.rowsOf] for the messages with the given keys.
func (m *merge) wanted(args *arguments, keys []messageKey) (string, error) {
	rows := make([][]any, len(keys))
	for i, key := range keys {
		rows[i] = []any{key.conversationID, key.id}
	}
	if m.dialect == onSQLite {
		values := make([]string, len(rows))
		for i, row := range rows {
			values[i] = "(" + placeholders(args, row) + ")"
		}
		return "(VALUES " + strings.Join(values, ", ") + ") AS wanted JOIN messages ON connection_id = $1 AND conversation_id = wanted.column1 AND id = wanted.column2", nil
	}
	list, err := unnested(args, rows)
	return list + " AS wanted (conversation_wanted, id_wanted) CROSS JOIN LATERAL (SELECT * FROM messages WHERE connection_id = $1 AND conversation_id = conversation_wanted AND id = id_wanted OFFSET 0) AS found", err
}

func (s *core) scanMessage(scan func(...any) error) (mirror.Message, error) {
	var stored storedMessage
	var connection, id string
	var conversation int64
	var listed bool
	var body []byte
	if err := scan(&connection, &conversation, &id, &listed, &body); err != nil {
		return mirror.Message{}, err
	}
	if err := s.openJSON(messageBody, body, &stored, connection, number(conversation), id); err != nil {
		return mirror.Message{}, err
	}
	stored.ID, stored.ConversationID, stored.Listed = id, conversation, listed
	if listed {
		stored.Source = mirror.FromList
	}
	for i := range stored.Attachments {
		if i < len(stored.Sources) {
			stored.Attachments[i].Source = stored.Sources[i]
		}
	}
	return stored.Message, nil
}

// scanClaimMessage is [core.scanMessage] for the message as claims see it.
func (s *core) scanClaimMessage(scan func(...any) error) (claim.Message, error) {
	m, err := s.scanMessage(scan)
	return m.Message, err
}
