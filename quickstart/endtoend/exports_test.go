package endtoend_test

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/emulator/server"
)

// The client reads the emulated Exports API under every setting of every switch.
func TestExportsUnderEverySetting(t *testing.T) {
	t.Parallel()
	trials := map[string]server.Switches{"exports.lag=1h": {Exports: server.ExportSwitches{Lag: server.Duration(time.Hour)}}}
	for name, settings := range server.NamedExportSettings() {
		for _, setting := range settings {
			var switches server.Switches
			require.NoError(t, json.Unmarshal([]byte(fmt.Sprintf(`{"exports": {%q: %q}}`, strings.TrimPrefix(name, "exports."), setting)), &switches))
			trials[name+"="+setting] = switches
		}
	}
	require.Greater(t, len(trials), 20)
	for name, switches := range trials {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			emulated := server.New(server.Options{Switches: switches})
			t.Cleanup(emulated.Close)
			host := httptest.NewServer(emulated)
			t.Cleanup(host.Close)
			api, err := dixa.New("demo-token", dixa.WithBaseURL(host.URL+"/v1/"))
			require.NoError(t, err)
			ctx := t.Context()
			user, err := api.EndUsers.Create(ctx, dixa.EndUserInput{Email: "anna@example.org", DisplayName: "Anna Berg"})
			require.NoError(t, err)
			id, err := api.Conversations.Create(ctx, dixa.NewConversation{
				Type: dixa.NewEmail, RequesterID: user.ID, EmailIntegrationID: server.SeedMailbox, Subject: "Order 10001",
				Message: dixa.MessageInput{Type: dixa.Inbound, Content: dixa.TextContent("It is broken.")},
			})
			require.NoError(t, err)

			exports, err := dixa.NewExports("demo-token", dixa.WithBaseURL(host.URL+"/exports/v1"))
			require.NoError(t, err)
			period := dixa.ExportQuery{After: time.Now().Add(-time.Hour), Before: time.Now().Add(time.Hour)}
			var conversations, messages int
			for c, err := range exports.Conversations(ctx, period) {
				require.NoError(t, err)
				require.Equal(t, id, c.ID)
				require.Equal(t, "Order 10001", c.Subject)
				require.WithinDuration(t, time.Now(), c.CreatedAt.Time, time.Minute)
				require.Equal(t, "anna@example.org", c.RequesterEmail)
				conversations++
			}
			for m, err := range exports.Messages(ctx, period) {
				require.NoError(t, err)
				require.Equal(t, id, m.ConversationID)
				require.Equal(t, "It is broken.", m.Text)
				messages++
			}
			want := 1
			if switches.Exports.Lag > 0 {
				want = 0
			}
			require.Equal(t, []int{want, want}, []int{conversations, messages})
		})
	}
}
