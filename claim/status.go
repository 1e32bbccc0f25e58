package claim

import (
	"slices"
	"strings"
)

// Statuses of the built-in rules. A shop's rules may use others, which the owner of
// the claims defines.
const (
	StatusPending  = "pending"
	StatusAccepted = "accepted"
	StatusRejected = "rejected"
	StatusClosed   = "closed"
)

// Sources of a claim's status.
const (
	ByDixa  = "dixa"
	ByOwner = "owner"
)

// StatusRule determines the status reported to a claim's owner. The first match
// wins.
type StatusRule struct {
	// Name is the display name.
	Name string     `json:"name" validate:"required,max=100"`
	When StatusWhen `json:"when"`
	Then StatusThen `json:"then"`
}

// StatusWhen is the condition of a rule. Every member that is set must match. Tags
// are case-insensitive.
type StatusWhen struct {
	// State is the claim's state: one of open, pending, closed and settled.
	State []State `json:"state,omitempty" validate:"dive,oneof=open pending closed settled"`
	// The conversation must have all of Tags, at least one of AnyTag and none of
	// NoTag.
	Tags   []string `json:"tags,omitempty" validate:"max=20,dive,required,max=100"`
	AnyTag []string `json:"any_tag,omitempty" validate:"max=20,dive,required,max=100"`
	NoTag  []string `json:"no_tag,omitempty" validate:"max=20,dive,required,max=100"`
}

// StatusThen is the result of a rule.
type StatusThen struct {
	// Status is pending, accepted, rejected, closed or a value that the owner
	// defines.
	Status string `json:"status" validate:"required,max=50"`
	// Conflict notifies the owner once that the conversation contradicts itself.
	Conflict bool `json:"conflict,omitempty"`
}

// StatusDecision is the result of the rules for a conversation.
type StatusDecision struct {
	Status   string `json:"status"`
	Conflict bool   `json:"conflict,omitempty"`
	// Rule is the name of the matching rule; empty if none matched.
	Rule string `json:"rule,omitempty"`
}

// DefaultStatusRules are the rules of a shop that sets none. tag is the prefix of
// the shop's tags. With the prefix "claim", an agent accepts a claim by closing its
// conversation with the tag claim-accepted and rejects it with claim-rejected.
func DefaultStatusRules(tag string) []StatusRule {
	done := []State{StateClosed, StateSettled}
	accepted, rejected := tag+"-accepted", tag+"-rejected"
	return []StatusRule{
		{"accepted and rejected", StatusWhen{State: done, Tags: []string{accepted, rejected}}, StatusThen{Status: StatusPending, Conflict: true}},
		{"accepted", StatusWhen{State: done, Tags: []string{accepted}}, StatusThen{Status: StatusAccepted}},
		{"rejected", StatusWhen{State: done, Tags: []string{rejected}}, StatusThen{Status: StatusRejected}},
		{"closed", StatusWhen{State: done}, StatusThen{Status: StatusClosed}},
		{"not closed", StatusWhen{}, StatusThen{Status: StatusPending}},
	}
}

// EvaluateStatus returns the status reported to the owner of a claim with the given state
// and conversation. If no rule matches, it is pending.
func (s *Settings) EvaluateStatus(state State, c *Conversation) StatusDecision {
	rules := s.StatusRules
	if len(rules) == 0 {
		rules = DefaultStatusRules(s.Tag)
	}
	for _, r := range rules {
		if r.When.matches(state, c) {
			return StatusDecision{Status: r.Then.Status, Conflict: r.Then.Conflict, Rule: r.Name}
		}
	}
	return StatusDecision{Status: StatusPending}
}

func (w *StatusWhen) matches(state State, c *Conversation) bool {
	if len(w.State) > 0 && !slices.Contains(w.State, state) {
		return false
	}
	has := func(tag string) bool { return c.HasTag(strings.TrimSpace(tag)) }
	for _, tag := range w.Tags {
		if !has(tag) {
			return false
		}
	}
	return (len(w.AnyTag) == 0 || slices.ContainsFunc(w.AnyTag, has)) && !slices.ContainsFunc(w.NoTag, has)
}
