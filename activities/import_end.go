package activities

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/internal/todixa/connection"
	"github.com/claimflow/claimflow/mirror"
	"github.com/claimflow/claimflow/store"
)

// messagesAtOnce is how many conversations' messages are read between two batches.
const messagesAtOnce = 20

// EndImport reads the messages that are still missing, deletes rows whose conversation
// is not stored, and ends the import. Messages that cannot be read stay due for the
// next import.
func (a *Imports) EndImport(ctx context.Context, in ImportRef) (claim.ImportCounts, error) {
	failures := 0
	if activity.HasHeartbeatDetails(ctx) {
		_ = activity.GetHeartbeatDetails(ctx, &failures) // an unreadable number starts over
	}
	beat := func(ctx context.Context) { activity.RecordHeartbeat(ctx, failures) }
	counts, err := a.end(ctx, in, failures < maxWindowFailures, beat)
	if failed, ok := dixa.AsError(err); ok && ctx.Err() == nil && !dixa.IsRateLimited(failed) {
		activity.RecordHeartbeat(ctx, failures+1)
	}
	return counts, importError("end the import", err)
}

func (a *Imports) end(ctx context.Context, in ImportRef, messages bool, beat func(context.Context)) (counts claim.ImportCounts, err error) {
	stop := heartbeat(ctx, beat)
	defer stop()
	ctx = connection.WithRedaction(connection.WithBackgroundRate(ctx), func() map[string]bool { return nil })
	if messages {
		counts, err = a.readMissingMessages(ctx, in.ConnectionID)
	}
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
	return counts, err
}

// readMissingMessages lists the messages of conversations that have messages which are
// not known, or that changed after their messages were read. If Dixa fails for one,
// the next import reads it. If Dixa fails for several in a row, it counts as down.
func (a *Imports) readMissingMessages(ctx context.Context, connectionID string) (claim.ImportCounts, error) {
	var counts claim.ImportCounts
	client, err := a.Clients.Client(ctx, connectionID)
	if err != nil {
		return counts, err
	}
	failed := 0
	for after := int64(0); ; {
		due, err := a.Store.Mirror.MessagesDue(ctx, connectionID, after, messagesAtOnce)
		if err != nil || len(due) == 0 {
			return counts, err
		}
		for _, id := range due {
			after = id
			one, requests := connection.Count(ctx)
			found, err := a.readAgain(one, client, connectionID, id)
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

// readAgain lists the messages of a conversation, and its activity log if it lacks the
// start.
func (a *Imports) readAgain(ctx context.Context, client *dixa.Client, connectionID string, id int64) (claim.ImportCounts, error) {
	var counts claim.ImportCounts
	batch := store.MirrorBatch{ConnectionID: connectionID}
	err := readMessages(ctx, client, id, &batch)
	if err == nil {
		err = a.readMissingLog(ctx, client, id, &batch)
	}
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
