// Package fromowner applies the events that a claim's owner, such as Karla, sent.
// They wait in the store's owner inbox.
package fromowner

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/internal/charset"
	"github.com/claimflow/claimflow/internal/fromowner/karla"
	"github.com/claimflow/claimflow/store"
)

const (
	// batch is how many events are read at once.
	batch = 100
	// every is how often to poll for waiting events. An event received by this
	// process is applied at once.
	every = 5 * time.Second
	// bodiesFor is how long the body of an event is stored after it was handled, and
	// dropEvery how often old ones are deleted.
	bodiesFor = 24 * time.Hour
	dropEvery = time.Minute
)

// Inbox applies stored events. Several processes may do so at once: each event takes
// effect once, in order of receipt.
type Inbox struct {
	store  *store.Store
	log    *slog.Logger
	kicked chan struct{}
	// moved is called after events changed claims.
	moved func()
}

// New creates an Inbox. moved is called after events changed claims.
func New(s *store.Store, log *slog.Logger, moved func()) *Inbox {
	return &Inbox{store: s, log: log, kicked: make(chan struct{}, 1), moved: moved}
}

// Kick applies waiting events at once.
func (i *Inbox) Kick() {
	select {
	case i.kicked <- struct{}{}:
	default:
	}
}

// Run applies events until ctx ends. It logs errors once when they start.
func (i *Inbox) Run(ctx context.Context) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	failing := false
	var dropped time.Time
	for {
		err := i.Apply(ctx)
		if err == nil && time.Since(dropped) > dropEvery {
			dropped = time.Now()
			_, err = i.store.OwnerInbox.DropBodies(ctx, dropped.Add(-bodiesFor))
		}
		if ctx.Err() != nil {
			return
		}
		if err != nil && !failing {
			i.log.Warn("cannot apply events from Karla; they stay queued in the store", "error", err)
		}
		failing = err != nil
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-i.kicked:
		}
	}
}

// Apply applies the waiting events. An event that cannot be applied now keeps
// waiting and does not block the others.
func (i *Inbox) Apply(ctx context.Context) error {
	for {
		events, err := i.store.OwnerInbox.Waiting(ctx, batch)
		if err != nil {
			return err
		}
		applied := 0
		var failures []error
		for _, e := range events {
			state, err := i.store.OwnerInbox.Apply(ctx, e, effectOf(e))
			if err != nil {
				failures = append(failures, err)
				continue
			}
			if state == store.OwnerEventApplied {
				applied++
			}
			if state == store.OwnerEventInvalid {
				i.log.Warn("an event from Karla is invalid; `starter shop karla-events` shows why", "shop", e.Shop, "event", e.ID, "ref", e.Ref)
			}
		}
		if applied > 0 && i.moved != nil {
			i.moved()
		}
		if len(failures) > 0 || len(events) < batch {
			return errors.Join(failures...)
		}
	}
}

// effectOf returns the effect of an event.
func effectOf(kept store.OwnerEvent) store.OwnerEffect {
	e, err := karla.ParseEvent(kept.Body)
	if err != nil {
		return store.OwnerEffect{Ignored: "the body is not an event"}
	}
	switch e.Kind {
	case karla.ClaimCreated, karla.ClaimUpdated:
		return claimEffect(kept, e)
	case karla.ShipmentMoved:
		if err := charset.Valid(kept.Body); err != nil {
			return store.OwnerEffect{Ignored: "the body " + err.Error()}
		}
		return shipmentEffect(e)
	default:
		return store.OwnerEffect{Ignored: "events of this kind have no effect"}
	}
}

func claimEffect(kept store.OwnerEvent, e *karla.Event) store.OwnerEffect {
	at := cmp.Or(e.UpdatedAt, e.TriggeredAt)
	// The address identifies the shop; Karla may spell it differently.
	decode := func() (*claim.Claim, error) {
		if err := validateUTF8(e.Raw); err != nil {
			return nil, err
		}
		shop := "" // as in the body
		if e.Shop == "" {
			shop = kept.Shop
		}
		c, err := claim.Decode(e.Raw, shop)
		if err != nil {
			return nil, err
		}
		c.Shop, c.UpdatedAt = kept.Shop, at
		return c, c.Validate()
	}
	return store.OwnerEffect{
		Created: e.Kind == karla.ClaimCreated, Decode: decode,
		Claim: &store.OwnerUpdate{
			Ref: claim.Ref{Shop: kept.Shop, ID: e.ClaimID}, By: store.ByKarla, Instruction: "karla-" + kept.ID[:min(len(kept.ID), 32)], Full: true,
			Read: func(current *claim.Claim) (*claim.Claim, error) {
				if err := validateUTF8(e.Raw); err != nil {
					return nil, err
				}
				next, err := claim.DecodeUpdate(e.Raw, current)
				if err != nil {
					return nil, err
				}
				next.UpdatedAt = at
				return next, nil
			},
		},
	}
}

// validateUTF8 rejects an event that is not UTF-8: decoding would change its text.
func validateUTF8(body []byte) error {
	if err := charset.Valid(body); err != nil {
		return &claim.InvalidError{What: "event", Errors: []claim.FieldError{{Field: "body", Problem: err.Error()}}}
	}
	return nil
}

func shipmentEffect(e *karla.Event) store.OwnerEffect {
	parcel := e.Shipment
	if parcel.Phase == "" {
		return store.OwnerEffect{Ignored: "the event has no phase"}
	}
	name := cmp.Or(parcel.ID, parcel.TrackingNumber)
	sum := sha256.Sum256(fmt.Appendf(nil, "%d:%s%s", len(name), name, claim.NormalizeKey(parcel.Phase)))
	return store.OwnerEffect{Shipment: &store.ShipmentUpdate{
		ID: "shipment-" + hex.EncodeToString(sum[:12]), Shipment: name, Phase: claim.NormalizeKey(parcel.Phase), Carrier: parcel.Carrier,
		Number: parcel.TrackingNumber, URL: parcel.TrackingURL, At: e.UpdatedAt,
		Claims: slices.Clone(e.Claims[:min(len(e.Claims), maxClaims)]), OrderNumber: e.OrderNumber,
	}}
}

// maxClaims bounds how many claims an event of a parcel may name.
const maxClaims = 50
