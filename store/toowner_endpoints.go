package store

import (
	"cmp"
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/base64"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/claimflow/claimflow/claim"
)

// secretPrefix starts every endpoint's secret, as Standard Webhooks specifies.
const secretPrefix = "whsec_"

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

func newEndpointSecret() string {
	random := make([]byte, 32)
	rand.Read(random)
	return secretPrefix + base64.StdEncoding.EncodeToString(random)
}

// Create adds an endpoint and returns it with its secret, which is stored encrypted
// and never returned again. Only webhooks have a secret, see [claim.EndpointKind.Signs]. The endpoint receives
// events from now on.
func (s Endpoints) Create(ctx context.Context, shop string, e claim.NewEndpoint) (endpoint claim.Endpoint, secret string, err error) {
	id := uuid.NewString()
	e.Kind = cmp.Or(e.Kind, claim.EndpointWebhook)
	if e.Kind.Signs() {
		secret = newEndpointSecret()
	}
	var karla any // a nil []byte is not NULL in SQLite
	if e.Kind == claim.EndpointKarla {
		if karla, err = s.sealJSON(endpointKarla, KarlaAccess{Shop: e.KarlaShop, User: e.User, Password: e.Password}, id); err != nil {
			return claim.Endpoint{}, "", err
		}
	}
	sealedSecret, err := s.seal(endpointSecret, []byte(secret), id)
	if err != nil {
		return claim.Endpoint{}, "", err
	}
	sealedURL, err := s.seal(endpointURL, []byte(e.URL), id)
	if err != nil {
		return claim.Endpoint{}, "", err
	}
	err = s.write(ctx, "add an endpoint", func(tx *sql.Tx) error {
		if shop != "" {
			if err := liveShop(ctx, tx, shop); err != nil {
				return err
			}
		}
		_, err := exec(ctx, tx, `INSERT INTO endpoints (id, kind, shop, url, description, types, state, secret, karla, created_at, updated_at, resources, history)
			VALUES ($1, $9, $2, $3, $4, $5, $6, $7, $10, $8, $8, $11, $12)`,
			id, shop, sealedURL, plain(e.Description), strings.Join(e.EventTypes, ","), claim.EndpointActive, sealedSecret, s.now(), e.Kind, karla,
			strings.Join(e.Resources, ","), e.History)
		if err == nil && claim.WantsRecords(e.EventTypes) {
			err = s.startFeeds(ctx, tx, id)
		}
		return err
	})
	if err == nil {
		endpoint, err = s.Get(ctx, shop, id)
	}
	if err != nil {
		return claim.Endpoint{}, "", err
	}
	return endpoint, secret, nil
}

// List lists the endpoints of a shop, or of the platform if shop is empty, oldest
// first.
func (s Endpoints) List(ctx context.Context, shop string) ([]claim.Endpoint, error) {
	return s.endpointsWhere(ctx, `e.shop = $1`, shop)
}

// Get reads an endpoint of a shop, or of the platform if shop is empty. An endpoint
// that does not exist, or belongs to another shop, is [ErrNotFound], here and in the
// other methods.
func (s Endpoints) Get(ctx context.Context, shop, id string) (claim.Endpoint, error) {
	found, err := s.endpointsWhere(ctx, `e.shop = $1 AND e.id = $2`, shop, id)
	return only(found, err, endpointNotFound(id))
}

// AnyActive reports whether anyone is notified of a shop's claims that need a
// person: by an active endpoint of the shop or of the platform that wants such
// events.
func (s Endpoints) AnyActive(ctx context.Context, shop string) (bool, error) {
	heard := false
	err := s.read(ctx, "read the endpoints of shop "+shop, func(db *sql.DB) error {
		heard = false
		return queryEach(ctx, db, func(scan func(...any) error) error {
			var kind claim.EndpointKind
			var types string
			err := scan(&kind, &types)
			for _, t := range []string{claim.OutboundNeedsAttention, claim.OutboundFallback} {
				heard = heard || kind != claim.EndpointKarla && kind.Wants(splitTypes(types), t)
			}
			return err
		}, `SELECT kind, types FROM endpoints WHERE shop IN ('', $1) AND state = 'active'`, shop)
	})
	return heard, err
}

func endpointNotFound(id string) error { return notFound("endpoint " + id) }

func (s *core) endpointsWhere(ctx context.Context, where string, args ...any) ([]claim.Endpoint, error) {
	now := s.clock()
	return list(ctx, s, "read endpoints", func(scan func(...any) error) (claim.Endpoint, error) {
		var e claim.Endpoint
		var url, karla []byte
		var types, resources string
		var until, failing, succeeded, created, updated, missed int64
		err := scan(&e.ID, &e.Kind, &e.Shop, &url, &karla, &e.Description, &types, &resources, &e.History, &e.State, &e.Reason, &until, &failing, &succeeded, &created, &updated,
			&missed, &e.Waiting, &e.Dead)
		if err != nil {
			return e, err
		}
		address, err := s.open(endpointURL, url, e.ID)
		if err != nil {
			return e, err
		}
		e.URL, e.EventTypes, e.RecordsMissedAt = string(address), splitTypes(types), timeOf(missed)
		if resources != "" {
			e.Resources = splitTypes(resources)
		}
		access, err := s.karlaAccess(karla, e.ID)
		if err != nil {
			return e, err
		}
		e.KarlaShop = access.Shop
		e.FailingSince, e.SucceededAt, e.CreatedAt, e.UpdatedAt = timeOf(failing), timeOf(succeeded), timeOf(created), timeOf(updated)
		if t := timeOf(until); t.After(now) {
			e.PreviousSecretUntil = t
		}
		return e, nil
	}, `SELECT e.id, e.kind, e.shop, e.url, e.karla, e.description, e.types, e.resources, e.history, e.state, e.reason, e.previous_until, e.failing_since, e.succeeded_at, e.created_at, e.updated_at,
			(SELECT COALESCE(MAX(f.missed_at), 0) FROM record_feeds f WHERE f.endpoint_id = e.id),
			(SELECT COUNT(*) FROM deliveries d WHERE d.endpoint_id = e.id AND d.state = 'waiting'),
			(SELECT COUNT(*) FROM deliveries d WHERE d.endpoint_id = e.id AND d.state = 'dead')
		FROM endpoints e WHERE `+where+` ORDER BY e.created_at, e.id`, args...)
}

func (s *core) karlaAccess(sealed []byte, endpointID string) (access KarlaAccess, err error) {
	if len(sealed) > 0 {
		err = s.openJSON(endpointKarla, sealed, &access, endpointID)
	}
	return access, err
}

func splitTypes(types string) []string {
	if types == "" {
		return []string{}
	}
	return strings.Split(types, ",")
}

// Patch changes an endpoint. New types apply to later events; an endpoint that
// begins to want records gets the changes from then on. Waiting deliveries go
// to a new address. State paused also saves reason; state active does what
// [Endpoints.Resume] does.
func (s Endpoints) Patch(ctx context.Context, shop, id string, p claim.EndpointPatch, reason string) (claim.Endpoint, error) {
	err := s.write(ctx, "update endpoint "+id, func(tx *sql.Tx) error {
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
		if p.EventTypes != nil {
			assign += `, types = ` + args.add(strings.Join(*p.EventTypes, ","))
		}
		if p.Resources != nil {
			assign += `, resources = ` + args.add(strings.Join(*p.Resources, ","))
		}
		if p.State != nil && *p.State == claim.EndpointPaused {
			assign += `, state = 'paused', reason = ` + args.add(plain(reason))
		}
		if p.KarlaShop != nil || p.User != nil || p.Password != nil {
			sealed, err := s.patchedAccess(ctx, tx, shop, id, p)
			if err != nil {
				return err
			}
			assign += `, karla = ` + args.add(sealed)
		}
		err := execOne(ctx, tx, endpointNotFound(id), `UPDATE endpoints SET `+assign+` WHERE shop = `+args.add(shop)+` AND id = `+args.add(id), args...)
		if err == nil && p.EventTypes != nil {
			err = s.followRecords(ctx, tx, id, claim.WantsRecords(*p.EventTypes))
		}
		if err == nil && p.State != nil && *p.State == claim.EndpointActive {
			err = s.resumeEndpoint(ctx, tx, shop, id)
		}
		return err
	})
	if err != nil {
		return claim.Endpoint{}, err
	}
	return s.Get(ctx, shop, id)
}

// followRecords starts or ends the feeds of an endpoint unless they are as wanted.
func (s *core) followRecords(ctx context.Context, tx *sql.Tx, id string, wanted bool) error {
	var since int64
	err := queryOne(ctx, tx, endpointNotFound(id), []any{&since}, `SELECT records_since FROM endpoints WHERE id = $1`, id)
	if err != nil || wanted == (since > 0) {
		return err
	}
	if wanted {
		return s.startFeeds(ctx, tx, id)
	}
	if _, err := exec(ctx, tx, `UPDATE endpoints SET records_since = 0 WHERE id = $1`, id); err != nil {
		return err
	}
	_, err = exec(ctx, tx, `DELETE FROM record_feeds WHERE endpoint_id = $1`, id)
	return err
}

// patchedAccess returns the encrypted access of a Karla endpoint after a change.
func (s *core) patchedAccess(ctx context.Context, tx *sql.Tx, shop, id string, p claim.EndpointPatch) ([]byte, error) {
	var kind claim.EndpointKind
	var sealed []byte
	err := queryOne(ctx, tx, endpointNotFound(id), []any{&kind, &sealed},
		`UPDATE endpoints SET updated_at = updated_at WHERE shop = $1 AND id = $2 RETURNING kind, karla`, shop, id)
	if err != nil {
		return nil, err
	}
	if kind != claim.EndpointKarla {
		return nil, conflict("the endpoint is of kind %s, which has no shop, user or password at Karla", kind)
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
	return s.sealJSON(endpointKarla, access, id)
}

// Resume continues a paused endpoint where it stopped: waiting deliveries are due at
// once, and their schedule restarts. It does nothing if the endpoint is active.
func (s Endpoints) Resume(ctx context.Context, shop, id string) (claim.Endpoint, error) {
	err := s.write(ctx, "resume endpoint "+id, func(tx *sql.Tx) error { return s.resumeEndpoint(ctx, tx, shop, id) })
	if err != nil {
		return claim.Endpoint{}, err
	}
	return s.Get(ctx, shop, id)
}

func (s *core) resumeEndpoint(ctx context.Context, tx *sql.Tx, shop, id string) error {
	var state claim.EndpointState
	err := queryOne(ctx, tx, endpointNotFound(id), []any{&state}, `UPDATE endpoints SET updated_at = updated_at WHERE shop = $1 AND id = $2 RETURNING state`, shop, id)
	if err != nil || state == claim.EndpointActive {
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
	return s.execute(ctx, "delete endpoint "+id, endpointNotFound(id), `DELETE FROM endpoints WHERE shop = $1 AND id = $2`, shop, id)
}

// RotateSecret gives an endpoint a new secret, which is never returned again. The
// previous secret also signs for as long as keep says; zero ends it at once. Older
// secrets do not sign. It returns a [*ConflictError] if the endpoint is not a
// webhook because only webhooks have a secret.
func (s Endpoints) RotateSecret(ctx context.Context, shop, id string, keep time.Duration) (endpoint claim.Endpoint, secret string, err error) {
	secret = newEndpointSecret()
	sealed, err := s.seal(endpointSecret, []byte(secret), id)
	if err != nil {
		return claim.Endpoint{}, "", err
	}
	err = s.write(ctx, "rotate the secret of endpoint "+id, func(tx *sql.Tx) error {
		var present []byte
		var kind claim.EndpointKind
		err := queryOne(ctx, tx, endpointNotFound(id), []any{&kind, &present},
			`UPDATE endpoints SET updated_at = $3 WHERE shop = $1 AND id = $2 RETURNING kind, secret`, shop, id, s.now())
		if err != nil {
			return err
		}
		if !kind.Signs() {
			return conflict("the endpoint is of kind %s, which has no signing secret", kind)
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
		return claim.Endpoint{}, "", err
	}
	return endpoint, secret, nil
}
