package api

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
)

func (a *api) getPlatformSettings(ctx context.Context, _ *struct{}) (*body[client.PlatformSettings], error) {
	own, _, err := a.Store.Settings.Platform(ctx)
	if err != nil {
		return nil, err
	}
	effective, err := claim.Resolve(own)
	return ok(client.PlatformSettings{Own: own, Effective: effective}, err)
}

func (a *api) updatePlatformSettings(ctx context.Context, in *settingsInput) (*body[client.PlatformSettings], error) {
	recordChange(ctx, "fields", members(in.RawBody))
	if _, err := a.Store.Settings.Save(ctx, "", slices.Clone(in.RawBody)); err != nil {
		return nil, err
	}
	return a.getPlatformSettings(ctx, nil)
}

func (a *api) listKeys(ctx context.Context, in *struct {
	Shop string `query:"shop" doc:"Only keys that are limited to this shop."`
},
) (*body[client.KeyList], error) {
	keys, err := a.Store.APIKeys.List(ctx, in.Shop)
	return ok(client.KeyList{Keys: notNil(keys)}, err)
}

func (a *api) createKey(ctx context.Context, in *struct{ Body client.NewKey }) (*body[client.CreatedKey], error) {
	for i, s := range in.Body.Scopes {
		if !slices.Contains(client.Scopes(), s) {
			return nil, invalid("key", fmt.Sprintf("scopes[%d]", i), "must be one of %s", strings.Join(client.Scopes(), ", "))
		}
	}
	if in.Body.Shop != "" && !claim.IsSlug(in.Body.Shop) {
		return nil, invalid("key", "shop", "must be the slug of a shop")
	}
	key, secret, err := a.Store.APIKeys.Create(ctx, in.Body)
	recordChange(ctx, "id", key.ID)
	recordChange(ctx, "name", key.Name)
	recordChange(ctx, "shop", key.Shop)
	recordChange(ctx, "scopes", strings.Join(key.Scopes, ", "))
	return ok(client.CreatedKey{Key: key, Secret: secret}, err)
}

func (a *api) revokeKey(ctx context.Context, in *struct {
	Key string `path:"key"`
},
) (*struct{}, error) {
	return nil, a.Store.APIKeys.Revoke(ctx, in.Key)
}

func (a *api) auditLog(ctx context.Context, f *claim.AuditFilter) (*body[client.AuditPage], error) {
	entries, next, err := a.Store.AuditLog.List(ctx, *f)
	return ok(client.AuditPage{Entries: notNil(entries), Next: next}, err)
}
