package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
)

func (a *app) shopCommand() *cobra.Command {
	return group(&cobra.Command{
		Use: "shop", Short: "Configure and operate shops",
		Example: "  starter shop add acme --name \"Acme Ltd\"\n  starter shop connect acme --token-file token.txt\n" +
			"  starter shop settings acme email_integration_id=support@acme.email.dixa.io\n  starter shop enable acme",
	},
		a.shopAdd(), a.shopList(), a.shopUpdate(), a.shopRemove(), a.shopConnect(), a.shopDisconnect(), a.shopSettings(), a.shopTryRules(), a.shopValidate(), a.shopTest(),
		a.shopSwitch("show", "Show a shop, its connection and its claims by state", (*client.Client).Shop),
		a.shopSwitch("enable", "Enable the integration: claims become conversations", (*client.Client).Enable),
		a.shopSwitch("disable", "Disable the integration: new claims are skipped", (*client.Client).Disable),
		a.shopSwitch("pause", "Pause the shop: new claims wait", (*client.Client).Pause),
		a.shopSwitch("resume", "Resume the shop: waiting claims continue", (*client.Client).Resume),
		a.shopRetry(), a.shopOpenSkipped(), a.shopWebhookSecret(), a.shopSweep(), a.shopKarlaSecret(), a.shopKarlaEvents(),
	)
}

// shopSwitch returns a command that acts on one shop and prints it.
func (a *app) shopSwitch(verb, short string, do func(*client.Client, context.Context, string) (claim.Shop, error)) *cobra.Command {
	return &cobra.Command{
		Use: verb + " SHOP", Short: short, Example: "  starter shop " + verb + " acme", Args: arguments("SHOP"),
		RunE: a.calling(func(ctx context.Context, api *client.Client, args []string) error {
			return a.printShop(do(api, ctx, args[0]))
		}),
	}
}

func (a *app) printShop(s claim.Shop, err error) error {
	return a.print(s, err, func(w *tabwriter.Writer) {
		line(w, "Shop", s.Slug)
		line(w, "Name", s.Name)
		line(w, "Dixa feature", s.Feature)
		line(w, "Enabled", s.Enabled)
		line(w, "Paused", s.Paused)
		if s.Connection == nil {
			line(w, "Connection", "none; save a token with `starter shop connect "+s.Slug+"`")
		} else {
			line(w, "Connection", s.Connection.State)
			line(w, "Organization", fmt.Sprintf("%s %s", cell(s.Connection.OrganizationID), s.Connection.OrganizationName))
			line(w, "Token", s.Connection.TokenInWords())
		}
		for _, state := range claim.States() {
			if n := s.Counts[state]; n > 0 {
				line(w, "Claims "+string(state), n)
			}
		}
		for _, warning := range s.Warnings {
			line(w, "Warning", warning)
		}
	})
}

func (a *app) shopAdd() *cobra.Command {
	var name string
	var feature bool
	c := &cobra.Command{
		Use: "add SHOP", Short: "Add a shop", Example: "  starter shop add acme --name \"Acme Ltd\"", Args: arguments("SHOP"),
		RunE: a.calling(func(ctx context.Context, api *client.Client, args []string) error {
			return a.printShop(api.AddShop(ctx, client.NewShop{Slug: args[0], Name: name, Feature: &feature}))
		}),
	}
	c.Flags().StringVar(&name, "name", "", "the shop's display name")
	c.Flags().BoolVar(&feature, "dixa", true, "whether the platform offers Dixa to the shop")
	return c
}

func (a *app) shopList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the shops", Example: "  starter shop list\n  starter shop list -o json", Args: arguments(),
		RunE: a.calling(func(ctx context.Context, api *client.Client, _ []string) error {
			shops, err := api.Shops(ctx)
			return a.print(shops, err, func(w *tabwriter.Writer) {
				line(w, "SHOP", "NAME", "DIXA", "ENABLED", "PAUSED", "CONNECTION", "PARKED", "OPEN")
				for _, s := range shops {
					state := claim.ConnectionState("")
					if s.Connection != nil {
						state = s.Connection.State
					}
					line(w, s.Slug, s.Name, s.Feature, s.Enabled, s.Paused, state, s.Counts[claim.StateNeedsAttention], s.Counts[claim.StateOpen])
				}
			})
		}),
	}
}

func (a *app) shopUpdate() *cobra.Command {
	var name, feature string
	c := &cobra.Command{
		Use: "update SHOP", Short: "Change a shop's name or its access to Dixa",
		Example: "  starter shop update acme --name \"Acme GmbH\"\n  starter shop update acme --dixa=false", Args: arguments("SHOP"),
		RunE: func(cmd *cobra.Command, args []string) error {
			var p client.ShopPatch
			if cmd.Flags().Changed("name") {
				p.Name = &name
			}
			if cmd.Flags().Changed("dixa") {
				on, err := strconv.ParseBool(feature)
				if err != nil {
					return usage("--dixa must be true or false")
				}
				p.Feature = &on
			}
			if p == (client.ShopPatch{}) {
				return usage("specify what to change: --name or --dixa")
			}
			api, err := a.api()
			if err != nil {
				return err
			}
			return a.printShop(api.UpdateShop(cmd.Context(), args[0], p))
		},
	}
	c.Flags().StringVar(&name, "name", "", "the shop's display name")
	c.Flags().StringVar(&feature, "dixa", "", "whether the platform offers Dixa to the shop: true or false")
	return c
}

func (a *app) shopRemove() *cobra.Command {
	var sure bool
	c := &cobra.Command{
		Use: "remove SHOP --yes", Short: "Delete a shop with its settings, templates, endpoints and API keys",
		Example: "  starter shop remove acme --yes", Args: arguments("SHOP"),
		RunE: a.calling(func(ctx context.Context, api *client.Client, args []string) error {
			if !sure {
				return usage("this permanently deletes the shop's settings, templates, endpoints and API keys; confirm with --yes")
			}
			err := api.DeleteShop(ctx, args[0])
			return a.print(struct{}{}, err, func(w *tabwriter.Writer) { line(w, "removed "+args[0]) })
		}),
	}
	c.Flags().BoolVar(&sure, "yes", false, "confirm the deletion")
	return c
}

func (a *app) shopDisconnect() *cobra.Command {
	return &cobra.Command{
		Use: "disconnect SHOP", Short: "Disable a shop and remove its Dixa API token",
		Long:    "The settings stay, and so do the conversations in Dixa. If other shops use the same Dixa organization, its token stays for them.",
		Example: "  starter shop disconnect acme",
		Args:    arguments("SHOP"),
		RunE: a.calling(func(ctx context.Context, api *client.Client, args []string) error {
			err := api.Disconnect(ctx, args[0])
			return a.print(map[string]string{"disconnected": args[0]}, err, func(w *tabwriter.Writer) { line(w, "Disconnected", args[0]) })
		}),
	}
}

func (a *app) shopConnect() *cobra.Command {
	var file string
	c := &cobra.Command{
		Use: "connect SHOP", Short: "Verify a shop's Dixa API token and save it",
		Long: "The token comes from exactly one of --token-file, CLAIMFLOW_DIXA_TOKEN and standard input; " +
			"on a terminal the command prompts for it without echo. The token is never an argument, because all users of the machine can see arguments.",
		Example: "  starter shop connect acme\n  starter shop connect acme --token-file token.txt\n  pass show dixa/acme | starter shop connect acme",
		Args:    arguments("SHOP"),
		RunE: a.calling(func(ctx context.Context, api *client.Client, args []string) error {
			token, err := a.token(file)
			if err != nil {
				return err
			}
			connection, err := api.Connect(ctx, args[0], token)
			return a.print(connection, err, func(w *tabwriter.Writer) {
				line(w, "Connected", args[0])
				line(w, "Organization", fmt.Sprintf("%s %s", cell(connection.OrganizationID), connection.OrganizationName))
				line(w, "Token", connection.TokenInWords())
			})
		}),
	}
	c.Flags().StringVar(&file, "token-file", "", "the file with the token; - for the standard input")
	return c
}

func (a *app) shopValidate() *cobra.Command {
	return &cobra.Command{
		Use: "validate SHOP", Short: "Check the connection and settings against Dixa (read-only)",
		Long: "Exits with 1 if a check fails.", Example: "  starter shop validate acme", Args: arguments("SHOP"),
		RunE: a.calling(func(ctx context.Context, api *client.Client, args []string) error {
			return a.printReport(api.Validate(ctx, args[0]))
		}),
	}
}

func (a *app) shopTest() *cobra.Command {
	var request client.TestRequest
	c := &cobra.Command{
		Use: "test SHOP --email ADDRESS", Short: "Test the integration: open a conversation, probe permissions, reply, close",
		Long: "Opens a conversation tagged claimflow-test for a customer with the given address, replies as an agent and verifies that the reply is in the same " +
			"conversation. Dixa sends email to the address, so use one of your own. Exits with 1 if a check fails.",
		Example: "  starter shop test acme --email me@acme.example\n  starter shop test acme --email me@acme.example --agent 3f0f9c5e-5b0a-4f7e-9d7c-0a6a3a1d0011",
		Args:    arguments("SHOP"),
		RunE: a.calling(func(ctx context.Context, api *client.Client, args []string) error {
			if request.Email == "" {
				return usage("--email is required: the customer address of the test conversation")
			}
			return a.printReport(api.Test(ctx, args[0], request))
		}),
	}
	c.Flags().StringVar(&request.Email, "email", "", "the customer address of the test conversation")
	c.Flags().StringVar(&request.AgentID, "agent", "", "the id of the agent who replies (default: the shop's default_agent_id)")
	return c
}

func (a *app) printReport(r claim.Report, err error) error {
	err = a.print(r, err, func(w *tabwriter.Writer) {
		line(w, "CHECK", "RESULT", "DETAIL")
		for _, c := range r.Checks {
			line(w, c.Name, c.Result, c.Detail)
		}
		for _, warning := range r.Warnings {
			line(w, "endpoint", "warning", warning)
		}
	})
	if err == nil && !r.OK {
		return errReported
	}
	return err
}

func (a *app) shopRetry() *cobra.Command {
	var causes []string
	c := &cobra.Command{
		Use: "retry SHOP", Short: "Retry all parked claims of a shop",
		Example: "  starter shop retry acme\n  starter shop retry acme --cause template_broken", Args: arguments("SHOP"),
		RunE: a.calling(func(ctx context.Context, api *client.Client, args []string) error {
			var only []claim.Cause
			for _, c := range causes {
				only = append(only, claim.Cause(c))
			}
			n, err := api.RetryShop(ctx, args[0], only...)
			return a.printCount(n, err, "claim retried", "claims retried")
		}),
	}
	c.Flags().StringSliceVar(&causes, "cause", nil, "only claims parked for this cause; can be repeated")
	return c
}

func (a *app) shopOpenSkipped() *cobra.Command {
	var since string
	c := &cobra.Command{
		Use: "open-skipped SHOP", Short: "Open the claims that were skipped while the integration was disabled",
		Example: "  starter shop open-skipped acme --since 48h", Args: arguments("SHOP"),
		RunE: a.calling(func(ctx context.Context, api *client.Client, args []string) error {
			at, err := instant("since", since, time.Now())
			if err != nil {
				return err
			}
			n, err := api.OpenSkipped(ctx, args[0], at)
			return a.printCount(n, err, "skipped claim opened", "skipped claims opened")
		}),
	}
	c.Flags().StringVar(&since, "since", "", "only claims accepted since this time, or within an age such as 24h")
	return c
}

// printCount prints a number of claims with the words for one and for several.
func (a *app) printCount(n int, err error, one, several string) error {
	return a.print(client.Count{Claims: n}, err, func(w *tabwriter.Writer) {
		if n != 1 {
			one = several
		}
		line(w, strconv.Itoa(n)+" "+one)
	})
}

func (a *app) shopSettings() *cobra.Command {
	var file string
	c := &cobra.Command{
		Use: "settings SHOP [NAME=VALUE ...]", Short: "Show a shop's settings, or change them",
		Long: "Without changes it shows the effective settings. A value is JSON or plain text, depending on the setting. A single value for a list setting becomes a list of one; null restores the inherited value; a dot selects a member. " +
			"References to objects in Dixa are verified there before they are saved.",
		Example: "  starter shop settings acme\n  starter shop settings acme email_integration_id=support@acme.email.dixa.io open_within=2h\n" +
			"  starter shop settings acme evidence.max_files=5 default_language=null\n  starter shop settings acme -f settings.yaml",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage("`%s` takes SHOP and optional changes such as language=de; see `%[1]s --help`", cmd.CommandPath())
			}
			return nil
		},
		RunE: a.calling(func(ctx context.Context, api *client.Client, args []string) error {
			patch, err := a.settingsPatch(file, args[1:])
			if err != nil {
				return err
			}
			var in claim.Integration
			if patch == nil {
				in, err = api.Integration(ctx, args[0])
			} else {
				in, err = api.UpdateSettings(ctx, args[0], patch)
			}
			return a.printSettings(in, err)
		}),
	}
	c.Flags().StringVarP(&file, "file", "f", "", "a JSON or YAML file of settings to merge; - for the standard input")
	return c
}

// printSettings prints every setting with its origin.
func (a *app) printSettings(in claim.Integration, err error) error {
	return a.print(in, err, func(w *tabwriter.Writer) {
		own, effective := map[string]json.RawMessage{}, map[string]json.RawMessage{}
		_ = json.Unmarshal(in.Own, &own)
		data, err := json.Marshal(in.Effective)
		if err == nil {
			_ = json.Unmarshal(data, &effective)
		}
		line(w, "SETTING", "VALUE", "FROM")
		for _, name := range sortedNames(effective) {
			from := "inherited"
			if _, ok := own[name]; ok {
				from = "shop"
			}
			line(w, name, string(effective[name]), from)
		}
		for _, warning := range in.Warnings {
			line(w, "Warning", warning)
		}
	})
}
