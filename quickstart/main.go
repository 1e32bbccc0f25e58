// Command quickstart runs all of Claimflow on one machine and needs only Go:
// Temporal and its UI, an emulated Dixa, the worker and the HTTP API run in one
// process. It connects a demo shop, submits sample claims and shows their progress.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
)

const usage = `quickstart runs all of Claimflow in one process, opens sample claims in an emulated Dixa and simulates
the agents and customers who answer, close and reopen them until they are settled. Beside that it imports
the organization's history and shows key figures.

Usage:
  go run ./quickstart [flags]

Examples:
  go run ./quickstart                    run it and watch; Ctrl-C stops it
  go run ./quickstart -once              run it, print one JSON object and exit 0 if every claim is settled
  go run ./quickstart -data ./data       keep all data across restarts
  go run ./quickstart -only temporal     run only Temporal and its UI, for your own processes

Flags:
`

// options are the command-line flags.
type options struct {
	once, verbose              bool
	data, only                 string
	temporal, ui, dixa, listen string
}

// patience is how long -once waits for its claims, counted from the start.
const patience = 5 * time.Minute

func main() {
	var o options
	flag.BoolVar(&o.once, "once", false, "run the sample claims until they are settled, print the results as JSON and exit")
	flag.StringVar(&o.data, "data", "", "store all data in this `directory` (default: in memory)")
	flag.StringVar(&o.only, "only", "", "run only this part: `temporal`")
	flag.StringVar(&o.temporal, "temporal", "127.0.0.1:7233", "`address` of Temporal")
	flag.StringVar(&o.ui, "ui", "127.0.0.1:8233", "`address` of the Temporal UI")
	flag.StringVar(&o.dixa, "dixa", "127.0.0.1:4010", "`address` of the emulated Dixa")
	flag.StringVar(&o.listen, "listen", "127.0.0.1:8080", "`address` of the HTTP API")
	flag.BoolVar(&o.verbose, "v", false, "log at level info instead of warn")
	flag.Usage = func() {
		fmt.Fprint(os.Stderr, usage)
		flag.PrintDefaults()
	}
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		if _, wrong := errors.AsType[usageError](err); wrong {
			os.Exit(2) // as the flag package does for an unknown flag
		}
		os.Exit(1)
	}
}

// usageError reports wrong command-line usage.
type usageError string

func (e usageError) Error() string { return string(e) }

func run(ctx context.Context, o options) error {
	switch {
	case flag.NArg() > 0:
		return usageError(fmt.Sprintf("unexpected argument %q; see -help", flag.Arg(0)))
	case o.only != "" && o.only != "temporal":
		return usageError(fmt.Sprintf("-only %s: must be temporal", o.only))
	case o.only != "" && o.once:
		return usageError("-only temporal runs no claims and cannot be combined with -once")
	case o.only == "temporal":
		return runEngine(ctx, o)
	case o.once:
		return runOnce(ctx, o)
	default:
		return runLive(ctx, o)
	}
}

// runOnce submits the sample claims, waits for them and prints the report.
func runOnce(ctx context.Context, o options) error {
	began := time.Now()
	ctx, cancel := context.WithDeadlineCause(ctx, began.Add(patience), fmt.Errorf("the sample claims were not settled within %s", patience))
	defer cancel()
	s, err := start(ctx, o)
	if err != nil {
		return err
	}
	s.pace = quick
	failure := s.connectAndSubmit(ctx, s.pace)
	if failure == nil {
		var people errgroup.Group
		people.Go(func() error { return s.play(ctx) })
		people.Go(func() error { return s.importHistory(ctx) })
		failure = people.Wait()
	}
	report, err := s.report(context.WithoutCancel(ctx), time.Since(began))
	if err == nil {
		encoder := json.NewEncoder(os.Stdout)
		encoder.SetIndent("", "  ")
		err = encoder.Encode(report)
	}
	return errors.Join(failure, err, s.stop())
}

// runLive shows the claims until it is stopped.
func runLive(ctx context.Context, o options) error {
	say("Starting Temporal, an emulated Dixa, the worker and the HTTP API …")
	s, err := start(ctx, o)
	if err != nil {
		return err
	}
	s.pace = watching
	err = s.connectAndSubmit(ctx, s.pace)
	if err == nil {
		err = s.createVisitorKey(ctx)
	}
	if err == nil {
		err = s.playAndShow(ctx)
	}
	if ctx.Err() != nil {
		err = nil // a person stopped it, which is not a failure
	}
	say("\nStopping …")
	return errors.Join(err, s.stop())
}

// playAndShow shows the claims while people act on them, and then until it is
// stopped.
func (s *stack) playAndShow(ctx context.Context) error {
	playing, stop := context.WithCancel(ctx)
	played := make(chan error, 1)
	go func() { played <- s.play(playing) }()
	imported := make(chan struct{})
	go func() {
		defer close(imported)
		_ = s.importHistory(playing) // the view shows a failure
	}()
	err := s.show(ctx, os.Stdout)
	stop()
	<-imported
	if e := <-played; ctx.Err() == nil {
		err = errors.Join(err, e)
	}
	return err
}

// say prints a line to the terminal. It ignores errors, because nobody reads a
// closed terminal.
func say(text string) { _, _ = fmt.Fprintln(os.Stdout, text) }
