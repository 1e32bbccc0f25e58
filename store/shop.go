package store

import (
	"context"
	"database/sql"

	"github.com/claimflow/claimflow/claim"
)

// NewShop is a shop to create. It starts disabled and without a connection.
type NewShop struct {
	Slug, Name string
	// Feature says whether the platform offers Dixa to the shop at all.
	Feature bool
}

// Create adds a shop. It returns a [*ConflictError] if the slug is taken. A deleted
// shop can be added again. It starts over, but its claims are still known, so that
// none is opened twice.
func (s Shops) Create(ctx context.Context, shop NewShop) (claim.Shop, error) {
	err := s.write(ctx, "add shop "+shop.Slug, func(tx *sql.Tx) error {
		taken := conflict("shop %s already exists", shop.Slug)
		return execOne(ctx, tx, taken, `INSERT INTO shops (slug, name, feature, created_at, updated_at) VALUES ($1, $2, $3, $4, $4)
			ON CONFLICT (slug) DO UPDATE SET name = excluded.name, feature = excluded.feature, created_at = excluded.created_at,
				updated_at = excluded.updated_at, deleted_at = 0, settings_version = shops.settings_version + 1
			WHERE shops.deleted_at > 0`, shop.Slug, plain(shop.Name), shop.Feature, s.now())
	})
	if err != nil {
		return claim.Shop{}, err
	}
	return s.Get(ctx, shop.Slug)
}

// Get reads a shop with its connection and the counts of its claims. An unknown or
// deleted shop is [ErrNotFound], here and in the other methods.
func (s Shops) Get(ctx context.Context, slug string) (claim.Shop, error) {
	shop, err := s.shop(ctx, slug)
	if err != nil {
		return claim.Shop{}, err
	}
	counts, err := s.counts(ctx, `WHERE shop = $1`, slug)
	shop.Counts = counts[slug]
	return shop, err
}

// Plain reads a shop with its connection, without the counts of its claims.
func (s Shops) Plain(ctx context.Context, slug string) (claim.Shop, error) { return s.shop(ctx, slug) }

// Name reads the name of a shop, which may be empty.
func (s Shops) Name(ctx context.Context, slug string) (name string, err error) {
	err = s.read(ctx, "read the name of shop "+slug, func(db *sql.DB) error {
		return queryOne(ctx, db, shopNotFound(slug), []any{&name}, `SELECT name FROM shops WHERE slug = $1 AND deleted_at = 0`, slug)
	})
	return name, err
}

// Attention counts what waits for a person in a shop.
func (s Shops) Attention(ctx context.Context, slug string) (claim.Attention, error) {
	out := claim.Attention{Parked: map[claim.Cause]int{}}
	err := s.read(ctx, "count what waits for a person in shop "+slug, func(db *sql.DB) error {
		out.Skipped, out.Parked = 0, map[claim.Cause]int{}
		err := queryOne(ctx, db, shopNotFound(slug), []any{&out.Enabled}, `SELECT enabled FROM shops WHERE slug = $1 AND deleted_at = 0`, slug)
		if err != nil {
			return err
		}
		return queryEach(ctx, db, func(scan func(...any) error) error {
			var state claim.State
			var cause claim.Cause
			var n int
			err := scan(&state, &cause, &n)
			if state == claim.StateSkipped {
				out.Skipped += n
			} else {
				out.Parked[cause] += n
			}
			return err
		}, `SELECT state, cause, COUNT(*) FROM claims WHERE shop = $1 AND state IN ($2, $3) GROUP BY state, cause`, slug, claim.StateNeedsAttention, claim.StateSkipped)
	})
	return out, err
}

// List lists the shops, sorted by slug.
func (s Shops) List(ctx context.Context) ([]claim.Shop, error) {
	shops, err := s.shopsWhere(ctx, "list shops", `TRUE`)
	if err != nil {
		return nil, err
	}
	counts, err := s.counts(ctx, ``)
	for i := range shops {
		shops[i].Counts = counts[shops[i].Slug]
	}
	return shops, err
}

// shop reads a shop without the counts of its claims.
func (s *core) shop(ctx context.Context, slug string) (claim.Shop, error) {
	shops, err := s.shopsWhere(ctx, "read shop "+slug, `s.slug = $1`, slug)
	return only(shops, err, shopNotFound(slug))
}

func (s *core) shopsWhere(ctx context.Context, doing, where string, args ...any) ([]claim.Shop, error) {
	return list(ctx, s, doing, scanShop, `SELECT s.slug, s.name, s.feature, s.enabled, s.paused, s.created_at, s.updated_at, n.id, `+connectionColumns+`
		FROM shops s LEFT JOIN connections n ON n.id = s.connection_id WHERE s.deleted_at = 0 AND `+where+` ORDER BY s.slug`, args...)
}

// counts returns the number of claims by shop and state.
func (s *core) counts(ctx context.Context, where string, args ...any) (map[string]map[claim.State]int, error) {
	return get(ctx, s, "count claims", func(db *sql.DB) (map[string]map[claim.State]int, error) {
		counts := map[string]map[claim.State]int{}
		return counts, queryEach(ctx, db, func(scan func(...any) error) error {
			var shop string
			var state claim.State
			var n int
			if err := scan(&shop, &state, &n); err != nil {
				return err
			}
			if counts[shop] == nil {
				counts[shop] = map[claim.State]int{}
			}
			counts[shop][state] = n
			return nil
		}, `SELECT shop, state, COUNT(*) FROM claims `+where+` GROUP BY shop, state`, args...)
	})
}

func scanShop(scan func(dest ...any) error) (claim.Shop, error) {
	var shop claim.Shop
	var created, updated int64
	var id sql.NullString
	var c connectionRow
	err := scan(append([]any{&shop.Slug, &shop.Name, &shop.Feature, &shop.Enabled, &shop.Paused, &created, &updated, &id}, c.dest()...)...)
	if err != nil {
		return shop, err
	}
	shop.CreatedAt, shop.UpdatedAt = timeOf(created), timeOf(updated)
	if id.Valid {
		connection := c.connection(id.String)
		shop.Connection = &connection
	}
	return shop, nil
}

// Patch changes a shop. A change of its feature flag may wake parked claims.
func (s Shops) Patch(ctx context.Context, slug string, p claim.ShopPatch) (claim.Shop, error) {
	err := s.write(ctx, "update shop "+slug, func(tx *sql.Tx) error {
		var name string
		var feature bool
		err := queryOne(ctx, tx, shopNotFound(slug), []any{&name, &feature},
			`UPDATE shops SET updated_at = $2 WHERE slug = $1 AND deleted_at = 0 RETURNING name, feature`, slug, s.now())
		if err != nil {
			return err
		}
		if p.Name != nil {
			name = plain(*p.Name)
		}
		bump := 0
		if p.Feature != nil && *p.Feature != feature {
			feature, bump = *p.Feature, 1
		}
		_, err = exec(ctx, tx, `UPDATE shops SET name = $2, feature = $3, settings_version = settings_version + $4 WHERE slug = $1`, slug, name, feature, bump)
		return err
	})
	if err != nil {
		return claim.Shop{}, err
	}
	return s.Get(ctx, slug)
}

// Delete deletes a shop with its settings, templates, endpoints, API keys, portal
// sessions and wall links, and detaches it from its connection, which then is no longer
// shared with it. Its claims stay. Waiting claims are nudged and
// find the shop disabled.
func (s Shops) Delete(ctx context.Context, slug string) error {
	return s.write(ctx, "delete shop "+slug, func(tx *sql.Tx) error {
		now := s.now()
		err := execOne(ctx, tx, shopNotFound(slug), `UPDATE shops SET deleted_at = $2, updated_at = $2, feature = FALSE, enabled = FALSE, paused = FALSE,
			settings = '{}', settings_version = settings_version + 1, connection_id = NULL WHERE slug = $1 AND deleted_at = 0`, slug, now)
		if err != nil {
			return err
		}
		for _, table := range []string{"connection_shops", "templates", "endpoints", "owner_secrets", "portal_links", "portal_walls", "dashboards"} {
			if _, err := exec(ctx, tx, `DELETE FROM `+table+` WHERE shop = $1`, slug); err != nil {
				return err
			}
		}
		if _, err := exec(ctx, tx, `UPDATE api_keys SET revoked_at = $2 WHERE shop = $1 AND revoked_at = 0`, slug, now); err != nil {
			return err
		}
		return nudgeWaiting(ctx, tx, slug)
	})
}

// SetEnabled sets whether the shop's new claims become conversations.
func (s Shops) SetEnabled(ctx context.Context, slug string, enabled bool) error {
	return s.execute(ctx, "enable or disable shop "+slug, shopNotFound(slug), `UPDATE shops SET enabled = $2, updated_at = $3,
		settings_version = settings_version + CASE WHEN enabled = $2 THEN 0 ELSE 1 END WHERE slug = $1 AND deleted_at = 0`, slug, enabled, s.now())
}

// Pause makes the shop's claims wait in [claim.StateReceived].
func (s Shops) Pause(ctx context.Context, slug string) error {
	return s.execute(ctx, "pause shop "+slug, shopNotFound(slug),
		`UPDATE shops SET paused = TRUE, updated_at = $2 WHERE slug = $1 AND deleted_at = 0`, slug, s.now())
}

// Resume lets the shop's claims proceed and nudges those that waited. It does
// nothing if the shop is not paused.
func (s Shops) Resume(ctx context.Context, slug string) error {
	return s.write(ctx, "resume shop "+slug, func(tx *sql.Tx) error {
		var paused bool
		err := queryOne(ctx, tx, shopNotFound(slug), []any{&paused},
			`UPDATE shops SET updated_at = updated_at WHERE slug = $1 AND deleted_at = 0 RETURNING paused`, slug)
		if err != nil || !paused {
			return err
		}
		_, err = exec(ctx, tx, `UPDATE shops SET paused = FALSE, resumed_at = $2, updated_at = $2, settings_version = settings_version + 1 WHERE slug = $1`, slug, s.now())
		if err != nil {
			return err
		}
		return nudgeWaiting(ctx, tx, slug)
	})
}

// nudgeWaiting makes the workflows of a shop's claims in progress read the store
// again. The shop's new settings version wakes the parked ones.
func nudgeWaiting(ctx context.Context, tx *sql.Tx, slug string) error {
	_, err := exec(ctx, tx, `UPDATE claims SET revision = revision + 1, gather_until = 0 WHERE shop = $1 AND state IN ($2, $3)`,
		slug, claim.StateReceived, claim.StateOpening)
	return err
}

// liveShop returns nil if the shop exists and is not deleted, else [ErrNotFound].
func liveShop(ctx context.Context, q querier, slug string) error {
	var found string
	return queryOne(ctx, q, shopNotFound(slug), []any{&found}, `SELECT slug FROM shops WHERE slug = $1 AND deleted_at = 0`, slug)
}
