package api

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/internal/proxy"
	"github.com/claimflow/claimflow/unified"
)

const proxyPath = "/proxy/"

// serveProxy passes a request on to Dixa. The audit log records writes.
func (a *api) serveProxy(w http.ResponseWriter, r *http.Request) error {
	if a.Proxy == nil {
		return unified.NewError(http.StatusServiceUnavailable, "The proxy is not available.")
	}
	account, err := a.account(w, r, client.ScopeProxy)
	if err != nil {
		return err
	}
	var passed proxy.Passed
	defer func() { // also if the answer breaks off, which panics
		if !passed.Write {
			return
		}
		if a.Unified != nil {
			a.Unified.Forget(account)
		}
		about := of(r.Context())
		a.audit(r.Context(), claim.AuditEntry{
			Actor: about.key.Name, Action: "proxy", Shop: about.key.Shop, Target: account,
			Details: map[string]string{"method": r.Method, "path": passed.Path, "status": strconv.Itoa(passed.Status)},
		})
	}()
	return a.Proxy.Serve(w, r, account, strings.TrimPrefix(r.URL.EscapedPath(), proxyPath), &passed)
}
