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
	response, err := p.http.Do(p.request(http.MethodGet, "/portal/live?page=/portal/setup", nil))
	require.NoError(t, err)
	defer func() { require.NoError(t, response.Body.Close()) }()
	require.Equal(t, "text/event-stream", response.Header.Get("Content-Type"))
	events := bufio.NewReader(response.Body)
	next := func() (text string) {
		for {
			line, err := events.ReadString('\n')
			require.NoError(t, err)
			if line == "\n" {
				return text
			}
			text += line
		}
	}
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
