package server

import (
	"cmp"
	"strings"
	"time"
)

type ratingBody struct {
	ID         string            `json:"id"`
	Score      *int              `json:"ratingScore,omitempty"`
	Type       string            `json:"ratingType"`
	Comment    string            `json:"ratingComment,omitempty"`
	Channel    string            `json:"conversationChannel"`
	AgentID    string            `json:"agentId,omitempty"`
	UserID     string            `json:"userId"`
	Status     string            `json:"ratingStatus"`
	Language   string            `json:"language,omitempty"`
	Timestamps map[string]string `json:"timestamps"`
}

func (s *Server) listRatings(_ *call, conversation *Conversation) (reply, error) {
	bodies := []ratingBody{}
	for _, rating := range conversation.Ratings {
		times := map[string]string{"created_at": seconds(rating.createdAt())}
		for name, at := range map[string]time.Time{
			"offered_at": rating.OfferedAt, "rated_at": rating.SubmittedAt,
			"scheduled_at": rating.ScheduledAt, "scheduled_for": rating.ScheduledFor,
		} {
			if !at.IsZero() {
				times[name] = seconds(at)
			}
		}
		if !rating.ScheduledAt.IsZero() {
			times["modified_at"] = seconds(rating.modifiedAt())
		}
		bodies = append(bodies, ratingBody{
			rating.ID, rating.Score, rating.Type, rating.Comment, conversation.Channel,
			rating.AgentID, rating.UserID, rating.Status, cmp.Or(rating.Language, conversation.Language), times,
		})
	}
	return ok(bodies)
}

// createdAt returns the time at which the rating was scheduled or offered.
func (r *Rating) createdAt() time.Time {
	if r.ScheduledAt.IsZero() {
		return r.OfferedAt
	}
	return r.ScheduledAt
}

// modifiedAt returns the time of the rating's last step.
func (r *Rating) modifiedAt() time.Time {
	last := r.createdAt()
	for _, at := range []time.Time{r.OfferedAt, r.SubmittedAt, r.UnscheduledAt, r.CancelledAt} {
		if at.After(last) {
			last = at
		}
	}
	return last
}

type ratingOfferInput struct {
	UserID    string   `json:"userId" validate:"omitempty,uuid"`
	AgentID   string   `json:"agentId" validate:"omitempty,uuid"`
	Type      string   `json:"ratingType" validate:"required,oneof=Csat Nps ThumbsUpOrDown"`
	OfferedAt *instant `json:"offeredAt"`
}

func (s *Server) offerRating(c *call, conversation *Conversation, input ratingOfferInput) (reply, error) {
	rating := &Rating{
		ID: s.newID(), Type: input.Type, Status: "Offered", OfferedAt: c.now,
		UserID:  cmp.Or(strings.ToLower(input.UserID), conversation.RequesterID),
		AgentID: cmp.Or(strings.ToLower(input.AgentID), conversation.AssigneeID, c.actor),
	}
	if input.OfferedAt != nil {
		rating.OfferedAt = input.OfferedAt.Time
	}
	conversation.Ratings = append(conversation.Ratings, rating)
	s.record(c, conversation, "ConversationRatingOffered", c.actor, "ConversationRatingOfferedAttribute",
		map[string]any{"agent": s.activityUser(rating.AgentID), "user": s.activityUser(rating.UserID)})
	return created(map[string]any{
		"id": rating.ID, "userId": rating.UserID, "agentId": rating.AgentID,
		"ratingType": rating.Type, "offeredAt": seconds(rating.OfferedAt),
	})
}

// ratingScale holds the lowest and highest value of each type.
var ratingScale = map[string][2]int{"Csat": {1, 5}, "Nps": {0, 10}, "ThumbsUpOrDown": {0, 1}}

type ratingInput struct {
	Result struct {
		Type  string `json:"_type" validate:"required,oneof=Csat Nps ThumbsUpOrDown"`
		Value *int   `json:"value" validate:"required"`
	} `json:"ratingResult" validate:"required"`
	UserID      *string  `json:"userId"`
	Comment     string   `json:"comment"`
	SubmittedAt *instant `json:"submittedAt"`
}

func (s *Server) submitRating(c *call, conversation *Conversation, input ratingInput) (reply, error) {
	id := c.request.PathValue("ratingId")
	rating := first(conversation.Ratings, func(r *Rating) bool { return sameID(r.ID, id) && r.Type == input.Result.Type })
	scale := ratingScale[input.Result.Type]
	if rating == nil ||
		*input.Result.Value < scale[0] || *input.Result.Value > scale[1] {
		return reply{}, bad(messageInvalid)
	}
	when := c.now
	if input.SubmittedAt != nil {
		when = input.SubmittedAt.Time
	}
	rating.SubmittedAt = when
	s.rate(c, conversation, rating, *input.Result.Value, input.Comment)
	return created(map[string]any{
		"ratingId": rating.ID, "userId": rating.UserID, "comment": rating.Comment, "submittedAt": seconds(when),
		"ratingResult": map[string]any{"_type": rating.Type, "value": *rating.Score},
	})
}

// rate answers an offered rating. Dixa reports a score and its comment separately,
// so a rating with both emits two events.
func (s *Server) rate(c *call, conversation *Conversation, rating *Rating, score int, comment string) {
	rating.Status, rating.Score, rating.Comment = "Rated", &score, comment
	s.record(c, conversation, "ConversationRated", rating.UserID, "ConversationRatedAttribute",
		map[string]any{"agent": s.activityUser(rating.AgentID), "score": score, "message": comment})
	event := func(comment string) func() map[string]any {
		return func() map[string]any {
			return map[string]any{
				"agent": s.webhookUser(rating.AgentID), "score": score,
				"comment": orNull(comment), "type": rating.Type,
			}
		}
	}
	s.emit(c, conversation, "ConversationRated", event(""))
	if comment != "" {
		s.emit(c, conversation, "ConversationRated", event(comment))
	}
}
