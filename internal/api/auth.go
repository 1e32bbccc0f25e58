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
	"github.com/claimflow/claimflow/internal/reporting"
	"github.com/claimflow/claimflow/kpi"
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
		limited := ctx.Context()
		if key := of(limited).key; key != nil {
			limited = reporting.LimitedTo(limited, key.Shop)
		}
		bounded, cancel := context.WithTimeout(limited, timeoutOf(ctx.Operation()))
		defer cancel()
		next(huma.WithContext(ctx, bounded))
	}
}

func (a *api) admit(ctx huma.Context) error {
	scope, _ := ctx.Operation().Metadata[metaScope].(string)
	key, err := a.identify(ctx.Context(), ctx.Header("Authorization"))
	if err != nil {
		return err
	}
	connection := ctx.Param("connection")
	if key.Shop != "" && may(key, scope) && figuresOfClaims(ctx) {
		_, err := a.usesConnection(ctx.Context(), key, connection)
		return err
	}
	return a.permit(ctx.Context(), key, scope, ctx.Param("shop"), connection)
}

// figuresOfClaims reports whether a request is about figures of claims only, which
// [reporting.LimitedTo] divides by shop: a key of a shop may see them also if its Dixa
// organization is shared.
func figuresOfClaims(ctx huma.Context) bool {
	const figures = "/v1/connections/{connection}/kpis"
	if ctx.Operation().Path == figures {
		return true // the list leaves the others out
	}
	definition, _ := kpi.ByID(ctx.Param("kpi"))
	return strings.HasPrefix(ctx.Operation().Path, figures+"/{kpi}") && definition.AboutClaims()
}

type actingKey struct{}

// Acting returns a context whose requests act for a key that the caller has already
// authenticated. Requests from the network never have one.
func Acting(ctx context.Context, key claim.Key) context.Context {
	return context.WithValue(ctx, actingKey{}, &key)
}

// identify returns the API key of a request.
func (a *api) identify(ctx context.Context, authorization string) (*claim.Key, error) {
	if key, ok := ctx.Value(actingKey{}).(*claim.Key); ok {
		of(ctx).key = key
		return key, nil
	}
	secret, ok := strings.CutPrefix(authorization, "Bearer ")
	if !ok || secret == "" {
		return nil, unauthorized("The API key is missing. Send it as \"Authorization: Bearer cfk_…\". `starter api-key create` creates one.")
	}
	if strings.HasPrefix(secret, store.AccountTokenPrefix) {
		return nil, newProblem(http.StatusForbidden, "", "An account token admits only to /unified, /proxy, /scim and its own account. Use an API key.")
	}
	key, err := a.Store.APIKeys.BySecret(ctx, secret)
	if errors.Is(err, store.ErrNotFound) {
		return nil, unauthorized("The API key is unknown or revoked. `starter api-key create` creates one.")
	}
	if err != nil {
		return nil, err
	}
	of(ctx).key = &key
	return &key, nil
}

// permit reports whether a key has a scope and may access a shop or connection. Either
// may be empty.
func (a *api) permit(ctx context.Context, key *claim.Key, scope, shop, connection string) error {
	switch {
	case !may(key, scope):
		return newProblem(http.StatusForbidden, "", "The API key lacks the scope "+scope+".")
	case key.Shop != "" && connection != "":
		return a.admitConnection(ctx, key, connection)
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
