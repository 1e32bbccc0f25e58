package portal_test

import (
	"bufio"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/emulator/server"
)

// stream opens the news of a page. It returns a function that waits for the next.
func (p *person) stream(page string) func() string {
	p.Helper()
	response, err := p.http.Do(p.request(http.MethodGet, "/portal/live?page="+url.QueryEscape(page), nil))
	require.NoError(p, err)
	p.Cleanup(func() { _ = response.Body.Close() }) // the service may have ended the stream
	require.Equal(p, "text/event-stream", response.Header.Get("Content-Type"))
	events := bufio.NewReader(response.Body)
	return func() (text string) {
		for {
			line, err := events.ReadString('\n')
			require.NoError(p, err)
			if line == "\n" {
				return text
			}
			text += line
		}
	}
}

func TestLiveNews(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connect()
	_, err := b.client.UpdateSettings(t.Context(), shop, []byte(`{"email_integration_id": "`+server.SeedMailbox+`"}`))
	require.NoError(t, err)
	p := b.enter(client.NewPortalLink{})
	next := p.stream("/portal/setup")
	first := next()
	require.Contains(t, first, "event: news")
	require.Contains(t, first, "New claims do not become conversations yet")
	_, err = b.client.Enable(t.Context(), shop)
	require.NoError(t, err)
	second := next()
	for !strings.Contains(second, "New claims become conversations.") { // the subscription comes first
		second = next()
	}
	b.later(0)
	n, err := b.client.EndPortalSessions(t.Context(), shop, "")
	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.Contains(t, next(), "event: ended")
}

func TestStreamsEndWithTheServer(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.enter(client.NewPortalLink{})
	response, err := p.http.Do(p.request(http.MethodGet, "/portal/live?page=/portal/setup", nil))
	require.NoError(t, err)
	defer func() { require.NoError(t, response.Body.Close()) }()
	b.pages.EndStreams()
	_, err = io.Copy(io.Discard, response.Body)
	require.NoError(t, err)
	b.pages.EndStreams()
}

func TestPagesWithoutNews(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.enter(client.NewPortalLink{Pages: []claim.PortalPage{claim.PageSetup}})
	for _, page := range []string{"/portal/unknown", "/portal/claims", "/portal/live", "/portal/enter/x"} {
		require.NotContains(t, p.get("/portal/live?page="+url.QueryEscape(page)).text, "news", page)
	}
	require.NotContains(t, b.log.String(), "panic")
}

// A page that lost its stream learns that the session has ended in the meantime.
func TestNewsOfAnEndedSession(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.enter(client.NewPortalLink{})
	_, err := b.client.EndPortalSessions(t.Context(), shop, "")
	require.NoError(t, err)
	require.Contains(t, p.stream("/portal/setup")(), "event: ended")
	require.Contains(t, b.browser().stream("/portal/setup")(), "event: ended", "the person signed out in another window")
}

// A refused form is shown at the address of its command, and the page follows the shop
// there too.
func TestNewsOfRefusedForms(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connect()
	b.park(b.submit("c-1"), claim.CauseTemplate)
	endpoint, err := b.client.AddEndpoint(t.Context(), shop, client.NewEndpoint{URL: "https://hooks.example/claims", EventTypes: []string{claim.OutboundTypes()[0]}})
	require.NoError(t, err)
	p := b.enter(client.NewPortalLink{})
	for command, page := range map[string]string{
		"/portal/setup/token": "/portal/setup", "/portal/setup/enable": "/portal/setup", "/portal/setup/test": "/portal/setup",
		"/portal/claims/c-1/retry": "/portal/claims/c-1", "/portal/claims/c-1/link": "/portal/claims/c-1", "/portal/claims/c-1?sent=k-1": "/portal/claims/c-1",
		"/portal/data/imports": "/portal/data", "/portal/data/token": "/portal/data",
		"/portal/endpoints/" + endpoint.ID + "/replay": "/portal/endpoints/" + endpoint.ID,
		"/portal/dashboards/backlog/walls?period=7":    "/portal/dashboards/backlog?period=7",
	} {
		event := p.stream(command)()
		require.Contains(t, event, "event: news", command)
		require.Equal(t, p.stream(page)(), event, command)
	}
}

// Wherever a session ends while its stream begins, the stream says so: browsers give up
// after any answer that is no stream.
func TestSessionEndsWhileItsStreamBegins(t *testing.T) {
	t.Parallel()
	for look := int64(1); ; look++ {
		b := newBench(t)
		p := b.enter(client.NewPortalLink{})
		var looks atomic.Int64
		end := func() {
			if looks.Add(1) == look {
				b.later(claim.PortalSessionIdle + time.Minute)
			}
		}
		b.looked.Store(&end)
		next := p.stream("/portal/setup")
		event := next()
		begun := strings.Contains(event, "event: news")
		for strings.Contains(event, "event: news") {
			event = next()
		}
		require.Contains(t, event, "event: ended", "the session ended at look %d at the clock", look)
		if begun {
			require.Greater(t, look, int64(2))
			return
		}
	}
}
