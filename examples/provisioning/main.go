// Command provisioning makes the agents of a list exist in Dixa, as an identity product
// does: it creates those who are missing and puts them into their team. With -remove it
// takes the rights of those who are on the list away again.
//
// Each line of the standard input is an address, a name and a team, separated by commas.
// It needs CLAIMFLOW_URL and CLAIMFLOW_API_KEY, with a key that has the scopes
// unified:read, unified:write and directory:write.
package main

import (
	"context"
	"encoding/csv"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"

	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/unified"
)

func main() {
	remove := flag.Bool("remove", false, "take the rights away instead")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Stdin, *remove); err != nil {
		fmt.Fprintln(os.Stderr, "provisioning:", err)
		os.Exit(1)
	}
}

// directory is what Dixa has, by address and by name.
type directory struct {
	users   client.Resource[unified.User]
	byEmail map[string]unified.User
	teams   map[string]string
}

func run(ctx context.Context, list io.Reader, remove bool) error {
	c, err := client.New(os.Getenv("CLAIMFLOW_URL"), os.Getenv("CLAIMFLOW_API_KEY"))
	if err != nil {
		return err
	}
	reader := csv.NewReader(list)
	reader.FieldsPerRecord, reader.TrimLeadingSpace = 3, true
	lines, err := reader.ReadAll()
	if err != nil {
		return fmt.Errorf("read the list: %w", err)
	}
	d, err := load(ctx, c)
	if err != nil {
		return err
	}
	for _, line := range lines {
		step := d.provide
		if remove {
			step = d.remove
		}
		if err := step(ctx, line[0], line[1], line[2]); err != nil {
			return fmt.Errorf("%s: %w", line[0], err)
		}
	}
	return nil
}

func load(ctx context.Context, c *client.Client) (*directory, error) {
	account := ""
	for a, err := range c.Accounts(ctx, "") {
		if err != nil {
			return nil, err
		}
		account = a.ID
		break
	}
	if account == "" {
		return nil, errors.New("no account is connected yet")
	}
	d := &directory{
		users:   client.ResourceOf[unified.User](c, account, client.ModelUserDirectory, "users"),
		byEmail: map[string]unified.User{}, teams: map[string]string{},
	}
	for user, err := range d.users.List(ctx, nil) {
		if err != nil {
			return nil, fmt.Errorf("list users: %w", err)
		}
		for _, e := range user.Emails {
			d.byEmail[strings.ToLower(e.Email)] = user
		}
	}
	for team, err := range client.ResourceOf[unified.Team](c, account, client.ModelTicketing, "teams").List(ctx, nil) {
		if err != nil {
			return nil, fmt.Errorf("list teams: %w", err)
		}
		if team.Name != nil {
			d.teams[*team.Name] = team.ID
		}
	}
	return d, nil
}

// provide creates an agent, or activates and moves the one with the address.
func (d *directory) provide(ctx context.Context, email, name, team string) error {
	id, ok := d.teams[team]
	if !ok {
		return fmt.Errorf("there is no team %q", team)
	}
	user, known := d.byEmail[strings.ToLower(email)]
	var err error
	if known {
		user, err = d.users.Update(ctx, user.ID, map[string]any{"is_active": true, "team_ids": []string{id}}, "")
	} else {
		user, err = d.users.Create(ctx, map[string]any{"name": name, "emails": []string{email}, "team_ids": []string{id}}, "")
	}
	if err == nil {
		fmt.Printf("%s is agent %s of team %s\n", email, user.ID, team)
	}
	return err
}

// remove takes an agent's rights away.
func (d *directory) remove(ctx context.Context, email, _, _ string) error {
	user, known := d.byEmail[strings.ToLower(email)]
	if known && user.IsActive {
		if err := d.users.Delete(ctx, user.ID, ""); err != nil {
			return err
		}
	}
	fmt.Printf("%s is no agent\n", email)
	return nil
}
