// Package fold folds Dixa's events into the state of a claim. Each event becomes a
// fact and a message, which package mirror reads, and a timeline entry.
//
// [mirror.Conversation.Apply] merges facts in any order. The shop's status rules
// decide what they mean.
package fold

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/mirror"
)

// Reading is the content of an inbox event. Each part may be missing: an event of
// unknown shape says only that it happened.
type Reading struct {
	Fact mirror.Fact
	// Messages are new messages and notes, or more complete versions of known ones.
	Messages []mirror.Message
	// Timeline is the timeline entry; nil if the event is not worth one.
	Timeline *claim.TimelineEntry
	// CreatedAt is when the conversation began; zero if unknown.
	CreatedAt time.Time
	// Log are timeline entries by their ids in Dixa's activity log.
	Log map[string]claim.TimelineEntry
	// Seen are the ids of the events received before Log was made.
	Seen []string
}

// Read parses an inbox event from its id, its name in the inbox, its time and its
// body. It accepts any body and leaves out what it cannot parse.
func Read(id, name string, at time.Time, body []byte) Reading {
	if name == NameRefreshed {
		return readRefreshed(id, body)
	}
	event := mirror.ReadEvent(id, at, body)
	r := Reading{Fact: event.Fact, Messages: event.Messages}
	if event.Fact.Origin != nil {
		r.CreatedAt = event.Fact.Origin.CreatedAt
	}
	if event.Dixa != nil {
		r.Timeline = r.entry(event.Dixa)
	}
	return r
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
