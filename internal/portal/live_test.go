package portal_test

import (
	"bufio"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/emulator/server"
)

func TestLiveNews(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connect()
	_, err := b.client.UpdateSettings(t.Context(), shop, []byte(`{"email_integration_id": "`+server.SeedMailbox+`"}`))
	require.NoError(t, err)
	p := b.enter(client.NewPortalLink{})
	next := p.news("/portal/setup")
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

// news returns a function that waits for the next event of a live page.
func (p *person) news(page string) (next func() string) {
	p.Helper()
	response, err := p.http.Do(p.request(http.MethodGet, "/portal/live?page="+page, nil))
	require.NoError(p, err)
	p.Cleanup(func() { _ = response.Body.Close() })
	require.Equal(p, "text/event-stream", response.Header.Get("Content-Type"))
	events := bufio.NewReader(response.Body)
	return func() (text string) {
		p.Helper()
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
