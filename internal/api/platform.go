package api

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/store"
)

func (a *api) getPlatformSettings(ctx context.Context, _ *struct{}) (*body[client.PlatformSettings], error) {
	own, _, err := a.store.Settings.Platform(ctx)
	if err != nil {
		return nil, err
	}
	effective, err := claim.Resolve(own)
	return ok(client.PlatformSettings{Own: own, Effective: effective}, err)
}

func (a *api) changePlatformSettings(ctx context.Context, in *struct {
	RawBody []byte `contentType:"application/json"`
},
) (*body[client.PlatformSettings], error) {
	recordChange(ctx, "fields", members(in.RawBody))
	if _, err := a.store.Settings.Save(ctx, "", slices.Clone(in.RawBody)); err != nil {
		return nil, err
	}
	return a.getPlatformSettings(ctx, nil)
}

func (a *api) listKeys(ctx context.Context, in *struct {
	Shop string `query:"shop" doc:"Only keys that are limited to this shop."`
},
) (*body[client.KeyList], error) {
	keys, err := a.store.APIKeys.List(ctx, in.Shop)
	out := make([]client.Key, 0, len(keys))
	for _, k := range keys {
		out = append(out, shownKey(k))
	}
	return ok(client.KeyList{Keys: out}, err)
}

func (a *api) createKey(ctx context.Context, in *struct{ Body client.NewKey }) (*body[client.CreatedKey], error) {
	for i, s := range in.Body.Scopes {
		if !slices.Contains(client.Scopes(), s) {
			return nil, invalid("key", fmt.Sprintf("scopes[%d]", i), "must be one of %s", strings.Join(client.Scopes(), ", "))
		}
	}
	if in.Body.Shop != "" {
		if !claim.IsSlug(in.Body.Shop) {
			return nil, invalid("key", "shop", "cannot be the slug of a shop")
		}
		if _, err := a.store.Shops.Get(ctx, in.Body.Shop); err != nil {
			return nil, err
		}
	}
	key, secret, err := a.store.APIKeys.Create(ctx, store.NewAPIKey{Name: in.Body.Name, Shop: in.Body.Shop, Scopes: in.Body.Scopes})
	recordChange(ctx, "id", key.ID)
	recordChange(ctx, "name", key.Name)
	recordChange(ctx, "shop", key.Shop)
	recordChange(ctx, "scopes", strings.Join(key.Scopes, ", "))
	return ok(client.CreatedKey{Key: shownKey(key), Secret: secret}, err)
}

func (a *api) revokeKey(ctx context.Context, in *struct {
	Key string `path:"key"`
},
) (*struct{}, error) {
	return nil, a.store.APIKeys.Revoke(ctx, in.Key)
}

func shownKey(k store.APIKey) client.Key { return client.Key(k) }

type auditInput struct {
	Shop   string    `query:"shop" doc:"Only what was done to this shop."`
	Actor  string    `query:"actor" doc:"Only what this API key did, by its name."`
	Action string    `query:"action" doc:"Only this action, such as save-token."`
	Since  time.Time `query:"since" doc:"Only what was done at or after this time."`
	Until  time.Time `query:"until" doc:"Only what was done before this time."`
	Limit  int       `query:"limit" minimum:"1" maximum:"500" default:"50" doc:"How many entries a page holds."`
	Cursor string    `query:"cursor" doc:"The cursor that the last page gave."`
}

func (a *api) auditLog(ctx context.Context, in *auditInput) (*body[client.AuditPage], error) {
	entries, next, err := a.store.AuditLog.List(ctx, store.AuditFilter(*in))
	out := make([]client.AuditEntry, 0, len(entries))
	for _, e := range entries {
		out = append(out, client.AuditEntry(e))
	}
	return ok(client.AuditPage{Entries: out, Next: next}, err)
}
