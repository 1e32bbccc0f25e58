package api

import (
	"context"
	"encoding/json"
	"net/http"
	"time"
)

// health is the body of /healthz and /readyz.
type health struct {
	Status   string `json:"status"`
	Store    string `json:"store,omitempty"`
	Temporal string `json:"temporal,omitempty"`
}

// alive answers as long as the process serves requests.
func (a *api) alive(w http.ResponseWriter, _ *http.Request) {
	writeHealth(w, http.StatusOK, health{Status: "ok"})
}

// ready answers 503 while the store is down, because claims cannot be accepted then.
// If claims do not reach Temporal, they are accepted and wait. The body says so, but
// the status does not change: a load balancer must not turn claims away.
func (a *api) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 3*time.Second)
	defer cancel()
	h, status := health{Status: "ready", Store: "reachable"}, http.StatusOK
	if a.Temporal != nil {
		state, err := a.Temporal(ctx)
		h.Temporal = state
		if err != nil {
			h.Status, h.Temporal = "degraded", state+": claims are accepted and wait"
			note(r.Context(), err)
		}
	}
	if err := a.Store.Ping(ctx); err != nil {
		h.Status, h.Store, status = "unavailable", "unreachable", http.StatusServiceUnavailable
		w.Header().Set("Retry-After", retryAfter)
		note(r.Context(), err)
	}
	writeHealth(w, status, h)
}

func writeHealth(w http.ResponseWriter, status int, h health) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if data, err := json.Marshal(h); err == nil {
		_, _ = w.Write(data) // the caller may have disconnected
	}
}
