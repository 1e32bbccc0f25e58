package activities

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/internal/todixa/connection"
	"github.com/claimflow/claimflow/internal/todixa/evidence"
	"github.com/claimflow/claimflow/store"
)

// Dixa implements the steps of a claim that call Dixa.
type Dixa struct {
	Store   *store.Store
	Clients *connection.Clients
	// Checker checks files that arrive after the conversation was opened.
	Checker *evidence.Checker
}

// heartbeatEvery is the heartbeat interval. It is well below the heartbeat timeout
// that the workflow sets.
const heartbeatEvery = 3 * time.Second

// session holds what every step needs.
type session struct {
	store    *store.Store
	checker  *evidence.Checker
	client   *dixa.Client
	ref      claim.Ref
	work     store.Snapshot
	settings claim.Settings
	ticket   ticket
}

// withSession runs one step. It sends heartbeats, checks that the claim is not abandoned
// and that its connection is usable, counts the step's requests, and converts
// failures to Temporal errors.
func (a *Dixa) withSession(ctx context.Context, ref claim.Ref, doing string, step func(context.Context, *session) error) error {
	ctx, requests := connection.Count(ctx)
	ctx = connection.WithRedaction(ctx, func() map[string]bool { return a.personalWords(ctx, ref) })
	stop := heartbeat(ctx, alive)
	s, err := a.session(ctx, ref)
	if err == nil {
		err = step(ctx, s)
	}
	stop()
	if dixa.IsTokenRefused(err) {
		err = a.refuseToken(ctx, s, err)
	}
	err = toTemporal(doing, err)
	a.recordAttempt(ctx, ref, int(requests.Load()), err)
	return err
}

// withState runs one step like withSession and returns the resulting state of the
// claim, so that the workflow need not read it.
func (a *Dixa) withState(ctx context.Context, ref claim.Ref, doing string, step func(context.Context, *session) error) (claim.WorkflowState, error) {
	var state claim.WorkflowState
	err := a.withSession(ctx, ref, doing, func(ctx context.Context, s *session) error {
		if err := step(ctx, s); err != nil {
			return err
		}
		claims := &Claims{Store: a.Store}
		var err error
		if state, err = claims.read(ctx, ref); err == nil {
			state, err = claims.afterWrite(ctx, ref, state)
		}
		return err
	})
	return state, err
}

// recordAttempt records what an attempt spent and why it failed, for people who
// inspect the claim. A failure to record does not fail the attempt.
func (a *Dixa) recordAttempt(ctx context.Context, ref claim.Ref, requests int, failure error) {
	// Record the requests even if the activity ran out of time.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	var err error
	if requests > 0 {
		err = a.Store.Claims.AddRequests(ctx, ref, requests)
	}
	var app *temporal.ApplicationError
	if errors.As(failure, &app) && app.Category() != temporal.ApplicationErrorCategoryBenign {
		_, noteErr := a.Store.Claims.Change(ctx, ref, "", store.ClaimUpdate{LastError: app.Message()})
		err = errors.Join(err, noteErr)
	}
	if err != nil {
		activity.GetLogger(ctx).Warn("could not record an attempt", "claim", ref.String(), "error", err)
	}
}

// personalWords returns the words that a claim's customer supplied. Nil if they
// cannot be read.
func (a *Dixa) personalWords(ctx context.Context, ref claim.Ref) map[string]bool {
	opened, _, err := a.Store.Claims.OpeningBody(ctx, ref)
	if err != nil {
		return nil
	}
	latest, err := a.Store.Claims.LatestBody(ctx, ref)
	if err != nil {
		return nil
	}
	return connection.WordSet(append(personalTexts(opened), personalTexts(latest)...)...)
}

func personalTexts(c *claim.Claim) []string {
	who, where := c.Customer, c.Order.Address
	texts := []string{
		who.Email, who.FirstName, who.LastName, who.Phone, who.ExternalID, c.Order.ExternalCustomerID, c.Description,
		where.Name, where.Street, where.ZIPCode, where.City, where.Phone,
	}
	for _, answer := range c.Answers {
		texts = append(texts, answer.Question, answer.Answer)
	}
	for _, i := range c.Items {
		texts = append(texts, i.Title)
	}
	return texts
}

func (a *Dixa) session(ctx context.Context, ref claim.Ref) (*session, error) {
	work, err := a.Store.Claims.Load(ctx, ref)
	if err != nil {
		return nil, fmt.Errorf("read the claim: %w", err)
	}
	if work.State == claim.StateAbandoned {
		return nil, withdrawn(ref)
	}
	integration, err := a.Store.Settings.Integration(ctx, ref.Shop)
	if err != nil {
		return nil, fmt.Errorf("read the shop's settings: %w", err)
	}
	s := &session{store: a.Store, checker: a.Checker, ref: ref, work: work, settings: integration.Effective}
	if s.settings.ReadOnly {
		return nil, parked(claim.CauseReadOnly, "the shop's settings are read-only (read_only)")
	}
	if work.ConnectionID == "" {
		return nil, parked(claim.CauseNoConnection, "the shop has no Dixa connection")
	}
	if err := a.Store.Claims.Draft(ctx, ref, draftTicket, &s.ticket); err != nil {
		return nil, fmt.Errorf("read the ticket: %w", err)
	}
	if s.client, err = a.Clients.For(ctx, work.ConnectionID, s.settings); err != nil {
		return nil, err
	}
	return s, nil
}

// unchanged reports an error if a person abandoned the claim or linked it to another
// conversation since the attempt began.
func (s *session) unchanged(ctx context.Context) error {
	record, err := s.store.Claims.Record(ctx, s.ref)
	if err != nil {
		return fmt.Errorf("read the claim: %w", err)
	}
	if record.State == claim.StateAbandoned || record.ConversationID != s.work.ConversationID {
		return withdrawn(s.ref)
	}
	return nil
}

func (a *Dixa) refuseToken(ctx context.Context, s *session, refusal error) error {
	first, err := a.Clients.TokenRefused(ctx, s.work.ConnectionID, s.client)
	if err != nil {
		return err
	}
	if first {
		activity.GetLogger(ctx).Warn("Dixa rejected the connection's token; its claims are parked until a new token is saved", "connection", s.work.ConnectionID)
	}
	return parked(claim.CauseConnection, refusal.Error())
}

// heartbeat calls beat periodically until the returned function is called.
func heartbeat(ctx context.Context, beat func(context.Context)) (stop func()) {
	done := make(chan struct{})
	go func() {
		tick := time.NewTicker(heartbeatEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				beat(ctx)
			case <-done:
				return
			case <-ctx.Done():
				return
			}
		}
	}()
	return func() { close(done) }
}

// alive is a heartbeat without details.
func alive(ctx context.Context) { activity.RecordHeartbeat(ctx) }

// window is how long after an unanswered send its effect may still appear.
func (s *session) window() time.Duration {
	return time.Duration(s.settings.CommitWindow) + time.Duration(s.settings.ListLag)
}

// idempotent performs a write that is safe to send twice, unless it is known to be
// done.
func (s *session) idempotent(ctx context.Context, step string, send func(context.Context) error) error {
	if slices.Contains(s.work.DoneSteps, step) {
		return nil
	}
	if err := send(ctx); err != nil {
		return s.retryNotFound(ctx, err)
	}
	if err := s.store.Intents.Finish(ctx, s.ref, step, nil); err != nil {
		return fmt.Errorf("record step %s as done: %w", step, err)
	}
	return nil
}

// retryNotFound makes a 404 for a newly created conversation of ours retryable. Dixa
// does not document how soon after a create the conversation is available to every
// operation.
func (s *session) retryNotFound(ctx context.Context, err error) error {
	if !dixa.IsNotFound(err) {
		return err
	}
	link, linkErr := s.store.Links.Get(ctx, s.ref)
	if linkErr != nil || time.Since(link.CreatedAt) > s.window() {
		return err
	}
	return retryable(claim.ErrorUnavailable, "the new conversation is not visible in Dixa yet: "+err.Error(), err, 2*time.Second)
}

// parkIfRefused parks the claim with cause if Dixa rejected permanently.
func parkIfRefused(cause claim.Cause, err error) error {
	e, ok := dixa.AsError(err)
	if ok && e.Outcome == dixa.Rejected && !e.Retryable && !dixa.IsTokenRefused(err) {
		return parked(cause, err.Error())
	}
	return err
}
