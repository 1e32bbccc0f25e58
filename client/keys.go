package client

import (
	"cmp"
	"context"
	"iter"
	"net/http"

	"github.com/claimflow/claimflow/claim"
)

// Scopes of an API key.
const (
	ScopeClaimsWrite    = "claims:write"    // submit claims
	ScopeClaimsRead     = "claims:read"     // read and list claims, records and key figures
	ScopeShopsWrite     = "shops:write"     // change settings, tokens, templates, endpoints and data sources and, for platform keys, add shops (changing and deleting a shop needs admin)
	ScopeShopsRead      = "shops:read"      // read settings, tokens, templates, shops, data sources and imports
	ScopeOperate        = "operate"         // send messages; retry, abandon, link, pause, resume, replay, sweep, import
	ScopeUnifiedRead    = "unified:read"    // read through the unified API
	ScopeUnifiedWrite   = "unified:write"   // write through the unified API, except its user directory
	ScopeProxy          = "proxy"           // pass any request on to Dixa
	ScopeDirectoryWrite = "directory:write" // create and change users and groups through the unified API and SCIM
	ScopeAdmin          = "admin"           // everything, including API keys and the audit log
)

// Scopes lists every scope.
func Scopes() []string {
	return []string{ScopeClaimsWrite, ScopeClaimsRead, ScopeShopsWrite, ScopeShopsRead, ScopeOperate, ScopeUnifiedRead, ScopeUnifiedWrite, ScopeProxy, ScopeDirectoryWrite, ScopeAdmin}
}

// Types that the service shares with its clients.
type (
	// NewKey describes an API key to create.
	NewKey = claim.NewKey
	// Key is an API key without its secret.
	Key = claim.Key
	// AuditEntry records who changed what.
	AuditEntry = claim.AuditEntry
	// AuditFilter narrows the audit log.
	AuditFilter = claim.AuditFilter
)

// CreatedKey is a new API key with its secret, which is shown only once.
type CreatedKey struct {
	Key
	Secret string `json:"secret" doc:"The API key. It is returned only once and is not stored."`
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
	out, err := ask[KeyList](ctx, c, call{method: http.MethodGet, path: []string{"v1", "keys"}, query: query("shop", shop)})
	return out.Keys, err
}

// RevokeKey revokes an API key with immediate effect.
func (c *Client) RevokeKey(ctx context.Context, id string) error {
	_, err := c.send(ctx, call{method: http.MethodDelete, path: []string{"v1", "keys", id}})
	return err
}

// AuditPage is a page of the audit log, newest first.
type AuditPage struct {
	Entries []AuditEntry `json:"data"`
	// Next is the cursor of the next page; empty on the last page.
	Next string `json:"next,omitempty"`
}

// AuditLog lists who changed what, newest first, and fetches pages on demand. It
// ends after an error.
func (c *Client) AuditLog(ctx context.Context, f AuditFilter) iter.Seq2[AuditEntry, error] {
	return pages(func(cursor string) ([]AuditEntry, string, error) {
		page, err := ask[AuditPage](ctx, c, call{
			method: http.MethodGet, path: []string{"v1", "audit-log"},
			query: query("shop", f.Shop, "actor", f.Actor, "action", f.Action, "since", instant(f.Since), "until", instant(f.Until),
				"limit", number(f.Limit), "cursor", cmp.Or(cursor, f.Cursor)),
		})
		return page.Entries, page.Next, err
	})
}
