package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"time"

	"github.com/claimflow/claimflow/claim"
)

// retentionBatch is how many claims lose their content between two looks at the clock.
const retentionBatch = 100

// DeleteContent removes the content of a shop's claims that ended before a time: they
// were settled, skipped or abandoned, or their fallback was triggered while they were
// parked. It also removes the records of their conversations, unless a data source
// selects them. The claims' facts and all figures stay. It returns the number of claims.
func (s Claims) DeleteContent(ctx context.Context, shop string, before time.Time) (int, error) {
	for total := 0; ; {
		due, err := list(ctx, s.core, "list the old claims of shop "+shop, single[string], `SELECT id FROM claims WHERE shop = $1 AND erased_at = 0
			AND (state IN ($2, $3, $4) OR state = $5 AND fallback_used AND retried_at < fallback_at)
			AND CASE WHEN state = $2 AND settled_at > 0 THEN settled_at ELSE updated_at END < $6 AND read_revision >= revision ORDER BY id LIMIT $7`,
			shop, claim.StateSettled, claim.StateSkipped, claim.StateAbandoned, claim.StateNeedsAttention, micros(before), retentionBatch)
		if err != nil {
			return total, err
		}
		for _, id := range due {
			if err := s.deleteContent(ctx, claim.Ref{Shop: shop, ID: id}); err != nil {
				return total, err
			}
			total++
		}
		if len(due) < retentionBatch {
			return total, nil
		}
	}
}

func (s *core) deleteContent(ctx context.Context, ref claim.Ref) error {
	return s.write(ctx, "delete the content of claim "+ref.String(), func(tx *sql.Tx) error {
		row, err := lockClaim(ctx, tx, ref)
		if err != nil || row.erased {
			return err
		}
		if _, err := s.eraseClaim(ctx, tx, ref); err != nil || row.conversationID == 0 {
			return err
		}
		if _, err := exec(ctx, tx, `DELETE FROM links WHERE shop = $1 AND claim_id = $2`, ref.Shop, ref.ID); err != nil {
			return err
		}
		if _, err := s.lockMirror(ctx, tx, row.connectionID); err != nil {
			return err
		}
		if _, err := exec(ctx, tx, `UPDATE inbox SET body = NULL WHERE connection_id = $1 AND conversation_id = $2 AND body IS NOT NULL`, row.connectionID, row.conversationID); err != nil {
			return err
		}
		m := s.mergeFor(tx, row, ref)
		m.linked, m.now = nil, timeOf(s.now())
		if m.sources, err = s.sourcesOf(ctx, tx, row.connectionID); err != nil {
			return err
		}
		known, err := s.conversationRows(ctx, tx, row.connectionID, m.ids)
		if v := known[row.conversationID]; err != nil || v != nil && m.keeps(v) {
			return err
		}
		return s.expire(ctx, tx, row.connectionID, row.conversationID, true)
	})
}

// Retentions returns how long shops keep the content of claims that ended, for those
// that do not keep it forever. Shops that were deleted are included.
func (s Settings) Retentions(ctx context.Context) (map[string]time.Duration, error) {
	return get(ctx, s.core, "read how long shops keep claims", func(db *sql.DB) (map[string]time.Duration, error) {
		kept := map[string]time.Duration{}
		return kept, queryEach(ctx, db, func(scan func(...any) error) error {
			var shop, platform, own string
			if err := scan(&shop, &platform, &own); err != nil {
				return err
			}
			settings, err := claim.Resolve(json.RawMessage(platform), json.RawMessage(own))
			if err == nil && settings.RetentionDays > 0 {
				kept[shop] = time.Duration(settings.RetentionDays) * day
			}
			return err
		}, `SELECT s.slug, p.settings, s.settings FROM shops s CROSS JOIN platform p`)
	})
}

// DropAnonymizedBodies deletes the bodies of events of claims' conversations that are
// anonymized: Dixa may deliver an event long after it happened. Events that the claim has
// not applied keep their body until then. It returns the number of bodies.
func (s Inbox) DropAnonymizedBodies(ctx context.Context) (total int, err error) {
	for {
		n := 0
		err := s.write(ctx, "drop the bodies of events of anonymized conversations", func(tx *sql.Tx) (err error) {
			n, err = exec(ctx, tx, `UPDATE inbox SET body = NULL WHERE body IS NOT NULL AND (connection_id, event_id) IN (
				SELECT i.connection_id, i.event_id FROM figures f
				JOIN links l ON l.connection_id = f.connection_id AND l.conversation_id = f.conversation_id
				JOIN claims c ON c.shop = l.shop AND c.id = l.claim_id
				JOIN inbox i ON i.connection_id = l.connection_id AND i.conversation_id = l.conversation_id
				WHERE f.anonymized_at > 0 AND i.body IS NOT NULL AND i.sequence <= c.applied LIMIT $1)`, dropBatch)
			return err
		})
		total += n
		if err != nil || n < dropBatch {
			return total, err
		}
	}
}

// Mirrored lists the connections that have or had a data source or a claim with a
// conversation.
func (s Mirror) Mirrored(ctx context.Context) ([]string, error) {
	return list(ctx, s.core, "list the mirrored connections", single[string], `SELECT connection_id FROM mirrors ORDER BY connection_id`)
}
