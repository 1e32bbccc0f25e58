// Command starter is Claimflow's HTTP API (`starter serve`) and the command line for
// people and scripts: claims, shops, settings, templates and keys.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/term"
)

// version is set by the build.
var version = "development"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	columns, _, err := term.GetSize(int(os.Stdout.Fd()))
	code := run(ctx, os.Args[1:], &app{
		in: os.Stdin, out: os.Stdout, err: os.Stderr, environ: os.Environ(),
		prompts: term.IsTerminal(int(os.Stdin.Fd())), terminal: err == nil, columns: columns,
	})
	stop()
	os.Exit(code)
}
