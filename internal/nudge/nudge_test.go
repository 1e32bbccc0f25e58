package nudge_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/internal/nudge"
	"github.com/claimflow/claimflow/internal/seal"
	"github.com/claimflow/claimflow/store"
)

// engine records the workflows that it is asked to start.
type engine struct {
	mu      sync.Mutex
	down    error
	refuse  string // prefix of the workflow IDs that are always rejected
	calls   int
	started []client.StartWorkflowOptions
	ensured []client.StartWorkflowOptions
	// running lists the workflows that a start finds running.
	running   map[string]bool
	signalled []string
	asked     chan struct{}
}

func (e *engine) ExecuteWorkflow(_ context.Context, o client.StartWorkflowOptions, workflow any, args ...any) (client.WorkflowRun, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.called(o, workflow, args); err != nil {
		return nil, err
	}
	if o.WorkflowIDConflictPolicy == enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING {
		e.ensured = append(e.ensured, o)
		return nil, nil
	}
	if !o.WorkflowExecutionErrorWhenAlreadyStarted {
		return nil, errors.New("a start must fail if the workflow is running")
	}
	if e.running[o.ID] {
		return nil, fmt.Errorf("start: %w", serviceerror.NewWorkflowExecutionAlreadyStarted("running", "", ""))
	}
	e.started = append(e.started, o)
	return nil, nil
}

func (e *engine) SignalWithStartWorkflow(_ context.Context, _, signal string, arg any, o client.StartWorkflowOptions, workflow any, args ...any) (client.WorkflowRun, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.called(o, workflow, args); err != nil {
		return nil, err
	}
	if signal != claim.SignalNudge || arg != nil {
		return nil, errors.New("a nudge must have no content")
	}
	e.started = append(e.started, o)
	e.signalled = append(e.signalled, o.ID)
	return nil, nil
}

func (e *engine) called(o client.StartWorkflowOptions, workflow any, args []any) error {
	select {
	case e.asked <- struct{}{}:
	default:
	}
	e.calls++
	switch {
	case e.down != nil:
		return e.down
	case e.refuse != "" && strings.HasPrefix(o.ID, e.refuse):
		return errors.New("claim rejected")
	case workflow != claim.WorkflowName || len(args) != 1:
		return errors.New("the workflow's argument must be the claim's reference")
	}
	return nil
}

func (e *engine) set(down error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.down = down
}

// recover ends what set and refuse make fail.
func (e *engine) recover() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.down, e.refuse = nil, ""
}

func (e *engine) ids() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	var ids []string
	for _, o := range e.started {
		ids = append(ids, o.ID)
	}
	return ids
}

type bundle struct {
	store      *store.Store
	now        *atomic.Int64 // of the store, in Unix microseconds
	engine     *engine
	dispatcher *nudge.Dispatcher
	log        *bytes.Buffer
}

func setup(t *testing.T, opts ...nudge.Option) *bundle {
	t.Helper()
	now := &atomic.Int64{}
	now.Store(time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC).UnixMicro())
	text, err := seal.Generate()
	require.NoError(t, err)
	keys, err := seal.Parse(text)
	require.NoError(t, err)
	s, err := store.Open(t.Context(), "sqlite::memory:", keys, store.WithClock(func() time.Time { return time.UnixMicro(now.Load()) }))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	_, err = s.Shops.Create(t.Context(), store.NewShop{Slug: "acme", Feature: true})
	require.NoError(t, err)
	b := &bundle{store: s, now: now, engine: &engine{asked: make(chan struct{}, 1)}, log: &bytes.Buffer{}}
	b.dispatcher = nudge.New(s, b.engine, slog.New(slog.NewTextHandler(b.log, nil)), opts...)
	return b
}

func (b *bundle) turn(d time.Duration) { b.now.Add(d.Microseconds()) }

func (b *bundle) accept(t *testing.T, id string) {
	t.Helper()
	_, err := b.store.Claims.Accept(t.Context(), &claim.Claim{
		ID: id, Shop: "acme", Reason: "Damaged", Order: claim.Order{Number: "10001"},
		Customer: claim.Customer{Email: "anna@example.org"},
	})
	require.NoError(t, err)
}

// heard has the claims' workflows read their nudges.
func (b *bundle) heard(t *testing.T) {
	t.Helper()
	records, _, err := b.store.Claims.List(t.Context(), store.ClaimFilter{Limit: 500})
	require.NoError(t, err)
	for _, r := range records {
		work, err := b.store.Claims.Load(t.Context(), r.Ref)
		require.NoError(t, err)
		require.NoError(t, b.store.Nudges.MarkRead(t.Context(), r.Ref, work.Revision))
	}
}

func TestEveryAcceptedClaimIsStartedOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, id := range []string{"a", "b", "c"} {
		b.accept(t, id)
	}
	require.NoError(t, b.dispatcher.Once(t.Context()))
	require.NoError(t, b.dispatcher.Once(t.Context()))
	require.ElementsMatch(t, []string{"claim:acme:a", "claim:acme:b", "claim:acme:c"}, b.engine.ids())
	o := b.engine.started[0]
	require.Contains(t, o.StaticSummary, "damaged claim")
	require.Equal(t, 5, o.TypedSearchAttributes.Size(), "shop, id, reason, state, order")
}

func TestClaimsWaitWhileTemporalIsDown(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.engine.set(errors.New("connection refused"))
	b.accept(t, "a")
	require.ErrorContains(t, b.dispatcher.Once(t.Context()), "connection refused")
	b.engine.set(nil)
	require.NoError(t, b.dispatcher.Once(t.Context()))
	require.Equal(t, []string{"claim:acme:a"}, b.engine.ids())
}

func TestChangedClaimIsNudgedAgain(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.accept(t, "a")
	require.NoError(t, b.dispatcher.Once(t.Context()))
	b.heard(t)
	require.NoError(t, b.store.Claims.Abandon(t.Context(), claim.Ref{Shop: "acme", ID: "a"}))
	require.NoError(t, b.dispatcher.Once(t.Context()))
	require.Len(t, b.engine.ids(), 2)
}

func TestOnlyOneNudgeIsPending(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.accept(t, "a")
	ref := claim.Ref{Shop: "acme", ID: "a"}
	for range 20 {
		require.NoError(t, b.dispatcher.Once(t.Context()))
		require.NoError(t, b.store.Claims.Retry(t.Context(), ref, store.RetryOptions{}))
	}
	require.Len(t, b.engine.ids(), 1, "a claim must not be nudged again before it read the store")
	b.heard(t)
	require.NoError(t, b.store.Claims.Retry(t.Context(), ref, store.RetryOptions{}))
	require.NoError(t, b.dispatcher.Once(t.Context()))
	require.Len(t, b.engine.ids(), 2)

	// No workflow reads the nudge, so it may be lost with its workflow.
	require.NoError(t, b.store.Claims.Retry(t.Context(), ref, store.RetryOptions{}))
	b.turn(time.Minute)
	require.NoError(t, b.dispatcher.Once(t.Context()))
	require.Len(t, b.engine.ids(), 3)
}

func TestOnlyNewSettingsWakeParkedClaim(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx := t.Context()
	b.accept(t, "a")
	ref := claim.Ref{Shop: "acme", ID: "a"}
	require.NoError(t, b.dispatcher.Once(ctx))
	work, err := b.store.Claims.Load(ctx, ref)
	require.NoError(t, err)
	_, err = b.store.Claims.Change(ctx, ref, claim.EventPark, store.ClaimUpdate{Cause: claim.CauseContactEndpoint, ParkedVersion: work.SettingsVersion})
	require.NoError(t, err)
	require.NoError(t, b.dispatcher.Once(ctx))
	require.Len(t, b.engine.ids(), 1)
	b.heard(t)
	_, err = b.store.Settings.Save(ctx, "acme", []byte(`{"email_integration_id":"help@acme.example"}`))
	require.NoError(t, err)
	require.NoError(t, b.dispatcher.Once(ctx))
	require.NoError(t, b.dispatcher.Once(ctx))
	require.Len(t, b.engine.ids(), 2, "new settings must wake the claim once")
}

func TestRunRetriesAndLogsOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.engine.set(errors.New("connection refused"))
	b.accept(t, "a")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		b.dispatcher.Run(ctx)
	}()
	for range 3 { // three rounds while Temporal is down
		b.dispatcher.Kick()
		<-b.engine.asked
	}
	b.engine.set(nil)
	b.dispatcher.Kick()
	require.Eventually(t, func() bool { return len(b.engine.ids()) == 1 }, 10*time.Second, 5*time.Millisecond)
	b.dispatcher.Kick()
	cancel()
	<-done
	require.Equal(t, 1, bytes.Count(b.log.Bytes(), []byte("they wait in the store")), b.log.String())
}

func TestRejectedClaimDoesNotBlockOthers(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.engine.refuse = "claim:acme:poison"
	b.accept(t, "poison")
	for _, id := range []string{"a", "b", "c"} {
		b.accept(t, id)
	}
	require.ErrorContains(t, b.dispatcher.Once(t.Context()), "acme/poison")
	require.ElementsMatch(t, []string{"claim:acme:a", "claim:acme:b", "claim:acme:c"}, b.engine.ids())
}

func TestLostWorkflowIsRestarted(t *testing.T) {
	t.Parallel()
	b := setup(t, nudge.WithSearchInterval(0))
	b.accept(t, "a")
	require.NoError(t, b.dispatcher.Once(t.Context()))
	b.turn(9 * time.Minute)
	require.NoError(t, b.dispatcher.Once(t.Context()))
	require.Empty(t, b.engine.ensured, "a recently active workflow must not be ensured")

	b.turn(time.Minute)
	b.engine.set(errors.New("connection refused"))
	require.ErrorContains(t, b.dispatcher.Once(t.Context()), "connection refused")
	b.engine.set(nil)
	require.NoError(t, b.dispatcher.Once(t.Context()))
	require.NoError(t, b.dispatcher.Once(t.Context()))
	require.Len(t, b.engine.ensured, 1, "the workflow must be ensured once in ten minutes")
	o := b.engine.ensured[0]
	require.Equal(t, "claim:acme:a", o.ID)
	require.Equal(t, claim.TaskQueueClaims, o.TaskQueue)
	require.Equal(t, enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING, o.WorkflowIDConflictPolicy, "a running workflow must be unaffected")
	require.Equal(t, 5, o.TypedSearchAttributes.Size())
	require.Len(t, b.engine.ids(), 1, "a signal would lengthen the history of every parked workflow")

	b.turn(10 * time.Minute)
	require.NoError(t, b.dispatcher.Once(t.Context()))
	require.Len(t, b.engine.ensured, 2)
}

func TestEveryLostWorkflowIsRestarted(t *testing.T) {
	t.Parallel()
	b := setup(t, nudge.WithSearchInterval(0))
	const claims = 250 // more than one batch
	for i := range claims {
		b.accept(t, fmt.Sprint(i))
	}
	b.turn(time.Second)
	b.accept(t, "poison")
	require.NoError(t, b.dispatcher.Once(t.Context()))
	b.turn(time.Hour)
	b.engine.refuse = "claim:acme:poison"
	b.accept(t, "new")
	require.ErrorContains(t, b.dispatcher.Once(t.Context()), "ensure the workflow of claim acme/poison")
	require.Len(t, b.engine.ensured, claims)
	require.Contains(t, b.engine.ids(), "claim:acme:new")
}

func TestLostWorkflowsAreSearchedPeriodically(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.accept(t, "a")
	require.NoError(t, b.dispatcher.Once(t.Context()))
	b.turn(time.Hour)
	require.NoError(t, b.dispatcher.Once(t.Context()))
	require.Empty(t, b.engine.ensured, "the store must be searched once a minute")
}

func TestRejectedClaimDoesNotBlockLostWorkflows(t *testing.T) {
	t.Parallel()
	b := setup(t, nudge.WithSearchInterval(0))
	b.accept(t, "a")
	require.NoError(t, b.dispatcher.Once(t.Context()))
	b.turn(time.Hour)
	b.engine.refuse = "claim:acme:poison"
	b.accept(t, "poison")
	require.ErrorContains(t, b.dispatcher.Once(t.Context()), "acme/poison")
	require.Len(t, b.engine.ensured, 1)
}

func TestManyRejectedClaimsDoNotBlockNewClaims(t *testing.T) {
	t.Parallel()
	b := setup(t, nudge.WithSearchInterval(0))
	const poisoned = 450 // more than two batches
	for i := range poisoned {
		b.accept(t, fmt.Sprintf("poison-%d", i))
	}
	b.turn(time.Second)
	b.accept(t, "a")
	require.NoError(t, b.dispatcher.Once(t.Context()))
	b.heard(t)
	b.turn(time.Second)
	b.engine.refuse = "claim:acme:poison"
	for i := range poisoned {
		require.NoError(t, b.store.Claims.Abandon(t.Context(), claim.Ref{Shop: "acme", ID: fmt.Sprintf("poison-%d", i)}))
	}
	b.accept(t, "b")
	b.engine.calls, b.engine.started = 0, nil
	require.ErrorContains(t, b.dispatcher.Once(t.Context()), "claim rejected")
	require.Equal(t, []string{"claim:acme:b"}, b.engine.ids())
	require.Equal(t, poisoned+1, b.engine.calls, "each claim must be tried once per round")
}

func TestManyRejectedLostClaimsDoNotBlockOthers(t *testing.T) {
	t.Parallel()
	b := setup(t, nudge.WithSearchInterval(0))
	for i := range 250 {
		b.accept(t, fmt.Sprintf("poison-%d", i))
	}
	b.turn(time.Second)
	b.accept(t, "a")
	require.NoError(t, b.dispatcher.Once(t.Context()))
	b.turn(time.Hour)
	b.engine.refuse = "claim:acme:poison"
	require.ErrorContains(t, b.dispatcher.Once(t.Context()), "claim rejected")
	require.Len(t, b.engine.ensured, 1)
}

func TestFatalErrorStopsRound(t *testing.T) {
	t.Parallel()
	for name, down := range map[string]error{
		"unavailable": serviceerror.NewUnavailable("down"),
		"missing":     serviceerror.NewNamespaceNotFound("shops"),
		"forbidden":   serviceerror.NewPermissionDenied("permission denied", ""),
		"late":        context.DeadlineExceeded,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			for i := range 100 {
				b.accept(t, fmt.Sprint(i))
			}
			b.engine.set(down)
			require.ErrorIs(t, b.dispatcher.Once(t.Context()), down)
			require.LessOrEqual(t, b.engine.calls, 8, "only calls in progress may complete")
		})
	}
}

func TestEachKindOfErrorIsLoggedOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.engine.refuse = "claim:acme:poison"
	b.accept(t, "poison")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		b.dispatcher.Run(ctx)
	}()
	rounds := func() {
		for range 3 {
			b.dispatcher.Kick()
			<-b.engine.asked
		}
	}
	rounds()
	require.ErrorContains(t, b.dispatcher.Err(), "claim rejected")
	b.engine.set(serviceerror.NewUnavailable("the engine is down"))
	rounds()
	b.engine.recover()
	require.Eventually(t, func() bool {
		b.dispatcher.Kick()
		return b.dispatcher.Err() == nil
	}, 10*time.Second, 5*time.Millisecond)
	cancel()
	<-done
	logged := b.log.String()
	require.Equal(t, 1, strings.Count(logged, "claim rejected"), logged)
	require.Equal(t, 1, strings.Count(logged, "the engine is down"), logged)
	require.Equal(t, 1, strings.Count(logged, "is being notified of changed claims again"), logged)
}

// A new claim's workflow reads the claim when it starts. A signal would only add to its
// history.
func TestNewClaimIsStartedWithoutSignal(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.accept(t, "1")
	require.NoError(t, b.dispatcher.Once(t.Context()))
	require.Equal(t, []string{"claim:acme:1"}, b.engine.ids())
	require.Empty(t, b.engine.signalled)

	require.NoError(t, b.store.Nudges.MarkRead(t.Context(), claim.Ref{Shop: "acme", ID: "1"}, 1))
	require.NoError(t, b.store.Claims.Abandon(t.Context(), claim.Ref{Shop: "acme", ID: "1"}))
	require.NoError(t, b.dispatcher.Once(t.Context()))
	require.Equal(t, []string{"claim:acme:1"}, b.engine.signalled)
}

// The process may end between starting a workflow and recording it. The workflow may
// have read an earlier revision of the claim.
func TestNewClaimWithRunningWorkflowIsSignalled(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.accept(t, "1")
	b.engine.running = map[string]bool{"claim:acme:1": true}
	require.NoError(t, b.dispatcher.Once(t.Context()))
	require.Equal(t, []string{"claim:acme:1"}, b.engine.signalled)
	require.NoError(t, b.dispatcher.Once(t.Context()))
	require.Len(t, b.engine.signalled, 1)
}
