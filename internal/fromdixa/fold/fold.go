package fold

import (
	"slices"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/mirror"
)

// Projection is a claim and the known state of its conversation. Facts change both.
type Projection struct {
	State        claim.State
	Conversation mirror.Conversation
	// Status is the status that the owner sees. DerivedStatus is the [EncodeDecision] of the last
	// decision derived from Dixa's facts.
	Status, DerivedStatus string
	// Settings hold the shop's status rules.
	Settings claim.Settings
	// RulesSuspended suspends the rules while a command of ours is in flight, because facts
	// may show it half-applied.
	RulesSuspended bool
}

// Change is an accepted change of a claim.
type Change struct {
	// Event moves the claim; empty if only its status changed.
	Event claim.Event
	State claim.State
	// Status is the owner's new view, empty if unchanged. DerivedStatus is the new [EncodeDecision],
	// empty if the rules reached no new decision.
	Status, DerivedStatus string
	// Outbound are the types of the events to send to the owner.
	Outbound []string
	// Rule is the name of the rule that decided.
	Rule string
}

// EncodeDecision encodes a decision for storage: its status, and whether it is a conflict.
func EncodeDecision(v claim.StatusDecision) string {
	if v.Conflict {
		return v.Status + "!"
	}
	return v.Status
}

// SortOldestFirst sorts readings by their facts, oldest first.
func SortOldestFirst(readings []Reading) {
	slices.SortStableFunc(readings, func(a, b Reading) int { return a.Fact.Stamp.Compare(b.Fact.Stamp) })
}

// Apply applies a fact and returns the resulting changes. The zero fact adds nothing;
// it only moves the claim to the known state of its conversation.
func (s *Projection) Apply(f mirror.Fact) []Change {
	s.Conversation.Apply(f)
	var changes []Change
	for {
		c, changed := s.settle()
		if !changed {
			return changes
		}
		changes = append(changes, c)
	}
}

// ApplyAll applies readings, which must be in the order of their facts. Facts with
// the same time count together: their order is unknown, and the owner is not
// notified of states that lasted no time.
func (s *Projection) ApplyAll(readings []Reading, each func(Reading, []Change)) {
	for i, r := range readings {
		if i+1 < len(readings) && readings[i+1].Fact.At.Equal(r.Fact.At) {
			s.Conversation.Apply(r.Fact)
			each(r, nil)
			continue
		}
		each(r, s.Apply(r.Fact))
	}
}

var outboundTypes = map[claim.Event]string{
	claim.EventReopen: claim.OutboundReopened, claim.EventPending: claim.OutboundPending,
	claim.EventClose: claim.OutboundClosed, claim.EventSettle: claim.OutboundSettled,
}

// settle makes one due change. Each change brings the claim closer to its
// conversation, so repeated calls terminate.
func (s *Projection) settle() (Change, bool) {
	var c Change
	if event := s.Conversation.NextEvent(s.State); event != "" {
		next, err := s.State.Next(event)
		if err != nil {
			return c, false // the state machine knows every such event
		}
		s.State, c.Event = next, event
	}
	s.evaluateRules(&c)
	if c.Event == "" && c.DerivedStatus == "" {
		return c, false
	}
	c.State = s.State
	return c, true
}

// Transition makes a change caused by time or by a step of ours instead of a fact.
func (s *Projection) Transition(event claim.Event) (Change, error) {
	next, err := s.State.Next(event)
	if err != nil {
		return Change{}, err
	}
	s.State = next
	c := Change{Event: event, State: next}
	s.evaluateRules(&c)
	return c, nil
}

// evaluateRules evaluates the rules. A decision counts only if it differs from the last
// one derived from Dixa's facts, so a status that the owner set stays until something
// new happens in Dixa.
func (s *Projection) evaluateRules(c *Change) {
	if told := outboundTypes[c.Event]; told != "" {
		c.Outbound = append(c.Outbound, told)
	}
	if s.RulesSuspended || !follows(s.State) {
		return
	}
	decision := s.Settings.EvaluateStatus(s.State, &s.Conversation.Conversation)
	if EncodeDecision(decision) == s.DerivedStatus {
		return
	}
	first := s.DerivedStatus == ""
	s.DerivedStatus, c.DerivedStatus, c.Rule = EncodeDecision(decision), EncodeDecision(decision), decision.Rule
	if decision.Conflict {
		c.Outbound = append(c.Outbound, claim.OutboundStatusConflict)
	}
	if decision.Status == s.Status || first && s.Status != "" {
		return // a status that the owner set before the conversation existed stays
	}
	s.Status, c.Status = decision.Status, decision.Status
	if len(c.Outbound) == 0 && !first {
		c.Outbound = append(c.Outbound, claim.OutboundStatusChanged)
	}
}

func follows(s claim.State) bool {
	switch s {
	case claim.StateOpen, claim.StatePending, claim.StateClosed, claim.StateSettled:
		return true
	}
	return false
}

// Evaluate returns the [EncodeDecision] of the rules' decision on a conversation and a claim that
// has caught up with it.
func Evaluate(state claim.State, c claim.Conversation, settings claim.Settings) string {
	s := Projection{State: state, Conversation: mirror.Conversation{Conversation: c}, Settings: settings, RulesSuspended: true}
	s.Apply(mirror.Fact{})
	return EncodeDecision(s.Settings.EvaluateStatus(s.State, &s.Conversation.Conversation))
}
