package claim_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
)

var update = flag.Bool("update", false, "update docs/state-machine.md")

// events lists every event in the order of the table below.
var events = []claim.Event{
	claim.EventStart, claim.EventOpened, claim.EventPark, claim.EventSkip, claim.EventAbandon,
	claim.EventRetry, claim.EventPending, claim.EventReopen, claim.EventClose, claim.EventSettle,
}

// stateTable maps each state and event to the next state. A dot means that the event
// does not apply.
const stateTable = `
state           | start   opened park            skip    abandon   retry    pending reopen close   settle
received        | opening .      needs_attention skipped abandoned received .       .      .       .
opening         | opening open   needs_attention skipped abandoned opening  .       .      .       .
open            | .       open   needs_attention .       abandoned .        pending open   closed  .
pending         | .       .      needs_attention .       abandoned .        pending open   closed  .
closed          | .       .      needs_attention .       abandoned .        pending open   closed  settled
settled         | .       .      .               .       .         .        pending open   settled settled
needs_attention | opening open   needs_attention skipped abandoned received .       .      .       .
skipped         | .       .      .               skipped abandoned received .       .      .       .
abandoned       | .       .      .               .       abandoned received .       .      .       .
`

func TestNext(t *testing.T) {
	t.Parallel()
	lines := strings.Split(strings.TrimSpace(stateTable), "\n")
	names := strings.Fields(strings.ReplaceAll(lines[0], "|", " "))[1:]
	require.Len(t, names, len(events))
	require.Len(t, lines[1:], len(claim.States()), "every state needs a row")
	for _, line := range lines[1:] {
		cells := strings.Fields(strings.ReplaceAll(line, "|", " "))
		from := claim.State(cells[0])
		require.Contains(t, claim.States(), from)
		for i, e := range events {
			require.Equal(t, names[i], string(e))
			next, err := from.Next(e)
			if want := cells[i+1]; want != "." {
				require.NoError(t, err, "%s %s", from, e)
				require.Equal(t, claim.State(want), next, "%s %s", from, e)
				continue
			}
			var refused *claim.TransitionError
			require.ErrorAs(t, err, &refused, "%s allows %s", from, e)
			require.Equal(t, claim.TransitionError{From: from, Event: e}, *refused)
			require.Equal(t, from, next, "a rejected event must not change the state")
			require.EqualError(t, err, fmt.Sprintf("a claim in state %s does not allow %q", from, e))
		}
	}
	for _, from := range []claim.State{"", "unknown"} {
		_, err := from.Next(claim.EventStart)
		require.Error(t, err)
	}
	_, err := claim.StateOpen.Next("unknown")
	require.Error(t, err)
}

// TestEventsAreIdempotent checks that applying an event twice in a row changes nothing,
// so repeated deliveries converge. A retry is a request and may be repeated as long as
// it applies.
func TestEventsAreIdempotent(t *testing.T) {
	t.Parallel()
	for _, from := range claim.States() {
		for _, e := range events {
			once, err := from.Next(e)
			if err != nil {
				continue
			}
			twice, err := once.Next(e)
			require.NoError(t, err, "%s %s %s", from, e, e)
			require.Equal(t, once, twice, "%s %s %s", from, e, e)
		}
	}
}

// TestNoStateIsADeadEnd checks that no claim gets stuck and that every claim can be
// opened until it is settled.
func TestNoStateIsADeadEnd(t *testing.T) {
	t.Parallel()
	for _, from := range claim.States() {
		reached := map[claim.State]bool{from: true}
		for todo := []claim.State{from}; len(todo) > 0; todo = todo[1:] {
			for _, e := range events {
				if next, err := todo[0].Next(e); err == nil && !reached[next] {
					reached[next] = true
					todo = append(todo, next)
				}
			}
		}
		require.True(t, reached[claim.StateOpen], "%s cannot reach open", from)
		require.True(t, reached[claim.StateSettled], "%s cannot reach settled", from)
	}
}

func TestFinal(t *testing.T) {
	t.Parallel()
	for _, s := range claim.States() {
		require.Equal(t, s == claim.StateSettled || s == claim.StateSkipped || s == claim.StateAbandoned, s.Final(), s)
	}
}

// TestStateMachinePage keeps docs/state-machine.md in sync with the code.
func TestStateMachinePage(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	p("<!-- Generated from claim/state.go and claim/state_test.go. Run \"go test ./claim -update\" to regenerate it. -->")
	p("# The states of a claim\n")
	p("A claim's row in the store contains its state. Only these events change it. An event that is not listed for a state is rejected. The diagram omits events that do not change the state.\n")
	p("```mermaid\nstateDiagram-v2")
	p("    [*] --> received: accepted")
	for _, from := range claim.States() {
		for _, to := range claim.States() {
			var by []string
			for _, e := range events {
				if next, err := from.Next(e); err == nil && next == to && from != to {
					by = append(by, string(e))
				}
			}
			if len(by) > 0 {
				p("    %s --> %s: %s", from, to, strings.Join(by, ", "))
			}
		}
	}
	p("```\n")
	p("| Event | When |\n| --- | --- |")
	for _, e := range events {
		p("| `%s` | %s |", e, whenOf[e])
	}
	p("\n| State | Meaning |\n| --- | --- |")
	for _, s := range claim.States() {
		p("| `%s` | %s |", s, meaningOf[s])
	}
	path := filepath.Join("..", "docs", "state-machine.md")
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(b.String()), 0o644))
	}
	page, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(page), b.String(), "docs/state-machine.md is stale; run go test ./claim -update")
	require.Len(t, whenOf, len(events))
	require.Len(t, meaningOf, len(claim.States()))
}

var whenOf = map[claim.Event]string{
	claim.EventStart:   "the workflow starts to open the conversation",
	claim.EventOpened:  "the conversation exists and is complete",
	claim.EventPark:    "the claim cannot proceed without a person",
	claim.EventSkip:    "the integration is off",
	claim.EventAbandon: "the owner withdraws the claim, or an operator abandons it",
	claim.EventRetry:   "an operator or new settings retry the claim",
	claim.EventPending: "a follow-up was added in Dixa",
	claim.EventReopen:  "the conversation was reopened in Dixa",
	claim.EventClose:   "the conversation was closed in Dixa",
	claim.EventSettle:  "the conversation stayed closed for the quiet period",
}

var meaningOf = map[claim.State]string{
	claim.StateReceived:       "accepted and durable; nothing was sent to Dixa yet. Claims of a paused shop wait here",
	claim.StateOpening:        "its conversation is being opened",
	claim.StateOpen:           "its conversation is open",
	claim.StatePending:        "its conversation waits for a follow-up",
	claim.StateClosed:         "its conversation is closed and may still reopen",
	claim.StateSettled:        "closed for the whole quiet period",
	claim.StateNeedsAttention: "parked until a person acts; its cause says why and what to do",
	claim.StateSkipped:        "the integration was off when the claim arrived; the claim can be opened later",
	claim.StateAbandoned:      "withdrawn by its owner or abandoned by an operator",
}
