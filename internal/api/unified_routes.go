package api

import (
	"net/http"
	"strings"

	"github.com/claimflow/claimflow/unified"
)

// unifiedHandler answers a request of the unified API or returns an error, which is
// written in its shape. It must not have written anything then.
type unifiedHandler func(w http.ResponseWriter, r *http.Request) error

// notBuilt says what to use instead of routes that clients of this shape of API know and
// Claimflow does not have, by the first part of the address.
var notBuilt = map[string]string{ //nolint:gosec // the words name tokens, but hold none
	"link-token":            "A shop is connected by its Dixa token instead: PUT /v1/shops/{shop}/integrations/dixa/token, or `starter shop connect`.",
	"batch-request":         "Lists contain full objects, so one request per list is enough: GET /unified/{model}/{resource}.",
	"webhook":               "Endpoints receive events instead: POST /v1/endpoints, or `starter endpoint add`.",
	"custom":                "Pass the request on to Dixa instead: /proxy/{path}.",
	"sync-job":              "Data sources and imports keep the data instead: POST /v1/connections/{connection}/sources and …/imports.",
	"sync-job-run":          "Imports show their progress instead: GET /v1/connections/{connection}/imports.",
	"sync-job-cron-trigger": "Imports of data sources repeat by themselves: see CLAIMFLOW_IMPORT_EVERY.",
}

// unifiedRoute returns the route of the unified API that serves a request, and its
// pattern; nil if none does. The router is not asked, because it would redirect
// addresses that it normalizes, and an id may contain an escaped slash.
func (a *api) unifiedRoute(r *http.Request) (pattern string, serve unifiedHandler) {
	first, _, _ := strings.Cut(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/")
	switch first {
	case "unified":
		return "/unified/{model}/{resource}", a.serveUnified
	case "proxy":
		return "/proxy/{path}", a.serveProxy
	case "operations":
		return "/operations/{operation}", a.serveOperations
	case "integrated-account":
		return accountsPattern, a.serveAccounts
	case scimRoot:
		return scimPattern, a.serveScim
	}
	if instead, known := notBuilt[first]; known {
		return "/" + first, func(w http.ResponseWriter, r *http.Request) error {
			c, err := a.caller(w, r)
			if err == nil && c.account != "" {
				return onlyItsAccount()
			}
			if err == nil {
				err = unified.NewError(http.StatusNotImplemented, "Claimflow does not have this route. "+instead)
			}
			return err
		}
	}
	return "", nil
}

// onlyItsAccount is the error of an account token outside of its account.
func onlyItsAccount() *unified.Error {
	return unified.NewError(http.StatusForbidden, "An account token admits only to /unified, /proxy, /scim and its own account. Use an API key.")
}

// inUnifiedShape reports whether errors of an address have the shape of the unified API.
func (a *api) inUnifiedShape(r *http.Request) bool {
	_, serve := a.unifiedRoute(r)
	return serve != nil
}
