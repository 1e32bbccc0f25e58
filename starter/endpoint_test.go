package main

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/store"
)

func TestEndpointCommands(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connected("acme")
	require.Contains(t, b.ok("shop", "enable", "acme"), "No endpoint reports claims")
	require.Contains(t, b.ok("shop", "validate", "acme"), "No endpoint reports claims")

	var added client.EndpointWithSecret
	out := b.ok("endpoint", "add", "https://8.8.8.8/hook", "--shop", "acme", "--event", "claim.needs_attention", "-o", "json")
	require.NoError(t, json.Unmarshal([]byte(out), &added))
	require.Contains(t, added.Secret, "whsec_")
	require.NotContains(t, b.ok("shop", "enable", "acme"), "No endpoint reports claims")
	require.Contains(t, b.ok("endpoint", "add", "https://8.8.8.8/all", "--platform"), "whsec_")
	require.Contains(t, b.ok("endpoint", "list", "--platform"), "https://8.8.8.8/all")

	records := b.ok("endpoint", "add", "https://8.8.8.8/records", "--platform", "--kind", "truto", "--event", "record:created,record:deleted", "--resource", "ticketing/tickets", "--history")
	require.Regexp(t, `Kind +truto`, records)
	require.Regexp(t, `Resources +ticketing/tickets\nHistory +yes`, records)
	require.Contains(t, b.fails(exitRefused, "endpoint", "add", "https://8.8.8.8/", "--platform", "--event", "record:created", "--resource", "ticketing/roles"), "must be one of")

	b.ok("claim", "submit", "-f", b.file("claim.json", aClaim))
	ref := claim.Ref{Shop: "acme", ID: "c-1"}
	for _, event := range []claim.Event{claim.EventStart, claim.EventPark} {
		_, err := b.store.Claims.Change(t.Context(), ref, event, store.ClaimUpdate{
			Cause: claim.CauseDeadline, Outbox: []store.OutboxEvent{{Type: claim.OutboundNeedsAttention}},
		})
		require.NoError(t, err)
	}
	own := func(verb string, more ...string) string {
		return b.ok(append([]string{"endpoint", verb, added.ID, "--shop", "acme"}, more...)...)
	}
	require.Contains(t, own("deliveries"), "acme/c-1")
	require.Contains(t, own("deliveries", "-o", "json"), `"sequence": 2`)
	require.Contains(t, own("deliveries", "--state", "dead", "-o", "json"), "[]")
	require.Contains(t, own("replay", "--since", "1h"), "2 events")
	require.Contains(t, own("test"), "sending the test event msg_")
	require.Contains(t, own("deliveries"), claim.OutboundEndpointTest)
	require.Regexp(t, `State +paused`, own("pause"))
	require.Regexp(t, `State +active`, own("resume"))
	require.Contains(t, own("rotate", "--keep-hours", "1"), "whsec_")
	shown := own("show")
	require.Contains(t, shown, "claim.needs_attention")
	require.NotContains(t, shown, "whsec_")
	own("remove")

	require.Contains(t, b.fails(exitUsage, "endpoint", "list"), "--shop SHOP, or --platform")
	require.Contains(t, b.fails(exitUsage, "endpoint", "replay", added.ID, "--shop", "acme"), "--since")
	require.Contains(t, b.fails(exitRefused, "endpoint", "add", "https://127.0.0.1/", "--shop", "acme"), "non-public")
	require.Contains(t, b.fails(exitRefused, "endpoint", "show", added.ID, "--shop", "acme"), "not found")
}

func TestEndpointKinds(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connected("acme")
	var karla, staff client.EndpointWithSecret
	out := b.ok("endpoint", "add", "https://8.8.8.8/api", "--kind", "karla", "--shop", "acme", "--user", "acme-user",
		"--password-file", b.file("karla.txt", "acme-password\n"), "--karla-shop", "acme-there", "-o", "json")
	require.NoError(t, json.Unmarshal([]byte(out), &karla))
	require.Empty(t, karla.Secret)
	require.Contains(t, b.ok("shop", "enable", "acme"), "No endpoint reports claims")
	out = b.ok("endpoint", "add", "staff@acme.example", "--kind", "email", "--shop", "acme", "-o", "json")
	require.NoError(t, json.Unmarshal([]byte(out), &staff))
	require.NotContains(t, b.ok("shop", "enable", "acme"), "No endpoint reports claims")

	list := b.ok("endpoint", "list", "--shop", "acme")
	require.Contains(t, list, "mailto:staff@acme.example")
	require.Contains(t, list, "all that require action")
	require.Contains(t, list, "all with a status")
	shown := b.ok("endpoint", "credentials", karla.ID, "--shop", "acme", "--password-file", b.file("karla.txt", "another-password")) + list + out
	require.Regexp(t, `Karla shop +acme-there`, shown)
	require.NotContains(t, shown, "password")
	require.NotContains(t, shown, "acme-user")

	code, _, problem := b.run("", "endpoint", "add", "https://8.8.8.8/api", "--kind", "karla", "--shop", "acme", "--user", "u")
	require.Equal(t, exitUsage, code)
	require.Contains(t, problem, "a password is required")
	require.Contains(t, b.fails(exitRefused, "endpoint", "rotate", staff.ID, "--shop", "acme"), "no signing secret")
	require.Contains(t, b.fails(exitRefused, "endpoint", "add", "staff", "--kind", "email", "--shop", "acme"), "one email address")
}
