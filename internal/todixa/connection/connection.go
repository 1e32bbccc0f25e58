// Package connection creates clients for a shop's Dixa, with the token from the
// store, the request budget that all processes share, and the API's address.
package connection

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/store"
)

// Options configure how clients reach Dixa. A zero field has its default.
type Options struct {
	// BaseURL is the address of Dixa's API. Defaults to [dixa.DefaultBaseURL].
	BaseURL string
	// ExportsURL is the address of the Exports API. Defaults to
	// [dixa.DefaultExportsURL].
	ExportsURL string
	// ExportsPace is the interval between two exports of a token. Defaults to
	// [DefaultExportsPace].
	ExportsPace time.Duration
	// Transport carries the requests. Defaults to the clients' own transport.
	Transport http.RoundTripper
	// Timeout bounds one request. Defaults to 45 s: Dixa copies a claim's files
	// before it answers a create.
	Timeout time.Duration
	// Limits is the pace per token. Defaults to [DefaultLimits].
	Limits store.BudgetLimits
	// Observe is called after every request, for metrics.
	Observe func(dixa.Call)
}

// DefaultLimits paces requests to satisfy both readings of Dixa's published limit: a
// bucket of 4 refilled at 10 a second, or 10 in any second. Even steps of 104 ms are
// 96 % of the limit and leave 40 ms for requests that overtake each other in
// transit.
func DefaultLimits() store.BudgetLimits {
	return store.BudgetLimits{Interval: store.DefaultInterval, MaxWait: 2 * time.Second, PerDay: store.DefaultPerDay}
}

// NeedsTokenError means that Dixa rejected a connection's token before. No request was
// sent.
type NeedsTokenError struct{ ConnectionID string }

func (e *NeedsTokenError) Error() string {
	return fmt.Sprintf("connection %s needs a new Dixa token: save one with `starter shop connect`", e.ConnectionID)
}

// Clients creates and caches one client per connection. It is safe for concurrent
// use.
type Clients struct {
	store   *store.Store
	options Options

	mu    sync.Mutex
	cache map[string]kept
}

// kept are the clients of one token: a writing and a read-only one, and the budget of
// its passage. Each is created on first use.
type kept struct {
	tokenHash string
	client    *dixa.Client
	reader    *dixa.Client
	passing   *budget
}

// New returns clients for the connections of a store.
func New(s *store.Store, o Options) *Clients {
	o.BaseURL = cmp.Or(o.BaseURL, dixa.DefaultBaseURL)
	o.Timeout = cmp.Or(o.Timeout, 45*time.Second)
	o.ExportsPace = cmp.Or(o.ExportsPace, DefaultExportsPace)
	if o.Limits == (store.BudgetLimits{}) {
		o.Limits = DefaultLimits()
	}
	return &Clients{store: s, options: o, cache: map[string]kept{}}
}

// Client returns the client of a connection for work on behalf of all shops that use
// it, such as its webhook subscription. If every one of them is read-only, so is the
// client, as in [Clients.For]. The error is a [*NeedsTokenError] if Dixa rejected the
// connection's token, and [store.ErrNotFound] if there is no such connection.
func (c *Clients) Client(ctx context.Context, connectionID string) (*dixa.Client, error) {
	readOnly, err := c.allReadOnly(ctx, connectionID)
	if err != nil {
		return nil, err
	}
	return c.open(ctx, connectionID, readOnly)
}

// For returns the client of a connection for work on behalf of a shop with the given
// settings. If they are read-only, its transport rejects every request that could
// change something in Dixa with [dixa.ErrReadOnly]; see [dixa.WithReadOnly]. The
// errors are those of [Clients.Client].
func (c *Clients) For(ctx context.Context, connectionID string, settings claim.Settings) (*dixa.Client, error) {
	return c.open(ctx, connectionID, settings.ReadOnly)
}

// allReadOnly reports whether every shop of a connection is read-only. It is false
// if there are none.
func (c *Clients) allReadOnly(ctx context.Context, connectionID string) (bool, error) {
	shops, err := c.store.Connections.Shops(ctx, connectionID)
	if err != nil {
		return false, err
	}
	for _, shop := range shops {
		in, err := c.store.Settings.Integration(ctx, shop)
		if errors.Is(err, store.ErrNotFound) {
			continue // deleted meanwhile
		}
		if err != nil || !in.Effective.ReadOnly {
			return false, err
		}
	}
	return len(shops) > 0, nil
}

func (c *Clients) open(ctx context.Context, connectionID string, readOnly bool) (*dixa.Client, error) {
	token, hash, err := c.token(ctx, connectionID)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	k := c.cache[connectionID]
	if k.tokenHash != hash {
		k = kept{tokenHash: hash}
	}
	wanted, options := &k.client, []dixa.Option(nil)
	if readOnly {
		wanted, options = &k.reader, []dixa.Option{dixa.WithReadOnly()}
	}
	if *wanted == nil {
		if *wanted, err = c.dial(token, hash, options...); err != nil {
			return nil, fmt.Errorf("connection %s: %w", connectionID, err)
		}
		c.cache[connectionID] = k
	}
	return *wanted, nil
}

// token returns the token of a connection and its hash. The error is a
// [*NeedsTokenError] if Dixa rejected it.
func (c *Clients) token(ctx context.Context, connectionID string) (token, hash string, err error) {
	conn, err := c.store.Connections.Get(ctx, connectionID)
	if err != nil {
		return "", "", fmt.Errorf("read connection %s: %w", connectionID, err)
	}
	if conn.State == claim.ConnectionNeedsToken {
		return "", "", &NeedsTokenError{ConnectionID: connectionID}
	}
	token, hash, err = c.store.Connections.Token(ctx, connectionID)
	if err != nil {
		return "", "", fmt.Errorf("read the token of connection %s: %w", connectionID, err)
	}
	return token, hash, nil
}

// Probe returns a client for a token that is not saved yet. It spends from the same
// budget as the saved token would.
func (c *Clients) Probe(token string) (*dixa.Client, error) {
	return c.dial(token, c.store.Connections.TokenHash(token))
}

func (c *Clients) dial(token, hash string, more ...dixa.Option) (*dixa.Client, error) {
	options := []dixa.Option{
		dixa.WithBaseURL(c.options.BaseURL),
		dixa.WithTimeout(c.options.Timeout),
		dixa.WithUserAgent("claimflow"),
		dixa.WithMessageFilter(filter),
		dixa.WithBudget(&budget{store: c.store, tokenHash: hash, limits: c.options.Limits}),
		dixa.WithObserver(func(call dixa.Call) { c.observe(hash, c.options.Limits, call) }),
	}
	if c.options.Transport != nil {
		options = append(options, dixa.WithTransport(c.options.Transport))
	}
	return dixa.New(token, append(options, more...)...)
}

// refusalWithin bounds recording a refusal.
const refusalWithin = 5 * time.Second

// observe passes a call on to Options.Observe. If Dixa rate-limited it, observe
// records that for every process that uses the token.
func (c *Clients) observe(tokenHash string, limits store.BudgetLimits, call dixa.Call) {
	if c.options.Observe != nil {
		c.options.Observe(call)
	}
	if call.Status != http.StatusTooManyRequests {
		return
	}
	var after time.Duration
	if e, ok := dixa.AsError(call.Err); ok {
		after = e.RetryAfter
	}
	ctx, cancel := context.WithTimeout(context.Background(), refusalWithin)
	defer cancel()
	// If the refusal is not recorded, the next refusal makes up for it.
	_ = c.store.Budget.RecordRefusal(ctx, tokenHash, limits, after)
}

// TokenRefused records that Dixa rejected the client's token, so that it is not used
// again. first reports whether this call was the first to record it. A token that
// has since been replaced is ignored.
func (c *Clients) TokenRefused(ctx context.Context, connectionID string, client *dixa.Client) (first bool, err error) {
	c.mu.Lock()
	k, ok := c.cache[connectionID]
	delete(c.cache, connectionID)
	c.mu.Unlock()
	if !ok || k.client != client && k.reader != client {
		return false, nil
	}
	first, err = c.store.Connections.MarkNeedsToken(ctx, connectionID, k.tokenHash)
	if err != nil {
		return false, fmt.Errorf("mark connection %s as needing a token: %w", connectionID, err)
	}
	return first, nil
}

// confirmWithin bounds the question whether Dixa still accepts a token.
const confirmWithin = 10 * time.Second

// ConfirmRefusal records that Dixa rejected a connection's token if an error says so and
// Dixa rejects a request that any token may send, too. It is for requests on behalf of
// other programs: what an operation that nobody knows means by 401 must not stop a shop's
// claims. Other errors have no effect.
func (c *Clients) ConfirmRefusal(ctx context.Context, connectionID string, err error) {
	if !dixa.IsTokenRefused(err) {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), confirmWithin)
	defer cancel()
	client, err := c.Client(ctx, connectionID)
	if err != nil {
		return // it is known already
	}
	// If this is not recorded, the next refusal makes up for it.
	_, _ = c.StillRefuses(ctx, connectionID, client)
}

// StillRefuses reports whether Dixa, after a 401, rejects the client's token for a
// request that any token may send, too. If so, it is recorded as in
// [Clients.TokenRefused]. The error means that Dixa could not be asked now.
func (c *Clients) StillRefuses(ctx context.Context, connectionID string, client *dixa.Client) (bool, error) {
	_, err := client.Organization.Get(ctx)
	e, fromDixa := dixa.AsError(err)
	switch {
	case dixa.IsTokenRefused(err):
		_, err := c.TokenRefused(ctx, connectionID, client)
		return true, err
	case err == nil, fromDixa && e.Outcome == dixa.Rejected && !e.Retryable && !dixa.IsRateLimited(err):
		return false, nil
	default:
		return false, fmt.Errorf("ask whether Dixa still rejects the token of connection %s: %w", connectionID, err)
	}
}

// budget charges every request of a token to the row that all processes share.
type budget struct {
	store     *store.Store
	tokenHash string
	limits    store.BudgetLimits
	// interval is the distance between the token's slots when the last one was
	// taken.
	interval atomic.Int64
}

// maxLateness is how far behind its slot a request may still be sent. A later one
// would crowd those that are sent on time: 11 slots of 104 ms span 40 ms more than
// the second in which Dixa allows 10, and latency to Dixa varies.
const maxLateness = 20 * time.Millisecond

// maxSlots bounds how many slots a request may miss before it is sent late.
const maxSlots = 3

// nextWait is the minimum MaxWait for the next request of an attempt that has
// already sent one: retrying the attempt would send the first one again.
const nextWait = 10 * time.Second

// Take waits for the request's slot. If the wait exceeds the limit, it returns an
// error with a retry time, so that the request does not occupy a worker slot. A slot
// missed because the machine was busy stays unused.
func (b *budget) Take(ctx context.Context) error {
	sent, counted := ctx.Value(countKey{}).(*atomic.Int64)
	limits := b.limits
	if counted && sent.Load() > 0 {
		limits.MaxWait = max(limits.MaxWait, nextWait)
	}
	if work, ok := backgroundOf(ctx); ok {
		first := !counted || sent.Load() == 0
		if err := b.throttle(ctx, work, first); err != nil {
			return err
		}
		if first || work.yields {
			limits.MaxWait = backgroundMaxWait
		}
	}
	for range maxSlots {
		interval, late, err := b.await(ctx, b.tokenHash, limits)
		if err != nil {
			return err
		}
		b.interval.Store(int64(interval))
		if late <= maxLateness {
			break
		}
	}
	if counted {
		sent.Add(1)
	}
	return nil
}

// await takes a slot and waits for it. It returns the interval between slots and how
// late this one was.
func (b *budget) await(ctx context.Context, row string, limits store.BudgetLimits) (interval, late time.Duration, err error) {
	taken, err := b.store.Budget.Take(ctx, row, limits)
	var spent *store.BudgetError
	if errors.As(err, &spent) {
		return 0, 0, &dixa.BudgetExceededError{RetryAfter: spent.RetryAfter}
	}
	if err != nil {
		return 0, 0, fmt.Errorf("take from the request budget: %w", err)
	}
	slot := time.Now().Add(taken.Wait)
	timer := time.NewTimer(taken.Wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return taken.Interval, time.Since(slot), nil
	case <-ctx.Done():
		return 0, 0, ctx.Err()
	}
}

type countKey struct{}

// Count returns a context that counts its requests, and the count.
func Count(ctx context.Context) (context.Context, *atomic.Int64) {
	n := new(atomic.Int64)
	return context.WithValue(ctx, countKey{}, n), n
}
