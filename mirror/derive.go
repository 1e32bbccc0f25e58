package mirror

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/claimflow/claimflow/claim"
)

const (
	// startTolerance is how much younger than the conversation the earliest of
	// complete records may be.
	startTolerance = 5 * time.Minute
	// sameMoment is how far apart the times of one occurrence in two records may be.
	sameMoment = 2 * time.Second
)

// Derive computes the figures of a conversation from all that is known of it. The
// order of messages and activities and their repetition do not matter. It does not
// change its arguments.
func Derive(id int64, c Conversation, messages []Message, activities []Activity) Figures {
	d := derivation{c: &c, messages: distinctMessages(messages), activities: distinctActivities(activities), ratings: c.KnownRatings()}
	d.Figures = Figures{
		ConversationID: id, CreatedAt: c.Origin.CreatedAt, Channel: c.Origin.Channel, Direction: c.Origin.Direction, Status: string(c.Status),
		QueueID: queueID(c.Queue), AssigneeID: idOf(c.Assignee), RequesterID: idOf(c.Requester), Tags: slices.Clone(c.Tags),
		DixaTotalDuration: c.Reported.TotalDuration, DixaHandlingDuration: c.Reported.HandlingDuration, AnonymizedAt: c.Reported.AnonymizedAt,
	}
	d.LastActivityAt = d.lastActivity()
	d.history = replay(&c, d.activities, d.LastActivityAt)
	d.fromHistory()
	d.fromMessages()
	d.fromRatings()
	slices.SortFunc(d.Events, func(a, b FigureEvent) int {
		return cmp.Or(a.At.Compare(b.At), strings.Compare(string(a.Kind), string(b.Kind)), strings.Compare(a.AgentID, b.AgentID),
			strings.Compare(a.QueueID, b.QueueID), strings.Compare(a.Type, b.Type), cmp.Compare(a.Value, b.Value))
	})
	return d.Figures
}

// derivation is the state of [Derive].
type derivation struct {
	Figures
	c          *Conversation
	messages   []*Message
	activities []*Activity
	ratings    []Rating
	history    *history
}

// distinctMessages returns the messages once each, oldest first.
func distinctMessages(messages []Message) []*Message {
	seen := make(map[string]int, len(messages))
	out := make([]*Message, 0, len(messages))
	for i := range messages {
		m := &messages[i]
		if at, ok := seen[m.ID]; ok {
			merged := MergeMessages(*out[at], *m)
			out[at] = &merged
			continue
		}
		seen[m.ID] = len(out)
		out = append(out, m)
	}
	slices.SortFunc(out, func(a, b *Message) int { return cmp.Or(a.At.Compare(b.At), strings.Compare(a.ID, b.ID)) })
	return out
}

// distinctActivities returns the entries once each, oldest first.
func distinctActivities(activities []Activity) []*Activity {
	out := make([]*Activity, 0, len(activities))
	for i := range activities {
		if !activities[i].At.IsZero() {
			out = append(out, &activities[i])
		}
	}
	slices.SortFunc(out, func(a, b *Activity) int {
		return cmp.Or(a.At.Compare(b.At), strings.Compare(a.ID, b.ID), strings.Compare(a.Type, b.Type), strings.Compare(a.AuthorID, b.AuthorID),
			strings.Compare(a.AgentID, b.AgentID), strings.Compare(a.QueueID, b.QueueID), strings.Compare(a.MessageID, b.MessageID),
			strings.Compare(a.QueueName, b.QueueName))
	})
	return slices.CompactFunc(out, func(a, b *Activity) bool { return a.ID == b.ID && a.At.Equal(b.At) })
}

func (d *derivation) lastActivity() time.Time {
	r := d.c.Reported
	last := newest(d.c.Origin.CreatedAt, r.UpdatedAt, r.QueuedAt, r.AssignedAt, r.ClosedAt, r.LastMessageAt, r.AnonymizedAt, d.c.LoggedAt)
	for _, m := range d.messages {
		last = newest(last, m.At)
	}
	for _, a := range d.activities {
		last = newest(last, a.At)
	}
	for _, change := range d.c.Changes {
		last = newest(last, change.At)
	}
	for _, r := range d.ratings {
		last = newest(last, r.at())
	}
	return last
}

// fromHistory takes over what the replay found.
func (d *derivation) fromHistory() {
	h, reported := d.history, d.c.Reported
	d.Events = append(d.Events, h.events...)
	d.FirstAssignedAt = reported.AssignedAt
	switch waited := reported.AssignedAt.Sub(reported.QueuedAt); {
	case h.complete:
		d.QueueTime, d.QueueTimeFromLog, d.HandlingTime = &h.queueTime, true, &h.handlingTime
		d.Closes, d.Reopens, d.Transfers, d.Assignments = &h.closes, &h.reopens, &h.transfers, &h.assignments
		d.FirstAssignedAt = h.firstAssigned
	case !reported.QueuedAt.IsZero() && !reported.AssignedAt.IsZero() && waited >= 0:
		d.QueueTime = &waited
	}
	if h.complete || h.eventsComplete {
		d.FirstClosedAt = h.firstClosed
	}
	missed := !reported.ClosedAt.IsZero() && !h.closedNear(reported.ClosedAt)
	if missed && !h.complete {
		d.Events = append(d.Events, FigureEvent{At: reported.ClosedAt, Kind: KindClosed, QueueID: d.queueAt(reported.ClosedAt)})
	}
	if d.c.Status == claim.ConversationClosed {
		d.LastClosedAt = h.lastClosed
		if missed {
			d.LastClosedAt = newest(d.LastClosedAt, reported.ClosedAt)
		}
	}
}

// fromMessages counts messages and finds the first response.
func (d *derivation) fromMessages() {
	authors := map[string]string{}
	for _, a := range d.activities {
		if a.Type == messageByAgent && a.MessageID != "" {
			authors[a.MessageID] = a.AuthorID
		}
	}
	var replies, automated, customers, notes int
	var first, firstInbound *Message
	var human []*Message
	for _, m := range d.messages {
		if m.Kind == claim.NoteKind {
			notes++
			continue
		}
		if first == nil && !m.At.IsZero() {
			first = m
		}
		switch {
		case m.Direction == claim.DirectionInbound:
			customers++
			if firstInbound == nil {
				firstInbound = m
			}
		case m.Direction != claim.DirectionOutbound:
		case d.automatic(m, authors[m.ID] != ""):
			automated++
		default:
			replies++
			human = append(human, m)
			agent, queue := cmp.Or(idOf(m.Author), authors[m.ID]), d.queueAt(m.At)
			d.Events = append(d.Events, FigureEvent{At: m.At, Kind: KindReply, AgentID: agent, QueueID: queue})
		}
	}
	if first == nil || d.CreatedAt.IsZero() || first.At.Sub(d.CreatedAt) > startTolerance {
		return
	}
	d.AgentReplies, d.AutomatedMessages, d.CustomerMessages, d.Notes = &replies, &automated, &customers, &notes
	inbound := cmp.Or(d.Direction, first.Direction) != claim.DirectionOutbound
	switch {
	case firstInbound != nil:
		d.FirstInboundAt = firstInbound.At
	case inbound:
		d.FirstInboundAt = d.CreatedAt
	}
	if !inbound {
		return
	}
	for _, m := range human {
		if !m.At.Before(d.FirstInboundAt) {
			d.FirstResponseAt, d.FirstResponseBy = m.At, cmp.Or(idOf(m.Author), authors[m.ID])
			return
		}
	}
}

// automatic reports whether nobody wrote a message to the customer. byAgent says that
// the log names the agent who did. If no source says so, the entries about automatic
// replies do; few of them name their message.
func (d *derivation) automatic(m *Message, byAgent bool) bool {
	if m.AutomatedKnown || m.Automated || byAgent {
		return m.Automated
	}
	return slices.ContainsFunc(d.activities, func(a *Activity) bool {
		switch {
		case a.Type != autoreplySent:
			return false
		case a.MessageID != "":
			return a.MessageID == m.ID
		}
		return a.At.Sub(m.At).Abs() <= sameMoment
	})
}

func (d *derivation) fromRatings() {
	for _, r := range d.ratings {
		offeredAt := r.OfferedAt
		if offeredAt.IsZero() && (r.Status == "Offered" || r.Status == RatingStatusRated || r.Score != nil) {
			offeredAt = r.CreatedAt
		}
		agent, queue := d.history.at(cmp.Or(offeredAt, r.RatedAt))
		event := FigureEvent{At: offeredAt, Kind: KindRatingOffered, AgentID: cmp.Or(r.AgentID, agent), QueueID: queue, Type: r.Type}
		if !offeredAt.IsZero() {
			d.Events = append(d.Events, event)
		}
		if r.Score != nil && !r.RatedAt.IsZero() {
			event.At, event.Kind, event.Value = r.RatedAt, KindRated, *r.Score
			d.Events = append(d.Events, event)
		}
	}
}

func (d *derivation) queueAt(t time.Time) string {
	_, queue := d.history.at(t)
	return queue
}
