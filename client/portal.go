package client

import (
	"context"
	"net/http"
	"time"

	"github.com/claimflow/claimflow/claim"
)

// NewPortalLink describes a link to the portal.
type NewPortalLink = claim.NewPortalLink

// PortalLink is a new link to the portal.
type PortalLink struct {
	// ID identifies the link and the session that begins with it.
	ID string `json:"id"`
	// URL works once. Treat it as a password.
	URL string `json:"url" doc:"The link. It works once and is returned only here."`
	// ExpiresAt is when the link can no longer be used.
	ExpiresAt time.Time `json:"expires_at"`
}

// PortalSessionList is a list of links and sessions, newest first.
type PortalSessionList struct {
	Sessions []claim.PortalSession `json:"data"`
}

// EndedSessions is the number of links and sessions that ended.
type EndedSessions struct {
	Sessions int `json:"sessions"`
}

// CreatePortalLink creates a link to the portal of a shop. It is not retried if no response
// arrives.
func (c *Client) CreatePortalLink(ctx context.Context, shop string, l NewPortalLink) (PortalLink, error) {
	return ask[PortalLink](ctx, c, call{method: http.MethodPost, path: shopPath(shop, "portal-links"), body: l, once: true})
}

// PortalSessions lists the portal sessions and unused links of a shop, newest first.
func (c *Client) PortalSessions(ctx context.Context, shop string) ([]claim.PortalSession, error) {
	out, err := ask[PortalSessionList](ctx, c, call{method: http.MethodGet, path: shopPath(shop, "portal-sessions")})
	return out.Sessions, err
}

// EndPortalSession ends a portal session, or revokes its link.
func (c *Client) EndPortalSession(ctx context.Context, shop, id string) error {
	_, err := c.send(ctx, call{method: http.MethodDelete, path: shopPath(shop, "portal-sessions", id)})
	return err
}

// EndPortalSessions ends all portal sessions of a shop, or those of one subject if it is not
// empty, and returns their number.
func (c *Client) EndPortalSessions(ctx context.Context, shop, subject string) (int, error) {
	out, err := ask[EndedSessions](ctx, c, call{method: http.MethodDelete, path: shopPath(shop, "portal-sessions"), query: query("subject", subject)})
	return out.Sessions, err
}
