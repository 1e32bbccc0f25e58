package unified

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/mirror"
)

// Conversation is what a ticket is made of.
type Conversation struct {
	ID int64
	mirror.Conversation
	// UpdatedAt is the last activity and ClosedAt the last close; zero if unknown.
	UpdatedAt, ClosedAt time.Time
	// Object is Dixa's conversation. If it is nil, what is known is put into its form.
	Object json.RawMessage
}

// Names finds the entries of the directory that objects refer to.
type Names interface {
	// Entry returns an entry, and whether it is known.
	Entry(kind mirror.DirectoryKind, id string) (mirror.DirectoryEntry, bool)
}

// TicketOf returns a conversation as a ticket.
func TicketOf(c *Conversation, names Names) *Ticket {
	t := &Ticket{
		ID: conversationID(c.ID), Number: conversationID(c.ID), Name: text(c.Origin.Subject), Status: statusRef(c.Status),
		Assignees: []PersonRef{}, Collections: []CollectionRef{}, Tags: []Ref{}, Fields: map[string]json.RawMessage{},
		CreatedAt: instant(c.Origin.CreatedAt), UpdatedAt: instant(c.UpdatedAt), RemoteData: c.Object,
	}
	if t.RemoteData == nil {
		t.RemoteData = conversationObject(c)
	}
	if c.Status == claim.ConversationClosed {
		t.ClosedAt = instant(c.ClosedAt)
	}
	if c.Assignee != nil {
		t.Assignees = append(t.Assignees, personRef(names, mirror.KindAgent, c.Assignee.ID, c.Assignee.Name))
	}
	if c.Requester != nil {
		contact := personRef(names, mirror.KindEndUser, c.Requester.ID, c.Requester.Name)
		if len(contact.Emails) == 0 && c.Origin.Email != "" {
			contact.Emails = emails(c.Origin.Email, nil)
		}
		if len(contact.Phones) == 0 && c.Origin.Phone != "" {
			contact.Phones = phones(c.Origin.Phone, nil)
		}
		t.Contact = &contact
		if c.Origin.Direction == claim.DirectionInbound {
			t.CreatedBy = &TypedRef{ID: contact.ID, Name: contact.Name, Type: AuthorContact}
		}
	}
	if c.Queue != nil {
		t.Collections = append(t.Collections, CollectionRef{ID: c.Queue.ID, Name: nameOf(names, mirror.KindQueue, c.Queue.ID, c.Queue.Name), Type: CollectionQueue})
	}
	// Exports also name numbers and widgets, which the API does not.
	if point := c.Origin.ContactPoint; strings.Contains(point, "@") {
		t.Collections = append(t.Collections, CollectionRef{ID: point, Name: nameOf(names, mirror.KindContactEndpoint, point, ""), Type: CollectionEndpoint})
	}
	if c.Origin.Channel != "" {
		t.TicketType = &MappedRef{ID: c.Origin.Channel, Name: &c.Origin.Channel}
	}
	for _, name := range c.Tags {
		id := c.TagInfo[name].ID
		if id == "" {
			id = name // only exports and events know the tag, which name it
		}
		t.Tags = append(t.Tags, Ref{ID: id, Name: &name})
	}
	for id, a := range c.Attributes {
		name := a.Identifier
		if name == "" {
			name = id
		}
		t.Fields[name] = a.Value
	}
	return t
}

// Values of the type of an author.
const (
	AuthorUser    = "user"
	AuthorContact = "contact"
	AuthorSystem  = "system"
)

// nameOf returns the name of an entry of the directory, or another one if it is not
// known.
func nameOf(names Names, kind mirror.DirectoryKind, id, otherwise string) *string {
	if e, ok := names.Entry(kind, id); ok && e.Name != "" {
		return &e.Name
	}
	return text(otherwise)
}

// statusRef returns the reference to a state.
func statusRef(s claim.ConversationStatus) MappedRef {
	for _, known := range Statuses() {
		if known.ID == string(s) {
			return MappedRef{ID: known.ID, Name: &known.Name}
		}
	}
	return MappedRef{ID: string(s), Name: text(string(s))}
}

// Statuses returns the states of tickets.
func Statuses() []*Status {
	all := []*Status{}
	for _, s := range []claim.ConversationStatus{claim.ConversationOpen, claim.ConversationPending, claim.ConversationClosed} {
		all = append(all, &Status{ID: string(s), Name: string(s)})
	}
	return all
}
