package unify

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/mirror"
	"github.com/claimflow/claimflow/store"
	"github.com/claimflow/claimflow/unified"
)

// feedMargin is how far Dixa's clock may be behind. A record that Dixa created so long
// before an endpoint counts as new.
const feedMargin = time.Minute

// eventMaker makes the events of a batch of changes.
type eventMaker struct {
	*Service
	log    *slog.Logger
	feed   *store.RecordFeed
	at     time.Time
	events []store.RecordEvent

	tickets  map[int64]store.ChangedTicket
	messages map[messageID]store.ChangedMessage
	entries  map[mirror.DirectoryKind]map[string]store.ChangedEntry
	names    names
	mapping  unified.Mapping
	teams    []mirror.DirectoryEntry
}

type messageID struct {
	conversation int64
	id           string
}

func (m *eventMaker) make(ctx context.Context, changes []store.RecordChange) ([]store.RecordEvent, error) {
	changes = slices.DeleteFunc(changes, func(c store.RecordChange) bool { return !m.wanted(&c) })
	if len(changes) == 0 {
		return nil, nil
	}
	if err := m.load(ctx, changes); err != nil {
		return nil, err
	}
	for i := range changes {
		if err := m.add(&changes[i]); err != nil {
			return nil, err
		}
	}
	return m.events, nil
}

// wanted reports whether the endpoint may want an event about a change.
func (m *eventMaker) wanted(c *store.RecordChange) bool {
	kind := claim.RecordUpdated
	switch {
	case c.Deleted:
		kind = claim.RecordDeleted
	case c.Added:
		kind = claim.RecordCreated
	}
	return slices.ContainsFunc(unified.ResourcesOf(kindOf(c)), func(resource string) bool { return m.feed.Wants(kind, resource) })
}

// kindOf returns what a change is about.
func kindOf(c *store.RecordChange) unified.RecordKind {
	switch {
	case c.Kind != "":
		return unified.RecordKind(c.Kind)
	case c.ID != "":
		return unified.RecordMessage
	default:
		return unified.RecordConversation
	}
}

// load reads what the changes are about and the names that they refer to.
func (m *eventMaker) load(ctx context.Context, changes []store.RecordChange) (err error) {
	var conversations, ofMessages []int64
	var messages []string
	entries := wanted{}
	for i := range changes {
		switch c := &changes[i]; {
		case c.Deleted:
		case c.Kind != "":
			entries.add(c.Kind, c.ID)
		case c.ID != "":
			messages, ofMessages = append(messages, c.ID), append(ofMessages, c.ConversationID)
			conversations = append(conversations, c.ConversationID)
		default:
			conversations = append(conversations, c.ConversationID)
		}
	}
	account, records := m.feed.ConnectionID, m.Store.Mirror
	slices.Sort(conversations)
	if m.tickets, err = records.ChangedTickets(ctx, account, slices.Compact(conversations)); err != nil {
		return err
	}
	found, err := records.ChangedMessages(ctx, account, ofMessages, messages)
	if err != nil {
		return err
	}
	m.messages = map[messageID]store.ChangedMessage{}
	for i := range found {
		m.messages[messageID{found[i].ConversationID, found[i].ID}] = found[i]
	}
	changed, err := records.ChangedEntries(ctx, account, entries)
	if err != nil {
		return err
	}
	m.entries = map[mirror.DirectoryKind]map[string]store.ChangedEntry{}
	for _, e := range changed {
		if m.entries[e.Kind] == nil {
			m.entries[e.Kind] = map[string]store.ChangedEntry{}
		}
		m.entries[e.Kind][e.ID] = e
	}
	if m.mapping, err = m.Store.Mappings.All(ctx, account); err != nil {
		return err
	}
	return m.loadNames(ctx)
}

// loadNames reads the names from the mirror: events never ask Dixa.
func (m *eventMaker) loadNames(ctx context.Context) error {
	w := wanted{}
	for _, t := range m.tickets {
		w.ofTicket(&t.Ticket)
	}
	for _, c := range m.messages {
		w.ofMessage(&c.Message)
	}
	found, err := m.Store.Mirror.DirectoryByID(ctx, m.feed.ConnectionID, w.unique())
	if err != nil {
		return err
	}
	m.names = names{}
	for _, e := range found {
		if m.names[e.Kind] == nil {
			m.names[e.Kind] = map[string]mirror.DirectoryEntry{}
		}
		m.names[e.Kind][e.ID] = e
	}
	if len(m.entries[mirror.KindAgent]) == 0 {
		return nil
	}
	rows, err := m.Store.Mirror.DirectoryRows(ctx, m.feed.ConnectionID, mirror.KindTeam)
	for i := range rows {
		if rows[i].GoneAt.IsZero() {
			m.teams = append(m.teams, rows[i].DirectoryEntry)
		}
	}
	return err
}

// add adds the events of a change.
func (m *eventMaker) add(c *store.RecordChange) error {
	switch {
	case c.Deleted:
		return m.addDeleted(c)
	case c.Kind != "":
		return m.addEntry(c)
	case c.ID != "":
		return m.addMessage(c)
	default:
		return m.addTicket(c)
	}
}

// addDeleted adds the deletion of a record. That of a message deletes its files too.
func (m *eventMaker) addDeleted(c *store.RecordChange) error {
	id := c.ID
	if kindOf(c) == unified.RecordConversation {
		id = fmt.Sprint(c.ConversationID)
	}
	for _, resource := range unified.ResourcesOf(kindOf(c)) {
		if resource == unified.ResourceAttachments {
			continue
		}
		if err := m.put(c, claim.RecordDeleted, resource, deleted{ID: id}); err != nil {
			return err
		}
	}
	return nil
}

// deleted is a record that is no longer known.
type deleted struct {
	ID string `json:"id"`
}

func (d deleted) Key() string { return d.ID }

// told returns the type of an event about a change, or an empty text if there is none:
// an older change of a record that changed again, or one of a record that existed before
// the endpoint and came with an import. at is when the record last changed in Dixa, and
// created when it was created there; zero if unknown. last is the last change.
func (m *eventMaker) told(c *store.RecordChange, created, at time.Time, last int64) string {
	late := func(t time.Time) bool {
		return !m.feed.History && c.FirstChange > m.feed.StartChange && t.Before(m.feed.StartAt.Add(-feedMargin))
	}
	switch {
	case c.Added && late(created):
		return ""
	case c.Added:
		return claim.RecordCreated
	case c.Change != last, late(at):
		return ""
	default:
		return claim.RecordUpdated
	}
}

func (m *eventMaker) addTicket(c *store.RecordChange) error {
	t, ok := m.tickets[c.ConversationID]
	if !ok {
		return nil // deleted meanwhile
	}
	kind := m.told(c, t.CreatedAt, t.UpdatedAt, t.Change)
	if kind == "" {
		return nil
	}
	return m.put(c, kind, unified.ResourceTickets, unified.TicketOf(conversationOf(&t.Ticket), m.names))
}

func (m *eventMaker) addMessage(c *store.RecordChange) error {
	message, ok := m.messages[messageID{c.ConversationID, c.ID}]
	conversation, known := m.tickets[c.ConversationID]
	if !ok || !known {
		return nil // deleted meanwhile, or its conversation follows
	}
	kind := m.told(c, message.At, message.At, message.Change)
	if kind == "" {
		return nil
	}
	thread := &unified.Thread{Requester: conversation.Requester, Channel: conversation.Origin.Channel, FileURL: m.fileURL(m.feed.ConnectionID)}
	if err := m.put(c, kind, unified.ResourceComments, unified.CommentOf(&message.Message, thread, m.names)); err != nil {
		return err
	}
	for _, file := range unified.AttachmentsOf(&message.Message, thread, m.names) {
		if err := m.put(c, kind, unified.ResourceAttachments, file); err != nil {
			return err
		}
	}
	return nil
}

func (m *eventMaker) addEntry(c *store.RecordChange) error {
	e, ok := m.entries[c.Kind][c.ID]
	if !ok || !e.GoneAt.IsZero() {
		return nil // its deletion follows
	}
	kind := claim.RecordUpdated
	switch {
	case c.Added && c.History && !m.feed.History:
		return nil
	case c.Added:
		kind = claim.RecordCreated
	case c.Change != e.Change:
		return nil
	}
	for _, resource := range unified.ResourcesOf(kindOf(c)) {
		if !m.feed.Wants(kind, resource) {
			continue
		}
		o, err := unified.EntryOf(resource, e.DirectoryEntry, m.teams)
		if err != nil {
			// Waiting would stop the events of all other records, and reads fail too.
			m.log.Warn("left out an event about a record that cannot be read", "endpoint", m.feed.EndpointID, "connection", m.feed.ConnectionID, "resource", resource, "id", e.ID, "error", err)
			continue
		}
		if err := m.put(c, kind, resource, o); err != nil {
			return err
		}
	}
	return nil
}

// keyed is a record of an event.
type keyed interface{ Key() string }

// put adds an event, if the endpoint wants it.
func (m *eventMaker) put(c *store.RecordChange, kind, resource string, o keyed) error {
	if !m.feed.Wants(kind, resource) {
		return nil
	}
	if object, ok := o.(unified.Object); ok {
		m.mapping.Apply(object)
	}
	record, err := json.Marshal(o)
	if err != nil {
		return fmt.Errorf("encode %s %s: %w", resource, o.Key(), err)
	}
	body, err := json.Marshal(claim.RecordNotice{Type: kind, Timestamp: m.at.UTC(), Data: claim.RecordNoticeData{
		IntegratedAccountID: m.feed.ConnectionID, Resource: resource, ID: o.Key(), Change: c.Change, Record: record,
	}})
	if err != nil {
		return fmt.Errorf("encode the event about %s %s: %w", resource, o.Key(), err)
	}
	m.events = append(m.events, store.RecordEvent{
		Type: kind, Resource: resource, ID: o.Key(), Change: c.Change, ConversationID: c.ConversationID, Kind: c.Kind, EntryID: c.ID, Body: body,
	})
	return nil
}
