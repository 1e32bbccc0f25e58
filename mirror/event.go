package mirror

import (
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/dixa"
)

// Event is the content of a webhook event. Each part may be missing: an event of
// unknown shape says only that it happened.
type Event struct {
	// ConversationID is zero if the event names no conversation.
	ConversationID int64
	Fact           Fact
	// Messages are the message or note that the event is about.
	Messages []Message
	// Dixa is the event itself; nil if it is unreadable.
	Dixa *dixa.Event
}

// ReadEvent reads a webhook event. id becomes the id of its fact, and at its time if
// the event has none. It accepts any body and leaves out what it cannot read, and
// messages with ids that cannot be stored.
func ReadEvent(id string, at time.Time, body []byte) Event {
	e := Event{Fact: Fact{Fact: claim.Fact{Stamp: claim.Stamp{At: at, ID: id}}}}
	event, err := dixa.ParseEvent(body)
	if err != nil {
		return e
	}
	e.Dixa = event
	if t := event.Timestamp.Time; !t.IsZero() {
		e.Fact.At = t
	}
	if c, ok := event.Conversation(); ok {
		e.ConversationID = c.ID
		e.Fact.snapshot(c)
	}
	e.Fact.transition(event.Name)
	e.Fact.Doubt = e.Fact.Status != claim.ConversationOpen && slices.Contains(mayOpen, event.Name)
	e.message()
	e.Fact.tagged(event)
	e.Fact.rated(event)
	e.Fact.change(event)
	return e
}

// snapshot copies the conversation's state at the time of the event.
func (f *Fact) snapshot(c *dixa.EventConversation) {
	f.Status = Status(c.State)
	f.People = true
	f.Assignee, f.Requester = person(c.Assignee), person(c.Requester)
	if c.Queue != nil {
		f.Queue = queueOf(c.Queue.ID, c.Queue.Name)
	}
	if c.Tags != nil {
		f.Tags = []string{}
		for _, t := range c.Tags {
			if f.addTag(t.Name) {
				f.describeTag(t.Name, TagInfo{ID: t.ID, Deactivated: t.IsDeactivated})
			}
		}
	}
	f.Origin = &Origin{
		CreatedAt: c.CreatedAt.Time, Channel: channel(string(c.Channel)), Direction: direction(c.Direction),
		ContactPoint: c.ContactPoint, Subject: c.Subject,
	}
	if c.Requester != nil {
		f.Origin.Email, f.Origin.Phone = c.Requester.Email, c.Requester.Phone
	}
}

// transition derives the status from the event's name. The name outweighs the
// snapshot, which may have been taken slightly too early or too late.
func (f *Fact) transition(name dixa.EventName) {
	switch name {
	case dixa.EventConversationClosed, dixa.EventConversationAbandoned:
		f.Status = claim.ConversationClosed
	case dixa.EventConversationPending:
		f.Status = claim.ConversationPending
	case dixa.EventConversationOpen:
		f.Status = claim.ConversationOpen
	case dixa.EventConversationPendingExpired:
		f.Status = cmp.Or(f.Status, claim.ConversationOpen)
	case dixa.EventConversationCreated:
	default:
		return
	}
	f.Weight = claim.WeightTransition
}

// mayOpen are the events that may open a conversation. Dixa does not document
// whether their snapshots show the state before or after.
var mayOpen = []dixa.EventName{
	dixa.EventConversationMessageAdded, dixa.EventConversationPendingExpired, dixa.EventConversationAssigned,
	dixa.EventConversationEnqueued, dixa.EventConversationTransferred,
}

func (e *Event) message() {
	version := Version{Source: FromEvent, ReadAt: e.Fact.At.UTC()}
	if m, ok := e.Dixa.MessageAdded(); ok && claim.IsID(m.MessageID) {
		text := cmp.Or(m.Content.Text, m.Text)
		message := Message{
			Message: claim.Message{
				ID: m.MessageID, Kind: claim.MessageKind, Direction: direction(m.Direction), Channel: channel(string(m.Channel)),
				Author: person(m.Author), At: cmp.Or(m.CreatedAt.Time, e.Fact.At), ExternalID: m.ExternalID,
			},
			ConversationID: e.ConversationID, AuthorEmail: emailOf(m.Author), Version: version,
		}
		if strings.EqualFold(m.Content.Type, "html") {
			message.HTML = text
		} else {
			message.Text = text
		}
		for i, a := range m.Attachments {
			message.Attachments = append(message.Attachments, claim.MessageAttachment{ID: strconv.Itoa(i + 1), Name: a.PrettyName, Source: a.URL})
		}
		e.Messages = append(e.Messages, message)
	}
	if n, ok := e.Dixa.NoteAdded(); ok && claim.IsID(n.NoteID) {
		e.Messages = append(e.Messages, Message{
			Message: claim.Message{
				ID: n.NoteID, Kind: claim.NoteKind, Author: person(n.Author), At: cmp.Or(n.CreatedAt.Time, e.Fact.At), Text: n.Text,
			},
			ConversationID: e.ConversationID, AuthorEmail: emailOf(n.Author), Version: version,
		})
	}
}

// tagged ensures that an added tag is present, and notes that one was removed. Dixa does
// not document whether the snapshot was taken before or after.
func (f *Fact) tagged(event *dixa.Event) {
	f.Untagged = event.Name == dixa.EventConversationTagRemoved
	if t, ok := event.TagAdded(); ok && f.Tags != nil {
		f.addTag(t.Tag)
	}
}

// rated reads an answered rating. Dixa reports the score and the comment in events
// of their own.
func (f *Fact) rated(event *dixa.Event) {
	rated, ok := event.Rated()
	if !ok {
		return
	}
	if f.Comment = rated.Comment; rated.Score != nil {
		f.Rating = &claim.Rating{Score: *rated.Score, Comment: rated.Comment, At: f.At}
	}
	f.Answer = &Rating{Type: ratingType(rated.Type), Status: RatingStatusRated, Score: rated.Score, Comment: rated.Comment, RatedAt: f.At}
	if rated.Agent != nil {
		f.Answer.AgentID = rated.Agent.ID
	}
}

// change reads a change of the conversation, in the activity log's terms.
func (f *Fact) change(event *dixa.Event) {
	kind, ok := changeKinds[event.Name]
	if !ok || f.At.IsZero() {
		return
	}
	var data struct {
		Author   *dixa.EventUser  `json:"author"`
		Agent    *dixa.EventUser  `json:"agent"`
		Assignee *dixa.EventUser  `json:"assignee"`
		Queue    *dixa.EventQueue `json:"queue"`
	}
	_ = json.Unmarshal(event.Data, &data) // unreadable data is left out
	f.Change = &StateChange{At: f.At, Kind: kind}
	switch event.Name {
	case dixa.EventConversationClosed:
		f.Change.AgentID = idOf(cmp.Or(person(data.Author), person(data.Agent)))
	case dixa.EventConversationAssigned:
		f.Change.AgentID = idOf(cmp.Or(person(data.Assignee), f.Assignee))
	case dixa.EventConversationEnqueued:
		f.Change.QueueID = queueID(f.Queue)
	case dixa.EventConversationTransferred:
		f.Change.AgentID, f.Change.QueueID = f.destination(event.FQN, data.Assignee, data.Queue)
	case dixa.EventConversationCreated:
		if f.Origin != nil && f.Origin.Direction == claim.DirectionOutbound {
			f.Change.Kind = createdByAgent
		}
		f.Change.AgentID, f.Change.QueueID = idOf(f.Assignee), queueID(f.Queue)
	case dixa.EventSLAEvaluationAchieved, dixa.EventSLAEvaluationBreached:
		f.Change.AgentID, f.Change.QueueID = idOf(f.Assignee), queueID(f.Queue)
	default:
	}
}

// destination is where a conversation was transferred to: an agent or a queue. The
// name of the event may say which. A conversation that was transferred to a queue
// has no agent.
func (f *Fact) destination(fqn string, assignee *dixa.EventUser, queue *dixa.EventQueue) (agentID, toQueue string) {
	name := plain(fqn)
	switch {
	case strings.HasSuffix(name, "toagent"), assignee != nil && assignee.ID != "", queue == nil && f.Assignee != nil && !strings.HasSuffix(name, "toqueue"):
		return idOf(cmp.Or(person(assignee), f.Assignee)), ""
	case queue != nil && queue.ID != "":
		return "", queue.ID
	}
	return "", queueID(f.Queue)
}

// changeKinds are the events about changes that figures count, by the type of their
// entry in the activity log. SLA evaluations have none.
var changeKinds = map[dixa.EventName]string{
	dixa.EventConversationCreated:        createdByCustomer,
	dixa.EventConversationClosed:         closed,
	dixa.EventConversationAbandoned:      closed,
	dixa.EventConversationOpen:           reopened,
	dixa.EventConversationPending:        pending,
	dixa.EventConversationPendingExpired: followupExpired,
	dixa.EventConversationAssigned:       assigned,
	dixa.EventConversationUnassigned:     unassigned,
	dixa.EventConversationTransferred:    transferred,
	dixa.EventConversationEnqueued:       offered,
	dixa.EventSLAEvaluationAchieved:      slaAchieved,
	dixa.EventSLAEvaluationBreached:      slaBreached,
}

func person(u *dixa.EventUser) *claim.Person {
	if u == nil {
		return nil
	}
	return personOf(u.ID, u.Name)
}

func emailOf(u *dixa.EventUser) string {
	if u == nil {
		return ""
	}
	return u.Email
}

func idOf(p *claim.Person) string {
	if p == nil {
		return ""
	}
	return p.ID
}

func queueID(q *claim.Queue) string {
	if q == nil {
		return ""
	}
	return q.ID
}
