package api

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/store"
	"github.com/claimflow/claimflow/unified"
)

const (
	accountsPath    = "/integrated-account"
	accountsPattern = accountsPath + "/{id}"
	// maxAccounts is the default and the maximum number of accounts of a page.
	maxAccounts = 5000
	// maxTokenRequest bounds the body of a request for an account token, in bytes.
	maxTokenRequest = 64 << 10
)

// What to use instead of changing an account.
const (
	insteadOfCreate = "Connect a shop by its Dixa token instead: PUT /v1/shops/{shop}/integrations/dixa/token, or `starter shop connect`."
	insteadOfChange = "The account has no data of its own. Change the settings of its shop instead: PUT /v1/shops/{shop}/integrations/dixa."
	insteadOfDelete = "An account belongs to its shops. Disable the integration with `starter shop disable`, or delete the shop with `starter shop delete`."
	insteadOfTools  = "/openapi.json describes every route, and GET /integrated-account/{id}/capabilities what Dixa can do."
)

// serveAccounts answers /integrated-account: connections in the shape of the unified
// API's accounts.
func (a *api) serveAccounts(w http.ResponseWriter, r *http.Request) error {
	c, err := a.caller(w, r)
	if err != nil {
		return err
	}
	var parts []string
	if rest := strings.Trim(strings.TrimPrefix(r.URL.EscapedPath(), accountsPath), "/"); rest != "" {
		parts = strings.Split(rest, "/")
	}
	for i := range parts {
		if parts[i], err = url.PathUnescape(parts[i]); err != nil {
			return unified.NewError(http.StatusBadRequest, "The address is not percent-encoded correctly.")
		}
	}
	id := strings.Join(parts[:min(1, len(parts))], "")
	if c.account != "" && id != "me" && id != c.account {
		return onlyItsAccount()
	}
	if id == "me" {
		if c.account == "" {
			return unified.NewError(http.StatusBadRequest, "Only an account token has an account of its own. Name the account: GET /integrated-account/{id}.")
		}
		id = c.account
	}
	switch {
	case len(parts) == 0:
		return only(w, r, map[string]func() error{http.MethodGet: func() error { return a.listAccounts(w, r, c) }, http.MethodPost: instead(insteadOfCreate)})
	case len(parts) == 1 && id == "token":
		return only(w, r, map[string]func() error{http.MethodPost: func() error { return a.issueAccountToken(w, r, c) }})
	case len(parts) == 1 && id == "refresh-credentials":
		return only(w, r, map[string]func() error{http.MethodPost: instead(insteadOfCreate)})
	case len(parts) == 1:
		return only(w, r, map[string]func() error{
			http.MethodGet:   func() error { return a.getAccount(w, r, c, id) },
			http.MethodPatch: instead(insteadOfChange), http.MethodDelete: instead(insteadOfDelete),
		})
	case len(parts) == 2 && parts[1] == "capabilities":
		return only(w, r, map[string]func() error{http.MethodGet: func() error { return a.capabilities(w, r, c, id) }})
	case (len(parts) == 2 || len(parts) == 3) && parts[1] == "mappings":
		return a.serveMappings(w, r, c, id, strings.Join(parts[2:], ""))
	case len(parts) == 2 && parts[1] == "tools":
		return only(w, r, map[string]func() error{http.MethodGet: instead(insteadOfTools)})
	case len(parts) == 2 && parts[1] == "credentials":
		return only(w, r, map[string]func() error{http.MethodPatch: instead(insteadOfCreate)})
	default:
		return unified.NewError(http.StatusNotFound, "No such route. See /docs for the API.")
	}
}

// only calls the handler of a request's method, or answers 405.
func only(w http.ResponseWriter, r *http.Request, handlers map[string]func() error) error {
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet // the server drops the body
	}
	handle, ok := handlers[method]
	if ok {
		return handle()
	}
	var allowed []string
	for m := range handlers {
		allowed = append(allowed, m)
	}
	slices.Sort(allowed)
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	return unified.NewError(http.StatusMethodNotAllowed, "The route does not support "+r.Method+".")
}

// instead returns a handler for what Claimflow does not have.
func instead(words string) func() error {
	return func() error {
		return unified.NewError(http.StatusNotImplemented, "Claimflow does not have this method. "+words)
	}
}

// listAccounts lists the accounts that the caller may access, oldest first.
func (a *api) listAccounts(w http.ResponseWriter, r *http.Request, c *caller) error {
	if !slices.ContainsFunc(accountScopes(), func(scope string) bool { return may(c.key, scope) }) {
		return lacksScope(accountScopes())
	}
	q, err := a.accountQuery(r.URL.RawQuery, c)
	if err != nil {
		return err
	}
	all, err := a.Store.Connections.List(r.Context())
	if err != nil {
		return err
	}
	page := client.AccountPage{Accounts: []client.Account{}, Limit: q.limit}
	for i := range all {
		conn := &all[i]
		if !q.matches(conn) || c.key.Shop != "" && (conn.Shared || !slices.Contains(conn.Shops, c.key.Shop)) {
			continue
		}
		if len(page.Accounts) == q.limit {
			last := page.Accounts[q.limit-1]
			next, err := a.Store.SealCursor(strconv.FormatInt(last.CreatedAt.UnixMicro(), 10)+" "+last.ID, accountCursor, c.key.ID)
			if err != nil {
				return err
			}
			page.Next = &next
			break
		}
		account, err := a.accountOf(r, conn)
		if err != nil {
			return err
		}
		page.Accounts = append(page.Accounts, account)
	}
	return writeUnified(w, page)
}

// accountCursor binds cursors to the list of accounts.
const accountCursor = "accounts"

// accountQuery are the parameters of a list of accounts.
type accountQuery struct {
	tenant string
	// none says that no account can match.
	none  bool
	limit int
	// after and afterID are the place after which the page begins.
	after   int64
	afterID string
}

func (a *api) accountQuery(raw string, c *caller) (accountQuery, error) {
	q := accountQuery{limit: maxAccounts}
	values, err := url.ParseQuery(raw)
	if err != nil {
		return q, unified.NewError(http.StatusBadRequest, "The query string is not percent-encoded correctly.")
	}
	var wrong []unified.Failure
	for name, all := range values {
		value := all[len(all)-1]
		problem := ""
		switch {
		case value == "": // absent
		case name == "tenant_id":
			q.tenant = value
		case name == "is_sandbox":
			sandbox, err := strconv.ParseBool(value)
			if q.none = sandbox; err != nil {
				problem = "must be true or false"
			}
		case name == "limit":
			if q.limit, err = strconv.Atoi(value); err != nil || q.limit < 1 || q.limit > maxAccounts {
				problem = "must be from 1 to " + strconv.Itoa(maxAccounts)
			}
		case name == "next_cursor":
			text, ok := a.Store.OpenCursor(value, accountCursor, c.key.ID)
			at, id, cut := strings.Cut(text, " ")
			if q.after, err = strconv.ParseInt(at, 10, 64); !ok || !cut || err != nil {
				problem = "is not valid for this API key; begin without a cursor"
			}
			q.afterID = id
		default:
			problem = "is not a parameter here"
		}
		if problem != "" {
			wrong = append(wrong, unified.Failure{Field: name, Message: problem})
		}
	}
	if len(wrong) > 0 {
		slices.SortFunc(wrong, func(a, b unified.Failure) int { return strings.Compare(a.Field, b.Field) })
		e := unified.NewError(http.StatusBadRequest, "The request has parameters that are not supported.")
		e.Details = &unified.Failures{Failures: wrong}
		return q, e
	}
	return q, nil
}

func (q accountQuery) matches(c *store.ConnectionShops) bool {
	created := c.CreatedAt.UnixMicro()
	return !q.none && (q.tenant == "" || slices.Contains(c.Shops, q.tenant)) &&
		(created > q.after || created == q.after && c.ID > q.afterID)
}

func (a *api) getAccount(w http.ResponseWriter, r *http.Request, c *caller, id string) error {
	account, err := a.readAccount(w, r, c, id)
	if err != nil {
		return err
	}
	return writeUnified(w, account)
}

// readAccount returns an account that the caller may access.
func (a *api) readAccount(w http.ResponseWriter, r *http.Request, c *caller, id string) (client.Account, error) {
	conn, err := a.admitAccount(w, r, c, id, accountScopes()...)
	if err != nil {
		return client.Account{}, err
	}
	shops, err := a.Store.Connections.Shops(r.Context(), id)
	if err != nil {
		return client.Account{}, err
	}
	return a.accountOf(r, &store.ConnectionShops{Connection: conn, Shops: shops})
}

// accountOf returns a connection as an account.
func (a *api) accountOf(r *http.Request, c *store.ConnectionShops) (client.Account, error) {
	readOnly := len(c.Shops) > 0
	for _, shop := range c.Shops {
		in, err := a.Store.Settings.Integration(r.Context(), shop)
		if errors.Is(err, store.ErrNotFound) {
			continue // deleted meanwhile
		}
		if err != nil {
			return client.Account{}, err
		}
		readOnly = readOnly && in.Effective.ReadOnly
	}
	out := client.Account{
		ID: c.ID, Status: client.AccountActive, AuthenticationMethod: "api_key",
		Context:     client.AccountContext{OrganizationID: c.OrganizationID, OrganizationName: c.OrganizationName, Shops: notNil(c.Shops), ReadOnly: readOnly},
		Integration: client.AccountIntegration{ID: "dixa", Name: "dixa", Label: "Dixa", Category: "ticketing"},
		CreatedAt:   c.CreatedAt, UpdatedAt: c.UpdatedAt,
	}
	if len(c.Shops) > 0 {
		out.TenantID = &c.Shops[0]
	}
	if c.State == claim.ConnectionNeedsToken {
		out.Status, out.LastError = client.AccountNeedsReauth, "Dixa refuses the account's token. "+insteadOfCreate
	}
	return out, nil
}

// issueAccountToken answers with a token for one account.
func (a *api) issueAccountToken(w http.ResponseWriter, r *http.Request, c *caller) error {
	var in struct {
		Account string `json:"integrated_account_id"`
	}
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxTokenRequest))
	if err != nil {
		return unified.NewError(http.StatusBadRequest, "The request's body did not arrive.")
	}
	if err := json.Unmarshal(text, &in); err != nil {
		return unified.NewError(http.StatusBadRequest, `The request's body must be JSON, such as {"integrated_account_id": "…"}.`)
	}
	if in.Account == "" {
		return unified.Missing(nil, []string{"integrated_account_id"})
	}
	if _, err := a.admitAccount(w, r, c, in.Account, accountScopes()...); err != nil {
		return err
	}
	token, err := a.Store.APIKeys.IssueAccountToken(c.key.ID, in.Account, time.Now().Add(accountTokenTTL))
	if err != nil {
		return err
	}
	a.audit(r.Context(), claim.AuditEntry{Actor: c.key.Name, Action: "issue-account-token", Shop: c.key.Shop, Target: in.Account})
	w.Header().Set("Cache-Control", "no-store")
	return writeUnified(w, client.AccountToken{Token: token})
}

// writeUnified writes an answer as JSON.
func writeUnified(w http.ResponseWriter, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(append(text, '\n')) // the caller may have disconnected
	return nil
}
