package server

import (
	"fmt"
	"strings"
	"time"
)

// Shares of the conversations in which something happens.
const (
	neverClosed   = 0.022
	reopenedShare = 0.09
	tagged        = 0.85
	noted         = 0.2
	attributed    = 0.45
)

// story is a conversation that Fill makes. Its call holds the time and the person who
// acts.
type story struct {
	*filling
	c        call
	talk     *Conversation
	medium   *medium
	topic    topic
	customer *EndUser
	order    int
	agent    *Agent
}

// converse makes one conversation that starts at the given time.
func (f *filling) converse(at time.Time) {
	open := 0
	if at.Hour() >= opens && at.Hour() < closes {
		open = 1
	}
	st := &story{
		filling: f, c: call{now: at, switches: f.s.switches}, order: 10_000 + f.random.IntN(80_000),
		medium: media[f.weighted(f.mediaWeights[open])], topic: topics[f.weighted(f.topicWeights)],
	}
	st.customer = f.customer(at, st.medium)
	st.begin()
	st.live()
	st.expire(f.until)
	if st.talk.State == StatePending {
		f.s.armFollowup(st.talk)
	}
}

// begin creates the conversation with its first message.
func (st *story) begin() {
	medium, customer := st.medium, st.customer
	st.talk = &Conversation{
		Type: medium.kind, Channel: medium.channel, RequesterID: customer.ID,
		Direction: Inbound, State: StateOpen, StateUpdatedAt: st.c.now, CreatedAt: st.c.now, VisibleAt: st.c.now,
		Language: either(st.filling, languages), TagIDs: []string{}, Messages: []*Message{}, Notes: []*Note{}, Ratings: []*Rating{},
	}
	queue := st.queue()
	if st.chance(medium.outbound) {
		st.talk.Direction = Outbound
		st.agent, _ = st.onShift(queue, st.c.now, "")
		st.c.actor = st.agent.ID
	}
	from := ""
	switch {
	case medium.mails:
		mailbox := st.mailbox
		if queue == st.queues[fillReturns] || queue == st.queues[fillClaims] {
			mailbox = st.returns
		}
		st.talk.Subject = st.topic.subject
		if strings.Contains(st.topic.subject, "%d") {
			st.talk.Subject = fmt.Sprintf(st.topic.subject, st.order)
		}
		st.talk.ContactPoint, from = mailbox.Address, customer.Email
	case medium.phones:
		st.talk.ContactPoint, from = st.phone.Number, customer.PhoneNumber
	case medium.channel == "WidgetChat":
		st.talk.ContactPoint = SeedWidget
		st.talk.BrowserInfo = &BrowserInfo{Name: "Firefox", Version: "140.0", OriginatingURL: "https://demo-shop.example/help"}
	}
	if from != "" {
		st.talk.FromAddress, st.talk.ToAddress = from, st.talk.ContactPoint
		if st.talk.Direction == Outbound {
			st.talk.FromAddress, st.talk.ToAddress = st.talk.ContactPoint, from
		}
	}
	st.s.begin(&st.c, st.talk)
	text := either(st.filling, st.topic.says)
	if st.talk.Direction == Outbound {
		text = "About your order: " + either(st.filling, agentSays)
	}
	st.write(st.talk.Direction, text)
}

// queue returns the queue of the conversation's topic and channel.
func (st *story) queue() *Queue {
	switch st.medium.channel {
	case "PstnPhone":
		return st.queues[fillPhone]
	case "WidgetChat", "Messenger":
		return st.queues[fillChat]
	}
	return st.queues[st.topic.queue]
}

// live tells what happens after the first message.
func (st *story) live() {
	if st.talk.Direction == Outbound {
		st.s.assign(&st.c, st.talk, st.agent.ID, st.agent.ID, "ConversationAssigned")
	} else {
		if !st.pass(period{50 * time.Millisecond, 3 * time.Second}) {
			return
		}
		st.s.enqueue(&st.c, st.talk, st.queue().ID)
		if st.chance(st.medium.automatic) && st.pass(period{time.Second, 30 * time.Second}) {
			st.c.actor = st.s.tokenUser()
			st.s.autoReply(&st.c, st.talk)
		}
		if st.chance(st.medium.abandoned) {
			if st.pass(period{time.Minute, 15 * time.Minute}) {
				st.s.shut(&st.c, st.talk, st.customer.ID)
			}
			return
		}
		if !st.take() || !st.detour() {
			return
		}
	}
	stays := st.chance(neverClosed)
	if !st.talkOver(stays) || stays {
		return
	}
	st.finish()
}

// talkOver tells the replies. It reports false if the conversation is not closed
// afterwards, because the period ended meanwhile or because it stays open.
func (st *story) talkOver(stays bool) bool {
	rounds := 0
	if least, most := st.medium.rounds[0], st.medium.rounds[1]; most > 0 {
		rounds = least + st.random.IntN(most-least+1)
	}
	for round := range rounds {
		if !st.turn(st.medium.answer) {
			return false
		}
		st.write(Outbound, either(st.filling, agentSays))
		if round == 0 {
			st.describe()
		}
		last := round == rounds-1
		if last && stays && !st.medium.live && st.chance(0.4) {
			st.postpone(1 + st.random.IntN(60))
			return false
		}
		if last && !st.chance(0.4) {
			return true
		}
		if !st.medium.live && !last && st.chance(0.2) {
			st.postpone(1 + st.random.IntN(3))
		}
		if last && stays && st.chance(0.3) || !st.pass(st.medium.patience) {
			return false
		}
		text := either(st.filling, customerSays)
		if last {
			text = either(st.filling, thanks)
		}
		st.hear(text)
	}
	if st.medium.calls {
		st.describe()
	}
	return true
}

// postpone sets a follow-up.
func (st *story) postpone(days int) {
	st.s.pend(&st.c, st.talk, st.agent.ID, st.c.now.Add(time.Duration(days)*24*time.Hour))
}

// hear adds a message of the customer to the open conversation.
func (st *story) hear(text string) {
	st.write(Inbound, text)
	if st.talk.State == StatePending && st.s.switches.MessageOnPending == InboundReopens {
		st.s.removeFollowup(&st.c, st.talk, st.customer.ID)
	}
}

// describe adds what agents note about a conversation.
func (st *story) describe() {
	if st.chance(tagged) {
		for _, name := range st.topic.tags {
			st.tag(name)
		}
		if st.chance(0.15) {
			st.tag(either(st.filling, fillTags))
		}
		if st.chance(0.3) && st.c.now.Before(st.since.Add(st.until.Sub(st.since)/3)) {
			st.tag(either(st.filling, retiredTags))
		}
		if st.chance(0.04) {
			if tag := st.s.tag(st.talk.TagIDs[0]); tag != nil {
				st.s.removeTag(&st.c, st.talk, tag, st.agent.ID)
			}
		}
	}
	if st.chance(noted) {
		text := either(st.filling, agentNotes)
		_, _ = st.s.addNote(&st.c, st.talk, noteInput{Message: &text, AgentID: st.agent.ID}) // refused if a switch limits texts
	}
	if st.chance(attributed) {
		values := map[string]any{}
		if st.s.attribute(SeedAttrOrderNumber) != nil {
			values[SeedAttrOrderNumber] = fmt.Sprint(st.order)
		}
		if st.topic.reason != nil && st.s.attribute(SeedAttrReason) != nil {
			values[SeedAttrReason] = st.topic.reason
		}
		if len(values) > 0 {
			st.s.setAttributes(&st.c, st.talk, values)
		}
	}
}

// tag adds a tag as the agent.
func (st *story) tag(name string) {
	if tag := st.s.tagNamed(name, ""); !tag.Inactive {
		st.s.addTag(&st.c, st.talk, tag, st.agent.ID)
	}
}

// pass moves the time forward. It reports false if the period ends before.
func (st *story) pass(p period) bool { return st.moveTo(st.c.now.Add(st.within(p))) }

func (st *story) moveTo(t time.Time) bool {
	if t.After(st.until) {
		return false
	}
	st.expire(t)
	st.c.now = t
	return true
}

// expire lets the follow-up expire if it is due at the given time.
func (st *story) expire(t time.Time) {
	if st.talk.State == StatePending && !st.talk.FollowupAt.After(t) {
		st.c.now = st.talk.FollowupAt
		st.s.expireFollowup(&st.c, st.talk)
	}
}

// turn moves the time to when the agent acts, and removes a follow-up.
func (st *story) turn(p period) bool {
	at := st.c.now.Add(st.within(p))
	if !st.medium.live {
		at = st.shifts[st.agent.ID].next(at)
	}
	if !st.moveTo(at) {
		return false
	}
	st.c.actor = st.agent.ID
	if st.talk.State == StatePending {
		st.s.removeFollowup(&st.c, st.talk, st.agent.ID)
	}
	return true
}
