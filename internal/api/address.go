package api

import (
	"maps"
	"net/http"
	"net/url"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"github.com/claimflow/claimflow/claim"
)

// validatePath rejects an address that cannot name anything before any lookup. A path
// parameter that no object can have as its name is not found; a query filter that is
// not text is invalid. PostgreSQL would fail on either.
func validatePath(ctx huma.Context) error {
	for _, part := range ctx.Operation().Parameters {
		if part.In == "path" && !named(part.Name, ctx.Param(part.Name)) {
			return newProblem(http.StatusNotFound, "", "The "+part.Name+" in the URL is invalid.")
		}
	}
	address := ctx.URL()
	query, err := url.ParseQuery(address.RawQuery)
	if err != nil {
		return invalid("address", "query", "must have the form name=value&name=value with percent-encoding")
	}
	invalid := &claim.InvalidError{What: "address"}
	for _, name := range slices.Sorted(maps.Keys(query)) {
		if slices.ContainsFunc(query[name], func(v string) bool { return !claim.IsText(v) }) {
			invalid.Errors = append(invalid.Errors, claim.FieldError{Field: name, Problem: "must be valid UTF-8 without null bytes"})
		}
	}
	if len(invalid.Errors) > 0 {
		return invalid
	}
	return nil
}

// named reports whether an object can have the name that a path parameter gives it.
func named(part, name string) bool {
	switch part {
	case "shop":
		return claim.IsSlug(name)
	case "claim", "key", "endpoint":
		return claim.IsIdentifier(name)
	default:
		return claim.IsText(name)
	}
}
