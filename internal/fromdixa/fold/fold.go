package fold

import (
	"slices"

	"github.com/claimflow/claimflow/claim"
)

// Story is a claim and the known state of its conversation. Facts change both.
type Story struct {
	State        claim.State
	Conversation claim.Conversation
	// Status is the status that the owner sees. Derived is the [Mark] of the last
	// verdict derived from Dixa's facts.
	Status, Derived string
	// Settings hold the shop's status rules.
	Settings claim.Settings
	// Held suspends the rules while a command of ours is in flight, because facts
	// may show it half-applied.
	Held bool
}

// Change is an accepted change of a claim.
type Change struct {
	// Event moves the claim; empty if only its status changed.
	Event claim.Event
	State claim.State
	// Status is the owner's new view, empty if unchanged. Derived is the new [Mark],
	// empty if the rules reached no new verdict.
	Status, Derived string
	// Told are the types of the events to send to the owner.
	Told []string
	// Rule is the name of the rule that decided.
	Rule string
}

// Mark encodes a verdict for storage: its status, and whether it is a conflict.
func Mark(v claim.Verdict) string {
	if v.Conflict {
		return v.Status + "!"
	}
	return v.Status
}

// Oldest sorts readings by their facts, oldest first.
func Oldest(readings []Reading) {
	slices.SortStableFunc(readings, func(a, b Reading) int { return a.Fact.Stamp.Compare(b.Fact.Stamp) })
}

// Take applies a fact and returns the resulting changes. The zero fact adds nothing;
// it only moves the claim to the known state of its conversation.
func (s *Story) Take(f claim.Fact) []Change {
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

// TakeAll applies readings, which must be in the order of their facts. Facts with
// the same time count together: their order is unknown, and the owner is not
// notified of states that lasted no time.
func (s *Story) TakeAll(readings []Reading, each func(Reading, []Change)) {
	for i, r := range readings {
		if i+1 < len(readings) && readings[i+1].Fact.At.Equal(r.Fact.At) {
			s.Conversation.Apply(r.Fact)
			each(r, nil)
			continue
		}
		each(r, s.Take(r.Fact))
	}
}

var toldOf = map[claim.Event]string{
	claim.EventReopen: claim.ToldReopened, claim.EventPending: claim.ToldPending,
	claim.EventClose: claim.ToldClosed, claim.EventSettle: claim.ToldSettled,
}

// settle makes one due change. Each change brings the claim closer to its
// conversation, so repeated calls terminate.
func (s *Story) settle() (Change, bool) {
	var c Change
	if event := s.Conversation.Event(s.State); event != "" {
		next, err := s.State.Next(event)
		if err != nil {
			return c, false // the state machine knows every such event
		}
		s.State, c.Event = next, event
	}
	s.judge(&c)
	if c.Event == "" && c.Derived == "" {
		return c, false
	}
	c.State = s.State
	return c, true
}

// Move makes a change caused by time or by a step of ours instead of a fact.
func (s *Story) Move(event claim.Event) (Change, error) {
	next, err := s.State.Next(event)
	if err != nil {
		return Change{}, err
	}
	s.State = next
	c := Change{Event: event, State: next}
	s.judge(&c)
	return c, nil
}

// judge evaluates the rules. A verdict counts only if it differs from the last one
// derived from Dixa's facts, so a status that the owner set stays until something
// new happens in Dixa.
func (s *Story) judge(c *Change) {
	if told := toldOf[c.Event]; told != "" {
		c.Told = append(c.Told, told)
	}
	if s.Held || !follows(s.State) {
		return
	}
	verdict := s.Settings.Status(s.State, &s.Conversation)
	if Mark(verdict) == s.Derived {
		return
	}
	first := s.Derived == ""
	s.Derived, c.Derived, c.Rule = Mark(verdict), Mark(verdict), verdict.Rule
	if verdict.Conflict {
		c.Told = append(c.Told, claim.ToldConflict)
	}
	if verdict.Status == s.Status || first && s.Status != "" {
		return // a status that the owner set before the conversation existed stays
	}
	s.Status, c.Status = verdict.Status, verdict.Status
	if len(c.Told) == 0 && !first {
		c.Told = append(c.Told, claim.ToldStatus)
	}
}

func follows(s claim.State) bool {
	switch s {
	case claim.StateOpen, claim.StatePending, claim.StateClosed, claim.StateSettled:
		return true
	}
	return false
}

// Judge returns the [Mark] of the rules' verdict on a conversation and a claim that
// has caught up with it.
func Judge(state claim.State, c claim.Conversation, settings claim.Settings) string {
	s := Story{State: state, Conversation: c, Settings: settings, Held: true}
	s.Take(claim.Fact{})
	return Mark(s.Settings.Status(s.State, &s.Conversation))
}
