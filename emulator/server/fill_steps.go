package server

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"time"
)

// filledPhoto is the content of every attachment that Fill makes.
var filledPhoto, _ = base64.StdEncoding.DecodeString("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")

// write adds a message to the conversation. A call has no text.
func (st *story) write(direction, text string) {
	message := &Message{
		ID: st.s.newID(), AuthorID: st.customer.ID, Direction: direction, CreatedAt: st.c.now, VisibleAt: st.c.now,
		Attachments: []File{}, To: []Contact{}, CC: []Contact{}, BCC: []Contact{},
	}
	if direction == Outbound {
		message.AuthorID = st.agent.ID
	}
	if !st.medium.calls {
		message.Content = &Content{Type: "Text", Value: text}
	}
	if st.medium.mails {
		if st.chance(0.4) {
			message.Content = &Content{Type: "Html", Value: "<p>" + text + "</p>"}
		}
		st.s.address(st.talk, message, st.talk.ContactPoint)
		if direction == Inbound && st.chance(0.08) {
			path := st.s.privatePath("attachment") + st.s.newID()
			st.s.files[path] = storedFile{filledPhoto, "image/png"}
			message.Attachments = []File{{Path: path, PrettyName: "photo.png", ContentType: "image/png", Bytes: int64(len(filledPhoto))}}
		}
	}
	st.s.append(&st.c, st.talk, message)
}

// take lets an agent of the conversation's queue take it. Sometimes another one was
// offered it before.
func (st *story) take() bool {
	queue := st.s.queue(st.talk.QueueID)
	offered := st.c.now
	agent, at := st.onShift(queue, offered.Add(st.within(st.medium.pickup)), "")
	if st.chance(0.1) {
		if other, _ := st.onShift(queue, at, agent.ID); other != nil && st.moveTo(offered.Add(at.Sub(offered)/2)) {
			st.c.actor = ""
			if st.chance(0.5) {
				st.s.record(&st.c, st.talk, "ConversationOfferTimeout", "", "", nil)
			} else {
				st.s.record(&st.c, st.talk, "ConversationOfferRejected", other.ID, "", nil)
			}
			st.s.enqueue(&st.c, st.talk, queue.ID)
		}
	}
	if !st.moveTo(at) {
		return false
	}
	st.agent, st.c.actor = agent, agent.ID
	if st.chance(0.25) {
		st.s.assign(&st.c, st.talk, agent.ID, agent.ID, "ConversationClaimed")
		return true
	}
	st.s.record(&st.c, st.talk, "ConversationOfferAccepted", agent.ID, "", nil)
	st.s.assign(&st.c, st.talk, agent.ID, agent.ID, "ConversationAssigned")
	return true
}

// detour sometimes hands the conversation over before the first reply. It reports
// false if nobody had it when the period ended.
func (st *story) detour() bool {
	kind := st.random.Float64()
	if kind >= 0.16 {
		return true
	}
	if !st.turn(period{5 * time.Second, 10 * time.Minute}) {
		return false
	}
	queue := either(st.filling, []*Queue{st.queues[fillSupport], st.queues[fillClaims], st.queues[fillReturns], st.queues[fillBilling]})
	switch {
	case kind < 0.07:
		st.s.transfer(&st.c, st.talk, queue, st.agent.ID)
		return st.take()
	case kind < 0.12:
		if other, _ := st.onShift(queue, st.c.now, st.agent.ID); other != nil {
			st.s.transferToAgent(&st.c, st.talk, other, st.agent.ID)
			st.agent = other
		}
	case kind < 0.155:
		st.s.unassign(&st.c, st.talk, st.agent.ID)
		st.s.enqueue(&st.c, st.talk, st.talk.QueueID)
		return st.take()
	default:
		attributes := map[string]any{
			"transferType": "Queue", "destinationType": "Queue", "destinationId": queue.ID, "destinationLabel": queue.Name,
		}
		st.s.record(&st.c, st.talk, "TransferInitiated", st.agent.ID, "ConversationTransferredAttribute", attributes)
		st.s.record(&st.c, st.talk, "TransferFailed", st.agent.ID, "ConversationTransferredAttribute", attributes)
	}
	return true
}

// finish closes the conversation, sometimes reopens and closes it again, and tells
// what happens to the closed conversation.
func (st *story) finish() {
	if !st.turn(st.medium.closing) {
		return
	}
	st.s.shut(&st.c, st.talk, st.agent.ID)
	var reopens time.Time
	if st.chance(reopenedShare) {
		reopens = st.c.now.Add(st.within(period{15 * time.Minute, 9 * 24 * time.Hour}))
	}
	st.survey(reopens)
	if !reopens.IsZero() && !st.reopen(reopens) {
		return
	}
	st.forget()
}

// reopen tells how the conversation is reopened at the given time and closed again. It
// reports whether it is closed in the end.
func (st *story) reopen(at time.Time) bool {
	byMessage := st.s.switches.MessageOnClosed == InboundReopens || st.s.switches.MessageOnClosed == Reopens
	if byMessage && !st.medium.calls && st.chance(0.75) {
		if !st.moveTo(at) {
			return true // still closed
		}
		st.c.actor = st.customer.ID
		st.write(Inbound, either(st.filling, returnsLater))
		st.s.open(&st.c, st.talk, st.customer.ID)
	} else {
		if !st.moveTo(st.shifts[st.agent.ID].next(at)) {
			return true
		}
		st.c.actor = st.agent.ID
		st.s.open(&st.c, st.talk, st.agent.ID)
	}
	if !st.medium.calls {
		if !st.turn(st.medium.answer) {
			return false
		}
		st.write(Outbound, either(st.filling, agentSays))
	}
	if !st.turn(st.medium.closing) {
		return false
	}
	st.s.shut(&st.c, st.talk, st.agent.ID)
	return true
}

// survey tells the life of the rating of a conversation that was just closed and that
// is reopened at the given time, if any.
func (st *story) survey(reopens time.Time) {
	if st.chance(0.08) {
		st.s.record(&st.c, st.talk, "ConversationRatingNotOffered", "", "ConversationRatingNotOfferedAttribute", nil)
		return
	}
	if !st.chance(0.65) {
		return
	}
	now := st.c.now
	due := now.Add(st.within(period{5 * time.Minute, 24 * time.Hour}))
	questions := [][]string{{"Csat"}, {"Nps"}, {"ThumbsUpOrDown"}, {"Nps", "Csat", "ThumbsUpOrDown"}}[st.weighted([]float64{78, 9, 7, 6})]
	id := st.s.newID()
	var ratings []*Rating
	for _, question := range questions {
		ratings = append(ratings, &Rating{
			ID: id, Type: question, UserID: st.customer.ID, AgentID: st.agent.ID, Language: st.talk.Language,
			Status: "Scheduled", ScheduledAt: now, ScheduledFor: due,
		})
	}
	st.talk.Ratings = append(st.talk.Ratings, ratings...)
	st.s.record(&st.c, st.talk, "ConversationRatingScheduled", "", "ConversationRatingScheduledAttribute",
		map[string]any{"ratingScheduledTime": millis(due)})

	// happens moves a copy of the call to a time in the period.
	then := st.c
	happens := func(at time.Time) bool {
		then.now = at
		return !at.After(st.until)
	}
	end := func(at time.Time, status, activity string) {
		for _, rating := range ratings {
			if rating.Status != "Rated" {
				rating.Status = status
				if status == "Cancelled" {
					rating.CancelledAt = at
				} else {
					rating.UnscheduledAt = at
				}
			}
		}
		st.s.record(&then, st.talk, activity, "", "", nil)
	}
	if !reopens.IsZero() && reopens.Before(due) {
		if happens(reopens) {
			end(reopens, "Unscheduled", "ConversationRatingUnscheduled")
		}
		return
	}
	if !happens(due) {
		return
	}
	for _, rating := range ratings {
		rating.Status, rating.OfferedAt = "Offered", due
	}
	st.s.record(&then, st.talk, "ConversationRatingOffered", "", "ConversationRatingOfferedAttribute",
		map[string]any{"agent": st.s.activityUser(st.agent.ID), "user": st.s.activityUser(st.customer.ID)})
	if !st.chance(0.4) {
		if cancelled := due.Add(7 * 24 * time.Hour); st.chance(0.1) && happens(cancelled) {
			end(cancelled, "Cancelled", "ConversationRatingCancelled")
		}
		return
	}
	at := due.Add(st.within(period{time.Minute, 48 * time.Hour}))
	if !reopens.IsZero() && reopens.Before(at) {
		if happens(reopens) {
			end(reopens, "Cancelled", "ConversationRatingCancelled")
		}
		return
	}
	if happens(at) {
		st.rate(&then, ratings)
	}
}

// rate answers the questions of a survey, or some of them.
func (st *story) rate(c *call, ratings []*Rating) {
	for i, rating := range ratings {
		if i > 0 && st.chance(0.2) {
			continue
		}
		score := 1 + st.weighted([]float64{8, 5, 9, 24, 54})
		switch rating.Type {
		case "Nps":
			score = st.weighted([]float64{5, 1, 1, 2, 2, 5, 5, 12, 18, 20, 29})
		case "ThumbsUpOrDown":
			score = st.weighted([]float64{18, 82})
		}
		remark := ""
		if st.chance(0.3) {
			remark = either(st.filling, ratingRemarks)
		}
		rating.SubmittedAt = c.now
		st.s.rate(c, st.talk, rating, score, remark)
	}
}

// forget redacts a message of a few closed conversations and anonymizes a few others.
func (st *story) forget() {
	kind := st.random.Float64()
	if kind > 0.014 || !st.moveTo(st.c.now.Add(st.within(period{20 * 24 * time.Hour, 90 * 24 * time.Hour}))) {
		return
	}
	st.c.actor = st.s.tokenUser()
	request := &Anonymization{
		ID: st.s.newID(), Type: "Conversation", TargetID: strconv.FormatInt(st.talk.ID, 10),
		RequestedBy: st.c.actor, InitiatedAt: st.c.now, DueAt: st.c.now, ProcessedAt: st.c.now,
	}
	if kind < 0.006 {
		st.s.forgetConversation(&st.c, st.talk)
	} else {
		message := st.talk.Messages[0]
		request.Type, request.TargetID = "Message", fmt.Sprintf("%d_%s", st.talk.ID, message.ID)
		st.s.redactMessage(&st.c, st.talk, message)
	}
	st.s.state.Anonymizations = append(st.s.state.Anonymizations, request)
}
