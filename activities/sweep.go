package activities

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/internal/fromdixa/subscription"
	"github.com/claimflow/claimflow/internal/todixa/connection"
	"github.com/claimflow/claimflow/store"
)

const (
	// sweepOverlap is how far a sweep looks back behind the watermark at least:
	// entries may appear in the log after newer ones.
	sweepOverlap = 10 * time.Minute
	// firstSweep is how far the first sweep of a connection looks back at most.
	firstSweep = 24 * time.Hour
	// sweepSpan is how much of the log is read before the watermark is raised.
	sweepSpan = 6 * time.Hour
	// sweepPage is how many entries of the log are asked for at once.
	sweepPage = 1000
	// sweepsAtOnce is how many steps of sweeps a worker holds at once. They wait
	// much; claims must find the other slots free.
	sweepsAtOnce = 15
	// sweepTurn is when a step comes again that found none free.
	sweepTurn = 10 * time.Second
)

// Sweeps looks in Dixa for what no webhook told. Each step can be done again from
// its start: what it found before is found to be known.
type Sweeps struct {
	Store         *store.Store
	Clients       *connection.Clients
	Subscriptions *subscription.Service
	// Ended is called with every sweep that ended, for metrics. Optional.
	Ended func(connectionID string, sweep claim.Sweep)

	held atomic.Int64
}

// SweepPlan is what a sweep is to do.
type SweepPlan struct {
	// Wanted is false for a connection that is not to be swept.
	Wanted bool `json:"wanted"`
	// StartedAt is the store's time when the sweep began.
	StartedAt time.Time `json:"started_at,omitzero"`
	// From and To are the span of the activity log to read; Behind says that there
	// is more of it after To.
	From   time.Time `json:"from,omitzero"`
	To     time.Time `json:"to,omitzero"`
	Behind bool      `json:"behind,omitempty"`
}

// PlanSweep decides what there is to do for a connection. Every call is the
// beginning of a sweep, or of its next span of the log.
func (a *Sweeps) PlanSweep(ctx context.Context, connectionID string) (SweepPlan, error) {
	plan, err := a.plan(ctx, connectionID)
	return plan, toTemporal("begin the sweep", err)
}

func (a *Sweeps) plan(ctx context.Context, connectionID string) (SweepPlan, error) {
	start, err := a.Store.Sweeps.Begin(ctx, connectionID)
	if err != nil || !start.Wanted {
		return SweepPlan{}, err
	}
	overlap := sweepOverlap
	shops, err := a.Store.Connections.Shops(ctx, connectionID)
	if err != nil {
		return SweepPlan{}, err
	}
	for _, shop := range shops {
		in, err := a.Store.Settings.Integration(ctx, shop)
		if err != nil {
			return SweepPlan{}, err
		}
		overlap = max(overlap, time.Duration(in.Effective.ListLag))
	}
	plan := SweepPlan{Wanted: true, StartedAt: start.Now, From: start.Watermark, To: start.Now}
	switch {
	case start.Watermark.IsZero() && start.FirstLink.IsZero():
		plan.From = start.Now
	case start.Watermark.IsZero():
		plan.From = latestOf(start.FirstLink, start.Now.Add(-firstSweep))
	}
	if end := plan.From.Add(sweepSpan); end.Before(plan.To) {
		plan.To, plan.Behind = end, true
	}
	plan.From = plan.From.Add(-overlap)
	return plan, nil
}

func latestOf(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// RepairSubscription makes sure of the connection's webhook subscription, unless
// all of its shops are read-only or a person made it.
func (a *Sweeps) RepairSubscription(ctx context.Context, connectionID string) (claim.SweepReport, error) {
	return a.step(ctx, connectionID, "make sure of the webhook subscription", func(ctx context.Context, _ *dixa.Client, report *claim.SweepReport) error {
		writes, err := a.mayWrite(ctx, connectionID)
		if err != nil || !writes {
			return err
		}
		changed, err := a.Subscriptions.Repair(ctx, connectionID)
		switch {
		case errors.Is(err, subscription.ErrNoSecret):
			return parked(claim.CauseRefused, err.Error())
		case errors.Is(err, subscription.ErrBusy):
			return retryable(claim.ErrorBusy, err.Error(), err, sweepTurn)
		case changed:
			report.Subscriptions = 1
		}
		return err
	})
}

// mayWrite reports whether an enabled shop of the connection lets Claimflow write
// to its Dixa.
func (a *Sweeps) mayWrite(ctx context.Context, connectionID string) (bool, error) {
	shops, err := a.Store.Connections.Shops(ctx, connectionID)
	if err != nil {
		return false, err
	}
	for _, shop := range shops {
		in, err := a.Store.Settings.Integration(ctx, shop)
		if err != nil {
			return false, err
		}
		if in.Enabled && !in.Effective.ReadOnly {
			return true, nil
		}
	}
	return false, nil
}

// FetchInput is what [Sweeps.FetchUndelivered] needs.
type FetchInput struct {
	ConnectionID string `json:"connection_id"`
	// Since leaves out deliveries before.
	Since time.Time `json:"since"`
}

// FetchUndelivered takes the events that Dixa says it could not deliver from its
// delivery logs.
func (a *Sweeps) FetchUndelivered(ctx context.Context, in FetchInput) (claim.SweepReport, error) {
	return a.step(ctx, in.ConnectionID, "fetch what Dixa could not deliver", func(ctx context.Context, client *dixa.Client, report *claim.SweepReport) error {
		kept, err := a.Store.Subscriptions.Get(ctx, in.ConnectionID)
		if err != nil || kept.ID == "" {
			return err
		}
		states, err := client.Webhooks.DeliveryStatus(ctx, kept.ID)
		if dixa.IsNotFound(err) {
			return nil // deleted a moment ago
		}
		if err != nil {
			return err
		}
		undelivered := func(d dixa.Delivery) bool { return !d.Success && d.DeliveredAt.After(in.Since) }
		for _, state := range states {
			if state.Status.Type == "NoRecentDelivery" || !undelivered(state.Status) {
				continue
			}
			logs, err := client.Webhooks.DeliveryLogs(ctx, kept.ID, state.Event)
			if err != nil {
				return err
			}
			for _, log := range logs {
				if !undelivered(log.Delivery) {
					continue
				}
				fresh, err := a.receive(ctx, in.ConnectionID, log.Payload)
				if err != nil {
					return err
				}
				if fresh {
					report.Events++
				}
			}
		}
		return nil
	})
}

// ReadTags learns which tags are deactivated: Dixa answers a request that names
// one like any other and leaves the tag out.
func (a *Sweeps) ReadTags(ctx context.Context, connectionID string) (claim.SweepReport, error) {
	return a.step(ctx, connectionID, "read the tags", func(ctx context.Context, client *dixa.Client, _ *claim.SweepReport) error {
		tags, err := client.Tags.List(ctx, true)
		if err != nil {
			return err
		}
		inactive := []string{}
		for _, t := range tags {
			if t.Inactive() {
				inactive = append(inactive, t.Name)
			}
		}
		return a.Store.Sweeps.SaveInactiveTags(ctx, connectionID, inactive)
	})
}

// receive keeps an event as if it had been delivered. One that cannot be read, or
// is another organisation's, is nothing that could be delivered.
func (a *Sweeps) receive(ctx context.Context, connectionID, payload string) (fresh bool, err error) {
	event, err := dixa.ParseEvent([]byte(payload))
	if err != nil || !claim.IsID(event.ID) {
		return false, nil //nolint:nilerr // there is no event to keep
	}
	kept := store.DixaEvent{
		ID: event.ID, Name: string(event.Name), HappenedAt: event.Timestamp.Time, Body: []byte(payload),
		Organization: store.Organization{ID: event.Organization.ID, Name: event.Organization.Name},
	}
	if kept.Name == "" {
		kept.Name = event.FQN
	}
	if conversation, ok := event.Conversation(); ok {
		kept.ConversationID = conversation.ID
	}
	fresh, err = a.Store.Inbox.Receive(ctx, connectionID, kept)
	var foreign *store.ForeignEventError
	var conflict *store.ConflictError
	if errors.As(err, &foreign) || errors.As(err, &conflict) {
		return false, nil
	}
	return fresh, err
}

// EndInput is what [Sweeps.EndSweep] records.
type EndInput struct {
	ConnectionID string            `json:"connection_id"`
	Report       claim.SweepReport `json:"report"`
}

// EndSweep records what a sweep found.
func (a *Sweeps) EndSweep(ctx context.Context, in EndInput) error {
	sweep, err := a.Store.Sweeps.End(ctx, in.ConnectionID, in.Report)
	if errors.Is(err, store.ErrNotFound) {
		return nil // the connection is gone
	}
	if err == nil && a.Ended != nil {
		a.Ended(in.ConnectionID, sweep)
	}
	return toTemporal("end the sweep", err)
}

// MarkInput is what [Sweeps.RaiseWatermark] records.
type MarkInput struct {
	ConnectionID string    `json:"connection_id"`
	To           time.Time `json:"to"`
}

// RaiseWatermark records that everything which Dixa logged up to a time was read
// and is kept.
func (a *Sweeps) RaiseWatermark(ctx context.Context, in MarkInput) error {
	return toTemporal("save the watermark", a.Store.Sweeps.RaiseWatermark(ctx, in.ConnectionID, in.To))
}

// step runs a step that talks to Dixa, at the pace of work that nobody waits for.
// What it had found before it failed is not lost to the report: the attempts
// share it by their heartbeats.
func (a *Sweeps) step(ctx context.Context, connectionID, doing string, do func(context.Context, *dixa.Client, *claim.SweepReport) error) (claim.SweepReport, error) {
	defer a.held.Add(-1)
	if a.held.Add(1) > sweepsAtOnce {
		return claim.SweepReport{}, retryable(claim.ErrorBusy, doing+": this worker has enough sweeps at work", nil, sweepTurn)
	}
	p := resume(ctx)
	stop := heartbeat(ctx, p.tell)
	defer stop()
	// Nobody knows whose words Dixa may repeat here.
	ctx = connection.WithoutWords(connection.Gently(ctx), func() map[string]bool { return nil })
	ctx, requests := connection.Count(ctx)
	client, err := a.Clients.Client(ctx, connectionID)
	if err == nil {
		var found claim.SweepReport
		err = do(context.WithValue(ctx, progressKey{}, p), client, &found)
		found.Requests += int(requests.Load())
		p.add(found)
	}
	if tokenRefused(err) {
		first, markErr := a.Clients.TokenRefused(ctx, connectionID, client)
		if markErr != nil {
			return claim.SweepReport{}, toTemporal(doing, markErr)
		}
		if first {
			activity.GetLogger(ctx).Warn("Dixa refuses the connection's token; its claims are parked until a new one is saved", "connection", connectionID)
		}
		err = parked(claim.CauseConnection, err.Error())
	}
	if err != nil {
		p.tell(ctx)
	}
	return p.report(), toTemporal(doing, err)
}

type progressKey struct{}

// progress is what the attempts at one step found so far.
type progress struct {
	mu    sync.Mutex
	sofar claim.SweepReport
}

func resume(ctx context.Context) *progress {
	p := &progress{}
	if activity.HasHeartbeatDetails(ctx) {
		_ = activity.GetHeartbeatDetails(ctx, &p.sofar) // a report that cannot be read begins anew
	}
	return p
}

func (p *progress) add(found claim.SweepReport) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sofar.Add(found)
}

func (p *progress) report() claim.SweepReport {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sofar
}

func (p *progress) tell(ctx context.Context) { activity.RecordHeartbeat(ctx, p.report()) }

// PageInput is what [Sweeps.ReadActivityLog] needs.
type PageInput struct {
	ConnectionID string    `json:"connection_id"`
	From         time.Time `json:"from"`
	To           time.Time `json:"to"`
	// After is the page that was read last; empty for the first.
	After string `json:"after,omitempty"`
}

// Page is what [Sweeps.ReadActivityLog] read.
type Page struct {
	Report claim.SweepReport `json:"report"`
	// Next is the page to read next; empty after the last one.
	Next string `json:"next,omitempty"`
}

// ReadActivityLog reads a page of the organisation's activity log and keeps the
// entries of claims' conversations until they are judged.
func (a *Sweeps) ReadActivityLog(ctx context.Context, in PageInput) (Page, error) {
	var page Page
	report, err := a.step(ctx, in.ConnectionID, "read the activity log", func(ctx context.Context, client *dixa.Client, report *claim.SweepReport) error {
		entries, next, err := client.Conversations.OrganizationActivityLogPage(ctx, in.From, in.To, sweepPage, in.After)
		if e, ok := dixa.AsError(err); ok && e.Status == http.StatusBadRequest && in.After == "" {
			// How large a page may be is not documented: Dixa shall say.
			entries, next, err = client.Conversations.OrganizationActivityLogPage(ctx, in.From, in.To, 0, "")
		}
		if err != nil {
			return err
		}
		page.Next, report.Entries = next, len(entries)
		report.Touched, err = a.keep(ctx, in.ConnectionID, entries)
		return err
	})
	page.Report = report
	return page, err
}
