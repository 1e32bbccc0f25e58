package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"math"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
)

// asCommand makes the test binary act as the quickstart, so that its exit code and
// output are tested, too.
const asCommand = "CLAIMFLOW_QUICKSTART_AS_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		dixaPace = 150 * time.Millisecond // 500 ms more than the second: the machine also runs other tests
		main()
		return
	}
	os.Exit(m.Run())
}

// free are flags that avoid conflicts with anything on the machine.
var free = []string{"-temporal", "127.0.0.1:0", "-ui", "127.0.0.1:0", "-dixa", "127.0.0.1:0", "-listen", "127.0.0.1:0"}

// quickstart returns the command with arguments. It is killed after ten minutes.
func quickstart(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = append(os.Environ(), asCommand+"=1")
	return cmd
}

func TestOnceSettlesEverySampleClaim(t *testing.T) {
	t.Parallel()
	var out, logs bytes.Buffer
	cmd := quickstart(t, append([]string{"-once"}, free...)...)
	cmd.Stdout, cmd.Stderr = &out, &logs
	require.NoError(t, cmd.Run(), "exit 0 if every claim is settled\n%s", &logs)

	// The fields that scripts read, by name.
	var report struct {
		Claims []struct {
			ID             string      `json:"id"`
			Shop           string      `json:"shop"`
			Reason         string      `json:"reason"`
			State          claim.State `json:"state"`
			ConversationID int64       `json:"conversation_id"`
			WorkflowID     string      `json:"workflow_id"`
			DixaRequests   int         `json:"dixa_requests"`
			LeftOut        int         `json:"left_out"`
			Status         string      `json:"status"`
			Reached        []string    `json:"reached"`
			Timeline       []struct {
				What string `json:"what"`
			} `json:"timeline"`
			Events []struct {
				Sequence  int64  `json:"sequence"`
				Type      string `json:"type"`
				Status    string `json:"status"`
				Signature string `json:"signature"`
			} `json:"events"`
		} `json:"claims"`
		Totals struct {
			Claims        int `json:"claims"`
			Settled       int `json:"settled"`
			Conversations int `json:"conversations"`
			EndUsers      int `json:"end_users"`
			DixaRequests  int `json:"dixa_requests"`
			Refused       int `json:"refused_by_limit"`
		} `json:"totals"`
		Tickets []struct {
			ID     string   `json:"id"`
			Name   string   `json:"name"`
			Status string   `json:"status"`
			Tags   []string `json:"tags"`
		} `json:"tickets"`
	}
	decoder := json.NewDecoder(&out)
	require.NoError(t, decoder.Decode(&report))
	require.ErrorIs(t, decoder.Decode(new(any)), io.EOF, "one JSON object and nothing else")

	statuses := map[string]int{}
	reasons, noted, cheapest := map[string]bool{}, 0, math.MaxInt
	for _, c := range report.Claims {
		require.Equal(t, claim.StateSettled, c.State, "%+v", c)
		require.Equal(t, []string{"opened", "replied", "closed", "reopened", "closed again", "settled"}, c.Reached)
		statuses[c.Status]++
		var told []string
		for i, e := range c.Events {
			require.EqualValues(t, i+1, e.Sequence, "%+v", c)
			require.Equal(t, "ok", e.Signature)
			if e.Type != claim.OutboundMessageAdded {
				told = append(told, e.Type)
			}
		}
		require.Equal(t, []string{claim.OutboundOpened, claim.OutboundClosed, claim.OutboundReopened, claim.OutboundClosed, claim.OutboundSettled}, told)
		require.Equal(t, c.Status, c.Events[len(c.Events)-1].Status, "the last status that the owner received")
		require.Greater(t, len(c.Timeline), 10)
		require.NotZero(t, c.ConversationID, "%+v", c)
		require.Equal(t, claim.Ref{Shop: c.Shop, ID: c.ID}.WorkflowID(), c.WorkflowID)
		reasons[c.Reason] = true
		// Query, create the customer, create the conversation, tags; and a query for
		// the state if the reopening event is late.
		limit := 4 + 1
		if c.LeftOut > 0 {
			limit++ // a note about it
			noted++
		}
		require.LessOrEqual(t, c.DixaRequests, limit, "%+v of %+v", c, report.Totals)
		cheapest = min(cheapest, c.DixaRequests)
	}
	require.GreaterOrEqual(t, len(reasons), 4)
	require.Equal(t, map[string]int{"accepted": len(report.Claims) - 2, "rejected": 1, "closed": 1}, statuses)
	require.Equal(t, 1, noted, "one sample has a photo that cannot be fetched")
	require.LessOrEqual(t, cheapest, 2+1, "the second claim of a known customer")
	claims := len(report.Claims)
	require.Equal(t, claims, report.Totals.Claims)
	require.Equal(t, claims, report.Totals.Settled)
	require.Equal(t, claims, report.Totals.Conversations)
	require.Equal(t, claims-1, report.Totals.EndUsers, "two samples have the same customer")
	require.Zero(t, report.Totals.Refused)
	require.Positive(t, report.Totals.DixaRequests)
	require.Len(t, report.Tickets, claims, "the unified API lists each claim's conversation")
	for _, ticket := range report.Tickets {
		require.Equal(t, "closed", ticket.Status, "%+v", ticket)
		require.NotEmpty(t, ticket.Name)
		require.NotEmpty(t, ticket.Tags)
	}
}

func TestOnceReportsAddressInUse(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = taken.Close() })
	for i, flag := range free {
		if i%2 == 1 {
			continue
		}
		t.Run(flag, func(t *testing.T) {
			t.Parallel()
			args := append([]string{"-once"}, free...)
			args[i+2] = taken.Addr().String()
			out, err := quickstart(t, args...).CombinedOutput()
			var exit *exec.ExitError
			require.ErrorAs(t, err, &exit)
			require.Positive(t, exit.ExitCode())
			require.Contains(t, string(out), taken.Addr().String())
			require.Contains(t, string(out), "choose another address with "+flag)
			require.NotContains(t, string(out), "panic")
		})
	}
}

func TestUsageErrorsExitWith2(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args []string
		code int
		says string
	}{
		"an argument":       {[]string{"x"}, 2, "unexpected argument"},
		"an unknown flag":   {[]string{"-foo"}, 2, "-foo"},
		"an unknown part":   {[]string{"-only", "dixa"}, 2, "must be temporal"},
		"flags that clash":  {[]string{"-only", "temporal", "-once"}, 2, "cannot be combined with -once"},
		"a port alone":      {[]string{"-once", "-dixa", "127.0.0.1:0", "-listen", "18080"}, 1, "the address must be HOST:PORT, such as 127.0.0.1:8080; set it with -listen"},
		"a port for the UI": {[]string{"-once", "-dixa", "127.0.0.1:0", "-listen", "127.0.0.1:0", "-temporal", "127.0.0.1:0", "-ui", "18080"}, 1, "the address must be HOST:PORT"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, err := quickstart(t, c.args...).CombinedOutput()
			var exit *exec.ExitError
			require.ErrorAs(t, err, &exit)
			require.Equal(t, c.code, exit.ExitCode(), "%s", out)
			require.Contains(t, string(out), c.says)
		})
	}
}

func TestOnlyTemporalPrintsGuide(t *testing.T) {
	t.Parallel()
	cmd := quickstart(t, append([]string{"-only", "temporal"}, free...)...)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	var said strings.Builder
	lines := bufio.NewScanner(out)
	for lines.Scan() && !strings.Contains(lines.Text(), "Ctrl-C") {
		said.WriteString(lines.Text() + "\n")
	}
	text := said.String()
	address := after(t, text, "export TEMPORAL_ADDRESS=")
	conn, err := net.Dial("tcp", address)
	require.NoError(t, err, "Temporal listens on the printed address")
	require.NoError(t, conn.Close())
	for _, step := range []string{"CLAIMFLOW_DIXA_URL=", "CLAIMFLOW_KEYS=", "go run ./starter keyring new", "go run ./emulator", "go run ./worker", "go run ./starter serve"} {
		require.Contains(t, text, step)
	}
	require.NoError(t, cmd.Process.Signal(syscall.SIGINT))
	_, err = io.Copy(io.Discard, out)
	require.NoError(t, err)
	require.NoError(t, cmd.Wait(), "Ctrl-C is not a failure")
}

// after returns the rest of the line after words.
func after(t *testing.T, text, words string) string {
	t.Helper()
	_, rest, ok := strings.Cut(text, words)
	require.True(t, ok, "%q is in\n%s", words, text)
	line, _, _ := strings.Cut(rest, "\n")
	return line
}

func TestDataIsKeptAcrossRestarts(t *testing.T) {
	t.Parallel()
	kept := t.TempDir()
	once := func() (report report) {
		var out, logs bytes.Buffer
		cmd := quickstart(t, append([]string{"-once", "-data", kept}, free...)...)
		cmd.Stdout, cmd.Stderr = &out, &logs
		require.NoError(t, cmd.Run(), "%s", &logs)
		require.NoError(t, json.Unmarshal(out.Bytes(), &report))
		return report
	}
	// The ports differ, so the photos have other addresses the second time.
	first, second := once(), once()
	require.Equal(t, first.Claims, second.Claims, "the same claims in the same conversations")
	require.Equal(t, first.Totals.Conversations, second.Totals.Conversations)
}

func TestLiveViewShowsTheClaimsAndStopsCleanly(t *testing.T) {
	t.Parallel()
	cmd := quickstart(t, free...)
	var logs bytes.Buffer
	cmd.Stderr = &logs
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	var seen strings.Builder
	for lines := bufio.NewScanner(out); lines.Scan(); {
		seen.WriteString(lines.Text() + "\n")
		if strings.Contains(lines.Text(), "6 of 6 claims are settled") {
			require.NoError(t, cmd.Process.Signal(syscall.SIGINT))
		}
	}
	require.NoError(t, cmd.Wait(), "%s\n%s", &seen, &logs)
	for _, want := range []string{"damaged-mugs", "saucer-missing", "Emulated Dixa", "Temporal UI", "HTTP API", "Stopping"} {
		require.Contains(t, seen.String(), want)
	}
	require.Empty(t, logs.String(), "a run without errors logs nothing")
}

// TestPrintedNextStepsWork runs the commands that the live view prints once
// the samples have ended: a user's own claim is submitted, answered and closed.
func TestPrintedNextStepsWork(t *testing.T) {
	t.Parallel()
	cmd := quickstart(t, free...)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	var commands []string
	lines := bufio.NewScanner(out)
	for offered := false; lines.Scan(); {
		line := strings.TrimSpace(lines.Text())
		offered = offered || strings.HasPrefix(line, "Try it yourself")
		if offered && (strings.HasPrefix(line, "export ") || strings.HasPrefix(line, "go run ")) {
			commands = append(commands, line)
		}
		if strings.HasPrefix(line, "go run ./starter claim show") && offered {
			break
		}
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	require.Len(t, commands, 8)

	paste := func(commands ...string) string {
		shell := exec.CommandContext(t.Context(), "sh", "-e", "-c", strings.Join(commands, "\n"))
		shell.Dir = ".."
		said, err := shell.CombinedOutput()
		require.NoError(t, err, "%s", said)
		return string(said)
	}
	said := paste(commands...)
	require.Regexp(t, `(?m)^demo-shop +my-claim +new +open +claim:demo-shop:my-claim, conversation \d+$`, said)
	require.Contains(t, said, "close: done as the agent")
	show := slices.Concat(commands[:2], commands[7:])
	for !strings.Contains(said, "reply to the customer") || !strings.Contains(said, "Status         accepted") {
		require.NoError(t, t.Context().Err())
		said = paste(show...)
	}
	require.NoError(t, cmd.Process.Signal(syscall.SIGINT))
	require.NoError(t, cmd.Wait())
}
