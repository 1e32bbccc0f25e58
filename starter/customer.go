package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
)

func (a *app) customerCommand() *cobra.Command {
	c := &cobra.Command{Use: "customer", Short: "Erase customers"}
	return group(c, a.customerErase(), a.customerErasures())
}

func (a *app) customerErase() *cobra.Command {
	var (
		shop    string
		request client.EraseRequest
		within  time.Duration
	)
	c := &cobra.Command{
		Use: "erase", Short: "Erase a customer: in Dixa and in Claimflow",
		Long: "Anonymizes the customer in Dixa, with all conversations, and blanks everything that Claimflow has of the customer. Claims that still run are abandoned. The facts of claims without the customer, and all figures, stay. " +
			"It cannot be undone; --dry-run shows what would be erased. Exits with 1 if the erasure is incomplete.",
		Example: "  starter customer erase --shop acme --email ada@customer.example --dry-run\n  starter customer erase --shop acme --email ada@customer.example",
		Args:    arguments(),
		RunE: a.calling(func(ctx context.Context, api *client.Client, _ []string) error {
			if shop == "" {
				return usage("specify --shop SHOP")
			}
			if _, _, ok := claim.ErasureRequest(request).By(); !ok {
				return usage("specify exactly one of --email, --phone, --external-id and --end-user")
			}
			timed, cancel := context.WithTimeout(ctx, within)
			defer cancel()
			e, err := api.EraseCustomer(timed, shop, request)
			if err == nil {
				e, err = awaitErasure(timed, api, e)
			}
			if timed.Err() != nil && ctx.Err() == nil && e.ID != "" {
				return fmt.Errorf("erasure %s did not finish within %s%s; it continues while a worker runs: `starter customer erasures --shop %s %[1]s` shows its progress", e.ID, within, because(e.Why), shop)
			}
			if err := a.print(e, err, func(w *tabwriter.Writer) { printErasure(w, e) }); err != nil {
				return err
			}
			if e.State != claim.ErasureDone {
				return errReported
			}
			return nil
		}),
	}
	f := c.Flags()
	f.StringVar(&shop, "shop", "", "the shop of the customer")
	f.StringVar(&request.Email, "email", "", "the customer's email address")
	f.StringVar(&request.Phone, "phone", "", "the customer's phone number")
	f.StringVar(&request.ExternalID, "external-id", "", "the shop's own id of the customer")
	f.StringVar(&request.EndUserID, "end-user", "", "the customer's id in Dixa")
	f.BoolVar(&request.DryRun, "dry-run", false, "only show what would be erased")
	f.DurationVar(&within, "within", 10*time.Minute, "how long to wait for the erasure to finish")
	return c
}

func because(why string) string {
	if why == "" {
		return ""
	}
	return " (" + why + ")"
}

func awaitErasure(ctx context.Context, api *client.Client, e claim.Erasure) (claim.Erasure, error) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for e.State == claim.ErasureRunning {
		select {
		case <-ctx.Done():
			return e, ctx.Err()
		case <-tick.C:
		}
		now, err := api.Erasure(ctx, e.Shop, e.ID)
		if err != nil {
			return e, err
		}
		e = now
	}
	return e, nil
}

func (a *app) customerErasures() *cobra.Command {
	var shop string
	c := &cobra.Command{
		Use: "erasures [ID]", Short: "List erasures, or show one with its report", Example: "  starter customer erasures --shop acme",
		Args: cobra.MaximumNArgs(1),
		RunE: a.calling(func(ctx context.Context, api *client.Client, args []string) error {
			if shop == "" {
				return usage("specify --shop SHOP")
			}
			if len(args) == 1 {
				e, err := api.Erasure(ctx, shop, args[0])
				return a.print(e, err, func(w *tabwriter.Writer) { printErasure(w, e) })
			}
			erasures, err := api.Erasures(ctx, shop)
			return a.print(erasures, err, func(w *tabwriter.Writer) {
				line(w, "ID", "STATE", "DRY RUN", "STARTED", "FINISHED", "CLAIMS", "CONVERSATIONS", "WHY")
				for _, e := range erasures {
					line(w, e.ID, e.State, e.DryRun, e.StartedAt, e.FinishedAt, e.Report.Claims, e.Report.Conversations, e.Why)
				}
			})
		}),
	}
	c.Flags().StringVar(&shop, "shop", "", "the shop")
	return c
}

func printErasure(w *tabwriter.Writer, e claim.Erasure) {
	line(w, "Erasure", e.ID)
	state := string(e.State)
	if e.DryRun {
		state += ", dry run: nothing was changed"
	}
	line(w, "State", state)
	if e.Why != "" {
		line(w, "Why", e.Why)
	}
	line(w, "Started", e.StartedAt)
	line(w, "Finished", e.FinishedAt)
	for _, s := range e.Steps {
		line(w, "Step "+s.Name, s.StartedAt)
	}
	r := e.Report
	line(w, "Claims", r.Claims)
	line(w, "Claims stopped", r.Stopped)
	line(w, "Conversations", r.Conversations)
	line(w, "End users in Dixa", r.EndUsers)
	for _, answer := range r.Dixa {
		line(w, "Dixa", answer.Result+because(answer.Detail))
	}
	for _, table := range slices.Sorted(maps.Keys(r.Rows)) {
		line(w, "Rows of "+table, r.Rows[table])
	}
	for _, note := range r.Notes {
		line(w, "Note", note)
	}
	for _, table := range slices.Sorted(maps.Keys(r.Leftovers)) {
		line(w, "Left in "+table, r.Leftovers[table])
	}
}
