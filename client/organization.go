package client

import (
	"context"
	"iter"
	"net/http"
	"time"

	"github.com/claimflow/claimflow/claim"
)

// ConnectionSummary is a connection to a Dixa organization. Its id is part of the
// addresses of the organization's data.
type ConnectionSummary struct {
	ID               string                `json:"id"`
	OrganizationID   string                `json:"organization_id,omitempty"`
	OrganizationName string                `json:"organization_name,omitempty"`
	State            claim.ConnectionState `json:"state"`
	// Shops are the shops that use the connection.
	Shops []string `json:"shops" doc:"The slugs of the shops that use the connection."`
}

// ConnectionList is a list of connections.
type ConnectionList struct {
	Connections []ConnectionSummary `json:"data"`
}

// SourceList is a list of data sources.
type SourceList struct {
	Sources []claim.DataSource `json:"data"`
}

// ImportList is a list of imports, newest first.
type ImportList struct {
	Imports []claim.Import `json:"data"`
}

// ImportStarting is the state of a requested import that has not begun.
const ImportStarting claim.ImportState = "starting"

// ImportRequested is the response to [Client.StartImport].
type ImportRequested struct {
	// State is [ImportStarting], or that of the import that was running already.
	State claim.ImportState `json:"state" doc:"starting, or the state of the import that was running already."`
	// Import is the import that was running already.
	Import *claim.Import `json:"import,omitempty" doc:"The import that was running already; no other one was started."`
	// LastID is the newest import before the one that starts.
	LastID string `json:"last_id,omitempty" doc:"The newest import before the one that starts. The one that starts appears before it in the list."`
}

// ExportsToken describes the token that reads an organization's exports.
type ExportsToken struct {
	// Preview is the only form in which the token is ever returned. It is empty if the
	// shop's own token reads the exports.
	Preview string `json:"token_preview" doc:"A masked form of the token; empty if the shop's own token reads the exports."`
}

// Connections lists the connections to Dixa organizations. It requires a platform key.
func (c *Client) Connections(ctx context.Context) ([]ConnectionSummary, error) {
	out, err := ask[ConnectionList](ctx, c, call{method: http.MethodGet, path: connectionPath()})
	return out.Connections, err
}

// DataSources lists the data sources of a connection, oldest first.
func (c *Client) DataSources(ctx context.Context, connectionID string) ([]claim.DataSource, error) {
	out, err := ask[SourceList](ctx, c, call{method: http.MethodGet, path: connectionPath(connectionID, "sources")})
	return out.Sources, err
}

// DataSource returns a data source.
func (c *Client) DataSource(ctx context.Context, connectionID, id string) (claim.DataSource, error) {
	return ask[claim.DataSource](ctx, c, call{method: http.MethodGet, path: connectionPath(connectionID, "sources", id)})
}

// CreateDataSource adds a data source. What it selects is stored from then on, and
// earlier records once they are imported. It is not retried if no response arrives.
func (c *Client) CreateDataSource(ctx context.Context, connectionID string, d claim.DataSource) (claim.DataSource, error) {
	return ask[claim.DataSource](ctx, c, call{method: http.MethodPost, path: connectionPath(connectionID, "sources"), body: d, once: true})
}

// ReplaceDataSource replaces the data source with d's id.
func (c *Client) ReplaceDataSource(ctx context.Context, connectionID string, d claim.DataSource) (claim.DataSource, error) {
	return ask[claim.DataSource](ctx, c, call{method: http.MethodPut, path: connectionPath(connectionID, "sources", d.ID), body: d})
}

// DeleteDataSource deletes a data source. The records that no other source selects are
// deleted later.
func (c *Client) DeleteDataSource(ctx context.Context, connectionID, id string) error {
	_, err := c.send(ctx, call{method: http.MethodDelete, path: connectionPath(connectionID, "sources", id)})
	return err
}

// StartImport starts an import of what the data sources select. If an import is
// running or paused, no other one is started and the result has that one.
func (c *Client) StartImport(ctx context.Context, connectionID string, r claim.ImportRequest) (ImportRequested, error) {
	return ask[ImportRequested](ctx, c, call{method: http.MethodPost, path: connectionPath(connectionID, "imports"), body: r})
}

// Imports lists the newest imports of a connection, newest first; 0 is the service's
// default number.
func (c *Client) Imports(ctx context.Context, connectionID string, limit int) ([]claim.Import, error) {
	out, err := ask[ImportList](ctx, c, call{method: http.MethodGet, path: connectionPath(connectionID, "imports"), query: query("limit", number(limit))})
	return out.Imports, err
}

// Import returns an import with its windows.
func (c *Client) Import(ctx context.Context, connectionID, id string) (claim.Import, error) {
	return ask[claim.Import](ctx, c, call{method: http.MethodGet, path: connectionPath(connectionID, "imports", id)})
}

// PauseImport pauses an import after its current requests.
func (c *Client) PauseImport(ctx context.Context, connectionID, id string) (claim.Import, error) {
	return c.moveImport(ctx, connectionID, id, "pause")
}

// ResumeImport resumes a paused import.
func (c *Client) ResumeImport(ctx context.Context, connectionID, id string) (claim.Import, error) {
	return c.moveImport(ctx, connectionID, id, "resume")
}

// CancelImport ends an import. What it stored stays.
func (c *Client) CancelImport(ctx context.Context, connectionID, id string) (claim.Import, error) {
	return c.moveImport(ctx, connectionID, id, "cancel")
}

func (c *Client) moveImport(ctx context.Context, connectionID, id, verb string) (claim.Import, error) {
	return ask[claim.Import](ctx, c, call{method: http.MethodPost, path: connectionPath(connectionID, "imports", id, verb)})
}

// ExportsToken describes the token that reads an organization's exports.
func (c *Client) ExportsToken(ctx context.Context, connectionID string) (ExportsToken, error) {
	return ask[ExportsToken](ctx, c, call{method: http.MethodGet, path: connectionPath(connectionID, "exports-token")})
}

// SaveExportsToken saves a token that reads an organization's exports instead of the
// shop's own. The next import shows whether Dixa accepts it.
func (c *Client) SaveExportsToken(ctx context.Context, connectionID, token string) (ExportsToken, error) {
	return ask[ExportsToken](ctx, c, call{method: http.MethodPut, path: connectionPath(connectionID, "exports-token"), body: TokenRequest{Token: token}})
}

// RemoveExportsToken removes the token, so that the shop's own reads the exports.
func (c *Client) RemoveExportsToken(ctx context.Context, connectionID string) error {
	_, err := c.send(ctx, call{method: http.MethodDelete, path: connectionPath(connectionID, "exports-token")})
	return err
}

// FollowImport polls an import at the interval until it ends. It yields the import
// first and then at every interval. It ends with the context or with an error.
func (c *Client) FollowImport(ctx context.Context, connectionID, id string, interval time.Duration) iter.Seq2[claim.Import, error] {
	return func(yield func(claim.Import, error) bool) {
		tick := time.NewTicker(interval)
		defer tick.Stop()
		for {
			i, err := c.Import(ctx, connectionID, id)
			if !yield(i, err) || err != nil || i.State == claim.ImportDone || i.State == claim.ImportCancelled {
				return
			}
			select {
			case <-ctx.Done():
				yield(claim.Import{}, ctx.Err())
				return
			case <-tick.C:
			}
		}
	}
}

func connectionPath(tail ...string) []string {
	return append([]string{"v1", "connections"}, tail...)
}
