package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/store"
)

func TestJSONOutputIncludesErrors(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.ok("shop", "add", "acme")
	failed := func(code int, args ...string) (f failure) {
		t.Helper()
		text := b.fails(code, args...)
		require.NoError(t, json.Unmarshal([]byte(text), &f), text)
		return f
	}
	f := failed(exitRefused, "claim", "submit", "-o", "json", "-f", b.file("bad.json", `{"claim_id": "c 9", "shop_slug": "acme"}`))
	require.Equal(t, client.CodeInvalid, f.Code)
	require.Equal(t, 422, f.Status)
	require.Equal(t, "Invalid claim.", f.Detail)
	require.Equal(t, "correct the errors and run the command again", f.Next)
	require.NotEmpty(t, f.Errors)

	f = failed(exitRefused, "claim", "show", "nobody", "c-1", "-o", "json")
	require.Equal(t, client.CodeNotFound, f.Code)
	require.Contains(t, f.Detail, `shop "nobody" does not exist`)
	for _, args := range [][]string{{"claim", "list", "-o", "json"}, {"shop", "list", "--colour", "-o", "json"}, {"shop", "list", "--colour", "--output=json"}} {
		require.Equal(t, "usage", failed(exitUsage, args...).Code)
	}
	require.Equal(t, "failed", failed(exitFailed, "api-key", "revoke", "nobody", "-o", "json").Code)
}

func TestNotFoundNamesMissingObject(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connected("acme")
	b.ok("claim", "submit", "-f", b.file("claim.json", aClaim))
	for _, verb := range [][]string{{"show", "nobody", "c-1"}, {"retry", "nobody", "c-1"}, {"link", "nobody", "c-1", "5"}} {
		err := b.fails(exitRefused, append([]string{"claim"}, verb...)...)
		require.Contains(t, err, `shop "nobody" does not exist`, verb)
		require.Contains(t, err, "Next: list the shops with `starter shop list`.")
	}
	err := b.fails(exitRefused, "claim", "show", "acme", "c-9")
	require.NotContains(t, err, "shop \"acme\" does not exist")
	require.Contains(t, err, "Next: list the shop's claims with `starter claim list acme`.")

	for _, event := range []claim.Event{claim.EventStart, claim.EventOpened} {
		_, err := b.store.Claims.Change(t.Context(), claim.Ref{Shop: "acme", ID: "c-1"}, event, store.ClaimUpdate{})
		require.NoError(t, err)
	}
	err = b.fails(exitRefused, "claim", "retry", "acme", "c-1")
	require.Contains(t, err, "Next: check the state of the claim with `starter claim show acme c-1`", err)

	b.environ = append([]string{}, b.environ...)
	for i, entry := range b.environ {
		if strings.HasPrefix(entry, "CLAIMFLOW_URL=") {
			b.environ[i] = entry + "/v1"
		}
	}
	err = b.fails(exitFailed, "shop", "list")
	require.Contains(t, err, "CLAIMFLOW_URL: ")
	require.Contains(t, err, "omit /v1")
}
