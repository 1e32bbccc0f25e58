package activities

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"go.temporal.io/sdk/temporal"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/internal/todixa/connection"
	"github.com/claimflow/claimflow/internal/unify"
	"github.com/claimflow/claimflow/store"
	"github.com/claimflow/claimflow/unified"
)

// fail ends the operation if the error is final. Otherwise it returns the error.
func (o *operation) fail(ctx context.Context, err error) error {
	var own *unified.Error
	var conflict *store.ConflictError
	var late *store.LateError
	var needsToken *connection.NeedsTokenError
	var app *temporal.ApplicationError
	e, _ := dixa.AsError(err)
	switch {
	case dixa.IsTokenRefused(err):
		return o.tokenRefused(ctx, e)
	case errors.As(err, &needsToken):
		return o.release(ctx, unified.NewError(http.StatusUnauthorized, noToken))
	case errors.Is(err, dixa.ErrReadOnly):
		return o.release(ctx, unify.ReadOnly())
	case errors.As(err, &own):
		return o.refuse(ctx, own)
	case errors.As(err, &app) && app.NonRetryable():
		return o.refuse(ctx, unified.NewError(http.StatusConflict, app.Message()))
	case errors.As(err, &app):
		return err
	case errors.Is(err, store.ErrEnded):
		return nil
	case errors.As(err, &late):
		return o.release(ctx, notInTime("it waited for longer than an hour"))
	case errors.As(err, &conflict):
		// Another operation took the object for its own meanwhile.
		return retryable(claim.ErrorBusy, conflict.Error(), err, time.Second)
	case errors.Is(err, dixa.ErrInvalidArgument):
		return o.refuse(ctx, unified.NewError(http.StatusBadRequest, "The request cannot be sent to Dixa: "+err.Error()+"."))
	case final(err):
		return o.refuse(ctx, unified.Refused(e.Status, e.Error()))
	}
	return err
}

const noToken = "Dixa refuses the account's token. Save another one, then repeat the request."

// tokenRefused ends the operation after a 401. The connection, and with it its claims,
// stops only if Dixa rejects the token for every request: it may mean this one alone.
func (o *operation) tokenRefused(ctx context.Context, refusal *dixa.Error) error {
	refused, err := o.Clients.StillRefuses(ctx, o.ConnectionID, o.client)
	if err != nil {
		return err
	}
	if refused {
		return o.release(ctx, unified.NewError(http.StatusUnauthorized, noToken))
	}
	e := unified.Refused(refusal.Status, refusal.Error())
	e.Message = "Dixa accepts the account's token, but the token may not do this. Give it the permission in Dixa, then repeat the request."
	return o.release(ctx, e)
}

// refuse ends the operation with an error that a repeat would get again.
func (o *operation) refuse(ctx context.Context, e *unified.Error) error {
	return endWith(ctx, o.Store, o.OperationRef, o.change, e, o.Store.Operations.Fail)
}

// release ends the operation with an error that says nothing about the request.
func (o *operation) release(ctx context.Context, e *unified.Error) error {
	return endWith(ctx, o.Store, o.OperationRef, o.change, e, o.Store.Operations.Release)
}

// OperationStore holds the steps of operations that use nothing but the store.
type OperationStore struct{ Store *store.Store }

// GiveUp is the input of [OperationStore.GiveUp]. Why is our own words.
type GiveUp struct {
	OperationRef
	Why string `json:"why"`
}

// GiveUp ends an operation that could not be carried out in time.
func (a *OperationStore) GiveUp(ctx context.Context, in GiveUp) error {
	const doing = "give up an operation"
	text, err := a.Store.Operations.Request(ctx, in.ID)
	if errors.Is(err, store.ErrNotFound) {
		return nil // it ended, or its account was deleted
	}
	if err != nil {
		return toTemporal(doing, err)
	}
	var request unify.WriteRequest
	var change *unified.Change
	if json.Unmarshal(text, &request) == nil {
		change, _ = request.Change() // nothing was done of one that cannot be read
	}
	return toTemporal(doing, endWith(ctx, a.Store, in.OperationRef, change, notInTime(in.Why), a.Store.Operations.Release))
}

func notInTime(why string) *unified.Error {
	return unified.NewError(http.StatusGatewayTimeout, "The operation could not be carried out in time: "+why+". Parts of it may have been done.")
}

// endWith ends an operation with an error, which names the object that a create has made
// before: the caller must not create another one. change is nil if nothing was done.
func endWith(ctx context.Context, s *store.Store, ref OperationRef, change *unified.Change, e *unified.Error,
	end func(ctx context.Context, id string, status int, answer []byte) error,
) error {
	id, err := created(ctx, s, ref, change)
	if err != nil {
		return err
	}
	if id != "" {
		object := change.Resource + "/" + id
		e.Message += " The object " + object + " was created before that; update it instead of creating another one."
		if e.Details == nil {
			e.Details = &unified.Failures{}
		}
		e.Details.Failures = append(e.Details.Failures, unified.Failure{Field: "id", Message: object + " was created"})
	}
	body, err := json.Marshal(e)
	if err != nil {
		return err
	}
	return end(ctx, ref.ID, e.StatusCode, body)
}

// created returns the id of the object that a create has made so far; empty if none. The
// store knows it even if this attempt did not come as far as an earlier one.
func created(ctx context.Context, s *store.Store, ref OperationRef, change *unified.Change) (string, error) {
	if change == nil || change.Method != unified.MethodCreate {
		return "", nil
	}
	for i, step := range change.Steps {
		if _, other := step.(unified.FindContact); other {
			continue // a repeat finds the contact of a new ticket
		}
		intent, err := s.Operations.Step(ctx, ref, stepName(i))
		if errors.Is(err, store.ErrNotFound) {
			return "", nil // nor did any later one begin
		}
		if err != nil {
			return "", err
		}
		var id string
		if json.Unmarshal(intent.Result, &id) == nil && id != "" {
			return id, nil
		}
	}
	return "", nil
}
