package connection

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/claimflow/claimflow/dixa"
)

// Passage passes requests on to Dixa's API with the token of a connection. Unlike a
// [dixa.Client], it need not know the operation. Create it with [Clients.Passage] for
// each request, because the connection's token may change.
type Passage struct {
	// Base is the address of Dixa's API, ending in a slash.
	Base *url.URL
	// ReadOnly says that requests that could change something in Dixa must not be
	// sent, as in [Clients.Client]. See [dixa.OnlyReads].
	ReadOnly bool

	clients      *Clients
	connectionID string
	hash         string
	budget       *budget
	// authorize is a closure so that no formatted output shows the token.
	authorize func(http.Header)
}

// Passage returns the passage of a connection. The errors are those of
// [Clients.Client].
func (c *Clients) Passage(ctx context.Context, connectionID string) (*Passage, error) {
	readOnly, err := c.allReadOnly(ctx, connectionID)
	if err != nil {
		return nil, err
	}
	token, hash, err := c.token(ctx, connectionID)
	if err != nil {
		return nil, err
	}
	base, err := url.Parse(strings.TrimSuffix(c.options.BaseURL, "/") + "/")
	if err != nil {
		return nil, fmt.Errorf("read the address of Dixa's API: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	k := c.cache[connectionID]
	if k.tokenHash != hash {
		k = kept{tokenHash: hash}
	}
	if k.passing == nil {
		k.passing = &budget{store: c.store, tokenHash: hash, limits: c.options.Limits}
		c.cache[connectionID] = k
	}
	return &Passage{
		Base: base, ReadOnly: readOnly, clients: c, connectionID: connectionID, hash: hash, budget: k.passing,
		authorize: func(h http.Header) { h.Set("Authorization", token) },
	}, nil
}

// Authorize sets the token in the header of a request to Base. It must not be sent
// anywhere else.
func (p *Passage) Authorize(h http.Header) { p.authorize(h) }

// Take waits for a slot in the token's request budget, at the rate of
// [WithProxyRate]. The error is a [*dixa.BudgetExceededError] if there is none soon.
func (p *Passage) Take(ctx context.Context) error { return p.budget.Take(WithProxyRate(ctx)) }

// Answered records the answer to a request that took a while: its status, which is 0 if
// Dixa did not answer, its message and when to retry. If Dixa rate-limited the request,
// every process that uses the token slows down. If Dixa may have rejected the token, it
// is confirmed as in [Clients.ConfirmRefusal].
func (p *Passage) Answered(ctx context.Context, took time.Duration, answer *dixa.Error) {
	call := dixa.Call{Operation: answer.Operation, Method: answer.Method, Status: answer.Status, Duration: took}
	if answer.Status == 0 || answer.Status >= http.StatusBadRequest {
		call.Err = answer
	}
	p.clients.observe(p.hash, p.clients.options.Limits, call)
	p.clients.ConfirmRefusal(ctx, p.connectionID, answer)
}
