package endtoend_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	temporal "go.temporal.io/sdk/client"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/internal/nudge"
	"github.com/claimflow/claimflow/internal/seal"
	"github.com/claimflow/claimflow/store"
	"github.com/claimflow/claimflow/workflows"
)

func TestResetFindsExistingConversation(t *testing.T) {
	t.Parallel()
	s := newSite(t, siteOptions{everyStep: true, switches: forgetful})
	s.work()
	ref := s.submit(s.sample("c-1"))
	opened := s.awaitState(ref, claim.StateOpen)
	c := s.temporal()
	s.awaitRest(c, ref, "")
	asked := s.dixa.Stats().Requests

	run := s.reset(c, ref)
	s.awaitRest(c, ref, run)
	s.requireOne(s.record(ref))
	require.Equal(t, opened.ConversationID, s.record(ref).ConversationID)
	require.Equal(t, asked, s.dixa.Stats().Requests, "a reset must not repeat requests to Dixa")
}

// If files are sent one by one, a new run must continue with the remaining ones.
func TestResetDuringSeparateFilesSendsAllFiles(t *testing.T) {
	t.Parallel()
	s := newSite(t, siteOptions{everyStep: true, switches: forgetful})
	s.work()
	c := s.temporal()
	ref := claim.Ref{Shop: shop, ID: "c-1"}
	s.dixa.Inject(oneByOne)
	s.gate.at("POST /v1/conversations/*/messages", beforeCommit, func() { s.reset(c, ref) })
	s.submit(s.sample(ref.ID))
	s.requireOne(s.awaitState(ref, claim.StateOpen))
}

// The reset run has a request in flight and never sees the answer.
func TestResetDuringOpeningLeavesOneConversation(t *testing.T) {
	t.Parallel()
	for _, operation := range opening {
		t.Run(strings.ReplaceAll(operation, "/", "."), func(t *testing.T) {
			t.Parallel()
			s := newSite(t, siteOptions{everyStep: true, switches: forgetful})
			s.work()
			c := s.temporal()
			ref := claim.Ref{Shop: shop, ID: "c-1"}
			s.gate.at(operation, afterCommit, func() { s.reset(c, ref) })
			s.submit(s.sample(ref.ID))
			s.requireOne(s.awaitState(ref, claim.StateOpen))
		})
	}
}

func TestNudgeRestartsTerminatedWorkflow(t *testing.T) {
	t.Parallel()
	s := newSite(t, siteOptions{everyStep: true, switches: forgetful})
	s.work()
	c := s.temporal()
	ref := claim.Ref{Shop: shop, ID: "c-1"}

	// Terminated while it is being opened: `starter claim retry` nudges it.
	terminated := make(chan struct{})
	s.gate.at("POST /v1/conversations", afterCommit, func() {
		_ = c.TerminateWorkflow(context.WithoutCancel(t.Context()), ref.WorkflowID(), "", "test")
		close(terminated)
	})
	s.submit(s.sample(ref.ID))
	eventually(t, "the workflow is terminated", func() error {
		select {
		case <-terminated:
			return nil
		default:
			return errNotYet
		}
	})
	_, err := s.api.Retry(t.Context(), ref, client.RetryRequest{})
	require.NoError(t, err)
	s.requireOne(s.awaitState(ref, claim.StateOpen))

	// Terminated while it is open: only the run changes.
	first := s.awaitRest(c, ref, "")
	require.NoError(t, c.TerminateWorkflow(t.Context(), ref.WorkflowID(), "", "test"))
	asked := s.dixa.Stats().Requests
	run := s.nudge(c, ref)
	require.NotEqual(t, first, run)
	s.awaitRest(c, ref, run)
	s.requireOne(s.awaitState(ref, claim.StateOpen))
	require.Equal(t, asked, s.dixa.Stats().Requests)
}

func TestTerminatedWorkflowIsRestartedAfterSilence(t *testing.T) {
	t.Parallel()
	s := newSite(t, siteOptions{everyStep: true, switches: forgetful})
	c := s.temporal()
	ref := s.submit(s.sample("c-1"))
	var before *workflow.WorkflowExecutionInfo
	running := func() error {
		about, err := c.DescribeWorkflowExecution(t.Context(), ref.WorkflowID(), "")
		before = about.GetWorkflowExecutionInfo()
		return err
	}
	eventually(t, "the workflow is started and its nudge is recorded", func() error {
		owed, err := s.store.Nudges.Due(t.Context(), 1)
		if err != nil || len(owed) > 0 {
			return cmp.Or(err, errNotYet)
		}
		return running()
	})

	s.dispatchLater(c, 11*time.Minute)
	first := before
	require.NoError(t, running())
	require.Equal(t, first.GetExecution().GetRunId(), before.GetExecution().GetRunId())
	require.Equal(t, first.GetHistoryLength(), before.GetHistoryLength(), "a running workflow must be unaffected")

	require.NoError(t, c.TerminateWorkflow(t.Context(), ref.WorkflowID(), "", "test"))
	s.dispatchLater(c, 22*time.Minute)
	s.work()
	s.requireOne(s.awaitState(ref, claim.StateOpen))
}

// dispatchLater runs one dispatcher round after a delay.
func (s *site) dispatchLater(c temporal.Client, after time.Duration) {
	s.t.Helper()
	ring, err := seal.Parse(s.keys)
	require.NoError(s.t, err)
	later, err := store.Open(s.t.Context(), s.database, ring, store.WithClock(func() time.Time { return time.Now().Add(after) }))
	require.NoError(s.t, err)
	defer func() { require.NoError(s.t, later.Close()) }()
	require.NoError(s.t, nudge.New(later, c, slog.New(slog.DiscardHandler)).Once(s.t.Context()))
}

func (s *site) record(ref claim.Ref) claim.Record {
	s.t.Helper()
	detail, err := s.api.Claim(s.t.Context(), ref)
	require.NoError(s.t, err)
	return detail.Record
}

// nudge does what the dispatcher does and returns the run that received the nudge.
func (s *site) nudge(c temporal.Client, ref claim.Ref) string {
	s.t.Helper()
	run, err := c.SignalWithStartWorkflow(s.t.Context(), ref.WorkflowID(), claim.SignalNudge, nil, temporal.StartWorkflowOptions{
		TaskQueue:             claim.TaskQueueClaims,
		TypedSearchAttributes: workflows.StartAttributes(ref, "damaged", "10001"),
	}, claim.WorkflowName, ref)
	require.NoError(s.t, err)
	return run.GetRunID()
}

// reset resets the claim's workflow to its start, as an operator does in the
// Temporal UI, and returns the new run.
func (s *site) reset(c temporal.Client, ref claim.Ref) string {
	ctx := context.WithoutCancel(s.t.Context())
	var first int64
	events := c.GetWorkflowHistory(ctx, ref.WorkflowID(), "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for first == 0 && events.HasNext() {
		e, err := events.Next()
		if err != nil {
			s.t.Error("read the history:", err)
			return ""
		}
		if e.GetEventType() == enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED {
			first = e.GetEventId()
		}
	}
	answer, err := c.ResetWorkflowExecution(ctx, &workflowservice.ResetWorkflowExecutionRequest{
		Namespace: s.engine.Namespace, WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: ref.WorkflowID()},
		Reason: "test", RequestId: uuid.NewString(), WorkflowTaskFinishEventId: first,
	})
	if err != nil {
		s.t.Error("reset the workflow:", err)
	}
	return answer.GetRunId()
}

// awaitRest waits until the claim's workflow is idle, in the given run or in any,
// and returns the run.
func (s *site) awaitRest(c temporal.Client, ref claim.Ref, run string) string {
	s.t.Helper()
	eventually(s.t, "the workflow of claim "+ref.ID+" is idle", func() error {
		about, err := c.DescribeWorkflowExecution(s.t.Context(), ref.WorkflowID(), run)
		if err != nil {
			return err
		}
		info := about.GetWorkflowExecutionInfo()
		if info.GetStatus() != enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING {
			return fmt.Errorf("got status %s", info.GetStatus())
		}
		if len(about.GetPendingActivities()) > 0 || about.GetPendingWorkflowTask() != nil {
			return errors.New("the workflow is busy")
		}
		done := 0
		events := c.GetWorkflowHistory(s.t.Context(), ref.WorkflowID(), info.GetExecution().GetRunId(), false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
		for events.HasNext() {
			e, err := events.Next()
			if err != nil {
				return err
			}
			switch e.GetEventType() {
			case enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED, enumspb.EVENT_TYPE_MARKER_RECORDED:
				done++
			}
		}
		if done == 0 {
			return errors.New("the workflow has not read its claim yet")
		}
		run = info.GetExecution().GetRunId()
		return nil
	})
	return run
}
