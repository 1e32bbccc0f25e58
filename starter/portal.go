package main

import (
	"context"
	"fmt"
	"os/exec"
	"runtime"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
)

func (a *app) portalCommand() *cobra.Command {
	return group(&cobra.Command{
		Use: "portal", Short: "Create links to the portal and end its sessions",
		Long:    "The portal is where the staff of a shop set Dixa up and follow their claims, without a terminal. A link to it works once and for minutes.",
		Example: "  starter portal open acme\n  starter portal link acme --subject user-17 --page claims --may operate",
	}, a.portalLink(), a.portalOpen(), a.portalSessions(), a.portalEnd())
}

func (a *app) portalLink() *cobra.Command {
	return a.creatingLink(&cobra.Command{
		Use: "link SHOP", Short: "Create a link to a shop's portal and print it once",
		Long:    "Treat the link as a password: it admits whoever uses it first. Opening it changes nothing; the button on its page begins the session.",
		Example: "  starter portal link acme\n  starter portal link acme --subject user-17 --page claims,dashboards --may nothing --valid 15m",
	}, func(context.Context, string) error { return nil })
}

func (a *app) portalOpen() *cobra.Command {
	return a.creatingLink(&cobra.Command{
		Use: "open SHOP", Short: "Open a shop's portal in the browser",
		Example: "  starter portal open acme\n  starter portal open acme --language de",
	}, openBrowser)
}

// creatingLink completes a command that creates a link and passes it to use.
func (a *app) creatingLink(c *cobra.Command, use func(ctx context.Context, address string) error) *cobra.Command {
	var l client.NewPortalLink
	var pages, may []string
	var valid time.Duration
	c.Args = arguments("SHOP")
	c.RunE = a.calling(func(ctx context.Context, api *client.Client, args []string) error {
		for _, p := range pages {
			l.Pages = append(l.Pages, claim.PortalPage(p))
		}
		if len(may) > 0 {
			l.Capabilities = []claim.PortalCapability{}
		}
		for _, m := range may {
			if m != "nothing" {
				l.Capabilities = append(l.Capabilities, claim.PortalCapability(m))
			}
		}
		l.ExpiresIn = int(valid / time.Second)
		link, err := api.CreatePortalLink(ctx, args[0], l)
		if err != nil {
			return err
		}
		if err := use(ctx, link.URL); err != nil {
			say(a.err, "No browser could be opened (%v). Open this link within %s:\n", err, valid)
		}
		return a.print(link, nil, func(w *tabwriter.Writer) { say(w, "%s\n", link.URL) })
	})
	f := c.Flags()
	f.StringVar(&l.Subject, "subject", "cli", "your id of the person who will use the link; the audit log shows it")
	f.StringSliceVar(&pages, "page", nil, "a page that the person sees; can be repeated (default: all)")
	f.StringSliceVar(&may, "may", nil, "what the person may do: configure, operate or nothing (default: what the API key permits)")
	f.StringVar(&l.Language, "language", "", "en or de (default: the browser's language)")
	f.StringVar(&l.ReturnURL, "return-url", "", "the address to which the person returns")
	f.StringVar(&l.AllowedOrigin, "allowed-origin", "", "the origin whose pages may show the portal in a frame")
	f.DurationVar(&valid, "valid", claim.DefaultPortalLinkTTL, "how long the link can be used, at most 15m")
	return c
}

// openBrowser opens an address in the person's browser.
func openBrowser(ctx context.Context, address string) error {
	name, args := "xdg-open", []string{address}
	switch runtime.GOOS {
	case "darwin":
		name = "open"
	case "windows":
		name, args = "rundll32", []string{"url.dll,FileProtocolHandler", address}
	}
	if err := exec.CommandContext(ctx, name, args...).Run(); err != nil { //nolint:gosec // an address that the service made
		return fmt.Errorf("run %s: %w", name, err)
	}
	return nil
}

func (a *app) portalSessions() *cobra.Command {
	return &cobra.Command{
		Use: "sessions SHOP", Short: "List the portal sessions and unused links of a shop", Example: "  starter portal sessions acme",
		Args: arguments("SHOP"),
		RunE: a.calling(func(ctx context.Context, api *client.Client, args []string) error {
			sessions, err := api.PortalSessions(ctx, args[0])
			return a.print(client.PortalSessionList{Sessions: sessions}, err, func(w *tabwriter.Writer) {
				line(w, "ID", "SUBJECT", "STATE", "LAST SEEN", "ENDS", "MAY")
				for _, s := range sessions {
					state := "unused link"
					if !s.StartedAt.IsZero() {
						state = "session"
					}
					may := make([]string, len(s.Capabilities))
					for i, c := range s.Capabilities {
						may[i] = string(c)
					}
					line(w, s.ID, s.Subject, state, s.LastSeenAt, s.ExpiresAt, strings.Join(may, ", "))
				}
			})
		}),
	}
}

func (a *app) portalEnd() *cobra.Command {
	var subject string
	var all bool
	c := &cobra.Command{
		Use: "end SHOP [SESSION]", Short: "End portal sessions and revoke unused links",
		Example: "  starter portal end acme 2f0c2a1e-5b7d-4c1e-9d53-0a6f7c0a9b11\n  starter portal end acme --subject user-17\n  starter portal end acme --all",
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 2 {
				return nil
			}
			return arguments("SHOP")(c, args)
		},
		RunE: a.calling(func(ctx context.Context, api *client.Client, args []string) error {
			chosen := 0
			for _, is := range []bool{len(args) > 1, subject != "", all} {
				if is {
					chosen++
				}
			}
			if chosen != 1 {
				return usage("specify what to end: the id of a session, --subject or --all; `starter portal sessions %s` lists them", args[0])
			}
			ended := client.EndedSessions{Sessions: 1}
			var err error
			if len(args) > 1 {
				err = api.EndPortalSession(ctx, args[0], args[1])
			} else {
				ended.Sessions, err = api.EndPortalSessions(ctx, args[0], subject)
			}
			return a.print(ended, err, func(w *tabwriter.Writer) { say(w, "%d ended\n", ended.Sessions) })
		}),
	}
	c.Flags().StringVar(&subject, "subject", "", "end those of this person")
	c.Flags().BoolVar(&all, "all", false, "end all of the shop")
	return c
}
