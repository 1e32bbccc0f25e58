package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/claimflow/claimflow/claim"
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

	// slowest is the longest distance of two requests that refusals lead to.
	slowest = 4 * time.Second
	// slowdown is by how much a refusal lengthens the distance, recovery how much
	// of it, in percent, is left after each request that follows. Where another
	// program takes the rest, about one request in 23 is refused then.
	slowdown = 2
	recovery = 97
	// oneRefusal is how long requests that were under way already may be refused
	// after the first without counting as another refusal.
	oneRefusal = 500 * time.Millisecond
	// forgetRefusal is how long a refusal counts at most.
	forgetRefusal = 10 * time.Minute
	// longestHold bounds for how long one refusal holds all requests back.
	longestHold = 5 * time.Minute
)

// BudgetLimits is what a token may do.
type BudgetLimits struct {
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
// is held, so that processes on several machines share one clock. Every slot that
// is given brings the pace that was learned a little nearer to the configured
// interval, $2.
const takeSlot = `INSERT INTO budget AS b (token_hash, next_slot, day, used)
	VALUES ($1, {now} + CAST($2 AS BIGINT), {now} / {day}, 1)
	ON CONFLICT (token_hash) DO UPDATE SET
		next_slot = {slot} + {stepped},
		used = CASE WHEN b.day = {now} / {day} THEN b.used + 1 ELSE 1 END,
		day = {now} / {day},
		pace = CASE WHEN {stepped} > CAST($2 AS BIGINT) THEN b.pace * {recovery} / 100 ELSE 0 END
	WHERE {slot} <= {now} + CAST($3 AS BIGINT) AND (b.day <> {now} / {day} OR b.used < CAST($4 AS BIGINT))
	RETURNING next_slot - {now}, {interval}`

const readSlot = `SELECT b.next_slot - {now}, CASE WHEN b.day = {now} / {day} THEN b.used ELSE 0 END, {day} - {now} % {day} FROM budget b WHERE b.token_hash = $1`

func (s *core) budgetSQL(text string) string {
	now := `CAST($5 AS BIGINT)`
	if s.dialect == onPostgres {
		now = `CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)`
	}
	interval := func(pace, refusedAt string) string {
		pace = strings.ReplaceAll(pace, "{recovery}", fmt.Sprint(recovery))
		return fmt.Sprintf(`(CASE WHEN %[1]s > CAST($2 AS BIGINT) AND %[2]s > %[3]s - %[4]d THEN %[1]s ELSE CAST($2 AS BIGINT) END)`,
			pace, refusedAt, now, forgetRefusal.Microseconds())
	}
	return strings.NewReplacer(
		"{slot}", fmt.Sprintf(`(CASE WHEN b.next_slot > %s AND b.next_slot <= %s + %d THEN b.next_slot ELSE %s END)`, now, now, furthest.Microseconds(), now),
		"{stepped}", interval("b.pace * {recovery} / 100", "b.refused_at"), "{interval}", interval("pace", "refused_at"),
		"{interval of b}", interval("b.pace", "b.refused_at"), "{one}", fmt.Sprint(oneRefusal.Microseconds()), "{slowdown}", fmt.Sprint(slowdown),
		"{now}", now, "{day}", fmt.Sprint(day.Microseconds()), "{recovery}", fmt.Sprint(recovery),
	).Replace(text)
}

// BudgetSlot is the place of one request in a token's budget.
type BudgetSlot struct {
	// Wait is how long to wait for it; less than zero where it has just passed.
	Wait time.Duration
	// Interval is the distance to the next slot: that of the limits, or a longer one
	// where Dixa refused requests lately.
	Interval time.Duration
}

// Take takes the next slot for a request of a token. Slots are the interval
// of the limits apart, across all processes, and further apart after Dixa refused
// a request; see [Budget.RecordRefusal]. A slot that is not used is lost. Where the
// wait would be longer than the caller is ready for, or the day's requests are
// used up, it is a [*BudgetError] and nothing is taken.
func (s Budget) Take(ctx context.Context, tokenHash string, limits BudgetLimits) (BudgetSlot, error) {
	var slot BudgetSlot
	interval := cmp.Or(limits.Interval, DefaultInterval)
	perDay := cmp.Or(limits.PerDay, DefaultPerDay)
	maxWait := min(limits.MaxWait, furthest/2)
	var granted int64
	err := s.write(ctx, "take a slot of the request budget", func(tx *sql.Tx) error {
		args := []any{tokenHash, interval.Microseconds(), maxWait.Microseconds(), perDay}
		if s.dialect == onSQLite {
			args = append(args, s.now()) // read while the transaction holds the lock
		}
		var next, apart int64
		err := queryOne(ctx, tx, ErrNotFound, []any{&next, &apart}, s.budgetSQL(takeSlot), args...)
		if err == nil {
			slot = BudgetSlot{Wait: time.Duration(next-apart) * time.Microsecond, Interval: time.Duration(apart) * time.Microsecond}
			granted = s.now()
			return nil
		}
		if !errors.Is(err, ErrNotFound) {
			return err
		}
		return s.budgetError(ctx, tx, tokenHash, maxWait, perDay)
	})
	if err != nil {
		return BudgetSlot{}, err
	}
	// The slot does not move while the database commits.
	slot.Wait -= time.Duration(s.now()-granted) * time.Microsecond
	return slot, nil
}

// RecordRefusal records that Dixa refused a request of a token for its limit (429),
// though the budget allowed it: somebody else uses the token too. Requests then
// keep twice the distance, at most four seconds; the distance shrinks by 3 % with
// every request that follows. So the pace settles at what the others leave. None
// is sent before retryAfter is over, or five minutes. Refusals of requests that
// were under way at the same time count once.
func (s Budget) RecordRefusal(ctx context.Context, tokenHash string, limits BudgetLimits, retryAfter time.Duration) error {
	interval := cmp.Or(limits.Interval, DefaultInterval)
	hold := min(max(retryAfter, 0), longestHold)
	return s.write(ctx, "record a refusal in the request budget", func(tx *sql.Tx) error {
		args := []any{tokenHash, interval.Microseconds(), hold.Microseconds(), slowest.Microseconds()}
		if s.dialect == onSQLite {
			args = append(args, s.now())
		}
		_, err := exec(ctx, tx, s.budgetSQL(refuseSlot), args...)
		return err
	})
}

// The distance grows from the configured one where the last refusal is forgotten.
const refuseSlot = `UPDATE budget AS b SET
	pace = CASE
		WHEN b.refused_at > {now} - {one} AND b.refused_at <= {now} THEN b.pace
		WHEN {slowdown} * {interval of b} > CAST($4 AS BIGINT) THEN CAST($4 AS BIGINT)
		ELSE {slowdown} * {interval of b} END,
	next_slot = CASE WHEN {slot} > {now} + CAST($3 AS BIGINT) THEN {slot} ELSE {now} + CAST($3 AS BIGINT) END,
	refused_at = {now}
	WHERE b.token_hash = $1`

// Share is how much of its requests Dixa lately left to a connection's token;
// nil where Dixa refused none within ten minutes.
func (s Budget) Share(ctx context.Context, connectionID string) (*claim.TokenShare, error) {
	shares, err := s.tokenShares(ctx, `AND n.id = $1`, connectionID)
	if share, ok := shares[connectionID]; ok {
		return &share, err
	}
	return nil, err
}

// Shares are the shares of all connections of which [Budget.Share] tells
// one, by connection.
func (s Budget) Shares(ctx context.Context) (map[string]claim.TokenShare, error) {
	return s.tokenShares(ctx, "")
}

func (s *core) tokenShares(ctx context.Context, which string, args ...any) (map[string]claim.TokenShare, error) {
	var shares map[string]claim.TokenShare
	err := s.read(ctx, "read what Dixa leaves of the request budget", func(db *sql.DB) error {
		shares = map[string]claim.TokenShare{}
		return queryEach(ctx, db, func(scan func(...any) error) error {
			var id string
			var pace, refusedAt int64
			err := scan(&id, &pace, &refusedAt)
			if at := timeOf(refusedAt); pace > 0 && s.clock().Sub(at) < forgetRefusal {
				shares[id] = claim.TokenShare{PerSecond: 1e6 / float64(pace), RefusedAt: at}
			}
			return err
		}, `SELECT n.id, b.pace, b.refused_at FROM connections n JOIN budget b ON b.token_hash = n.token_hash WHERE b.refused_at > 0 `+which, args...)
	})
	return shares, err
}

func (s *core) budgetError(ctx context.Context, tx *sql.Tx, tokenHash string, maxWait time.Duration, perDay int) error {
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
