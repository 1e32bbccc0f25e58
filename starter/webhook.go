package main

import (
	"context"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/claimflow/claimflow/client"
)

func (a *app) shopWebhookSecret() *cobra.Command {
	var file string
	var automatic bool
	c := &cobra.Command{
		Use: "webhook-secret SHOP", Short: "Save the signing secret of a webhook that you created in Dixa",
		Long: "Enabling a shop creates a webhook in Dixa. Use this command only if the token lacks the permission for that. " +
			"`starter shop settings SHOP -o json` shows the URL for the webhook as subscription.url. " +
			"The command reads the secret from --secret-file or the standard input; on a terminal it prompts for it without echo. " +
			"The previous secret stays valid for three days.",
		Example: "  starter shop webhook-secret acme\n  starter shop webhook-secret acme --secret-file secret.txt\n  starter shop webhook-secret acme --automatic",
		Args:    arguments("SHOP"),
		RunE: a.calling(func(ctx context.Context, api *client.Client, args []string) error {
			secret := ""
			if automatic && file != "" {
				return usage("--automatic saves no secret and cannot be combined with --secret-file")
			}
			if !automatic {
				var err error
				secret, err = a.required(file, "webhook secret",
					"a secret is required: use --secret-file or the standard input, or --automatic to let Claimflow create the webhook")
				if err != nil {
					return err
				}
			}
			s, err := api.SaveWebhookSecret(ctx, args[0], secret)
			return a.print(s, err, func(w *tabwriter.Writer) {
				line(w, "Webhook", s.State)
				line(w, "URL", s.URL)
				line(w, "Secret", s.SecretPreview)
				if automatic {
					line(w, "Next", "create the webhook with `starter shop enable "+args[0]+"`")
				}
			})
		}),
	}
	c.Flags().StringVar(&file, "secret-file", "", "the file with the secret; - for the standard input")
	c.Flags().BoolVar(&automatic, "automatic", false, "let Claimflow create the webhook again")
	return c
}
