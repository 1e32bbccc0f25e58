package fold

import (
	"slices"

	"github.com/claimflow/claimflow/claim"
)

// Story is a claim and what is known of its conversation, as facts change both.
type Story struct {
	State        claim.State
	Conversation claim.Conversation
	// Status is what the owner is told, and Derived the [Mark] of the verdict
	// that Dixa's facts came to last.
	Status, Derived string
	// Settings hold the shop's status rules.
	Settings claim.Settings
	// Held says that the rules wait: a command of ours is on its way, and facts
	// may show it in halves.
	Held bool
}

// Change is an accepted change of a claim.
type Change struct {
	// Event moves the claim; empty where only its status changed.
	Event claim.Event
	State claim.State
	// Status is the owner's new view, empty where it stays; Derived is the new
	// [Mark], empty where the rules were not asked.
	Status, Derived string
	// Told are the types of the events that the owner is owed.
	Told []string
	// Rule is the name of the rule that decided.
	Rule string
}

// Mark is how a verdict is remembered: its status, and whether it is a conflict.
func Mark(v claim.Verdict) string {
	if v.Conflict {
		return v.Status + "!"
	}
	return v.Status
}

// Oldest puts readings in the order of their facts.
func Oldest(readings []Reading) {
	slices.SortStableFunc(readings, func(a, b Reading) int { return a.Fact.Stamp.Compare(b.Fact.Stamp) })
}

// Take takes a fact in and says what it changed. The zero fact changes nothing
// but brings the claim to where its conversation is known to be.
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

// TakeAll takes in what readings tell, which are in the order of their facts.
// Facts of one moment count together: which of them came first nobody knows, and
// the owner is not told of states that lasted no time.
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

// settle makes one change that is due. After each the claim is closer to its
// conversation, so it ends.
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

// Move makes a change that time or a step of ours brings, not a fact.
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

// judge asks the rules. Only a verdict that differs from the last one that Dixa's
// facts came to counts, so that a status which the owner set stays until
// something new happens in Dixa.
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
		return // what the owner said before the conversation was there holds
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

// Judge is the [Mark] of what the rules say of a conversation and of a claim that
// has caught up with it.
func Judge(state claim.State, c claim.Conversation, settings claim.Settings) string {
	s := Story{State: state, Conversation: c, Settings: settings, Held: true}
	s.Take(claim.Fact{})
	return Mark(s.Settings.Status(s.State, &s.Conversation))
}
