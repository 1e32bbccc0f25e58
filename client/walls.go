package client

import (
	"context"
	"net/http"

	"github.com/claimflow/claimflow/claim"
)

// NewWall describes a wall link.
type NewWall = claim.NewWall

// WallLink is a new wall link.
type WallLink struct {
	claim.Wall
	// URL shows the board to everyone who has it. Treat it as a password.
	URL string `json:"url" doc:"The address for the screen. It is returned only here."`
}

// WallList is a list of wall links, oldest first.
type WallList struct {
	Walls []claim.Wall `json:"data"`
}

// CreateWall creates an address that shows a board on a screen until it is revoked. It is
// not retried if no response arrives.
func (c *Client) CreateWall(ctx context.Context, shop string, w NewWall) (WallLink, error) {
	return ask[WallLink](ctx, c, call{method: http.MethodPost, path: shopPath(shop, "portal-walls"), body: w, once: true})
}

// Walls lists the wall links of a shop, oldest first.
func (c *Client) Walls(ctx context.Context, shop string) ([]claim.Wall, error) {
	out, err := ask[WallList](ctx, c, call{method: http.MethodGet, path: shopPath(shop, "portal-walls")})
	return out.Walls, err
}

// RevokeWall revokes a wall link. Screens that show it are refused at their next request.
func (c *Client) RevokeWall(ctx context.Context, shop, id string) error {
	_, err := c.send(ctx, call{method: http.MethodDelete, path: shopPath(shop, "portal-walls", id)})
	return err
}
