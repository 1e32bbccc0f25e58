package main

import (
	"context"
	"errors"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/claimflow/claimflow/client"
)

func (a *app) applyCommand() *cobra.Command {
	var file string
	var dryRun bool
	c := &cobra.Command{
		Use: "apply -f FILE", Short: "Apply shops, settings and templates from a file",
		Long: `Compares a YAML file with the current configuration, prints the differences and
applies them. Applying the same file again changes nothing. Anything that the file does
not mention stays unchanged. If the file has settings for a shop, they replace all of
the shop's own settings: a setting that you remove from the file is inherited again.

  platform:
    settings: {default_language: de}
    templates:
      damaged: {de: {subject: "Bruch {{.Order.Number}}"}}
  shops:
    - slug: acme
      name: Acme Ltd
      dixa_feature: true
      token_env: ACME_DIXA_TOKEN    # or token_file: acme.token
      settings:
        email_integration_id: support@acme.email.dixa.io
      templates:
        damaged: {de: {body_file: damaged.de.html}}
      enabled: true
      paused: false

The file never contains tokens. The command compares the fingerprint of the token with
that of the saved token. It sends the token only if it is new or Dixa rejected the saved
one.`,
		Example: "  starter apply -f shops.yaml --dry-run\n  starter apply -f shops.yaml",
		Args:    arguments(),
		RunE: a.calling(func(ctx context.Context, api *client.Client, _ []string) error {
			if file == "" {
				return usage("specify the file with -f")
			}
			wanted, err := a.readShops(file)
			if err != nil {
				return err
			}
			p := &plan{api: api}
			if err := p.compare(ctx, wanted); err != nil {
				return err
			}
			return a.carryOut(ctx, p, dryRun)
		}),
	}
	c.Flags().StringVarP(&file, "file", "f", "", "the YAML file; - for the standard input")
	c.Flags().BoolVar(&dryRun, "dry-run", false, "print the differences without applying them")
	return c
}

// applied is the report of the command.
type applied struct {
	Changes []change `json:"changes"`
	DryRun  bool     `json:"dry_run,omitempty"`
	// Done counts the changes that were made.
	Done   int      `json:"done"`
	Failed []string `json:"failed,omitempty"`
}

// carryOut prints the plan and applies it shop by shop. A failure ends the changes
// of its shop but not those of other shops. If the service does not answer or ctx
// ends, all remaining changes are skipped.
func (a *app) carryOut(ctx context.Context, p *plan, dryRun bool) error {
	if a.output == "table" {
		p.print(a.out)
	}
	result := applied{Changes: p.changes, DryRun: dryRun}
	if result.Changes == nil {
		result.Changes = []change{}
	}
	var failures []error
	broken := map[string]bool{}
	for i := range p.changes {
		c := &p.changes[i]
		if dryRun || broken[c.Shop] {
			continue
		}
		if err := c.do(ctx); err != nil {
			broken[c.Shop] = true
			err = fmt.Errorf("%s: %s: %w", c.where(), c.Text, err)
			failures = append(failures, err)
			result.Failed = append(result.Failed, err.Error())
			a.complain(err)
			if errors.Is(err, client.ErrNoAnswer) || ctx.Err() != nil {
				break
			}
			continue
		}
		result.Done++
	}
	err := a.print(result, nil, func(w *tabwriter.Writer) {
		switch {
		case len(p.changes) == 0:
			say(w, "No changes.\n")
		case dryRun:
			say(w, "%d changes, none applied (dry run).\n", len(p.changes))
		default:
			say(w, "%d of %d changes applied.\n", result.Done, len(p.changes))
		}
	})
	if len(failures) > 0 {
		return errors.Join(errReported, failures[0], err)
	}
	return err
}
