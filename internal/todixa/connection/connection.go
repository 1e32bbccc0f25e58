// Package connection makes clients for a shop's Dixa: the token from the store,
// the request budget that all processes share, and the address to talk to.
package connection

import (
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

// Options say how clients reach Dixa. A zero field has its default.
type Options struct {
	// BaseURL is where Dixa's API is. Defaults to [dixa.DefaultBaseURL].
	BaseURL string
	// Transport carries the requests. Defaults to one of the clients' own.
	Transport http.RoundTripper
	// Timeout bounds one request. Defaults to 45 s: Dixa copies a claim's photos
	// before it answers a create.
	Timeout time.Duration
	// Limits is the pace per token. Defaults to [DefaultLimits].
	Limits store.BudgetLimits
	// Observe is called after every request, for metrics.
	Observe func(dixa.Call)
}

// DefaultLimits paces requests so that neither reading of Dixa's published limit
// refuses one: a bucket of 4 refilled at 10 a second, or 10 in any second. Even
// steps of 104 ms are 96 % of the limit and leave 40 ms for requests that
// overtake each other on the way.
func DefaultLimits() store.BudgetLimits {
	return store.BudgetLimits{Interval: store.DefaultInterval, MaxWait: 2 * time.Second, PerDay: store.DefaultPerDay}
}

// NeedsTokenError says that Dixa refused a connection's token before. Nothing was
// sent.
type NeedsTokenError struct{ ConnectionID string }

func (e *NeedsTokenError) Error() string {
	return fmt.Sprintf("connection %s needs a new Dixa token: save one with `starter shop connect`", e.ConnectionID)
}

// Clients makes and keeps one client per connection. It is safe for concurrent
// use.
type Clients struct {
	store   *store.Store
	options Options

	mu   sync.Mutex
	kept map[string]kept
}

// kept are the clients of one token: one that writes and one that only reads.
// Either is made when it is asked for first.
type kept struct {
	tokenHash string
	client    *dixa.Client
	reader    *dixa.Client
}

// New returns clients for the connections of a store.
func New(s *store.Store, o Options) *Clients {
	if o.BaseURL == "" {
		o.BaseURL = dixa.DefaultBaseURL
	}
	if o.Timeout == 0 {
		o.Timeout = 45 * time.Second
	}
	if o.Limits == (store.BudgetLimits{}) {
		o.Limits = DefaultLimits()
	}
	return &Clients{store: s, options: o, kept: map[string]kept{}}
}

// Client returns the client of a connection for what is done for all shops that
// use it, such as its webhook subscription. Where every one of them is read-only
// it is one that only reads, as [Clients.For] has it. The error is a
// [*NeedsTokenError] where Dixa refused the connection's token, and
// [store.ErrNotFound] where there is no such connection.
func (c *Clients) Client(ctx context.Context, connectionID string) (*dixa.Client, error) {
	readOnly, err := c.allReadOnly(ctx, connectionID)
	if err != nil {
		return nil, err
	}
	return c.open(ctx, connectionID, readOnly)
}

// For returns the client of a connection for what is done for a shop with the
// settings given. Where those are read-only, its transport refuses whatever could
// change something in Dixa with [dixa.ErrReadOnly]; see [dixa.WithReadOnly]. The
// errors are those of [Clients.Client].
func (c *Clients) For(ctx context.Context, connectionID string, settings claim.Settings) (*dixa.Client, error) {
	return c.open(ctx, connectionID, settings.ReadOnly)
}

// allReadOnly reports whether no shop of a connection lets it write.
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
	conn, err := c.store.Connections.Get(ctx, connectionID)
	if err != nil {
		return nil, fmt.Errorf("read connection %s: %w", connectionID, err)
	}
	if conn.State == claim.ConnectionNeedsToken {
		return nil, &NeedsTokenError{ConnectionID: connectionID}
	}
	token, hash, err := c.store.Connections.Token(ctx, connectionID)
	if err != nil {
		return nil, fmt.Errorf("open the token of connection %s: %w", connectionID, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	k := c.kept[connectionID]
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
		c.kept[connectionID] = k
	}
	return *wanted, nil
}

// Probe returns a client for a token that is not saved yet. It spends from the
// same budget as the saved token would.
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
		dixa.WithObserver(func(call dixa.Call) { c.observe(hash, call) }),
	}
	if c.options.Transport != nil {
		options = append(options, dixa.WithTransport(c.options.Transport))
	}
	return dixa.New(token, append(options, more...)...)
}

// refusalWithin bounds how long a refusal takes to be recorded.
const refusalWithin = 5 * time.Second

// observe passes a call on, and lets every process that uses the token know where
// Dixa refused it for its limit.
func (c *Clients) observe(tokenHash string, call dixa.Call) {
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
	// A refusal that is not recorded is followed by another one.
	_ = c.store.Budget.RecordRefusal(ctx, tokenHash, c.options.Limits, after)
}

// TokenRefused records that Dixa refused the token with which the client was
// made, so that nobody uses it again. It reports whether it is the first to say
// so; a token that was replaced meanwhile is nobody's concern any more.
func (c *Clients) TokenRefused(ctx context.Context, connectionID string, client *dixa.Client) (first bool, err error) {
	c.mu.Lock()
	k, ok := c.kept[connectionID]
	delete(c.kept, connectionID)
	c.mu.Unlock()
	if !ok || k.client != client && k.reader != client {
		return false, nil
	}
	first, err = c.store.Connections.MarkNeedsToken(ctx, connectionID, k.tokenHash)
	if err != nil {
		return false, fmt.Errorf("mark connection %s as in need of a token: %w", connectionID, err)
	}
	return first, nil
}

// budget takes every request of a token from the row that all processes share.
type budget struct {
	store     *store.Store
	tokenHash string
	limits    store.BudgetLimits
	// interval is the distance of the token's slots when the last one was taken.
	interval atomic.Int64
}

// maxLateness is how far behind its slot a request may still leave. One that is
// later would crowd those that leave on time: 11 slots of 104 ms span 40 ms more
// than the second in which Dixa takes 10, and the way to Dixa is not even.
const maxLateness = 20 * time.Millisecond

// maxSlots bounds how many slots a request may miss before it leaves late.
const maxSlots = 3

// nextWait is how long an attempt that has sent a request waits for its next one
// at least: to come back later would send the first one again.
const nextWait = 10 * time.Second

// Take waits for the request's slot. A wait of more than a moment is an error
// that says when to come back, so that it does not hold a worker's slot. A slot
// that was missed, since the machine was busy, is left unused.
func (b *budget) Take(ctx context.Context) error {
	sent, counted := ctx.Value(countKey{}).(*atomic.Int64)
	limits := b.limits
	if counted && sent.Load() > 0 {
		limits.MaxWait = max(limits.MaxWait, nextWait)
	}
	if isGentle(ctx) {
		first := !counted || sent.Load() == 0
		if err := b.standBack(ctx, first); err != nil {
			return err
		}
		if first {
			limits.MaxWait = gentleWait
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

// await takes a slot, waits for it and says how far apart slots are and by how
// much this one was missed.
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

// Count returns a context under which requests are counted, and the count.
func Count(ctx context.Context) (context.Context, *atomic.Int64) {
	n := new(atomic.Int64)
	return context.WithValue(ctx, countKey{}, n), n
}
