package connection

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFilterTakesOutWhatTheCustomerGave(t *testing.T) {
	t.Parallel()
	ctx := WithRedaction(t.Context(), func() map[string]bool {
		return WordSet("Jürgen Müller", "The lamp is broken, the request too.", "Hauptstraße 5")
	})
	for message, want := range map[string]string{
		// Known shapes stay, although they contain the customer's words.
		"Invalid value in request":                         "Invalid value in request",
		"Create EndUser failed with [errors:EmailExists]":  "Create EndUser failed with [errors:EmailExists]",
		"Failure to download attachment":                   "Failure to download attachment",
		"Invalid displayName 'Jürgen MÜLLER' in org":       "Invalid displayName '… …' in org",
		"message is over: the lamp is broken at 5":         "message … over: … … … … at …",
		"cannot read https://cdn.example/p/1?sig=abc file": "cannot read [address] file",
		"…":                  "…",
		"Name: Jürgen":       "Name: …",
		"JürgenMüller@x":     "JürgenMüller@x",
		"Hauptstraße":        "…",
		"no word of theirs!": "no word of theirs!",
	} {
		require.Equal(t, want, filter(ctx, message), message)
	}
}

func TestFilterWithholdsWhatItCannotJudge(t *testing.T) {
	t.Parallel()
	ctx := WithRedaction(t.Context(), func() map[string]bool { return nil })
	require.Equal(t, withheld, filter(ctx, "Invalid displayName 'Anna'"))
	require.Equal(t, "Unauthorized", filter(ctx, "Unauthorized"))
	require.Equal(t, "anything", filter(context.Background(), "anything"), "nobody's words are known, such as in a shop's set-up") //nolint:usetesting // a context without words
}
