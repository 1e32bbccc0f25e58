package client

import (
	"context"
	"net/http"

	"github.com/claimflow/claimflow/claim"
)

// DashboardList is a list of dashboards.
type DashboardList struct {
	Dashboards []claim.Dashboard `json:"data"`
}

// Dashboards lists the dashboards that a shop has put together, oldest first.
func (c *Client) Dashboards(ctx context.Context, shop string) ([]claim.Dashboard, error) {
	out, err := ask[DashboardList](ctx, c, call{method: http.MethodGet, path: shopPath(shop, "dashboards")})
	return out.Dashboards, err
}

// SaveDashboard adds or replaces the dashboard with d's id: up to 40 lower case letters,
// digits and hyphens.
func (c *Client) SaveDashboard(ctx context.Context, shop string, d claim.Dashboard) (claim.Dashboard, error) {
	return ask[claim.Dashboard](ctx, c, call{method: http.MethodPut, path: shopPath(shop, "dashboards", d.ID), body: d})
}

// DeleteDashboard deletes a dashboard.
func (c *Client) DeleteDashboard(ctx context.Context, shop, id string) error {
	_, err := c.send(ctx, call{method: http.MethodDelete, path: shopPath(shop, "dashboards", id)})
	return err
}
