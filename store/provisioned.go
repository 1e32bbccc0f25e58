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
	// Changing is the id of the operation that creates the object, or decides whether a
	// user is an agent; empty for none. The operation may have ended, if nobody noted it.
	Changing string
	// DeletedAt is when the provider deleted the user; zero if it did not.
	DeletedAt time.Time
}

// NameOf returns the keyed hash of a userName or displayName. Names that differ in case
// have the same hash.
func (s Provisioned) NameOf(name string) string {
	return s.keyedHash("provisioned", strings.ToLower(name))
}

const provisionedColumns = `kind, name, id, object_id, body, changing, deleted_at`

// List lists the objects of a kind.
func (s Provisioned) List(ctx context.Context, connectionID string, kind ProvisionedKind) ([]ProvisionedObject, error) {
	return list(ctx, s.core, "list what was provisioned", s.scan(connectionID),
		`SELECT `+provisionedColumns+` FROM provisioned WHERE connection_id = $1 AND kind = $2 ORDER BY name`, connectionID, kind)
}

func (s Provisioned) scan(connectionID string) func(scan func(...any) error) (ProvisionedObject, error) {
	return func(scan func(...any) error) (o ProvisionedObject, err error) {
		o.ConnectionID = connectionID
		var sealed []byte
		var deleted int64
		if err = scan(&o.Kind, &o.Name, &o.ID, &o.ObjectID, &sealed, &o.Changing, &deleted); err != nil {
			return o, err
		}
		o.DeletedAt = timeOf(deleted)
		o.Body, err = s.open(provisionedBody, sealed, connectionID, string(o.Kind), o.Name)
		return o, err
	}
}

// Begin notes that an object is about to change, with the id of a new operation in
// Changing, and returns what is stored. An object that is known already stays as it is,
// because the change may be refused. If another change has begun, fresh is false and
// nothing is noted, so that all who make the same change use one operation.
func (s Provisioned) Begin(ctx context.Context, o ProvisionedObject) (stored ProvisionedObject, fresh bool, err error) {
	o.Changing = uuid.NewString()
	err = s.write(ctx, "begin to change a provisioned "+string(o.Kind), func(tx *sql.Tx) error {
		n, err := s.put(ctx, tx, o, `changing = excluded.changing WHERE provisioned.changing = ''`)
		if err != nil {
			return err
		}
		fresh = n > 0
		found, err := collect(ctx, tx, s.scan(o.ConnectionID), `SELECT `+provisionedColumns+` FROM provisioned WHERE connection_id = $1 AND kind = $2 AND name = $3`,
			o.ConnectionID, o.Kind, o.Name)
		stored, err = only(found, err, errors.New("the row is gone"))
		return err
	})
	return stored, fresh, err
}

// Renew stores the ids and the body of an object that is created again after Dixa has lost
// it or given it another name. It does nothing if another change has begun since.
func (s Provisioned) Renew(ctx context.Context, o ProvisionedObject) error {
	return s.write(ctx, "renew a provisioned "+string(o.Kind), func(tx *sql.Tx) error {
		_, err := s.put(ctx, tx, o, `id = excluded.id, object_id = excluded.object_id, body = excluded.body WHERE provisioned.changing = $9`, o.Changing)
		return err
	})
}

// End stores an object whose change ended and clears Changing. It does nothing if another
// change has begun since.
func (s Provisioned) End(ctx context.Context, o ProvisionedObject) error {
	return s.write(ctx, "end the change of a provisioned "+string(o.Kind), func(tx *sql.Tx) error {
		operation := o.Changing
		o.Changing = ""
		_, err := s.put(ctx, tx, o, replaced+`, changing = '' WHERE provisioned.changing = $9`, operation)
		return err
	})
}

// Abandon clears Changing for a change that changed nothing that is stored. An object that never was is forgotten.
func (s Provisioned) Abandon(ctx context.Context, o ProvisionedObject) error {
	return s.write(ctx, "abandon the change of a provisioned "+string(o.Kind), func(tx *sql.Tx) error {
		args := []any{o.ConnectionID, o.Kind, o.Name, o.Changing}
		if _, err := exec(ctx, tx, `DELETE FROM provisioned WHERE connection_id = $1 AND kind = $2 AND name = $3 AND changing = $4 AND id = ''`, args...); err != nil {
			return err
		}
		_, err := exec(ctx, tx, `UPDATE provisioned SET changing = '' WHERE connection_id = $1 AND kind = $2 AND name = $3 AND changing = $4`, args...)
		return err
	})
}

// Save stores an object, except for Changing.
func (s Provisioned) Save(ctx context.Context, o ProvisionedObject) error {
	return s.write(ctx, "store a provisioned "+string(o.Kind), func(tx *sql.Tx) error {
		_, err := s.put(ctx, tx, o, replaced)
		return err
	})
}

// replaced are the columns that say what an object is.
const replaced = `id = excluded.id, object_id = excluded.object_id, body = excluded.body, deleted_at = excluded.deleted_at`

// put inserts an object, or changes the one of its name as set says. The arguments of set
// begin with $9. It returns how many objects it changed.
func (s Provisioned) put(ctx context.Context, tx *sql.Tx, o ProvisionedObject, set string, more ...any) (int, error) {
	body := o.Body
	if body == nil {
		body = json.RawMessage("{}")
	}
	sealed, err := s.seal(provisionedBody, body, o.ConnectionID, string(o.Kind), o.Name)
	if err != nil {
		return 0, fmt.Errorf("seal what was provisioned: %w", err)
	}
	args := append([]any{o.ConnectionID, o.Kind, o.Name, o.ID, o.ObjectID, sealed, o.Changing, micros(o.DeletedAt)}, more...)
	return exec(ctx, tx, `INSERT INTO provisioned (connection_id, kind, name, id, object_id, body, changing, deleted_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (connection_id, kind, name) DO UPDATE SET `+set, args...)
}

// Delete forgets an object.
func (s Provisioned) Delete(ctx context.Context, connectionID string, kind ProvisionedKind, name string) error {
	return s.write(ctx, "forget a provisioned "+string(kind), func(tx *sql.Tx) error {
		_, err := exec(ctx, tx, `DELETE FROM provisioned WHERE connection_id = $1 AND kind = $2 AND name = $3`, connectionID, kind, name)
		return err
	})
}
