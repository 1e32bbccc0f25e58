package store

import (
	"context"
	"database/sql"
	"errors"

	"github.com/claimflow/claimflow/internal/seal"
)

// SaveExportsToken stores the token that reads a connection's exports. An empty token
// removes it, so that the connection's own token reads them.
func (s Connections) SaveExportsToken(ctx context.Context, connectionID, token string) error {
	var sealed []byte
	var hash, preview string
	if token != "" {
		var err error
		if sealed, err = s.seal(exportsToken, []byte(token), connectionID); err != nil {
			return err
		}
		hash, preview = s.TokenHash(token), seal.Mask(token)
	}
	return s.execute(ctx, "save the exports token of connection "+connectionID, nil,
		`INSERT INTO mirrors (connection_id, exports_token, exports_hash, exports_preview) VALUES ($1, $2, $3, $4)
		ON CONFLICT (connection_id) DO UPDATE SET exports_token = excluded.exports_token, exports_hash = excluded.exports_hash, exports_preview = excluded.exports_preview`,
		connectionID, sealed, hash, preview)
}

// ExportsToken returns the token that reads a connection's exports, and its keyed
// hash. It returns [ErrNotFound] if the connection has no token at all.
func (s Connections) ExportsToken(ctx context.Context, connectionID string) (token, hash string, err error) {
	err = s.read(ctx, "read the exports token of connection "+connectionID, func(db *sql.DB) error {
		var sealed []byte
		err := queryOne(ctx, db, ErrNotFound, []any{&sealed, &hash},
			`SELECT exports_token, exports_hash FROM mirrors WHERE connection_id = $1 AND exports_token IS NOT NULL`, connectionID)
		if err != nil {
			return err
		}
		plaintext, err := s.open(exportsToken, sealed, connectionID)
		token = string(plaintext)
		return err
	})
	if errors.Is(err, ErrNotFound) {
		return s.Token(ctx, connectionID)
	}
	return token, hash, err
}

// ExportsTokenPreview returns a masked form of a connection's exports token, or empty
// if the connection's own token reads its exports.
func (s Connections) ExportsTokenPreview(ctx context.Context, connectionID string) (string, error) {
	return get(ctx, s.core, "read the exports token of connection "+connectionID, func(db *sql.DB) (preview string, err error) {
		err = queryOne(ctx, db, nil, []any{&preview}, `SELECT exports_preview FROM mirrors WHERE connection_id = $1`, connectionID)
		return preview, err
	})
}
