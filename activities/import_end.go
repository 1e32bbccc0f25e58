package activities

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/internal/todixa/connection"
	"github.com/claimflow/claimflow/mirror"
	"github.com/claimflow/claimflow/store"
)

// messagesAtOnce is how many conversations' messages are read between two batches.
const messagesAtOnce = 20

// EndImport reads the messages and notes that are still missing, deletes rows whose
// conversation is not stored, and ends the import. What cannot be read stays due for
// the next import, and so does the rest if it is cancelled.
func (a *Imports) EndImport(ctx context.Context, in ImportRef) (claim.ImportCounts, error) {
	failures := 0
	if activity.HasHeartbeatDetails(ctx) {
		_ = activity.GetHeartbeatDetails(ctx, &failures) // an unreadable number starts over
	}
	beat := func(ctx context.Context) { activity.RecordHeartbeat(ctx, failures) }
	counts, err := a.end(ctx, in, failures < maxWindowFailures, beat)
	if err != nil && temporal.IsCanceledError(context.Cause(ctx)) {
		return counts, temporal.NewCanceledError()
	}
	if failed, ok := dixa.AsError(err); ok && ctx.Err() == nil && !dixa.IsRateLimited(failed) {
		activity.RecordHeartbeat(ctx, failures+1)
	}
	return counts, importError("end the import", err)
}

func (a *Imports) end(ctx context.Context, in ImportRef, missing bool, beat func(context.Context)) (counts claim.ImportCounts, err error) {
	stop := heartbeat(ctx, beat)
	defer stop()
	ctx = connection.WithRedaction(connection.WithSpareRate(ctx), func() map[string]bool { return nil })
	if missing {
		counts, err = a.readMissing(ctx, in.ConnectionID, a.missingMessages())
	}
	if err == nil {
		err = a.computeFigures(ctx, in.ConnectionID) // finds out whose notes are missing
	}
	if err == nil && missing {
		var notes claim.ImportCounts
		notes, err = a.readMissing(ctx, in.ConnectionID, a.missingNotes())
		counts.Add(notes)
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
	return counts, err
}

// missing is a kind of records that an import has to ask Dixa for, one conversation at a
// time.
type missing struct {
	// due lists the conversations that lack such records.
	due func(ctx context.Context, connectionID string, after int64, limit int) ([]int64, error)
	// read adds what Dixa has of a conversation to a batch.
	read func(ctx context.Context, client *dixa.Client, id int64, batch *store.MirrorBatch) error
	// done records that a conversation's were read.
	done func(ctx context.Context, connectionID string, id int64) error
}

// missingMessages are the messages of conversations that have messages which are not
// known, or that changed after their messages were read, and the activity log of those
// that lack its start.
func (a *Imports) missingMessages() missing {
	read := func(ctx context.Context, client *dixa.Client, id int64, batch *store.MirrorBatch) error {
		if err := readMessages(ctx, client, id, batch); err != nil {
			return err
		}
		return a.readMissingLog(ctx, client, id, batch)
	}
	return missing{a.Store.Mirror.MessagesDue, read, a.Store.Mirror.MessagesRead}
}

// missingNotes are the notes of conversations of which an export counts more than are
// known: exports do not have the notes themselves.
func (a *Imports) missingNotes() missing {
	return missing{a.Store.Mirror.NotesDue, readNotes, a.Store.Mirror.NotesRead}
}

// readMissing reads what is missing. If Dixa fails for one conversation, the next import
// reads it. If Dixa fails for several in a row, it counts as down.
func (a *Imports) readMissing(ctx context.Context, connectionID string, what missing) (claim.ImportCounts, error) {
	var counts claim.ImportCounts
	client, err := a.Clients.Client(ctx, connectionID)
	if err != nil {
		return counts, err
	}
	failed := 0
	for after := int64(0); ; {
		due, err := what.due(ctx, connectionID, after, messagesAtOnce)
		if err != nil || len(due) == 0 {
			return counts, err
		}
		for _, id := range due {
			after = id
			one, requests := connection.Count(ctx)
			found, err := a.readAgain(one, client, connectionID, id, what)
			found.Requests = int(requests.Load())
			counts.Add(found)
			if err == nil {
				failed = 0
				continue
			}
			if ctx.Err() != nil || !skippable(err) {
				return counts, err
			}
			if e, ok := dixa.AsError(err); ok && e.Retryable {
				if failed++; failed == maxConsecutiveFailures {
					return counts, err
				}
			}
		}
	}
}

// readAgain reads what is missing of a conversation.
func (a *Imports) readAgain(ctx context.Context, client *dixa.Client, connectionID string, id int64, what missing) (claim.ImportCounts, error) {
	var counts claim.ImportCounts
	batch := store.MirrorBatch{ConnectionID: connectionID}
	err := what.read(ctx, client, id, &batch)
	if dixa.IsNotFound(err) {
		err = nil // deleted in Dixa; what is known stays
	}
	if err != nil {
		return counts, err
	}
	result, err := a.Store.Mirror.Merge(ctx, batch)
	if err == nil {
		err = what.done(ctx, connectionID, id)
	}
	counts.Read = len(batch.Messages) + len(batch.Activities)
	counts.Added = result.Messages.Added + result.Activities.Added
	counts.Changed = result.Messages.Changed + result.Activities.Changed
	return counts, err
}

// readMessages lists the messages and notes of a conversation.
func readMessages(ctx context.Context, client *dixa.Client, id int64, batch *store.MirrorBatch) error {
	readAt := time.Now()
	messages, err := client.Conversations.Messages(ctx, id)
	if err != nil {
		return err
	}
	for _, m := range messages {
		batch.Messages = append(batch.Messages, mirror.MessageFromList(id, m, readAt))
	}
	return readNotes(ctx, client, id, batch)
}

// readNotes lists the notes of a conversation.
func readNotes(ctx context.Context, client *dixa.Client, id int64, batch *store.MirrorBatch) error {
	readAt := time.Now()
	notes, err := client.Conversations.Notes(ctx, id)
	for _, n := range notes {
		batch.Messages = append(batch.Messages, mirror.NoteFromList(id, n, readAt))
	}
	return err
}

// readMissingLog reads the activity log of a conversation that a source began to select
// after the log of the time of its start was imported.
func (a *Imports) readMissingLog(ctx context.Context, client *dixa.Client, id int64, batch *store.MirrorBatch) error {
	known, err := a.Store.Mirror.Activities(ctx, batch.ConnectionID, id)
	started := func(e mirror.Activity) bool { return strings.HasPrefix(e.Type, "ConversationCreated") }
	if err != nil || slices.ContainsFunc(known, started) {
		return err
	}
	c, err := a.Store.Mirror.Conversation(ctx, batch.ConnectionID, id)
	if err != nil {
		return err
	}
	imported, err := a.Store.Imports.Coverage(ctx, batch.ConnectionID)
	at := c.Origin.CreatedAt
	covers := func(p store.Period) bool { return !at.Before(p.From) && !at.After(p.To) }
	if err != nil || !slices.ContainsFunc(imported[claim.StreamActivityLogs], covers) {
		return err
	}
	entries, err := client.Conversations.ActivityLog(ctx, id)
	for _, entry := range entries {
		if e, ok := mirror.ActivityFromLog(entry); ok {
			batch.Activities = append(batch.Activities, e)
		}
	}
	return err
}
