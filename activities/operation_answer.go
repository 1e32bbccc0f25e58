package activities

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/internal/fromdixa/directory"
	"github.com/claimflow/claimflow/mirror"
	"github.com/claimflow/claimflow/store"
	"github.com/claimflow/claimflow/unified"
)

// answer returns the object as it is now, or the id of a deleted one. The write is done:
// if the object cannot be read, the answer is its id alone.
func (o *operation) answer(ctx context.Context) (json.RawMessage, error) {
	if err := o.learn(ctx); err != nil {
		if !final(err) {
			return nil, err
		}
		activity.GetLogger(ctx).Warn("could not read what an operation wrote; the mirror learns it later", "operation", o.ID, "error", err)
	}
	o.Unified.Forget(o.ConnectionID)
	id, err := json.Marshal(map[string]string{"id": o.object})
	if err != nil || o.change.Method == unified.MethodDelete {
		return id, err
	}
	raw := o.request.Query
	if o.change.Resource == "comments" {
		raw += "&ticket[id]=" + strconv.FormatInt(o.ticket, 10)
	}
	got, err := o.Unified.Get(ctx, o.ConnectionID, o.change.Model, o.change.Resource, o.object, raw)
	if err == nil {
		return got.Body, nil
	}
	var e *unified.Error
	if !errors.As(err, &e) {
		return nil, err
	}
	since, err := o.sinceDone(ctx, cmp.Or(o.madeIn, stepName(len(o.change.Steps)-1)))
	if err != nil {
		return nil, err
	}
	switch {
	case e.StatusCode == http.StatusNotFound && since < o.window()+30*time.Second:
		return nil, retryable(claim.ErrorUnavailable, "the object is not visible in Dixa yet", e, time.Second)
	case e.StatusCode == http.StatusTooManyRequests:
		return nil, retryable(claim.ErrorRateLimited, "read what was written: "+e.Message, e, max(time.Second, time.Duration(e.RetryAfter)*time.Second))
	case e.StatusCode >= http.StatusInternalServerError && e.StatusCode != http.StatusNotImplemented:
		return nil, retryable(claim.ErrorUnavailable, "read what was written: "+e.Message, e, 0)
	default:
		activity.GetLogger(ctx).Warn("could not read what an operation wrote; its answer is the id", "operation", o.ID, "error", e.Message)
		return id, nil
	}
}

// final reports whether repeating a request to Dixa is useless.
func final(err error) bool {
	e, ok := dixa.AsError(err)
	return ok && e.Outcome == dixa.Rejected && !e.Retryable && !dixa.IsRateLimited(err)
}

// learn merges what Dixa has now into the mirror, so that a read after the write sees
// it. Without a data source nothing is stored.
func (o *operation) learn(ctx context.Context) error {
	mirrored, err := o.mirrored(ctx)
	if err != nil || !mirrored {
		return err
	}
	switch o.change.Resource {
	case "tickets":
		return o.learnTicket(ctx)
	case "comments":
		return o.learnComment(ctx)
	case "contacts":
		return o.learnEntry(ctx, mirror.KindEndUser)
	case "tags":
		return o.learnEntry(ctx, mirror.KindTag)
	case "teams", "groups":
		return o.learnEntry(ctx, mirror.KindTeam)
	case "collections":
		return o.learnEntry(ctx, mirror.KindQueue)
	case "users":
		return o.learnEntry(ctx, mirror.KindAgent)
	default:
		return nil
	}
}

// mirrored reports whether the connection's mirror may have what the operation wrote.
func (o *operation) mirrored(ctx context.Context) (bool, error) {
	sources, err := o.Store.DataSources.List(ctx, o.ConnectionID)
	if err != nil || len(sources) > 0 || o.ticket == 0 {
		return len(sources) > 0, err
	}
	_, err = o.Store.Links.ClaimOf(ctx, o.ConnectionID, o.ticket)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

func (o *operation) learnTicket(ctx context.Context) error {
	readAt := time.Now()
	c, err := o.client.Conversations.Get(ctx, o.ticket)
	if err != nil {
		return err
	}
	tags, err := o.client.Conversations.Tags(ctx, o.ticket)
	if err != nil {
		return err
	}
	log, err := o.client.Conversations.ActivityLog(ctx, o.ticket)
	if err != nil {
		return err
	}
	known, err := o.Store.Mirror.Conversation(ctx, o.ConnectionID, o.ticket)
	if err != nil {
		return err
	}
	batch := store.MirrorBatch{ConnectionID: o.ConnectionID, Facts: []store.ConversationFact{
		{ID: o.ticket, Fact: mirror.ConversationFromObject(c, tags, nil, readAt).ReadAfter(known)},
	}}
	for _, entry := range log {
		if a, ok := mirror.ActivityFromLog(entry); ok {
			batch.Activities = append(batch.Activities, a)
		}
	}
	if o.change.Method == unified.MethodCreate {
		messages, err := o.client.Conversations.Messages(ctx, o.ticket)
		if err != nil {
			return err
		}
		for _, m := range messages {
			batch.Messages = append(batch.Messages, mirror.MessageFromList(o.ticket, m, readAt))
		}
	}
	_, err = o.Store.Mirror.Merge(ctx, batch)
	return err
}

func (o *operation) learnComment(ctx context.Context) error {
	readAt := time.Now()
	batch := store.MirrorBatch{ConnectionID: o.ConnectionID}
	if _, note := o.change.Steps[0].(unified.AddNote); note {
		notes, err := o.client.Conversations.Notes(ctx, o.ticket)
		if err != nil {
			return err
		}
		for _, n := range notes {
			if n.ID == o.object {
				batch.Messages = append(batch.Messages, mirror.NoteFromList(o.ticket, n, readAt))
			}
		}
	} else {
		messages, err := o.client.Conversations.Messages(ctx, o.ticket)
		if err != nil {
			return err
		}
		for _, m := range messages {
			if m.ID == o.object {
				batch.Messages = append(batch.Messages, mirror.MessageFromList(o.ticket, m, readAt))
			}
		}
	}
	if len(batch.Messages) == 0 {
		return nil // Dixa's list lags behind
	}
	_, err := o.Store.Mirror.Merge(ctx, batch)
	return err
}

func (o *operation) learnEntry(ctx context.Context, kind mirror.DirectoryKind) error {
	if o.change.Method == unified.MethodDelete {
		return o.Store.Mirror.MarkEntryGone(ctx, o.ConnectionID, kind, o.object)
	}
	seenAt := time.Now()
	e, err := directory.Get(ctx, o.client, kind, o.object)
	if kind == mirror.KindAgent {
		if dixa.IsNotFound(err) {
			return nil // downgraded
		}
		if err := o.learnTeams(ctx); err != nil {
			return err
		}
	}
	if err != nil {
		return err
	}
	switch kind {
	case mirror.KindTeam:
		e.MemberIDs, err = o.teamMembers(ctx, o.object)
	case mirror.KindQueue:
		e.MemberIDs, err = o.queueMembers(ctx, o.object)
	}
	if err == nil {
		_, err = o.Store.Mirror.SaveDirectory(ctx, o.ConnectionID, kind, []mirror.DirectoryEntry{e}, seenAt)
	}
	return err
}

// learnTeams updates the members of teams that the mirror has, if the operation put the
// agent into teams or took it out.
func (o *operation) learnTeams(ctx context.Context) error {
	if !slices.ContainsFunc(o.change.Steps, func(s unified.Step) bool { _, ok := s.(unified.SetTeams); return ok }) {
		return nil
	}
	teams, err := o.client.Agents.Teams(ctx, o.object)
	if err != nil {
		return err
	}
	ids := make([]string, len(teams))
	for i, t := range teams {
		ids[i] = t.ID
	}
	return o.Store.Mirror.SaveTeamsOf(ctx, o.ConnectionID, o.object, ids)
}

// made remembers the object that a step created or found.
func (o *operation) made(id string) { o.object = id }

// madeTicket remembers the ticket that a step opened.
func (o *operation) madeTicket(id int64) {
	o.ticket, o.object = id, fmt.Sprint(id)
}

// ticketOf returns the ticket of a step, which is the opened one if the step names none.
func (o *operation) ticketOf(id int64) int64 {
	if id != 0 {
		o.ticket = id
	}
	return o.ticket
}
