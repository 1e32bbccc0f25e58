package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Actions of a Step.
const (
	// PlayClaim claims the conversation for the agent.
	PlayClaim = "claim"
	// PlayReply writes a message from the agent to the customer, or from the
	// customer.
	PlayReply = "reply"
	// PlayTag and PlayUntag add and remove the tag named Tag.
	PlayTag   = "tag"
	PlayUntag = "untag"
	// PlayNote writes an internal note.
	PlayNote = "note"
	// PlayClose and PlayReopen change the state.
	PlayClose  = "close"
	PlayReopen = "reopen"
	// PlayPending makes the conversation pending until Until.
	PlayPending = "pending"
	// PlayUnpend removes the follow-up of a pending conversation. PlayExpire expires
	// it immediately.
	PlayUnpend = "unpend"
	PlayExpire = "expire"
	// PlayTransfer transfers the conversation to the queue Queue or the agent To.
	PlayTransfer = "transfer"
	// PlayAssign assigns the conversation to the agent To. PlayUnassign unassigns
	// its agent.
	PlayAssign   = "assign"
	PlayUnassign = "unassign"
	// PlayEnqueue puts the conversation into the queue Queue. Defaults to the
	// organization's default queue.
	PlayEnqueue = "enqueue"
	// PlayReplace makes the end user EndUser the customer of the conversation.
	PlayReplace = "replace"
	// PlayRate offers a satisfaction survey and answers it with Score and Text.
	PlayRate = "rate"
)

// Step is one action that a person takes in Dixa's UI or by mail. It does not count
// against the request limit, and the limit never refuses it.
type Step struct {
	// Action is one of the Play constants.
	Action string `json:"action"`
	// Conversation is the id of the conversation. 0 means the newest.
	Conversation int64 `json:"conversation,omitempty"`
	// Agent is the id of the acting agent. Defaults to SeedAgentAnna or, if she does
	// not exist, the first agent.
	Agent string `json:"agent,omitempty"`
	// Text is the text of a reply, note or rating. If HTML is set, a reply uses it
	// instead.
	Text string `json:"text,omitempty"`
	HTML string `json:"html,omitempty"`
	// Attachments are the URLs of a reply's files.
	Attachments []string `json:"attachments,omitempty"`
	// Tag is the name of a tag.
	Tag string `json:"tag,omitempty"`
	// To is the id of the agent who receives the conversation.
	To string `json:"to,omitempty"`
	// EndUser is the id of an end user.
	EndUser string `json:"endUser,omitempty"`
	// Queue is the id of a queue.
	Queue string `json:"queue,omitempty"`
	// Until is the time at which a follow-up expires. Defaults to 24 hours from now.
	Until time.Time `json:"until,omitzero"`
	// Score is a rating on the scale of a Csat survey, 1 to 5.
	Score int `json:"score,omitempty"`
}

// Agent plays an agent's steps in order and stops at the first failure.
func (s *Server) Agent(ctx context.Context, steps ...Step) error {
	return s.play(ctx, steps, s.agentStep)
}

// Customer plays steps of the conversation's customer, PlayReply and PlayRate, in
// order and stops at the first failure.
func (s *Server) Customer(ctx context.Context, steps ...Step) error {
	return s.play(ctx, steps, s.customerStep)
}

func (s *Server) play(ctx context.Context, steps []Step, act func(*call, *Conversation, Step) error) error {
	for i, step := range steps {
		c := &call{ctx: ctx}
		if len(step.Attachments) > 0 {
			c.files = map[string]download{}
			for _, address := range step.Attachments {
				c.files[address] = s.fetch(ctx, address, s.Switches())
			}
		}
		if err := s.playOne(c, step, act); err != nil {
			return fmt.Errorf("play step %d (%s) on conversation %d: %w", i+1, step.Action, step.Conversation, err)
		}
	}
	return nil
}

func (s *Server) playOne(c *call, step Step, act func(*call, *Conversation, Step) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle()
	c.now, c.switches, c.actor = s.clock(), s.switches, s.tokenUser()
	id := cmp.Or(step.Conversation, s.conversation-1)
	conversation, err := s.findConversation(id)
	if err != nil {
		return errors.New("conversation not found")
	}
	return act(c, conversation, step)
}

func (s *Server) agentStep(c *call, conversation *Conversation, step Step) error {
	agent := s.agent(cmp.Or(step.Agent, SeedAgentAnna))
	if agent == nil && step.Agent == "" && len(s.state.Agents) > 0 {
		agent = s.state.Agents[0]
	}
	if agent == nil {
		return fmt.Errorf("agent %q not found", step.Agent)
	}
	c.actor = agent.ID
	switch step.Action {
	case PlayClaim:
		if err := s.revive(c, conversation, agent.ID); err != nil {
			return err
		}
		s.assign(c, conversation, agent.ID, agent.ID, "ConversationClaimed")
	case PlayReply:
		message := step.message(Outbound)
		message.AgentID = agent.ID
		_, err := s.deliver(c, conversation, message)
		return err
	case PlayTag:
		return s.tagByHand(c, conversation, strings.TrimSpace(step.Tag), agent.ID)
	case PlayUntag:
		tag := first(s.state.Tags, func(t *Tag) bool { return t.Name == strings.TrimSpace(step.Tag) })
		if tag == nil {
			return fmt.Errorf("tag %q not found", step.Tag)
		}
		s.removeTag(c, conversation, tag, agent.ID)
	case PlayNote:
		_, err := s.addNote(c, conversation, noteInput{Message: &step.Text, AgentID: agent.ID})
		return err
	case PlayClose:
		if conversation.State != StateClosed {
			s.shut(c, conversation, agent.ID)
		}
	case PlayReopen:
		if conversation.State != StateOpen {
			s.open(c, conversation, agent.ID)
		}
	case PlayPending:
		until := step.Until
		if until.IsZero() {
			until = c.now.Add(24 * time.Hour)
		}
		s.postpone(c, conversation, agent.ID, until)
	case PlayUnpend, PlayExpire:
		if conversation.State != StatePending {
			return errors.New("the conversation is not pending")
		}
		if step.Action == PlayExpire {
			s.expireFollowup(c, conversation)
		} else {
			s.removeFollowup(c, conversation, agent.ID)
		}
	default:
		return s.handOver(c, conversation, step, agent.ID)
	}
	return nil
}

// tagByHand adds a tag as an agent does, and creates the tag if it does not exist.
func (s *Server) tagByHand(c *call, conversation *Conversation, name, agent string) error {
	if name == "" {
		return errors.New("the tag name is required")
	}
	if tooLong(name, c.switches.MaxTagChars) {
		return fmt.Errorf("the tag name is longer than %d characters", c.switches.MaxTagChars)
	}
	tag := s.tagNamed(name, "")
	if tag.Inactive {
		return fmt.Errorf("tag %q is deactivated", name)
	}
	s.addTag(c, conversation, tag, agent)
	return nil
}

// handOver plays the actions that change the agent, queue or customer of a
// conversation.
func (s *Server) handOver(c *call, conversation *Conversation, step Step, actor string) error {
	switch {
	case step.Action == PlayUnassign:
		s.unassign(c, conversation, actor)
	case step.Action == PlayAssign, step.Action == PlayTransfer && step.To != "":
		to := s.agent(step.To)
		if to == nil {
			return fmt.Errorf("agent %q not found", step.To)
		}
		if step.Action == PlayAssign {
			s.assign(c, conversation, to.ID, actor, "ConversationAssigned")
		} else {
			s.transferToAgent(c, conversation, to, actor)
		}
	case step.Action == PlayTransfer, step.Action == PlayEnqueue:
		id := step.Queue
		if step.Action == PlayEnqueue && id == "" {
			id = s.defaultQueue()
		}
		queue := s.queue(id)
		if queue == nil {
			return fmt.Errorf("queue %q not found", id)
		}
		if step.Action == PlayEnqueue {
			s.enqueue(c, conversation, queue.ID)
		} else {
			s.transfer(c, conversation, queue, actor)
		}
	case step.Action == PlayReplace:
		user := s.endUser(step.EndUser)
		if user == nil {
			return fmt.Errorf("end user %q not found", step.EndUser)
		}
		s.replaceEndUser(c, conversation, user, actor)
	default:
		return fmt.Errorf("unknown agent action %q", step.Action)
	}
	return nil
}

func (s *Server) customerStep(c *call, conversation *Conversation, step Step) error {
	switch step.Action {
	case PlayReply:
		_, err := s.deliver(c, conversation, step.message(Inbound))
		return err
	case PlayRate:
		if step.Score < 1 || step.Score > 5 {
			return fmt.Errorf("score must be between 1 and 5, got %d", step.Score)
		}
		rating := &Rating{
			ID: s.newID(), Type: "Csat", UserID: conversation.RequesterID,
			AgentID: cmp.Or(conversation.AssigneeID, c.actor), Status: "Offered", OfferedAt: c.now,
		}
		conversation.Ratings = append(conversation.Ratings, rating)
		rating.SubmittedAt = c.now
		s.rate(c, conversation, rating, step.Score, step.Text)
		return nil
	}
	return fmt.Errorf("unknown customer action %q", step.Action)
}

func (step Step) message(direction string) messageInput {
	content := &contentInput{Type: "Text", Value: &step.Text}
	if step.HTML != "" {
		content = &contentInput{Type: "Html", Value: &step.HTML}
	}
	input := messageInput{Type: direction, Content: content}
	for _, address := range step.Attachments {
		input.Attachments = append(input.Attachments, fileInput{URL: address})
	}
	return input
}
