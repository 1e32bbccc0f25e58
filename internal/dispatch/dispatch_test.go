package dispatch_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/internal/dispatch"
	"github.com/claimflow/claimflow/internal/seal"
	"github.com/claimflow/claimflow/store"
)

// engine records what it was asked to start.
type engine struct {
	mu      sync.Mutex
	down    error
	refuse  string // the id of a workflow that is never taken
	started []client.StartWorkflowOptions
	asked   chan struct{}
}

func (e *engine) SignalWithStartWorkflow(_ context.Context, _, signal string, arg any, o client.StartWorkflowOptions, workflow any, args ...any) (client.WorkflowRun, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	defer func() {
		select {
		case e.asked <- struct{}{}:
		default:
		}
	}()
	if e.down != nil {
		return nil, e.down
	}
	if o.ID == e.refuse {
		return nil, errors.New("not this one")
	}
	if signal != claim.SignalNudge || arg != nil || workflow != claim.WorkflowName || len(args) != 1 {
		return nil, errors.New("a nudge has no content and starts the claim's workflow")
	}
	e.started = append(e.started, o)
	return nil, nil
}

func (e *engine) set(down error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.down = down
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
	engine     *engine
	dispatcher *dispatch.Dispatcher
	log        *bytes.Buffer
}

func setup(t *testing.T) *bundle {
	t.Helper()
	text, err := seal.Generate()
	require.NoError(t, err)
	keys, err := seal.Parse(text)
	require.NoError(t, err)
	s, err := store.Open(t.Context(), "sqlite::memory:", keys)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	_, err = s.CreateShop(t.Context(), store.NewShop{Slug: "acme", Feature: true})
	require.NoError(t, err)
	b := &bundle{store: s, engine: &engine{asked: make(chan struct{}, 1)}, log: &bytes.Buffer{}}
	b.dispatcher = dispatch.New(s, b.engine, slog.New(slog.NewTextHandler(b.log, nil)))
	return b
}

func (b *bundle) accept(t *testing.T, id string) {
	t.Helper()
	_, err := b.store.Accept(t.Context(), &claim.Claim{
		ID: id, Shop: "acme", Reason: "Damaged", Order: claim.Order{Number: "10001"},
		Customer: claim.Customer{Email: "anna@example.org"},
	})
	require.NoError(t, err)
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

func TestClaimsWaitForAnEngineThatIsDown(t *testing.T) {
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
	require.NoError(t, b.store.Abandon(t.Context(), claim.Ref{Shop: "acme", ID: "a"}))
	require.NoError(t, b.dispatcher.Once(t.Context()))
	require.Len(t, b.engine.ids(), 2)
}

func TestParkedClaimIsWokenByNewSettingsOnly(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx := t.Context()
	b.accept(t, "a")
	ref := claim.Ref{Shop: "acme", ID: "a"}
	require.NoError(t, b.dispatcher.Once(ctx))
	work, err := b.store.Load(ctx, ref)
	require.NoError(t, err)
	_, err = b.store.Change(ctx, ref, claim.EventPark, store.Set{Cause: claim.CauseContactEndpoint, ParkedVersion: work.SettingsVersion})
	require.NoError(t, err)
	require.NoError(t, b.dispatcher.Once(ctx))
	require.Len(t, b.engine.ids(), 1)
	_, err = b.store.SaveSettings(ctx, "acme", []byte(`{"email_integration_id":"help@acme.example"}`))
	require.NoError(t, err)
	require.NoError(t, b.dispatcher.Once(ctx))
	require.NoError(t, b.dispatcher.Once(ctx))
	require.Len(t, b.engine.ids(), 2, "woken once")
}

func TestRunKeepsTryingAndSaysSoOnce(t *testing.T) {
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
	for range 3 { // three rounds against an engine that is down
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

func TestOneClaimThatIsRefusedDoesNotKeepOthersBack(t *testing.T) {
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
