package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/base64"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// secretPrefix begins every endpoint's secret, as Standard Webhooks has it.
const secretPrefix = "whsec_"

// EndpointState says whether an endpoint is sent anything.
type EndpointState string

// The states of an endpoint. What happens while one is paused waits.
const (
	EndpointActive EndpointState = "active"
	EndpointPaused EndpointState = "paused"
)

// Endpoint is an address that is told what becomes of claims.
type Endpoint struct {
	ID string
	// Shop is the shop whose claims it is told of; empty for those of all.
	Shop, URL, Description string
	// Types are the types of events that it wants; empty for all.
	Types []string
	State EndpointState
	// Reason says why it is paused.
	Reason string
	// PreviousUntil is until when the secret before the last rotation signs too;
	// zero where it does not any more.
	PreviousUntil time.Time
	// FailingSince is when the first of the present row of failures was; zero
	// after a success.
	FailingSince time.Time
	// SucceededAt is about when it last took an event.
	SucceededAt time.Time
	// Waiting and Dead count deliveries.
	Waiting, Dead        int
	CreatedAt, UpdatedAt time.Time
}

// NewEndpoint is an endpoint to add.
type NewEndpoint struct {
	Shop, URL, Description string
	Types                  []string
}

// EndpointPatch is what to change of an endpoint; nil leaves what is there.
type EndpointPatch struct {
	URL, Description *string
	Types            *[]string
	// State paused takes Reason with it; state active does what
	// [Store.ResumeEndpoint] does.
	State  *EndpointState
	Reason string
}

func newEndpointSecret() string {
	random := make([]byte, 32)
	rand.Read(random)
	return secretPrefix + base64.StdEncoding.EncodeToString(random)
}

// AddEndpoint adds an endpoint and returns it with its secret, which is kept
// sealed and does not come out again. It is told of what happens from now on.
func (s *Store) AddEndpoint(ctx context.Context, e NewEndpoint) (endpoint Endpoint, secret string, err error) {
	id := uuid.NewString()
	secret = newEndpointSecret()
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
		_, err := exec(ctx, tx, `INSERT INTO endpoints (id, shop, url, description, types, state, secret, created_at, updated_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)`,
			id, e.Shop, sealedURL, plain(e.Description), strings.Join(e.Types, ","), EndpointActive, sealedSecret, s.now())
		return err
	})
	if err == nil {
		endpoint, err = s.Endpoint(ctx, e.Shop, id)
	}
	if err != nil {
		return Endpoint{}, "", err
	}
	return endpoint, secret, nil
}

// Endpoints lists the endpoints of a shop, or those of the platform where shop
// is empty, oldest first.
func (s *Store) Endpoints(ctx context.Context, shop string) ([]Endpoint, error) {
	return s.endpointsWhere(ctx, `e.shop = $1`, shop)
}

// Endpoint reads an endpoint of a shop, or of the platform where shop is empty.
// One that is not there, or is another shop's, is [ErrNotFound], here and in the
// other methods.
func (s *Store) Endpoint(ctx context.Context, shop, id string) (Endpoint, error) {
	found, err := s.endpointsWhere(ctx, `e.shop = $1 AND e.id = $2`, shop, id)
	if err == nil && len(found) == 0 {
		err = endpointNotFound(id)
	}
	if err != nil {
		return Endpoint{}, err
	}
	return found[0], nil
}

// Heard reports whether an active endpoint is told of a shop's claims: one of
// its own or of the platform.
func (s *Store) Heard(ctx context.Context, shop string) (bool, error) {
	var n int
	err := s.read(ctx, "look for endpoints of shop "+shop, func(db *sql.DB) error {
		return one(ctx, db, nil, []any{&n}, `SELECT COUNT(*) FROM endpoints WHERE shop IN ('', $1) AND state = 'active'`, shop)
	})
	return n > 0, err
}

func endpointNotFound(id string) error { return notFound("endpoint " + id) }

func (s *Store) endpointsWhere(ctx context.Context, where string, args ...any) ([]Endpoint, error) {
	var all []Endpoint
	err := s.read(ctx, "read endpoints", func(db *sql.DB) error {
		all = nil
		now := s.clock()
		return each(ctx, db, func(scan func(...any) error) error {
			var e Endpoint
			var url []byte
			var types string
			var until, failing, succeeded, created, updated int64
			err := scan(&e.ID, &e.Shop, &url, &e.Description, &types, &e.State, &e.Reason, &until, &failing, &succeeded, &created, &updated, &e.Waiting, &e.Dead)
			if err != nil {
				return err
			}
			address, err := s.open(endpointURL, url, e.ID)
			if err != nil {
				return err
			}
			e.URL, e.Types = string(address), splitTypes(types)
			e.FailingSince, e.SucceededAt, e.CreatedAt, e.UpdatedAt = timeOf(failing), timeOf(succeeded), timeOf(created), timeOf(updated)
			if t := timeOf(until); t.After(now) {
				e.PreviousUntil = t
			}
			all = append(all, e)
			return nil
		}, `SELECT e.id, e.shop, e.url, e.description, e.types, e.state, e.reason, e.previous_until, e.failing_since, e.succeeded_at, e.created_at, e.updated_at,
				(SELECT COUNT(*) FROM deliveries d WHERE d.endpoint_id = e.id AND d.state = 'waiting'),
				(SELECT COUNT(*) FROM deliveries d WHERE d.endpoint_id = e.id AND d.state = 'dead')
			FROM endpoints e WHERE `+where+` ORDER BY e.created_at, e.id`, args...)
	})
	return all, err
}

func splitTypes(types string) []string {
	if types == "" {
		return nil
	}
	return strings.Split(types, ",")
}

// PatchEndpoint changes an endpoint. Other types hold for what happens from now
// on; what waits is sent to a new address.
func (s *Store) PatchEndpoint(ctx context.Context, shop, id string, p EndpointPatch) (Endpoint, error) {
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
	return s.Endpoint(ctx, shop, id)
}

// ResumeEndpoint goes on where a paused endpoint stopped: what waits is due at
// once and its schedule begins anew. It does nothing for one that is active.
func (s *Store) ResumeEndpoint(ctx context.Context, shop, id string) (Endpoint, error) {
	err := s.write(ctx, "resume endpoint "+id, func(tx *sql.Tx) error { return s.resumeEndpoint(ctx, tx, shop, id) })
	if err != nil {
		return Endpoint{}, err
	}
	return s.Endpoint(ctx, shop, id)
}

func (s *Store) resumeEndpoint(ctx context.Context, tx *sql.Tx, shop, id string) error {
	var state EndpointState
	err := one(ctx, tx, endpointNotFound(id), []any{&state}, `UPDATE endpoints SET updated_at = updated_at WHERE shop = $1 AND id = $2 RETURNING state`, shop, id)
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

// DeleteEndpoint removes an endpoint with its deliveries.
func (s *Store) DeleteEndpoint(ctx context.Context, shop, id string) error {
	return s.write(ctx, "remove endpoint "+id, func(tx *sql.Tx) error {
		n, err := exec(ctx, tx, `DELETE FROM endpoints WHERE shop = $1 AND id = $2`, shop, id)
		if err == nil && n == 0 {
			err = endpointNotFound(id)
		}
		return err
	})
}

// RotateEndpoint gives an endpoint a new secret, which does not come out again.
// The one before signs beside it for as long as keep says; zero ends it at once.
// A secret before that signs no more.
func (s *Store) RotateEndpoint(ctx context.Context, shop, id string, keep time.Duration) (endpoint Endpoint, secret string, err error) {
	secret = newEndpointSecret()
	sealed, err := s.seal(endpointSecret, []byte(secret), id)
	if err != nil {
		return Endpoint{}, "", err
	}
	err = s.write(ctx, "rotate the secret of endpoint "+id, func(tx *sql.Tx) error {
		var present []byte
		err := one(ctx, tx, endpointNotFound(id), []any{&present},
			`UPDATE endpoints SET updated_at = $3 WHERE shop = $1 AND id = $2 RETURNING secret`, shop, id, s.now())
		if err != nil {
			return err
		}
		var former any // a nil []byte is no NULL in SQLite
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
		endpoint, err = s.Endpoint(ctx, shop, id)
	}
	if err != nil {
		return Endpoint{}, "", err
	}
	return endpoint, secret, nil
}

// wants reports whether an endpoint with these types wants an event.
func wants(types, kind string) bool { return types == "" || slices.Contains(splitTypes(types), kind) }
