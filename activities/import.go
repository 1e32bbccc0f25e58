package activities

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/internal/todixa/connection"
	"github.com/claimflow/claimflow/store"
)

const (
	// importWindow is the period of a window. Dixa exports at most 31 days at once.
	importWindow = 30 * 24 * time.Hour
	// searchWindow is the period of a window without exports. Each of its
	// conversations costs requests of its own.
	searchWindow = 24 * time.Hour
	// importOverlap is how far an import reads back behind what is known. Dixa's
	// exports and search may lag.
	importOverlap = time.Hour
	// probeSpan is the period of the export that tests the access.
	probeSpan = time.Second
)

// Imports reads what happened in a Dixa organization into the mirror. Each step can be
// repeated from its start: rows that are stored already change nothing.
type Imports struct {
	Store   *store.Store
	Clients *connection.Clients
}

// ImportPlan is the input of [Imports.PlanImport].
type ImportPlan struct {
	ConnectionID string              `json:"connection_id"`
	Request      claim.ImportRequest `json:"request"`
	// Cause is what started the import: [claim.ImportRequested] or
	// [claim.ImportScheduled].
	Cause string `json:"cause"`
	// Child says that a run from the schedule started this one.
	Child bool `json:"child,omitempty"`
	// Refusals is how often Dixa refused the token of an export although a test of the
	// access succeeded.
	Refusals int `json:"refusals,omitempty"`
	// Continued says that this run continues another one, and Requested are the imports
	// that were requested meanwhile.
	Continued bool                  `json:"continued,omitempty"`
	Requested []claim.ImportRequest `json:"requested,omitempty"`
	// Resume only continues an import that has not ended.
	Resume bool `json:"resume,omitempty"`
}

// maxRefusals is how many refusals end the attempts to use exports.
const maxRefusals = 2

// PlanImport determines what is missing and stores an import with its windows, newest
// first. If the connection has an import that has not ended, it returns that one. It
// returns a zero import if no source selects anything.
func (a *Imports) PlanImport(ctx context.Context, in ImportPlan) (claim.Import, error) {
	i, err := a.plan(ctx, in)
	i.Windows = nil // the store has them
	return i, importError("plan the import", err)
}

func (a *Imports) plan(ctx context.Context, in ImportPlan) (claim.Import, error) {
	current, err := a.Store.Imports.Current(ctx, in.ConnectionID)
	if err == nil || !errors.Is(err, store.ErrNotFound) {
		return current, err
	}
	if in.Resume {
		return claim.Import{}, nil
	}
	sources, err := a.Store.DataSources.List(ctx, in.ConnectionID)
	if err != nil || len(sources) == 0 {
		return claim.Import{}, err
	}
	i := claim.Import{ConnectionID: in.ConnectionID, Cause: in.Cause}
	if i.Access, i.Why, err = a.access(ctx, in); err != nil {
		return i, err
	}
	if i.Windows, err = a.missing(ctx, in, i.Access, sources); err != nil {
		return i, err
	}
	i, _, err = a.Store.Imports.Begin(ctx, i)
	return i, err
}

// access determines how to read Dixa, by a small export.
func (a *Imports) access(ctx context.Context, in ImportPlan) (claim.ImportAccess, string, error) {
	if in.Refusals >= maxRefusals {
		return claim.AccessSearch, withoutExports(http.StatusUnauthorized), nil
	}
	exports, err := a.Clients.Exports(ctx, in.ConnectionID)
	if err != nil {
		return "", "", err
	}
	ctx, _ = connection.Count(connection.WithRedaction(ctx, func() map[string]bool { return nil }))
	now := time.Now()
	for _, err = range exports.Conversations(ctx, dixa.ExportQuery{By: dixa.ExportByUpdated, After: now.Add(-probeSpan), Before: now}) {
		if row := new(dixa.ExportRowError); errors.As(err, &row) {
			err = nil
		}
		if err != nil {
			break
		}
	}
	e, ok := dixa.AsError(err)
	if !ok || e.Outcome != dixa.Rejected || e.Retryable || e.Status < http.StatusBadRequest {
		return claim.AccessExports, "", err
	}
	// If Dixa refuses the token everywhere, it needs another one, not another access.
	client, err := a.Clients.Client(ctx, in.ConnectionID)
	if err != nil {
		return "", "", err
	}
	if _, err := client.Organization.Get(ctx); dixa.IsTokenRefused(err) || dixa.IsRateLimited(err) {
		return "", "", err
	}
	return claim.AccessSearch, withoutExports(e.Status), nil
}

func withoutExports(status int) string {
	return fmt.Sprintf("the token may not read exports (Dixa answered %d), so conversations are searched and read one by one, which takes longer; save a token that may read exports with `starter import token`", status)
}

// missing returns the windows of what the sources select and the store does not have,
// newest first.
func (a *Imports) missing(ctx context.Context, in ImportPlan, access claim.ImportAccess, sources []claim.DataSource) ([]claim.ImportWindow, error) {
	if in.Request.Retry {
		parked, err := a.Store.Imports.Parked(ctx, in.ConnectionID)
		if err != nil || len(parked) > 0 {
			return parked, err
		}
	}
	now, err := a.Store.Imports.ForgetFuture(ctx, in.ConnectionID)
	if err != nil {
		return nil, err
	}
	known, err := a.Store.Imports.Coverage(ctx, in.ConnectionID)
	if err != nil {
		return nil, err
	}
	now = now.Truncate(time.Millisecond)
	to := now
	if !in.Request.To.IsZero() && in.Request.To.Before(now) {
		to = in.Request.To.UTC()
	}
	var windows []claim.ImportWindow
	for _, stream := range claim.Streams() {
		if stream == claim.StreamRatings || access == claim.AccessSearch && stream == claim.StreamMessages {
			continue // part of the conversations
		}
		from, selected := selectedFrom(sources, stream, now)
		if !selected || !asked(in.Request.Streams, stream, access) {
			continue
		}
		if stream == claim.StreamDirectory {
			windows = append(windows, claim.ImportWindow{Stream: stream})
			continue
		}
		periods := known[stream]
		if !in.Request.From.IsZero() {
			from, periods = in.Request.From.UTC(), nil
		}
		span := importWindow
		if access == claim.AccessSearch && stream == claim.StreamConversations {
			span = searchWindow
			if _, messages := selectedFrom(sources, claim.StreamMessages, now); messages {
				periods = common(periods, known[claim.StreamMessages])
			}
		}
		windows = append(windows, split(stream, gaps(periods, from, to), span)...)
	}
	slices.SortStableFunc(windows, newestFirst)
	return windows, nil
}

// asked reports whether a request names a stream or one that comes with it.
func asked(streams []claim.Stream, stream claim.Stream, access claim.ImportAccess) bool {
	return len(streams) == 0 || slices.Contains(streams, stream) || stream == claim.StreamConversations &&
		(slices.Contains(streams, claim.StreamRatings) || access == claim.AccessSearch && slices.Contains(streams, claim.StreamMessages))
}

// selectedFrom returns how far back the sources select a stream. Everything but the
// directory needs the conversations.
func selectedFrom(sources []claim.DataSource, stream claim.Stream, now time.Time) (from time.Time, selected bool) {
	for i := range sources {
		s := &sources[i]
		onlyDirectory := len(s.Streams) == 1 && s.Streams[0] == claim.StreamDirectory
		if !s.Has(stream) && (stream != claim.StreamConversations || onlyDirectory) {
			continue
		}
		if since := s.Since(now); !selected || since.Before(from) {
			from, selected = since, true
		}
	}
	return from, selected
}

// common returns what two lists of periods, newest first, have in common.
func common(a, b []store.Period) []store.Period {
	var both []store.Period
	for _, x := range a {
		for _, y := range b {
			p := store.Period{From: latestOf(x.From, y.From), To: x.To}
			if y.To.Before(p.To) {
				p.To = y.To
			}
			if p.From.Before(p.To) {
				both = append(both, p)
			}
		}
	}
	return both
}

// gaps returns the parts of a period that are not known, newest first. known is newest
// first. The newest known period ends a little earlier than it says.
func gaps(known []store.Period, from, to time.Time) []store.Period {
	var missing []store.Period
	for i, k := range known {
		if i == 0 {
			k.To = k.To.Add(-importOverlap)
		}
		if k.To.Before(to) && to.After(from) {
			missing = append(missing, store.Period{From: latestOf(k.To, from), To: to})
		}
		if k.From.Before(to) {
			to = k.From
		}
	}
	if from.Before(to) {
		missing = append(missing, store.Period{From: from, To: to})
	}
	return missing
}

// split divides periods into windows, newest first. A window begins where the next one
// ended: whether Dixa's bounds are inclusive is unknown, and a row at an edge is
// merged.
func split(stream claim.Stream, periods []store.Period, span time.Duration) []claim.ImportWindow {
	var windows []claim.ImportWindow
	for _, p := range periods {
		for end := p.To; end.After(p.From); {
			start := latestOf(end.Add(-span), p.From)
			windows = append(windows, claim.ImportWindow{Stream: stream, From: start, To: end, State: claim.WindowWaiting})
			end = start
		}
	}
	return windows
}

// newestFirst orders windows: the directory, then by the end of their period, then as
// streams are listed, so that a conversation comes before its messages.
func newestFirst(a, b claim.ImportWindow) int {
	if x, y := a.Stream == claim.StreamDirectory, b.Stream == claim.StreamDirectory; x != y {
		if x {
			return -1
		}
		return 1
	}
	return b.To.Compare(a.To)
}

// ImportWindowInput is the input of [Imports.ImportWindow].
type ImportWindowInput struct {
	ConnectionID string             `json:"connection_id"`
	ImportID     string             `json:"import_id"`
	Access       claim.ImportAccess `json:"access"`
	Window       claim.ImportWindow `json:"window"`
	// FiguresLater leaves the figures to a later window.
	FiguresLater bool `json:"figures_later,omitempty"`
}

// ImportWindow reads a window and stores its rows. The window is done once all are
// committed, and another attempt then asks Dixa for nothing. Rows that cannot be read are
// set aside with their reason. A window that is cancelled continues later where it stopped.
func (a *Imports) ImportWindow(ctx context.Context, in ImportWindowInput) (claim.ImportCounts, error) {
	r := &windowRun{Imports: a, ImportWindowInput: in, rejects: map[int]string{}, saved: time.Now()}
	stop := heartbeat(ctx, alive)
	defer stop()
	ctx, ended := untilStop(ctx)
	defer ended()
	ctx = connection.WithRedaction(ctx, func() map[string]bool { return nil })
	ctx, requests := connection.Count(ctx)
	r.requests = requests
	err := r.read(ctx)
	if err == nil && !in.FiguresLater {
		err = a.computeFigures(ctx, in.ConnectionID)
	}
	if err == nil {
		err = r.save(ctx, claim.WindowDone, "")
		return r.total, toTemporal("end the window", err)
	}
	if errors.Is(err, store.ErrWindowEnded) {
		// By an attempt whose answer Temporal did not get, or by the one after this.
		result, err := a.Store.Imports.WindowResult(ctx, in.ImportID, in.Window.N)
		return result.ImportCounts, toTemporal("read how the window ended", err)
	}
	err = r.classify(ctx, err)
	// The next attempt continues from here.
	if saveErr := r.save(context.WithoutCancel(ctx), claim.WindowWaiting, err.Error()); saveErr != nil && !errors.Is(saveErr, store.ErrWindowEnded) {
		activity.GetLogger(ctx).Warn("cannot record why a window failed", "import", in.ImportID, "error", saveErr)
	}
	return r.total, err
}

// untilStop returns a context that also ends when the worker stops, so that a long
// activity does not hold up the shutdown. Another worker continues.
func untilStop(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		select {
		case <-activity.GetWorkerStopChannel(ctx):
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

func (a *Imports) computeFigures(ctx context.Context, connectionID string) error {
	_, err := a.Store.Mirror.ComputeFigures(ctx, connectionID, 2*a.Store.Mirror.BatchSize())
	return err
}
