package server

import (
	"slices"
	"time"
)

type activityUserBody struct {
	ID          string `json:"id"`
	Name        string `json:"name,omitempty"`
	Email       string `json:"email,omitempty"`
	PhoneNumber string `json:"phoneNumber,omitempty"`
}

type activityBody struct {
	ID             string            `json:"id"`
	ConversationID int64             `json:"conversationId"`
	At             string            `json:"activityTimestamp"`
	DeprecatedType string            `json:"activityType"`
	Type           string            `json:"_type"`
	Author         *activityUserBody `json:"author,omitempty"`
	Attributes     map[string]any    `json:"attributes,omitempty"`
}

// record adds an entry to the activity log and updates the conversation's time of
// change. kind is the _type of the entry's
// attributes. If kind is empty, the entry has no attributes.
func (s *Server) record(c *call, conversation *Conversation, activity, author, kind string, attributes map[string]any) {
	if c.now.After(conversation.UpdatedAt) {
		conversation.UpdatedAt = c.now
	}
	if s.switches.ActivityEntries == "no-messages" && (kind == "MessageAddedAttribute" || kind == "NoteAddedAttribute") {
		return
	}
	entry := &Activity{
		ID: s.newID(), ConversationID: conversation.ID, At: c.now.Add(time.Duration(s.switches.ActivityShift)),
		VisibleAt: c.now.Add(time.Duration(s.switches.ListLag)), Type: activity, AuthorID: author,
		QueueID: conversation.QueueID, AssigneeID: conversation.AssigneeID,
	}
	if kind != "" {
		entry.Attributes = map[string]any{"_type": kind}
		for name, value := range attributes {
			if value != "" {
				entry.Attributes[name] = value
			}
		}
	}
	s.state.Activity = append(s.state.Activity, entry)
}

func (s *Server) activityUser(id string) activityUserBody {
	if person := s.person(id); person != nil {
		return activityUserBody{person.ID, person.DisplayName, person.Email, person.PhoneNumber}
	}
	return activityUserBody{ID: id}
}

func (s *Server) activityBody(entry *Activity) activityBody {
	body := activityBody{
		ID: entry.ID, ConversationID: entry.ConversationID, At: s.zoned(entry.At),
		DeprecatedType: deprecatedActivity(entry.Type), Type: entry.Type, Attributes: entry.Attributes,
	}
	if entry.AuthorID != "" {
		author := s.activityUser(entry.AuthorID)
		body.Author = &author
	}
	return body
}

// newActivities are the types without a deprecated counterpart in the contract.
var newActivities = []string{
	"ConversationChannelChanged", "ConversationCustomAttributesUpdated", "ConversationLinkedFromChild",
	"ConversationLinkedToParent", "ConversationMessageRedacted", "ConversationRatingNotOffered",
	"ConversationResolvedStateToggled", "ConversationUnlinkedFromChild", "ConversationUnlinkedToParent",
}

func deprecatedActivity(activity string) string {
	if slices.Contains(newActivities, activity) {
		return "UnknownActivityType"
	}
	return activity + "ActivityType"
}

func (s *Server) listConversationActivity(c *call) (reply, error) {
	id, err := c.int64("conversationId")
	if err != nil {
		return reply{}, err
	}
	// The operation documents no 404, so an unknown conversation has no entries.
	all := func(*Activity) bool { return true }
	return ok(each(s.activity(c, s.conversationActivity(id), all), s.activityBody))
}

// maxActivityPeriod is the longest period of the organization's activity log that the
// switch activityPeriod accepts.
const maxActivityPeriod = 90 * 24 * time.Hour

func (s *Server) listActivity(c *call) (reply, error) {
	filters := *c
	filters.query = c.filters()
	from, err := filters.instant("fromDatetime")
	if err != nil {
		return reply{}, err
	}
	to, err := filters.instant("toDatetime")
	if err != nil {
		return reply{}, err
	}
	end := to
	if end.IsZero() {
		end = c.now
	}
	if c.switches.ActivityPeriod == Rejected && end.Sub(from) > maxActivityPeriod {
		return reply{}, bad(messageInvalid)
	}
	entries := s.activity(c, s.state.Activity, func(entry *Activity) bool {
		return !entry.At.Before(from) && (to.IsZero() || !entry.At.After(to))
	})
	return pageOf(c, "/conversations/activitylog", 10_000, entries, s.activityBody)
}

// activity returns the visible ones of the given entries that are wanted, in the order
// set by the switch activityOrder.
func (s *Server) activity(c *call, entries []*Activity, wanted func(*Activity) bool) []*Activity {
	var found []*Activity
	for _, entry := range entries {
		if wanted(entry) && !entry.VisibleAt.After(c.now) {
			found = append(found, entry)
		}
	}
	if c.switches.ActivityOrder == NewestFirst {
		slices.Reverse(found)
	}
	return found
}
