package main

import (
	"context"
	"errors"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/claimflow/claimflow/internal/config"
	"github.com/claimflow/claimflow/internal/process"
)

func (a *app) serveCommand() *cobra.Command {
	return &cobra.Command{
		Use: "serve", Short: "Run the HTTP API",
		Long: "Accepts claims even while Temporal is down: they wait in the store and start when Temporal is available again. " +
			"On an interrupt it finishes the requests in progress and stops. `starter config` lists the configuration variables.",
		Example: "  starter serve\n  CLAIMFLOW_LISTEN=127.0.0.1:9000 CLAIMFLOW_DATABASE_URL=postgres://claimflow@db/claimflow starter serve",
		Args:    arguments(),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			c, err := a.config()
			if err != nil {
				return err
			}
			parts, err := process.Open(cmd.Context(), "starter", version, c)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, parts.Close(context.WithoutCancel(cmd.Context()))) }()
			listener, err := parts.Listen(cmd.Context())
			if err != nil {
				return err
			}
			return parts.Serve(cmd.Context(), listener, version)
		},
	}
}

func (a *app) configCommand() *cobra.Command {
	return &cobra.Command{
		Use: "config", Short: "List every variable with its effective value", Example: "  starter config\n  starter config -o json", Args: arguments(),
		RunE: func(*cobra.Command, []string) error {
			c, err := a.config()
			if err != nil {
				return err
			}
			if a.output == "json" {
				return a.print(append(config.Variables(c), config.Others()...), nil, nil)
			}
			return config.WriteTable(a.out, c)
		},
	}
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Example: "  starter version", Args: arguments(),
		RunE: func(*cobra.Command, []string) error {
			return a.print(map[string]string{"version": version}, nil, func(w *tabwriter.Writer) { say(w, "%s\n", version) })
		},
	}
}
