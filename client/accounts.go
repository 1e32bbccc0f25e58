package client

import (
	"context"
	"iter"
	"net/http"
	"time"
)

// Values of [Account.Status].
const (
	AccountActive      = "active"       // Dixa accepted the token when it was last used
	AccountNeedsReauth = "needs_reauth" // Dixa refuses the token; save another one
)

// Account is a connection to a Dixa organization as an account of the unified API. It
// never contains the token.
type Account struct {
	ID string `json:"id" doc:"The id of the connection: integrated_account_id of other requests."`
	// TenantID is the slug of the shop; the first by name if several shops use the
	// connection, and nil if none does.
	TenantID *string `json:"tenant_id" doc:"The slug of the shop; the first by name if several shops use the connection, and null if none does."`
	// EnvironmentID, EnvironmentIntegrationID and Region are always nil: Claimflow has
	// no such thing.
	EnvironmentID            *string            `json:"environment_id" doc:"Always null."`
	EnvironmentIntegrationID *string            `json:"environment_integration_id" doc:"Always null."`
	Region                   *string            `json:"region" doc:"Always null."`
	Status                   string             `json:"status" enum:"active,needs_reauth" doc:"needs_reauth: Dixa refuses the token; save another one."`
	LastError                string             `json:"last_error,omitempty" doc:"Why the account needs attention, and what to do."`
	IsSandbox                bool               `json:"is_sandbox" doc:"Always false. An account with context.read_only also answers writes with 405."`
	AuthenticationMethod     string             `json:"authentication_method"`
	Context                  AccountContext     `json:"context"`
	Integration              AccountIntegration `json:"integration"`
	CreatedAt                time.Time          `json:"created_at"`
	UpdatedAt                time.Time          `json:"updated_at"`
}

// AccountContext is what Claimflow knows about an account's organization.
type AccountContext struct {
	OrganizationID   string `json:"organization_id,omitempty"`
	OrganizationName string `json:"organization_name,omitempty"`
	// Shops are the slugs of all shops that use the connection, sorted.
	Shops []string `json:"shops" doc:"The slugs of all shops that use the connection."`
	// ReadOnly says that writes are answered with 405.
	ReadOnly bool `json:"read_only" doc:"Whether the settings of all its shops forbid writes to Dixa."`
}

// AccountIntegration is what an account connects to: always Dixa.
type AccountIntegration struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Label    string `json:"label"`
	Category string `json:"category"`
}

// AccountPage is a page of accounts, oldest first.
type AccountPage struct {
	Accounts []Account `json:"result"`
	// Next is the cursor of the next page; nil on the last page.
	Next  *string `json:"next_cursor" doc:"null on the last page."`
	Limit int     `json:"limit" doc:"The maximum number of accounts of a page."`
}

// NewAccountToken asks for an account token.
type NewAccountToken struct {
	Account string `json:"integrated_account_id"`
}

// AccountToken is a token that acts for an API key on one account for 15 minutes. It
// also ends with the key.
type AccountToken struct {
	Token string `json:"integrated_account_token" doc:"Send it as an API key. It is valid for 15 minutes and ends with the API key that issued it."`
}

// Accounts lists the accounts that the API key may access, or those of a shop, oldest
// first, and fetches pages on demand. It ends after an error.
func (c *Client) Accounts(ctx context.Context, shop string) iter.Seq2[Account, error] {
	return pages(func(cursor string) ([]Account, string, error) {
		page, err := ask[AccountPage](ctx, c, call{method: http.MethodGet, path: []string{"integrated-account"}, query: query("tenant_id", shop, "next_cursor", cursor)})
		if page.Next == nil {
			return page.Accounts, "", err
		}
		return page.Accounts, *page.Next, err
	})
}

// Account returns an account. The id "me" is the account of an account token.
func (c *Client) Account(ctx context.Context, id string) (Account, error) {
	return ask[Account](ctx, c, call{method: http.MethodGet, path: []string{"integrated-account", id}})
}

// AccountToken returns a token that acts for the client's API key on one account, for a
// program that must not have the key itself. It admits only to /unified, /proxy, /scim
// and the account.
func (c *Client) AccountToken(ctx context.Context, account string) (string, error) {
	out, err := ask[AccountToken](ctx, c, call{method: http.MethodPost, path: []string{"integrated-account", "token"}, body: NewAccountToken{Account: account}})
	return out.Token, err
}
