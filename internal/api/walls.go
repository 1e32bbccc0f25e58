package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/store"
)

// wallRoutes returns the routes of the links that show dashboards on screens.
func (a *api) wallRoutes() []route {
	const all, one = shop + "/portal-walls", shop + "/portal-walls/{wall}"
	return []route{
		newRoute("GET "+all, "list-walls", "List the wall links of a shop", tagPortal, client.ScopeShopsRead, a.listWalls),
		newRoute("POST "+all, "create-wall", "Create a link that shows a dashboard on a screen", tagPortal, client.ScopeShopsWrite, a.createWall, withStatus(http.StatusCreated), withErrors(http.StatusConflict, http.StatusUnprocessableEntity),
			withDescription("Everyone who has the link sees the board's figures, without signing in, and nothing else. The link does not expire by itself: revoke it when the screen goes. It needs the scopes claims:read and shops:read too. 409: the shop has 50 wall links already.")),
		newRoute("DELETE "+one, "revoke-wall", "Revoke a wall link", tagPortal, client.ScopeShopsWrite, a.revokeWall),
	}
}

// WallScopes returns the scopes that a wall has: those that reading figures needs.
func WallScopes() []string { return []string{client.ScopeClaimsRead, client.ScopeShopsRead} }

func (a *api) listWalls(ctx context.Context, in *InShop) (*body[client.WallList], error) {
	walls, err := a.Store.Walls.List(ctx, in.Shop)
	return ok(client.WallList{Walls: notNil(walls)}, err)
}

type createWallInput struct {
	InShop
	Body claim.NewWall
}

func (a *api) createWall(ctx context.Context, in *createWallInput) (*body[client.WallLink], error) {
	n, key := in.Body, of(ctx).key
	if errs := n.Validate(); len(errs) > 0 {
		return nil, &claim.InvalidError{What: "wall link", Errors: errs}
	}
	address, err := a.portalAddress()
	if err != nil {
		return nil, err
	}
	for _, scope := range WallScopes() {
		if !may(key, scope) {
			return nil, newProblem(http.StatusForbidden, "", "The API key lacks the scope "+scope+", so it cannot create a link that permits it.")
		}
	}
	wall, secret, err := a.Store.Walls.Create(ctx, in.Shop, key.Name, n)
	if errors.Is(err, store.ErrWalls) {
		return nil, newProblem(http.StatusConflict, "", fmt.Sprintf("The shop has %d wall links, which is the most it may have. Revoke one first.", claim.MaxWalls))
	}
	recordChange(ctx, "id", wall.ID)
	recordChange(ctx, "board", wall.Board)
	return ok(client.WallLink{Wall: wall, URL: address + "wall/" + secret}, err)
}

func (a *api) revokeWall(ctx context.Context, in *struct {
	InShop
	Wall string `path:"wall" format:"uuid" doc:"The id of the wall link."`
},
) (*struct{}, error) {
	recordChange(ctx, "id", in.Wall)
	return nil, a.Store.Walls.Revoke(ctx, in.Shop, in.Wall)
}
