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
	// sweepOverlap is the minimum that a sweep reads back behind the watermark.
	// Entries may appear in the log after newer ones.
	sweepOverlap = 10 * time.Minute
	// firstSweep is the maximum that the first sweep of a connection reads back.
	firstSweep = 24 * time.Hour
	// sweepSpan is how much of the log a sweep reads before it raises the watermark.
	sweepSpan = 6 * time.Hour
	// sweepPage is the number of log entries requested at once.
	sweepPage = 1000
	// maxConcurrentSweeps is how many sweep steps a worker runs at once. They wait a lot,
	// and claims need the other slots.
	maxConcurrentSweeps = 15
	// sweepTurn is the retry delay of a step that has to wait for its turn.
	sweepTurn = 10 * time.Second
)

// Sweeps finds in Dixa what no webhook reported. Each step can be repeated from its
// start, because it recognizes what it found before.
type Sweeps struct {
	Store         *store.Store
	Clients       *connection.Clients
	Subscriptions *subscription.Service
	// OnEnd is called with every sweep that ended, for metrics. Optional.
	OnEnd func(connectionID string, sweep claim.Sweep)

	held atomic.Int64
}

// SweepPlan is what a sweep has to do.
type SweepPlan struct {
	// Wanted is false for a connection that must not be swept.
	Wanted bool `json:"wanted"`
	// StartedAt is the store's time when the sweep began.
	StartedAt time.Time `json:"started_at,omitzero"`
	// From and To are the span of the activity log to read. Behind says that more of
	// the log follows To.
	From   time.Time `json:"from,omitzero"`
	To     time.Time `json:"to,omitzero"`
	Behind bool      `json:"behind,omitempty"`
}

// PlanSweep plans the work for a connection. Every call begins a sweep or its next
// span of the log.
func (a *Sweeps) PlanSweep(ctx context.Context, connectionID string) (SweepPlan, error) {
	plan, err := a.plan(ctx, connectionID)
	return plan, toTemporal("start the sweep", err)
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

// RepairSubscription ensures that the connection's webhook subscription exists and
// is correct. It does nothing if no enabled shop of the connection may write to
// Dixa, or if a person created the subscription.
func (a *Sweeps) RepairSubscription(ctx context.Context, connectionID string) (claim.SweepReport, error) {
	return a.step(ctx, connectionID, "repair the webhook subscription", func(ctx context.Context, _ *dixa.Client, report *claim.SweepReport) error {
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

// mayWrite reports whether an enabled shop of the connection allows Claimflow to
// write to its Dixa.
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

// FetchInput is the input of [Sweeps.FetchUndelivered].
type FetchInput struct {
	ConnectionID string `json:"connection_id"`
	// Since excludes earlier deliveries.
	Since time.Time `json:"since"`
}

// FetchUndelivered reads, from Dixa's delivery logs, the events that Dixa reports as
// undelivered, and stores them.
func (a *Sweeps) FetchUndelivered(ctx context.Context, in FetchInput) (claim.SweepReport, error) {
	return a.step(ctx, in.ConnectionID, "fetch undelivered events", func(ctx context.Context, client *dixa.Client, report *claim.SweepReport) error {
		kept, err := a.Store.Subscriptions.Get(ctx, in.ConnectionID)
		if err != nil || kept.ID == "" {
			return err
		}
		states, err := client.Webhooks.DeliveryStatus(ctx, kept.ID)
		if dixa.IsNotFound(err) {
			return nil // just deleted
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

// ReadTags records which tags are deactivated. Dixa accepts a request that names one
// like any other and silently omits the tag.
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

// receive stores an event as if it had been delivered. It skips an event that could
// never be delivered: one that cannot be read or that belongs to another
// organization.
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
		return nil // the connection is deleted
	}
	if err == nil && a.OnEnd != nil {
		a.OnEnd(in.ConnectionID, sweep)
	}
	return toTemporal("end the sweep", err)
}

// MarkInput is what [Sweeps.RaiseWatermark] records.
type MarkInput struct {
	ConnectionID string    `json:"connection_id"`
	To           time.Time `json:"to"`
}

// RaiseWatermark records that everything Dixa logged up to a time is read and
// stored.
func (a *Sweeps) RaiseWatermark(ctx context.Context, in MarkInput) error {
	return toTemporal("save the watermark", a.Store.Sweeps.RaiseWatermark(ctx, in.ConnectionID, in.To))
}

// step runs a step that calls Dixa, at the pace of background work. The report
// includes what failed attempts found, because attempts share it through their
// heartbeats.
func (a *Sweeps) step(ctx context.Context, connectionID, doing string, do func(context.Context, *dixa.Client, *claim.SweepReport) error) (claim.SweepReport, error) {
	defer a.held.Add(-1)
	if a.held.Add(1) > maxConcurrentSweeps {
		return claim.SweepReport{}, retryable(claim.ErrorBusy, doing+": this worker has reached its limit of concurrent sweeps", nil, sweepTurn)
	}
	p := resume(ctx)
	stop := heartbeat(ctx, p.tell)
	defer stop()
	// It is unknown here whose words Dixa may repeat.
	ctx = connection.WithRedaction(connection.WithBackgroundRate(ctx), func() map[string]bool { return nil })
	ctx, requests := connection.Count(ctx)
	client, err := a.Clients.Client(ctx, connectionID)
	if err == nil {
		var found claim.SweepReport
		err = do(context.WithValue(ctx, progressKey{}, p), client, &found)
		found.Requests += int(requests.Load())
		p.add(found)
	}
	if dixa.IsTokenRefused(err) {
		first, markErr := a.Clients.TokenRefused(ctx, connectionID, client)
		if markErr != nil {
			return claim.SweepReport{}, toTemporal(doing, markErr)
		}
		if first {
			activity.GetLogger(ctx).Warn("Dixa rejected the connection's token; its claims are parked until a new token is saved", "connection", connectionID)
		}
		err = parked(claim.CauseConnection, err.Error())
	}
	if err != nil {
		p.tell(ctx)
	}
	return p.report(), toTemporal(doing, err)
}

type progressKey struct{}

// progress is what the attempts at one step have found so far.
type progress struct {
	mu    sync.Mutex
	sofar claim.SweepReport
}

func resume(ctx context.Context) *progress {
	p := &progress{}
	if activity.HasHeartbeatDetails(ctx) {
		_ = activity.GetHeartbeatDetails(ctx, &p.sofar) // an unreadable report starts empty
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

// PageInput is the input of [Sweeps.ReadActivityLog].
type PageInput struct {
	ConnectionID string    `json:"connection_id"`
	From         time.Time `json:"from"`
	To           time.Time `json:"to"`
	// After is the page read last. Empty for the first page.
	After string `json:"after,omitempty"`
}

// Page is the result of [Sweeps.ReadActivityLog].
type Page struct {
	Report claim.SweepReport `json:"report"`
	// Next is the page to read next. Empty after the last page.
	Next string `json:"next,omitempty"`
}

// ReadActivityLog reads a page of the organization's activity log. It stores the
// entries of claims' conversations until they are reconciled.
func (a *Sweeps) ReadActivityLog(ctx context.Context, in PageInput) (Page, error) {
	var page Page
	report, err := a.step(ctx, in.ConnectionID, "read the activity log", func(ctx context.Context, client *dixa.Client, report *claim.SweepReport) error {
		entries, next, err := client.Conversations.OrganizationActivityLogPage(ctx, in.From, in.To, sweepPage, in.After)
		if e, ok := dixa.AsError(err); ok && e.Status == http.StatusBadRequest && in.After == "" {
			// The maximum page size is not documented, so let Dixa choose.
			entries, next, err = client.Conversations.OrganizationActivityLogPage(ctx, in.From, in.To, 0, "")
		}
		if err != nil {
			return err
		}
		page.Next, report.Entries = next, len(entries)
		report.Touched, err = a.saveActivities(ctx, in.ConnectionID, entries)
		return err
	})
	page.Report = report
	return page, err
}
