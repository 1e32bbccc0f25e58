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

// updateClaim applies an owner's changes to a claim.
func (a *api) updateClaim(ctx context.Context, in *updateInput) (*body[client.Updated], error) {
	// Claims of a deleted shop cannot be changed.
	if _, err := a.store.Shops.Get(ctx, in.Shop); err != nil {
		return nil, err
	}
	var next claim.Claim
	out, err := a.store.Claims.UpdateFromOwner(ctx, store.OwnerUpdate{
		Ref: in.ref(), By: of(ctx).key.Name,
		Read: func(current *claim.Claim) (*claim.Claim, error) {
			read, err := claim.DecodeUpdate(in.RawBody, current)
			if err == nil {
				next = *read
			}
			return read, err
		},
	})
	return ok(client.Updated{
		Result: string(out.Outcome), Changed: out.Changed, InstructionID: out.Instruction, Claim: out.Record,
		Cut: next.Cut, Ignored: next.Ignored,
	}, err)
}
