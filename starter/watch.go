package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
)

// watchEvery is how often a watched claim is read.
const watchEvery = time.Second

func (a *app) claimWatch() *cobra.Command {
	return &cobra.Command{
		Use: "watch SHOP CLAIM", Short: "Watch a claim: print its events as they happen",
		Long: "Prints past events, then new events as they happen, until the claim is settled, skipped or abandoned, or until you press Ctrl-C. " +
			"With -o json it prints one object per line.",
		Example: "  starter claim watch acme c-10001\n  starter claim watch acme c-10001 -o json | jq -r .what",
		Args:    arguments("SHOP", "CLAIM"),
		RunE: a.calling(func(ctx context.Context, api *client.Client, args []string) error {
			ref := claim.Ref{Shop: args[0], ID: args[1]}
			err := a.watch(ctx, api, ref)
			if errors.Is(err, context.Canceled) {
				return nil // a person stopped watching
			}
			return aboutClaim(ctx, api, ref.Shop, err)
		}),
	}
}

// watch prints what happens to a claim until it is final, each entry once.
func (a *app) watch(ctx context.Context, api *client.Client, ref claim.Ref) error {
	seen := map[claim.TimelineEntry]bool{}
	show := func(d client.ClaimDetail) error {
		for _, e := range d.Timeline {
			if seen[e] {
				continue
			}
			seen[e] = true
			if err := a.watched(e); err != nil {
				return err
			}
		}
		return nil
	}
	for d, err := range api.Follow(ctx, ref, watchEvery) {
		if err == nil {
			err = show(d)
		}
		if err != nil {
			return err
		}
	}
	// The audit log records the command that ended the claim after its effects.
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(watchEvery):
	}
	d, err := api.Claim(ctx, ref)
	if err != nil {
		return err
	}
	return show(d)
}

// watched prints one timeline entry.
func (a *app) watched(e claim.TimelineEntry) error {
	if a.output == "json" {
		return json.NewEncoder(a.out).Encode(e)
	}
	words := whatHappened(e)
	if e.Detail != "" {
		words += ": " + e.Detail
	}
	if e.By != "" {
		words += " (" + e.By + ")"
	}
	_, err := fmt.Fprintf(a.out, "%s  %s\n", e.At.Local().Format(time.DateTime), strings.Map(printable, words))
	return err
}

// whatHappened distinguishes events for the claim's owner from what happened in
// Dixa.
func whatHappened(e claim.TimelineEntry) string {
	if strings.HasPrefix(e.What, "claim.") {
		return "event " + e.What
	}
	return e.What
}

// printable keeps untrusted text from controlling the terminal.
func printable(r rune) rune {
	if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
		return '·'
	}
	return r
}

// inDixa prints what is known about a claim's conversation.
func inDixa(w *tabwriter.Writer, c *claim.Conversation) {
	if c == nil {
		return
	}
	line(w, "Dixa status", c.Status)
	if c.Assignee != nil {
		line(w, "Agent", cmp.Or(c.Assignee.Name, c.Assignee.ID))
	}
	if c.Queue != nil {
		line(w, "Queue", cmp.Or(c.Queue.Name, c.Queue.ID))
	}
	line(w, "Tags", strings.Join(c.Tags, ", "))
	if c.Rating != nil {
		line(w, "Rating", c.Rating.Score)
	}
}
