package activities

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/internal/fromdixa/directory"
	"github.com/claimflow/claimflow/internal/todixa/connection"
	"github.com/claimflow/claimflow/kpi"
	"github.com/claimflow/claimflow/mirror"
	"github.com/claimflow/claimflow/store"
)

// readDirectory reads the directory: agents, teams and queues with their members,
// contact endpoints, custom attribute definitions, tags, business hours and end users.
// A kind that the token may not read, or that Dixa does not serve, is left out. A
// repeated attempt continues with the kind at which the one before it failed.
func (r *windowRun) readDirectory(ctx context.Context) error {
	client, err := r.Clients.Client(ctx, r.ConnectionID)
	if err != nil {
		return err
	}
	ctx = connection.WithSpareRate(ctx)
	for n, kind := range mirror.DirectoryKinds() {
		if n < r.place.Kinds {
			continue
		}
		err := r.readKind(ctx, client, kind)
		if notServed(err, kind) {
			r.setAside(r.total.Read, fmt.Sprintf("%s: %v", kind, err))
			err = nil
		}
		if err != nil {
			return fmt.Errorf("read the directory, %s: %w", kind, err)
		}
		if err := r.advance(ctx, func(p *windowPlace) { p.Kinds = n + 1 }); err != nil {
			return err
		}
	}
	return nil
}

// notServed reports whether Dixa does not have a kind, or the token may not read it. A
// token that may not even read agents is refused as a whole.
func notServed(err error, kind mirror.DirectoryKind) bool {
	e, ok := dixa.AsError(err)
	if !ok || dixa.IsTokenRefused(err) && kind == mirror.KindAgent {
		return false
	}
	return e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden || e.Status == http.StatusNotFound
}

// readKind reads the entries of a kind. Those that Dixa no longer lists are marked.
func (r *windowRun) readKind(ctx context.Context, client *dixa.Client, kind mirror.DirectoryKind) error {
	var batch []mirror.DirectoryEntry
	seenAt := time.Now()
	save := func() error {
		counts, err := r.Store.Mirror.SaveDirectory(ctx, r.ConnectionID, kind, batch, seenAt)
		r.count(claim.ImportCounts{Read: len(batch), Added: counts.Added, Changed: counts.Changed})
		batch = nil
		return err
	}
	for e, err := range directory.List(ctx, client, kind, directory.WithMembers) {
		if err != nil {
			return err
		}
		if !claim.IsID(e.ID) {
			r.setAside(r.total.Read+len(batch), fmt.Sprintf("%s without a usable id", kind))
			continue
		}
		if kind == mirror.KindSchedule {
			version := store.ScheduleVersion{ID: e.ID, ValidFrom: seenAt, Definition: e.Object}
			if err := r.Store.Mirror.SaveSchedule(ctx, r.ConnectionID, version); err != nil {
				return err
			}
		}
		if batch = append(batch, e); len(batch) == r.Store.Mirror.BatchSize() {
			if err := save(); err != nil {
				return err
			}
		}
	}
	if err := save(); err != nil {
		return err
	}
	if kind == mirror.KindAgent {
		if err := r.samplePresence(ctx, client, seenAt); err != nil {
			return err
		}
	}
	return r.Store.Mirror.MarkGone(ctx, r.ConnectionID, kind, seenAt)
}

// samplePresence stores which agents are working now. Dixa does not tell earlier
// presence.
func (r *windowRun) samplePresence(ctx context.Context, client *dixa.Client, at time.Time) error {
	presences, err := client.Agents.Presences(ctx)
	if dixa.IsNotFound(err) || dixa.IsTokenRefused(err) {
		r.setAside(r.total.Read, fmt.Sprintf("presence of agents: %v", err))
		return nil
	}
	if err != nil {
		return err
	}
	samples := make([]kpi.PresenceSample, 0, len(presences))
	for _, p := range presences {
		samples = append(samples, kpi.PresenceSample{AgentID: p.UserID, Working: p.ConnectionStatus == "Online" && p.PresenceStatus == "Working"})
	}
	return r.Store.Mirror.SavePresence(ctx, r.ConnectionID, at, samples)
}
