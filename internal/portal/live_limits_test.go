package portal_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
)

// A stream runs only pages that show news: others would be made for nobody.
func TestOnlyLivePagesAreStreamed(t *testing.T) {
	t.Parallel()
	b, _, _ := newOperatorBench(t)
	p := b.enter(client.NewPortalLink{Pages: []claim.PortalPage{claim.PageSetup, claim.PageClaims}})
	for _, page := range []string{
		"/portal/claims.csv", "/portal/assets/portal.js", "/portal/embed.js", "/portal/operators", "/portal/operators/callback?code=x&state=y", "/portal/live?page=/portal/setup",
		"/portal//live?page=/portal/setup", "/portal/%6cive", "/portal/", "/portal/leave", "/portal/nothing", "/portal/claims/unknown", "/portal/endpoints", "/portal/rules", "//evil.example/portal/setup",
	} {
		require.Equal(t, "event: gone\ndata:\n\n", p.get("/portal/live?page="+url.QueryEscape(page)).text, page)
	}
	require.NotContains(t, b.log.String(), "panic")
	require.Contains(t, p.stream("/portal/claims")(), "event: news")
}

// An open page alone does not keep a session.
func TestStreamsAreNoUse(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.enter(client.NewPortalLink{})
	b.later(claim.PortalSessionIdle - 10*time.Minute)
	require.Contains(t, p.stream("/portal/setup")(), "event: news")
	b.later(11 * time.Minute)
	require.Equal(t, http.StatusUnauthorized, p.get("/portal/setup").status)
}

func TestSessionsHaveFewStreams(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.enter(client.NewPortalLink{})
	const most = 20
	for range most {
		require.Contains(t, p.stream("/portal/claims")(), "event: news")
	}
	require.Equal(t, http.StatusTooManyRequests, p.get("/portal/live?page=/portal/claims").status)
	require.Contains(t, b.enter(client.NewPortalLink{}).stream("/portal/claims")(), "event: news", "another session has its own")
	require.Equal(t, http.StatusOK, p.get("/portal/claims").status)
}

// Browsers end a line of a stream at a carriage return too, which a customer's text may
// contain.
func TestTextsDoNotEndEvents(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connect()
	b.linked("c-1", 100, claim.Message{
		ID: "m-1", Kind: claim.MessageKind, Direction: claim.DirectionInbound, At: time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC),
		Text: "Hello\r\revent: ended\rdata: x\r\rBye",
	})
	event := b.enter(client.NewPortalLink{}).stream("/portal/claims/c-1")()
	require.Contains(t, event, "event: ended")
	for line := range strings.SplitSeq(strings.ReplaceAll(event, "\r", "\n"), "\n") {
		require.NotEqual(t, "event: ended", line)
	}
}
