// Command worker runs Claimflow's workflows and activities.
//
//	CLAIMFLOW_DATABASE_URL=postgres://… CLAIMFLOW_KEYS=file:/run/keys TEMPORAL_ADDRESS=temporal:7233 worker
//
// Environment variables configure everything; `starter config` lists them. Any
// number of workers may run against the same store and the same Temporal.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/claimflow/claimflow/internal/config"
	"github.com/claimflow/claimflow/internal/process"
)

// version is set by the build.
var version = "development"

const usage = `worker runs Claimflow's workflows and activities until it is stopped.

Environment variables configure it; ` + "`starter config`" + ` lists them.

Examples:
  worker
  CLAIMFLOW_DATABASE_URL=postgres://claimflow@db/claimflow TEMPORAL_ADDRESS=temporal:7233 worker
`

func main() {
	flag.Usage = func() { fmt.Fprint(os.Stderr, usage) }
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "worker:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) (err error) {
	if flag.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q; see worker -help", flag.Arg(0))
	}
	c, err := config.Load()
	if err != nil {
		return err
	}
	parts, err := process.Open(ctx, "worker", version, c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, parts.Close(context.WithoutCancel(ctx))) }()
	stopMetrics, err := parts.ServeMetrics(ctx)
	if err != nil {
		return err
	}
	defer stopMetrics()
	return parts.Work(ctx)
}
