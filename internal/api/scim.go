package api

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/internal/scim"
	"github.com/claimflow/claimflow/internal/unify"
	"github.com/claimflow/claimflow/unified"
)

const (
	// scimRoot is the first part of the addresses of SCIM: /scim/v2 and
	// /scim/{account}/v2.
	scimRoot    = "scim"
	scimVersion = "v2"
	scimPattern = "/scim/{account}/v2/{resource}"
)

// isScim reports whether errors of an address have the shape of SCIM.
func isScim(r *http.Request) bool {
	first, _, _ := strings.Cut(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/")
	return first == scimRoot
}

// writeScimError writes an error of authentication or one that is internal.
func writeScimError(w http.ResponseWriter, e *unified.Error) {
	scim.WriteError(w, &scim.Error{Status: e.StatusCode, Detail: e.Error(), RetryAfter: e.RetryAfter})
}

// serveScim answers /scim/v2/… and /scim/{account}/v2/….
func (a *api) serveScim(w http.ResponseWriter, r *http.Request) error {
	if a.Unified == nil {
		return unified.NewError(http.StatusServiceUnavailable, "SCIM is not available.")
	}
	account, path, ok := scimAddress(r.URL)
	if !ok {
		return unified.NewError(http.StatusNotFound, "No such address. It has the form /scim/{account}/v2/Users, or /scim/v2/Users with a key for one account.")
	}
	base := scimBase(a.PublicURL, r, account)
	account, err := a.scimAccount(w, r, account)
	if err != nil {
		return err
	}
	about := of(r.Context())
	service := &scim.Service{Store: a.Store, Unified: a.Unified, Wait: a.WriteWait}
	err = service.Serve(w, r, &scim.Caller{
		Account: account, Shop: about.key.Shop, Base: base, Documentation: strings.TrimSuffix(a.PublicURL, "/") + "/docs/",
		Wrote: func(write unify.WriteRequest, written *unify.Written) {
			a.audit(r.Context(), claim.AuditEntry{
				Actor: about.key.Name, Action: "scim-" + write.Method, Shop: about.key.Shop, Target: write.ID,
				Details: map[string]string{"account": account, "resource": write.Resource, "operation": written.ID},
			})
		},
	}, path)
	if e, known := scim.AsError(err); err != nil && known {
		scim.WriteError(w, e)
		return nil
	}
	return err
}

// scimAddress splits an address. account is empty if the address names none.
func scimAddress(u *url.URL) (account, path string, ok bool) {
	rest := strings.TrimPrefix(u.EscapedPath(), "/"+scimRoot+"/")
	first, rest, _ := strings.Cut(rest, "/")
	if first == scimVersion {
		return "", rest, true
	}
	second, rest, _ := strings.Cut(rest, "/")
	account, err := url.PathUnescape(first)
	return account, rest, err == nil && account != "" && second == scimVersion
}

// scimBase returns the address of the service, for the locations of resources.
func scimBase(publicURL string, r *http.Request, account string) string {
	base := strings.TrimSuffix(publicURL, "/")
	if base == "" {
		scheme := "http"
		if r.TLS != nil {
			scheme = "https"
		}
		base = (&url.URL{Scheme: scheme, Host: r.Host}).String()
	}
	base += "/" + scimRoot
	if account != "" {
		base += "/" + url.PathEscape(account)
	}
	return base + "/" + scimVersion
}

// scimAccount returns the account of a request: the one that the address names, that of
// the account token, or that of the shop that the API key is limited to.
func (a *api) scimAccount(w http.ResponseWriter, r *http.Request, account string) (string, error) {
	c, err := a.caller(w, r)
	if err != nil {
		return "", err
	}
	if account == "" {
		account = c.account
	}
	if account == "" && c.key.Shop != "" {
		shop, err := a.Store.Shops.Get(r.Context(), c.key.Shop)
		if err != nil {
			return "", err
		}
		if shop.Connection == nil {
			return "", unified.NewError(http.StatusNotFound, "The shop "+c.key.Shop+" is not connected to Dixa.")
		}
		account = shop.Connection.ID
	}
	if account == "" {
		return "", unified.NewError(http.StatusBadRequest, "The API key is not limited to one account. Name the account in the address: /scim/{account}/v2. GET /integrated-account lists the accounts.")
	}
	_, err = a.admitAccount(w, r, c, account, client.ScopeDirectoryWrite)
	return account, err
}
