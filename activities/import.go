package activities

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/internal/todixa/connection"
	"github.com/claimflow/claimflow/mirror"
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
	// importBatch is how many rows are stored at once.
	importBatch = 500
	// figuresBatch is how many conversations' figures are computed at once.
	figuresBatch = 500
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
	// Cause is what started the import: "request" or "schedule".
	Cause string `json:"cause"`
}

// PlanImport determines what is missing and stores an import with its windows, newest
// first. If the connection has an import that has not ended, it returns that one. It
// returns a zero import if no source selects anything.
func (a *Imports) PlanImport(ctx context.Context, in ImportPlan) (claim.Import, error) {
	i, err := a.plan(ctx, in)
	i.Windows = nil // the store has them
	return i, toTemporal("plan the import", err)
}

func (a *Imports) plan(ctx context.Context, in ImportPlan) (claim.Import, error) {
	current, err := a.Store.Imports.Current(ctx, in.ConnectionID)
	if err == nil || !errors.Is(err, store.ErrNotFound) {
		return current, err
	}
	sources, err := a.Store.DataSources.List(ctx, in.ConnectionID)
	if err != nil || len(sources) == 0 {
		return claim.Import{}, err
	}
	i := claim.Import{ConnectionID: in.ConnectionID, Cause: in.Cause}
	if i.Access, i.Why, err = a.access(ctx, in.ConnectionID); err != nil {
		return i, err
	}
	if i.Windows, err = a.missing(ctx, in, i.Access, sources); err != nil {
		return i, err
	}
	i, _, err = a.Store.Imports.Begin(ctx, i)
	return i, err
}

// access determines how to read Dixa, by a small export.
func (a *Imports) access(ctx context.Context, connectionID string) (claim.ImportAccess, string, error) {
	exports, err := a.Clients.Exports(ctx, connectionID)
	if err != nil {
		return "", "", err
	}
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
	if ok && (e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden) {
		return claim.AccessSearch, fmt.Sprintf("the token may not read exports (Dixa answered %d), so conversations are searched and read one by one, which takes longer; save a token that may read exports with `starter import token`", e.Status), nil
	}
	return claim.AccessExports, "", err
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
	known, err := a.Store.Imports.Coverage(ctx, in.ConnectionID)
	if err != nil {
		return nil, err
	}
	now := time.Now().UTC().Truncate(time.Millisecond)
	to := now
	if !in.Request.To.IsZero() && in.Request.To.Before(now) {
		to = in.Request.To.UTC()
	}
	var windows []claim.ImportWindow
	for _, stream := range claim.Streams() {
		if len(in.Request.Streams) > 0 && !slices.Contains(in.Request.Streams, stream) {
			continue
		}
		from, selected := selectedFrom(sources, stream, now)
		if !selected || stream == claim.StreamRatings || access == claim.AccessSearch && stream == claim.StreamMessages {
			continue // part of the conversations
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
		}
		windows = append(windows, split(stream, gaps(periods, from, to), span)...)
	}
	slices.SortStableFunc(windows, newestFirst)
	return windows, nil
}

// selectedFrom returns how far back the sources select a stream.
func selectedFrom(sources []claim.DataSource, stream claim.Stream, now time.Time) (from time.Time, selected bool) {
	for i := range sources {
		s := &sources[i]
		if !s.Has(stream) {
			continue
		}
		if since := s.Since(now); !selected || since.Before(from) {
			from, selected = since, true
		}
	}
	return from, selected
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
}

// ImportWindow reads a window and stores its rows. The window is done once all are
// committed. Rows that cannot be read are set aside with their reason.
func (a *Imports) ImportWindow(ctx context.Context, in ImportWindowInput) (claim.ImportCounts, error) {
	r := &windowRun{Imports: a, ImportWindowInput: in, rejects: map[int]string{}, saved: time.Now()}
	stop := heartbeat(ctx, r.beat)
	defer stop()
	ctx = connection.WithRedaction(ctx, func() map[string]bool { return nil })
	ctx, requests := connection.Count(ctx)
	r.requests = requests
	err := r.read(ctx)
	if err == nil {
		err = a.computeFigures(ctx, in.ConnectionID)
	}
	if err == nil {
		err = r.save(ctx, claim.WindowDone, "")
		return r.total, toTemporal("end the window", err)
	}
	err = r.classify(err)
	return r.total, errors.Join(r.save(context.WithoutCancel(ctx), claim.WindowWaiting, err.Error()), err)
}

func (a *Imports) computeFigures(ctx context.Context, connectionID string) error {
	for {
		n, err := a.Store.Mirror.ComputeFigures(ctx, connectionID, figuresBatch)
		if err != nil || n < figuresBatch {
			return err
		}
	}
}

// EndImport reads the messages that are still missing, deletes rows whose conversation
// is not stored, and ends the import.
func (a *Imports) EndImport(ctx context.Context, in ImportRef) (claim.ImportCounts, error) {
	var counts claim.ImportCounts
	stop := heartbeat(ctx, func(context.Context) {})
	defer stop()
	ctx = connection.WithRedaction(connection.WithBackgroundRate(ctx), func() map[string]bool { return nil })
	counts, err := a.readMissingMessages(ctx, in.ConnectionID)
	if err == nil {
		err = a.computeFigures(ctx, in.ConnectionID)
	}
	if err == nil {
		err = a.Store.Mirror.DeleteOrphans(ctx, in.ConnectionID)
	}
	if err == nil {
		err = a.Store.Imports.SetState(ctx, in.ConnectionID, in.ImportID, claim.ImportDone)
	}
	var ended *store.ImportStateError
	if errors.As(err, &ended) {
		err = nil
	}
	return counts, toTemporal("end the import", err)
}

// messagesAtOnce is how many conversations' messages are read between two batches.
const messagesAtOnce = 20

// readMissingMessages lists the messages of conversations that have messages which are
// not known, or that changed after their messages were read.
func (a *Imports) readMissingMessages(ctx context.Context, connectionID string) (claim.ImportCounts, error) {
	var counts claim.ImportCounts
	client, err := a.Clients.Client(ctx, connectionID)
	if err != nil {
		return counts, err
	}
	for after := int64(0); ; {
		due, err := a.Store.Mirror.MessagesDue(ctx, connectionID, after, messagesAtOnce)
		if err != nil || len(due) == 0 {
			return counts, err
		}
		for _, id := range due {
			after = id
			batch := store.MirrorBatch{ConnectionID: connectionID}
			err := readMessages(ctx, client, id, &batch)
			if dixa.IsNotFound(err) {
				err = nil // deleted in Dixa; what is known stays
			}
			if err != nil {
				return counts, err
			}
			result, err := a.Store.Mirror.Merge(ctx, batch)
			if err == nil {
				err = a.Store.Mirror.MessagesRead(ctx, connectionID, id)
			}
			if err != nil {
				return counts, err
			}
			counts.Read += len(batch.Messages)
			counts.Added += result.Messages.Added
			counts.Changed += result.Messages.Changed
		}
	}
}

// readMessages lists the messages and notes of a conversation.
func readMessages(ctx context.Context, client *dixa.Client, id int64, batch *store.MirrorBatch) error {
	readAt := time.Now()
	messages, err := client.Conversations.Messages(ctx, id)
	if err != nil {
		return err
	}
	notes, err := client.Conversations.Notes(ctx, id)
	if err != nil {
		return err
	}
	for _, m := range messages {
		batch.Messages = append(batch.Messages, mirror.MessageFromList(id, m, readAt))
	}
	for _, n := range notes {
		batch.Messages = append(batch.Messages, mirror.NoteFromList(id, n, readAt))
	}
	return nil
}
