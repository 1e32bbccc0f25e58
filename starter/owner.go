package main

import (
	"context"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
)

func (a *app) claimUpdate() *cobra.Command {
	var file string
	c := &cobra.Command{
		Use: "update SHOP CLAIM -f FILE", Short: "Update a claim",
		Long: "Submits the changed members of a claim as a JSON object; omitted members keep their values. " +
			"Before the claim's conversation is created, the update changes the claim that it is created from. Afterwards, Claimflow applies the shop's change rules to the conversation.",
		Example: "  starter claim update acme c-10001 -f change.json\n  starter claim update acme c-10001 -f - < change.json",
		Args:    arguments("SHOP", "CLAIM"),
		RunE: a.calling(func(ctx context.Context, api *client.Client, args []string) error {
			if file == "" {
				return usage("specify the file of changed members with -f, or -f - for the standard input")
			}
			data, err := a.read(file)
			if err != nil {
				return err
			}
			u, err := api.Update(ctx, claim.Ref{Shop: args[0], ID: args[1]}, data)
			return a.print(u, aboutClaim(ctx, api, args[0], err), func(w *tabwriter.Writer) {
				line(w, "Result", u.Result)
				for _, field := range u.Changed {
					line(w, "Changed", field)
				}
				line(w, "Instruction", u.InstructionID)
				describe(w, u.Claim)
			})
		}),
	}
	c.Flags().StringVarP(&file, "file", "f", "", "the JSON file of changed members; - for the standard input")
	return c
}

func (a *app) shopKarlaSecret() *cobra.Command {
	return a.saveKarlaSecret(&cobra.Command{
		Use: "karla-secret SHOP", Short: "Save the signing secret of Karla's webhooks for one shop",
		Example: "  starter shop karla-secret acme\n  starter shop karla-secret acme --secret-file secret.txt",
		Args:    arguments("SHOP"),
	})
}

func (a *app) karlaSecretCommand() *cobra.Command {
	return a.saveKarlaSecret(&cobra.Command{
		Use: "karla-secret", Short: "Save the signing secret of Karla's webhooks for all shops",
		Example: "  starter karla-secret\n  starter karla-secret --secret-file secret.txt",
		Args:    arguments(),
	})
}

// saveKarlaSecret completes a command that saves the signing secret of Karla's
// webhooks, for the shop that it names or else for the platform.
func (a *app) saveKarlaSecret(c *cobra.Command) *cobra.Command {
	var file string
	c.Long = "Karla shows the secret once, when you create the webhook. The command reads it from --secret-file or the standard input; " +
		"on a terminal it prompts for it without echo. The previous secret stays valid for three days."
	c.RunE = a.calling(func(ctx context.Context, api *client.Client, args []string) error {
		secret, err := a.required(file, "Karla webhook secret", "a secret is required: use --secret-file or the standard input")
		if err != nil {
			return err
		}
		shop := ""
		if len(args) > 0 {
			shop = args[0]
		}
		s, err := api.SaveKarlaSecret(ctx, shop, secret)
		return a.print(s, err, func(w *tabwriter.Writer) {
			line(w, "Secret", s.Preview)
			line(w, "Path", s.Path)
		})
	})
	c.Flags().StringVar(&file, "secret-file", "", "the file with the secret; - for the standard input")
	return c
}

func (a *app) shopKarlaEvents() *cobra.Command {
	var state string
	c := &cobra.Command{
		Use: "karla-events SHOP", Short: "List the events that Karla sent and their results",
		Example: "  starter shop karla-events acme\n  starter shop karla-events acme --state invalid",
		Args:    arguments("SHOP"),
		RunE: a.calling(func(ctx context.Context, api *client.Client, args []string) error {
			events, err := api.KarlaEvents(ctx, args[0], state)
			return a.print(client.KarlaEventList{Events: events}, err, func(w *tabwriter.Writer) {
				line(w, "RECEIVED", "EVENT", "CLAIM", "STATE", "REASON")
				for _, e := range events {
					line(w, e.ReceivedAt, e.Ref, e.ClaimID, e.State, e.Why)
				}
			})
		}),
	}
	c.Flags().StringVar(&state, "state", "", "only events in this state: waiting, applied, ignored or invalid")
	return c
}
