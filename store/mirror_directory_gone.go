package store

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/claimflow/claimflow/mirror"
)

// MarkEntryGone records that Dixa no longer has an entry of the directory. It does
// nothing if the entry is unknown or already gone.
func (s Mirror) MarkEntryGone(ctx context.Context, connectionID string, kind mirror.DirectoryKind, id string) error {
	return s.write(ctx, fmt.Sprintf("mark an entry of the directory as gone, %s", kind), func(tx *sql.Tx) error {
		change, err := s.lockMirror(ctx, tx, connectionID)
		if err != nil {
			return err
		}
		n, err := exec(ctx, tx, `UPDATE directory SET gone_at = $4, change = $5 WHERE connection_id = $1 AND kind = $2 AND id = $3 AND gone_at = 0`,
			connectionID, kind, id, s.now(), change+1)
		if err != nil || n == 0 {
			return err
		}
		return saveChange(ctx, tx, connectionID, change+1)
	})
}
