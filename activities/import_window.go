package activities

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/internal/todixa/connection"
	"github.com/claimflow/claimflow/mirror"
	"github.com/claimflow/claimflow/store"
)

// saveEvery is how often a window saves its counts, so that a person sees progress.
const saveEvery = time.Second

// windowRun is one attempt at a window.
type windowRun struct {
	*Imports
	ImportWindowInput
	requests *atomic.Int64

	// total counts the attempt, unsaved what is not in the store yet. read, excluded
	// and rejected are those of the whole window.
	mu      sync.Mutex
	total   claim.ImportCounts
	unsaved claim.ImportCounts
	rejects map[int]string
	saved   time.Time
	// page is where an attempt continues: a page of the activity log, or how many
	// conversations are done.
	place windowPlace
}

// windowPlace is how far the attempts at a window have come.
type windowPlace struct {
	// Page is the next page of the activity log; empty for the first.
	Page string `json:"page,omitempty"`
	// After is the last conversation of a search that is stored.
	After int64 `json:"after,omitempty"`
	// Read is how many rows were read.
	Read int `json:"read,omitempty"`
	// Failures is how many attempts failed.
	Failures int `json:"failures,omitempty"`
}

// maxWindowFailures is how many attempts at a window may fail before it is given up.
// Waiting for the budget is no failure.
const maxWindowFailures = 8

// classify converts an error of a window to a Temporal error.
func (r *windowRun) classify(err error) error {
	doing := "import " + string(r.Window.Stream)
	if tokenRefused(err) {
		return parked(claim.CauseConnection, doing+": "+err.Error())
	}
	err = toTemporal(doing, err)
	var app *temporal.ApplicationError
	if !errors.As(err, &app) || app.NonRetryable() || app.Type() == claim.ErrorRateLimited || app.Type() == claim.ErrorStore {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.place.Failures++; r.place.Failures >= maxWindowFailures {
		return parked(claim.CauseUnavailable, app.Message())
	}
	return err
}

func (r *windowRun) beat(ctx context.Context) {
	r.mu.Lock()
	defer r.mu.Unlock()
	activity.RecordHeartbeat(ctx, r.place)
}

// read reads the window's rows.
func (r *windowRun) read(ctx context.Context) error {
	if activity.HasHeartbeatDetails(ctx) {
		_ = activity.GetHeartbeatDetails(ctx, &r.place) // an unreadable place starts over
		r.total.Read = r.place.Read
	}
	switch {
	case r.Window.Stream == claim.StreamDirectory:
		return r.readDirectory(ctx)
	case r.Window.Stream == claim.StreamActivityLogs:
		return r.readActivities(ctx)
	case r.Access == claim.AccessSearch:
		return r.searchConversations(ctx)
	case r.Window.Stream == claim.StreamMessages:
		return r.exportMessages(ctx)
	default:
		return r.exportConversations(ctx)
	}
}

// exportConversations reads the conversations that were updated in the window.
func (r *windowRun) exportConversations(ctx context.Context) error {
	exports, err := r.Clients.Exports(ctx, r.ConnectionID)
	if err != nil {
		return err
	}
	readAt, batch := time.Now(), r.newBatch()
	query := r.exportQuery(dixa.ExportByUpdated)
	for row, err := range exports.Conversations(ctx, query) {
		if err := r.reject(err); err != nil {
			return err
		}
		if row != nil {
			batch.Facts = append(batch.Facts, store.ConversationFact{ID: row.ID, Fact: mirror.ConversationFromExport(row, readAt)})
		}
		if len(batch.Facts) >= importBatch {
			if err := r.store(ctx, batch); err != nil {
				return err
			}
			batch = r.newBatch()
		}
	}
	return r.store(ctx, batch)
}

// exportQuery selects the window, and a millisecond more on both sides: whether Dixa's
// bounds belong to the period is unknown.
func (r *windowRun) exportQuery(by dixa.ExportField) dixa.ExportQuery {
	return dixa.ExportQuery{By: by, After: r.Window.From.Add(-time.Millisecond), Before: r.Window.To.Add(time.Millisecond)}
}

// exportMessages reads the messages that were created in the window.
func (r *windowRun) exportMessages(ctx context.Context) error {
	exports, err := r.Clients.Exports(ctx, r.ConnectionID)
	if err != nil {
		return err
	}
	readAt, batch := time.Now(), r.newBatch()
	for row, err := range exports.Messages(ctx, r.exportQuery(dixa.ExportByCreated)) {
		if err := r.reject(err); err != nil {
			return err
		}
		if row != nil {
			if message, ok := mirror.MessageFromExport(row, readAt); ok {
				batch.Messages = append(batch.Messages, message)
			} else {
				r.setAside("a message without an id, a conversation or a time")
			}
		}
		if len(batch.Messages) >= importBatch {
			if err := r.store(ctx, batch); err != nil {
				return err
			}
			batch = r.newBatch()
		}
	}
	return r.store(ctx, batch)
}

// activityPage is the number of log entries requested at once.
const activityPage = 1000

// readActivities reads the activity log of the window, page by page. A page that Dixa
// refuses restarts the window.
func (r *windowRun) readActivities(ctx context.Context) error {
	client, err := r.Clients.Client(ctx, r.ConnectionID)
	if err != nil {
		return err
	}
	ctx = connection.WithSpareRate(ctx)
	limit, page := activityPage, r.place.Page
	for {
		entries, next, err := client.Conversations.OrganizationActivityLogPage(ctx, r.Window.From, r.Window.To, limit, page)
		if e, ok := dixa.AsError(err); ok && e.Status == http.StatusBadRequest && (page != "" || limit != 0) {
			// Neither the largest page nor the life of a page's key is documented.
			if page == "" {
				limit = 0
			}
			page = ""
			r.restart()
			continue
		}
		if err != nil {
			return err
		}
		batch := r.newBatch()
		for _, entry := range entries {
			if a, ok := mirror.ActivityFromLog(entry); ok {
				batch.Activities = append(batch.Activities, a)
			} else {
				r.setAside("an activity log entry without an id, a conversation or a time")
			}
		}
		if err := r.store(ctx, batch); err != nil {
			return err
		}
		if next == "" {
			return nil
		}
		page = next
		r.mu.Lock()
		r.place.Page, r.place.Read = next, r.total.Read
		r.mu.Unlock()
	}
}

// newBatch returns an empty batch of the window. Rows of conversations that are not
// known yet wait for them until the import ends.
func (r *windowRun) newBatch() store.MirrorBatch {
	return store.MirrorBatch{ConnectionID: r.ConnectionID, Unknown: true, Later: true, Reread: r.Window.Stream == claim.StreamConversations}
}

// store stores a batch, and the counts once in a while.
func (r *windowRun) store(ctx context.Context, batch store.MirrorBatch) error {
	result, err := r.Store.Mirror.Merge(ctx, batch)
	if err != nil {
		return err
	}
	sum := store.MirrorCounts{}
	for _, c := range []store.MirrorCounts{result.Conversations, result.Messages, result.Activities} {
		sum.Add(c)
	}
	r.count(claim.ImportCounts{
		Read: len(batch.Facts) + len(batch.Messages) + len(batch.Activities), Added: sum.Added, Changed: sum.Changed, Excluded: sum.Excluded,
	})
	if time.Since(r.saved) < saveEvery {
		return nil
	}
	return r.save(ctx, claim.WindowWaiting, "")
}

func (r *windowRun) count(c claim.ImportCounts) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.total.Add(c)
	r.unsaved.Add(c)
}

// reject sets a row aside that cannot be read. It returns other errors.
func (r *windowRun) reject(err error) error {
	var row *dixa.ExportRowError
	if !errors.As(err, &row) {
		return err
	}
	r.setAside(cmp.Or(row.Err, err).Error())
	return nil
}

// setAside counts a row that cannot be stored, under its place in Dixa's answer.
func (r *windowRun) setAside(why string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rejects[r.total.Read] = why
	r.total.Add(claim.ImportCounts{Read: 1, Rejected: 1})
}

// restart forgets what the attempt read.
func (r *windowRun) restart() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.place = windowPlace{}
	r.total.Read, r.total.Excluded, r.total.Rejected, r.rejects = 0, 0, 0, map[int]string{}
}

// save stores the counts.
func (r *windowRun) save(ctx context.Context, state claim.WindowState, why string) error {
	r.mu.Lock()
	result := store.WindowResult{State: state, Why: why, ImportCounts: r.total, Rejects: maps.Clone(r.rejects)}
	result.Added, result.Changed = r.unsaved.Added, r.unsaved.Changed
	requests := int(r.requests.Load())
	result.Requests = requests - r.total.Requests
	r.total.Requests, r.unsaved, r.saved = requests, claim.ImportCounts{}, time.Now()
	r.mu.Unlock()
	return r.Store.Imports.FinishWindow(ctx, r.ConnectionID, r.ImportID, r.Window, result)
}
