package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"
)

// The scopes of a stored template.
const (
	ScopePlatform = "platform"
	ScopeShop     = "shop"
)

// StoredTemplate is a ticket template of a shop or of the platform.
type StoredTemplate struct {
	// Scope is [ScopePlatform] or [ScopeShop].
	Scope string
	// Key is a reason or a flow, Language a BCP 47 tag.
	Key, Language string
	// Doc is the template's JSON document as it was saved.
	Doc       json.RawMessage
	UpdatedAt time.Time
}

// Put saves the template of a key and language for a shop, or for the platform if
// shop is empty. A template equal to the stored one changes nothing; any other may
// wake parked claims. The caller validates the document.
func (s Templates) Put(ctx context.Context, shop, key, language string, doc json.RawMessage) error {
	return s.write(ctx, doingTemplate("save", shop, key, language), func(tx *sql.Tx) error {
		if err := templateScope(ctx, tx, shop); err != nil {
			return err
		}
		n, err := exec(ctx, tx, `INSERT INTO templates (shop, key, language, doc, updated_at) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (shop, key, language) DO UPDATE SET doc = excluded.doc, updated_at = excluded.updated_at
			WHERE templates.doc <> excluded.doc`, shop, key, language, string(doc), s.now())
		if err != nil || n == 0 {
			return err
		}
		return bumpShops(ctx, tx, shop)
	})
}

// Delete deletes a template, so that the next one in the order of precedence
// applies.
func (s Templates) Delete(ctx context.Context, shop, key, language string) error {
	return s.write(ctx, doingTemplate("delete", shop, key, language), func(tx *sql.Tx) error {
		if err := templateScope(ctx, tx, shop); err != nil {
			return err
		}
		missing := notFound("template " + key + "/" + language)
		if err := execOne(ctx, tx, missing, `DELETE FROM templates WHERE shop = $1 AND key = $2 AND language = $3`, shop, key, language); err != nil {
			return err
		}
		return bumpShops(ctx, tx, shop)
	})
}

// List lists the templates of the platform and of a shop, or of the platform alone
// if shop is empty.
func (s Templates) List(ctx context.Context, shop string) ([]StoredTemplate, error) {
	return list(ctx, s.core, "list templates", func(scan func(...any) error) (StoredTemplate, error) {
		t := StoredTemplate{Scope: ScopePlatform}
		var owner, doc string
		var updated int64
		err := scan(&owner, &t.Key, &t.Language, &doc, &updated)
		if owner != "" {
			t.Scope = ScopeShop
		}
		t.Doc, t.UpdatedAt = json.RawMessage(doc), timeOf(updated)
		return t, err
	}, `SELECT shop, key, language, doc, updated_at FROM templates WHERE shop IN ('', $1) ORDER BY shop, key, language`, shop)
}

// templateScope checks that the shop exists. For the platform, it locks what shops
// share.
func templateScope(ctx context.Context, tx *sql.Tx, shop string) error {
	if shop == "" {
		_, _, err := lockPlatform(ctx, tx)
		return err
	}
	return liveShop(ctx, tx, shop)
}

func doingTemplate(verb, shop, key, language string) string {
	if shop == "" {
		shop = ScopePlatform
	}
	return fmt.Sprintf("%s template %s/%s/%s", verb, shop, key, language)
}
