package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/claimflow/claimflow/claim"
)

// record follows up on successful changes: it wakes the dispatcher and writes
// commands to the audit log. It writes the entry after the change. If that fails,
// the process log receives the entry instead.
func (a *api) record(ctx huma.Context, next func(huma.Context)) {
	next(ctx)
	if ctx.Method() == http.MethodGet || ctx.Status() >= http.StatusBadRequest {
		return
	}
	a.Kick()
	action, audited := ctx.Operation().Metadata[metaAudit].(string)
	if !audited {
		return
	}
	about := of(ctx.Context())
	entry := claim.AuditEntry{
		Actor: about.key.Name, Action: action, Shop: ctx.Param("shop"), Target: target(ctx), Details: about.changed,
	}
	a.audit(ctx.Context(), entry)
}

// audit writes an entry to the audit log, also if the caller has disconnected.
func (a *api) audit(ctx context.Context, entry claim.AuditEntry) {
	writing, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := a.Store.AuditLog.Append(writing, entry); err != nil {
		a.Log.ErrorContext(writing, "cannot write the audit log", "action", entry.Action, "actor", entry.Actor,
			"shop", entry.Shop, "target", entry.Target, "details", entry.Details, "request_id", requestID(ctx), "error", err.Error())
	}
}

// target returns what a command acted on besides the shop.
func target(ctx huma.Context) string {
	for _, name := range []string{"claim", "reason", "key", "endpoint", "source", "import", "connection"} {
		if id := ctx.Param(name); id != "" {
			return id
		}
	}
	return ""
}
