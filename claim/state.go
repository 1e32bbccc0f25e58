package claim

import "fmt"

// State is the state of a claim.
type State string

// Opening reports whether the claim is still on its way to a conversation: received
// or opening.
func (s State) Opening() bool { return s == StateReceived || s == StateOpening }

// States of a claim.
const (
	// StateReceived: accepted and durable, but nothing has been sent to Dixa. The
	// claims of a paused shop wait in this state.
	StateReceived State = "received"
	// StateOpening: its conversation is being opened.
	StateOpening State = "opening"
	// StateOpen: its conversation is open in Dixa.
	StateOpen State = "open"
	// StatePending: its conversation waits for a follow-up in Dixa.
	StatePending State = "pending"
	// StateClosed: its conversation is closed and may still reopen.
	StateClosed State = "closed"
	// StateSettled: closed for the whole quiet period.
	StateSettled State = "settled"
	// StateNeedsAttention: parked until a person acts. The [Cause] says why.
	StateNeedsAttention State = "needs_attention"
	// StateSkipped: the integration was off when the claim arrived.
	StateSkipped State = "skipped"
	// StateAbandoned: withdrawn by its owner or abandoned by an operator.
	StateAbandoned State = "abandoned"
)

// States lists every state in display order.
func States() []State {
	return []State{
		StateReceived, StateOpening, StateOpen, StatePending, StateClosed, StateSettled,
		StateNeedsAttention, StateSkipped, StateAbandoned,
	}
}

// Final reports whether the workflow of a claim in this state has ended or has
// nothing to wait for. A retry or a reopen can still leave a final state.
func (s State) Final() bool {
	return s == StateSettled || s == StateSkipped || s == StateAbandoned
}

// Event moves a claim from one state to the next.
type Event string

// Events of a claim's lifecycle.
const (
	EventStart   Event = "start"   // its workflow starts to open it
	EventOpened  Event = "opened"  // its conversation exists and is complete
	EventPark    Event = "park"    // it cannot proceed without a person
	EventSkip    Event = "skip"    // the integration is off
	EventAbandon Event = "abandon" // withdrawn or abandoned
	EventRetry   Event = "retry"   // a person or new settings wake it
	EventPending Event = "pending" // Dixa: follow-up added
	EventReopen  Event = "reopen"  // Dixa: open again
	EventClose   Event = "close"   // Dixa: closed
	EventSettle  Event = "settle"  // the quiet period is over
)

var transitions = map[State]map[Event]State{
	StateReceived: {
		EventStart: StateOpening, EventSkip: StateSkipped, EventPark: StateNeedsAttention,
		EventAbandon: StateAbandoned, EventRetry: StateReceived,
	},
	StateOpening: {
		EventStart: StateOpening, EventOpened: StateOpen, EventPark: StateNeedsAttention,
		EventSkip: StateSkipped, EventAbandon: StateAbandoned, EventRetry: StateOpening,
	},
	StateOpen: {
		EventOpened: StateOpen, EventPending: StatePending, EventClose: StateClosed, EventReopen: StateOpen,
		EventPark: StateNeedsAttention, EventAbandon: StateAbandoned,
	},
	StatePending: {
		EventPending: StatePending, EventReopen: StateOpen, EventClose: StateClosed,
		EventPark: StateNeedsAttention, EventAbandon: StateAbandoned,
	},
	StateClosed: {
		EventClose: StateClosed, EventReopen: StateOpen, EventPending: StatePending, EventSettle: StateSettled,
		EventPark: StateNeedsAttention, EventAbandon: StateAbandoned,
	},
	StateSettled: {EventReopen: StateOpen, EventPending: StatePending, EventSettle: StateSettled, EventClose: StateSettled},
	StateNeedsAttention: {
		EventStart: StateOpening, EventRetry: StateReceived, EventPark: StateNeedsAttention,
		EventSkip: StateSkipped, EventAbandon: StateAbandoned, EventOpened: StateOpen,
	},
	StateSkipped:   {EventRetry: StateReceived, EventSkip: StateSkipped, EventAbandon: StateAbandoned},
	StateAbandoned: {EventRetry: StateReceived, EventAbandon: StateAbandoned},
}

// TransitionError reports that an event does not apply in a state.
type TransitionError struct {
	From  State
	Event Event
}

func (e *TransitionError) Error() string {
	return fmt.Sprintf("a claim in state %s does not allow %q", e.From, e.Event)
}

// Next returns the state after an event, or a [*TransitionError] if the event does
// not apply. It is pure: the same pair always gives the same state.
func (s State) Next(e Event) (State, error) {
	if next, ok := transitions[s][e]; ok {
		return next, nil
	}
	return s, &TransitionError{From: s, Event: e}
}
