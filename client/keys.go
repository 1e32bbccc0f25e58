package client

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"time"
)

// Scopes of an API key.
const (
	ScopeClaimsWrite = "claims:write" // submit claims
	ScopeClaimsRead  = "claims:read"  // read and list claims
	ScopeShopsWrite  = "shops:write"  // change settings, tokens, templates and, for platform keys, shops
	ScopeShopsRead   = "shops:read"   // read settings, tokens, templates and shops
	ScopeOperate     = "operate"      // retry, abandon, link, pause, resume
	ScopeAdmin       = "admin"        // everything, including API keys and the audit log
)

// Scopes lists every scope.
func Scopes() []string {
	return []string{ScopeClaimsWrite, ScopeClaimsRead, ScopeShopsWrite, ScopeShopsRead, ScopeOperate, ScopeAdmin}
}

// NewKey describes an API key to create.
type NewKey struct {
	Name string `json:"name" minLength:"1" maxLength:"100" doc:"What the key is for; the audit log shows it."`
	// Shop restricts the key to one shop; empty means the whole platform.
	Shop   string   `json:"shop,omitempty" doc:"The shop that the key is limited to. Missing: the whole platform."`
	Scopes []string `json:"scopes" minItems:"1" doc:"What the key may do."`
}

// Key is an API key without its secret.
type Key struct {
	ID     string   `json:"id"`
	Name   string   `json:"name"`
	Shop   string   `json:"shop,omitempty"`
	Scopes []string `json:"scopes"`
	// Preview is the prefix and the last four characters of the secret.
	Preview   string    `json:"preview"`
	CreatedAt time.Time `json:"created_at"`
	RevokedAt time.Time `json:"revoked_at,omitzero"`
}

// CreatedKey is a new API key with its secret, which is shown only once.
type CreatedKey struct {
	Key
	Secret string `json:"secret" doc:"The key itself. It is shown this once and kept nowhere."`
}

// KeyList is a list of API keys.
type KeyList struct {
	Keys []Key `json:"data"`
}

// CreateKey creates an API key. It is not retried if no response arrives.
func (c *Client) CreateKey(ctx context.Context, k NewKey) (CreatedKey, error) {
	return ask[CreatedKey](ctx, c, call{method: http.MethodPost, path: []string{"v1", "keys"}, body: k, once: true})
}

// Keys lists the API keys of a shop, or all keys if shop is empty, newest first. It
// includes revoked keys.
func (c *Client) Keys(ctx context.Context, shop string) ([]Key, error) {
	q := url.Values{}
	if shop != "" {
		q.Set("shop", shop)
	}
	out, err := ask[KeyList](ctx, c, call{method: http.MethodGet, path: []string{"v1", "keys"}, query: q})
	return out.Keys, err
}

// RevokeKey revokes an API key with immediate effect.
func (c *Client) RevokeKey(ctx context.Context, id string) error {
	return c.do(ctx, call{method: http.MethodDelete, path: []string{"v1", "keys", id}}, nil)
}

// AuditEntry records who changed what.
type AuditEntry struct {
	ID string    `json:"id"`
	At time.Time `json:"at"`
	// Actor is the name of the API key.
	Actor string `json:"actor"`
	// Action is the id of the operation in /openapi.json.
	Action string `json:"action" example:"save-token"`
	Shop   string `json:"shop,omitempty"`
	// Target is the object of the action, such as a claim's id.
	Target string `json:"target,omitempty"`
	// Details never contain a secret or personal data.
	Details map[string]string `json:"details,omitempty"`
}

// AuditPage is a page of the audit log, newest first.
type AuditPage struct {
	Entries []AuditEntry `json:"data"`
	// Next is the cursor of the next page; empty on the last page.
	Next string `json:"next,omitempty"`
}

// AuditFilter narrows the audit log. Zero members have no effect.
type AuditFilter struct {
	Shop, Actor, Action string
	// Since is inclusive, Until exclusive.
	Since, Until time.Time
}

// AuditLog lists who changed what, newest first, and fetches pages on demand. It
// ends after an error.
func (c *Client) AuditLog(ctx context.Context, f AuditFilter) iter.Seq2[AuditEntry, error] {
	q := url.Values{}
	for name, value := range map[string]string{"shop": f.Shop, "actor": f.Actor, "action": f.Action, "since": instant(f.Since), "until": instant(f.Until)} {
		if value != "" {
			q.Set(name, value)
		}
	}
	return func(yield func(AuditEntry, error) bool) {
		for {
			var page AuditPage
			if err := c.do(ctx, call{method: http.MethodGet, path: []string{"v1", "audit-log"}, query: q}, &page); err != nil {
				yield(AuditEntry{}, err)
				return
			}
			for _, e := range page.Entries {
				if !yield(e, nil) {
					return
				}
			}
			if page.Next == "" {
				return
			}
			q.Set("cursor", page.Next)
		}
	}
}

func instant(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}
