package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
)

func (a *app) claimCommand() *cobra.Command {
	return group(&cobra.Command{
		Use: "claim", Short: "Submit, inspect, retry and abandon claims",
		Example: "  starter claim submit -f claim.json\n  starter claim list acme --state needs_attention\n  starter claim retry acme c-10001",
	}, a.claimSubmit(), a.claimShow(), a.claimWatch(), a.claimList(), a.claimMessages(), a.claimFiles(), a.claimReply(), a.claimNote(), a.claimUpdate(), a.claimRetry(), a.claimAbandon(), a.claimLink())
}

func (a *app) claimShow() *cobra.Command {
	return &cobra.Command{
		Use: "show SHOP CLAIM", Short: "Show a claim and its timeline",
		Example: "  starter claim show acme c-10001\n  starter claim show acme c-10001 -o json",
		Args:    arguments("SHOP", "CLAIM"),
		RunE: a.calling(func(ctx context.Context, api *client.Client, args []string) error {
			d, err := api.Claim(ctx, claim.Ref{Shop: args[0], ID: args[1]})
			return a.print(d, aboutClaim(ctx, api, args[0], err), func(w *tabwriter.Writer) {
				describe(w, d.Record)
				inDixa(w, d.Conversation)
				say(w, "\n")
				line(w, "TIME", "EVENT", "BY", "DETAIL")
				for _, t := range d.Timeline {
					line(w, t.At, whatHappened(t), t.By, t.Detail)
				}
			})
		}),
	}
}

// aboutClaim returns the error of a command on one claim. If the shop itself is
// unknown, the error is about the shop instead.
func aboutClaim(ctx context.Context, api *client.Client, shop string, err error) error {
	if !client.HasCode(err, client.CodeNotFound) {
		return err
	}
	if _, unknown := api.Shop(ctx, shop); client.HasCode(unknown, client.CodeNotFound) {
		return &nextError{fmt.Errorf("shop %q does not exist: %w", shop, unknown), "list the shops with `starter shop list`"}
	}
	return &nextError{err, "list the shop's claims with `starter claim list " + shop + "`"}
}

// describe prints what is known about a claim as a list.
func describe(w *tabwriter.Writer, r claim.Record) {
	line(w, "Claim", r.Ref.String())
	line(w, "Reference", r.Reference())
	line(w, "State", r.State)
	if r.Status != "" {
		line(w, "Status", fmt.Sprintf("%s (by %s)", r.Status, r.StatusBy))
	}
	if r.Cause != "" {
		line(w, "Cause", r.Cause)
		line(w, "Next step", r.Advice)
	}
	if r.LastError != "" {
		line(w, "Last error", r.LastError)
	}
	line(w, "Reason", r.Reason)
	line(w, "Preference", r.Preference)
	line(w, "Order", r.OrderNumber)
	line(w, "Conversation", r.ConversationID)
	line(w, "Organization", r.OrganizationID)
	line(w, "Template", r.Template)
	line(w, "Route", r.Route)
	line(w, "Files", fmt.Sprintf("%d attached, %d omitted", r.Attached, r.LeftOut))
	line(w, "Dixa requests", r.DixaRequests)
	line(w, "Accepted", r.AcceptedAt)
	line(w, "Opened", r.OpenedAt)
	line(w, "Workflow", r.WorkflowID)
	for _, o := range r.OtherClaims {
		line(w, "Other claim", fmt.Sprintf("%s %s %s", o.ID, o.State, cell(o.ConversationID)))
	}
}

func (a *app) claimList() *cobra.Command {
	var f client.Filter
	var state, cause, since, until string
	var limit int
	var asCSV bool
	c := &cobra.Command{
		Use: "list SHOP", Short: "List a shop's claims, newest first",
		Example: "  starter claim list acme --state needs_attention\n  starter claim list acme --since 24h\n  starter claim list acme --csv > claims.csv",
		Args:    arguments("SHOP"),
		RunE: a.calling(func(ctx context.Context, api *client.Client, args []string) error {
			switch {
			case limit < 1:
				return usage("--limit %d: must be at least 1", limit)
			case asCSV && a.output == "json":
				return usage("--csv and -o json cannot be combined; use only one of them")
			}
			var err error
			now := time.Now()
			if f.Since, err = instant("since", since, now); err != nil {
				return err
			}
			if f.Until, err = instant("until", until, now); err != nil {
				return err
			}
			f.State, f.Cause = claim.State(state), claim.Cause(cause)
			if asCSV {
				data, err := api.ClaimsCSV(ctx, args[0], f)
				if err != nil {
					return err
				}
				_, err = a.out.Write(data)
				return err
			}
			records := []claim.Record{}
			f.PageSize = min(limit, 500)
			for r, err := range api.Claims(ctx, args[0], f) {
				if err != nil {
					return err
				}
				if len(records) == limit {
					say(a.err, "more than %d claims match; use --limit to show more, or --csv for all of them\n", limit)
					break
				}
				records = append(records, r)
			}
			return a.print(records, nil, func(w *tabwriter.Writer) {
				line(w, "CLAIM", "STATE", "CAUSE", "REASON", "ORDER", "CONVERSATION", "ACCEPTED")
				for _, r := range records {
					line(w, r.ID, r.State, r.Cause, r.Reason, r.OrderNumber, r.ConversationID, r.AcceptedAt)
				}
			})
		}),
	}
	flags := c.Flags()
	flags.StringVar(&state, "state", "", "only claims in this state")
	flags.StringVar(&cause, "cause", "", "only claims parked for this cause")
	flags.StringVar(&f.Reason, "reason", "", "only claims with this reason")
	flags.StringVar(&f.OrderNumber, "order", "", "only claims with this order number")
	flags.Int64Var(&f.ConversationID, "conversation", 0, "only the claim with this conversation")
	flags.StringVar(&since, "since", "", "only claims accepted since this time, or within an age such as 24h")
	flags.StringVar(&until, "until", "", "only claims accepted before this time")
	flags.IntVar(&limit, "limit", 50, "maximum number of claims to show")
	flags.BoolVar(&asCSV, "csv", false, "print all matching claims as CSV")
	return c
}

func (a *app) claimRetry() *cobra.Command {
	var anyway bool
	c := a.claimOperation("retry SHOP CLAIM", "Retry a parked, skipped or abandoned claim",
		"  starter claim retry acme c-10001\n  starter claim retry acme c-10001 --create-anyway",
		func(api *client.Client, ctx context.Context, ref claim.Ref) (claim.Record, error) {
			return api.Retry(ctx, ref, client.RetryRequest{CreateAnyway: anyway})
		})
	c.Flags().BoolVar(&anyway, "create-anyway", false, "open a conversation even if an earlier attempt may have opened one; check in Dixa first")
	return c
}

func (a *app) claimAbandon() *cobra.Command {
	return a.claimOperation("abandon SHOP CLAIM", "Abandon a claim; its conversation in Dixa stays as it is",
		"  starter claim abandon acme c-10001", (*client.Client).Abandon)
}

// claimOperation returns a command that acts on one claim and prints it.
func (a *app) claimOperation(use, short, example string, do func(*client.Client, context.Context, claim.Ref) (claim.Record, error)) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Example: example, Args: arguments("SHOP", "CLAIM"),
		RunE: a.calling(func(ctx context.Context, api *client.Client, args []string) error {
			r, err := do(api, ctx, claim.Ref{Shop: args[0], ID: args[1]})
			if client.HasCode(err, client.CodeConflict) {
				return &nextError{err, fmt.Sprintf("check the state of the claim with `starter claim show %s %s`; only a parked, skipped or abandoned claim can be retried", args[0], args[1])}
			}
			if err != nil {
				return aboutClaim(ctx, api, args[0], err)
			}
			return a.print(r, nil, func(w *tabwriter.Writer) { describe(w, r) })
		}),
	}
}

func (a *app) claimLink() *cobra.Command {
	return &cobra.Command{
		Use: "link SHOP CLAIM CONVERSATION", Short: "Link a claim to an existing conversation in Dixa",
		Long: "Use this when Dixa may have created the conversation without confirming it (outcome_unknown). " +
			"To correct a wrong number, run the command again before Claimflow adds the claim's tags, files or note to the conversation.",
		Example: "  starter claim link acme c-10001 4711",
		Args:    arguments("SHOP", "CLAIM", "CONVERSATION"),
		RunE: a.calling(func(ctx context.Context, api *client.Client, args []string) error {
			id, err := strconv.ParseInt(strings.TrimPrefix(args[2], "#"), 10, 64)
			if err != nil || id < 1 {
				return usage("%q is not a conversation number; Dixa shows the number in the conversation's URL", args[2])
			}
			r, err := api.Link(ctx, claim.Ref{Shop: args[0], ID: args[1]}, id)
			return a.print(r, aboutClaim(ctx, api, args[0], err), func(w *tabwriter.Writer) { describe(w, r) })
		}),
	}
}
