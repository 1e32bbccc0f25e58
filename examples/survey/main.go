// Command survey asks the customers of resolved tickets for a score and writes the score
// back, as a feedback product does: as a tag, and as a private note for the agents.
// Running it again asks nobody twice.
//
// It needs CLAIMFLOW_URL and CLAIMFLOW_API_KEY, with a key that has the scopes
// unified:read and unified:write.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/url"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"

	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/unified"
)

// prefix begins the tag that says that a ticket has a score.
const prefix = "survey-"

func main() {
	days := flag.Int("days", 7, "the `number` of days in which a ticket was closed")
	limit := flag.Int("limit", 3, "the largest `number` of customers to ask")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *days, *limit); err != nil {
		fmt.Fprintln(os.Stderr, "survey:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, days, limit int) error {
	c, err := client.New(os.Getenv("CLAIMFLOW_URL"), os.Getenv("CLAIMFLOW_API_KEY"))
	if err != nil {
		return err
	}
	account, err := firstAccount(ctx, c)
	if err != nil {
		return err
	}
	tickets := client.ResourceOf[unified.Ticket](c, account, client.ModelTicketing, "tickets")
	q := url.Values{"status": {"closed"}, "closed_at[gte]": {time.Now().AddDate(0, 0, -days).UTC().Format(time.RFC3339)}}
	asked := 0
	for ticket, err := range tickets.List(ctx, q) {
		if err != nil {
			return fmt.Errorf("list the resolved tickets: %w", err)
		}
		if asked == limit {
			break
		}
		if ticket.Contact == nil || slices.ContainsFunc(ticket.Tags, scored) {
			continue
		}
		asked++
		if err := record(ctx, c, account, ticket, ask(ticket)); err != nil {
			return err
		}
	}
	fmt.Printf("asked %d customers\n", asked)
	return nil
}

// firstAccount returns the first connected Dixa organization.
func firstAccount(ctx context.Context, c *client.Client) (string, error) {
	for account, err := range c.Accounts(ctx, "") {
		return account.ID, err
	}
	return "", errors.New("no account is connected yet")
}

func scored(tag unified.Ref) bool { return tag.Name != nil && strings.HasPrefix(*tag.Name, prefix) }

// ask stands for the survey. It returns a score from 1 to 5.
func ask(t unified.Ticket) int { return 1 + int(t.ID[len(t.ID)-1]-'0')%5 }

// record writes a score to its ticket.
func record(ctx context.Context, c *client.Client, account string, t unified.Ticket, score int) error {
	tag := fmt.Sprint(prefix, score)
	tags := client.ResourceOf[unified.Tag](c, account, client.ModelTicketing, "tags")
	found, err := tags.Page(ctx, url.Values{"name": {tag}})
	if err != nil {
		return fmt.Errorf("find the tag %s: %w", tag, err)
	}
	if len(found.Items) == 0 {
		if _, err := tags.Create(ctx, map[string]string{"name": tag}, "tag-"+tag); err != nil {
			return fmt.Errorf("create the tag %s: %w", tag, err)
		}
	}
	all := []map[string]string{{"name": tag}} // tags are replaced as a whole
	for _, known := range t.Tags {
		all = append(all, map[string]string{"id": known.ID})
	}
	tickets := client.ResourceOf[unified.Ticket](c, account, client.ModelTicketing, "tickets")
	if _, err := tickets.Update(ctx, t.ID, map[string]any{"tags": all}, ""); err != nil {
		return fmt.Errorf("tag ticket %s: %w", t.ID, err)
	}
	comments := client.ResourceOf[unified.Comment](c, account, client.ModelTicketing, "comments")
	_, err = comments.Create(ctx, map[string]any{
		"ticket": map[string]string{"id": t.ID}, "is_private": true, "body": fmt.Sprintf("The customer gave %d of 5 in the survey.", score),
	}, "survey-"+t.ID)
	if err != nil {
		return fmt.Errorf("add the score to ticket %s: %w", t.ID, err)
	}
	fmt.Printf("ticket %s: %d of 5\n", t.ID, score)
	return nil
}
