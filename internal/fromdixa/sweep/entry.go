// Package sweep judges what no webhook told: it compares Dixa's activity log with
// the events that came, and Dixa's answers with what is known here. It asks
// nobody and keeps nothing.
package sweep

import (
	"cmp"
	"encoding/json"
	"time"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/dixa"
)

// Entry is an entry of Dixa's activity log.
type Entry struct {
	ID string
	At time.Time
	// Type is what happened, as Dixa spells it.
	Type string
	Details
}

// Details are what an entry tells besides. Names are personal data.
type Details struct {
	// Author is who did it.
	Author *claim.Person `json:"author,omitempty"`
	// Persons are others that it names.
	Persons []claim.Person `json:"persons,omitempty"`
	Queue   *claim.Queue   `json:"queue,omitempty"`
	// Detail is what the timeline says more of it.
	Detail string `json:"detail,omitempty"`
}

// Read reads an entry. What Dixa leaves out, or writes in another way, is left
// out.
func Read(a *dixa.Activity) Entry {
	e := Entry{ID: a.ID, At: a.At.Time, Type: a.Type}
	if a.Author != nil && a.Author.ID != "" {
		e.Author = &claim.Person{ID: a.Author.ID, Name: a.Author.Name}
	}
	var more struct {
		AgentID          string             `json:"agentId"`
		AgentName        string             `json:"agentName"`
		DestinationType  string             `json:"destinationType"`
		DestinationID    string             `json:"destinationId"`
		DestinationLabel string             `json:"destinationLabel"`
		NewUser          *dixa.ActivityUser `json:"newUser"`
		QueueLabel       string             `json:"queueLabel"`
		Tag              string             `json:"tag"`
	}
	_ = json.Unmarshal(a.Attributes, &more) // what is not told is left out
	if more.AgentID != "" {
		e.Persons = append(e.Persons, claim.Person{ID: more.AgentID, Name: more.AgentName})
	}
	if more.NewUser != nil && more.NewUser.ID != "" {
		e.Persons = append(e.Persons, claim.Person{ID: more.NewUser.ID, Name: more.NewUser.Name})
	}
	switch more.DestinationType {
	case "Queue":
		e.Queue = &claim.Queue{ID: more.DestinationID, Name: more.DestinationLabel}
	case "Agent":
		e.Persons = append(e.Persons, claim.Person{ID: more.DestinationID, Name: more.DestinationLabel})
	}
	e.Detail = cmp.Or(more.Tag, more.DestinationLabel, more.AgentName, more.QueueLabel)
	if e.Detail == "" && more.NewUser != nil {
		e.Detail = more.NewUser.Name
	}
	return e
}

// Parts are what Dixa is to be asked of a conversation, one request each.
type Parts uint8

// The parts of a conversation.
const (
	Conversation Parts = 1 << iota // state and persons
	Tags
	Messages
	Notes
	Ratings
)

// Has reports whether some parts are among p.
func (p Parts) Has(some Parts) bool { return p&some == some }

// kind is what a type of entry means.
type kind struct {
	// events are the events that Dixa sends for it: one of them.
	events []dixa.EventName
	// what is what the timeline says; empty for what is not worth it.
	what string
	// parts may have changed.
	parts Parts
	// companion says that another entry beside it stands for the same event.
	companion bool
}

func tells(what string, parts Parts, events ...dixa.EventName) kind {
	return kind{events: events, what: what, parts: parts}
}

func beside(event dixa.EventName) kind {
	return kind{events: []dixa.EventName{event}, parts: Conversation, companion: true}
}

// kinds are the types of entries that Dixa lists, in the words that follow.Read
// has for their events, so that an entry and its event are known as one. Which
// event belongs to which is not documented everywhere: where this is wrong, Dixa
// is asked once too often.
var kinds = map[string]kind{
	"ConversationCreatedByAgent":    tells("conversation created", Conversation|Tags, dixa.EventConversationCreated),
	"ConversationCreatedByCustomer": tells("conversation created", Conversation|Tags, dixa.EventConversationCreated),
	"ConversationReopened":          tells("conversation reopened", Conversation, dixa.EventConversationOpen),
	"ConversationPending":           tells("follow-up set", Conversation, dixa.EventConversationPending),
	"FollowupAdded":                 beside(dixa.EventConversationPending),
	"FollowupExpired":               tells("follow-up expired", Conversation, dixa.EventConversationPendingExpired),
	"ConversationClosed":            tells("conversation closed", Conversation, dixa.EventConversationClosed, dixa.EventConversationAbandoned),
	"ConversationAssigned":          tells("assigned", Conversation, dixa.EventConversationAssigned),
	"ConversationClaimed":           beside(dixa.EventConversationAssigned),
	"ConversationOfferAccepted":     beside(dixa.EventConversationAssigned),
	"ConversationUnassigned":        tells("unassigned", Conversation, dixa.EventConversationUnassigned),
	"ConversationOffered":           beside(dixa.EventConversationEnqueued),
	"TransferInitiated":             beside(dixa.EventConversationTransferred),
	"TransferSuccessful":            tells("transferred", Conversation, dixa.EventConversationTransferred),
	"ConversationEndUserReplaced":   tells("customer replaced", Conversation, dixa.EventConversationEndUserReplaced),
	"ConversationRated":             tells("rated", Ratings, dixa.EventConversationRated),
	"TagAdded":                      tells("tag added", Tags, dixa.EventConversationTagAdded),
	"TagRemoved":                    tells("tag removed", Tags, dixa.EventConversationTagRemoved),
	"NoteAdded":                     tells("note added", Notes, dixa.EventConversationNoteAdded),
	"MessageAddedByCustomer":        tells("message from the customer", Messages, dixa.EventConversationMessageAdded),
	"MessageAddedByAgent":           tells("reply to the customer", Messages, dixa.EventConversationMessageAdded),
	"ConversationAutoreplySent":     tells("reply to the customer", Messages, dixa.EventConversationMessageAdded),
	// No event tells of it.
	redacted:                              tells("message redacted", Messages),
	"ConversationCustomAttributesUpdated": tells("attributes changed", 0, dixa.EventConversationCustomAttributeUpdated),

	// Nothing that is followed here.
	"ConversationChannelChanged": {}, "ConversationLanguageUpdated": {}, "ConversationLinkedFromChild": {}, "ConversationLinkedToParent": {},
	"ConversationOfferRejected": {}, "ConversationOfferTimeout": {}, "ConversationRatingCancelled": {}, "ConversationRatingNotOffered": {},
	"ConversationRatingOffered": {}, "ConversationRatingScheduled": {}, "ConversationRatingUnscheduled": {}, "ConversationReserved": {},
	"ConversationResolvedStateToggled": {}, "ConversationSubjectUpdated": {}, "ConversationTranscriptionEnded": {},
	"ConversationTranscriptionStarted": {}, "ConversationUnlinkedFromChild": {}, "ConversationUnlinkedToParent": {}, "TransferFailed": {},
}

const redacted = "ConversationMessageRedacted"

// kindOf is what a type means. One that is not known may have changed anything
// that one request tells.
func kindOf(activity string) kind {
	if k, ok := kinds[activity]; ok {
		return k
	}
	return kind{parts: Conversation | Tags}
}
