package store

import (
	"context"
	"crypto/subtle"
	"database/sql"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/claimflow/claimflow/claim"
)

// wallPrefix begins the secrets of wall links, so that leaked ones can be recognized.
const wallPrefix = "cfw_"

// Errors of [Walls].
var (
	ErrWall  = errors.New("the wall link was revoked or is unknown")
	ErrWalls = errors.New("the shop has as many wall links as it may have")
)

// Create creates a wall link and returns it with its secret of 256 random bits, of which
// only a hash is stored. The link must be valid. It returns [ErrNotFound] for an unknown
// shop or an unknown dashboard of the shop, and [ErrWalls] if there are too many.
func (s Walls) Create(ctx context.Context, shop, createdBy string, n claim.NewWall) (wall claim.Wall, secret string, err error) {
	secret = randomSecret(wallPrefix)
	n.Name = plain(n.Name)
	wall = claim.Wall{ID: uuid.NewString(), Shop: shop, NewWall: n, CreatedBy: createdBy}
	body, err := json.Marshal(n)
	if err != nil {
		return wall, "", err
	}
	err = s.write(ctx, "create a wall link", func(tx *sql.Tx) error {
		if err := liveShop(ctx, tx, shop); err != nil {
			return err
		}
		var count int
		if id, own := strings.CutPrefix(n.Board, claim.OwnBoardPrefix); own {
			if err := queryOne(ctx, tx, ErrNotFound, []any{&count}, `SELECT 1 FROM dashboards WHERE shop = $1 AND id = $2`, shop, id); err != nil {
				return err
			}
		}
		if err := queryOne(ctx, tx, nil, []any{&count}, `SELECT count(*) FROM portal_walls WHERE shop = $1`, shop); err != nil {
			return err
		}
		if count >= claim.MaxWalls {
			return ErrWalls
		}
		now := s.now()
		wall.CreatedAt = timeOf(now)
		_, err := exec(ctx, tx, `INSERT INTO portal_walls (id, hash, shop, board, body, created_by, created_at, used_at) VALUES ($1, $2, $3, $4, $5, $6, $7, 0)`,
			wall.ID, keyHash(secret), shop, n.Board, string(body), createdBy, now)
		return err
	})
	return wall, secret, err
}

// List lists the wall links of a shop, oldest first.
func (s Walls) List(ctx context.Context, shop string) ([]claim.Wall, error) {
	return get(ctx, s.core, "list wall links", func(db *sql.DB) ([]claim.Wall, error) {
		if err := liveShop(ctx, db, shop); err != nil {
			return nil, err
		}
		rows, err := collect(ctx, db, scanWall, `SELECT `+wallColumns+` WHERE shop = $1 ORDER BY created_at, id`, shop)
		all := make([]claim.Wall, len(rows))
		for i, row := range rows {
			all[i] = row.Wall
		}
		return all, err
	})
}

// BySecret returns the wall link of a secret, or [ErrWall].
func (s Walls) BySecret(ctx context.Context, secret string) (claim.Wall, error) {
	return get(ctx, s.core, "read a wall link", func(db *sql.DB) (claim.Wall, error) {
		hash := keyHash(secret)
		rows, err := collect(ctx, db, scanWall, `SELECT `+wallColumns+` WHERE hash = $1`, hash)
		row, err := only(rows, err, ErrWall)
		if err != nil {
			return claim.Wall{}, err
		}
		// The row is found by the hash; the comparison takes the same time for every secret.
		if subtle.ConstantTimeCompare([]byte(row.hash), []byte(hash)) != 1 {
			return claim.Wall{}, ErrWall
		}
		return row.Wall, nil
	})
}

// Used records that a screen shows a wall, to the minute.
func (s Walls) Used(ctx context.Context, w claim.Wall) error {
	now := s.now()
	if !w.LastUsedAt.IsZero() && now-micros(w.LastUsedAt) < time.Minute.Microseconds() {
		return nil
	}
	return s.execute(ctx, "record the use of a wall link", ErrWall,
		`UPDATE portal_walls SET used_at = CASE WHEN used_at < $2 THEN $2 ELSE used_at END WHERE id = $1`, w.ID, now)
}

// Revoke deletes a wall link. It returns [ErrNotFound] if there is none.
func (s Walls) Revoke(ctx context.Context, shop, id string) error {
	return s.execute(ctx, "revoke a wall link", ErrNotFound, `DELETE FROM portal_walls WHERE shop = $1 AND id = $2`, shop, id)
}

// wallRow is a row of portal_walls.
type wallRow struct {
	claim.Wall
	hash string
}

const wallColumns = `id, hash, shop, body, created_by, created_at, used_at FROM portal_walls`

func scanWall(scan func(...any) error) (r wallRow, err error) {
	var body string
	var created, used int64
	if err := scan(&r.ID, &r.hash, &r.Shop, &body, &r.CreatedBy, &created, &used); err != nil {
		return r, err
	}
	r.CreatedAt, r.LastUsedAt = timeOf(created), timeOf(used)
	err = json.Unmarshal([]byte(body), &r.NewWall)
	return r, err
}
