package api

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/store"
	"github.com/claimflow/claimflow/unified"
)

// accountTokenTTL is how long an account token is valid.
const accountTokenTTL = 15 * time.Minute

// caller is who sent a request to the unified API.
type caller struct {
	// key is the API key, or the one that issued the account token.
	key *claim.Key
	// account is the only account that an account token admits; empty for an API key.
	account string
}

// caller identifies who sent a request, and counts it.
func (a *api) caller(w http.ResponseWriter, r *http.Request) (*caller, error) {
	authorization := r.Header.Get("Authorization")
	token, ok := strings.CutPrefix(authorization, "Bearer ")
	var c caller
	if ok && strings.HasPrefix(token, store.AccountTokenPrefix) {
		key, account, err := a.Store.APIKeys.ByAccountToken(r.Context(), token)
		if errors.Is(err, store.ErrAccountToken) {
			return nil, unauthorized("The account token has expired or is not valid. POST /integrated-account/token issues another.")
		}
		if err != nil {
			return nil, err
		}
		of(r.Context()).key = &key
		c = caller{&key, account}
	} else {
		key, err := a.identify(r.Context(), authorization)
		if err != nil {
			return nil, err
		}
		c = caller{key: key}
	}
	return &c, a.limits.key.admit(w, r, c.key.ID)
}

// account returns the connection that a request names, if the caller has the scope and
// may access it, and counts the request. An account token need not name it.
func (a *api) account(w http.ResponseWriter, r *http.Request, scope string) (string, error) {
	c, err := a.caller(w, r)
	if err != nil {
		return "", err
	}
	account, err := accountIn(r.URL.RawQuery)
	if err != nil {
		return "", err
	}
	if account == "" {
		account = c.account
	}
	if account == "" {
		return "", unified.Missing([]string{"integrated_account_id"}, nil)
	}
	_, err = a.admitAccount(w, r, c, account, scope)
	return account, err
}

// accountIn returns the account that a query string names; empty if it names none. Two
// different ones are an error, because the parts of a server may read either.
func accountIn(raw string) (string, error) {
	query, err := url.ParseQuery(raw)
	if err != nil {
		return "", unified.NewError(http.StatusBadRequest, "The query string is not percent-encoded correctly.")
	}
	all := slices.DeleteFunc(slices.Compact(query["integrated_account_id"]), func(id string) bool { return id == "" })
	if len(all) > 1 {
		return "", unified.NewError(http.StatusBadRequest, "The request names several accounts. Send integrated_account_id once.")
	}
	return strings.Join(all, ""), nil
}

// admitAccount returns an account if the caller has one of the scopes and may access it,
// and counts the request. Every request for an account passes here.
func (a *api) admitAccount(w http.ResponseWriter, r *http.Request, c *caller, id string, scopes ...string) (claim.Connection, error) {
	if !slices.ContainsFunc(scopes, func(scope string) bool { return may(c.key, scope) }) {
		return claim.Connection{}, lacksScope(scopes)
	}
	if c.account != "" && c.account != id {
		return claim.Connection{}, unified.NewError(http.StatusForbidden, "The account token is for another account.")
	}
	if c.key.Shop != "" {
		if err := a.admitConnection(r.Context(), c.key, id); err != nil {
			return claim.Connection{}, err
		}
	}
	account, err := a.Store.Connections.Get(r.Context(), id)
	if errors.Is(err, store.ErrNotFound) {
		return account, unified.NoAccount()
	}
	if err != nil {
		return account, err
	}
	return account, a.limits.account.admit(w, r, id)
}

// lacksScope is the error of a key that has none of the scopes.
func lacksScope(scopes []string) *unified.Error {
	e := unified.NewError(http.StatusForbidden, "The API key lacks the scope "+strings.Join(scopes, " or ")+".")
	e.Insight = &unified.Insight{Forbidden: &unified.InsightItem{
		Description: "Scopes of the API key, one of which is needed.", Value: map[string][]string{"missing_scopes": scopes},
	}}
	return e
}

// accountScopes are the scopes that admit to accounts at all.
func accountScopes() []string {
	return []string{client.ScopeUnifiedRead, client.ScopeUnifiedWrite, client.ScopeDirectoryWrite, client.ScopeProxy}
}
