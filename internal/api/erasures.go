package api

import (
	"context"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
)

type eraseInput struct {
	InShop
	Body client.EraseRequest
}

func (a *api) eraseCustomer(ctx context.Context, in *eraseInput) (*body[claim.Erasure], error) {
	request := claim.ErasureRequest(in.Body)
	if errs := claim.ValidateStruct(&request); len(errs) > 0 {
		return nil, &claim.InvalidError{What: "request", Errors: errs}
	}
	by, _, single := request.By()
	if !single {
		return nil, invalid("request", "body", "must name the customer by exactly one of email, phone, external_id and end_user_id")
	}
	e, _, err := a.Store.Erasures.Begin(ctx, in.Shop, request)
	if err != nil {
		return nil, err
	}
	// The audit log must not say who the customer is.
	recordChange(ctx, "erasure", e.ID)
	recordChange(ctx, "by", by)
	if request.DryRun {
		recordChange(ctx, "dry_run", "true")
	}
	if a.Erase != nil {
		if err := a.Erase(ctx, e); err != nil {
			a.Log.WarnContext(ctx, "cannot start an erasure yet; a worker starts it within a minute", "erasure", e.ID, "error", err.Error())
		}
	}
	return ok(complete(e), nil)
}

func (a *api) listErasures(ctx context.Context, in *InShop) (*body[client.ErasureList], error) {
	if _, err := a.Store.Shops.Get(ctx, in.Shop); err != nil {
		return nil, err
	}
	erasures, err := a.Store.Erasures.List(ctx, in.Shop)
	for i := range erasures {
		erasures[i] = complete(erasures[i])
	}
	return ok(client.ErasureList{Erasures: notNil(erasures)}, err)
}

type erasureInput struct {
	InShop
	Erasure string `path:"erasure" doc:"The id of the erasure."`
}

func (a *api) getErasure(ctx context.Context, in *erasureInput) (*body[claim.Erasure], error) {
	e, err := a.Store.Erasures.Get(ctx, in.Shop, in.Erasure)
	return ok(complete(e), err)
}

// complete makes JSON of empty parts of an erasure empty instead of null.
func complete(e claim.Erasure) claim.Erasure {
	e.Steps, e.Report.Dixa = notNil(e.Steps), notNil(e.Report.Dixa)
	if e.Report.Rows == nil {
		e.Report.Rows = map[string]int{}
	}
	return e
}
