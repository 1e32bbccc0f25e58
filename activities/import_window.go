package activities

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

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

	// total counts the attempt, unsaved what is not in the store yet. Its read,
	// excluded and rejected rows, and rejects, are those of the whole window.
	mu      sync.Mutex
	total   claim.ImportCounts
	unsaved claim.ImportCounts
	rejects map[int]string
	saved   time.Time
	place   windowPlace
}

// windowPlace is how far the attempts at a window have come, and what they counted
// until there.
type windowPlace struct {
	// Page is the next page of the activity log; empty for the first.
	Page string `json:"page,omitempty"`
	// After is the last conversation of a search that is stored.
	After int64 `json:"after,omitempty"`
	// Kinds is how many kinds of the directory are stored.
	Kinds    int            `json:"kinds,omitempty"`
	Read     int            `json:"read,omitempty"`
	Excluded int            `json:"excluded,omitempty"`
	Rejected int            `json:"rejected,omitempty"`
	Rejects  map[int]string `json:"rejects,omitempty"`
	// Failures is how many attempts in a row failed at this place.
	Failures int `json:"failures,omitempty"`
}

const (
	// maxWindowFailures is how many attempts in a row may fail at one place of a window
	// before it is given up. Waiting for the budget is no failure, and neither is a
	// worker that stops.
	maxWindowFailures = 8
	// maxWindowRejects bounds the reasons that an attempt keeps.
	maxWindowRejects = 100
)

// classify converts an error of a window to a Temporal error.
func (r *windowRun) classify(ctx context.Context, err error) error {
	if temporal.IsCanceledError(context.Cause(ctx)) {
		return temporal.NewCanceledError()
	}
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return retryable(claim.ErrorBusy, "the worker stops; another one continues the window", err, continueAfter)
	}
	err = importError("import "+string(r.Window.Stream), err)
	var app *temporal.ApplicationError
	if !errors.As(err, &app) || app.NonRetryable() || app.Type() == claim.ErrorRateLimited || app.Type() == claim.ErrorStore || ctx.Err() != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.place.Failures++; r.place.Failures >= maxWindowFailures {
		return parked(claim.CauseUnavailable, app.Message())
	}
	return err
}

// continueAfter is how long after a worker stopped another one continues its window.
const continueAfter = time.Second

// importError is [toTemporal] for the steps of an import.
func importError(doing string, err error) error {
	if dixa.IsTokenRefused(err) {
		return parked(claim.CauseConnection, doing+": "+err.Error())
	}
	return toTemporal(doing, err)
}

// advance saves that everything up to a place is stored. If an attempt dies, the next one
// repeats only the requests since then.
func (r *windowRun) advance(ctx context.Context, to func(*windowPlace)) error {
	r.mu.Lock()
	to(&r.place)
	r.place.Read, r.place.Excluded, r.place.Rejected = r.total.Read, r.total.Excluded, r.total.Rejected
	r.place.Rejects, r.place.Failures = maps.Clone(r.rejects), 0
	r.mu.Unlock()
	return r.save(ctx, claim.WindowWaiting, "")
}

// find finds where an earlier attempt at the window stopped: of this activity or, if the
// window was interrupted, of another one. Heartbeat details would be older: the SDK sends
// them only now and then. It returns [store.ErrWindowEnded] if there is nothing left to do.
func (r *windowRun) find(ctx context.Context) error {
	before, err := r.Store.Imports.WindowResult(ctx, r.ImportID, r.Window.N)
	if err != nil {
		return err
	}
	if before.State != claim.WindowWaiting {
		return store.ErrWindowEnded
	}
	if before.Cursor != "" && json.Unmarshal([]byte(before.Cursor), &r.place) != nil {
		r.place = windowPlace{} // an unreadable place starts over
	}
	r.total.Read, r.total.Excluded, r.total.Rejected = r.place.Read, r.place.Excluded, r.place.Rejected
	maps.Copy(r.rejects, r.place.Rejects)
	return nil
}

// read reads the window's rows.
func (r *windowRun) read(ctx context.Context) error {
	if err := r.find(ctx); err != nil {
		return err
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
	readAt := time.Now()
	return storeExport(ctx, r, func(ctx context.Context) iter.Seq2[*dixa.ExportedConversation, error] {
		return exports.Conversations(ctx, r.exportQuery(dixa.ExportByUpdated))
	}, func(row *dixa.ExportedConversation, batch *store.MirrorBatch) (unusable string) {
		if row.ID <= 0 {
			return "a conversation without an id"
		}
		batch.Facts = append(batch.Facts, store.ConversationFact{ID: row.ID, Fact: mirror.ConversationFromExport(row, readAt)})
		return ""
	})
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
	readAt := time.Now()
	return storeExport(ctx, r, func(ctx context.Context) iter.Seq2[*dixa.ExportedMessage, error] {
		return exports.Messages(ctx, r.exportQuery(dixa.ExportByCreated))
	}, func(row *dixa.ExportedMessage, batch *store.MirrorBatch) (unusable string) {
		message, ok := mirror.MessageFromExport(row, readAt)
		if !ok {
			return "a message without an id or a conversation"
		}
		batch.Messages = append(batch.Messages, message)
		return ""
	})
}

// readActivities reads the activity log of the window, page by page. A page that Dixa
// refuses restarts the window, but only once: with a shorter page, or from the start if
// the key of a page is no longer valid.
func (r *windowRun) readActivities(ctx context.Context) error {
	client, err := r.Clients.Client(ctx, r.ConnectionID)
	if err != nil {
		return err
	}
	from := r.place.Page
	for page, err := range ahead(connection.WithSpareRate(ctx), func(ctx context.Context) iter.Seq2[*windowBatch, error] {
		return r.logPages(ctx, client, from)
	}) {
		if err != nil {
			return err
		}
		if page.restart {
			r.restart()
			continue
		}
		r.setAllAside(r.total.Read, page.unusable)
		if err := r.store(ctx, page.MirrorBatch); err != nil {
			return err
		}
		if page.next == "" {
			continue
		}
		if err := r.advance(ctx, func(p *windowPlace) { p.Page = page.next }); err != nil {
			return err
		}
	}
	return ctx.Err() // a context that ended may have ended the iteration
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

// setAside counts a row that cannot be stored, under its place among the window's rows.
func (r *windowRun) setAside(place int, why string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.rejects) < maxWindowRejects {
		r.rejects[place] = why
	}
	r.total.Add(claim.ImportCounts{Read: 1, Rejected: 1})
}

// setAllAside is [windowRun.setAside] for rows by their place after the first one.
func (r *windowRun) setAllAside(first int, rows map[int]string) {
	for _, place := range slices.Sorted(maps.Keys(rows)) {
		r.setAside(first+place, rows[place])
	}
}

// restart forgets what the attempts read. Their failures still count.
func (r *windowRun) restart() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.place = windowPlace{Failures: r.place.Failures}
	r.total.Read, r.total.Excluded, r.total.Rejected, r.rejects = 0, 0, 0, map[int]string{}
}

// save stores the counts.
func (r *windowRun) save(ctx context.Context, state claim.WindowState, why string) error {
	r.mu.Lock()
	result := store.WindowResult{State: state, Why: why, ImportCounts: r.total, Rejects: maps.Clone(r.rejects)}
	result.Added, result.Changed = r.unsaved.Added, r.unsaved.Changed
	if state == claim.WindowWaiting {
		place, err := json.Marshal(r.place)
		if err != nil {
			r.mu.Unlock()
			return fmt.Errorf("encode the place of the window: %w", err)
		}
		result.Cursor = string(place)
	}
	requests := int(r.requests.Load())
	result.Requests = requests - r.total.Requests
	r.total.Requests, r.unsaved, r.saved = requests, claim.ImportCounts{}, time.Now()
	r.mu.Unlock()
	return r.Store.Imports.FinishWindow(ctx, r.ConnectionID, r.ImportID, r.Window, result)
}
