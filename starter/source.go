package main

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
)

func (a *app) sourceCommand() *cobra.Command {
	return group(&cobra.Command{
		Use: "source", Short: "Manage the data sources of a Dixa organization and read their records",
		Long: "A data source selects what Claimflow stores of a Dixa organization: conversations, messages, activity logs, ratings and the directory, by queue and channel. " +
			"Webhooks keep it up to date; `starter import start` reads what happened before.",
		Example: "  starter source create --shop acme --title \"All email\" --channel Email --from 2025-01-01\n  starter import start --shop acme\n" +
			"  starter source records 7d1e… --shop acme --stream messages -o csv > messages.csv",
	}, a.sourceList(), a.sourceCreate(), a.sourceChange(), a.sourceDelete(), a.sourceRecords())
}

func (a *app) sourceList() *cobra.Command {
	var o organization
	c := &cobra.Command{
		Use: "list", Short: "List the data sources", Example: "  starter source list --shop acme\n  starter source list --connection 0b6a… -o json", Args: arguments(),
		RunE: a.callingIn(&o, func(ctx context.Context, api *client.Client, connection string, _ []string) error {
			sources, err := api.DataSources(ctx, connection)
			return a.print(sources, err, func(w *tabwriter.Writer) {
				line(w, "ID", "TITLE", "STREAMS", "CHANNELS", "QUEUES", "DATE", "FROM", "KEPT")
				for _, d := range sources {
					line(w, d.ID, d.Title, streamsInWords(d), allOr(d.Channels), allOr(d.QueueIDs), cmp.Or(d.Date, claim.DateCreated), d.Since(time.Now()), keptInWords(d))
				}
			})
		}),
	}
	o.flags(c)
	return c
}

func streamsInWords(d claim.DataSource) string {
	names := make([]string, len(d.Streams))
	for i, s := range d.Streams {
		names[i] = string(s)
	}
	return allOr(names)
}

func allOr(list []string) string { return cmp.Or(strings.Join(list, ","), "all") }

func keptInWords(d claim.DataSource) string {
	switch {
	case d.RetentionDays == 0:
		return "always"
	case d.KeepFigures:
		return fmt.Sprintf("%d days, figures always", d.RetentionDays)
	default:
		return fmt.Sprintf("%d days", d.RetentionDays)
	}
}

func (a *app) printSource(d claim.DataSource, err error) error {
	return a.print(d, err, func(w *tabwriter.Writer) {
		line(w, "ID", d.ID)
		line(w, "Title", d.Title)
		line(w, "Streams", streamsInWords(d))
		line(w, "Fields", allOr(d.Fields))
		line(w, "Channels", allOr(d.Channels))
		line(w, "Queues", allOr(d.QueueIDs))
		line(w, "Date", cmp.Or(d.Date, claim.DateCreated))
		line(w, "From", d.Since(time.Now()))
		line(w, "Kept", keptInWords(d))
	})
}

// sourceFlags are the members of a data source on the command line.
type sourceFlags struct {
	claim.DataSource
	streams    []string
	date, from string
}

func (f *sourceFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.Title, "title", "", "the source's name")
	c.Flags().StringSliceVar(&f.streams, "stream", nil, "what to store: conversations, messages, activity_logs, ratings, directory; can be repeated (default: all)")
	c.Flags().StringSliceVar(&f.Fields, "field", nil, "a member that listed records have; can be repeated (default: all)")
	c.Flags().StringSliceVar(&f.Channels, "channel", nil, "only conversations of this channel, such as Email; can be repeated")
	c.Flags().StringSliceVar(&f.QueueIDs, "queue", nil, "only conversations in the queue with this id; can be repeated")
	c.Flags().StringVar(&f.date, "date", "", "the time that places conversations: created, closed, rated or last_activity (default: created)")
	c.Flags().StringVar(&f.from, "from", "", "how far back records are stored: a day, or an age such as 90d (default: a year before the source was created)")
	c.Flags().IntVar(&f.RetentionDays, "keep-days", 0, "days that records stay after their date; 0 keeps them")
	c.Flags().BoolVar(&f.KeepFigures, "keep-figures", false, "keep the figures of conversations whose records were deleted")
}

// apply sets the members of d that the command line specifies.
func (f *sourceFlags) apply(cmd *cobra.Command, d *claim.DataSource) error {
	given := cmd.Flags().Changed
	if given("title") {
		d.Title = f.Title
	}
	if given("stream") {
		d.Streams = nil
		for _, s := range f.streams {
			d.Streams = append(d.Streams, claim.Stream(s))
		}
	}
	if given("field") {
		d.Fields = f.Fields
	}
	if given("channel") {
		d.Channels = f.Channels
	}
	if given("queue") {
		d.QueueIDs = f.QueueIDs
	}
	if given("date") {
		d.Date = claim.RecordDate(f.date)
	}
	if given("from") {
		at, err := instant("from", f.from, time.Now())
		if err != nil {
			return err
		}
		d.From = at
	}
	if given("keep-days") {
		d.RetentionDays = f.RetentionDays
	}
	if given("keep-figures") {
		d.KeepFigures = f.KeepFigures
	}
	return nil
}

func (a *app) sourceCreate() *cobra.Command {
	var o organization
	var f sourceFlags
	c := &cobra.Command{
		Use: "create --title TITLE", Short: "Create a data source",
		Long:    "New records are stored from then on. `starter import start` imports earlier ones.",
		Example: "  starter source create --shop acme --title Everything\n  starter source create --shop acme --title \"Support mail\" --channel Email --queue 3f0f… --from 2025-01-01 --keep-days 730 --keep-figures",
		Args:    arguments(),
	}
	c.RunE = a.callingIn(&o, func(ctx context.Context, api *client.Client, connection string, _ []string) error {
		if f.Title == "" {
			return usage("--title is required, such as --title \"All email\"")
		}
		var d claim.DataSource
		if err := f.apply(c, &d); err != nil {
			return err
		}
		created, err := api.CreateDataSource(ctx, connection, d)
		if err := a.printSource(created, err); err != nil {
			return err
		}
		say(a.err, "import what happened before with `starter import start %s`\n", o.arguments())
		return nil
	})
	o.flags(c)
	f.add(c)
	return c
}

func (a *app) sourceChange() *cobra.Command {
	var o organization
	var f sourceFlags
	c := &cobra.Command{
		Use: "change ID", Short: "Change a data source",
		Long:    "Members that are not specified stay as they are. If the source then selects more, import it; what no source selects any more is deleted later.",
		Example: "  starter source change 7d1e… --shop acme --from 2024-01-01\n  starter source change 7d1e… --shop acme --channel \"\"", Args: arguments("ID"),
	}
	c.RunE = a.callingIn(&o, func(ctx context.Context, api *client.Client, connection string, args []string) error {
		d, err := api.DataSource(ctx, connection, args[0])
		if err != nil {
			return aboutSource(err, o)
		}
		if err := f.apply(c, &d); err != nil {
			return err
		}
		return a.printSource(api.ReplaceDataSource(ctx, connection, d))
	})
	o.flags(c)
	f.add(c)
	return c
}

func aboutSource(err error, o organization) error {
	return aboutPart(err, "list the data sources with `starter source list "+o.arguments()+"`")
}

func (a *app) sourceDelete() *cobra.Command {
	var o organization
	var sure bool
	c := &cobra.Command{
		Use: "delete ID --yes", Short: "Delete a data source and what no other source selects", Example: "  starter source delete 7d1e… --shop acme --yes", Args: arguments("ID"),
		RunE: a.callingIn(&o, func(ctx context.Context, api *client.Client, connection string, args []string) error {
			if !sure {
				return usage("this deletes the records that no other source selects; confirm with --yes")
			}
			err := aboutSource(api.DeleteDataSource(ctx, connection, args[0]), o)
			return a.print(struct{}{}, err, func(w *tabwriter.Writer) { line(w, "deleted "+args[0]) })
		}),
	}
	o.flags(c)
	c.Flags().BoolVar(&sure, "yes", false, "confirm the deletion")
	return c
}
