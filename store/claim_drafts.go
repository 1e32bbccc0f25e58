package store

import (
	"context"
	"database/sql"

	"github.com/claimflow/claimflow/claim"
)

// SaveDraft stores a working document of a claim, such as its rendered "ticket", as
// encrypted JSON. It replaces an earlier document of the same kind.
func (s Claims) SaveDraft(ctx context.Context, ref claim.Ref, kind string, v any) error {
	doing := "save the " + kind + " of claim " + ref.String()
	body, err := s.sealJSON(draftBody, v, ref.Shop, ref.ID, kind)
	if err != nil {
		return err
	}
	return s.write(ctx, doing, func(tx *sql.Tx) error {
		if err := claimExists(ctx, tx, ref); err != nil {
			return err
		}
		_, err := exec(ctx, tx, `INSERT INTO drafts (shop, claim_id, kind, body, updated_at) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (shop, claim_id, kind) DO UPDATE SET body = excluded.body, updated_at = excluded.updated_at`,
			ref.Shop, ref.ID, kind, body, s.now())
		return err
	})
}

// SaveDraftOnce stores a working document that must not change once it exists, and reads
// the stored one into kept: this document, or the one that another caller stored
// first.
func (s Claims) SaveDraftOnce(ctx context.Context, ref claim.Ref, kind string, v, kept any) error {
	body, err := s.sealJSON(draftBody, v, ref.Shop, ref.ID, kind)
	if err != nil {
		return err
	}
	return s.write(ctx, "save the "+kind+" of claim "+ref.String(), func(tx *sql.Tx) error {
		if err := claimExists(ctx, tx, ref); err != nil {
			return err
		}
		_, err := exec(ctx, tx, `INSERT INTO drafts (shop, claim_id, kind, body, updated_at) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (shop, claim_id, kind) DO NOTHING`, ref.Shop, ref.ID, kind, body, s.now())
		if err != nil {
			return err
		}
		return s.draft(ctx, tx, ref, kind, kept)
	})
}

// Draft reads a working document of a claim into v. It returns [ErrNotFound] if the
// document was never saved.
func (s Claims) Draft(ctx context.Context, ref claim.Ref, kind string, v any) error {
	return s.read(ctx, "read the "+kind+" of claim "+ref.String(), func(db *sql.DB) error {
		return s.draft(ctx, db, ref, kind, v)
	})
}

func (s *core) draft(ctx context.Context, q querier, ref claim.Ref, kind string, v any) error {
	var sealed []byte
	err := queryOne(ctx, q, notFound(kind), []any{&sealed}, `SELECT body FROM drafts WHERE shop = $1 AND claim_id = $2 AND kind = $3`, ref.Shop, ref.ID, kind)
	if err != nil {
		return err
	}
	return s.openJSON(draftBody, sealed, v, ref.Shop, ref.ID, kind)
}

// claimExists returns nil if the claim is in the store, else [ErrNotFound].
func claimExists(ctx context.Context, q querier, ref claim.Ref) error {
	var id string
	return queryOne(ctx, q, claimNotFound(ref), []any{&id}, `SELECT id FROM claims WHERE shop = $1 AND id = $2`, ref.Shop, ref.ID)
}
