package activities_test

import (
	"regexp"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/activities"
	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/emulator/server"
)

var eventTime = regexp.MustCompile(`"event_timestamp":"[^"]+"`)

// inOneMoment plays steps whose events all have one time, and delivers the events.
func (b *sweepBench) inOneMoment(ref claim.Ref, reverse bool, steps ...server.Step) {
	b.Helper()
	b.hold()
	b.agent(ref, steps...)
	events := b.held()
	when := eventTime.FindString(events[0])
	for i := range events {
		events[i] = eventTime.ReplaceAllString(events[i], when)
	}
	if reverse {
		slices.Reverse(events)
	}
	b.deliver(events...)
}

// Events with the same millisecond have no order, so Dixa is queried once.
func TestCloseAndReopenInSameMillisecond(t *testing.T) {
	t.Parallel()
	for name, reopened := range map[string]bool{"closed and reopened": true, "reopened and closed": false} {
		for _, reverse := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				b := newSweepBench(t, losing(0))
				b.sweep()
				ref := b.opened(1)[0]
				b.agent(ref, server.Step{Action: server.PlayClaim})
				steps := []server.Step{{Action: server.PlayClose}, {Action: server.PlayReopen}}
				if !reopened {
					b.agent(ref, steps[0])
					slices.Reverse(steps)
				}
				b.known([]claim.Ref{ref})
				b.inOneMoment(ref, reverse, steps...)
				b.known([]claim.Ref{ref})
				require.NotZero(t, b.load(ref).DoubtAt)

				var d *activities.Dixa
				before := b.dixa.Stats().Requests
				require.NoError(t, runVoid(b.bench, d.AskState, ref))
				b.known([]claim.Ref{ref})
				b.requireTrue([]claim.Ref{ref})
				require.Zero(t, b.load(ref).DoubtAt)
				require.NoError(t, runVoid(b.bench, d.AskState, ref))
				require.Equal(t, before+1, b.dixa.Stats().Requests, "AskState must send one request, and only while in doubt")
			})
		}
	}
}

// Activity in a conversation that is not open may reopen it, and its event may predate
// the reopening.
func TestPossibleReopenIsVerified(t *testing.T) {
	t.Parallel()
	for _, reading := range []string{server.Stays, server.InboundReopens} {
		t.Run(reading, func(t *testing.T) {
			t.Parallel()
			switches := losing(0)
			switches.MessageOnPending = reading
			b := newSweepBench(t, switches)
			b.sweep()
			refs := b.opened(1)
			b.agent(refs[0], server.Step{Action: server.PlayPending})
			b.known(refs)
			require.Equal(t, claim.StatePending, b.load(refs[0]).State)
			require.Zero(t, b.load(refs[0]).DoubtAt)
			b.customer(refs[0], server.Step{Action: server.PlayReply, Text: "Still broken"})
			b.known(refs)
			b.askWhereInDoubt(refs)
			b.requireTrue(refs)
			require.Zero(t, b.load(refs[0]).DoubtAt)
		})
	}
}
