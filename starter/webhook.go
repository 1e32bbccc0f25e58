package main

import (
	"text/tabwriter"

	"github.com/spf13/cobra"
)

func (a *app) shopWebhookSecret() *cobra.Command {
	var file string
	var automatic bool
	c := &cobra.Command{
		Use: "webhook-secret SHOP", Short: "Save the signing secret of a webhook that you created in Dixa",
		Long: "Enabling a shop makes a webhook in Dixa, so this is only for a token that may not. " +
			"`starter shop settings SHOP -o json` shows the address that the webhook in Dixa needs, as subscription.url. " +
			"The secret comes from --secret-file, else from the standard input; on a terminal it is asked for and not shown. " +
			"The one that it replaces stays good for three days.",
		Example: "  starter shop webhook-secret acme\n  starter shop webhook-secret acme --secret-file secret.txt\n  starter shop webhook-secret acme --automatic",
		Args:    arguments("SHOP"),
		RunE: func(cmd *cobra.Command, args []string) error {
			secret := ""
			if automatic && file != "" {
				return usage("--automatic saves no secret, so it does not go with --secret-file")
			}
			if !automatic {
				var err error
				if secret, err = a.secret(file, "webhook secret"); err != nil {
					return err
				}
				if secret == "" {
					return usage("no secret was given: use --secret-file or the standard input, or --automatic to have the webhook made")
				}
			}
			api, err := a.api()
			if err != nil {
				return err
			}
			s, err := api.SaveWebhookSecret(cmd.Context(), args[0], secret)
			if err != nil {
				return err
			}
			return a.print(s, func(w *tabwriter.Writer) {
				line(w, "Webhook", s.State)
				line(w, "Address", s.URL)
				line(w, "Secret", s.SecretPreview)
				if automatic {
					line(w, "Next", "`starter shop enable "+args[0]+"` makes the webhook")
				}
			})
		},
	}
	c.Flags().StringVar(&file, "secret-file", "", "the file that holds the secret; - for the standard input")
	c.Flags().BoolVar(&automatic, "automatic", false, "forget that the webhook was made by hand")
	return c
}
