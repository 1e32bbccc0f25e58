package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/store"
)

// actor is the audit log's actor for changes made directly in the store.
const actor = "cli"

func (a *app) apiKeyCommand() *cobra.Command {
	return group(&cobra.Command{
		Use: "api-key", Short: "Create, list and revoke API keys, directly in the store",
		Long:    "Opens the store directly, with CLAIMFLOW_DATABASE_URL and CLAIMFLOW_KEYS, so that you can create the first key before the API runs.",
		Example: "  starter api-key create --name admin --scope admin\n  starter api-key list",
	}, a.apiKeyCreate(), a.apiKeyList(), a.apiKeyRevoke())
}

func (a *app) apiKeyCreate() *cobra.Command {
	var k claim.NewKey
	c := &cobra.Command{
		Use: "create --name NAME", Short: "Create an API key and print it once",
		Long: "Prints only the key on standard output, so that scripts can capture it, and which store it is in on standard error. " +
			"Only a service that uses this store accepts the key.\n\nScopes: claims:write submits claims, claims:read reads claims, shops:write configures shops, " +
			"shops:read reads their configuration, operate sends messages, retries, abandons and links claims, pauses and resumes shops, replays events and starts sweeps, unified:read and unified:write read and write through the unified API, directory:write provisions its users and groups, " +
			"proxy passes any request on to Dixa, admin allows everything.",
		Example: "  starter api-key create --name admin --scope admin\n  starter api-key create --name \"shop system\" --shop acme --scope claims:write,claims:read",
		Args:    arguments(),
		RunE: func(cmd *cobra.Command, args []string) error {
			if k.Name == "" || len(k.Scopes) == 0 {
				return usage("--name and --scope are required: the purpose and the permissions of the key")
			}
			for _, s := range k.Scopes {
				if !slices.Contains(client.Scopes(), s) {
					return usage("--scope %s: must be one of %s", s, strings.Join(client.Scopes(), ", "))
				}
			}
			place, err := a.place()
			if err != nil {
				return err
			}
			return a.storing(func(ctx context.Context, s *store.Store, _ []string) error {
				before, err := s.APIKeys.List(ctx, "")
				if err != nil {
					return err
				}
				if len(before) == 0 {
					place += " It is the first key in this store."
				}
				key, secret, err := s.APIKeys.Create(ctx, k)
				if err != nil {
					return fmt.Errorf("%w; list the shops with `starter shop list`", err)
				}
				err = s.AuditLog.Append(ctx, claim.AuditEntry{
					Actor: actor, Action: "create-key", Shop: key.Shop, Target: key.ID,
					Details: map[string]string{"name": key.Name, "scopes": strings.Join(key.Scopes, ", ")},
				})
				if err != nil {
					return err
				}
				say(a.err, "%s\n", place)
				return a.print(client.CreatedKey{Key: key, Secret: secret}, nil, func(w *tabwriter.Writer) { say(w, "%s\n", secret) })
			})(cmd, args)
		},
	}
	c.Flags().StringVar(&k.Name, "name", "", "the purpose of the key; the audit log shows it")
	c.Flags().StringVar(&k.Shop, "shop", "", "limit the key to this shop (default: the platform)")
	c.Flags().StringSliceVar(&k.Scopes, "scope", nil, "a scope of the key; can be repeated")
	return c
}

// place describes the store in which a key is created. It warns if the command
// creates the store itself, because the service then uses another one. Call it
// before opening the store.
func (a *app) place() (string, error) {
	c, err := a.config()
	if err != nil {
		return "", err
	}
	path, inFile := strings.CutPrefix(c.DatabaseURL, "sqlite:")
	if !inFile {
		where := "of CLAIMFLOW_DATABASE_URL" // not shown if net/url cannot parse it: it holds a password
		if address, err := url.Parse(c.DatabaseURL); err == nil {
			where = "postgres://" + address.Host + address.Path // a password can also be a parameter
		}
		return "The key is in the store " + where + ".", nil
	}
	if path == ":memory:" {
		return "Warning: the store is in memory (sqlite::memory:), so the key is lost when this command ends. Set CLAIMFLOW_DATABASE_URL to the store of the service.", nil
	}
	if absolute, err := filepath.Abs(path); err == nil {
		path = absolute
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return "Warning: no store existed at sqlite:" + path + ", so this command created a new one for the key. " +
			"A service that uses another store rejects the key: run the command in the service's directory, or set CLAIMFLOW_DATABASE_URL to the same value as for the service.", nil
	}
	return "The key is in the store sqlite:" + path + ".", nil
}

func (a *app) apiKeyList() *cobra.Command {
	var shop string
	c := &cobra.Command{
		Use: "list", Short: "List API keys", Example: "  starter api-key list", Args: arguments(),
		RunE: a.storing(func(ctx context.Context, s *store.Store, _ []string) error {
			keys, err := s.APIKeys.List(ctx, shop)
			return a.print(append([]claim.Key{}, keys...), err, func(w *tabwriter.Writer) {
				line(w, "ID", "NAME", "SHOP", "SCOPES", "KEY", "CREATED", "REVOKED")
				for _, k := range keys {
					line(w, k.ID, k.Name, k.Shop, strings.Join(k.Scopes, ","), k.Preview, k.CreatedAt, k.RevokedAt)
				}
			})
		}),
	}
	c.Flags().StringVar(&shop, "shop", "", "only keys that are limited to this shop")
	return c
}

func (a *app) apiKeyRevoke() *cobra.Command {
	return &cobra.Command{
		Use: "revoke ID", Short: "Revoke an API key immediately", Example: "  starter api-key revoke 4c9f…", Args: arguments("ID"),
		RunE: a.storing(func(ctx context.Context, s *store.Store, args []string) error {
			if err := s.APIKeys.Revoke(ctx, args[0]); err != nil {
				return fmt.Errorf("%w; list the ids with `starter api-key list`", err)
			}
			err := s.AuditLog.Append(ctx, claim.AuditEntry{Actor: actor, Action: "revoke-key", Target: args[0]})
			return a.print(struct{}{}, err, func(w *tabwriter.Writer) { line(w, "revoked "+args[0]) })
		}),
	}
}
