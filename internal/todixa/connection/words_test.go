package connection

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFilterRedactsCustomerWords(t *testing.T) {
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

func TestFilterWithholdsUnknownMessages(t *testing.T) {
	t.Parallel()
	ctx := WithRedaction(t.Context(), func() map[string]bool { return nil })
	require.Equal(t, withheld, filter(ctx, "Invalid displayName 'Anna'"))
	require.Equal(t, "Unauthorized", filter(ctx, "Unauthorized"))
	require.Equal(t, "anything", filter(context.Background(), "anything"), "a context without words must not change messages") //nolint:usetesting // a context without words
}
