package store

import (
	"context"
	"database/sql"

	"github.com/claimflow/claimflow/claim"
)

// ConnectionShops is a connection with the slugs of the shops that use it, sorted.
type ConnectionShops struct {
	claim.Connection
	Shops []string
}

// List lists all connections, oldest first.
func (s Connections) List(ctx context.Context) ([]ConnectionShops, error) {
	return get(ctx, s.core, "list the connections", func(db *sql.DB) ([]ConnectionShops, error) {
		all, err := collect(ctx, db, func(scan func(...any) error) (ConnectionShops, error) {
			var id string
			var c connectionRow
			err := scan(append([]any{&id}, c.dest()...)...)
			return ConnectionShops{Connection: c.connection(id)}, err
		}, `SELECT n.id, `+connectionColumns+` FROM connections n ORDER BY n.created_at, n.id`)
		if err != nil {
			return nil, err
		}
		place := map[string]int{}
		for i := range all {
			place[all[i].ID] = i
		}
		err = queryEach(ctx, db, func(scan func(...any) error) error {
			var id, shop string
			err := scan(&id, &shop)
			if i, known := place[id]; known {
				all[i].Shops = append(all[i].Shops, shop)
			}
			return err
		}, `SELECT connection_id, slug FROM shops WHERE connection_id IS NOT NULL AND deleted_at = 0 ORDER BY slug`)
		return all, err
	})
}
