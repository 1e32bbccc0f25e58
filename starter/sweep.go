package main

import (
	"context"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
)

// lookEvery is how often to check on a requested sweep.
const lookEvery = 500 * time.Millisecond

func (a *app) shopSweep() *cobra.Command {
	var within time.Duration
	c := &cobra.Command{
		Use: "sweep SHOP", Short: "Reconcile with Dixa now: find events that no webhook delivered",
		Long: "A sweep covers the whole Dixa organization and also runs automatically every CLAIMFLOW_SWEEP_EVERY. It uses at most a tenth of the token's request rate, so it can take minutes. " +
			"Exits with 1 if the sweep is incomplete.",
		Example: "  starter shop sweep acme", Args: arguments("SHOP"),
		RunE: a.calling(func(ctx context.Context, api *client.Client, args []string) error {
			timed, cancel := context.WithTimeout(ctx, within)
			defer cancel()
			asked, err := api.Sweep(timed, args[0])
			if err != nil {
				return err
			}
			sweep, err := awaitSweep(timed, api, args[0], asked)
			if timed.Err() != nil && ctx.Err() == nil {
				return fmt.Errorf("the sweep of %s did not finish within %s; it continues in the background while a worker runs", args[0], within)
			}
			if err != nil {
				return err
			}
			if err := a.print(sweep, nil, func(w *tabwriter.Writer) { printSweep(w, sweep) }); err != nil {
				return err
			}
			if sweep.Report.Trouble != "" || sweep.Report.Failed > 0 {
				return errReported
			}
			return nil
		}),
	}
	c.Flags().DurationVar(&within, "within", 10*time.Minute, "how long to wait for the sweep to finish")
	return c
}

func awaitSweep(ctx context.Context, api *client.Client, shop string, asked client.SweepRequested) (claim.Sweep, error) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		in, err := api.Integration(ctx, shop)
		if err != nil {
			return claim.Sweep{}, err
		}
		if asked.EndedBy(in.LastSweep) {
			return *in.LastSweep, nil
		}
		select {
		case <-ctx.Done():
			return claim.Sweep{}, ctx.Err()
		case <-tick.C:
		}
	}
}

func printSweep(w *tabwriter.Writer, s claim.Sweep) {
	r := s.Report
	line(w, "Finished", s.FinishedAt)
	line(w, "Lag", time.Duration(s.LagSeconds)*time.Second)
	line(w, "Requests to Dixa", r.Requests)
	line(w, "Log entries read", r.Entries)
	line(w, "Conversations with activity", r.Touched)
	line(w, "Conversations checked", r.Looked)
	line(w, "Conversations repaired", r.Conversations)
	line(w, "Messages and notes repaired", r.Messages)
	line(w, "Timeline entries repaired", r.Happenings)
	line(w, "Undelivered events found", r.Events)
	line(w, "Webhook subscriptions repaired", r.Subscriptions)
	line(w, "Conversations deleted or anonymized", r.Gone)
	if r.Failed > 0 {
		line(w, "Deferred to the next sweep", r.Failed)
	}
	if r.Trouble != "" {
		line(w, "Problem", r.Trouble)
	}
}
