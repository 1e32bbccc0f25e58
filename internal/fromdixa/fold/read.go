// Package fold parses Dixa's events and folds them into the state of a claim. Each
// event becomes a fact, a message and a timeline entry.
//
// [claim.Conversation.Apply] merges facts in any order. The shop's status rules
// decide what they mean.
package fold

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/dixa"
)

// Reading is the content of an event. Each part may be missing: an event of unknown
// shape says only that it happened.
type Reading struct {
	Fact claim.Fact
	// Messages are new messages and notes, or more complete versions of known ones.
	Messages []claim.Message
	// Timeline is the timeline entry; nil if the event is not worth one.
	Timeline *claim.TimelineEntry
	// CreatedAt is when the conversation began; zero if unknown.
	CreatedAt time.Time
	// Log are timeline entries by their ids in Dixa's activity log.
	Log map[string]claim.TimelineEntry
	// Seen are the ids of the events received before Log was made.
	Seen []string
	// Refreshed says that this is Dixa's answer to a query for the conversation's
	// state.
	Refreshed bool
}

// Read parses an inbox event from its id, its name in the inbox, its time and its
// body. It accepts any body and leaves out what it cannot parse.
func Read(id, name string, at time.Time, body []byte) Reading {
	r := read(id, name, at, body)
	// Such ids cannot be stored, and must not block the rest.
	r.Messages = slices.DeleteFunc(r.Messages, func(m claim.Message) bool { return !claim.IsID(m.ID) })
	maps.DeleteFunc(r.Log, func(id string, _ claim.TimelineEntry) bool { return !claim.IsID(id) })
	return r
}

func read(id, name string, at time.Time, body []byte) Reading {
	if name == NameRefreshed {
		return readRefreshed(id, body)
	}
	r := Reading{Fact: claim.Fact{Stamp: claim.Stamp{At: at, ID: id}}}
	event, err := dixa.ParseEvent(body)
	if err != nil {
		return r
	}
	if t := event.Timestamp.Time; !t.IsZero() {
		r.Fact.At = t
	}
	if c, ok := event.Conversation(); ok {
		r.CreatedAt = c.CreatedAt.Time
		r.snapshot(c)
	}
	r.transition(event.Name)
	r.Fact.Doubt = r.Fact.Status != claim.ConversationOpen && slices.Contains(mayOpen, event.Name)
	r.message(event)
	r.tagged(event)
	if rated, ok := event.Rated(); ok {
		if r.Fact.Comment = rated.Comment; rated.Score != nil {
			r.Fact.Rating = &claim.Rating{Score: *rated.Score, Comment: rated.Comment, At: r.Fact.At}
		}
	}
	r.Timeline = r.entry(event)
	return r
}

// snapshot copies the conversation's state at the time of the event.
func (r *Reading) snapshot(c *dixa.EventConversation) {
	r.Fact.Status = Status(c.State)
	r.Fact.People = true
	r.Fact.Assignee, r.Fact.Requester = person(c.Assignee), person(c.Requester)
	if c.Queue != nil && c.Queue.ID != "" {
		r.Fact.Queue = &claim.Queue{ID: c.Queue.ID, Name: c.Queue.Name}
	}
	if c.Tags != nil {
		r.Fact.Tags = []string{}
		for _, t := range c.Tags {
			if t.Name != "" {
				r.Fact.Tags = append(r.Fact.Tags, t.Name)
			}
		}
	}
}

// Status maps a Dixa state to a claim's conversation status. The state after an
// expired follow-up still awaits someone's action, so it counts as pending. An
// unknown state maps to empty.
func Status(s dixa.ConversationState) claim.ConversationStatus {
	switch s {
	case dixa.StateOpen:
		return claim.ConversationOpen
	case dixa.StatePending, dixa.StateAwaitingPending:
		return claim.ConversationPending
	case dixa.StateClosed:
		return claim.ConversationClosed
	}
	return ""
}

// transition derives the status from the event's name. The name outweighs the
// snapshot, which may have been taken slightly too early or too late.
func (r *Reading) transition(name dixa.EventName) {
	switch name {
	case dixa.EventConversationClosed, dixa.EventConversationAbandoned:
		r.Fact.Status = claim.ConversationClosed
	case dixa.EventConversationPending:
		r.Fact.Status = claim.ConversationPending
	case dixa.EventConversationOpen:
		r.Fact.Status = claim.ConversationOpen
	case dixa.EventConversationPendingExpired:
		r.Fact.Status = cmp.Or(r.Fact.Status, claim.ConversationOpen)
	case dixa.EventConversationCreated:
	default:
		return
	}
	r.Fact.Weight = claim.WeightTransition
}

// mayOpen are the events that may open a conversation. Dixa does not document
// whether their snapshots show the state before or after.
var mayOpen = []dixa.EventName{
	dixa.EventConversationMessageAdded, dixa.EventConversationPendingExpired, dixa.EventConversationAssigned,
	dixa.EventConversationEnqueued, dixa.EventConversationTransferred,
}

func (r *Reading) message(event *dixa.Event) {
	if m, ok := event.MessageAdded(); ok {
		text := cmp.Or(m.Content.Text, m.Text)
		message := claim.Message{
			ID: m.MessageID, Kind: claim.MessageKind, Direction: direction(m.Direction), Channel: string(m.Channel),
			Author: person(m.Author), At: cmp.Or(m.CreatedAt.Time, r.Fact.At), ExternalID: m.ExternalID,
		}
		if strings.EqualFold(m.Content.Type, "html") {
			message.HTML = text
		} else {
			message.Text = text
		}
		for i, a := range m.Attachments {
			message.Attachments = append(message.Attachments, claim.MessageAttachment{ID: strconv.Itoa(i + 1), Name: a.PrettyName, Source: a.URL})
		}
		r.Messages = append(r.Messages, message)
	}
	if n, ok := event.NoteAdded(); ok {
		r.Messages = append(r.Messages, claim.Message{
			ID: n.NoteID, Kind: claim.NoteKind, Author: person(n.Author), At: cmp.Or(n.CreatedAt.Time, r.Fact.At), Text: n.Text,
		})
	}
}

// tagged ensures that an added tag is present. Dixa does not document whether the
// snapshot was taken before or after.
func (r *Reading) tagged(event *dixa.Event) {
	if t, ok := event.TagAdded(); ok && r.Fact.Tags != nil && !slices.Contains(r.Fact.Tags, t.Tag) {
		r.Fact.Tags = append(r.Fact.Tags, t.Tag)
	}
}

func person(u *dixa.EventUser) *claim.Person {
	if u == nil || u.ID == "" {
		return nil
	}
	return &claim.Person{ID: u.ID, Name: u.Name}
}

func direction(d dixa.Direction) string {
	switch d {
	case dixa.Inbound:
		return claim.DirectionInbound
	case dixa.Outbound:
		return claim.DirectionOutbound
	}
	return strings.ToLower(string(d))
}

const (
	tagAdded   = "tag added"
	tagRemoved = "tag removed"
)

// timelineTexts describe the events that need no more than their name.
var timelineTexts = map[dixa.EventName]string{
	dixa.EventConversationCreated:                      "conversation created",
	dixa.EventConversationOpen:                         "conversation reopened",
	dixa.EventConversationPending:                      "follow-up set",
	dixa.EventConversationPendingExpired:               "follow-up expired",
	dixa.EventConversationClosed:                       "conversation closed",
	dixa.EventConversationAbandoned:                    "conversation closed without an agent",
	dixa.EventConversationEnqueued:                     "queued",
	dixa.EventConversationAssigned:                     "assigned",
	dixa.EventConversationUnassigned:                   "unassigned",
	dixa.EventConversationTransferred:                  "transferred",
	dixa.EventConversationMessageAdded:                 "message added",
	dixa.EventConversationNoteAdded:                    "note added",
	dixa.EventConversationTagAdded:                     tagAdded,
	dixa.EventConversationTagRemoved:                   tagRemoved,
	dixa.EventConversationRated:                        "rated",
	dixa.EventConversationEndUserReplaced:              "customer replaced",
	dixa.EventConversationCustomAttributeUpdated:       "attributes changed",
	dixa.EventConversationMessageDeliverySent:          "message sent",
	dixa.EventConversationMessageDeliveryDelivered:     "message delivered",
	dixa.EventConversationMessageDeliverySeen:          "message seen",
	dixa.EventConversationMessageDeliveryFailed:        "message not delivered",
	dixa.EventConversationMessageDeliverySpamComplaint: "message marked as spam",
	dixa.EventSLAEvaluationBreached:                    "SLA breached",
	dixa.EventSLAEvaluationAchieved:                    "SLA achieved",
}

// unremarkable are events that the timeline leaves out.
var unremarkable = []dixa.EventName{
	dixa.EventTypingStarted, dixa.EventConversationMessageDeliveryInfo, dixa.EventSLAEvaluationPending, dixa.EventSLAEvaluationVoided,
}

func (r *Reading) entry(event *dixa.Event) *claim.TimelineEntry {
	if slices.Contains(unremarkable, event.Name) {
		return nil
	}
	e := &claim.TimelineEntry{At: r.Fact.At, What: cmp.Or(timelineTexts[event.Name], strings.ToLower(strings.ReplaceAll(event.FQN, "_", " ")))}
	var data struct {
		Author *dixa.EventUser `json:"author"`
		Agent  *dixa.EventUser `json:"agent"`
		Tag    any             `json:"tag"`
	}
	_ = json.Unmarshal(event.Data, &data) // unreadable data is left out
	if author := cmp.Or(data.Author, data.Agent); author != nil {
		e.By = cmp.Or(author.Name, author.ID)
	}
	switch event.Name {
	case dixa.EventConversationMessageAdded:
		if len(r.Messages) > 0 {
			e.What = map[string]string{claim.DirectionInbound: "message from the customer", claim.DirectionOutbound: "reply to the customer"}[r.Messages[0].Direction]
			e.What = cmp.Or(e.What, "message added")
		}
	case dixa.EventConversationTagAdded, dixa.EventConversationTagRemoved:
		if name, ok := data.Tag.(string); ok {
			e.Detail = name
		}
	case dixa.EventConversationAssigned:
		e.Detail = nameOf(r.Fact.Assignee)
	case dixa.EventConversationEnqueued:
		e.Detail = queueName(r.Fact.Queue)
	case dixa.EventConversationTransferred:
		e.Detail = cmp.Or(queueName(r.Fact.Queue), nameOf(r.Fact.Assignee))
	case dixa.EventConversationEndUserReplaced:
		e.Detail = nameOf(r.Fact.Requester)
	case dixa.EventConversationRated:
		if r.Fact.Rating != nil {
			e.Detail = fmt.Sprint(r.Fact.Rating.Score)
		}
	}
	return e
}

func nameOf(p *claim.Person) string {
	if p == nil {
		return ""
	}
	return cmp.Or(p.Name, p.ID)
}

func queueName(q *claim.Queue) string {
	if q == nil {
		return ""
	}
	return cmp.Or(q.Name, q.ID)
}
