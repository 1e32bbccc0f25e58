package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
)

func (a *app) importCommand() *cobra.Command {
	return group(&cobra.Command{
		Use: "import", Short: "Import what happened in a Dixa organization",
		Long: "An import reads what the data sources select and Claimflow does not have, newest first. It continues if a worker is restarted, and claims come first. " +
			"Without an import id, the commands act on the newest import.",
		Example: "  starter import start --shop acme --watch\n  starter import pause --shop acme\n  starter import token --shop acme --token-file exports.txt",
	}, a.importStart(), a.importWatch(), a.importList(), a.importShow(),
		a.importMove("pause", "Pause an import", (*client.Client).PauseImport),
		a.importMove("resume", "Resume a paused import", (*client.Client).ResumeImport),
		a.importMove("cancel", "Cancel an import; what it stored stays", (*client.Client).CancelImport),
		a.importRetry(), a.importToken())
}

func (a *app) importStart() *cobra.Command {
	var o organization
	var r claim.ImportRequest
	var streams []string
	var from, to string
	var watch bool
	c := &cobra.Command{
		Use: "start", Short: "Start an import of what is missing",
		Long:    "If an import is running or paused, no other one is started.",
		Example: "  starter import start --shop acme --watch\n  starter import start --shop acme --stream messages --from 2025-01-01 --to 2025-02-01", Args: arguments(),
	}
	c.RunE = a.callingIn(&o, func(ctx context.Context, api *client.Client, connection string, _ []string) error {
		var err error
		now := time.Now()
		if r.From, err = instant("from", from, now); err != nil {
			return err
		}
		if r.To, err = instant("to", to, now); err != nil {
			return err
		}
		for _, s := range streams {
			r.Streams = append(r.Streams, claim.Stream(s))
		}
		return a.startImport(ctx, api, connection, o, r, watch)
	})
	o.flags(c)
	c.Flags().StringSliceVar(&streams, "stream", nil, "only this stream: conversations, messages, activity_logs, ratings or directory; can be repeated")
	c.Flags().StringVar(&from, "from", "", "read this period again, since a time, day or age such as 30d (default: what is missing)")
	c.Flags().StringVar(&to, "to", "", "the end of the period (default: now)")
	c.Flags().BoolVar(&watch, "watch", false, "watch the import until it ends")
	return c
}

func (a *app) importRetry() *cobra.Command {
	var o organization
	var watch bool
	c := &cobra.Command{
		Use: "retry", Short: "Read the periods again that failed for good",
		Example: "  starter import retry --shop acme --watch", Args: arguments(),
		RunE: a.callingIn(&o, func(ctx context.Context, api *client.Client, connection string, _ []string) error {
			return a.startImport(ctx, api, connection, o, claim.ImportRequest{Retry: true}, watch)
		}),
	}
	o.flags(c)
	c.Flags().BoolVar(&watch, "watch", false, "watch the import until it ends")
	return c
}

func (a *app) startImport(ctx context.Context, api *client.Client, connection string, o organization, r claim.ImportRequest, watch bool) error {
	started, err := api.StartImport(ctx, connection, r)
	if client.HasCode(err, client.CodeConflict) {
		return &nextError{err, "create a data source with `starter source create " + o.arguments() + " --title …`"}
	}
	if err != nil {
		return err
	}
	if watch {
		if started.Import != nil {
			say(a.err, "an import is %s already; no other one was started\n", started.State)
			return a.watchImport(ctx, api, connection, started.Import.ID, o)
		}
		i, err := awaitImport(ctx, api, connection, started.LastID)
		if errors.Is(err, context.Canceled) {
			a.stoppedWatching(o)
			return nil
		}
		if err != nil {
			return err
		}
		return a.watchImport(ctx, api, connection, i.ID, o)
	}
	return a.print(started, nil, func(w *tabwriter.Writer) {
		if started.Import != nil {
			say(w, "an import is %s already; no other one was started\n", started.State)
		} else {
			say(w, "an import is starting\n")
		}
		say(w, "watch it with `starter import watch %s`\n", o.arguments())
	})
}

// importBegins is how long a requested import may take to appear.
const importBegins = time.Minute

// awaitImport waits for the import that follows the one with an id.
func awaitImport(ctx context.Context, api *client.Client, connection, lastID string) (claim.Import, error) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	late := time.After(importBegins)
	for {
		imports, err := api.Imports(ctx, connection, 1)
		if err != nil {
			return claim.Import{}, err
		}
		if len(imports) > 0 && imports[0].ID != lastID {
			return imports[0], nil
		}
		select {
		case <-ctx.Done():
			return claim.Import{}, ctx.Err()
		case <-late:
			return claim.Import{}, fmt.Errorf("the import has not begun within %s; is a worker running?", importBegins)
		case <-tick.C:
		}
	}
}

// newest returns the import with the given id, or the newest one.
func (a *app) newestImport(ctx context.Context, api *client.Client, connection string, o organization, args []string) (string, error) {
	if len(args) > 0 {
		return args[0], nil
	}
	imports, err := api.Imports(ctx, connection, 1)
	if err != nil {
		return "", err
	}
	if len(imports) == 0 {
		return "", fmt.Errorf("there is no import yet; start one with `starter import start %s`", o.arguments())
	}
	return imports[0].ID, nil
}

func aboutImport(err error, o organization) error {
	return aboutPart(err, "list the imports with `starter import list "+o.arguments()+"`")
}

// optional validates that a command has at most one argument.
func optional(name string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) > 1 {
			return usage("`%s` takes at most %s, but got %d arguments; see `%[1]s --help`", c.CommandPath(), name, len(args))
		}
		return nil
	}
}

func (a *app) importList() *cobra.Command {
	var o organization
	var limit int
	c := &cobra.Command{
		Use: "list", Short: "List imports, newest first", Example: "  starter import list --shop acme", Args: arguments(),
		RunE: a.callingIn(&o, func(ctx context.Context, api *client.Client, connection string, _ []string) error {
			if limit < 1 {
				return usage("--limit %d: must be at least 1", limit)
			}
			imports, err := api.Imports(ctx, connection, limit)
			return a.print(imports, err, func(w *tabwriter.Writer) {
				line(w, "ID", "STATE", "STARTED", "FINISHED", "WINDOWS", "PARKED", "READ", "ADDED", "CHANGED", "CAUSE", "WHY")
				for _, i := range imports {
					line(w, i.ID, i.State, i.StartedAt, i.FinishedAt, fmt.Sprintf("%d/%d", i.WindowsDone, i.WindowsTotal), i.WindowsParked, i.Read, i.Added, i.Changed, i.Cause, i.Why)
				}
			})
		}),
	}
	o.flags(c)
	c.Flags().IntVar(&limit, "limit", 20, "maximum number of imports to list")
	return c
}

func (a *app) importShow() *cobra.Command {
	var o organization
	c := &cobra.Command{
		Use: "show [ID]", Short: "Show an import and its windows", Example: "  starter import show --shop acme\n  starter import show 91c2… --shop acme -o json", Args: optional("ID"),
		RunE: a.callingIn(&o, func(ctx context.Context, api *client.Client, connection string, args []string) error {
			id, err := a.newestImport(ctx, api, connection, o, args)
			if err != nil {
				return err
			}
			i, err := api.Import(ctx, connection, id)
			return a.printImport(i, aboutImport(err, o))
		}),
	}
	o.flags(c)
	return c
}

func (a *app) printImport(i claim.Import, err error) error {
	return a.print(i, err, func(w *tabwriter.Writer) {
		importLines(w, i)
		if len(i.Windows) == 0 {
			return
		}
		say(w, "\n")
		line(w, "STREAM", "FROM", "TO", "STATE", "READ", "ADDED", "CHANGED", "EXCLUDED", "REJECTED", "WHY")
		for _, v := range i.Windows {
			line(w, v.Stream, v.From, v.To, v.State, v.Read, v.Added, v.Changed, v.Excluded, v.Rejected, v.Why)
		}
		for _, v := range i.Windows {
			places := make([]int, 0, len(v.Rejects))
			for place := range v.Rejects {
				places = append(places, place)
			}
			slices.Sort(places)
			for _, place := range places {
				say(w, "rejected: %s, row %d: %s\n", v.Stream, place, cell(v.Rejects[place]))
			}
		}
	})
}

func importLines(w *tabwriter.Writer, i claim.Import) {
	line(w, "Import", i.ID)
	line(w, "State", i.State)
	line(w, "Reads", i.Access)
	if i.Why != "" {
		line(w, "Note", i.Why)
	}
	line(w, "Started", i.StartedAt)
	line(w, "Finished", i.FinishedAt)
	line(w, "Windows", fmt.Sprintf("%d of %d done, %d parked", i.WindowsDone, i.WindowsTotal, i.WindowsParked))
	line(w, "Rows read", i.Read)
	line(w, "Rows added", i.Added)
	line(w, "Rows changed", i.Changed)
	line(w, "Rows excluded", i.Excluded)
	line(w, "Rows rejected", i.Rejected)
	line(w, "Requests to Dixa", i.Requests)
	line(w, "Rows per second", fmt.Sprintf("%.0f", i.RowsPerSecond))
}

// importMove returns a command that changes the state of an import.
func (a *app) importMove(verb, short string, do func(*client.Client, context.Context, string, string) (claim.Import, error)) *cobra.Command {
	var o organization
	c := &cobra.Command{
		Use: verb + " [ID]", Short: short, Example: "  starter import " + verb + " --shop acme", Args: optional("ID"),
		RunE: a.callingIn(&o, func(ctx context.Context, api *client.Client, connection string, args []string) error {
			id, err := a.newestImport(ctx, api, connection, o, args)
			if err != nil {
				return err
			}
			i, err := do(api, ctx, connection, id)
			return a.print(i, aboutImport(err, o), func(w *tabwriter.Writer) { importLines(w, i) })
		}),
	}
	o.flags(c)
	return c
}

func (a *app) importToken() *cobra.Command {
	var o organization
	var file string
	var show, remove bool
	c := &cobra.Command{
		Use: "token", Short: "Save a token for Dixa's exports, for organizations whose exports need one of their own",
		Long:    "The command reads the token from --token-file or the standard input, or prompts for it without echo. It is only ever shown in masked form.",
		Example: "  starter import token --shop acme\n  starter import token --shop acme --token-file exports.txt\n  starter import token --shop acme --show\n  starter import token --shop acme --remove", Args: arguments(),
		RunE: a.callingIn(&o, func(ctx context.Context, api *client.Client, connection string, _ []string) error {
			if show && remove || (show || remove) && file != "" {
				return usage("use only one of --token-file, --show and --remove")
			}
			var saved client.ExportsToken
			var err error
			switch {
			case show:
				saved, err = api.ExportsToken(ctx, connection)
			case remove:
				err = api.RemoveExportsToken(ctx, connection)
			default:
				token, problem := a.required(file, "Dixa exports token", "a token is required: use --token-file or the standard input")
				if problem != nil {
					return problem
				}
				saved, err = api.SaveExportsToken(ctx, connection, token)
			}
			return a.print(saved, err, func(w *tabwriter.Writer) {
				if saved.Preview == "" {
					say(w, "the shop's own token reads the exports\n")
					return
				}
				line(w, "Exports token", saved.Preview)
			})
		}),
	}
	o.flags(c)
	c.Flags().StringVar(&file, "token-file", "", "the file with the token; - for the standard input")
	c.Flags().BoolVar(&show, "show", false, "show the saved token in masked form")
	c.Flags().BoolVar(&remove, "remove", false, "remove the token; the shop's own reads the exports")
	return c
}
