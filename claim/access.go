package claim

import "time"

// NewKey describes an API key to create.
type NewKey struct {
	Name string `json:"name" minLength:"1" maxLength:"100" doc:"The purpose of the key; the audit log shows it."`
	// Shop restricts the key to one shop; empty means the whole platform.
	Shop   string   `json:"shop,omitempty" doc:"The shop that the key is limited to; the whole platform if omitted."`
	Scopes []string `json:"scopes" minItems:"1" doc:"The permissions of the key."`
}

// Key is an API key without its secret.
type Key struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	// Shop is the shop that the key belongs to; empty for the platform.
	Shop   string   `json:"shop,omitempty"`
	Scopes []string `json:"scopes"`
	// Preview is the prefix and the last four characters of the secret.
	Preview   string    `json:"preview"`
	CreatedAt time.Time `json:"created_at"`
	// RevokedAt is zero unless the key is revoked.
	RevokedAt time.Time `json:"revoked_at,omitzero"`
}

// AuditEntry records who changed what.
type AuditEntry struct {
	// ID and At are set by the store.
	ID string    `json:"id"`
	At time.Time `json:"at"`
	// Actor is the name of the API key, or "cli".
	Actor string `json:"actor"`
	// Action is the id of the operation in /openapi.json.
	Action string `json:"action" example:"save-token"`
	// Shop is the shop that was changed; empty for the platform.
	Shop string `json:"shop,omitempty"`
	// Target is the object of the action, such as a claim's id.
	Target string `json:"target,omitempty"`
	// Details are plain facts, never a secret or personal data. The store redacts the
	// value of a member whose name contains token, secret, password, key or
	// authorization.
	Details map[string]string `json:"details,omitempty"`
}

// AuditFilter narrows the audit log. Zero members have no effect.
type AuditFilter struct {
	Shop   string `query:"shop" doc:"Only changes to this shop."`
	Actor  string `query:"actor" doc:"Only changes by the API key with this name."`
	Action string `query:"action" doc:"Only this action, such as save-token."`
	// Since is inclusive, Until exclusive.
	Since time.Time `query:"since" doc:"Only changes at or after this time."`
	Until time.Time `query:"until" doc:"Only changes before this time."`
	// Limit is the number of entries per page. The default is 50, the maximum 500.
	Limit int `query:"limit" minimum:"1" maximum:"500" default:"50" doc:"The number of entries per page."`
	// Cursor continues an earlier list from where it ended.
	Cursor string `query:"cursor" doc:"The cursor from the previous page."`
}
