package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/claimflow/claimflow/claim"
)

// OwnerEvent is an event from a claims' owner with a verified signature.
type OwnerEvent struct {
	// Shop is the shop of the event, as the owner spells it. It need not exist.
	Shop string
	// ID is the same for the same bytes.
	ID string
	// Ref is the owner's name of the event, such as "claims/created".
	Ref string
	// ClaimID is the claim of the event; empty if it has none.
	ClaimID string
	// TriggeredAt is when the owner sent the event; zero if unknown.
	TriggeredAt time.Time
	// Body is the payload as received, byte for byte. It is stored encrypted. It is
	// nil once dropped.
	Body []byte

	// State, Why and ReceivedAt are set by the store.
	State      OwnerEventState
	Why        string
	ReceivedAt time.Time
}

// OwnerEventState is the outcome of an event from a claims' owner.
type OwnerEventState string

// The states of an owner's events.
const (
	OwnerEventWaiting OwnerEventState = "waiting"
	OwnerEventApplied OwnerEventState = "applied"
	OwnerEventIgnored OwnerEventState = "ignored" // it has no effect; Why gives the reason
	OwnerEventInvalid OwnerEventState = "invalid" // it cannot be applied; Why lists every error
)

// Receive stores an event. fresh is false if it was stored before: the same bytes
// are never processed twice. If Receive returns nil, the event is durable.
func (s OwnerInbox) Receive(ctx context.Context, e OwnerEvent) (fresh bool, err error) {
	shop := plain(e.Shop)
	sealed, err := s.seal(ownerEventBody, e.Body, shop, e.ID)
	if err != nil {
		return false, fmt.Errorf("store event %s of shop %s: %w", e.ID, shop, err)
	}
	err = s.write(ctx, "store an event of shop "+shop, func(tx *sql.Tx) error {
		n, err := exec(ctx, tx, `INSERT INTO owner_inbox (shop, event_id, ref, claim_id, state, triggered_at, received_at, body)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (shop, event_id) DO NOTHING`,
			shop, e.ID, plain(e.Ref), plain(e.ClaimID), OwnerEventWaiting, micros(e.TriggeredAt), s.now(), sealed)
		fresh = n == 1
		return err
	})
	return fresh, err
}

const ownerEventColumns = `shop, event_id, ref, claim_id, state, why, triggered_at, received_at, body`

func (s *core) scanOwnerEvent(scan func(...any) error) (OwnerEvent, error) {
	var e OwnerEvent
	var triggered, received int64
	var sealed []byte
	err := scan(&e.Shop, &e.ID, &e.Ref, &e.ClaimID, &e.State, &e.Why, &triggered, &received, &sealed)
	if err != nil {
		return e, err
	}
	e.TriggeredAt, e.ReceivedAt = timeOf(triggered), timeOf(received)
	if sealed != nil {
		e.Body, err = s.open(ownerEventBody, sealed, e.Shop, e.ID)
	}
	return e, err
}

// Waiting lists up to limit events that were not handled yet, in the order in which
// they arrived.
func (s OwnerInbox) Waiting(ctx context.Context, limit int) ([]OwnerEvent, error) {
	return s.ownerEvents(ctx, "list events of owners", `state = 'waiting' ORDER BY received_at, triggered_at LIMIT $1`, limit)
}

// List lists a shop's events, newest first, without bodies. An empty state matches
// any.
func (s OwnerInbox) List(ctx context.Context, shop string, state OwnerEventState, limit int) ([]OwnerEvent, error) {
	events, err := s.ownerEvents(ctx, "list the events of shop "+shop, `shop = $1 AND ($2 = '' OR state = $2) ORDER BY received_at DESC, event_id LIMIT $3`,
		plain(shop), string(state), limit)
	for i := range events {
		events[i].Body = nil
	}
	return events, err
}

func (s *core) ownerEvents(ctx context.Context, doing, where string, args ...any) ([]OwnerEvent, error) {
	return list(ctx, s, doing, s.scanOwnerEvent, `SELECT `+ownerEventColumns+` FROM owner_inbox WHERE `+where, args...)
}

// OwnerEffect is the effect of an event from a claims' owner: one of Claim, Shipment
// and Ignored.
type OwnerEffect struct {
	// Claim reports the current state of a claim. Decode reads the claim as a new
	// one. Created says that the event reports a new claim.
	Claim   *OwnerUpdate
	Created bool
	Decode  func() (*claim.Claim, error)
	// Shipment reports where a parcel is.
	Shipment *ShipmentUpdate
	// Ignored says why the event has no effect.
	Ignored string
}

// Apply carries out the effect of an event and records the result, atomically and
// once. It does nothing if the event has already been handled. An effect that cannot
// be applied is recorded as invalid, with every error. state is empty if Apply did
// nothing.
func (s OwnerInbox) Apply(ctx context.Context, e OwnerEvent, effect OwnerEffect) (state OwnerEventState, err error) {
	why := ""
	apply := func(do bool) error {
		return s.write(ctx, "apply event "+e.ID+" of shop "+e.Shop, func(tx *sql.Tx) error {
			n, err := exec(ctx, tx, `UPDATE owner_inbox SET state = $3, handled_at = $4 WHERE shop = $1 AND event_id = $2 AND state = $5`,
				e.Shop, e.ID, OwnerEventApplied, s.now(), OwnerEventWaiting)
			if err != nil {
				return err
			}
			if n == 0 {
				state = ""
				return nil
			}
			if do {
				if state, why, err = s.applyOwnerEvent(ctx, tx, e, effect); err != nil {
					return err
				}
			}
			_, err = exec(ctx, tx, `UPDATE owner_inbox SET state = $3, why = $4 WHERE shop = $1 AND event_id = $2`, e.Shop, e.ID, state, plain(cut(why, maxLastError)))
			return err
		})
	}
	err = apply(true)
	var invalid *claim.InvalidError
	var moved *claim.TransitionError
	switch {
	case errors.As(err, &invalid):
		state, why = OwnerEventInvalid, invalid.Error()
	case errors.As(err, &moved):
		state, why = OwnerEventIgnored, moved.Error()
	case errors.Is(err, ErrNotFound):
		state, why = OwnerEventIgnored, "the shop is unknown"
	default:
		return state, err
	}
	return state, apply(false)
}

func (s *core) applyOwnerEvent(ctx context.Context, tx *sql.Tx, e OwnerEvent, effect OwnerEffect) (OwnerEventState, string, error) {
	switch {
	case effect.Claim != nil:
		result, err := s.upsert(ctx, tx, *effect.Claim, effect.Created, effect.Decode)
		if result == claim.UpdateUnchanged || result == claim.UpdateOlder || result == claim.UpdateErased {
			return OwnerEventIgnored, string(result), err
		}
		return OwnerEventApplied, string(result), err
	case effect.Shipment != nil:
		told, err := s.addShipmentNotes(ctx, tx, e.Shop, *effect.Shipment)
		if told == 0 {
			return OwnerEventIgnored, "no open claim matches, or the shop has no shipment note for this phase", err
		}
		return OwnerEventApplied, "added to " + strconv.Itoa(told) + " claims", err
	default:
		return OwnerEventIgnored, effect.Ignored, nil
	}
}

// DropBodies deletes the bodies of events that were handled before a time, and
// returns their number. The event ids stay.
func (s OwnerInbox) DropBodies(ctx context.Context, before time.Time) (n int, err error) {
	err = s.write(ctx, "drop the bodies of handled events", func(tx *sql.Tx) (err error) {
		n, err = exec(ctx, tx, `UPDATE owner_inbox SET body = NULL WHERE body IS NOT NULL AND handled_at > 0 AND handled_at < $1`, micros(before))
		return err
	})
	return n, err
}

// Secrets returns the secrets that may have signed an owner's requests for a shop,
// or for the platform if shop is empty: the current secret and, for three days, the
// one that it replaced. It returns none if none was saved or the shop is unknown.
func (s OwnerInbox) Secrets(ctx context.Context, shop string) ([]string, error) {
	return get(ctx, s.core, "read Karla's webhook secrets", func(db *sql.DB) ([]string, error) {
		var present, previous []byte
		var replaced int64
		err := queryOne(ctx, db, nil, []any{&present, &previous, &replaced}, `SELECT secret, previous, replaced_at FROM owner_secrets
			WHERE shop = $1 AND (shop = '' OR EXISTS (SELECT 1 FROM shops s WHERE s.slug = owner_secrets.shop AND s.deleted_at = 0))`, shop)
		if err != nil || present == nil {
			return nil, err
		}
		return s.openSecrets(ownerSecret, ownerPrevious, present, previous, s.stillValid(previous, replaced), shop)
	})
}

// SaveSecret stores the secret that an owner signs with, for a shop or, if shop is
// empty, for the platform. The secret is encrypted. The one that it replaces stays
// valid for three days. It returns [ErrNotFound] for an unknown shop.
func (s OwnerInbox) SaveSecret(ctx context.Context, shop, secret, preview string) error {
	if strings.TrimSpace(secret) == "" {
		return errors.New("the webhook secret must not be empty")
	}
	sealed, err := s.seal(ownerSecret, []byte(secret), shop)
	if err != nil {
		return err
	}
	return s.write(ctx, "save Karla's webhook secret", func(tx *sql.Tx) error {
		if shop != "" {
			if err := liveShop(ctx, tx, shop); err != nil {
				return err
			}
		}
		now := s.now()
		n, err := exec(ctx, tx, `INSERT INTO owner_secrets (shop, secret, preview, updated_at) VALUES ($1, $2, $3, $4) ON CONFLICT (shop) DO NOTHING`,
			shop, sealed, preview, now)
		if err != nil || n == 1 {
			return err
		}
		var present []byte
		err = queryOne(ctx, tx, ErrNotFound, []any{&present}, `UPDATE owner_secrets SET updated_at = updated_at WHERE shop = $1 RETURNING secret`, shop)
		if err != nil {
			return err
		}
		old, err := s.open(ownerSecret, present, shop)
		if err != nil || string(old) == secret {
			return err
		}
		previous, err := s.seal(ownerPrevious, old, shop)
		if err != nil {
			return err
		}
		_, err = exec(ctx, tx, `UPDATE owner_secrets SET secret = $2, preview = $3, previous = $4, replaced_at = $5, updated_at = $5 WHERE shop = $1`,
			shop, sealed, preview, previous, now)
		return err
	})
}
