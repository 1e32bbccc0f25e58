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
	fresh := map[messageKey]mirror.Message{}
	for _, message := range m.Messages {
		if !m.wants(message.ConversationID, claim.StreamMessages) {
			m.result.Messages.Excluded++
			continue
		}
		key := messageKey{message.ConversationID, message.ID}
		if earlier, ok := fresh[key]; ok {
			message = mirror.MergeMessages(earlier, message)
		} else {
			keys = append(keys, key)
		}
		fresh[key] = message
	}
	for batch := range slices.Chunk(keys, mirrorBatchSize) {
		known, err := m.messages(ctx, batch)
		if err != nil {
			return err
		}
		insert := newMessageUpsert()
		for _, key := range batch {
			message := fresh[key]
			old, ok := known[key]
			if ok {
				message = mirror.MergeMessages(old, message)
			}
			if m.anonymized(key.conversationID) {
				message = message.Anonymized()
			}
			switch {
			case !ok:
				m.result.Messages.Added++
			case !old.Equal(message):
				m.result.Messages.Changed++
			default:
				continue
			}
			if err := m.addMessage(insert, message); err != nil {
				return err
			}
			m.touch(key.conversationID)
		}
		if err := insert.run(ctx, m.tx, m.dialect); err != nil {
			return err
		}
	}
	return nil
}

func newMessageUpsert() *upsert {
	return newUpsert("messages", []string{"connection_id", "conversation_id", "id"},
		"at", "kind", "direction", "author_id", "automated", "listed", "body", "stored_at", "change")
}

func (m *merge) addMessage(insert *upsert, message mirror.Message) error {
	stored := storedMessage{Message: message}
	for _, a := range message.Attachments {
		stored.Sources = append(stored.Sources, a.Source)
	}
	body, err := m.sealJSON(messageBody, stored, m.ConnectionID, number(message.ConversationID), message.ID)
	if err != nil {
		return err
	}
	var author string
	if message.Author != nil {
		author = message.Author.ID
	}
	automated := sql.NullBool{Bool: message.Automated, Valid: message.AutomatedKnown || message.Automated}
	insert.add(m.ConnectionID, message.ConversationID, message.ID, micros(message.At), plain(message.Kind), plain(message.Direction), plain(author),
		automated, message.Source == mirror.FromList, body, micros(m.now), m.next())
	return nil
}

// messages reads the messages with the given keys.
func (m *merge) messages(ctx context.Context, keys []messageKey) (map[messageKey]mirror.Message, error) {
	known := map[messageKey]mirror.Message{}
	args := arguments{m.ConnectionID}
	wanted := make([]string, len(keys))
	for i, key := range keys {
		wanted[i] = "(CAST(" + args.add(key.conversationID) + " AS BIGINT), CAST(" + args.add(key.id) + " AS TEXT))"
	}
	err := queryEach(ctx, m.tx, func(scan func(...any) error) error {
		message, err := m.scanMessage(scan)
		known[messageKey{message.ConversationID, message.ID}] = message
		return err
	}, `WITH wanted (conversation_id, id) AS (VALUES `+strings.Join(wanted, ", ")+`)
		SELECT m.connection_id, m.conversation_id, m.id, m.listed, m.body FROM wanted w
		JOIN messages m ON m.connection_id = $1 AND m.conversation_id = w.conversation_id AND m.id = w.id`, args...)
	return known, err
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
