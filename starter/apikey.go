package main

import (
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

	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/store"
)

// actor is the audit log's actor for changes made directly in the store.
const actor = "cli"

func (a *app) apiKeyCommand() *cobra.Command {
	return group(&cobra.Command{
		Use: "api-key", Short: "Create, list and revoke API keys, directly in the store",
		Long:    "Opens the store of CLAIMFLOW_DATABASE_URL and CLAIMFLOW_KEYS itself, so that you can create the first key before the API runs.",
		Example: "  starter api-key create --name admin --scope admin\n  starter api-key list",
	}, a.apiKeyCreate(), a.apiKeyList(), a.apiKeyRevoke())
}

func (a *app) apiKeyCreate() *cobra.Command {
	var k store.NewAPIKey
	c := &cobra.Command{
		Use: "create --name NAME", Short: "Create an API key and print it once",
		Long: "Prints the key alone on standard output, for scripts, and names its store on standard error. " +
			"Only a service that uses this store accepts the key.\n\nScopes: claims:write submits claims, claims:read reads claims, shops:write configures shops, " +
			"shops:read reads their configuration, operate retries and abandons claims, admin allows everything.",
		Example: "  starter api-key create --name admin --scope admin\n  starter api-key create --name \"shop system\" --shop acme --scope claims:write,claims:read",
		Args:    arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if k.Name == "" || len(k.Scopes) == 0 {
				return usage("say what the key is for with --name and what it may do with --scope")
			}
			for _, s := range k.Scopes {
				if !slices.Contains(client.Scopes(), s) {
					return usage("--scope %s: the scopes are %s", s, strings.Join(client.Scopes(), ", "))
				}
			}
			place, err := a.place()
			if err != nil {
				return err
			}
			return a.withStore(cmd.Context(), func(s *store.Store) error {
				before, err := s.APIKeys.List(cmd.Context(), "")
				if err != nil {
					return err
				}
				if len(before) == 0 {
					place += " It is the first key there."
				}
				key, secret, err := s.APIKeys.Create(cmd.Context(), k)
				if err != nil {
					return fmt.Errorf("%w; `starter shop list` shows the shops", err)
				}
				err = s.AuditLog.Append(cmd.Context(), store.AuditEntry{
					Actor: actor, Action: "create-key", Shop: key.Shop, Target: key.ID,
					Details: map[string]string{"name": key.Name, "scopes": strings.Join(key.Scopes, ", ")},
				})
				if err != nil {
					return err
				}
				say(a.err, "%s\n", place)
				return a.print(client.CreatedKey{Key: client.Key(key), Secret: secret}, func(w *tabwriter.Writer) { say(w, "%s\n", secret) })
			})
		},
	}
	c.Flags().StringVar(&k.Name, "name", "", "what the key is for; the audit log shows it")
	c.Flags().StringVar(&k.Shop, "shop", "", "the shop that the key is limited to; missing: the platform")
	c.Flags().StringSliceVar(&k.Scopes, "scope", nil, "what it may do; may be given several times")
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
		return "Warning: the store is in memory (sqlite::memory:), so the key is gone when this command ends. CLAIMFLOW_DATABASE_URL says which store it is made in.", nil
	}
	if absolute, err := filepath.Abs(path); err == nil {
		path = absolute
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return "Warning: there was no store at sqlite:" + path + ", so this command made a new one with the key in it. " +
			"A service that runs on another store does not know the key: run the command in the service's folder, or set CLAIMFLOW_DATABASE_URL as the service has it.", nil
	}
	return "The key is in the store sqlite:" + path + ".", nil
}

func (a *app) apiKeyList() *cobra.Command {
	var shop string
	c := &cobra.Command{
		Use: "list", Short: "List API keys", Example: "  starter api-key list", Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withStore(cmd.Context(), func(s *store.Store) error {
				keys, err := s.APIKeys.List(cmd.Context(), shop)
				if err != nil {
					return err
				}
				shown := make([]client.Key, len(keys))
				for i, k := range keys {
					shown[i] = client.Key(k)
				}
				return a.print(shown, func(w *tabwriter.Writer) {
					line(w, "ID", "NAME", "SHOP", "SCOPES", "KEY", "CREATED", "REVOKED")
					for _, k := range shown {
						line(w, k.ID, k.Name, k.Shop, strings.Join(k.Scopes, ","), k.Preview, k.CreatedAt, k.RevokedAt)
					}
				})
			})
		},
	}
	c.Flags().StringVar(&shop, "shop", "", "only keys that are limited to this shop")
	return c
}

func (a *app) apiKeyRevoke() *cobra.Command {
	return &cobra.Command{
		Use: "revoke ID", Short: "Revoke an API key immediately", Example: "  starter api-key revoke 4c9f…", Args: arguments("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withStore(cmd.Context(), func(s *store.Store) error {
				if err := s.APIKeys.Revoke(cmd.Context(), args[0]); err != nil {
					return fmt.Errorf("%w; `starter api-key list` shows the ids", err)
				}
				if err := s.AuditLog.Append(cmd.Context(), store.AuditEntry{Actor: actor, Action: "revoke-key", Target: args[0]}); err != nil {
					return err
				}
				return a.print(struct{}{}, func(w *tabwriter.Writer) { line(w, "revoked "+args[0]) })
			})
		},
	}
}
