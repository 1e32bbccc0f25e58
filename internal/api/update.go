package api

import (
	"context"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/store"
)

type updateInput struct {
	InClaim
	RawBody []byte `contentType:"application/json"`
}

// updateClaim takes what changed of a claim at its owner.
func (a *api) updateClaim(ctx context.Context, in *updateInput) (*body[client.Updated], error) {
	// A deleted shop's claims are not changed any more.
	if _, err := a.store.Shop(ctx, in.Shop); err != nil {
		return nil, err
	}
	out, err := a.store.UpdateFromOwner(ctx, store.OwnerUpdate{
		Ref: in.ref(), By: of(ctx).key.Name,
		Read: func(current *claim.Claim) (*claim.Claim, error) { return claim.DecodeUpdate(in.RawBody, current) },
	})
	return ok(client.Updated{
		Result: string(out.Result), Changed: out.Changed, InstructionID: out.Instruction, Claim: out.Record,
	}, err)
}
