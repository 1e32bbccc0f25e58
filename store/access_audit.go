package store

import (
	"context"
	"encoding/json"
	"maps"
	"strings"

	"github.com/google/uuid"

	"github.com/claimflow/claimflow/claim"
)

// Append adds an entry to the audit log.
func (s AuditLog) Append(ctx context.Context, e claim.AuditEntry) error {
	details, err := json.Marshal(withoutSecrets(e.Details))
	if err != nil {
		return err
	}
	return s.execute(ctx, "write the audit log", nil, `INSERT INTO audit (id, at, actor, action, shop, target, details) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		uuid.NewString(), s.now(), plain(e.Actor), plain(e.Action), e.Shop, plain(e.Target), plain(string(details)))
}

const redacted = "[redacted]"

func withoutSecrets(details map[string]string) map[string]string {
	clean := maps.Clone(details)
	for name, value := range clean {
		for _, word := range []string{"token", "secret", "password", "key", "authorization"} {
			if strings.Contains(strings.ToLower(name), word) || strings.Contains(value, keyPrefix) {
				clean[name] = redacted
			}
		}
	}
	return clean
}

// List lists entries, newest first. next is the cursor of the next page, empty on
// the last page.
func (s AuditLog) List(ctx context.Context, f claim.AuditFilter) (entries []claim.AuditEntry, next string, err error) {
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
	entries, err = list(ctx, s.core, "read the audit log", func(scan func(...any) error) (claim.AuditEntry, error) {
		var e claim.AuditEntry
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
	entries, next = page(entries, limit, func(e claim.AuditEntry) string { return cursor(micros(e.At), claim.Ref{ID: e.ID}) })
	return entries, next, nil
}
