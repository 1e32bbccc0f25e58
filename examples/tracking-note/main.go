// Command tracking-note adds a private note with the tracking link of a parcel to a
// ticket, as a shipping product does. Running it again for the same parcel adds nothing.
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

	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/unified"
)

func main() {
	ticket := flag.String("ticket", "", "the `id` of the ticket; the newest one if empty")
	parcel := flag.String("parcel", "00340434161094042557", "the tracking `number`")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *ticket, *parcel); err != nil {
		fmt.Fprintln(os.Stderr, "tracking-note:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, ticket, parcel string) error {
	c, err := client.New(os.Getenv("CLAIMFLOW_URL"), os.Getenv("CLAIMFLOW_API_KEY"))
	if err != nil {
		return err
	}
	account, err := firstAccount(ctx, c)
	if err != nil {
		return err
	}
	if ticket == "" {
		if ticket, err = newest(ctx, c, account); err != nil {
			return err
		}
	}
	comments := client.ResourceOf[unified.Comment](c, account, client.ModelTicketing, "comments")
	note, err := comments.Create(ctx, map[string]any{
		"ticket":     map[string]string{"id": ticket},
		"body":       "The parcel is on its way: https://tracking.example/" + url.PathEscape(parcel),
		"is_private": true,
	}, "tracking-"+ticket+"-"+parcel) // the same key never adds a second note
	if err != nil {
		return fmt.Errorf("add a note to ticket %s: %w", ticket, err)
	}
	fmt.Printf("ticket %s has the private note %s\n", ticket, note.ID)
	return nil
}

// firstAccount returns the first connected Dixa organization.
func firstAccount(ctx context.Context, c *client.Client) (string, error) {
	for account, err := range c.Accounts(ctx, "") {
		return account.ID, err
	}
	return "", errors.New("no account is connected yet")
}

// newest returns the id of the newest ticket.
func newest(ctx context.Context, c *client.Client, account string) (string, error) {
	tickets := client.ResourceOf[unified.Ticket](c, account, client.ModelTicketing, "tickets")
	page, err := tickets.Page(ctx, url.Values{"limit": {"1"}})
	if err != nil {
		return "", fmt.Errorf("list tickets: %w", err)
	}
	if len(page.Items) == 0 {
		return "", errors.New("there is no ticket yet")
	}
	return page.Items[0].ID, nil
}
