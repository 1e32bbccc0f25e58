package mirror

import (
	"cmp"
	"strconv"
	"strings"
	"time"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/dixa"
)

// anonymizedType is the type of a conversation that Dixa anonymized. It has neither
// assignment nor queue, which does not mean that there is none.
const anonymizedType = "AnonymizedConversation"

// ConversationFromObject returns what the API says about a conversation, read at
// readAt. tags and ratings are nil if they were not read; an empty list means that
// there are none. The API names people and queues only by id; see [Fact.ReadAfter].
//
// Dixa: GET /v1/conversations/{conversationId}, …/tags and …/ratings.
func ConversationFromObject(c *dixa.Conversation, tags []*dixa.Tag, ratings []*dixa.Rating, readAt time.Time) Fact {
	times := []time.Time{c.CreatedAt.Time, c.StateUpdatedAt.Time, c.AnonymizedAt.Time}
	var assignee, queue string
	if c.Assignment != nil {
		assignee, times = c.Assignment.AgentID, append(times, c.Assignment.AssignedAt.Time)
	}
	if c.Queue != nil {
		queue, times = c.Queue.ID, append(times, c.Queue.QueuedAt.Time)
	}
	f := Fact{AnonymizedAt: c.AnonymizedAt.Time}
	if ratings != nil {
		f.Ratings, f.RatingPeople = ratingsFromList(ratings), true
		for _, r := range f.Ratings {
			times = append(times, r.CreatedAt, r.OfferedAt, r.RatedAt)
		}
	}
	f.Fact = claim.Fact{
		Stamp: readStamp("object", readAt, times...), Status: Status(c.State),
		Requester: personOf(c.RequesterID, ""), Rating: newestRating(f.Ratings),
	}
	if c.Type != anonymizedType && c.AnonymizedAt.IsZero() {
		f.People = f.Status != ""
		f.Assignee, f.Queue = personOf(assignee, ""), queueOf(queue, "")
	}
	f.Origin = &Origin{
		CreatedAt: c.CreatedAt.Time, Channel: channel(string(c.Channel)), Direction: direction(c.Direction),
		ContactPoint: contactPoint(c), Subject: c.Subject, Language: c.Language,
	}
	if tags != nil {
		f.Tags = []string{}
		for _, t := range tags {
			if f.addTag(t.Name) {
				f.describeTag(t.Name, TagInfo{ID: t.ID, Deactivated: t.Inactive()})
			}
		}
	}
	if c.CustomAttributes != nil {
		f.Attributes = map[string]Attribute{}
		for _, a := range c.CustomAttributes {
			if value, err := a.Value.MarshalJSON(); err == nil {
				f.setAttribute(a.ID, a.Identifier, value)
			}
		}
	}
	return f
}

// contactPoint is the shop's mailbox, number or account of a conversation.
func contactPoint(c *dixa.Conversation) string {
	if direction(c.Direction) == claim.DirectionOutbound {
		return cmp.Or(c.IntegrationEmail, c.FromNumber, c.FromContactPointID, c.ContactPointTwitterID)
	}
	return cmp.Or(c.IntegrationEmail, c.ToNumber, c.ToContactPointID, c.ContactPointTwitterID)
}

func ratingsFromList(list []*dixa.Rating) []Rating {
	ratings := make([]Rating, 0, len(list))
	for _, r := range list {
		out := Rating{
			ID: r.ID, Type: ratingType(r.Type), Status: ratingStatus(r.Status), Score: r.Score, Comment: r.Comment, AgentID: r.AgentID,
			CreatedAt: r.Timestamps["created_at"].Time, OfferedAt: r.Timestamps["offered_at"].Time, RatedAt: r.Timestamps["rated_at"].Time,
		}
		if out.RatedAt.IsZero() && out.Status == RatingStatusRated {
			out.RatedAt = r.Timestamps["modified_at"].Time
		}
		ratings = append(ratings, out)
	}
	return ratings
}

// ReadAfter returns the fact as read after everything in known had happened. Dixa's
// answers say when the state last changed, but not when tags or people did: a fact
// that is older than what was known before the request would be ignored. The names of
// known people and queues are added. Only for facts read from Dixa.
func (f Fact) ReadAfter(known Conversation) Fact {
	for _, s := range known.stamps() {
		if f.Stamp.Compare(*s) > 0 {
			continue
		}
		f.At = s.At
		if f.Stamp.Compare(*s) <= 0 {
			f.At = s.At.Add(time.Microsecond)
		}
	}
	if known.LoggedAt.After(f.At) {
		f.At = known.LoggedAt
	}
	f.Assignee = named(f.Assignee, known.Assignee)
	f.Requester = named(f.Requester, known.Requester)
	if q := f.Queue; q != nil && q.Name == "" && known.Queue != nil && known.Queue.ID == q.ID {
		f.Queue = known.Queue
	}
	return f
}

func named(p, known *claim.Person) *claim.Person {
	if p != nil && p.Name == "" && known != nil && known.ID == p.ID {
		return known
	}
	return p
}

// MessageFromList returns a message of a conversation, read at readAt. Channel is
// empty: the list does not say it, and a message's own type may differ from the
// channel of its conversation. Authors have no names.
//
// Dixa: GET /v1/conversations/{conversationId}/messages.
func MessageFromList(conversationID int64, m *dixa.Message, readAt time.Time) Message {
	a := m.Attributes
	out := Message{
		Message: claim.Message{
			ID: m.ID, Kind: claim.MessageKind, Direction: direction(a.Direction),
			Author: personOf(m.AuthorID, ""), At: m.CreatedAt.Time, ExternalID: m.ExternalID,
			Automated: isTrue(a.IsAutoReply) || isTrue(a.IsAutomated), Listed: true,
		},
		ConversationID: conversationID, AutomatedKnown: a.IsAutoReply != nil || a.IsAutomated != nil,
		To: addresses(a.To), CC: addresses(a.CC), BCC: addresses(a.BCC),
		Version: Version{Source: FromList, ReadAt: readAt.UTC()},
	}
	if a.From != nil {
		out.From = cmp.Or(a.From.Email, a.From.Phone)
	}
	if content, ok := a.Text(); ok {
		if strings.EqualFold(content.Type, "html") {
			out.HTML = content.Value
		} else {
			out.Text = content.Value
		}
	}
	tooLarge := a.EmailContent != nil && a.EmailContent.Content == nil && a.EmailContent.File != nil
	if out.Text == "" && out.HTML == "" && !tooLarge {
		out.BlankAt = out.ReadAt
	}
	for i, file := range a.Attachments {
		out.Attachments = append(out.Attachments, claim.MessageAttachment{ID: strconv.Itoa(i + 1), Name: file.PrettyName, Source: file.URL})
	}
	return out
}

// NoteFromList returns an internal note of a conversation, read at readAt.
//
// Dixa: GET /v1/conversations/{conversationId}/notes.
func NoteFromList(conversationID int64, n *dixa.Note, readAt time.Time) Message {
	out := Message{
		Message: claim.Message{
			ID: n.ID, Kind: claim.NoteKind, Author: personOf(n.AuthorID, ""), At: n.CreatedAt.Time, Text: n.Message, Listed: true,
		},
		ConversationID: conversationID, Version: Version{Source: FromList, ReadAt: readAt.UTC()},
	}
	if out.Text == "" {
		out.BlankAt = out.ReadAt
	}
	return out
}

func addresses(parties dixa.Parties) []string {
	var out []string
	for _, p := range parties {
		out = append(out, cmp.Or(p.Email, p.Phone))
	}
	return filled(out)
}

func isTrue(b *bool) bool { return b != nil && *b }
