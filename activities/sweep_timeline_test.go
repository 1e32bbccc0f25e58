package activities_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/activities"
	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/emulator/server"
)

// hold withholds events from Dixa from now on.
func (b *sweepBench) hold() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.holding = true
}

// held returns the withheld events.
func (b *sweepBench) held() []string {
	b.Helper()
	b.dixa.Settle()
	require.NoError(b, b.dixa.FlushDeliveries(b.Context()))
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.late)
}

// deliver receives events as if they arrived now.
func (b *sweepBench) deliver(events ...string) {
	b.Helper()
	for _, body := range events {
		require.NoError(b, b.take(body))
	}
}

// eventful performs many actions on a conversation, some of them twice.
func (b *sweepBench) eventful(ref claim.Ref) {
	b.Helper()
	b.agent(ref, server.Step{Action: server.PlayClaim}, server.Step{Action: server.PlayReply, Text: "Hello"},
		server.Step{Action: server.PlayTag, Tag: "one"}, server.Step{Action: server.PlayTag, Tag: "two"},
		server.Step{Action: server.PlayNote, Text: "A note"}, server.Step{Action: server.PlayClose})
	b.customer(ref, server.Step{Action: server.PlayReply, Text: "Again"})
	b.agent(ref, server.Step{Action: server.PlayClose})
}

// The timeline shows each occurrence once, whether its event arrives before the sweep,
// while it compares, or minutes after it, and however far apart Dixa's timestamps for
// the occurrence are.
func TestTimelineIsIndependentOfSource(t *testing.T) {
	t.Parallel()
	told := newSweepBench(t, losing(0))
	told.sweep()
	refs := told.opened(1)
	told.eventful(refs[0])
	told.known(refs)
	want := told.timeline(refs[0])
	require.Contains(t, want, "reply to the customer")

	for name, shift := range map[string]time.Duration{
		"same time": 0, "milliseconds apart": -3 * time.Millisecond, "one second apart": -999 * time.Millisecond,
		"seconds apart": -20 * time.Second, "minutes apart": -4 * time.Minute,
	} {
		switches := losing(0)
		switches.ActivityShift = server.Duration(shift)
		// before selects the events that arrive before the sweep.
		for when, before := range map[string]func(i int) bool{
			"none before": func(int) bool { return false },
			"even events": func(i int) bool { return i%2 == 0 },
			"odd events":  func(i int) bool { return i%2 == 1 },
			"the last":    func(i int) bool { return i > 5 },
		} {
			t.Run(name+", "+when, func(t *testing.T) {
				t.Parallel()
				b := newSweepBench(t, switches)
				b.sweep()
				refs := b.openedBare(1)
				b.hold()
				require.NoError(t, runVoid(b.bench, steps.ApplyTags, refs[0])) // several tags with one timestamp
				b.eventful(refs[0])
				var later []string
				for i, body := range b.held() {
					if before(i) {
						b.deliver(body)
					} else {
						later = append(later, body)
					}
				}
				b.known(refs)
				b.askWhereInDoubt(refs)
				b.sweep()
				b.known(refs)
				b.requireTrue(refs)
				require.Equal(t, want, b.timeline(refs[0]))
				slices.Reverse(later)
				for _, body := range later {
					b.deliver(body)
					b.known(refs)
				}
				b.askWhereInDoubt(refs)
				b.requireTrue(refs)
				require.Equal(t, want, b.timeline(refs[0]), "late events must not appear twice")
				require.Zero(t, b.sweep().Conversations)
			})
		}
	}
}

// A sweep does not know an event that arrives while it compares.
func TestEventDuringSweepAppearsOnce(t *testing.T) {
	t.Parallel()
	for name, takenIn := range map[string]bool{"pending in the inbox": false, "applied": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newSweepBench(t, losing(0))
			b.sweep()
			refs := b.opened(1)
			before := len(b.timeline(refs[0]))
			b.hold()
			b.agent(refs[0], server.Step{Action: server.PlayTag, Tag: "one"}, server.Step{Action: server.PlayNote, Text: "A note"}, server.Step{Action: server.PlayClose})
			events := b.held()
			var once sync.Once
			path := fmt.Sprintf("/v1/conversations/%d", b.conversationID(refs[0]))
			b.asked = func(r *http.Request) {
				if !strings.HasPrefix(r.URL.Path, path) {
					return
				}
				once.Do(func() {
					b.deliver(events...)
					if takenIn {
						b.known(refs)
					}
				})
			}
			require.NotZero(t, b.sweep().Happenings, "the sweep must compare before the events arrive")
			b.known(refs)
			b.requireTrue(refs)
			require.Len(t, b.timeline(refs[0]), before+len(events))
		})
	}
}

// stateActs lists sequences of state changes and the number of fates tried for each
// event: before the next sweep, never, or after it. Every sequence ends with the
// conversation open.
var stateActs = map[string]struct {
	acts  [][]server.Step
	fates int
}{
	"once":                {[][]server.Step{{closes}, {reopens}}, 3},
	"once, in one step":   {[][]server.Step{{closes, reopens}}, 3},
	"twice":               {[][]server.Step{{closes}, {reopens}, {closes}, {reopens}}, 2},
	"twice, in two steps": {[][]server.Step{{closes, reopens}, {closes, reopens}}, 2},
	"twice, in one step":  {[][]server.Step{{closes, reopens, closes, reopens}}, 2},
}

var closes, reopens = server.Step{Action: server.PlayClose}, server.Step{Action: server.PlayReopen}

// Close and reopen events may arrive before a sweep, after it or never, in any order,
// and sweeps may run at any point. After the last sweep, the claim's state matches its
// conversation.
func TestNoReopenIsMissed(t *testing.T) {
	t.Parallel()
	for name, way := range stateActs {
		events := 0
		for _, steps := range way.acts {
			events += len(steps)
		}
		for sweepAfter := range len(way.acts) {
			t.Run(fmt.Sprintf("%s, sweep after %d", name, sweepAfter), func(t *testing.T) {
				t.Parallel()
				b := newSweepBench(t, losing(0))
				b.sweep()
				refs := b.opened(power(way.fates, events))
				for _, ref := range refs {
					b.agent(ref, server.Step{Action: server.PlayClaim}) // otherwise each close produces two events
				}
				b.known(refs)
				b.hold()
				late, claimOf := map[int][]string{}, map[int64]int{}
				for i, ref := range refs {
					claimOf[b.conversationID(ref)] = i
				}
				come := func(from int) {
					events := b.held()
					seen := map[int64]int{}
					for i, body := range events {
						event, err := dixa.ParseEvent([]byte(body))
						require.NoError(t, err)
						if event.Name != dixa.EventConversationClosed && event.Name != dixa.EventConversationOpen {
							continue // only state events matter
						}
						c, ok := event.Conversation()
						require.True(t, ok)
						number := seen[c.ID]
						seen[c.ID]++
						if i < from {
							continue
						}
						claimed := claimOf[c.ID]
						switch claimed / power(way.fates, number) % way.fates {
						case 0:
							b.deliver(body)
						case 2:
							late[claimed] = append([]string{body}, late[claimed]...)
						}
					}
				}
				done := 0
				for i, steps := range way.acts {
					if i == sweepAfter {
						come(done)
						done = len(b.held())
						b.known(refs)
						b.sweep()
						b.known(refs)
					}
					for _, ref := range refs {
						b.agent(ref, steps...)
					}
				}
				come(done)
				b.known(refs)
				b.sweep()
				b.known(refs)
				b.requireTrue(refs)
				for _, events := range late {
					b.deliver(events...)
				}
				b.known(refs)
				b.askWhereInDoubt(refs)
				b.requireTrue(refs)
			})
		}
	}
}

func power(base, exponent int) int {
	n := 1
	for range exponent {
		n *= base
	}
	return n
}

// askWhereInDoubt queries Dixa for claims whose state is in doubt, as their workflows
// do.
func (b *sweepBench) askWhereInDoubt(refs []claim.Ref) {
	b.Helper()
	var d *activities.Dixa
	for _, ref := range refs {
		if !b.load(ref).DoubtAt.IsZero() {
			require.NoError(b, runVoid(b.bench, d.AskState, ref))
		}
	}
	b.known(refs)
}
