// Command translation adds translations of customers' messages as private notes, as a
// translation product does: for the newest open tickets, one note per message. Running it
// again translates only what is new.
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
	"strconv"
	"strings"

	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/unified"
)

func main() {
	limit := flag.Int("limit", 3, "the `number` of tickets")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *limit); err != nil {
		fmt.Fprintln(os.Stderr, "translation:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, limit int) error {
	c, err := client.New(os.Getenv("CLAIMFLOW_URL"), os.Getenv("CLAIMFLOW_API_KEY"))
	if err != nil {
		return err
	}
	account, err := firstAccount(ctx, c)
	if err != nil {
		return err
	}
	tickets := client.ResourceOf[unified.Ticket](c, account, client.ModelTicketing, "tickets")
	page, err := tickets.Page(ctx, url.Values{"limit": {strconv.Itoa(limit)}, "status": {"open"}})
	if err != nil {
		return fmt.Errorf("list tickets: %w", err)
	}
	for _, ticket := range page.Items {
		if err := translateTicket(ctx, c, account, ticket.ID); err != nil {
			return fmt.Errorf("ticket %s: %w", ticket.ID, err)
		}
	}
	fmt.Printf("looked at %d tickets\n", len(page.Items))
	return nil
}

// firstAccount returns the first connected Dixa organization.
func firstAccount(ctx context.Context, c *client.Client) (string, error) {
	for account, err := range c.Accounts(ctx, "") {
		return account.ID, err
	}
	return "", errors.New("no account is connected yet")
}

// translateTicket adds a note for each message of the customer that has none.
func translateTicket(ctx context.Context, c *client.Client, account, ticket string) error {
	comments := client.ResourceOf[unified.Comment](c, account, client.ModelTicketing, "comments")
	var messages []unified.Comment
	notes := ""
	for comment, err := range comments.List(ctx, url.Values{"ticket_id": {ticket}}) {
		if err != nil {
			return fmt.Errorf("list comments: %w", err)
		}
		switch {
		case comment.Body == nil:
		case comment.IsPrivate:
			notes += *comment.Body + "\n"
		case comment.Author != nil && comment.Author.Type == unified.AuthorContact:
			messages = append(messages, comment)
		}
	}
	for _, m := range messages {
		if strings.Contains(notes, m.ID) {
			continue
		}
		_, err := comments.Create(ctx, map[string]any{
			"ticket": map[string]string{"id": ticket}, "is_private": true,
			"body": "Translation of message " + m.ID + ":\n" + translate(*m.Body),
		}, "translation-"+m.ID)
		if err != nil {
			return fmt.Errorf("add the translation of message %s: %w", m.ID, err)
		}
		fmt.Printf("ticket %s: translated message %s\n", ticket, m.ID)
	}
	return nil
}

// translate stands for the translation.
func translate(text string) string {
	return strings.NewReplacer("Guten Tag", "Hello", "beschädigt", "damaged", "Danke", "Thank you", "Paket", "parcel").Replace(text)
}
