package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSettingsFromFilesAndArguments(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.ok("shop", "add", "acme")
	for _, nothing := range []string{"null", "", "# nothing\n", "{}"} {
		require.Regexp(t, `tag +"x"`, b.ok("shop", "settings", "acme", "-f", b.file("n.yaml", nothing), "tag=x"), nothing)
	}
	for _, wrong := range []string{"[a, b]", "just words", "7", "1: x"} {
		require.Contains(t, b.fails(exitFailed, "shop", "settings", "acme", "-f", b.file("n.yaml", wrong), "tag=x"), "must be a mapping of settings", wrong)
	}
	settings := b.ok("shop", "settings", "acme", "tag=2024", "extra_tags=vip", "open_within=3d", "read_only=true", "evidence.max_files=5")
	require.Regexp(t, `tag +"2024"`, settings)
	require.Regexp(t, `extra_tags +\["vip"\]`, settings)
	require.Regexp(t, `open_within +"72h0m0s"`, settings)
	require.Regexp(t, `read_only +true`, settings)
	require.Regexp(t, `extra_tags +\["2024"\]`, b.ok("shop", "settings", "acme", "extra_tags=2024"))
	require.Regexp(t, `extra_tags +\["a","b"\]`, b.ok("shop", "settings", "acme", `extra_tags=["a","b"]`, `tag="quoted"`))
	for change, words := range map[string]string{
		"read_only=perhaps":      "read_only: must be true or false",
		"evidence.max_files=few": "evidence.max_files: must be an integer",
		"open_within=4":          "open_within: must be a duration such as",
		"tags=x":                 `did you mean "tag"?`,
		"enabled=true":           "is not a setting; valid settings are change_rules, claim_id_attribute",
		"tag.inner=1":            "tag: must be a string",
	} {
		require.Contains(t, b.fails(exitRefused, "shop", "settings", "acme", change), words)
	}
	require.Regexp(t, `tag +"claim" +inherited`, b.ok("shop", "settings", "acme", "tag=null"))
}
