package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"maps"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/claimflow/claimflow/claim"
)

// AuditEntry records who changed what.
type AuditEntry struct {
	// ID and At are set by the store.
	ID string    `json:"id"`
	At time.Time `json:"at"`
	// Actor is who made the change: the name of an API key, or "cli".
	Actor string `json:"actor"`
	// Action is what the actor did, such as "save-token" or "retry-claim".
	Action string `json:"action"`
	// Shop is the shop that was changed; empty for the platform.
	Shop string `json:"shop,omitempty"`
	// Target names what was changed, such as a claim's id.
	Target string `json:"target,omitempty"`
	// Details are plain facts. The store redacts the value of a member whose name
	// contains token, secret, password, key or authorization.
	Details map[string]string `json:"details,omitempty"`
}

// AuditFilter selects the entries to list. Zero members do not filter.
type AuditFilter struct {
	Shop, Actor, Action string
	// Since is inclusive, Until is exclusive.
	Since, Until time.Time
	// Limit is the maximum number of entries. Defaults to 50; at most 500.
	Limit int
	// Cursor continues an earlier list from where it ended.
	Cursor string
}

// Append adds an entry to the audit log.
func (s AuditLog) Append(ctx context.Context, e AuditEntry) error {
	details, err := json.Marshal(withoutSecrets(e.Details))
	if err != nil {
		return err
	}
	return s.write(ctx, "write the audit log", func(tx *sql.Tx) error {
		_, err := exec(ctx, tx, `INSERT INTO audit (id, at, actor, action, shop, target, details) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
			uuid.NewString(), s.now(), plain(e.Actor), plain(e.Action), e.Shop, plain(e.Target), plain(string(details)))
		return err
	})
}

const leftOut = "[left out]"

func withoutSecrets(details map[string]string) map[string]string {
	clean := maps.Clone(details)
	for name, value := range clean {
		for _, word := range []string{"token", "secret", "password", "key", "authorization"} {
			if strings.Contains(strings.ToLower(name), word) || strings.Contains(value, keyPrefix) {
				clean[name] = leftOut
			}
		}
	}
	return clean
}

// List lists entries, newest first. next is the cursor of the next page, empty on
// the last page.
func (s AuditLog) List(ctx context.Context, f AuditFilter) (entries []AuditEntry, next string, err error) {
	var args arguments
	where := `TRUE`
	for _, e := range []struct{ column, value string }{{"shop", f.Shop}, {"actor", f.Actor}, {"action", f.Action}} {
		if e.value != "" {
			where += ` AND ` + e.column + ` = ` + args.add(plain(e.value))
		}
	}
	if !f.Since.IsZero() {
		where += ` AND at >= ` + args.add(micros(f.Since))
	}
	if !f.Until.IsZero() {
		where += ` AND at < ` + args.add(micros(f.Until))
	}
	if f.Cursor != "" {
		at, last, err := parseCursor(f.Cursor)
		if err != nil {
			return nil, "", err
		}
		where += ` AND (at, id) < (` + args.add(at) + `, ` + args.add(last.ID) + `)`
	}
	limit := pageSize(f.Limit)
	query := `SELECT id, at, actor, action, shop, target, details FROM audit WHERE ` + where + ` ORDER BY at DESC, id DESC LIMIT ` + args.add(limit+1)
	entries, err = list(ctx, s.core, "read the audit log", func(scan func(...any) error) (AuditEntry, error) {
		var e AuditEntry
		var at int64
		var details string
		if err := scan(&e.ID, &at, &e.Actor, &e.Action, &e.Shop, &e.Target, &details); err != nil {
			return e, err
		}
		e.At = timeOf(at)
		err := json.Unmarshal([]byte(details), &e.Details)
		return e, err
	}, query, args...)
	if err != nil {
		return nil, "", err
	}
	if len(entries) > limit {
		entries = entries[:limit]
		last := entries[limit-1]
		next = cursor(micros(last.At), claim.Ref{ID: last.ID})
	}
	return entries, next, nil
}
