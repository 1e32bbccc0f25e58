package connection

import (
	"context"
	"fmt"
	"time"

	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/store"
)

// DefaultExportsPace is the interval between two requests to the Exports API with one
// token: Dixa allows 10 a minute, apart from the limit of the other API.
const DefaultExportsPace = 6100 * time.Millisecond

// exportsMaxWait is how long an export waits for its slot. One that would have to wait
// longer gets an error with a retry time, so that no worker is held.
const exportsMaxWait = time.Second

// Exports returns a client of the Exports API for a connection. It uses the
// connection's token for exports, or the token of the connection if it has none, and
// a budget of its own in the store.
func (c *Clients) Exports(ctx context.Context, connectionID string) (*dixa.Exports, error) {
	token, hash, err := c.store.Connections.ExportsToken(ctx, connectionID)
	if err != nil {
		return nil, fmt.Errorf("read the exports token of connection %s: %w", connectionID, err)
	}
	row := hash + "/exports"
	limits := store.BudgetLimits{Interval: c.options.ExportsPace, MaxWait: exportsMaxWait}
	options := []dixa.Option{
		dixa.WithUserAgent("claimflow"),
		dixa.WithMessageFilter(filter),
		dixa.WithBudget(&budget{store: c.store, tokenHash: row, limits: limits}),
		dixa.WithObserver(func(call dixa.Call) { c.observe(row, limits, call) }),
	}
	if c.options.ExportsURL != "" {
		options = append(options, dixa.WithBaseURL(c.options.ExportsURL))
	}
	if c.options.Transport != nil {
		options = append(options, dixa.WithTransport(c.options.Transport))
	}
	exports, err := dixa.NewExports(token, options...)
	if err != nil {
		return nil, fmt.Errorf("connection %s: %w", connectionID, err)
	}
	return exports, nil
}
