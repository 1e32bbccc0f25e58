package api

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/store"
)

const apiKeyScheme = "apiKey"

// principal is the authenticated caller.
type principal struct {
	ID, Name string
	// Shop is the only shop that the key grants access to; empty for the whole
	// platform.
	Shop   string
	Scopes []string
}

// may reports whether the key has a scope.
func (p *principal) may(scope string) bool {
	return slices.Contains(p.Scopes, scope) || slices.Contains(p.Scopes, client.ScopeAdmin)
}

// authorize admits a request if its API key permits the route and its address can
// name something.
func (a *api) authorize(spec huma.API) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		err := a.admit(ctx)
		if err == nil {
			err = validatePath(ctx)
		}
		if err != nil {
			var p *Problem
			errors.As(problemOf(ctx.Context(), err), &p)
			for name, values := range p.header {
				ctx.SetHeader(name, values[0])
			}
			_ = huma.WriteErr(spec, ctx, p.Status, p.Detail, p) // the caller may have disconnected
			return
		}
		bounded, cancel := context.WithTimeout(ctx.Context(), timeoutOf(ctx.Operation()))
		defer cancel()
		next(huma.WithContext(ctx, bounded))
	}
}

func (a *api) admit(ctx huma.Context) error {
	scope, _ := ctx.Operation().Metadata[metaScope].(string)
	secret, ok := strings.CutPrefix(ctx.Header("Authorization"), "Bearer ")
	if !ok || secret == "" {
		return unauthorized("No API key was given. Send one as \"Authorization: Bearer cfk_…\"; `starter api-key create` makes one.")
	}
	key, err := a.store.APIKeys.BySecret(ctx.Context(), secret)
	if errors.Is(err, store.ErrNotFound) {
		return unauthorized("The API key is unknown or revoked. `starter api-key create` makes one.")
	}
	if err != nil {
		return err
	}
	p := &principal{ID: key.ID, Name: key.Name, Shop: key.Shop, Scopes: key.Scopes}
	of(ctx.Context()).key = p
	shop := ctx.Param("shop")
	switch {
	case !p.may(scope):
		return newProblem(http.StatusForbidden, "", "The API key lacks the scope "+scope+".")
	case p.Shop != "" && shop == "":
		return newProblem(http.StatusForbidden, "", "The API key is for the shop "+p.Shop+" only, and this is the platform's.")
	case p.Shop != "" && shop != p.Shop:
		return newProblem(http.StatusForbidden, "", "The API key is for the shop "+p.Shop+" only.")
	default:
		return nil
	}
}

func unauthorized(detail string) *Problem {
	p := newProblem(http.StatusUnauthorized, "", detail)
	p.header = http.Header{"Www-Authenticate": {`Bearer realm="claimflow"`}}
	return p
}
