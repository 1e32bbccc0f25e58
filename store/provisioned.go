package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
)

// ProvisionedKind is a kind of object that an identity provider manages.
type ProvisionedKind string

// Kinds.
const (
	ProvisionedUser  ProvisionedKind = "User"
	ProvisionedGroup ProvisionedKind = "Group"
)

// ProvisionedObject links a user or group of an identity provider to an object in Dixa.
type ProvisionedObject struct {
	ConnectionID string
	Kind         ProvisionedKind
	// Name is what [Provisioned.NameOf] returns for the userName or displayName.
	Name string
	// ID is the id in SCIM, and ObjectID the id in Dixa. Both are empty until Dixa has
	// the object.
	ID, ObjectID string
	// Body is what the provider says and Dixa has no place for, as JSON. It is stored
	// sealed.
	Body json.RawMessage
	// Creating is the Idempotency-Key of the operation that creates the object; empty if
	// none does.
	Creating string
	// DeletedAt is when the provider deleted the user; zero if it did not.
	DeletedAt time.Time
}

// NameOf returns the keyed hash of a userName or displayName. Names that differ in case
// have the same hash.
func (s Provisioned) NameOf(name string) string {
	return s.keyedHash("provisioned", strings.ToLower(name))
}

const provisionedColumns = `kind, name, id, object_id, body, creating, deleted_at`

// List lists the objects of a kind.
func (s Provisioned) List(ctx context.Context, connectionID string, kind ProvisionedKind) ([]ProvisionedObject, error) {
	return list(ctx, s.core, "list what was provisioned", s.scan(connectionID),
		`SELECT `+provisionedColumns+` FROM provisioned WHERE connection_id = $1 AND kind = $2 ORDER BY name`, connectionID, kind)
}

// ByID reads an object by its id in SCIM. It returns [ErrNotFound] if there is none.
func (s Provisioned) ByID(ctx context.Context, connectionID string, kind ProvisionedKind, id string) (ProvisionedObject, error) {
	found, err := list(ctx, s.core, "read what was provisioned", s.scan(connectionID),
		`SELECT `+provisionedColumns+` FROM provisioned WHERE connection_id = $1 AND kind = $2 AND id = $3 ORDER BY name`, connectionID, kind, id)
	return only(found, err, notFound("provisioned "+string(kind)+" "+id))
}

func (s Provisioned) scan(connectionID string) func(scan func(...any) error) (ProvisionedObject, error) {
	return func(scan func(...any) error) (o ProvisionedObject, err error) {
		o.ConnectionID = connectionID
		var sealed []byte
		var deleted int64
		if err = scan(&o.Kind, &o.Name, &o.ID, &o.ObjectID, &sealed, &o.Creating, &deleted); err != nil {
			return o, err
		}
		o.DeletedAt = timeOf(deleted)
		o.Body, err = s.open(provisionedBody, sealed, connectionID, string(o.Kind), o.Name)
		return o, err
	}
}

// Begin stores an object that is about to be created, with a new key in Creating. If the
// object is being created already, it returns what is stored and changes nothing, so that
// all who create it use one key.
func (s Provisioned) Begin(ctx context.Context, o ProvisionedObject) (ProvisionedObject, error) {
	err := s.write(ctx, "begin to provision a "+string(o.Kind), func(tx *sql.Tx) error {
		next := o
		next.Creating = uuid.NewString()
		n, err := s.save(ctx, tx, next, ` WHERE provisioned.creating = ''`)
		if err != nil || n > 0 {
			o = next
			return err
		}
		found, err := collect(ctx, tx, s.scan(o.ConnectionID), `SELECT `+provisionedColumns+` FROM provisioned WHERE connection_id = $1 AND kind = $2 AND name = $3`,
			o.ConnectionID, o.Kind, o.Name)
		o, err = only(found, err, errors.New("the row is gone"))
		return err
	})
	return o, err
}

// End stores an object whose creation ended and clears Creating. It does nothing if
// another creation has begun since.
func (s Provisioned) End(ctx context.Context, o ProvisionedObject) error {
	return s.write(ctx, "end provisioning a "+string(o.Kind), func(tx *sql.Tx) error {
		key := o.Creating
		o.Creating = ""
		_, err := s.save(ctx, tx, o, ` WHERE provisioned.creating = `, key)
		return err
	})
}

// Abandon ends a creation that failed. An object that never was is forgotten.
func (s Provisioned) Abandon(ctx context.Context, o ProvisionedObject) error {
	return s.write(ctx, "abandon provisioning a "+string(o.Kind), func(tx *sql.Tx) error {
		args := []any{o.ConnectionID, o.Kind, o.Name, o.Creating}
		if _, err := exec(ctx, tx, `DELETE FROM provisioned WHERE connection_id = $1 AND kind = $2 AND name = $3 AND creating = $4 AND id = ''`, args...); err != nil {
			return err
		}
		_, err := exec(ctx, tx, `UPDATE provisioned SET creating = '' WHERE connection_id = $1 AND kind = $2 AND name = $3 AND creating = $4`, args...)
		return err
	})
}

// Save stores an object, except for Creating.
func (s Provisioned) Save(ctx context.Context, o ProvisionedObject) error {
	return s.write(ctx, "store a provisioned "+string(o.Kind), func(tx *sql.Tx) error {
		_, err := s.save(ctx, tx, o, "")
		return err
	})
}

// save inserts or updates an object. where restricts the update; key is its last
// argument. Creating changes only with a restriction.
func (s Provisioned) save(ctx context.Context, tx *sql.Tx, o ProvisionedObject, where string, key ...string) (int, error) {
	body := o.Body
	if body == nil {
		body = json.RawMessage("{}")
	}
	sealed, err := s.seal(provisionedBody, body, o.ConnectionID, string(o.Kind), o.Name)
	if err != nil {
		return 0, fmt.Errorf("seal what was provisioned: %w", err)
	}
	args := arguments{o.ConnectionID, o.Kind, o.Name, o.ID, o.ObjectID, sealed, o.Creating, micros(o.DeletedAt)}
	creating := ""
	if where != "" {
		creating = ", creating = excluded.creating"
	}
	for _, k := range key {
		where += args.add(k)
	}
	return exec(ctx, tx, `INSERT INTO provisioned (connection_id, kind, name, id, object_id, body, creating, deleted_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (connection_id, kind, name) DO UPDATE SET
		id = excluded.id, object_id = excluded.object_id, body = excluded.body, deleted_at = excluded.deleted_at`+creating+where, args...)
}

// Delete forgets an object.
func (s Provisioned) Delete(ctx context.Context, connectionID string, kind ProvisionedKind, name string) error {
	return s.write(ctx, "forget a provisioned "+string(kind), func(tx *sql.Tx) error {
		_, err := exec(ctx, tx, `DELETE FROM provisioned WHERE connection_id = $1 AND kind = $2 AND name = $3`, connectionID, kind, name)
		return err
	})
}
