// Command staffing prints what a workforce planning product needs from Dixa: how many
// tickets arrive in each hour of the week, and which agents work in which team.
//
// It needs CLAIMFLOW_URL and CLAIMFLOW_API_KEY, with a key that has the scope
// unified:read.
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
	"text/tabwriter"
	"time"

	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/unified"
)

func main() {
	days := flag.Int("days", 28, "the `number` of days to count")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *days); err != nil {
		fmt.Fprintln(os.Stderr, "staffing:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, days int) error {
	c, err := client.New(os.Getenv("CLAIMFLOW_URL"), os.Getenv("CLAIMFLOW_API_KEY"))
	if err != nil {
		return err
	}
	account, err := firstAccount(ctx, c)
	if err != nil {
		return err
	}
	if err := arrivals(ctx, c, account, time.Now().AddDate(0, 0, -days)); err != nil {
		return err
	}
	fmt.Println()
	return people(ctx, c, account)
}

// firstAccount returns the first connected Dixa organization.
func firstAccount(ctx context.Context, c *client.Client) (string, error) {
	for account, err := range c.Accounts(ctx, "") {
		return account.ID, err
	}
	return "", errors.New("no account is connected yet")
}

// arrivals prints the number of new tickets by hour and day of the week.
func arrivals(ctx context.Context, c *client.Client, account string, since time.Time) error {
	var counts [7][24]int
	tickets := client.ResourceOf[unified.Ticket](c, account, client.ModelTicketing, "tickets")
	q := url.Values{"created_at[gte]": {since.UTC().Format(time.RFC3339)}, "limit": {"500"}, "truto_ignore_remote_data": {"true"}}
	for ticket, err := range tickets.List(ctx, q) {
		if err != nil {
			return fmt.Errorf("list tickets: %w", err)
		}
		if at := ticket.CreatedAt; at != nil {
			local := at.Local()
			counts[local.Weekday()][local.Hour()]++
		}
	}
	var table strings.Builder
	table.WriteString("HOUR\t")
	for day := range 7 {
		table.WriteString(strings.ToUpper(time.Weekday(day).String()[:3]) + "\t")
	}
	for hour := range 24 {
		fmt.Fprintf(&table, "\n%02d\t", hour)
		for day := range 7 {
			fmt.Fprintf(&table, "%d\t", counts[day][hour])
		}
	}
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	if _, err := out.Write([]byte(table.String() + "\n")); err != nil {
		return err
	}
	return out.Flush()
}

// people prints the teams and who works in them.
func people(ctx context.Context, c *client.Client, account string) error {
	members := map[string][]string{}
	users := client.ResourceOf[unified.User](c, account, client.ModelUserDirectory, "users")
	for user, err := range users.List(ctx, nil) {
		if err != nil {
			return fmt.Errorf("list users: %w", err)
		}
		for _, group := range user.Groups {
			if user.IsActive && user.Name != nil {
				members[group.ID] = append(members[group.ID], *user.Name)
			}
		}
	}
	teams := client.ResourceOf[unified.Team](c, account, client.ModelTicketing, "teams")
	for team, err := range teams.List(ctx, nil) {
		if err != nil {
			return fmt.Errorf("list teams: %w", err)
		}
		if team.Name != nil {
			slices.Sort(members[team.ID])
			fmt.Printf("%s: %s\n", *team.Name, strings.Join(members[team.ID], ", "))
		}
	}
	return nil
}
