package api

import (
	"context"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/store"
)

type updateInput struct {
	InClaim
	RawBody []byte `contentType:"application/json"`
}

// updateClaim applies an owner's changes to a claim.
func (a *api) updateClaim(ctx context.Context, in *updateInput) (*body[claim.Updated], error) {
	// Claims of a deleted shop cannot be changed.
	if _, err := a.Store.Shops.Get(ctx, in.Shop); err != nil {
		return nil, err
	}
	var next claim.Claim
	out, err := a.Store.Claims.UpdateFromOwner(ctx, store.OwnerUpdate{
		Ref: in.ref(), By: of(ctx).key.Name,
		Read: func(current *claim.Claim) (*claim.Claim, error) {
			read, err := claim.DecodeUpdate(in.RawBody, current)
			if err == nil {
				next = *read
			}
			return read, err
		},
	})
	out.Cut, out.Ignored = next.Cut, next.Ignored
	return ok(out, err)
}
