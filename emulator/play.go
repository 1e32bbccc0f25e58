package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/claimflow/claimflow/emulator/server"
)

// playTimeout bounds the request to the emulator.
const playTimeout = 30 * time.Second

func playCommand() *cobra.Command {
	var at string
	var customer bool
	step := server.Step{}
	cmd := &cobra.Command{
		Use:   "play ACTION [TEXT]",
		Short: "Act as an agent or the customer in a running emulator",
		Long: `Act in a conversation of a running emulator, as people do in Dixa: claim, reply,
note, tag, untag, pending, close, reopen and the other actions of POST /_emulator/play.
TEXT is the text of a reply or note, or the name of a tag.`,
		Example: `  go run ./emulator play reply "We'll send you a new one."
  go run ./emulator play tag claim-accepted
  go run ./emulator play close
  go run ./emulator play -customer reply "Thank you"`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			step.Action = args[0]
			if len(args) > 1 {
				step.Text, step.Tag = args[1], args[1]
			}
			return play(cmd.Context(), cmd.OutOrStdout(), at, customer, step)
		},
	}
	cmd.Flags().StringVar(&at, "at", "http://127.0.0.1:4010", "address of the emulator")
	cmd.Flags().BoolVar(&customer, "customer", false, "act as the customer instead of an agent")
	cmd.Flags().Int64Var(&step.Conversation, "conversation", 0, "id of the conversation; 0 means the newest")
	return cmd
}

func play(ctx context.Context, out io.Writer, at string, customer bool, step server.Step) error {
	actor := "agent"
	if customer {
		actor = "customer"
	}
	type acted struct {
		Actor string `json:"actor"`
		server.Step
	}
	body, err := json.Marshal(map[string]any{"steps": []acted{{actor, step}}})
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimRight(at, "/")+"/_emulator/play", bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("flag -at: %w", err)
	}
	answer, err := (&http.Client{Timeout: playTimeout}).Do(r)
	if err != nil {
		return fmt.Errorf("connect to the emulator: %w; start it with `go run ./emulator`, or set its address with -at", err)
	}
	defer func() { _ = answer.Body.Close() }()
	said, err := io.ReadAll(io.LimitReader(answer.Body, 1<<16))
	if err != nil {
		return fmt.Errorf("read the emulator's response: %w", err)
	}
	if answer.StatusCode >= http.StatusBadRequest {
		return fmt.Errorf("the emulator rejected the action (%d): %s", answer.StatusCode, strings.TrimSpace(string(said)))
	}
	_, err = fmt.Fprintf(out, "%s: done as the %s\n", step.Action, actor)
	return err
}
