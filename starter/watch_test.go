package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/store"
)

// watching runs `starter claim watch` beside the test. Its output arrives on lines;
// ended receives its exit code.
func (b *bench) watching(ctx context.Context, args ...string) (lines *bufio.Scanner, ended <-chan int) {
	b.t.Helper()
	out, in := io.Pipe()
	b.t.Cleanup(func() { _ = out.Close() })
	code := make(chan int, 1)
	go func() {
		var words bytes.Buffer
		code <- run(ctx, append([]string{"claim", "watch"}, args...), &app{in: strings.NewReader(""), out: in, err: &words, environ: b.environ})
		_ = in.Close()
	}()
	return bufio.NewScanner(out), code
}

func TestWatchPrintsTimelineUntilClaimIsFinal(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connected("acme")
	b.ok("claim", "submit", "-f", b.file("claim.json", aClaim))
	ref := claim.Ref{Shop: "acme", ID: "c-1"}
	shop, err := b.store.Shops.Get(t.Context(), "acme")
	require.NoError(t, err)
	require.NoError(t, b.store.Links.Create(t.Context(), store.LinkInput{Ref: ref, ConnectionID: shop.Connection.ID, ConversationID: 7}))
	lines, ended := b.watching(t.Context(), "acme", "c-1", "-o", "json")
	next := func() (e claim.TimelineEntry) {
		t.Helper()
		require.True(t, lines.Scan(), "the watch ended early: %v", lines.Err())
		require.NoError(t, json.Unmarshal(lines.Bytes(), &e), "one object per line")
		return e
	}
	require.Equal(t, "accepted", next().What, "past events come first")

	// Changes that affect neither the claim's state nor its status are printed as
	// well.
	tag := claim.TimelineEntry{At: time.Now().UTC().Truncate(time.Millisecond), What: "tag added", By: "Anna", Detail: "answered"}
	require.NoError(t, b.store.Conversations.Apply(t.Context(), store.EventEffects{
		Ref: ref, State: claim.StateReceived, ConversationID: 7, Timeline: []store.TimelineEntry{{ID: "e-1", TimelineEntry: tag}},
	}))
	require.Equal(t, tag, next())

	_, err = b.store.Claims.Change(t.Context(), ref, claim.EventSkip, store.ClaimUpdate{Outbox: []store.OutboxEvent{{Type: claim.OutboundSkipped}}})
	require.NoError(t, err)
	require.Equal(t, claim.OutboundSkipped, next().What)
	require.False(t, lines.Scan(), "no entry is printed twice: %s", lines.Text())
	require.Equal(t, exitOK, <-ended)
}

// A person's action is recorded after it happens, possibly after the claim's last
// state was read.
func TestWatchNamesTheCommandThatEndedTheClaim(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connected("acme")
	b.ok("claim", "submit", "-f", b.file("claim.json", aClaim))
	lines, ended := b.watching(t.Context(), "acme", "c-1")
	require.True(t, lines.Scan())
	b.ok("claim", "abandon", "acme", "c-1")
	var printed strings.Builder
	for lines.Scan() {
		printed.WriteString(lines.Text() + "\n")
	}
	require.Equal(t, exitOK, <-ended)
	require.Contains(t, printed.String(), "  abandon (test)")
}

func TestWatchStopsOnInterrupt(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connected("acme")
	b.ok("claim", "submit", "-f", b.file("claim.json", aClaim))
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	lines, ended := b.watching(ctx, "acme", "c-1")
	require.True(t, lines.Scan())
	require.Contains(t, lines.Text(), "accepted")
	interrupt()
	require.Equal(t, exitOK, <-ended, "Ctrl-C is not a failure")
	require.Contains(t, b.fails(exitRefused, "claim", "watch", "acme", "c-9"), "starter claim list acme")
}

// Names, tags and texts come from untrusted sources.
func TestWatchRemovesControlCharacters(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	a := &app{out: &out}
	require.NoError(t, a.watched(claim.TimelineEntry{What: "tag added", Detail: "x\x1b[2J\ny", By: "A\u009bnna"}))
	require.Contains(t, out.String(), "tag added: x·[2J·y (A·nna)\n")
	require.Equal(t, 1, strings.Count(out.String(), "\n"))
}
