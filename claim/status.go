package claim

import (
	"slices"
	"strings"
)

// The statuses of the built-in rules. A shop's rules may name others: the owner
// of the claims says what they mean.
const (
	StatusPending  = "pending"
	StatusAccepted = "accepted"
	StatusRejected = "rejected"
	StatusClosed   = "closed"
)

// Who set a claim's status.
const (
	ByDixa  = "dixa"
	ByOwner = "owner"
)

// StatusRule says what a claim's owner is told its status is. The first rule that
// matches wins.
type StatusRule struct {
	// Name is for people.
	Name string     `json:"name" validate:"required,max=100"`
	When StatusWhen `json:"when"`
	Then StatusThen `json:"then"`
}

// StatusWhen is what a claim's conversation must be for a rule to match. Every
// member that is given must match. Tags count in any case of letters.
type StatusWhen struct {
	// State is where the claim stands: one of open, pending, closed and settled.
	State []State `json:"state,omitempty" validate:"dive,oneof=open pending closed settled"`
	// Tags must all be there, of AnyTag at least one, of NoTag none.
	Tags   []string `json:"tags,omitempty" validate:"max=20,dive,required,max=100"`
	AnyTag []string `json:"any_tag,omitempty" validate:"max=20,dive,required,max=100"`
	NoTag  []string `json:"no_tag,omitempty" validate:"max=20,dive,required,max=100"`
}

// StatusThen is what a rule decides.
type StatusThen struct {
	// Status is pending, accepted, rejected, closed or a word of the owner's.
	Status string `json:"status" validate:"required,max=50"`
	// Conflict tells the owner that the conversation contradicts itself, once.
	Conflict bool `json:"conflict,omitempty"`
}

// Verdict is what the rules say of a conversation.
type Verdict struct {
	Status   string `json:"status"`
	Conflict bool   `json:"conflict,omitempty"`
	// Rule is the name of the rule that matched; empty where none did.
	Rule string `json:"rule,omitempty"`
}

// DefaultStatusRules hold where a shop has none of its own. tag is the stem of
// the shop's tags: an agent accepts a claim by closing its conversation with the
// tag claim-accepted, and rejects it with claim-rejected.
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

// Status is what a claim's owner is told of a claim that stands somewhere with
// its conversation. Where no rule of the shop matches it is pending.
func (s *Settings) Status(state State, c *Conversation) Verdict {
	rules := s.StatusRules
	if len(rules) == 0 {
		rules = DefaultStatusRules(s.Tag)
	}
	for _, r := range rules {
		if r.When.matches(state, c) {
			return Verdict{Status: r.Then.Status, Conflict: r.Then.Conflict, Rule: r.Name}
		}
	}
	return Verdict{Status: StatusPending}
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
