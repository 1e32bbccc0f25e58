package store

import (
	"context"
	"database/sql"
	"maps"
	"slices"
)

// All reads the categories of a connection: by field, the category of each value.
func (s Mappings) All(ctx context.Context, connectionID string) (map[string]map[string]string, error) {
	return get(ctx, s.core, "read the mappings of connection "+connectionID, func(db *sql.DB) (map[string]map[string]string, error) {
		all := map[string]map[string]string{}
		err := queryEach(ctx, db, func(scan func(...any) error) error {
			var field, value, category string
			if err := scan(&field, &value, &category); err != nil {
				return err
			}
			if all[field] == nil {
				all[field] = map[string]string{}
			}
			all[field][value] = category
			return nil
		}, `SELECT field, value, category FROM mappings WHERE connection_id = $1`, connectionID)
		return all, err
	})
}

// Replace replaces the categories of a field. It returns [ErrNotFound] if there is no such
// connection.
func (s Mappings) Replace(ctx context.Context, connectionID, field string, categories map[string]string) error {
	return s.write(ctx, "save the mapping of "+field+" of connection "+connectionID, func(tx *sql.Tx) error {
		var found string
		// The lock keeps two replacements from mixing.
		err := queryOne(ctx, tx, notFound("connection "+connectionID), []any{&found}, `UPDATE connections SET updated_at = updated_at WHERE id = $1 RETURNING id`, connectionID)
		if err != nil {
			return err
		}
		if _, err := exec(ctx, tx, `DELETE FROM mappings WHERE connection_id = $1 AND field = $2`, connectionID, field); err != nil {
			return err
		}
		insert := newUpsert("mappings", []string{"connection_id", "field", "value"}, "category")
		for _, value := range slices.Sorted(maps.Keys(categories)) {
			insert.add(connectionID, field, plain(value), plain(categories[value]))
		}
		return insert.run(ctx, tx, s.dialect)
	})
}
