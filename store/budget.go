package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
)

const (
	// DefaultInterval is the distance of two requests of a token: a little more
	// than the tenth of a second that Dixa's limit of 10 requests a second means,
	// so that neither reading of the limit refuses one.
	DefaultInterval = 104 * time.Millisecond
	// DefaultPerDay is Dixa's limit of requests per token and day.
	DefaultPerDay = 864_000

	// furthest is how far ahead a slot can be at all. One that is further was
	// given by a clock that has been set back since, and does not count.
	furthest = 10 * time.Minute
	day      = 24 * time.Hour
)

// Limits is what a token may do.
type Limits struct {
	// Interval is the distance of two requests. Defaults to [DefaultInterval].
	Interval time.Duration
	// MaxWait is how long the caller is ready to wait for its slot; at most five
	// minutes. Zero takes a slot only where it is free right now.
	MaxWait time.Duration
	// PerDay bounds the requests of a UTC day. Defaults to [DefaultPerDay].
	PerDay int
}

// BudgetError says that the token has no slot within the time that the caller
// would wait. None was taken.
type BudgetError struct {
	// RetryAfter is when to ask again.
	RetryAfter time.Duration
	// Day says that the requests of the day are used up.
	Day bool
}

func (e *BudgetError) Error() string {
	if e.Day {
		return fmt.Sprintf("the token's requests for today are used up; there are new ones in %s", e.RetryAfter.Round(time.Second))
	}
	return fmt.Sprintf("the token's requests are taken for now; ask again in %s", e.RetryAfter.Round(time.Millisecond))
}

// The one row of a token holds the next slot that nobody has. {now} is the time
// in microseconds: on PostgreSQL the database's own at the moment when the row
// is held, so that processes on several machines share one clock.
const takeSlot = `INSERT INTO budget AS b (token_hash, next_slot, day, used)
	VALUES ($1, {now} + CAST($2 AS BIGINT), {now} / {day}, 1)
	ON CONFLICT (token_hash) DO UPDATE SET
		next_slot = {slot} + CAST($2 AS BIGINT),
		used = CASE WHEN b.day = {now} / {day} THEN b.used + 1 ELSE 1 END,
		day = {now} / {day}
	WHERE {slot} <= {now} + CAST($3 AS BIGINT) AND (b.day <> {now} / {day} OR b.used < CAST($4 AS BIGINT))
	RETURNING next_slot - CAST($2 AS BIGINT) - {now}`

const readSlot = `SELECT b.next_slot - {now}, CASE WHEN b.day = {now} / {day} THEN b.used ELSE 0 END, {day} - {now} % {day} FROM budget b WHERE b.token_hash = $1`

func (s *Store) budgetSQL(text string) string {
	now := `CAST($5 AS BIGINT)`
	if s.dialect == onPostgres {
		now = `CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)`
	}
	return strings.NewReplacer(
		"{slot}", fmt.Sprintf(`(CASE WHEN b.next_slot > %s AND b.next_slot <= %s + %d THEN b.next_slot ELSE %s END)`, now, now, furthest.Microseconds(), now),
		"{now}", now, "{day}", fmt.Sprint(day.Microseconds()),
	).Replace(text)
}

// TakeBudget takes the next slot for a request of a token and says how long to
// wait for it; less than zero where it has just passed. Slots are the interval
// apart, across all processes; a slot that is not used is lost. Where the wait would be longer than
// the caller is ready for, or the day's requests are used up, it is a
// [*BudgetError] and nothing is taken.
func (s *Store) TakeBudget(ctx context.Context, tokenHash string, limits Limits) (wait time.Duration, err error) {
	interval := cmp.Or(limits.Interval, DefaultInterval)
	perDay := cmp.Or(limits.PerDay, DefaultPerDay)
	maxWait := min(limits.MaxWait, furthest/2)
	var granted int64
	err = s.write(ctx, "take a slot of the request budget", func(tx *sql.Tx) error {
		args := []any{tokenHash, interval.Microseconds(), maxWait.Microseconds(), perDay}
		if s.dialect == onSQLite {
			args = append(args, s.now()) // read while the transaction holds the lock
		}
		var us int64
		err := one(ctx, tx, ErrNotFound, []any{&us}, s.budgetSQL(takeSlot), args...)
		if err == nil {
			wait, granted = time.Duration(us)*time.Microsecond, s.now()
			return nil
		}
		if !errors.Is(err, ErrNotFound) {
			return err
		}
		return s.budgetError(ctx, tx, tokenHash, maxWait, perDay)
	})
	if err != nil {
		return 0, err
	}
	// The slot does not move while the database commits.
	return wait - time.Duration(s.now()-granted)*time.Microsecond, nil
}

func (s *Store) budgetError(ctx context.Context, tx *sql.Tx, tokenHash string, maxWait time.Duration, perDay int) error {
	query, args := s.budgetSQL(readSlot), []any{tokenHash}
	if s.dialect == onSQLite {
		query = strings.ReplaceAll(query, "$5", "$2")
		args = append(args, s.now())
	}
	var ahead, used, dayLeft int64
	if err := tx.QueryRowContext(ctx, query, args...).Scan(&ahead, &used, &dayLeft); err != nil {
		return err
	}
	if used >= int64(perDay) {
		return &BudgetError{RetryAfter: time.Duration(dayLeft) * time.Microsecond, Day: true}
	}
	// Half of the wait is left in the queue then: early enough that the queue
	// does not run dry, late enough that most who come again get a slot.
	return &BudgetError{RetryAfter: max(time.Duration(ahead)*time.Microsecond-maxWait/2, time.Millisecond)}
}
