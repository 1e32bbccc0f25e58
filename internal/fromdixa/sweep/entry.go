// Package sweep finds what no webhook reported. It compares Dixa's activity log with
// the received events, and Dixa's answers with the known state. It makes no requests
// and stores nothing.
package sweep

import (
	"cmp"
	"encoding/json"
	"time"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/mirror"
)

// Entry is an entry of Dixa's activity log.
type Entry struct {
	ID string
	At time.Time
	// Type is what happened, in Dixa's spelling.
	Type string
	// Reported says that the timeline already has the entry. Its event may still have
	// arrived since, and must not be taken for the event of another entry.
	Reported bool
	Details
}

// Details are the further contents of an entry. Names are personal data.
type Details struct {
	// Author is who did it.
	Author *claim.Person `json:"author,omitempty"`
	// Persons are the other people it names.
	Persons []claim.Person `json:"persons,omitempty"`
	Queue   *claim.Queue   `json:"queue,omitempty"`
	// Detail is the extra text for the timeline.
	Detail string `json:"detail,omitempty"`
}

// Read parses an entry. It leaves out what Dixa omits or writes in another format.
func Read(a mirror.Activity) Entry {
	e := Entry{ID: a.ID, At: a.At, Type: a.Type}
	if a.AuthorID != "" {
		e.Author = &claim.Person{ID: a.AuthorID, Name: a.AuthorName}
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
	_ = json.Unmarshal(a.Attributes, &more) // unreadable attributes are left out
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

// Parts are the parts of a conversation to query from Dixa, one request each.
type Parts uint8

// The parts of a conversation.
const (
	Conversation Parts = 1 << iota // state and people
	Tags
	Messages
	Notes
	Ratings
)

// Has reports whether p contains all of some.
func (p Parts) Has(some Parts) bool { return p&some == some }

// kind is the meaning of an entry type.
type kind struct {
	// events are the events that Dixa may send for it; it sends one of them.
	events []dixa.EventName
	// what is the timeline's text; empty if the entry is not worth one.
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

// kinds are the entry types that Dixa lists, in the words that [fold.Read] uses for
// their events, so that an entry matches its event. Dixa does not document every
// match; a wrong one costs only one request too many.
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
	// No event reports it.
	redacted:                              tells("message redacted", Messages),
	"ConversationCustomAttributesUpdated": tells("attributes changed", 0, dixa.EventConversationCustomAttributeUpdated),

	// Not followed here.
	"ConversationChannelChanged": {}, "ConversationLanguageUpdated": {}, "ConversationLinkedFromChild": {}, "ConversationLinkedToParent": {},
	"ConversationOfferRejected": {}, "ConversationOfferTimeout": {}, "ConversationRatingCancelled": {}, "ConversationRatingNotOffered": {},
	"ConversationRatingOffered": {}, "ConversationRatingScheduled": {}, "ConversationRatingUnscheduled": {}, "ConversationReserved": {},
	"ConversationResolvedStateToggled": {}, "ConversationSubjectUpdated": {}, "ConversationTranscriptionEnded": {},
	"ConversationTranscriptionStarted": {}, "ConversationUnlinkedFromChild": {}, "ConversationUnlinkedToParent": {}, "TransferFailed": {},
}

const redacted = "ConversationMessageRedacted"

// kindOf returns the meaning of a type. An unknown type may have changed anything
// that one request returns.
func kindOf(activity string) kind {
	if k, ok := kinds[activity]; ok {
		return k
	}
	return kind{parts: Conversation | Tags}
}
