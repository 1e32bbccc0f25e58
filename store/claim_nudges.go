package store

import (
	"context"
	"database/sql"
	"time"

	"github.com/claimflow/claimflow/claim"
)

// Nudge is a claim whose workflow has not been signaled about its current revision.
// Reason and OrderNumber are the search attributes for a workflow that has to be
// started.
type Nudge struct {
	Ref      claim.Ref
	Revision int64
	// Reason is the claim's reason in the spelling of [claim.Claim.ReasonKey].
	Reason      string
	OrderNumber string
	// New says that Temporal has not accepted a nudge of this claim before.
	New bool
}

// After one of our own writes to Dixa, the events that it causes gather for a moment,
// so that one nudge announces all of them. A change by a person does not wait for
// them.
const (
	// openingGathers is how long events gather after the conversation was linked. An
	// opening usually ends within this time.
	openingGathers = 10 * time.Second
	// writeGathers is how long they gather after any other write.
	writeGathers = 2 * time.Second
)

// gather lets the events of a claim gather for at least d. It locks the claim.
func (s *core) gather(ctx context.Context, tx *sql.Tx, ref claim.Ref, d time.Duration) error {
	until := s.now() + d.Microseconds()
	_, err := exec(ctx, tx, `UPDATE claims SET gather_until = $3 WHERE shop = $1 AND id = $2 AND gather_until < $3`, ref.Shop, ref.ID, until)
	return err
}

// resendAfter is how long to wait before nudging again a workflow that has not read the
// last nudge. A workflow reads the store within moments, unless no worker runs.
const resendAfter = time.Minute

// Due lists up to limit claims whose workflow is to be nudged, oldest first. A
// workflow that has not yet read the revision of its last nudge is not nudged again
// so soon: it will see everything when it reads. A claim whose events still gather is
// left out.
func (s Nudges) Due(ctx context.Context, limit int) ([]Nudge, error) {
	return s.nudges(ctx, "list claims to nudge", `signalled < revision AND (read_revision >= signalled OR nudged_at <= $1)
		AND (applied >= events OR gather_until <= $2) ORDER BY accepted_at LIMIT $3`, s.now()-resendAfter.Microseconds(), s.now(), limit)
}

// Gather reports whether events of a claim gather. It then makes sure that another
// nudge announces them, even if the last one is not recorded as sent yet.
func (s Nudges) Gather(ctx context.Context, ref claim.Ref) (gathering bool, err error) {
	err = s.write(ctx, "let the events of claim "+ref.String()+" gather", func(tx *sql.Tx) error {
		n, err := exec(ctx, tx, `UPDATE claims SET revision = revision + 1
			WHERE shop = $1 AND id = $2 AND applied < events AND gather_until > $3`, ref.Shop, ref.ID, s.now())
		gathering = n > 0
		return err
	})
	return gathering, err
}

// Stranded lists up to limit claims that need a workflow but have been silent for
// the given time: the claim did not change, and Temporal accepted no nudge, see
// [Nudges.MarkSent]. Their workflow may have been canceled, terminated or lost with
// Temporal's database. Claims with an open or closed conversation get at least a
// day.
func (s Nudges) Stranded(ctx context.Context, silence time.Duration, limit int) ([]Nudge, error) {
	return s.nudges(ctx, "list claims that may have lost their workflow", `signalled >= revision
		AND (state IN ($1, $2, $3) AND updated_at <= $4 AND nudged_at <= $4
			OR state IN ($5, $6, $7) AND updated_at <= $8 AND nudged_at <= $8) ORDER BY nudged_at, accepted_at LIMIT $9`,
		claim.StateReceived, claim.StateOpening, claim.StateNeedsAttention, s.now()-silence.Microseconds(),
		claim.StateOpen, claim.StatePending, claim.StateClosed, s.now()-max(silence, openSilence).Microseconds(), limit)
}

// openSilence is the shortest silence of a claim that already has its conversation.
// Its next event starts its workflow anyway; only settling is delayed.
const openSilence = 24 * time.Hour

// MarkRead records that the claim's workflow has read a revision.
func (s Nudges) MarkRead(ctx context.Context, ref claim.Ref, revision int64) error {
	return s.write(ctx, "note what the workflow of claim "+ref.String()+" has read", func(tx *sql.Tx) error {
		_, err := exec(ctx, tx, `UPDATE claims SET read_revision = $3 WHERE shop = $1 AND id = $2 AND read_revision < $3`, ref.Shop, ref.ID, revision)
		return err
	})
}

func (s *core) nudges(ctx context.Context, doing, where string, args ...any) ([]Nudge, error) {
	return list(ctx, s, doing, func(scan func(...any) error) (n Nudge, err error) {
		err = scan(&n.Ref.Shop, &n.Ref.ID, &n.Revision, &n.Reason, &n.OrderNumber, &n.New)
		return n, err
	}, `SELECT shop, id, revision, reason_key, order_number, signalled = 0 FROM claims WHERE `+where, args...)
}

// MarkSent records that Temporal has accepted a revision of the claim. A later
// revision is still to be signaled.
func (s Nudges) MarkSent(ctx context.Context, ref claim.Ref, revision int64) error {
	return s.write(ctx, "note the nudge of claim "+ref.String(), func(tx *sql.Tx) error {
		_, err := exec(ctx, tx, `UPDATE claims SET signalled = CASE WHEN signalled < $3 THEN $3 ELSE signalled END, nudged_at = $4
			WHERE shop = $1 AND id = $2`, ref.Shop, ref.ID, revision, s.now())
		return err
	})
}

// WakeParked nudges, once, every parked claim whose shop's settings changed since it
// was parked, and returns the number of claims. A claim whose fallback was triggered is
// left to a person until it is retried.
func (s Nudges) WakeParked(ctx context.Context) (int, error) {
	const shopVersion = `(SELECT s.settings_version FROM shops s WHERE s.slug = claims.shop)`
	n := 0
	err := s.write(ctx, "wake parked claims", func(tx *sql.Tx) (err error) {
		n, err = exec(ctx, tx, `UPDATE claims SET revision = revision + 1, gather_until = 0, woken_version = `+shopVersion+`
			WHERE state = $1 AND erased_at = 0 AND parked_version < `+shopVersion+` AND woken_version < `+shopVersion+`
			AND NOT (fallback_used AND retried_at < fallback_at)`, claim.StateNeedsAttention)
		return err
	})
	return n, err
}

// ClaimCounts counts the claims and the backlog.
type ClaimCounts struct {
	// Claims counts claims by state and, for parked ones, by cause.
	Claims map[StateCause]int
	// Undelivered counts the claims with a revision that Temporal has not accepted.
	Undelivered int
	// OldestUnopened is how long the oldest received or opening claim has waited;
	// zero if there is none.
	OldestUnopened time.Duration
}

// StateCause is a state and, if the state is needs_attention, its cause.
type StateCause struct {
	State claim.State
	Cause claim.Cause
}

// Counts counts claims. It reads only indexes, except for parked claims.
func (s Claims) Counts(ctx context.Context) (ClaimCounts, error) {
	var t ClaimCounts
	err := s.read(ctx, "count claims", func(db *sql.DB) error {
		t = ClaimCounts{Claims: map[StateCause]int{}}
		err := queryEach(ctx, db, func(scan func(...any) error) error {
			var of StateCause
			var n int
			err := scan(&of.State, &of.Cause, &n)
			t.Claims[of] = n
			return err
		}, `SELECT state, '' AS why, COUNT(*) FROM claims WHERE state <> $1 GROUP BY state
			UNION ALL SELECT state, cause, COUNT(*) FROM claims WHERE state = $1 GROUP BY state, cause`, claim.StateNeedsAttention)
		if err != nil {
			return err
		}
		var oldest int64
		err = db.QueryRowContext(ctx, `SELECT (SELECT COUNT(*) FROM claims WHERE signalled < revision),
			(SELECT COALESCE(MIN(accepted_at), 0) FROM claims WHERE state IN ($1, $2))`,
			claim.StateReceived, claim.StateOpening).Scan(&t.Undelivered, &oldest)
		if oldest != 0 {
			t.OldestUnopened = time.Duration(s.now()-oldest) * time.Microsecond
		}
		return err
	})
	return t, err
}
