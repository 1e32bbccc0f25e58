package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/claimflow/claimflow/client"
)

func (a *app) accountCommand() *cobra.Command {
	return group(&cobra.Command{
		Use: "account", Short: "Show the accounts of the unified API and issue tokens for them",
		Long:    "An account is a connection to a Dixa organization. `starter shop connect` creates it, and `starter unified` reads and writes its tickets and people.",
		Example: "  starter account list\n  starter account show --shop acme\n  starter account token --shop acme",
	}, a.accountList(), a.accountShow(), a.accountToken(), a.accountMapping())
}

func (a *app) accountList() *cobra.Command {
	var shop string
	c := &cobra.Command{
		Use: "list", Short: "List the accounts", Example: "  starter account list\n  starter account list --shop acme -o json", Args: arguments(),
		RunE: a.calling(func(ctx context.Context, api *client.Client, _ []string) error {
			accounts := []client.Account{}
			for account, err := range api.Accounts(ctx, shop) {
				if err != nil {
					return err
				}
				accounts = append(accounts, account)
			}
			return a.print(accounts, nil, func(w *tabwriter.Writer) {
				line(w, "ID", "STATUS", "ORGANIZATION", "SHOPS", "READ-ONLY")
				for _, account := range accounts {
					line(w, account.ID, account.Status, account.Context.OrganizationName, strings.Join(account.Context.Shops, ","), account.Context.ReadOnly)
				}
			})
		}),
	}
	c.Flags().StringVar(&shop, "shop", "", "only the account of this shop")
	return c
}

func (a *app) accountShow() *cobra.Command {
	var o organization
	c := &cobra.Command{
		Use: "show", Short: "Show an account", Example: "  starter account show --shop acme\n  starter account show --connection 0b6a… -o json", Args: arguments(),
		RunE: a.callingAccount(&o, func(ctx context.Context, api *client.Client, id string, _ []string) error {
			account, err := api.Account(ctx, id)
			return a.print(account, aboutPart(err, "list the accounts with `starter account list`"), func(w *tabwriter.Writer) {
				line(w, "ID", account.ID)
				line(w, "Status", account.Status)
				if account.LastError != "" {
					line(w, "Problem", account.LastError)
				}
				line(w, "Organization", account.Context.OrganizationName)
				line(w, "Shops", strings.Join(account.Context.Shops, ","))
				line(w, "Read-only", account.Context.ReadOnly)
				line(w, "Created", account.CreatedAt)
			})
		}),
	}
	o.flags(c)
	return c
}

func (a *app) accountToken() *cobra.Command {
	var o organization
	c := &cobra.Command{
		Use: "token", Short: "Issue a token that admits to one account for 15 minutes",
		Long: "A program that must not have the API key sends the token instead of it. The token admits only to the unified API, the proxy and the account itself, " +
			"with the scopes of the key that issued it, and ends with that key.",
		Example: "  starter account token --shop acme\n  CLAIMFLOW_API_KEY=$(starter account token --shop acme) starter unified list tags --connection me", Args: arguments(),
		RunE: a.callingAccount(&o, func(ctx context.Context, api *client.Client, id string, _ []string) error {
			token, err := api.AccountToken(ctx, id)
			return a.print(client.AccountToken{Token: token}, aboutPart(err, "list the accounts with `starter account list`"), func(w *tabwriter.Writer) { say(w, "%s\n", token) })
		}),
	}
	o.flags(c)
	return c
}

// ownAccount stands for the account of an account token.
const ownAccount = "me"

// callingAccount is callingIn for a command on an account, whose key need not read
// shops.
func (a *app) callingAccount(o *organization, run func(ctx context.Context, api *client.Client, account string, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		if (o.shop == "") == (o.connection == "") {
			return usage("specify --shop SHOP or --connection ID")
		}
		return a.calling(func(ctx context.Context, api *client.Client, args []string) error {
			id, err := o.account(ctx, api)
			if err != nil {
				return err
			}
			return run(ctx, api, id, args)
		})(cmd, args)
	}
}

// account returns the id of the account.
func (o *organization) account(ctx context.Context, api *client.Client) (string, error) {
	if o.connection != "" {
		return o.connection, nil
	}
	for account, err := range api.Accounts(ctx, o.shop) {
		return account.ID, err
	}
	return "", fmt.Errorf("shop %q has no account that the API key may use; list them with `starter account list`, and connect the shop with `starter shop connect %[1]s`", o.shop)
}
