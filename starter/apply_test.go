package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	emulator "github.com/claimflow/claimflow/emulator/server"
	"github.com/claimflow/claimflow/internal/seal"
)

const shopsYAML = `platform:
  settings: {default_language: de}
  templates:
    damaged: {de: {subject: "Bruch {{.Order.Number}}"}}
shops:
  - slug: acme
    name: Acme Ltd
    token_env: ACME_DIXA_TOKEN
    settings:
      email_integration_id: support@demo.email.dixa.io
      evidence: {max_files: 5, types: {mp4: 0}}
      extra_tags: [vip]
    templates:
      damaged: {en: {format: text, body_file: damaged.txt}}
    enabled: true
  - slug: beta
    dixa_feature: false
    paused: true
`

func TestApplyIsIdempotentAndPrintsDifferences(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.environ = append(b.environ, "ACME_DIXA_TOKEN="+dixaToken)
	b.file("damaged.txt", "About your order {{.Order.Number}}")
	file := b.file("shops.yaml", shopsYAML)

	const differences = `platform
  ~ settings.default_language: inherited -> "de"
  + template damaged/de
shop acme
  + add the shop
  ~ token: none -> dix…4f2a
  ~ settings.email_integration_id: inherited -> "support@demo.email.dixa.io"
  ~ settings.evidence: inherited -> {"max_files":5,"types":{"mp4":0}}
  ~ settings.extra_tags: inherited -> ["vip"]
  + template damaged/en
  ~ enabled: false -> true
shop beta
  + add the shop
  ~ paused: false -> true
`
	require.Equal(t, differences+"11 changes, none applied (dry run).\n", b.ok("apply", "-f", file, "--dry-run"))
	require.NotContains(t, b.ok("shop", "list"), "acme", "a dry run changes nothing")
	require.Equal(t, differences+"11 of 11 changes applied.\n", b.ok("apply", "-f", file))
	asked := b.dixa.Stats().Requests
	require.Equal(t, "No changes.\n", b.ok("apply", "-f", file, "--dry-run"))
	require.Equal(t, "No changes.\n", b.ok("apply", "-f", file), "a second run changes nothing")
	require.Equal(t, asked, b.dixa.Stats().Requests, "the token is not sent again")
	require.Regexp(t, `Enabled +yes`, b.ok("shop", "show", "acme"))
	require.Regexp(t, `Dixa feature +no`, b.ok("shop", "show", "beta"))

	changed := strings.NewReplacer("extra_tags: [vip]", "tag: reklamation", ", types: {mp4: 0}", "", "name: Acme Ltd", "name: Acme GmbH", "enabled: true", "enabled: false").Replace(shopsYAML)
	require.Equal(t, `shop acme
  ~ name: "Acme Ltd" -> "Acme GmbH"
  ~ settings.evidence: {"max_files":5,"types":{"mp4":0}} -> {"max_files":5}
  ~ settings.tag: inherited -> "reklamation"
  ~ settings.extra_tags: ["vip"] -> inherited
  ~ enabled: true -> false
5 of 5 changes applied.
`, b.ok("apply", "-f", b.file("shops.yaml", changed)))
	var result applied
	require.NoError(t, json.Unmarshal([]byte(b.ok("apply", "-f", file, "-o", "json")), &result))
	require.Empty(t, result.Changes, "no differences remain after apply")
	require.Zero(t, result.Done)

	b.file("shops.yaml", shopsYAML)
	require.NoError(t, json.Unmarshal([]byte(b.ok("apply", "-f", file, "-o", "json")), &result))
	require.Len(t, result.Changes, 5, "apply restores the content of the file")
	require.Equal(t, 5, result.Done)

	// Nothing remains to send for a token that was removed from the file.
	require.Equal(t, "No changes.\n", b.ok("apply", "-f", b.file("none.yaml", "shops:\n  - slug: acme\n")))
}

func TestApplyReplacesTokenWithSameMask(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	file := b.file("shops.yaml", "shops:\n  - {slug: acme, token_file: acme.token}\n")
	first, second := "short-one", "short-two"
	require.Equal(t, seal.Mask(first), seal.Mask(second), "both tokens have the same mask")
	saved := func() string {
		in, err := b.store.Settings.Integration(t.Context(), "acme")
		require.NoError(t, err)
		token, _, err := b.store.Connections.Token(t.Context(), in.Connection.ID)
		require.NoError(t, err)
		return token
	}
	b.dixa.AddToken(first)
	b.file("acme.token", first)
	b.ok("apply", "-f", file)
	require.Equal(t, first, saved())

	b.dixa.AddToken(second)
	b.file("acme.token", second)
	require.Regexp(t, `token: saved on \d{4}-\d\d-\d\d -> new token`, b.ok("apply", "-f", file, "--dry-run"))
	require.Equal(t, first, saved())
	b.ok("apply", "-f", file)
	require.Equal(t, second, saved())
}

func TestApplyContinuesAfterOneShopFails(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.environ = append(b.environ, "TOKEN="+dixaToken)
	code, out, err := b.run("", "apply", "-f", b.file("shops.yaml", `shops:
  - slug: bad
    token_env: TOKEN
    settings: {email_integration_id: nobody@acme.example}
    enabled: true
  - slug: good
    token_env: TOKEN
    settings: {email_integration_id: `+emulator.SeedMailbox+`}
    enabled: true
`))
	require.Equal(t, exitRefused, code)
	require.Contains(t, err, "shop bad: settings.email_integration_id")
	require.Contains(t, err, "is not a contact endpoint in the shop's Dixa organization")
	require.Contains(t, out, "6 of 8 changes applied.")
	require.Regexp(t, `Enabled +yes`, b.ok("shop", "show", "good"))
	require.Regexp(t, `Enabled +no`, b.ok("shop", "show", "bad"))
}

func TestApplyReportsAllFileErrors(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	err := b.fails(exitFailed, "apply", "-f", b.file("shops.yaml", `shops:
  - name: No slug
  - {slug: acme, token_env: NOT_SET}
  - {slug: acme}
  - {slug: beta, token_file: missing.token}
  - {slug: gamma, templates: {damaged: {de: {body_file: missing.html}}}}
`))
	for _, words := range []string{
		"shop 1 has no slug", "token_env names NOT_SET, which is not set", "shop acme is listed twice",
		"shop beta: token_file", "shop gamma: template damaged/de: body_file",
	} {
		require.Contains(t, err, words)
	}
	err = b.fails(exitFailed, "apply", "-f", b.file("shops.yaml", "shops:\n  - {slug: acme, token: "+dixaToken+"}\n"))
	require.Contains(t, err, "field token not found", "a token is never in the file")
	require.NotContains(t, err, dixaToken)
	require.Contains(t, b.ok("shop", "list"), "SHOP")
}
