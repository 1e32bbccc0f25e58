package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/claimflow/claimflow/claim"
)

// sourcesOf reads the data sources of a connection.
func (s *core) sourcesOf(ctx context.Context, q querier, connectionID string) ([]claim.DataSource, error) {
	return collect(ctx, q, scanSource, `SELECT id, doc, created_at, updated_at FROM sources WHERE connection_id = $1 ORDER BY created_at, id`, connectionID)
}

func scanSource(scan func(...any) error) (d claim.DataSource, err error) {
	var doc string
	var created, updated int64
	if err := scan(&d.ID, &doc, &created, &updated); err != nil {
		return d, err
	}
	id := d.ID
	if err := json.Unmarshal([]byte(doc), &d); err != nil {
		return d, fmt.Errorf("data source %s: %w", id, err)
	}
	d.ID, d.CreatedAt, d.UpdatedAt = id, timeOf(created), timeOf(updated)
	return d, nil
}

// List lists the data sources of a connection, oldest first.
func (s DataSources) List(ctx context.Context, connectionID string) ([]claim.DataSource, error) {
	return get(ctx, s.core, "list the data sources of connection "+connectionID, func(db *sql.DB) ([]claim.DataSource, error) {
		return s.sourcesOf(ctx, db, connectionID)
	})
}

// Get reads a data source. It returns [ErrNotFound] if the connection has none with
// that id.
func (s DataSources) Get(ctx context.Context, connectionID, id string) (claim.DataSource, error) {
	found, err := list(ctx, s.core, "read data source "+id, scanSource,
		`SELECT id, doc, created_at, updated_at FROM sources WHERE connection_id = $1 AND id = $2`, connectionID, id)
	return only(found, err, notFound("data source "+id))
}

// Create stores a new data source and returns it with its id.
func (s DataSources) Create(ctx context.Context, connectionID string, d claim.DataSource) (claim.DataSource, error) {
	d.ID, d.CreatedAt = uuid.NewString(), timeOf(s.now())
	d.UpdatedAt = d.CreatedAt
	doc, err := sourceDoc(d)
	if err != nil {
		return d, err
	}
	return d, s.write(ctx, "create a data source", func(tx *sql.Tx) error {
		if err := s.widen(ctx, tx, connectionID, d); err != nil {
			return err
		}
		_, err := exec(ctx, tx, `INSERT INTO sources (id, connection_id, title, doc, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $5)`,
			d.ID, connectionID, plain(d.Title), doc, micros(d.CreatedAt))
		return err
	})
}

// widen records that a new source, or a new version of one, selects records that none
// of the connection's sources selected, so that imports read everything again. A
// longer history is no such case: imports read only what is added.
func (s *core) widen(ctx context.Context, tx *sql.Tx, connectionID string, d claim.DataSource) error {
	sources, err := s.sourcesOf(ctx, tx, connectionID)
	if err != nil || slices.ContainsFunc(sources, func(have claim.DataSource) bool { return have.Includes(d) }) {
		return err
	}
	// The clock may have been set back since an import began.
	_, err = exec(ctx, tx, `INSERT INTO mirrors (connection_id, widened_at)
		SELECT $1, MAX(at) FROM (SELECT CAST($2 AS BIGINT) AS at UNION ALL
			SELECT started_at + 1 FROM imports WHERE connection_id = $1 AND state IN ('running', 'paused')) AS times WHERE TRUE
		ON CONFLICT (connection_id) DO UPDATE SET widened_at = excluded.widened_at`, connectionID, s.now())
	if err != nil {
		return err
	}
	_, err = exec(ctx, tx, `DELETE FROM coverage WHERE connection_id = $1`, connectionID)
	return err
}

// Update replaces a data source. It returns [ErrNotFound] if the connection has none
// with that id.
func (s DataSources) Update(ctx context.Context, connectionID string, d claim.DataSource) (claim.DataSource, error) {
	doc, err := sourceDoc(d)
	if err != nil {
		return d, err
	}
	now := s.now()
	err = s.write(ctx, "change data source "+d.ID, func(tx *sql.Tx) error {
		if err := s.widen(ctx, tx, connectionID, d); err != nil {
			return err
		}
		return execOne(ctx, tx, notFound("data source "+d.ID), `UPDATE sources SET title = $3, doc = $4, updated_at = $5 WHERE connection_id = $1 AND id = $2`,
			connectionID, d.ID, plain(d.Title), doc, now)
	})
	if err != nil {
		return d, err
	}
	return s.Get(ctx, connectionID, d.ID)
}

// Delete deletes a data source. Its records stay until [Mirror.DeleteExpired]. It
// returns [ErrNotFound] if the connection has none with that id.
func (s DataSources) Delete(ctx context.Context, connectionID, id string) error {
	return s.execute(ctx, "delete data source "+id, notFound("data source "+id), `DELETE FROM sources WHERE connection_id = $1 AND id = $2`, connectionID, id)
}

// sourceDoc encodes the part of a data source that has no column.
func sourceDoc(d claim.DataSource) (string, error) {
	d.ID = ""
	doc, err := json.Marshal(d)
	if err != nil {
		return "", fmt.Errorf("encode the data source: %w", err)
	}
	return plain(string(doc)), nil
}

// Connections lists the connections with a token that have a data source.
func (s DataSources) Connections(ctx context.Context) ([]string, error) {
	return list(ctx, s.core, "list the connections to import", single[string],
		`SELECT DISTINCT d.connection_id FROM sources d JOIN connections n ON n.id = d.connection_id WHERE n.state = $1 ORDER BY d.connection_id`, claim.ConnectionActive)
}
