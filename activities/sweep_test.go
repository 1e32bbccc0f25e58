package activities_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/activities"
	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/emulator/server"
	"github.com/claimflow/claimflow/internal/fromdixa/fold"
	"github.com/claimflow/claimflow/mirror"
)

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
	facts := []mirror.Fact{fold.Read(finding.ID, finding.Name, finding.HappenedAt, finding.Body).Fact}
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
				got.Apply(facts[i].Fact)
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
	lagging.ListLag = server.Duration(time.Hour)
	b.dixa.SetSwitches(lagging)
	b.agent(refs[0], server.Step{Action: server.PlayNote, Text: "Late"}, server.Step{Action: server.PlayClose})
	require.Zero(t, b.sweep().Messages)
	b.dixaAhead.Store(int64(time.Hour))
	b.sweep()
	b.known(refs)
	b.requireTrue(refs)
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
