package activities

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/internal/todixa/connection"
	"github.com/claimflow/claimflow/internal/unify"
	"github.com/claimflow/claimflow/store"
	"github.com/claimflow/claimflow/unified"
)

// OperationTime is how long a write through the unified API is attempted.
const OperationTime = store.OperationTime

// OperationRef identifies an operation. It does not say what the operation does.
type OperationRef = store.OperationRef

// Operations carries out writes through the unified API.
type Operations struct {
	Store   *store.Store
	Clients *connection.Clients
	// Unified reads the objects that the answers show.
	Unified *unify.Service
}

// operation is one attempt at a write.
type operation struct {
	*Operations
	store.Operation
	request unify.WriteRequest
	change  *unified.Change
	client  *dixa.Client
	// settings are those of the shop, or what the shops of the connection have in common.
	settings claim.Settings

	// object is the id of the object that the answer shows, and ticket that of the
	// conversation to which it belongs. Earlier steps set them.
	object, contact string
	// madeIn is the step that made the object; empty if the request names it.
	madeIn string
	ticket int64
	// personal are texts that the steps send and the request does not have.
	personal []string
	// attributes are the definitions of custom attributes, read if the operation sets some.
	attributes []*dixa.CustomAttributeDefinition
}

// CarryOut carries out an operation and stores its answer. An operation that ended is
// left alone. Errors are those that time can fix; an attempt continues where the one
// before it stopped.
func (a *Operations) CarryOut(ctx context.Context, ref OperationRef) error {
	stop := heartbeat(ctx, alive)
	defer stop()
	const doing = "carry out an operation"
	o, err := a.load(ctx, ref)
	if errors.Is(err, store.ErrNotFound) {
		return nil // it ended, or its account was deleted
	}
	if err != nil {
		return toTemporal(doing, err)
	}
	ctx, _ = connection.Count(ctx)
	ctx = connection.WithRedaction(ctx, o.words)
	answer, err := o.execute(ctx)
	if err == nil {
		err = a.Store.Operations.Finish(ctx, ref.ID, http.StatusOK, answer)
	} else {
		err = o.fail(ctx, err)
	}
	return toTemporal(doing, err)
}

func (a *Operations) load(ctx context.Context, ref OperationRef) (*operation, error) {
	o := &operation{Operations: a}
	text, err := a.Store.Operations.Request(ctx, ref.ID)
	if err != nil {
		return nil, err
	}
	if o.Operation, err = a.Store.Operations.Get(ctx, ref.ID); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, &o.request); err != nil {
		return nil, fmt.Errorf("decode the request of operation %s", ref.ID) // its text is personal
	}
	return o, nil
}

// stepName is the name of a step in the store, by its place.
func stepName(i int) string { return strconv.Itoa(i) }

// execute carries out the steps and returns the answer.
func (o *operation) execute(ctx context.Context) (json.RawMessage, error) {
	var err error
	if o.change, err = o.request.Change(); err != nil {
		return nil, err
	}
	o.object = o.change.ID
	if o.settings, err = o.Unified.Settings(ctx, o.ConnectionID, o.Shop); err != nil {
		return nil, err
	}
	if o.client, err = o.Clients.For(ctx, o.ConnectionID, o.settings); err != nil {
		return nil, err
	}
	if err := o.checkFields(ctx); err != nil {
		return nil, err
	}
	for i, step := range o.change.Steps {
		before := o.object
		if err := o.step(ctx, stepName(i), step); err != nil {
			return nil, o.retryNew(ctx, err)
		}
		if o.object != before {
			o.madeIn = stepName(i)
		}
	}
	return o.answer(ctx)
}

// step carries out one step. name is its name in the store.
func (o *operation) step(ctx context.Context, name string, step unified.Step) error {
	switch s := step.(type) {
	case unified.AddNote:
		return o.addNote(ctx, name, s)
	case unified.AddMessage:
		return o.addMessage(ctx, name, s)
	case unified.OpenTicket:
		return o.openTicket(ctx, name, s)
	case unified.SetTags:
		return o.setTags(ctx, name, s)
	case unified.SetTicketFields:
		return o.setTicketFields(ctx, name, s)
	case unified.Reopen:
		return o.reopen(ctx, name, s)
	case unified.Transfer:
		return o.transfer(ctx, name, s)
	case unified.Assign:
		return o.assign(ctx, name, s)
	case unified.FollowUp:
		return o.followUp(ctx, name, s)
	case unified.Close:
		return o.closeTicket(ctx, name, s)
	case unified.FindContact:
		return o.findContact(ctx, name, s)
	case unified.CreateContact:
		return o.createContact(ctx, name, s)
	case unified.UpdateContact:
		return o.updateContact(ctx, name, s)
	case unified.SetContactFields:
		return o.setContactFields(ctx, name, s)
	case unified.Anonymize:
		return o.anonymizeContact(ctx, name, s)
	case unified.CreateTag:
		return o.createTag(ctx, name, s)
	case unified.SetTagActive:
		return o.setTagActive(ctx, name, s)
	case unified.DeleteTag:
		return o.repeatable(ctx, name, deleting(func() error { return o.client.Tags.Delete(ctx, s.ID) }))
	case unified.CreateTeam:
		return o.createTeam(ctx, name, s)
	case unified.DeleteTeam:
		return o.repeatable(ctx, name, deleting(func() error { return o.client.Teams.Delete(ctx, s.ID) }))
	case unified.CreateQueue:
		return o.createQueue(ctx, name, s)
	case unified.ChangeMembers:
		return o.changeMembers(ctx, name, s)
	case unified.CreateAgent:
		return o.createAgent(ctx, name, s.Input)
	case unified.UpdateAgent:
		return o.updateAgent(ctx, name, s)
	case unified.DowngradeAgent:
		return o.downgradeAgent(ctx, name, s)
	case unified.RestoreAgent:
		return o.restoreAgent(ctx, name, s)
	case unified.SetTeams:
		return o.setTeams(ctx, name, s)
	default:
		return fmt.Errorf("operation %s: no code for a step of type %T", o.ID, step)
	}
}

// window is how long after an unanswered send its effect may still appear.
func (o *operation) window() time.Duration {
	return time.Duration(o.settings.CommitWindow) + time.Duration(o.settings.ListLag)
}

// retryNew makes a 404 retryable for an object that an earlier step has just made. Dixa
// does not document how soon every operation knows a new object.
func (o *operation) retryNew(ctx context.Context, err error) error {
	if o.madeIn == "" || !dixa.IsNotFound(err) {
		return err
	}
	since, storeErr := o.sinceDone(ctx, o.madeIn)
	if storeErr != nil {
		return storeErr
	}
	if since > o.window()+time.Minute {
		return err
	}
	return retryable(claim.ErrorUnavailable, "the new object is not visible in Dixa yet: "+err.Error(), err, 2*time.Second)
}

// sinceDone returns how long ago a step was done. The operation itself may have waited
// for hours before it.
func (o *operation) sinceDone(ctx context.Context, step string) (time.Duration, error) {
	intent, err := o.intents(step, "").done(ctx)
	if intent.DoneAt.IsZero() {
		return time.Since(o.CreatedAt), err // it had nothing to send
	}
	return time.Since(intent.DoneAt), err
}

// words returns the words of what is sent, which messages of Dixa may repeat.
func (o *operation) words() map[string]bool {
	var body any
	if len(o.request.Body) > 0 && json.Unmarshal(o.request.Body, &body) != nil {
		return nil
	}
	texts := slices.Clone(o.personal)
	var collect func(v any)
	collect = func(v any) {
		switch v := v.(type) {
		case string:
			// The content of a file is no text, and may be long.
			if len(v) < 1<<16 || !isBase64(v) {
				texts = append(texts, v)
			}
		case []any:
			for _, e := range v {
				collect(e)
			}
		case map[string]any:
			for _, e := range v {
				collect(e)
			}
		}
	}
	collect(body)
	return connection.WordSet(texts...)
}

func isBase64(s string) bool {
	_, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(s, "="))
	return err == nil
}
