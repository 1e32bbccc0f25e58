package store

import (
	"context"
	"database/sql"
	"strings"

	"github.com/claimflow/claimflow/claim"
)

// OpeningBody returns the claim to open the conversation from: the claim as first
// accepted, with the changes that its owner made before the conversation was
// created. revision counts those changes.
func (s Claims) OpeningBody(ctx context.Context, ref claim.Ref) (c *claim.Claim, revision int64, err error) {
	err = s.read(ctx, "read the body of claim "+ref.String(), func(db *sql.DB) error {
		b, err := s.bodies(ctx, db, ref)
		if err != nil {
			return err
		}
		c, err = s.openBody(b, false)
		revision = b.revision
		return err
	})
	return c, revision, err
}

// LatestBody returns the claim as its owner last reported it.
func (s Claims) LatestBody(ctx context.Context, ref claim.Ref) (*claim.Claim, error) {
	return get(ctx, s.core, "read the latest body of claim "+ref.String(), func(db *sql.DB) (*claim.Claim, error) { return s.latest(ctx, db, ref) })
}

func (s *core) latest(ctx context.Context, q querier, ref claim.Ref) (*claim.Claim, error) {
	b, err := s.bodies(ctx, q, ref)
	if err != nil {
		return nil, err
	}
	return s.openBody(b, true)
}

// CustomerNames returns the names of the customers of a shop's claims as their owners last
// reported them, by the claims' ids. Claims without a name are left out.
func (s Claims) CustomerNames(ctx context.Context, shop string, ids []string) (map[string]string, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	args := arguments{shop}
	bodies, err := list(ctx, s.core, "read the customers of claims", func(scan func(...any) error) (sealedBodies, error) {
		b := sealedBodies{ref: claim.Ref{Shop: shop}}
		err := scan(&b.ref.ID, &b.first, &b.edited, &b.latest)
		return b, err
	}, `SELECT id, body, edited, latest FROM claims WHERE shop = $1 AND id IN (`+placeholders(&args, ids)+`)`, args...)
	if err != nil {
		return nil, err
	}
	names := map[string]string{}
	for _, b := range bodies {
		c, err := s.openBody(b, true)
		if err != nil {
			return nil, err
		}
		if name := strings.TrimSpace(c.Customer.FirstName + " " + c.Customer.LastName); name != "" {
			names[b.ref.ID] = name
		}
	}
	return names, nil
}

// sealedBodies are the encrypted bodies of a claim. A body is nil if the claim has
// none of that kind.
type sealedBodies struct {
	ref                   claim.Ref
	first, edited, latest []byte
	revision              int64
}

func (s *core) bodies(ctx context.Context, q querier, ref claim.Ref) (sealedBodies, error) {
	b := sealedBodies{ref: ref}
	err := queryOne(ctx, q, claimNotFound(ref), []any{&b.first, &b.edited, &b.latest, &b.revision},
		`SELECT body, edited, latest, body_revision FROM claims WHERE shop = $1 AND id = $2`, ref.Shop, ref.ID)
	return b, err
}

func (s *core) openBody(b sealedBodies, latest bool) (*claim.Claim, error) {
	column, sealed := claimBody, b.first
	if b.edited != nil {
		column, sealed = claimEdited, b.edited
	}
	if latest && b.latest != nil {
		column, sealed = claimLatest, b.latest
	}
	c := new(claim.Claim)
	return c, s.openJSON(column, sealed, c, b.ref.Shop, b.ref.ID)
}
