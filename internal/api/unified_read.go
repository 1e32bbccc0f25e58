package api

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/internal/toowner/files"
	"github.com/claimflow/claimflow/internal/unify"
	"github.com/claimflow/claimflow/unified"
)

// besideObjects returns what serves an address below a resource that is not one of its
// objects; nil if the address has no such form.
func (a *api) besideObjects(u *url.URL) (unifiedHandler, error) {
	parts := strings.Split(strings.Trim(strings.TrimPrefix(u.EscapedPath(), unifiedPath), "/"), "/")
	if len(parts) != 4 {
		return nil, nil
	}
	for i := range parts {
		var err error
		if parts[i], err = url.PathUnescape(parts[i]); err != nil {
			return nil, unified.NewError(http.StatusBadRequest, "The address is not percent-encoded correctly.")
		}
	}
	serve := func(get func(w http.ResponseWriter, r *http.Request, account string) error) unifiedHandler {
		return func(w http.ResponseWriter, r *http.Request) error {
			return only(w, r, map[string]func() error{http.MethodGet: func() error {
				account, err := a.account(w, r, client.ScopeUnifiedRead)
				if err != nil {
					return err
				}
				return get(w, r, account)
			}})
		}
	}
	switch {
	case parts[2] == "meta":
		return serve(func(w http.ResponseWriter, _ *http.Request, _ string) error {
			meta, err := unified.MetaOf(parts[0], parts[1], parts[3])
			if err != nil {
				return err
			}
			return writeUnified(w, meta)
		}), nil
	case parts[0] == unified.ModelTicketing && parts[1] == "attachments" && parts[3] == "download":
		return serve(func(w http.ResponseWriter, r *http.Request, account string) error {
			return a.download(w, r, account, parts[2])
		}), nil
	default:
		return nil, nil
	}
}

// download answers GET /unified/ticketing/attachments/{id}/download with the file.
func (a *api) download(w http.ResponseWriter, r *http.Request, account, id string) error {
	if a.Files == nil || a.Unified == nil {
		return unified.NewError(http.StatusServiceUnavailable, "Downloads of files are not configured on this service.")
	}
	found, err := a.Unified.File(r.Context(), account, id, r.URL.RawQuery)
	if err != nil {
		return err
	}
	file, err := a.Files.OpenOf(r.Context(), account, found)
	var refused *files.FetchError
	if errors.As(err, &refused) {
		return fileProblem(refused)
	}
	if err != nil {
		return err
	}
	send(r.Context(), file, w.Header().Set, w)
	return nil
}

// capabilities answers GET /integrated-account/{id}/capabilities.
func (a *api) capabilities(w http.ResponseWriter, r *http.Request, c *caller, id string) error {
	account, err := a.readAccount(w, r, c, id)
	if err != nil {
		return err
	}
	q, kinds, err := unified.ParseCapabilityQuery(r.URL.RawQuery)
	if err != nil {
		return err
	}
	refused := account.Status == client.AccountNeedsReauth
	var denied map[string]string
	if q.Probe && !refused && a.Unified != nil {
		if denied, err = a.Unified.Probe(r.Context(), id); err != nil {
			return err
		}
	}
	q.Without = func(r *unified.Resource, m *unified.Method) string {
		switch {
		case refused:
			return "Dixa refuses the account's token"
		case denied[r.Path()] != "":
			return denied[r.Path()]
		case m.Write() && account.Context.ReadOnly:
			return "the settings of the account's shops are read-only"
		default:
			return ""
		}
	}
	out := unified.Capabilities{
		Integration: account.Integration, Proxy: []any{}, Unified: []unified.ResourceCapability{},
		Auth: unified.AuthCapability{Formats: []string{account.AuthenticationMethod}, Fields: []any{}, DocumentationLink: "/docs/"},
		Account: map[string]any{
			"id": account.ID, "status": account.Status, "authentication_method": account.AuthenticationMethod, "is_blocked": false, "read_only": account.Context.ReadOnly,
		},
	}
	if slices.Contains(kinds, "unified") {
		out.Unified = unified.CapabilitiesOf(q)
	}
	return writeUnified(w, out)
}

// answered writes an answer of the unified API with where it comes from.
func answered(w http.ResponseWriter, answer *unify.Answer) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set(sourceHeader, "mirror")
	if answer.Live {
		w.Header().Set(sourceHeader, "dixa")
	}
	setTime(w, asOfHeader, answer.At)
	setTime(w, completeFromHeader, answer.From)
	_, _ = w.Write(append(answer.Body, '\n')) //nolint:gosec // the body is JSON; the caller may have disconnected
}
