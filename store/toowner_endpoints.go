package store

import (
	"cmp"
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/base64"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/claimflow/claimflow/claim"
)

// secretPrefix starts every endpoint's secret, as Standard Webhooks specifies.
const secretPrefix = "whsec_"

// EndpointState says whether events are sent to an endpoint.
type EndpointState string

// The states of an endpoint. Events that happen while an endpoint is paused wait.
const (
	EndpointActive EndpointState = "active"
	EndpointPaused EndpointState = "paused"
)

// EndpointKind says how an endpoint receives events.
type EndpointKind string

// The kinds of endpoints.
const (
	// EndpointWebhook receives every event as a signed webhook.
	EndpointWebhook EndpointKind = "webhook"
	// EndpointKarla is Karla's API, which receives the status of claims.
	EndpointKarla EndpointKind = "karla"
	// EndpointEmail is a staff address, which receives mail when a person has to
	// act.
	EndpointEmail EndpointKind = "email"
)

// KarlaAccess is what Karla's API requires besides its address.
type KarlaAccess struct {
	// Shop is the shop's slug at Karla; empty if it is the claim's own.
	Shop     string `json:"shop,omitempty"`
	User     string `json:"user"`
	Password string `json:"password"`
}

// String hides the credentials.
func (KarlaAccess) String() string { return "[secret]" }

// GoString hides the credentials from %#v.
func (KarlaAccess) GoString() string { return "[secret]" }

// Endpoint is an address that receives events about claims.
type Endpoint struct {
	ID   string
	Kind EndpointKind
	// Shop is the shop whose claims it is notified of; empty for all shops. URL is a
	// mailto address for an endpoint of kind email, the API's address for one of
	// kind karla.
	Shop, URL, Description string
	// KarlaShop is the shop's slug at Karla, if it is not the claim's own.
	KarlaShop string
	// Types lists the event types that it wants; empty for the default of its kind,
	// see [EndpointKind.Wants].
	Types []string
	State EndpointState
	// Reason says why it is paused.
	Reason string
	// PreviousUntil is until when the secret before the last rotation also signs;
	// zero if it has expired.
	PreviousUntil time.Time
	// FailingSince is the time of the first failure in the current series; zero
	// after a success.
	FailingSince time.Time
	// SucceededAt is approximately when it last accepted an event.
	SucceededAt time.Time
	// Waiting and Dead count deliveries.
	Waiting, Dead        int
	CreatedAt, UpdatedAt time.Time
}

// NewEndpoint is an endpoint to add.
type NewEndpoint struct {
	// Kind defaults to [EndpointWebhook].
	Kind                   EndpointKind
	Shop, URL, Description string
	Types                  []string
	// Karla is for an endpoint of kind karla.
	Karla KarlaAccess
}

// EndpointPatch is a change to an endpoint; nil fields stay unchanged.
type EndpointPatch struct {
	URL, Description *string
	Types            *[]string
	// KarlaShop, User and Password are for an endpoint of kind karla.
	KarlaShop, User, Password *string
	// State paused also sets Reason; state active does what [Endpoints.Resume] does.
	State  *EndpointState
	Reason string
}

func newEndpointSecret() string {
	random := make([]byte, 32)
	rand.Read(random)
	return secretPrefix + base64.StdEncoding.EncodeToString(random)
}

// Create adds an endpoint and returns it with its secret, which is stored encrypted
// and never returned again. Only webhooks have a secret. The endpoint receives
// events from now on.
func (s Endpoints) Create(ctx context.Context, e NewEndpoint) (endpoint Endpoint, secret string, err error) {
	id := uuid.NewString()
	e.Kind = cmp.Or(e.Kind, EndpointWebhook)
	if e.Kind == EndpointWebhook {
		secret = newEndpointSecret()
	}
	var karla any // a nil []byte is not NULL in SQLite
	if e.Kind == EndpointKarla {
		if karla, err = s.sealJSON(endpointKarla, accessJSON(e.Karla), id); err != nil {
			return Endpoint{}, "", err
		}
	}
	sealedSecret, err := s.seal(endpointSecret, []byte(secret), id)
	if err != nil {
		return Endpoint{}, "", err
	}
	sealedURL, err := s.seal(endpointURL, []byte(e.URL), id)
	if err != nil {
		return Endpoint{}, "", err
	}
	err = s.write(ctx, "add an endpoint", func(tx *sql.Tx) error {
		if e.Shop != "" {
			if err := liveShop(ctx, tx, e.Shop); err != nil {
				return err
			}
		}
		_, err := exec(ctx, tx, `INSERT INTO endpoints (id, kind, shop, url, description, types, state, secret, karla, created_at, updated_at)
			VALUES ($1, $9, $2, $3, $4, $5, $6, $7, $10, $8, $8)`,
			id, e.Shop, sealedURL, plain(e.Description), strings.Join(e.Types, ","), EndpointActive, sealedSecret, s.now(), e.Kind, karla)
		return err
	})
	if err == nil {
		endpoint, err = s.Get(ctx, e.Shop, id)
	}
	if err != nil {
		return Endpoint{}, "", err
	}
	return endpoint, secret, nil
}

// List lists the endpoints of a shop, or of the platform if shop is empty, oldest
// first.
func (s Endpoints) List(ctx context.Context, shop string) ([]Endpoint, error) {
	return s.endpointsWhere(ctx, `e.shop = $1`, shop)
}

// Get reads an endpoint of a shop, or of the platform if shop is empty. An endpoint
// that does not exist, or belongs to another shop, is [ErrNotFound], here and in the
// other methods.
func (s Endpoints) Get(ctx context.Context, shop, id string) (Endpoint, error) {
	found, err := s.endpointsWhere(ctx, `e.shop = $1 AND e.id = $2`, shop, id)
	if err == nil && len(found) == 0 {
		err = endpointNotFound(id)
	}
	if err != nil {
		return Endpoint{}, err
	}
	return found[0], nil
}

// AnyActive reports whether anyone is notified of a shop's claims that need a
// person: by an active endpoint of the shop or of the platform that wants such
// events.
func (s Endpoints) AnyActive(ctx context.Context, shop string) (bool, error) {
	heard := false
	err := s.read(ctx, "look for endpoints of shop "+shop, func(db *sql.DB) error {
		heard = false
		return queryEach(ctx, db, func(scan func(...any) error) error {
			var kind EndpointKind
			var types string
			err := scan(&kind, &types)
			for _, t := range []string{claim.OutboundNeedsAttention, claim.OutboundFallback} {
				heard = heard || kind != EndpointKarla && kind.Wants(splitTypes(types), t)
			}
			return err
		}, `SELECT kind, types FROM endpoints WHERE shop IN ('', $1) AND state = 'active'`, shop)
	})
	return heard, err
}

func endpointNotFound(id string) error { return notFound("endpoint " + id) }

func (s *core) endpointsWhere(ctx context.Context, where string, args ...any) ([]Endpoint, error) {
	now := s.clock()
	return list(ctx, s, "read endpoints", func(scan func(...any) error) (Endpoint, error) {
		var e Endpoint
		var url, karla []byte
		var types string
		var until, failing, succeeded, created, updated int64
		err := scan(&e.ID, &e.Kind, &e.Shop, &url, &karla, &e.Description, &types, &e.State, &e.Reason, &until, &failing, &succeeded, &created, &updated, &e.Waiting, &e.Dead)
		if err != nil {
			return e, err
		}
		address, err := s.open(endpointURL, url, e.ID)
		if err != nil {
			return e, err
		}
		e.URL, e.Types = string(address), splitTypes(types)
		access, err := s.karlaAccess(karla, e.ID)
		if err != nil {
			return e, err
		}
		e.KarlaShop = access.Shop
		e.FailingSince, e.SucceededAt, e.CreatedAt, e.UpdatedAt = timeOf(failing), timeOf(succeeded), timeOf(created), timeOf(updated)
		if t := timeOf(until); t.After(now) {
			e.PreviousUntil = t
		}
		return e, nil
	}, `SELECT e.id, e.kind, e.shop, e.url, e.karla, e.description, e.types, e.state, e.reason, e.previous_until, e.failing_since, e.succeeded_at, e.created_at, e.updated_at,
			(SELECT COUNT(*) FROM deliveries d WHERE d.endpoint_id = e.id AND d.state = 'waiting'),
			(SELECT COUNT(*) FROM deliveries d WHERE d.endpoint_id = e.id AND d.state = 'dead')
		FROM endpoints e WHERE `+where+` ORDER BY e.created_at, e.id`, args...)
}

// accessJSON is [KarlaAccess] without the methods that hide it.
type accessJSON KarlaAccess

func (s *core) karlaAccess(sealed []byte, endpointID string) (KarlaAccess, error) {
	var access accessJSON
	if len(sealed) == 0 {
		return KarlaAccess{}, nil
	}
	err := s.openJSON(endpointKarla, sealed, &access, endpointID)
	return KarlaAccess(access), err
}

func splitTypes(types string) []string {
	if types == "" {
		return nil
	}
	return strings.Split(types, ",")
}

// Patch changes an endpoint. New types apply to later events. Waiting deliveries go
// to a new address.
func (s Endpoints) Patch(ctx context.Context, shop, id string, p EndpointPatch) (Endpoint, error) {
	err := s.write(ctx, "change endpoint "+id, func(tx *sql.Tx) error {
		var args arguments
		assign := `updated_at = ` + args.add(s.now())
		if p.URL != nil {
			sealed, err := s.seal(endpointURL, []byte(*p.URL), id)
			if err != nil {
				return err
			}
			assign += `, url = ` + args.add(sealed)
		}
		if p.Description != nil {
			assign += `, description = ` + args.add(plain(*p.Description))
		}
		if p.Types != nil {
			assign += `, types = ` + args.add(strings.Join(*p.Types, ","))
		}
		if p.State != nil && *p.State == EndpointPaused {
			assign += `, state = 'paused', reason = ` + args.add(plain(p.Reason))
		}
		if p.KarlaShop != nil || p.User != nil || p.Password != nil {
			sealed, err := s.patchedAccess(ctx, tx, shop, id, p)
			if err != nil {
				return err
			}
			assign += `, karla = ` + args.add(sealed)
		}
		n, err := exec(ctx, tx, `UPDATE endpoints SET `+assign+` WHERE shop = `+args.add(shop)+` AND id = `+args.add(id), args...)
		if err == nil && n == 0 {
			err = endpointNotFound(id)
		}
		if err == nil && p.State != nil && *p.State == EndpointActive {
			err = s.resumeEndpoint(ctx, tx, shop, id)
		}
		return err
	})
	if err != nil {
		return Endpoint{}, err
	}
	return s.Get(ctx, shop, id)
}

// patchedAccess returns the encrypted access of a Karla endpoint after a change.
func (s *core) patchedAccess(ctx context.Context, tx *sql.Tx, shop, id string, p EndpointPatch) ([]byte, error) {
	var kind EndpointKind
	var sealed []byte
	err := queryOne(ctx, tx, endpointNotFound(id), []any{&kind, &sealed},
		`UPDATE endpoints SET updated_at = updated_at WHERE shop = $1 AND id = $2 RETURNING kind, karla`, shop, id)
	if err != nil {
		return nil, err
	}
	if kind != EndpointKarla {
		return nil, &ConflictError{What: "endpoint", Problem: "the endpoint is of kind " + string(kind) + ", so it has no shop, user or password at Karla"}
	}
	access, err := s.karlaAccess(sealed, id)
	if err != nil {
		return nil, err
	}
	for to, from := range map[*string]*string{&access.Shop: p.KarlaShop, &access.User: p.User, &access.Password: p.Password} {
		if from != nil {
			*to = *from
		}
	}
	return s.sealJSON(endpointKarla, accessJSON(access), id)
}

// Resume continues a paused endpoint where it stopped: waiting deliveries are due at
// once, and their schedule restarts. It does nothing if the endpoint is active.
func (s Endpoints) Resume(ctx context.Context, shop, id string) (Endpoint, error) {
	err := s.write(ctx, "resume endpoint "+id, func(tx *sql.Tx) error { return s.resumeEndpoint(ctx, tx, shop, id) })
	if err != nil {
		return Endpoint{}, err
	}
	return s.Get(ctx, shop, id)
}

func (s *core) resumeEndpoint(ctx context.Context, tx *sql.Tx, shop, id string) error {
	var state EndpointState
	err := queryOne(ctx, tx, endpointNotFound(id), []any{&state}, `UPDATE endpoints SET updated_at = updated_at WHERE shop = $1 AND id = $2 RETURNING state`, shop, id)
	if err != nil || state == EndpointActive {
		return err
	}
	now := s.now()
	if _, err := exec(ctx, tx, `UPDATE endpoints SET state = 'active', reason = '', failing_since = 0, failed_at = 0, updated_at = $2 WHERE id = $1`, id, now); err != nil {
		return err
	}
	_, err = exec(ctx, tx, `UPDATE deliveries SET attempts = 0, next_attempt_at = $2 WHERE endpoint_id = $1 AND state = 'waiting'`, id, now)
	return err
}

// Delete deletes an endpoint with its deliveries.
func (s Endpoints) Delete(ctx context.Context, shop, id string) error {
	return s.write(ctx, "remove endpoint "+id, func(tx *sql.Tx) error {
		n, err := exec(ctx, tx, `DELETE FROM endpoints WHERE shop = $1 AND id = $2`, shop, id)
		if err == nil && n == 0 {
			err = endpointNotFound(id)
		}
		return err
	})
}

// RotateSecret gives an endpoint a new secret, which is never returned again. The
// previous secret also signs for as long as keep says; zero ends it at once. Older
// secrets do not sign. It returns a [*ConflictError] if the endpoint is not a
// webhook because only webhooks have a secret.
func (s Endpoints) RotateSecret(ctx context.Context, shop, id string, keep time.Duration) (endpoint Endpoint, secret string, err error) {
	secret = newEndpointSecret()
	sealed, err := s.seal(endpointSecret, []byte(secret), id)
	if err != nil {
		return Endpoint{}, "", err
	}
	err = s.write(ctx, "rotate the secret of endpoint "+id, func(tx *sql.Tx) error {
		var present []byte
		var kind EndpointKind
		err := queryOne(ctx, tx, endpointNotFound(id), []any{&kind, &present},
			`UPDATE endpoints SET updated_at = $3 WHERE shop = $1 AND id = $2 RETURNING kind, secret`, shop, id, s.now())
		if err != nil {
			return err
		}
		if kind != EndpointWebhook {
			return &ConflictError{What: "endpoint", Problem: "the endpoint is of kind " + string(kind) + ", so nothing is signed for it and it has no secret"}
		}
		var former any // a nil []byte is not NULL in SQLite
		var until int64
		if keep > 0 {
			old, err := s.open(endpointSecret, present, id)
			if err != nil {
				return err
			}
			if former, err = s.seal(endpointFormer, old, id); err != nil {
				return err
			}
			until = micros(s.clock().Add(keep))
		}
		_, err = exec(ctx, tx, `UPDATE endpoints SET secret = $2, previous_secret = $3, previous_until = $4 WHERE id = $1`, id, sealed, former, until)
		return err
	})
	if err == nil {
		endpoint, err = s.Get(ctx, shop, id)
	}
	if err != nil {
		return Endpoint{}, "", err
	}
	return endpoint, secret, nil
}

// Wants reports whether an endpoint of this kind with the given types wants an event
// of a type. Without types, a webhook wants every event, staff want the events that
// require them to act, and Karla wants the events of claims, which are the only ones
// that it can receive.
func (k EndpointKind) Wants(types []string, kind string) bool {
	if k == EndpointKarla && !strings.HasPrefix(kind, "claim.") {
		return false
	}
	if len(types) > 0 {
		return slices.Contains(types, kind)
	}
	return k != EndpointEmail || slices.Contains(claim.AlertTypes(), kind)
}
