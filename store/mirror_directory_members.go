package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/claimflow/claimflow/mirror"
)

// SaveTeamsOf makes an agent a member of exactly these teams, among those that the mirror
// has and Dixa still lists. Their other members stay.
func (s Mirror) SaveTeamsOf(ctx context.Context, connectionID, agentID string, teamIDs []string) error {
	return s.write(ctx, "store the teams of an agent", func(tx *sql.Tx) error {
		change, err := s.lockMirror(ctx, tx, connectionID)
		if err != nil {
			return err
		}
		read := s.scanDirectory(connectionID)
		var changed []mirror.DirectoryEntry
		err = queryEach(ctx, tx, func(scan func(...any) error) error {
			t, err := read(scan)
			if err != nil {
				return err
			}
			if is, was := hasID(teamIDs, t.ID), hasID(t.MemberIDs, agentID); is != was {
				t.MemberIDs = slices.DeleteFunc(t.MemberIDs, func(id string) bool { return strings.EqualFold(id, agentID) })
				if is {
					t.MemberIDs = append(t.MemberIDs, agentID)
				}
				changed = append(changed, t)
			}
			return nil
		}, `SELECT kind, id, body FROM directory WHERE connection_id = $1 AND kind = $2 AND gone_at = 0 ORDER BY id`, connectionID, mirror.KindTeam)
		if err != nil {
			return err
		}
		for _, t := range changed {
			id := t.ID
			t.Kind, t.ID = "", ""
			body, err := json.Marshal(t)
			if err != nil {
				return fmt.Errorf("encode team %s: %w", id, err)
			}
			sealed, err := s.seal(directoryBody, body, connectionID, string(mirror.KindTeam), id)
			if err != nil {
				return err
			}
			change++
			if _, err := exec(ctx, tx, `UPDATE directory SET body = $4, change = $5 WHERE connection_id = $1 AND kind = $2 AND id = $3`,
				connectionID, mirror.KindTeam, id, sealed, change); err != nil {
				return err
			}
		}
		return saveChange(ctx, tx, connectionID, change)
	})
}

// hasID reports whether an id of Dixa is among others. Their case does not matter.
func hasID(ids []string, id string) bool {
	return slices.ContainsFunc(ids, func(other string) bool { return strings.EqualFold(other, id) })
}
