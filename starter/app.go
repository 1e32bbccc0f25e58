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

// app is what every command works with. Nothing else of the process is touched,
// so that tests run commands side by side.
type app struct {
	in       io.Reader
	out, err io.Writer
	environ  []string
	// prompts says that a person can be asked on in.
	prompts bool
	// output is how results are printed: "table" or "json".
	output string
}

// The exit codes, for scripts.
const (
	exitOK          = 0
	exitFailed      = 1 // something failed, or a check did
	exitUsage       = 2 // the command was given wrongly
	exitRefused     = 3 // the service refused it: 4xx
	exitUnavailable = 4 // no usable answer: try again
)

const about = `starter is Claimflow's HTTP API and command line.

"starter serve" runs the API. Every other command but "key", "keys" and "config"
talks to a running one: CLAIMFLOW_URL says where it is and CLAIMFLOW_API_KEY who
asks. "starter key create" makes the first key.

Exit codes: 0 done, 1 failed, 2 used wrongly, 3 refused, 4 no answer (try again).`

// run runs one command and returns the exit code.
func run(ctx context.Context, args []string, a *app) int {
	root := &cobra.Command{
		Use: "starter", Short: "Claimflow's HTTP API and command line", Long: about,
		SilenceErrors: true, SilenceUsage: true, Version: version,
		PersistentPreRunE: func(*cobra.Command, []string) error {
			if a.output != "table" && a.output != "json" {
				return usage("-o %s: the output is table or json", a.output)
			}
			return nil
		},
	}
	root.SetVersionTemplate("{{.Version}}\n")
	root.PersistentFlags().StringVarP(&a.output, "output", "o", "table", "how results are printed: table or json")
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usage("%s; see `%s --help`", err, c.CommandPath())
	})
	group(root, a.serveCommand(), a.claimCommand(), a.shopCommand(), a.applyCommand(), a.templateCommand(),
		a.keyCommand(), a.keysCommand(), a.configCommand(), a.versionCommand())
	root.Args = cobra.ArbitraryArgs
	root.SetArgs(args)
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	if !errors.Is(err, errSaid) {
		say(a.err, "starter: %s\n", explain(err))
	}
	return codeOf(err)
}

// errSaid ends a command whose output says already what failed.
var errSaid = errors.New("a check failed")

// usageError says that a command was given wrongly.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

func usage(format string, args ...any) error { return &usageError{fmt.Sprintf(format, args...)} }

// group is a command that only has further commands.
func group(c *cobra.Command, commands ...*cobra.Command) *cobra.Command {
	c.AddCommand(commands...)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return usage("`%s` has no command %q; see `%[1]s --help`", cmd.CommandPath(), args[0])
		}
		return cmd.Help()
	}
	return c
}

// arguments checks a command's arguments by name.
func arguments(names ...string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) == len(names) {
			return nil
		}
		want := "no arguments"
		if len(names) > 0 {
			want = strings.Join(names, " ")
		}
		return usage("`%s` takes %s, and was given %d arguments; see `%[1]s --help`", c.CommandPath(), want, len(args))
	}
}

// nextSteps says what to do about a refusal.
var nextSteps = map[string]string{
	client.CodeUnauthorized: "set CLAIMFLOW_API_KEY to a key that `starter key create` made",
	client.CodeForbidden:    "use a key with that scope: `starter key create --scope …`",
	client.CodeNotFound:     "`starter shop list` and `starter claim list` show what there is",
	client.CodeInvalid:      "correct this and run the command again",
	client.CodeDiffers:      "send a changed claim under an id of its own",
	client.CodeTooLarge:     "leave out what is not needed; photos go by address",
	client.CodeUnavailable:  "try again in a moment",
}

// explain is the error in words that end with the next step.
func explain(err error) string {
	var e *client.Error
	if !errors.As(err, &e) {
		return err.Error()
	}
	text := strings.TrimSuffix(err.Error(), ".")
	if next := nextSteps[e.Code]; next != "" {
		text += ".\nNext: " + next
	}
	if e.Instance != "" && e.Status >= 500 {
		text += " (request " + e.Instance + ")"
	}
	return text + "."
}

func codeOf(err error) int {
	var wrong *usageError
	var refused *client.Error
	switch {
	case errors.As(err, &wrong):
		return exitUsage
	case errors.As(err, &refused) && refused.Status < 500:
		return exitRefused
	case errors.As(err, &refused), errors.Is(err, client.ErrNoAnswer):
		return exitUnavailable
	default:
		return exitFailed
	}
}

func (a *app) config() (config.Config, error) { return config.LoadFrom(a.environ) }

// api is a client of the configured service.
func (a *app) api() (*client.Client, error) {
	c, err := a.config()
	if err != nil {
		return nil, err
	}
	return client.New(c.URL, c.APIKey.Reveal(), client.WithUserAgent("starter/"+version), client.WithRetries(10*time.Second, 300*time.Millisecond))
}

// withStore runs f on the configured store.
func (a *app) withStore(ctx context.Context, f func(*store.Store) error) error {
	c, err := a.config()
	if err != nil {
		return err
	}
	if c.Keys == "" {
		return errors.New("CLAIMFLOW_KEYS is not set, so the store cannot be opened; `starter keys new` makes keys for a new store")
	}
	keys, err := seal.Parse(c.Keys.Reveal())
	if err != nil {
		return fmt.Errorf("CLAIMFLOW_KEYS: %w", err)
	}
	s, err := store.Open(ctx, c.DatabaseURL, keys)
	if err != nil {
		return err
	}
	return errors.Join(f(s), s.Close())
}

// env is a variable of the environment.
func (a *app) env(name string) string {
	for _, entry := range a.environ {
		if value, ok := strings.CutPrefix(entry, name+"="); ok {
			return value
		}
	}
	return ""
}
