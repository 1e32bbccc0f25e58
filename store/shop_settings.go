package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"reflect"

	"github.com/claimflow/claimflow/claim"
)

// Save merges a patch (RFC 7396: null removes a member) into the settings layer of a
// shop, or of the platform if shop is empty, and returns the resulting version. It
// merges into the layer as stored at that moment, so concurrent patches do not undo
// each other. It returns a [*claim.InvalidError] if the layer does not resolve.
// rules may reject settings that resolve, with their own errors and based on the
// settings alone. A patch that changes nothing keeps the version; any other may wake
// parked claims.
func (s Settings) Save(ctx context.Context, shop string, patch json.RawMessage, rules ...func(effective claim.Settings) error) (version int64, err error) {
	err = s.write(ctx, "save settings", func(tx *sql.Tx) error {
		platform, platformVersion, err := lockPlatform(ctx, tx)
		if err != nil {
			return err
		}
		if shop == "" {
			version, err = s.savePlatform(ctx, tx, platform, platformVersion, patch, rules)
		} else {
			version, err = s.saveShop(ctx, tx, platform, shop, patch, rules)
		}
		return err
	})
	return version, err
}

func (s *core) savePlatform(ctx context.Context, tx *sql.Tx, before json.RawMessage, version int64, patch json.RawMessage, rules []func(claim.Settings) error) (int64, error) {
	layer, err := mergeSettings(nil, before, patch, rules)
	if err != nil || sameJSON(before, layer) {
		return version, err
	}
	_, err = exec(ctx, tx, `UPDATE platform SET settings = $1, version = version + 1, updated_at = $2`, string(layer), s.now())
	if err != nil {
		return 0, err
	}
	return version + 1, bumpShops(ctx, tx, "")
}

func (s *core) saveShop(ctx context.Context, tx *sql.Tx, platform json.RawMessage, shop string, patch json.RawMessage, rules []func(claim.Settings) error) (int64, error) {
	var before string
	var version int64
	err := queryOne(ctx, tx, shopNotFound(shop), []any{&before, &version},
		`UPDATE shops SET updated_at = updated_at WHERE slug = $1 AND deleted_at = 0 RETURNING settings, settings_version`, shop)
	if err != nil {
		return 0, err
	}
	layer, err := mergeSettings(platform, json.RawMessage(before), patch, rules)
	if err != nil || sameJSON(json.RawMessage(before), layer) {
		return version, err
	}
	_, err = exec(ctx, tx, `UPDATE shops SET settings = $2, settings_version = settings_version + 1, updated_at = $3 WHERE slug = $1`, shop, string(layer), s.now())
	return version + 1, err
}

// mergeSettings merges a patch into a layer on top of the inherited one.
func mergeSettings(inherited, before, patch json.RawMessage, rules []func(claim.Settings) error) (json.RawMessage, error) {
	layer, err := claim.MergeSettings(before, patch)
	if err != nil {
		return nil, err
	}
	effective, err := claim.Resolve(inherited, layer)
	if err != nil {
		return nil, err
	}
	if err := effective.CheckChangeRules(); err != nil {
		return nil, err
	}
	for _, rule := range rules {
		if err := rule(effective); err != nil {
			return nil, err
		}
	}
	return layer, nil
}

// Platform reads the platform's layer and its version.
func (s Settings) Platform(ctx context.Context) (layer json.RawMessage, version int64, err error) {
	err = s.read(ctx, "read the platform's settings", func(db *sql.DB) error {
		var text string
		err := db.QueryRowContext(ctx, `SELECT settings, version FROM platform`).Scan(&text, &version)
		layer = json.RawMessage(text)
		return err
	})
	return layer, version, err
}

// Integration reads a shop, without the counts of its claims, with its own settings
// layer and the effective settings after inheritance.
func (s Settings) Integration(ctx context.Context, shop string) (claim.Integration, error) {
	var in claim.Integration
	var platform, own string
	err := s.read(ctx, "read the integration of shop "+shop, func(db *sql.DB) error {
		return queryOne(ctx, db, shopNotFound(shop), []any{&platform, &own, &in.Version},
			`SELECT p.settings, s.settings, s.settings_version FROM shops s CROSS JOIN platform p WHERE s.slug = $1 AND s.deleted_at = 0`, shop)
	})
	if err != nil {
		return in, err
	}
	in.Own = json.RawMessage(own)
	if in.Effective, err = claim.Resolve(json.RawMessage(platform), in.Own); err != nil {
		return in, err
	}
	// The shop is read after the version, so that the version reveals a change
	// between the two reads.
	if in.Shop, err = s.shop(ctx, shop); err != nil || in.Connection == nil {
		return in, err
	}
	subscription, err := Subscriptions(s).Get(ctx, in.Connection.ID)
	in.Subscription = &subscription
	return in, err
}

// lockPlatform reads the platform's settings and locks what several shops share
// until the transaction ends.
func lockPlatform(ctx context.Context, tx *sql.Tx) (json.RawMessage, int64, error) {
	var settings string
	var version int64
	err := tx.QueryRowContext(ctx, `UPDATE platform SET updated_at = updated_at RETURNING settings, version`).Scan(&settings, &version)
	return json.RawMessage(settings), version, err
}

// bumpShops increments the settings version of a shop, or of all shops if slug is
// empty.
func bumpShops(ctx context.Context, tx *sql.Tx, slug string) error {
	_, err := exec(ctx, tx, `UPDATE shops SET settings_version = settings_version + 1 WHERE deleted_at = 0 AND ($1 = '' OR slug = $1)`, slug)
	return err
}

// sameJSON reports whether two documents are equal, ignoring whitespace.
func sameJSON(a, b json.RawMessage) bool {
	var x, y any
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && reflect.DeepEqual(x, y)
}
