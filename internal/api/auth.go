package api

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/store"
)

const apiKeyScheme = "apiKey"

// may reports whether a key has a scope.
func may(k *claim.Key, scope string) bool {
	return slices.Contains(k.Scopes, scope) || slices.Contains(k.Scopes, client.ScopeAdmin)
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
		return unauthorized("The API key is missing. Send it as \"Authorization: Bearer cfk_…\". `starter api-key create` creates one.")
	}
	key, err := a.Store.APIKeys.BySecret(ctx.Context(), secret)
	if errors.Is(err, store.ErrNotFound) {
		return unauthorized("The API key is unknown or revoked. `starter api-key create` creates one.")
	}
	if err != nil {
		return err
	}
	of(ctx.Context()).key = &key
	shop, connection := ctx.Param("shop"), ctx.Param("connection")
	switch {
	case !may(&key, scope):
		return newProblem(http.StatusForbidden, "", "The API key lacks the scope "+scope+".")
	case key.Shop != "" && connection != "":
		return a.admitConnection(ctx.Context(), &key, connection)
	case key.Shop != "" && shop == "":
		return newProblem(http.StatusForbidden, "", "The API key is limited to shop "+key.Shop+" and cannot access the platform.")
	case key.Shop != "" && shop != key.Shop:
		return newProblem(http.StatusForbidden, "", "The API key is limited to shop "+key.Shop+".")
	default:
		return nil
	}
}

func unauthorized(detail string) *Problem {
	p := newProblem(http.StatusUnauthorized, "", detail)
	p.header = http.Header{"Www-Authenticate": {`Bearer realm="claimflow"`}}
	return p
}
