package endtoend_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/emulator/server"
	"github.com/claimflow/claimflow/store"
	"github.com/claimflow/claimflow/workflows"
)

// TestSweepRecoversLostWebhooks loses a fifth of all webhooks. After one sweep
// the store has everything that Dixa has about each claim.
func TestSweepRecoversLostWebhooks(t *testing.T) {
	t.Parallel()
	s := newSite(t, siteOptions{everyStep: true, sweepEvery: 24 * time.Hour, switches: server.Switches{Webhooks: server.WebhookSwitches{Lose: 0.2, Duplicate: 0.1, Reorder: 0.2}}})
	s.work()
	refs := make([]claim.Ref, 10)
	for i := range refs {
		refs[i] = s.submit(s.sample(fmt.Sprint("c-", i)))
	}
	for _, ref := range refs {
		s.await(ref, "open", func(r claim.Record) bool { return r.ConversationID != 0 && r.State == claim.StateOpen })
	}
	s.actAtRandom(refs, 150)
	require.NoError(t, s.dixa.FlushDeliveries(t.Context()))

	sweep := s.sweep()
	require.Empty(t, sweep.Report.Trouble)
	require.Positive(t, sweep.Report.Conversations)
	for _, ref := range refs {
		eventually(t, "claim "+ref.ID+" matches Dixa", func() error {
			want := s.inDixa(ref)
			have, err := s.inStore(ref)
			if err == nil && !reflect.DeepEqual(want, have) {
				err = fmt.Errorf("want %+v, got %+v", want, have)
			}
			return err
		})
	}
	require.Zero(t, s.sweep().Report.Messages, "a second sweep must find nothing")

	s.replayRun("sweep", claim.SweepWorkflowID(s.connection()), claim.SweepWorkflowName, workflows.Sweep)
}

// TestSchedulesFollowConnections checks that an enabled shop's connection has a
// schedule with the configured interval, and that an unused connection has none.
func TestSchedulesFollowConnections(t *testing.T) {
	t.Parallel()
	s := newSite(t, siteOptions{sweepEvery: 24 * time.Hour})
	id := claim.SweepWorkflowID(s.connection())
	handle := s.temporal().ScheduleClient().GetHandle(t.Context(), id)
	interval := func(want time.Duration) func() error {
		return func() error {
			d, err := handle.Describe(t.Context())
			if err != nil {
				return err
			}
			if got := d.Schedule.Spec.Intervals[0].Every; got != want {
				return fmt.Errorf("got interval %s", got)
			}
			if note := d.Schedule.State.Note; !strings.Contains(note, "reconcile now") && note != "spare the token" {
				return fmt.Errorf("got note %q", note)
			}
			if d.Schedule.Policy.Overlap != enumspb.SCHEDULE_OVERLAP_POLICY_SKIP {
				return fmt.Errorf("got overlap policy %s", d.Schedule.Policy.Overlap)
			}
			return nil
		}
	}
	stop := s.work()
	eventually(t, "the schedule exists", interval(24*time.Hour))
	stop()

	// An operator pauses it in the Temporal UI.
	require.NoError(t, handle.Pause(t.Context(), client.SchedulePauseOptions{Note: "spare the token"}))
	s.parts.Config.SweepEvery = 12 * time.Hour
	stop = s.work()
	eventually(t, "the schedule has the new interval", interval(12*time.Hour))
	stop()
	paused, err := handle.Describe(t.Context())
	require.NoError(t, err)
	require.True(t, paused.Schedule.State.Paused)
	require.Equal(t, "spare the token", paused.Schedule.State.Note, "the operator's note must be kept")

	_, err = s.api.Disable(t.Context(), shop)
	require.NoError(t, err)
	s.work()
	eventually(t, "the schedule is deleted", func() error {
		_, err := handle.Describe(t.Context())
		var gone *serviceerror.NotFound
		if errors.As(err, &gone) {
			return nil
		}
		return fmt.Errorf("the schedule still exists: %w", err)
	})
}

func (s *site) connection() string {
	s.t.Helper()
	in, err := s.api.Integration(s.t.Context(), shop)
	require.NoError(s.t, err)
	return in.Connection.ID
}

// sweep requests a sweep, as `starter shop sweep` does, and waits for it to end.
func (s *site) sweep() claim.Sweep {
	s.t.Helper()
	asked, err := s.api.Sweep(s.t.Context(), shop)
	require.NoError(s.t, err)
	var last claim.Sweep
	eventually(s.t, "the sweep ends", func() error {
		in, err := s.api.Integration(s.t.Context(), shop)
		if err != nil {
			return err
		}
		if !asked.EndedBy(in.LastSweep) {
			return fmt.Errorf("the sweep is running: %w; requests to Dixa: %v", s.sweepIsAt(), s.dixa.Stats().Outcomes)
		}
		last = *in.LastSweep
		return nil
	})
	return last
}

// sweepIsAt reports the progress of a sweep.
func (s *site) sweepIsAt() error {
	d, err := s.temporal().DescribeWorkflowExecution(s.t.Context(), claim.SweepWorkflowID(s.connection()), "")
	if err != nil {
		return err
	}
	at := fmt.Sprintf("%d events", d.GetWorkflowExecutionInfo().GetHistoryLength())
	for _, a := range d.GetPendingActivities() {
		at += fmt.Sprintf(", attempt %d at %s (%s)", a.GetAttempt(), a.GetActivityType().GetName(), a.GetLastFailure().GetMessage())
	}
	return errors.New(at)
}

// actAtRandom has agents and customers act at random, with the same actions every
// time.
func (s *site) actAtRandom(refs []claim.Ref, n int) {
	s.t.Helper()
	chance := rand.New(rand.NewPCG(11, 12))
	agent := []server.Step{
		{Action: server.PlayClaim},
		{Action: server.PlayReply, Text: "Reply"},
		{Action: server.PlayTag, Tag: "tag-1"},
		{Action: server.PlayTag, Tag: "claim-accepted"},
		{Action: server.PlayUntag, Tag: "tag-1"},
		{Action: server.PlayNote, Text: "Note"},
		{Action: server.PlayClose},
		{Action: server.PlayClose},
		{Action: server.PlayReopen},
		{Action: server.PlayTransfer, Queue: server.SeedQueueClaims},
		{Action: server.PlayPending},
	}
	for range n {
		id := s.record(refs[chance.IntN(len(refs))]).ConversationID
		var err error
		if i := chance.IntN(len(agent) + 2); i < len(agent) {
			step := agent[i]
			step.Conversation = id
			err = s.dixa.Agent(s.t.Context(), step)
		} else if i == len(agent) {
			err = s.dixa.Customer(s.t.Context(), server.Step{Action: server.PlayReply, Conversation: id, Text: "Question"})
		} else {
			err = s.dixa.Customer(s.t.Context(), server.Step{Action: server.PlayRate, Conversation: id, Score: 1 + chance.IntN(5)})
		}
		require.NoError(s.t, err)
	}
}

// standing is the comparable part of a conversation.
type standing struct {
	Status, State, Assignee, Queue string
	Tags, Messages                 []string
	Rating                         int
}

func (s *site) inDixa(ref claim.Ref) standing {
	s.t.Helper()
	id := s.record(ref).ConversationID
	all := s.dixa.State().Conversations
	at := slices.IndexFunc(all, func(c *server.Conversation) bool { return c.ID == id })
	require.GreaterOrEqual(s.t, at, 0)
	c := all[at]
	out := standing{Status: strings.ToLower(c.State), State: strings.ToLower(c.State), Assignee: c.AssigneeID, Queue: c.QueueID, Tags: slices.Sorted(slices.Values(c.TagNames))}
	for _, m := range c.Messages {
		out.Messages = append(out.Messages, m.ID)
	}
	for _, n := range c.Notes {
		out.Messages = append(out.Messages, n.ID)
	}
	slices.Sort(out.Messages)
	for _, r := range c.Ratings {
		if r.Score != nil {
			out.Rating = *r.Score
		}
	}
	return out
}

func (s *site) inStore(ref claim.Ref) (standing, error) {
	ctx := context.WithoutCancel(s.t.Context())
	c, err := s.store.Conversations.Get(ctx, ref)
	if err != nil {
		return standing{}, err
	}
	r, err := s.store.Claims.Record(ctx, ref)
	if err != nil {
		return standing{}, err
	}
	out := standing{Status: string(c.Status), State: string(r.State), Tags: c.Tags}
	if c.Assignee != nil {
		out.Assignee = c.Assignee.ID
	}
	if c.Queue != nil {
		out.Queue = c.Queue.ID
	}
	if c.Rating != nil {
		out.Rating = c.Rating.Score
	}
	messages, err := s.store.Conversations.Messages(ctx, ref, store.MessageFilter{Limit: 500})
	for _, m := range messages {
		out.Messages = append(out.Messages, m.ID)
	}
	slices.Sort(out.Messages)
	return out, err
}
