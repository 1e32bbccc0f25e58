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
	// DefaultInterval is the interval between two requests of a token. It is
	// slightly longer than the 100 ms that Dixa's limit of 10 requests a second
	// implies, so that no reading of the limit rejects a request.
	DefaultInterval = 104 * time.Millisecond
	// DefaultPerDay is Dixa's limit of requests per token and day.
	DefaultPerDay = 864_000

	// furthest is the latest valid slot, from now. A later one came from a clock
	// that has been set back since, and is ignored.
	furthest = 10 * time.Minute
	day      = 24 * time.Hour

	// slowest is the longest interval that refusals lead to.
	slowest = 4 * time.Second
	// slowdown is the factor by which a refusal lengthens the interval. recovery is
	// the percentage of the interval that is left after each later request. If
	// another program uses the rest of the limit, about one request in 23 is then
	// refused.
	slowdown = 2
	recovery = 97
	// refusalDedupWindow is how long after a refusal further ones do not count, because they
	// refuse requests that were already in flight.
	refusalDedupWindow = 500 * time.Millisecond
	// refusalTTL is how long a refusal counts at most.
	refusalTTL = 10 * time.Minute
	// longestHold bounds how long one refusal holds back all requests.
	longestHold = 5 * time.Minute
)

// BudgetLimits are the limits of a token.
type BudgetLimits struct {
	// Interval is the interval between two requests. Defaults to [DefaultInterval].
	Interval time.Duration
	// MaxWait is how long the caller is willing to wait for its slot; at most five
	// minutes. Zero takes a slot only if one is free now.
	MaxWait time.Duration
	// PerDay bounds the requests per UTC day. Defaults to [DefaultPerDay].
	PerDay int
}

// BudgetError means that the token has no slot within the caller's maximum wait. No
// slot was taken.
type BudgetError struct {
	// RetryAfter is how long to wait before asking again.
	RetryAfter time.Duration
	// Day says that the day's requests are used up.
	Day bool
}

func (e *BudgetError) Error() string {
	if e.Day {
		return fmt.Sprintf("the token's request limit for today is reached; it resets in %s", e.RetryAfter.Round(time.Second))
	}
	return fmt.Sprintf("the token has no free request slot; retry in %s", e.RetryAfter.Round(time.Millisecond))
}

// A token's only row holds its next free slot. {now} is the time in microseconds. On
// PostgreSQL it is the database's time when the row is locked, so that processes on
// several machines share one clock. Each slot taken moves the learned pace closer to
// the configured interval, $2.
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
			pace, refusedAt, now, refusalTTL.Microseconds())
	}
	return strings.NewReplacer(
		"{slot}", fmt.Sprintf(`(CASE WHEN b.next_slot > %s AND b.next_slot <= %s + %d THEN b.next_slot ELSE %s END)`, now, now, furthest.Microseconds(), now),
		"{stepped}", interval("b.pace * {recovery} / 100", "b.refused_at"), "{interval}", interval("pace", "refused_at"),
		"{interval of b}", interval("b.pace", "b.refused_at"), "{one}", fmt.Sprint(refusalDedupWindow.Microseconds()), "{slowdown}", fmt.Sprint(slowdown),
		"{now}", now, "{day}", fmt.Sprint(day.Microseconds()), "{recovery}", fmt.Sprint(recovery),
	).Replace(text)
}

// BudgetSlot is the slot of one request in a token's budget.
type BudgetSlot struct {
	// Wait is how long to wait for the slot; negative if it has just passed.
	Wait time.Duration
	// Interval is the interval to the next slot: the one in the limits, or a longer
	// one if Dixa rejected requests lately.
	Interval time.Duration
}

// Take takes the next slot for a request of a token. Across all processes, slots are
// one interval of the limits apart, and further apart after Dixa rejected a request,
// see [Budget.RecordRefusal]. An unused slot is lost. It returns a [*BudgetError]
// and takes nothing if the wait would exceed the caller's maximum or the day's
// requests are used up.
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

// RecordRefusal records that Dixa rate limited a request of a token (429) although
// the budget allowed it, because someone else uses the token too. Requests are then
// twice as far apart, at most four seconds. Each later request shortens the interval
// by 3 %, so the pace settles at what the others leave. No request is sent until
// retryAfter, at most five minutes, has passed. Refusals of requests that were in
// flight at the same time count once.
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

// The interval grows from the configured one once the last refusal has expired.
const refuseSlot = `UPDATE budget AS b SET
	pace = CASE
		WHEN b.refused_at > {now} - {one} AND b.refused_at <= {now} THEN b.pace
		WHEN {slowdown} * {interval of b} > CAST($4 AS BIGINT) THEN CAST($4 AS BIGINT)
		ELSE {slowdown} * {interval of b} END,
	next_slot = CASE WHEN {slot} > {now} + CAST($3 AS BIGINT) THEN {slot} ELSE {now} + CAST($3 AS BIGINT) END,
	refused_at = {now}
	WHERE b.token_hash = $1`

// Share returns the share of its requests that Dixa lately left to a connection's
// token. It returns nil if Dixa rejected none within ten minutes.
func (s Budget) Share(ctx context.Context, connectionID string) (*claim.TokenShare, error) {
	shares, err := s.tokenShares(ctx, `AND n.id = $1`, connectionID)
	if share, ok := shares[connectionID]; ok {
		return &share, err
	}
	return nil, err
}

// Shares returns the shares of all connections for which [Budget.Share] returns one,
// by connection.
func (s Budget) Shares(ctx context.Context) (map[string]claim.TokenShare, error) {
	return s.tokenShares(ctx, "")
}

func (s *core) tokenShares(ctx context.Context, which string, args ...any) (map[string]claim.TokenShare, error) {
	return get(ctx, s, "read the shares of the request budget", func(db *sql.DB) (map[string]claim.TokenShare, error) {
		shares := map[string]claim.TokenShare{}
		return shares, queryEach(ctx, db, func(scan func(...any) error) error {
			var id string
			var pace, refusedAt int64
			err := scan(&id, &pace, &refusedAt)
			if at := timeOf(refusedAt); pace > 0 && s.clock().Sub(at) < refusalTTL {
				shares[id] = claim.TokenShare{PerSecond: 1e6 / float64(pace), RefusedAt: at}
			}
			return err
		}, `SELECT n.id, b.pace, b.refused_at FROM connections n JOIN budget b ON b.token_hash = n.token_hash WHERE b.refused_at > 0 `+which, args...)
	})
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
	// By then, half of the wait is left in the queue: early enough that the queue
	// does not run dry, late enough that most retries get a slot.
	return &BudgetError{RetryAfter: max(time.Duration(ahead)*time.Microsecond-maxWait/2, time.Millisecond)}
}
