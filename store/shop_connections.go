package store

import (
	"context"
	"database/sql"
	"errors"
	"strings"

	"github.com/google/uuid"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/internal/seal"
)

// Organization is a Dixa organization as returned by GET /v1/organization. The zero
// value is an unknown organization.
type Organization struct {
	ID, Name string
}

// connectionColumns are the columns that [connectionRow] reads, of connections n.
const connectionColumns = `n.organization_id, n.organization_name, n.state, n.token_preview, n.token_saved_at, n.created_at, n.updated_at,
	(SELECT COUNT(*) FROM connection_shops u WHERE u.connection_id = n.id)`

type connectionRow struct {
	organizationID, organizationName, state, preview sql.NullString
	saved, created, updated, shops                   sql.NullInt64
}

func (r *connectionRow) dest() []any {
	return []any{&r.organizationID, &r.organizationName, &r.state, &r.preview, &r.saved, &r.created, &r.updated, &r.shops}
}

func (r *connectionRow) connection(id string) claim.Connection {
	return claim.Connection{
		ID: id, OrganizationID: r.organizationID.String, OrganizationName: r.organizationName.String,
		State: claim.ConnectionState(r.state.String), TokenPreview: r.preview.String, TokenSavedAt: timeOf(r.saved.Int64),
		CreatedAt: timeOf(r.created.Int64), UpdatedAt: timeOf(r.updated.Int64), Shared: r.shops.Int64 > 1,
	}
}

// SaveToken stores a shop's Dixa token, which makes its connection active and may
// wake parked claims of every shop that uses it. If Dixa had rejected the
// connection's last token, endpoints are notified that the connection recovered.
//
// Shops of one organization share a connection, so the token replaces the token of
// them all. If the organization is unknown, the shop keeps its connection or shares
// the one with the same token. It returns an [*OtherOrganizationError] if the token
// belongs to a different organization than the shop's current one.
func (s Connections) SaveToken(ctx context.Context, shop, token string, org Organization) (claim.Connection, error) {
	if strings.TrimSpace(token) == "" {
		return claim.Connection{}, errors.New("save the token of shop " + shop + ": the token is empty")
	}
	var id string
	err := s.write(ctx, "save the token of shop "+shop, func(tx *sql.Tx) error {
		if _, _, err := lockPlatform(ctx, tx); err != nil {
			return err
		}
		var err error
		if id, err = s.connectionFor(ctx, tx, shop, token, org); err != nil {
			return err
		}
		return s.putToken(ctx, tx, id, token, org)
	})
	if err != nil {
		return claim.Connection{}, err
	}
	return s.Get(ctx, id)
}

// connectionFor finds or creates the connection for a shop with a token of an
// organization, and assigns it to the shop.
func (s *core) connectionFor(ctx context.Context, tx *sql.Tx, shop, token string, org Organization) (string, error) {
	var present, presentOrg sql.NullString
	err := queryOne(ctx, tx, shopNotFound(shop), []any{&present, &presentOrg}, `SELECT s.connection_id, n.organization_id
		FROM shops s LEFT JOIN connections n ON n.id = s.connection_id WHERE s.slug = $1 AND s.deleted_at = 0`, shop)
	if err != nil {
		return "", err
	}
	if presentOrg.Valid && org.ID != "" && presentOrg.String != org.ID {
		return "", &OtherOrganizationError{Have: presentOrg.String, Got: org.ID}
	}
	if present.Valid && (presentOrg.Valid || org.ID == "") {
		return present.String, nil
	}
	id, err := s.existingConnection(ctx, tx, token, org)
	switch {
	case errors.Is(err, ErrNotFound) && present.Valid:
		return present.String, nil // the token reveals the organization of this connection
	case errors.Is(err, ErrNotFound):
		id = uuid.NewString()
		now := s.now()
		_, err = exec(ctx, tx, `INSERT INTO connections (id, state, created_at, updated_at) VALUES ($1, $2, $3, $3)`, id, claim.ConnectionNeedsToken, now)
	case err == nil && present.Valid:
		return id, s.mergeConnections(ctx, tx, present.String, id)
	}
	if err != nil {
		return "", err
	}
	if _, err := exec(ctx, tx, `UPDATE shops SET connection_id = $2 WHERE slug = $1`, shop, id); err != nil {
		return "", err
	}
	_, err = exec(ctx, tx, `INSERT INTO connection_shops (connection_id, shop) VALUES ($1, $2) ON CONFLICT DO NOTHING`, id, shop)
	return id, err
}

func (s *core) existingConnection(ctx context.Context, tx *sql.Tx, token string, org Organization) (id string, err error) {
	if org.ID != "" {
		err = queryOne(ctx, tx, ErrNotFound, []any{&id}, `SELECT id FROM connections WHERE organization_id = $1`, org.ID)
		if !errors.Is(err, ErrNotFound) {
			return id, err
		}
	}
	err = queryOne(ctx, tx, ErrNotFound, []any{&id}, `SELECT id FROM connections WHERE token_hash = $1 AND ($2 = '' OR organization_id IS NULL)
		ORDER BY created_at LIMIT 1`, Connections{s}.TokenHash(token), org.ID)
	return id, err
}

// mergeConnections moves everything keyed by a connection of unknown organization to
// the connection of the organization that it turned out to belong to.
func (s *core) mergeConnections(ctx context.Context, tx *sql.Tx, from, to string) error {
	if from == to {
		return nil
	}
	for _, move := range []string{
		`UPDATE shops SET connection_id = $2 WHERE connection_id = $1`,
		`INSERT INTO connection_shops (connection_id, shop) SELECT CAST($2 AS TEXT), shop FROM connection_shops WHERE connection_id = $1 ON CONFLICT DO NOTHING`,
		`UPDATE links SET connection_id = $2, looked_at = 0 WHERE connection_id = $1`,
		`UPDATE claims SET connection_id = $2, applied = events WHERE connection_id = $1`,
	} {
		if _, err := exec(ctx, tx, move, from, to); err != nil {
			return err
		}
	}
	moved, err := s.sourcesOf(ctx, tx, from)
	if err != nil {
		return err
	}
	for _, d := range moved {
		if err := s.widen(ctx, tx, to, d); err != nil {
			return err
		}
		if _, err := exec(ctx, tx, `UPDATE sources SET connection_id = $2 WHERE id = $1`, d.ID, to); err != nil {
			return err
		}
	}
	// Data that is hashed or encrypted with the connection's id is rebuilt:
	// customers by lookup, activity in Dixa by the next sweep and import.
	for _, table := range []string{
		"customers", "inbox", "conversations", "messages", "activities", "figures", "figure_events", "conversation_tags", "directory", "presence_samples",
		"imports", "coverage", "mirrors", "sweeps", "subscriptions",
	} {
		if _, err := exec(ctx, tx, `DELETE FROM `+table+` WHERE connection_id = $1`, from); err != nil {
			return err
		}
	}
	_, err = exec(ctx, tx, `DELETE FROM connections WHERE id = $1`, from)
	return err
}

// putToken sets the token of a connection and wakes the connection's shops.
func (s *core) putToken(ctx context.Context, tx *sql.Tx, id, token string, org Organization) error {
	sealed, err := s.seal(connectionToken, []byte(token), id)
	if err != nil {
		return err
	}
	var refused bool
	err = queryOne(ctx, tx, notFound("connection "+id), []any{&refused},
		`UPDATE connections SET updated_at = updated_at WHERE id = $1 RETURNING state = $2 AND token IS NOT NULL`, id, claim.ConnectionNeedsToken)
	if err != nil {
		return err
	}
	_, err = exec(ctx, tx, `UPDATE connections SET token = $2, token_hash = $3, token_preview = $4, state = $5, updated_at = $6, token_saved_at = $6,
			organization_id = COALESCE(organization_id, NULLIF($7, '')), organization_name = CASE WHEN $8 = '' THEN organization_name ELSE $8 END
		WHERE id = $1`, id, sealed, Connections{s}.TokenHash(token), seal.Mask(token), claim.ConnectionActive, s.now(), org.ID, plain(org.Name))
	if err != nil {
		return err
	}
	_, err = exec(ctx, tx, `UPDATE shops SET settings_version = settings_version + 1 WHERE connection_id = $1`, id)
	if err != nil || !refused {
		return err
	}
	return s.announceConnection(ctx, tx, id, claim.OutboundConnectionRecovered)
}

// RemoveToken disables a shop and detaches it from its connection. If no other shop uses
// the connection, its tokens are deleted. Claims that still need it wait for another one;
// a later token of the same organization brings the connection back. It does nothing for
// a shop without a connection.
func (s Connections) RemoveToken(ctx context.Context, shop string) error {
	return s.write(ctx, "remove the token of shop "+shop, func(tx *sql.Tx) error {
		if _, _, err := lockPlatform(ctx, tx); err != nil {
			return err
		}
		var id sql.NullString
		err := queryOne(ctx, tx, shopNotFound(shop), []any{&id}, `SELECT connection_id FROM shops WHERE slug = $1 AND deleted_at = 0`, shop)
		if err != nil || !id.Valid {
			return err
		}
		now := s.now()
		_, err = exec(ctx, tx, `UPDATE shops SET connection_id = NULL, enabled = FALSE, settings_version = settings_version + 1, updated_at = $2 WHERE slug = $1`, shop, now)
		if err != nil {
			return err
		}
		others, err := connectionShops(ctx, tx, id.String)
		if err != nil || len(others) > 0 {
			return err
		}
		_, err = exec(ctx, tx, `UPDATE connections SET token = NULL, token_hash = '', token_preview = '', state = $2, updated_at = $3 WHERE id = $1`, id.String, claim.ConnectionNeedsToken, now)
		if err != nil {
			return err
		}
		_, err = exec(ctx, tx, `UPDATE mirrors SET exports_token = NULL, exports_hash = '', exports_preview = '' WHERE connection_id = $1`, id.String)
		return err
	})
}

// Token returns a connection's token in plaintext, and the token's keyed hash by
// which [Budget.Take] and [Connections.MarkNeedsToken] identify it. It returns
// [ErrNotFound] if the connection has no token.
func (s Connections) Token(ctx context.Context, connectionID string) (token, hash string, err error) {
	err = s.read(ctx, "read the token of connection "+connectionID, func(db *sql.DB) error {
		var sealed []byte
		err := queryOne(ctx, db, notFound("token of connection "+connectionID), []any{&sealed, &hash},
			`SELECT token, token_hash FROM connections WHERE id = $1 AND token IS NOT NULL`, connectionID)
		if err != nil {
			return err
		}
		plaintext, err := s.open(connectionToken, sealed, connectionID)
		token = string(plaintext)
		return err
	})
	return token, hash, err
}

// Get reads a connection. It returns [ErrNotFound] if the connection is unknown.
func (s Connections) Get(ctx context.Context, id string) (claim.Connection, error) {
	var c connectionRow
	err := s.read(ctx, "read connection "+id, func(db *sql.DB) error {
		return queryOne(ctx, db, notFound("connection "+id), c.dest(), `SELECT `+connectionColumns+` FROM connections n WHERE n.id = $1`, id)
	})
	if err != nil {
		return claim.Connection{}, err
	}
	return c.connection(id), nil
}

// Shops lists the slugs of the shops that use a connection, sorted.
func (s Connections) Shops(ctx context.Context, id string) ([]string, error) {
	return get(ctx, s.core, "list the shops of connection "+id, func(db *sql.DB) ([]string, error) { return connectionShops(ctx, db, id) })
}

func connectionShops(ctx context.Context, q querier, id string) ([]string, error) {
	return collect(ctx, q, single[string], `SELECT slug FROM shops WHERE connection_id = $1 AND deleted_at = 0 ORDER BY slug`, id)
}

// MarkNeedsToken records that Dixa rejects the token with the given hash. first says
// that this was not recorded before. In that case the endpoints of the connection's
// shops and of the platform are notified. It does nothing if another token was saved
// meanwhile.
func (s Connections) MarkNeedsToken(ctx context.Context, connectionID, tokenHash string) (first bool, err error) {
	err = s.write(ctx, "mark connection "+connectionID, func(tx *sql.Tx) error {
		n, err := exec(ctx, tx, `UPDATE connections SET state = $3, updated_at = $4 WHERE id = $1 AND token_hash = $2 AND state = $5`,
			connectionID, tokenHash, claim.ConnectionNeedsToken, s.now(), claim.ConnectionActive)
		first = n == 1
		if err != nil || !first {
			return err
		}
		return s.announceConnection(ctx, tx, connectionID, claim.OutboundConnectionNeedsToken)
	})
	return first, err
}

// TokenHash returns the keyed hash that identifies a token's budget and state, so
// that neither the database nor a log can be searched for a token.
func (s Connections) TokenHash(token string) string { return s.keyedHash("token", token) }
