// Command emulator serves a local emulation of Dixa: the API under /v1 and /beta, the
// Exports API under /exports/v1, stored files under /files, and its own controls under
// /_emulator/.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/claimflow/claimflow/emulator/server"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := command().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "emulator:", err)
		stop()
		os.Exit(1)
	}
}

type settings struct {
	addr         string
	tokens       []string
	organization string
	name         string
	limit        server.Limit
	autoReply    bool
	tagDelay     time.Duration
	data         string
	fill         int
	fillSeed     uint64
	verbose      bool
}

func command() *cobra.Command {
	var set settings
	cmd := &cobra.Command{
		Use:   "emulator",
		Short: "Serve an emulated Dixa API for development and tests",
		Long: `Serve an emulated Dixa API for development and tests.

All state is kept in memory and lost on exit, unless -data names a file to save it
to. Open /_emulator/ in a browser to inspect it. emulator/README.md describes the
controls.`,
		Example: `  # Serve on the default address with the token "demo-token"
  go run ./emulator

  # Another address and token, and no request limit
  go run ./emulator -addr 127.0.0.1:4020 -token my-token -limit off

  # Keep the state across restarts
  go run ./emulator -data dixa.json

  # Start with 20,000 conversations of the past year
  go run ./emulator -fill 20000

  # Query it with curl
  curl -H 'Authorization: demo-token' http://127.0.0.1:4010/v1/organization
  curl http://127.0.0.1:4010/_emulator/stats

  # The next two creates commit, but their responses are lost
  curl http://127.0.0.1:4010/_emulator/faults -d '{"operation":"POST /conversations","kind":"drop-after-commit","times":2}'`,
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return serve(cmd.Context(), set, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&set.addr, "addr", "127.0.0.1:4010", "address to listen on")
	flags.StringSliceVar(&set.tokens, "token", []string{"demo-token"}, "accepted API token; repeat the flag to accept several")
	flags.StringVar(&set.organization, "organization", server.SeedOrganization, "id of the organization")
	flags.StringVar(&set.name, "name", "Demo Shop", "name of the organization")
	flags.StringVar(&set.limit.Reading, "limit", server.LimitBoth, "interpretation of Dixa's request limit: both, bucket, window or off")
	flags.BoolVar(&set.autoReply, "auto-reply", false, "send an automatic reply to new email conversations")
	flags.DurationVar(&set.tagDelay, "tag-delay", 200*time.Millisecond, "delay before a bulk tag takes effect")
	flags.StringVar(&set.data, "data", "", "file to save the state to, every second and on exit")
	flags.IntVar(&set.fill, "fill", 0, "number of conversations to make up, spread over the past year; not if -data already has some")
	flags.Uint64Var(&set.fillSeed, "fill-seed", 1, "seed of the conversations that -fill makes up")
	flags.BoolVar(&set.verbose, "verbose", false, "log every request")
	cmd.AddCommand(playCommand())
	cmd.SetArgs(longFlags(os.Args[1:]))
	return cmd
}

// longFlags rewrites single-dash flags to double-dash ones, so that flags work as in
// Go's own tools.
func longFlags(args []string) []string {
	out := make([]string, len(args))
	for i, arg := range args {
		if len(arg) > 2 && arg[0] == '-' && arg[1] != '-' {
			arg = "-" + arg
		}
		out[i] = arg
	}
	return out
}

// fill makes up the conversations that -fill asks for and reports the progress.
func fill(ctx context.Context, dixa *server.Server, set settings, logs io.Writer) error {
	if set.fill < 0 {
		return fmt.Errorf("flag -fill: the number of conversations must not be negative, got %d", set.fill)
	}
	if set.fill == 0 {
		return nil
	}
	if dixa.Conversations() > 0 {
		_, err := fmt.Fprintf(logs, "Not filled: %s already has conversations.\n", set.data)
		return err
	}
	begun := time.Now()
	reported := begun
	err := dixa.Fill(ctx, server.FillOptions{Conversations: set.fill, Seed: set.fillSeed, Progress: func(done int) {
		if time.Since(reported) >= time.Second {
			reported = time.Now()
			_, _ = fmt.Fprintf(logs, "Made %d of %d conversations\n", done, set.fill) // only informs
		}
	}})
	if err != nil {
		return fmt.Errorf("flag -fill: %w", err)
	}
	_, err = fmt.Fprintf(logs, "Made %d conversations in %s\n", set.fill, time.Since(begun).Round(time.Millisecond))
	return err
}

func serve(ctx context.Context, set settings, out, logs io.Writer) error {
	switches := server.Switches{AutoReply: set.autoReply, BulkTagDelay: server.Duration(set.tagDelay)}
	if reading := (server.Switches{LimitReading: set.limit.Reading}); reading.Validate() != nil {
		return fmt.Errorf("flag -limit: %w", reading.Validate())
	}
	if len(set.tokens) == 0 || set.tokens[0] == "" {
		return errors.New("flag -token: at least one token is required")
	}
	level := slog.LevelInfo
	if set.verbose {
		level = slog.LevelDebug
	}
	dixa := server.New(server.Options{
		Token: set.tokens[0], Tokens: set.tokens[1:],
		OrganizationID: set.organization, OrganizationName: set.name,
		Switches: switches, Limit: set.limit,
		Logger: slog.New(slog.NewTextHandler(logs, &slog.HandlerOptions{Level: level})),
	})
	defer dixa.Close()
	if set.data != "" {
		if err := dixa.LoadFile(set.data); err != nil {
			return err
		}
	}
	if err := fill(ctx, dixa, set, logs); err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", set.addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("listen on %s: the address is already in use; stop the process that uses it or set another address with -addr", set.addr)
	}
	if err != nil {
		return fmt.Errorf("listen on %s: %w", set.addr, err)
	}
	base := "http://" + listener.Addr().String()
	_, err = fmt.Fprintf(out, "Dixa emulator for %s\n  API       %s/v1\n  page      %s/_emulator/\n  stats     %s/_emulator/stats\n  tokens    %d accepted\nStop with Ctrl-C.\n",
		set.name, base, base, base, len(set.tokens))
	if err != nil {
		return fmt.Errorf("print the emulator's address: %w", err)
	}

	web := &http.Server{Handler: dixa, ReadHeaderTimeout: 10 * time.Second}
	failed, kept := make(chan error, 1), make(chan error, 1)
	go func() { failed <- web.Serve(listener) }()
	keeping, stopKeeping := context.WithCancel(context.WithoutCancel(ctx))
	defer stopKeeping()
	if set.data != "" {
		go func() { kept <- dixa.KeepFile(keeping, set.data, time.Second) }()
	} else {
		kept <- nil
	}
	select {
	case err := <-failed:
		return fmt.Errorf("serve on %s: %w", set.addr, err)
	case <-ctx.Done():
	}
	dixa.Close() // ends injected delays, in which requests would hang
	finish, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	err = web.Shutdown(finish)
	if err != nil {
		err = fmt.Errorf("shut down: requests were still in progress after 5s: %w", err)
	}
	stopKeeping() // the last save follows the last request
	return errors.Join(err, <-kept)
}
