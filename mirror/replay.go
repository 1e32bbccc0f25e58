package mirror

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/claimflow/claimflow/claim"
)

// history is a conversation's past as the activity log and, after it, events tell.
type history struct {
	// complete says that the log begins with the conversation; eventsComplete that
	// there is no log and the events do.
	complete, eventsComplete bool
	events                   []FigureEvent
	queueTime, handlingTime  time.Duration
	firstAssigned            time.Time
	firstClosed, lastClosed  time.Time
	closes, reopens          int
	transfers, assignments   int

	moments []moment
	now     moment
	status  claim.ConversationStatus // empty until known
	c       *Conversation
}

// moment is who had a conversation from a time on.
type moment struct {
	at       time.Time
	assigned bool
	// agentKnown and queueKnown say that AgentID and QueueID are certain.
	agentKnown, queueKnown bool
	agent, queue           string
}

// step is an entry of the log, or a change that only an event tells.
type step struct {
	at                                time.Time
	kind, author, agent, queue, label string
	id                                string
}

// stepOrder is the order of steps of the same time. Dixa records several for one
// action.
var stepOrder = map[string]int{
	createdByAgent: 1, createdByCustomer: 1, reopened: 2, followupExpired: 3, followupRemoved: 3, unassigned: 4, offered: 5, claimed: 6,
	offerAccepted: 6, assigned: 7, transferred: 8, followupAdded: 9, pending: 9, closed: 10, slaAchieved: 11, slaBreached: 11,
}

// replay runs through all known steps up to until.
func replay(c *Conversation, activities []*Activity, until time.Time) *history {
	h := &history{c: c}
	created := c.Origin.CreatedAt
	steps := stepsOf(c, activities)
	atStart := func(t time.Time) bool { return !created.IsZero() && t.Sub(created) <= startTolerance }
	switch {
	case len(activities) > 0:
		h.complete = atStart(activities[0].At)
	case len(steps) > 0:
		h.eventsComplete = c.LoggedAt.IsZero() && atStart(steps[0].at)
	}
	if h.complete || h.eventsComplete {
		h.status, h.now.agentKnown = claim.ConversationOpen, true
	}
	since := created
	for _, s := range steps {
		h.spend(since, s.at)
		since = newest(since, s.at)
		h.take(s)
		h.now.at = s.at
		h.moments = append(h.moments, h.now)
	}
	h.spend(since, until)
	return h
}

// stepsOf returns the steps that matter, oldest first.
func stepsOf(c *Conversation, activities []*Activity) []step {
	queues := map[string]string{} // names to ids
	if c.Queue != nil && c.Queue.Name != "" {
		queues[c.Queue.Name] = c.Queue.ID
	}
	near := func(kind string, at time.Time) bool {
		return slices.ContainsFunc(activities, func(a *Activity) bool { return a.Type == kind && a.At.Sub(at).Abs() <= sameMoment })
	}
	steps := make([]step, 0, len(activities)+len(c.Changes))
	for _, a := range activities {
		if stepOrder[a.Type] == 0 {
			continue
		}
		s := step{at: a.At, kind: a.Type, author: a.AuthorID, agent: a.AgentID, queue: a.QueueID, id: a.ID}
		switch a.Type {
		case claimed, offerAccepted:
			if near(assigned, a.At) {
				continue // the entry beside it names the agent
			}
			s.kind, s.agent = assigned, cmp.Or(a.AgentID, a.AuthorID)
		case transferred:
			if a.QueueID != "" && a.QueueName != "" {
				queues[a.QueueName] = a.QueueID
			}
		case offered:
			s.label = a.QueueName
		}
		steps = append(steps, s)
	}
	for i := range steps {
		if steps[i].kind == offered && steps[i].queue == "" {
			steps[i].queue = queues[steps[i].label]
		}
	}
	for id, change := range c.Changes {
		if !onlyEvent(change.Kind) && (!change.At.After(c.LoggedAt) || slices.ContainsFunc(activities, change.loggedAs)) {
			continue // the log has it
		}
		s := step{at: change.At, kind: change.Kind, agent: change.AgentID, queue: change.QueueID, id: id}
		if change.Kind == closed {
			s.author, s.agent = change.AgentID, ""
		}
		steps = append(steps, s)
	}
	slices.SortFunc(steps, func(a, b step) int {
		return cmp.Or(a.at.Compare(b.at), cmp.Compare(stepOrder[a.kind], stepOrder[b.kind]), strings.Compare(a.id, b.id))
	})
	return steps
}

// loggedAs reports whether a log entry is about the same change.
func (change StateChange) loggedAs(a *Activity) bool {
	if a.Type != change.Kind || a.At.Sub(change.At).Abs() > sameMoment {
		return false
	}
	// Several of these can follow each other at once.
	several := change.Kind == assigned || change.Kind == transferred
	return !several || a.AgentID == change.AgentID && a.QueueID == change.QueueID
}

// spend counts the time between two steps.
func (h *history) spend(from, to time.Time) {
	passed := to.Sub(from)
	switch {
	case from.IsZero() || passed <= 0 || h.status != claim.ConversationOpen:
	case h.now.assigned:
		h.handlingTime += passed
	default:
		h.queueTime += passed
	}
}

func (h *history) take(s step) {
	switch s.kind {
	case closed:
		h.close(s)
	case reopened:
		h.leaveClosed(s, claim.ConversationOpen)
	case pending, followupAdded:
		if h.status == "" {
			h.status = claim.ConversationPending
		}
		h.leaveClosed(s, claim.ConversationPending)
	case followupExpired, followupRemoved:
		if h.status == claim.ConversationPending || h.status == "" {
			h.status = claim.ConversationOpen
		}
	case createdByAgent, createdByCustomer, offered:
		h.enqueue(s.queue)
	case assigned:
		h.assign(s, s.agent)
	case unassigned:
		h.unassign(s)
	case transferred:
		h.transfer(s)
	case slaAchieved:
		h.happened(s, KindSLAAchieved, cmp.Or(s.agent, h.now.agent))
	case slaBreached:
		h.happened(s, KindSLABreached, cmp.Or(s.agent, h.now.agent))
	}
}

// happened records an occurrence in the queue at the time.
func (h *history) happened(s step, kind EventKind, agent string) {
	queue := s.queue
	if queue == "" && kind != KindTransferred {
		queue = h.queue()
	}
	h.events = append(h.events, FigureEvent{At: s.at, Kind: kind, AgentID: agent, QueueID: queue})
}

func (h *history) close(s step) {
	if h.status == claim.ConversationClosed {
		return
	}
	h.status = claim.ConversationClosed
	h.closes++
	if h.firstClosed.IsZero() {
		h.firstClosed = s.at
	}
	h.lastClosed = s.at
	if s.author == idOf(h.c.Requester) {
		s.author = "" // the customer closed it
	}
	h.happened(s, KindClosed, s.author)
}

// leaveClosed changes the status to one other than closed. An entry about reopening
// shows that the conversation was closed, if nothing earlier is known.
func (h *history) leaveClosed(s step, to claim.ConversationStatus) {
	if h.status == claim.ConversationClosed || h.status == "" {
		h.reopens++
		h.happened(s, KindReopened, h.now.agent)
	}
	h.status = to
}

func (h *history) enqueue(queue string) {
	if queue != "" {
		h.now.queue, h.now.queueKnown = queue, true
	}
}

func (h *history) assign(s step, agent string) {
	if h.now.assigned && (agent == h.now.agent || agent == "") {
		return
	}
	h.now.assigned, h.now.agentKnown, h.now.agent = true, true, agent
	h.assignments++
	if h.firstAssigned.IsZero() {
		h.firstAssigned = s.at
	}
	h.happened(step{at: s.at}, KindAssigned, agent)
}

func (h *history) unassign(s step) {
	if h.now.agentKnown && !h.now.assigned {
		return
	}
	h.now.assigned, h.now.agentKnown, h.now.agent = false, true, ""
	h.happened(step{at: s.at}, KindUnassigned, "")
}

func (h *history) transfer(s step) {
	h.transfers++
	h.happened(s, KindTransferred, s.agent)
	if s.agent != "" {
		h.assign(s, s.agent)
		return
	}
	h.enqueue(s.queue)
	if s.queue != "" && h.now.assigned {
		h.unassign(s)
	}
}

// queue is the queue at the current step. Until a step names one, it is the
// conversation's current queue.
func (h *history) queue() string {
	if h.now.queueKnown {
		return h.now.queue
	}
	return queueID(h.c.Queue)
}

// at returns the agent and the queue at a time. What no earlier step tells is as it
// is now.
func (h *history) at(t time.Time) (agent, queue string) {
	then := moment{agentKnown: h.complete || h.eventsComplete}
	for _, m := range h.moments {
		if m.at.After(t) {
			break
		}
		then = m
	}
	if !then.agentKnown {
		then.agent = idOf(h.c.Assignee)
	}
	if !then.queueKnown {
		then.queue = queueID(h.c.Queue)
	}
	return then.agent, then.queue
}

func (h *history) closedNear(t time.Time) bool {
	return slices.ContainsFunc(h.events, func(e FigureEvent) bool { return e.Kind == KindClosed && e.At.Sub(t).Abs() <= sameMoment })
}
