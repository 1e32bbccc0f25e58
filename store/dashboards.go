package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"

	"github.com/claimflow/claimflow/claim"
)

// ErrDashboards is returned if a shop has [claim.MaxDashboards] already.
var ErrDashboards = errors.New("the shop has as many dashboards as it may have")

// List lists the dashboards of a shop, oldest first. It returns [ErrNotFound] for an
// unknown shop.
func (s Dashboards) List(ctx context.Context, shop string) ([]claim.Dashboard, error) {
	return get(ctx, s.core, "list dashboards", func(db *sql.DB) ([]claim.Dashboard, error) {
		if err := liveShop(ctx, db, shop); err != nil {
			return nil, err
		}
		return collect(ctx, db, scanDashboard, `SELECT id, body FROM dashboards WHERE shop = $1 ORDER BY created_at, id`, shop)
	})
}

func scanDashboard(scan func(...any) error) (d claim.Dashboard, err error) {
	var body string
	if err := scan(&d.ID, &body); err != nil {
		return d, err
	}
	err = json.Unmarshal([]byte(body), &d)
	return d, err
}

// Save adds or replaces a dashboard of a shop. The dashboard must be valid. It returns
// [ErrNotFound] for an unknown shop, and [ErrDashboards] if there are too many.
func (s Dashboards) Save(ctx context.Context, shop string, d claim.Dashboard) error {
	d.Name = plain(d.Name)
	body, err := json.Marshal(d)
	if err != nil {
		return err
	}
	return s.write(ctx, "save a dashboard", func(tx *sql.Tx) error {
		if err := liveShop(ctx, tx, shop); err != nil {
			return err
		}
		n, err := exec(ctx, tx, `UPDATE dashboards SET body = $3 WHERE shop = $1 AND id = $2`, shop, d.ID, string(body))
		if err != nil || n > 0 {
			return err
		}
		if err := queryOne(ctx, tx, nil, []any{&n}, `SELECT count(*) FROM dashboards WHERE shop = $1`, shop); err != nil {
			return err
		}
		if n >= claim.MaxDashboards {
			return ErrDashboards
		}
		_, err = exec(ctx, tx, `INSERT INTO dashboards (shop, id, body, created_at) VALUES ($1, $2, $3, $4)`, shop, d.ID, string(body), s.now())
		return err
	})
}

// Delete deletes a dashboard with the wall links that show it. It returns [ErrNotFound] if
// there is none.
func (s Dashboards) Delete(ctx context.Context, shop, id string) error {
	return s.write(ctx, "delete a dashboard", func(tx *sql.Tx) error {
		if err := execOne(ctx, tx, ErrNotFound, `DELETE FROM dashboards WHERE shop = $1 AND id = $2`, shop, id); err != nil {
			return err
		}
		_, err := exec(ctx, tx, `DELETE FROM portal_walls WHERE shop = $1 AND board = $2`, shop, claim.OwnBoardPrefix+id)
		return err
	})
}
