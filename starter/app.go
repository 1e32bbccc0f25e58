package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/internal/config"
	"github.com/claimflow/claimflow/internal/seal"
	"github.com/claimflow/claimflow/store"
)

// app is the environment of every command. Commands touch nothing else of the
// process, so that tests can run them side by side.
type app struct {
	in       io.Reader
	out, err io.Writer
	environ  []string
	// prompts reports whether in can prompt a person.
	prompts bool
	// inputWait is how long to wait for piped input when CLAIMFLOW_DIXA_TOKEN is
	// set; 0 means one second.
	inputWait time.Duration
	// terminal reports whether out is a terminal, and columns is its width; 0 if
	// unknown.
	terminal bool
	columns  int
	// output is the format of results: "table" or "json", and "csv" for commands that
	// have it.
	output string
}

const about = `starter is Claimflow's HTTP API and command line.

"starter serve" runs the API. "api-key", "keyring" and "config" work without a running
API. Every other command calls the API at CLAIMFLOW_URL and authenticates with
CLAIMFLOW_API_KEY. "starter api-key create" creates the first key.

With -o json, errors are also JSON, on standard error: code, status,
detail, errors, instance, next.

Exit codes: 0 success, 1 failure, 2 usage error, 3 request refused, 4 no response (retry).`

// run runs one command and returns the exit code.
func run(ctx context.Context, args []string, a *app) int {
	root := &cobra.Command{
		Use: "starter", Short: "Claimflow's HTTP API and command line", Long: about,
		SilenceErrors: true, SilenceUsage: true, Version: version,
		PersistentPreRunE: func(c *cobra.Command, _ []string) error { return checkOutput(c, a.output) },
	}
	root.SetVersionTemplate("{{.Version}}\n")
	root.PersistentFlags().StringVarP(&a.output, "output", "o", "table", "output format: table or json; for some commands also csv")
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usage("%s; see `%s --help`", err, c.CommandPath())
	})
	group(root, a.serveCommand(), a.claimCommand(), a.customerCommand(), a.shopCommand(), a.applyCommand(), a.templateCommand(), a.endpointCommand(), a.karlaSecretCommand(),
		a.sourceCommand(), a.importCommand(), a.kpiCommand(), a.accountCommand(), a.unifiedCommand(), a.portalCommand(),
		a.apiKeyCommand(), a.keyringCommand(), renamed("key", a.apiKeyCommand()), renamed("keys", a.keyringCommand()), a.configCommand(), a.versionCommand())
	root.Args = cobra.ArbitraryArgs
	root.SetArgs(args)
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	if a.output == "table" && wantsJSON(args) {
		a.output = "json" // parsing failed before it reached -o
	}
	if !errors.Is(err, errReported) {
		a.complain(err)
	}
	return codeOf(err)
}

// printsCSV marks a command that can print CSV.
var printsCSV = map[string]string{"output": "csv"}

func checkOutput(c *cobra.Command, output string) error {
	csv := c.Annotations["output"] == "csv"
	switch {
	case output == "table", output == "json", output == "csv" && csv:
		return nil
	case output == "csv":
		return usage("-o csv: must be table or json; only `starter source records` and `starter kpi show` print CSV with -o csv")
	case csv:
		return usage("-o %s: must be table, json or csv", output)
	default:
		return usage("-o %s: must be table or json", output)
	}
}

// errReported ends a command whose output already says what failed.
var errReported = errors.New("a check failed")

// usageError reports wrong command-line usage.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

func usage(format string, args ...any) error { return &usageError{fmt.Sprintf(format, args...)} }

// group makes c a command that only has subcommands.
func group(c *cobra.Command, commands ...*cobra.Command) *cobra.Command {
	c.AddCommand(commands...)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return usage("unknown command %q for `%s`; see `%[2]s --help`", args[0], cmd.CommandPath())
		}
		return cmd.Help()
	}
	return c
}

// renamed keeps a command available, hidden, under its former name.
func renamed(old string, c *cobra.Command) *cobra.Command {
	c.Use, c.Hidden = old, true
	return c
}

// arguments validates a command's arguments by name.
func arguments(names ...string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) == len(names) {
			return nil
		}
		want := "no arguments"
		if len(names) > 0 {
			want = strings.Join(names, " ")
		}
		return usage("`%s` takes %s, but got %d arguments; see `%[1]s --help`", c.CommandPath(), want, len(args))
	}
}

func (a *app) config() (config.Config, error) { return config.LoadFrom(a.environ) }

// api returns a client of the configured service.
func (a *app) api() (*client.Client, error) {
	c, err := a.config()
	if err != nil {
		return nil, err
	}
	api, err := client.New(c.URL, c.APIKey.Reveal(), client.WithUserAgent("starter/"+version), client.WithRetries(10*time.Second, 300*time.Millisecond))
	if err != nil {
		return nil, fmt.Errorf("CLAIMFLOW_URL: %w", err)
	}
	return api, nil
}

// calling runs a command that calls the service: it creates the client first.
func (a *app) calling(run func(ctx context.Context, api *client.Client, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		api, err := a.api()
		if err != nil {
			return err
		}
		return run(cmd.Context(), api, args)
	}
}

// place says whether a command is about something of a shop or of the platform.
type place struct {
	shop     string
	platform bool
}

func (p *place) flags(c *cobra.Command, ofShop, ofPlatform string) {
	c.Flags().StringVar(&p.shop, "shop", "", ofShop)
	c.Flags().BoolVar(&p.platform, "platform", false, ofPlatform)
}

// callingFor is calling for a command that needs a place.
func (a *app) callingFor(p *place, run func(ctx context.Context, api *client.Client, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		if (p.shop == "") == !p.platform {
			return usage("specify --shop SHOP, or --platform for all shops")
		}
		return a.calling(run)(cmd, args)
	}
}

// storing runs a command on the configured store.
func (a *app) storing(run func(ctx context.Context, s *store.Store, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		c, err := a.config()
		if err != nil {
			return err
		}
		if c.Keys == "" {
			return errors.New("CLAIMFLOW_KEYS is not set, so the store cannot be opened; `starter keyring new` creates a keyring for a new store")
		}
		keys, err := seal.Parse(c.Keys.Reveal())
		if err != nil {
			return fmt.Errorf("CLAIMFLOW_KEYS: %w", err)
		}
		s, err := store.Open(cmd.Context(), c.DatabaseURL, keys)
		if err != nil {
			return err
		}
		return errors.Join(run(cmd.Context(), s, args), s.Close())
	}
}

// env returns the value of an environment variable.
func (a *app) env(name string) string {
	for _, entry := range a.environ {
		if value, ok := strings.CutPrefix(entry, name+"="); ok {
			return value
		}
	}
	return ""
}
