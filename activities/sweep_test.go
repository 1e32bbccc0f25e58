package activities_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"reflect"
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
	"github.com/claimflow/claimflow/internal/fromdixa/fold"
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

func TestSweepFindsLostEvents(t *testing.T) {
	t.Parallel()
	for name, switches := range map[string]server.Switches{
		"one in five lost":                losing(0.2),
		"all lost":                        losing(1),
		"none lost":                       losing(0),
		"newest first":                    {ActivityOrder: server.NewestFirst, Webhooks: server.WebhookSwitches{Lose: 0.2}},
		"small pages":                     {MaxPageLimit: 7, Webhooks: server.WebhookSwitches{Lose: 0.2}},
		"small pages, strict limit":       {MaxPageLimit: 7, DefaultPageLimit: 7, PageLimitTooLarge: server.Rejected, Webhooks: server.WebhookSwitches{Lose: 0.2}},
		"reordered and duplicated":        {Webhooks: server.WebhookSwitches{Lose: 0.2, Duplicate: 0.3, Reorder: 0.3}},
		"transfer events under two names": {Webhooks: server.WebhookSwitches{Lose: 0.2, TransferredNames: "two"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newSweepBench(t, switches)
			b.sweep() // subscribes
			refs := b.opened(6)
			b.happen(rand.New(rand.NewPCG(7, 7)), refs, 80)
			b.customer(refs[0], server.Step{Action: server.PlayRate, Score: 4, Text: "Fine"})
			b.known(refs)
			report := b.sweep()
			require.Empty(t, report.Trouble)
			b.known(refs)
			b.requireTrue(refs)

			again := b.sweep()
			require.Equal(t, map[string]int{"subscription": 0, "event": 0, "conversation": 0, "message": 0, "happening": 0}, again.Repaired(), "a second sweep must find nothing")
			b.known(refs)
			b.requireTrue(refs)
			last, err := b.store.Sweeps.Last(t.Context(), b.connection)
			require.NoError(t, err)
			require.Equal(t, again, last.Report)
			require.NotZero(t, last.Watermark)
		})
	}
}

// Events alone and a sweep produce the same timeline, and an event that arrives after
// the sweep does not appear twice. The final state is the same if events arrive late,
// in any order, or never.
func TestEventsAndFindingsConvergeInAnyOrder(t *testing.T) {
	t.Parallel()
	b := newSweepBench(t, losing(0))
	b.sweep()
	refs := b.opened(1)
	b.mu.Lock()
	b.holding = true
	b.mu.Unlock()
	b.agent(refs[0], server.Step{Action: server.PlayClaim}, server.Step{Action: server.PlayClose},
		server.Step{Action: server.PlayReopen}, server.Step{Action: server.PlayTag, Tag: "one"}, server.Step{Action: server.PlayUntag, Tag: "one"})
	require.NoError(t, b.dixa.FlushDeliveries(t.Context()))
	id := b.conversation(refs[0]).ID
	before, err := b.store.Conversations.Get(t.Context(), refs[0])
	require.NoError(t, err)
	b.sweep()
	next, err := b.store.Inbox.Join(t.Context(), 1000)
	require.NoError(t, err)
	require.False(t, next)
	unread, err := b.store.Inbox.NextEvents(t.Context(), refs[0], 100)
	require.NoError(t, err)
	require.Len(t, unread.Events, 1, "one check must produce one event")
	b.known(refs)
	b.requireTrue(refs)

	finding := unread.Events[0]
	facts := []claim.Fact{fold.Read(finding.ID, finding.Name, finding.HappenedAt, finding.Body).Fact}
	for _, body := range b.late {
		event, err := dixa.ParseEvent([]byte(body))
		require.NoError(t, err)
		c, ok := event.Conversation()
		require.True(t, ok)
		require.Equal(t, id, c.ID)
		facts = append(facts, fold.Read(event.ID, string(event.Name), event.Timestamp.Time, []byte(body)).Fact)
	}
	known, err := b.store.Conversations.Get(t.Context(), refs[0])
	require.NoError(t, err)
	chance := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		order := chance.Perm(len(facts))
		lost := chance.IntN(1 << (len(facts) - 1))
		got := before
		got.Tags = slices.Clone(before.Tags)
		for _, i := range order {
			if i == 0 || lost&(1<<(i-1)) == 0 {
				got.Apply(facts[i])
			}
		}
		require.Equal(t, known.Status, got.Status, "order %v, lost %b", order, lost)
		require.Equal(t, known.Tags, got.Tags, "order %v, lost %b", order, lost)
		require.Equal(t, known.Assignee.ID, got.Assignee.ID, "order %v, lost %b", order, lost)
	}
	// Changes after the sweep are newer than its finding.
	b.mu.Lock()
	b.holding = false
	b.mu.Unlock()
	b.agent(refs[0], server.Step{Action: server.PlayTag, Tag: "three"}, server.Step{Action: server.PlayClose})
	b.known(refs)
	b.requireTrue(refs)
}

// The event of a close that an earlier sweep reported arrives late and is not applied
// yet when the next sweep compares it with the log. It must not be mistaken for the
// lost event of another close.
func TestLateEventDoesNotHideLostEvent(t *testing.T) {
	t.Parallel()
	b := newSweepBench(t, losing(0))
	b.sweep()
	refs := b.opened(1)
	b.mu.Lock()
	b.holding = true
	b.mu.Unlock()
	b.agent(refs[0], server.Step{Action: server.PlayClose}, server.Step{Action: server.PlayReopen})
	require.NoError(t, b.dixa.FlushDeliveries(t.Context()))
	b.sweep()
	b.known(refs)
	b.requireTrue(refs)

	b.dixa.SetSwitches(losing(1))
	b.agent(refs[0], server.Step{Action: server.PlayClose})
	for _, body := range b.late {
		require.NoError(t, b.take(body))
	}
	b.sweep()
	b.known(refs)
	b.requireTrue(refs)
	record, err := b.store.Claims.Record(t.Context(), refs[0])
	require.NoError(t, err)
	require.Equal(t, claim.StateClosed, record.State)
}

func TestSweepFetchesUndeliveredEvents(t *testing.T) {
	t.Parallel()
	b := newSweepBench(t, server.Switches{Webhooks: server.WebhookSwitches{Attempts: 1}})
	b.sweep()
	refs := b.openedBare(1)
	b.mu.Lock()
	b.down = true
	b.mu.Unlock()
	b.agent(refs[0], server.Step{Action: server.PlayNote, Text: "One"}, server.Step{Action: server.PlayNote, Text: "Two"}, server.Step{Action: server.PlayClose})
	require.NoError(t, b.dixa.FlushDeliveries(t.Context()))
	report := b.sweep()
	// Dixa reports a close without an assignee as two events.
	require.Equal(t, 4, report.Events)
	require.Zero(t, report.Conversations, "delivered events must leave nothing to reconcile")
	b.known(refs)
	b.requireTrue(refs)
	require.Zero(t, b.sweep().Events)
}

func TestSweepRepairsSubscription(t *testing.T) {
	t.Parallel()
	for name, harm := range map[string]func(*dixa.Client, string) error{
		"deleted": func(c *dixa.Client, id string) error { return c.Webhooks.Delete(t.Context(), id) },
		"disabled": func(c *dixa.Client, id string) error {
			off := false
			_, err := c.Webhooks.Update(t.Context(), id, dixa.WebhookInput{Enabled: &off})
			return err
		},
		"fewer events": func(c *dixa.Client, id string) error {
			_, err := c.Webhooks.Update(t.Context(), id, dixa.WebhookInput{Events: []dixa.EventName{dixa.EventConversationClosed}})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newSweepBench(t, server.Switches{})
			require.Equal(t, 1, b.sweep().Subscriptions)
			refs := b.opened(1)
			client, err := b.clients.Client(t.Context(), b.connection)
			require.NoError(t, err)
			require.NoError(t, harm(client, b.dixa.State().Webhooks[0].ID))
			b.agent(refs[0], server.Step{Action: server.PlayNote, Text: "Unheard"}, server.Step{Action: server.PlayClose})
			report := b.sweep()
			require.Equal(t, 1, report.Subscriptions)
			require.Equal(t, 1, report.Messages)
			b.known(refs)
			b.requireTrue(refs)
			b.agent(refs[0], server.Step{Action: server.PlayNote, Text: "Heard"})
			b.known(refs)
			b.requireTrue(refs)
			require.Zero(t, b.sweep().Messages)
		})
	}
}

func TestSweepLeavesForeignSubscriptionsAlone(t *testing.T) {
	t.Parallel()
	t.Run("created manually", func(t *testing.T) {
		t.Parallel()
		b := newSweepBench(t, server.Switches{})
		_, err := b.store.Subscriptions.SaveSecret(t.Context(), shop, "00ff00ff00ff00ff00ff00ff00ff00ff")
		require.NoError(t, err)
		require.Zero(t, b.sweep().Subscriptions)
		require.Empty(t, b.dixa.State().Webhooks)
	})
	t.Run("read-only", func(t *testing.T) {
		t.Parallel()
		b := newSweepBench(t, server.Switches{})
		refs := b.opened(1)
		b.save(map[string]any{"read_only": true, "email_integration_id": server.SeedMailbox})
		b.agent(refs[0], server.Step{Action: server.PlayClose})
		report := b.sweep()
		require.Zero(t, report.Subscriptions)
		require.Empty(t, b.dixa.State().Webhooks)
		b.known(refs)
		b.requireTrue(refs)
	})
}

// The request counts match docs/operations.md.
func TestSweepRequestCounts(t *testing.T) {
	t.Parallel()
	b := newSweepBench(t, losing(0))
	require.Equal(t, 6, b.sweep().Requests, "the first sweep must create the subscription in three requests")
	refs := b.openedBare(3)
	before := b.dixa.Stats().Requests
	report := b.sweep()
	require.Equal(t, 4, report.Requests, "an idle sweep must read subscription, delivery status, tags and log")
	require.Equal(t, before+4, b.dixa.Stats().Requests)

	b.agent(refs[0], server.Step{Action: server.PlayClaim}, server.Step{Action: server.PlayReply, Text: "Hello"})
	b.known(refs)
	require.Equal(t, 4, b.sweep().Requests, "delivered events must cost no additional requests")

	b.dixa.SetSwitches(losing(1))
	b.agent(refs[0], server.Step{Action: server.PlayReply, Text: "One"}, server.Step{Action: server.PlayReply, Text: "Two"})
	b.agent(refs[1], server.Step{Action: server.PlayClose})
	b.agent(refs[2], server.Step{Action: server.PlayTag, Tag: "one"}, server.Step{Action: server.PlayNote, Text: "Three"})
	require.Equal(t, 4+1+1+2, b.sweep().Requests, "each incomplete part of a conversation must cost one request")
	b.known(refs)
	b.requireTrue(refs)
}

// The next sweep finds entries that the log shows late.
func TestSweepFindsLateLogEntries(t *testing.T) {
	t.Parallel()
	b := newSweepBench(t, losing(0))
	b.sweep()
	refs := b.opened(1)
	lagging := losing(1)
	lagging.ListLag = server.Duration(time.Second)
	b.dixa.SetSwitches(lagging)
	b.agent(refs[0], server.Step{Action: server.PlayNote, Text: "Late"}, server.Step{Action: server.PlayClose})
	require.Zero(t, b.sweep().Messages)
	require.Eventually(t, func() bool {
		b.sweep()
		b.known(refs)
		return reflect.DeepEqual(b.truth(refs[0]), b.picture(refs[0]))
	}, 30*time.Second, 200*time.Millisecond)
}

func TestSweepContinuesAfterErrors(t *testing.T) {
	t.Parallel()
	for name, faults := range map[string][]server.Fault{
		"429 from every operation": {{Kind: server.FaultStatus, Status: 429, Times: 12, Share: 0.5, Headers: map[string]string{"Retry-After": "1"}}},
		"5xx":                      {{Kind: server.FaultStatus, Status: 503, Times: 12, Share: 0.5}},
		"truncated":                {{Kind: server.FaultTruncate, Times: 8, Share: 0.5}},
		"garbage":                  {{Kind: server.FaultGarbage, Times: 8, Share: 0.5, Operation: "GET /conversations/activitylog"}},
		"one failing conversation": {{Kind: server.FaultStatus, Status: 500, Times: 1, Operation: "GET /conversations/{conversationId}/notes"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newSweepBench(t, losing(0))
			b.sweep()
			refs := b.opened(4)
			b.dixa.SetSwitches(losing(1))
			for _, ref := range refs {
				b.agent(ref, server.Step{Action: server.PlayNote, Text: "Unheard"}, server.Step{Action: server.PlayClose})
			}
			for _, f := range faults {
				b.dixa.Inject(f)
			}
			b.sweep()
			b.dixa.ClearFaults()
			b.sweep()
			b.known(refs)
			b.requireTrue(refs)
		})
	}
}

// A sweep killed before it advances its watermark finds everything again and records
// nothing twice.
func TestKilledSweepLosesNothing(t *testing.T) {
	t.Parallel()
	b := newSweepBench(t, losing(0))
	b.sweep()
	refs := b.opened(2)
	b.dixa.SetSwitches(losing(1))
	for _, ref := range refs {
		b.agent(ref, server.Step{Action: server.PlayNote, Text: "Unheard"}, server.Step{Action: server.PlayClose})
	}
	ctx := t.Context()
	plan, err := run[activities.SweepPlan](b.withSweeps(), b.sweeps.PlanSweep, b.connection)
	require.NoError(t, err)
	page, err := run[activities.Page](b.withSweeps(), b.sweeps.ReadActivityLog, activities.PageInput{ConnectionID: b.connection, From: plan.From, To: plan.To.Add(time.Minute)})
	require.NoError(t, err)
	require.Equal(t, 2, page.Report.Touched)
	// Killed here: stored but not reconciled.
	left, err := b.store.Sweeps.Unreconciled(ctx, b.connection, plan.StartedAt.Add(time.Hour), 10)
	require.NoError(t, err)
	require.Len(t, left, 2)
	judged, err := run[activities.ReconcileResult](b.withSweeps(), b.sweeps.ReconcileConversations, activities.ReconcileInput{ConnectionID: b.connection, Since: plan.StartedAt.Add(time.Hour)})
	require.NoError(t, err)
	require.Equal(t, 2, judged.Report.Conversations)
	// Killed here: reconciled, but the watermark is not advanced.
	report := b.sweep()
	require.Zero(t, report.Conversations, "a repeated finding must be the same event, even before it is applied")
	b.known(refs)
	b.requireTrue(refs)
	require.Zero(t, b.sweep().Conversations)
}

func (b *sweepBench) withSweeps() *bench {
	b.bench.more = b.sweeps
	return b.bench
}

func TestSweepRecordsDeletedConversations(t *testing.T) {
	t.Parallel()
	b := newSweepBench(t, losing(1))
	b.sweep()
	refs := b.opened(2)
	client, err := b.clients.Client(t.Context(), b.connection)
	require.NoError(t, err)
	_, err = client.Conversations.Anonymize(t.Context(), b.conversation(refs[0]).ID, true)
	require.NoError(t, err)
	require.NotEmpty(t, b.conversations())
	b.dixa.Inject(server.Fault{Operation: "GET /conversations/{conversationId}", Kind: server.FaultStatus, Status: 404, Times: 1})
	report := b.sweep()
	require.Empty(t, report.Trouble)
	require.Zero(t, report.Failed)
	// A new conversation that Dixa does not show is checked again.
	report.Add(b.sweep())
	require.Equal(t, 1, report.Gone)
	require.LessOrEqual(t, b.sweep().Looked, 2)
}

func TestSweepEndsEarlyWithoutUsableConnection(t *testing.T) {
	t.Parallel()
	t.Run("disabled", func(t *testing.T) {
		t.Parallel()
		b := newSweepBench(t, server.Switches{})
		require.NoError(t, b.store.Shops.SetEnabled(t.Context(), shop, false))
		before := b.dixa.Stats().Requests
		require.Equal(t, claim.SweepReport{}, b.sweep())
		require.Equal(t, before, b.dixa.Stats().Requests)
	})
	t.Run("token rejected", func(t *testing.T) {
		t.Parallel()
		b := newSweepBench(t, server.Switches{})
		b.dixa.Inject(server.Fault{Kind: server.FaultStatus, Status: 401})
		report := b.sweep()
		require.NotEmpty(t, report.Trouble)
		requests := b.dixa.Stats().Requests
		require.Equal(t, claim.SweepReport{}, b.sweep(), "the sweep must wait for a new token")
		require.Equal(t, requests, b.dixa.Stats().Requests)
	})
	t.Run("unknown", func(t *testing.T) {
		t.Parallel()
		b := newSweepBench(t, server.Switches{})
		b.connection = "unknown"
		require.Equal(t, claim.SweepReport{}, b.sweep())
	})
	t.Run("Dixa is down", func(t *testing.T) {
		t.Parallel()
		b := newSweepBench(t, losing(1))
		b.sweep()
		refs := b.opened(1)
		b.agent(refs[0], server.Step{Action: server.PlayClose})
		last, err := b.store.Sweeps.Last(t.Context(), b.connection)
		require.NoError(t, err)
		b.dixa.Inject(server.Fault{Kind: server.FaultStatus, Status: 503})
		report := b.sweep()
		require.NotEmpty(t, report.Trouble)
		now, err := b.store.Sweeps.Last(t.Context(), b.connection)
		require.NoError(t, err)
		require.Equal(t, last.Watermark, now.Watermark, "a failed sweep must not advance the watermark")
		b.dixa.ClearFaults()
		require.Empty(t, b.sweep().Trouble)
		b.known(refs)
		b.requireTrue(refs)
	})
}

// Sweeps also check quiet conversations in turn, starting with those that have no
// known data.
func TestSweepChecksQuietConversations(t *testing.T) {
	t.Parallel()
	b := newSweepBench(t, losing(1))
	refs := b.openedBare(3)
	for _, ref := range refs[:2] {
		b.agent(ref, server.Step{Action: server.PlayTag, Tag: "quiet"}, server.Step{Action: server.PlayNote, Text: "Hush"})
	}
	later := time.Now().Add(2 * time.Hour)
	look := func(since time.Time) claim.SweepReport {
		report, err := run[claim.SweepReport](b.withSweeps(), b.sweeps.CheckQuietConversations, activities.ReconcileInput{ConnectionID: b.connection, Since: since, Limit: 2})
		require.NoError(t, err)
		b.known(refs)
		return report
	}
	report := look(later)
	require.Equal(t, 2, report.Looked)
	require.Equal(t, 2*4, report.Requests, "an unknown conversation must cost requests for state, tags, messages and notes")
	b.requireTrue(refs[:2])
	require.Equal(t, 1, look(time.Now()).Looked, "only the unchecked conversation may be checked")
	b.requireTrue(refs)

	b.agent(refs[0], server.Step{Action: server.PlayUntag, Tag: "quiet"}, server.Step{Action: server.PlayClose})
	report = look(later)
	require.Equal(t, 1, report.Conversations)
	require.Equal(t, 2*2, report.Requests, "a known conversation must cost requests for state and tags")
	b.requireTrue(refs)
}
