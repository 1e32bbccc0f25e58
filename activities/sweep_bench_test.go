package activities_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/testsuite"

	"github.com/claimflow/claimflow/activities"
	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/emulator/server"
	"github.com/claimflow/claimflow/internal/fromdixa/subscription"
	"github.com/claimflow/claimflow/store"
	"github.com/claimflow/claimflow/workflows"
)

// sweepBench is a bench that receives Dixa's events, as far as the switches allow.
type sweepBench struct {
	*bench
	connection string
	sweeps     *activities.Sweeps
	ended      []claim.Sweep

	mu sync.Mutex
	// down makes the receiver answer 503.
	down bool
	// late holds the events received while holding.
	late    []string
	holding bool
}

func newSweepBench(t *testing.T, switches server.Switches) *sweepBench {
	t.Helper()
	b := &sweepBench{bench: setup(t, switches, nil)}
	in, err := b.store.Settings.Integration(t.Context(), shop)
	require.NoError(t, err)
	b.connection = in.Connection.ID
	receiver := httptest.NewServer(http.HandlerFunc(b.receive))
	t.Cleanup(receiver.Close)
	b.sweeps = &activities.Sweeps{
		Store: b.store, Clients: b.clients, Subscriptions: subscription.New(b.store.Subscriptions, b.clients, receiver.URL),
		OnEnd: func(_ string, s claim.Sweep) { b.ended = append(b.ended, s) },
	}
	return b
}

func (b *sweepBench) receive(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	b.mu.Lock()
	defer b.mu.Unlock()
	if err != nil || b.down {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	if b.holding {
		b.late = append(b.late, string(body))
		return
	}
	if err := b.take(string(body)); err != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
}

func (b *sweepBench) take(body string) error {
	event, err := dixa.ParseEvent([]byte(body))
	if err != nil {
		return err
	}
	e := store.DixaEvent{
		ID: event.ID, Name: string(event.Name), HappenedAt: event.Timestamp.Time, Body: []byte(body),
		Organization: store.Organization{ID: event.Organization.ID},
	}
	if c, ok := event.Conversation(); ok {
		e.ConversationID = c.ID
	}
	_, err = b.store.Inbox.Receive(context.Background(), b.connection, e)
	return err
}

// sweep runs the workflow with its activities once. Timers fire immediately.
func (b *sweepBench) sweep() claim.SweepReport {
	b.Helper()
	report, err := b.trySweep()
	require.NoError(b, err)
	return report
}

func (b *sweepBench) trySweep() (claim.SweepReport, error) {
	b.Helper()
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	env := suite.NewTestWorkflowEnvironment()
	env.SetTestTimeout(time.Minute)
	env.RegisterActivity(b.sweeps)
	env.ExecuteWorkflow(workflows.Sweep, b.connection)
	require.True(b, env.IsWorkflowCompleted())
	var report claim.SweepReport
	if err := env.GetWorkflowError(); err != nil {
		return report, err
	}
	return report, env.GetWorkflowResult(&report)
}

// opened opens tagged conversations for n claims and applies the resulting events.
func (b *sweepBench) opened(n int) []claim.Ref {
	b.Helper()
	refs := b.openedBare(n)
	for _, ref := range refs {
		require.NoError(b, runVoid(b.bench, steps.ApplyTags, ref))
	}
	b.known(refs)
	return refs
}

func (b *sweepBench) openedBare(n int) []claim.Ref {
	b.Helper()
	refs := make([]claim.Ref, n)
	for i := range refs {
		c := b.sample(fmt.Sprintf("c-%d", i))
		c.Customer.Email = fmt.Sprintf("customer%d@example.org", i)
		refs[i] = b.accept(c)
		_, err := b.open(refs[i])
		require.NoError(b, err)
		b.sync(activities.StatusChange{Ref: refs[i], Event: claim.EventOpened})
	}
	b.known(refs)
	return refs
}

// known applies all received events to the claims.
func (b *sweepBench) known(refs []claim.Ref) {
	b.Helper()
	b.dixa.Settle() // a bulk tag takes effect after its reply
	require.NoError(b, b.dixa.FlushDeliveries(b.Context()))
	for {
		more, err := b.store.Inbox.Join(b.Context(), 1000)
		require.NoError(b, err)
		if !more {
			break
		}
	}
	var claims *activities.Claims
	for _, ref := range refs {
		for {
			state, err := run[claim.WorkflowState](b.bench, claims.Follow, ref)
			require.NoError(b, err)
			if !state.Unread {
				break
			}
		}
	}
}

func (b *sweepBench) conversationID(ref claim.Ref) int64 {
	b.Helper()
	link, err := b.store.Links.Get(b.Context(), ref)
	require.NoError(b, err)
	return link.ConversationID
}

// conversation returns a claim's conversation in Dixa.
func (b *sweepBench) conversation(ref claim.Ref) *server.Conversation {
	b.Helper()
	return b.among(b.conversations(), ref)
}

func (b *sweepBench) among(all []*server.Conversation, ref claim.Ref) *server.Conversation {
	b.Helper()
	id := b.conversationID(ref)
	i := slices.IndexFunc(all, func(c *server.Conversation) bool { return c.ID == id })
	require.GreaterOrEqual(b, i, 0, "the conversation does not exist in Dixa")
	return all[i]
}

// picture is a comparable view of a conversation.
type picture struct {
	State, Claim, Assignee, Queue, Requester string
	Tags, Messages                           []string
	Rating                                   int
}

func (b *sweepBench) truth(ref claim.Ref) picture {
	b.Helper()
	return pictureOf(b.conversation(ref))
}

func pictureOf(c *server.Conversation) picture {
	p := picture{State: strings.ToLower(c.State), Assignee: c.AssigneeID, Queue: c.QueueID, Requester: c.RequesterID, Tags: slices.Sorted(slices.Values(c.TagNames))}
	p.Claim = p.State
	for _, m := range c.Messages {
		p.Messages = append(p.Messages, m.ID+" "+strings.ToLower(m.Direction)+" "+m.Content.Value)
	}
	for _, n := range c.Notes {
		p.Messages = append(p.Messages, n.ID+" note "+n.Text)
	}
	slices.Sort(p.Messages)
	for _, r := range c.Ratings {
		if r.Score != nil {
			p.Rating = *r.Score
		}
	}
	return p
}

func (b *sweepBench) picture(ref claim.Ref) picture {
	b.Helper()
	c, err := b.store.Conversations.Get(b.Context(), ref)
	require.NoError(b, err)
	record, err := b.store.Claims.Record(b.Context(), ref)
	require.NoError(b, err)
	p := picture{State: string(c.Status), Claim: string(record.State), Tags: slices.Clone(c.Tags)}
	if c.Assignee != nil {
		p.Assignee = c.Assignee.ID
	}
	if c.Queue != nil {
		p.Queue = c.Queue.ID
	}
	if c.Requester != nil {
		p.Requester = c.Requester.ID
	}
	if c.Rating != nil {
		p.Rating = c.Rating.Score
	}
	messages, err := b.store.Conversations.Messages(b.Context(), ref, store.MessageFilter{Limit: 500})
	require.NoError(b, err)
	for _, m := range messages {
		what := m.Direction
		if m.Kind == claim.NoteKind {
			what = "note"
		}
		p.Messages = append(p.Messages, m.ID+" "+what+" "+m.Text+m.HTML)
	}
	slices.Sort(p.Messages)
	return p
}

// requireTrue asserts that the stored conversations match Dixa.
func (b *sweepBench) requireTrue(refs []claim.Ref) {
	b.Helper()
	all := b.conversations()
	for _, ref := range refs {
		require.Equal(b, pictureOf(b.among(all, ref)), b.picture(ref), ref.ID)
	}
}

// timeline returns the sorted texts of a claim's timeline.
func (b *sweepBench) timeline(ref claim.Ref) []string {
	b.Helper()
	all, err := b.store.Conversations.LatestTimeline(b.Context(), ref, 500)
	require.NoError(b, err)
	var words []string
	for _, h := range all {
		words = append(words, h.What)
	}
	slices.Sort(words)
	// The activity log has no separate entry for queueing.
	return slices.DeleteFunc(words, func(w string) bool { return w == "queued" })
}

func (b *sweepBench) agent(ref claim.Ref, steps ...server.Step) {
	b.Helper()
	id := b.conversationID(ref)
	for _, s := range steps {
		s.Conversation = id
		require.NoError(b, b.dixa.Agent(b.Context(), s))
	}
}

func (b *sweepBench) customer(ref claim.Ref, steps ...server.Step) {
	b.Helper()
	id := b.conversationID(ref)
	for _, s := range steps {
		s.Conversation = id
		require.NoError(b, b.dixa.Customer(b.Context(), s))
	}
}

// happen performs n random actions by agents and customers.
func (b *sweepBench) happen(chance *rand.Rand, refs []claim.Ref, n int) {
	b.Helper()
	var tags []string
	for i := range n {
		ref := refs[chance.IntN(len(refs))]
		switch chance.IntN(11) {
		case 0:
			b.agent(ref, server.Step{Action: server.PlayClaim})
		case 1:
			b.agent(ref, server.Step{Action: server.PlayReply, Text: fmt.Sprintf("Reply %d", i)})
		case 2:
			tags = append(tags, fmt.Sprintf("tag-%d", chance.IntN(5)))
			b.agent(ref, server.Step{Action: server.PlayTag, Tag: tags[len(tags)-1]})
		case 3:
			if len(tags) > 0 {
				b.agent(ref, server.Step{Action: server.PlayUntag, Tag: tags[chance.IntN(len(tags))]})
			}
		case 4:
			b.agent(ref, server.Step{Action: server.PlayNote, Text: fmt.Sprintf("Note %d", i)})
		case 5, 6:
			b.agent(ref, server.Step{Action: server.PlayClose})
		case 7:
			b.agent(ref, server.Step{Action: server.PlayReopen})
		case 8:
			b.agent(ref, server.Step{Action: server.PlayTransfer, Queue: server.SeedQueueClaims})
		case 9:
			b.customer(ref, server.Step{Action: server.PlayReply, Text: fmt.Sprintf("Question %d", i)})
		case 10:
			b.agent(ref, server.Step{Action: server.PlayPending})
		}
	}
}

func losing(share float64) server.Switches {
	return server.Switches{Webhooks: server.WebhookSwitches{Lose: share}}
}
