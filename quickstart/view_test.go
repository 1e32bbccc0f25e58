package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/quickstart/engine"
)

// samplePage lists the demo's claims in a state.
func samplePage(t *testing.T, state claim.State, cause claim.Cause) client.Page {
	t.Helper()
	all, err := samples("http://127.0.0.1:4010/photos")
	require.NoError(t, err)
	var page client.Page
	for _, s := range all {
		c, err := claim.Decode(s.body, demoShop)
		require.NoError(t, err)
		page.Claims = append(page.Claims, claim.Record{
			Ref: s.ref, Reason: c.Reason, OrderNumber: c.Order.Number, State: state, Cause: cause,
			ConversationID: 1006, Attached: 5, LeftOut: 1, DixaRequests: 12,
		})
	}
	return page
}

func demoStack() *stack {
	return &stack{owner: &owner{}, engine: &engine.Engine{}, dixaURL: "http://127.0.0.1:4010", apiURL: "http://127.0.0.1:8080"}
}

func TestPageFitsTheTerminal(t *testing.T) {
	t.Parallel()
	s := demoStack()
	foreign := client.Page{Next: "more", Claims: []claim.Record{{
		Ref: claim.Ref{Shop: demoShop, ID: strings.Repeat("long-id-", 8)}, Reason: strings.Repeat("rea\x1b[2Json", 9),
		OrderNumber: strings.Repeat("7", 40), State: claim.StateNeedsAttention, Cause: claim.CauseConnection, ConversationID: 1 << 40,
	}}}
	failed := errors.New(strings.Repeat("down ", 40))
	for name, c := range map[string]struct {
		claims client.Page
		err    error
	}{
		"open samples":   {samplePage(t, claim.StateOpen, ""), nil},
		"parked samples": {samplePage(t, claim.StateNeedsAttention, claim.CauseRefused), nil},
		"long words":     {foreign, nil},
		"none and error": {client.Page{}, failed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, width := range []int{0, 80, 120} {
				page := s.page(c.claims, width, c.err)
				require.NotContains(t, page, "\x1b", "claim text does not control the terminal")
				limit := max(80, width)
				for line := range strings.Lines(page) {
					require.LessOrEqual(t, utf8.RuneCountInString(strings.TrimSpace(line)), limit, "%q", line)
				}
				require.Equal(t, strings.Count(page, "\n"), rows(page, limit), "no line wraps")
			}
		})
	}
	page := s.page(samplePage(t, claim.StateOpen, ""), 80, nil)
	require.Contains(t, page, "smells-of-smoke  smells_of_smoke  open                 1006\n", "what fits is not cut")
	require.Contains(t, page, "0 of 6 claims are settled")
	require.Less(t, rows(page, 80), 24, "the demo fits into a standard terminal")
	page = s.page(foreign, 80, nil)
	require.Contains(t, page, "0 of the newest 1 claims are settled")
	require.Contains(t, page, "…")
	require.Contains(t, page, string(claim.StateNeedsAttention), "the state is whole")
}

func TestRedrawOverwritesPreviousPage(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		at           screen
		before, want string
	}{
		"no terminal":            {screen{}, "old\n", "new\n"},
		"the first page":         {screen{80, 24}, "", "new\n"},
		"over it":                {screen{80, 24}, "a\n\nb\n", "\x1b[3A\x1b[Jnew\n"},
		"wrapped lines count":    {screen{10, 24}, strings.Repeat("x", 21) + "\n" + strings.Repeat("y", 10) + "\n", "\x1b[4A\x1b[Jnew\n"},
		"higher than the screen": {screen{80, 3}, "a\nb\nc\n", "new\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out strings.Builder
			require.NoError(t, redraw(&out, c.at, c.before, "new\n"))
			require.Equal(t, c.want, out.String())
		})
	}
}

// TestLiveViewFollowsChanges submits another claim beside the live
// view, removes the store, and stops a part.
func TestLiveViewFollowsChanges(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	const free = "127.0.0.1:0"
	s, err := start(ctx, options{temporal: free, ui: free, dixa: free, listen: free})
	require.NoError(t, err)
	s.pace = pace{between: time.Millisecond, quiet: 3 * time.Second}
	require.NoError(t, s.connectAndSubmit(ctx, s.pace))
	out, in, err := os.Pipe()
	require.NoError(t, err)
	defer out.Close()
	finished := make(chan error, 1)
	go func() { finished <- errors.Join(s.show(ctx, in), in.Close()) }()
	lines := bufio.NewScanner(out)
	see := func(words string) {
		t.Helper()
		for lines.Scan() {
			if strings.Contains(lines.Text(), words) {
				return
			}
		}
		require.Fail(t, "the live view does not show it", words)
	}
	see("0 of 6 claims are settled")
	require.NoError(t, s.play(ctx))
	see("6 of 6 claims are settled")
	_, err = s.api.Submit(ctx, &claim.Claim{ID: "my-own", Shop: demoShop, Reason: "damaged", Customer: claim.Customer{Email: "me@example.org"}})
	require.NoError(t, err)
	see("my-own")
	see("6 of 7 claims are settled")
	for i := range 10 {
		_, err = s.api.Submit(ctx, &claim.Claim{ID: fmt.Sprintf("more-%d", i), Shop: demoShop, Reason: "damaged", Customer: claim.Customer{Email: "me@example.org"}})
		require.NoError(t, err)
	}
	see("4 of the newest 15 claims are settled")
	s.background(ctx, "a part", func(context.Context) error { return errors.New("because it failed") })
	for lines.Scan() { // until the view ends
	}
	require.NoError(t, <-finished)
	require.ErrorContains(t, s.stop(), "a part stopped unexpectedly: because it failed")
}

func TestLiveViewReportsReadErrors(t *testing.T) {
	t.Parallel()
	s := demoStack()
	page := s.page(samplePage(t, claim.StateOpen, ""), 80, errors.New("the API is down"))
	require.Contains(t, page, "Cannot read the claims: the API is down\n")
	require.Contains(t, page, "damaged-mugs", "the last known claims stay visible")
}
