package main

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
	emulator "github.com/claimflow/claimflow/emulator/server"
	"github.com/claimflow/claimflow/store"
)

const aClaim = `{"claim_id": "c-1", "shop_slug": "acme", "reason": "damaged", "resolution_preference": "refund",
	"selected_items": [{"sku": "VASE-1", "quantity": 1}], "customer": {"email": "ada@example.org"}, "order": {"order_number": "10001"}}`

// commands returns all commands, including groups.
func commands(t *testing.T) (all []*cobra.Command) {
	t.Helper()
	a := &app{}
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		all = append(all, c)
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	for _, c := range []*cobra.Command{
		a.serveCommand(), a.claimCommand(), a.shopCommand(), a.applyCommand(), a.templateCommand(), a.endpointCommand(),
		a.sourceCommand(), a.importCommand(), a.kpiCommand(), a.accountCommand(), a.unifiedCommand(), a.portalCommand(),
		a.apiKeyCommand(), a.keyringCommand(), a.configCommand(), a.versionCommand(),
	} {
		walk(c)
	}
	return all
}

func TestEveryCommandHasHelpWithExamples(t *testing.T) {
	t.Parallel()
	for _, c := range commands(t) {
		require.NotEmpty(t, c.Short, c.CommandPath())
		require.Contains(t, c.Example, "starter ", c.CommandPath())
		require.NotNil(t, c.RunE, c.CommandPath())
		require.Nil(t, c.Flags().Lookup("token"), "%s: no token on the command line", c.CommandPath())
	}
}

func TestUsageErrors(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, tt := range []struct {
		args  []string
		words string
	}{
		{[]string{"bogus"}, "unknown command \"bogus\" for `starter`; see `starter --help`"},
		{[]string{"claim", "bogus"}, "see `starter claim --help`"},
		{[]string{"claim", "show", "acme"}, "`starter claim show` takes SHOP CLAIM, but got 1 arguments; see `starter claim show --help`"},
		{[]string{"claim", "submit"}, "specify the claim file with -f"},
		{[]string{"claim", "link", "acme", "c-1", "four"}, `"four" is not a conversation number`},
		{[]string{"claim", "list", "acme", "--since", "soon"}, "must be a time such as"},
		{[]string{"claim", "list", "acme", "--colour", "red"}, "unknown flag: --colour; see `starter claim list --help`"},
		{[]string{"shop", "list", "-o", "xml"}, "must be table or json"},
		{[]string{"shop", "remove", "acme"}, "confirm with --yes"},
		{[]string{"shop", "update", "acme"}, "--name or --dixa"},
		{[]string{"shop", "test", "acme"}, "--email is required"},
		{[]string{"shop", "connect", "acme"}, "a token is required: use --token-file, CLAIMFLOW_DIXA_TOKEN or the standard input"},
		{[]string{"shop", "settings", "acme", "language"}, "must be NAME=VALUE, such as language=de"},
		{[]string{"template", "set", "damaged", "-f", "x"}, "--shop SHOP, or --platform"},
		{[]string{"api-key", "create", "--name", "x", "--scope", "everything"}, "must be one of claims:write"},
		{[]string{"apply"}, "specify the file with -f"},
		{[]string{"keyring", "list"}, "see `starter keyring --help`"},
		{[]string{"api-key", "rotate"}, "see `starter api-key --help`"},
		{[]string{"claim", "list", "acme", "-o", "json", "--csv"}, "cannot be combined"},
		{[]string{"claim", "list", "acme", "--limit", "0"}, "must be at least 1"},
		{[]string{"claim", "list", "acme", "--since", "-3d"}, "such as 24h or 3d"},
	} {
		require.Contains(t, b.fails(exitUsage, tt.args...), tt.words, tt.args)
	}
}

func TestClaimCommands(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connected("acme")
	file := b.file("claim.json", aClaim)
	require.Equal(t, "SHOP  CLAIM  RESULT  STATE     WORKFLOW OR ERRORS\nacme  c-1    new     received  claim:acme:c-1\n", b.ok("claim", "submit", "-f", file))
	require.Contains(t, b.ok("claim", "submit", "-f", file), "known")
	code, out, _ := b.run("["+aClaim+`, {"claim_id": "c-2", "reason": "support", "order": {}}]`, "claim", "submit", "--shop", "acme", "-f", "-", "-o", "json")
	require.Equal(t, exitOK, code)
	var submitted []client.Submitted
	require.NoError(t, json.Unmarshal([]byte(out), &submitted))
	require.Len(t, submitted, 2)
	require.True(t, submitted[1].New)

	require.Regexp(t, `(?m)^CLAIM +STATE +CAUSE +REASON +ORDER +CONVERSATION +ACCEPTED$`, b.ok("claim", "list", "acme"))
	require.Equal(t, 2, strings.Count(b.ok("claim", "list", "acme", "--limit", "1"), "\n"))
	require.NotContains(t, b.ok("claim", "list", "acme", "--order", "10001", "--since", "3d"), "c-2")
	require.Equal(t, 3, strings.Count(b.ok("claim", "list", "acme", "--csv"), "\n"))
	require.Regexp(t, `State +abandoned`, b.ok("claim", "abandon", "acme", "c-1"))
	require.Regexp(t, `State +received`, b.ok("claim", "retry", "acme", "c-1", "--create-anyway"))
	require.Contains(t, b.fails(exitRefused, "claim", "link", "acme", "c-1", "999999"), "not a conversation in the shop's Dixa")
	b.ok("shop", "test", "acme", "--email", "me@acme.example")
	conversation := strconv.FormatInt(b.dixa.State().Conversations[0].ID, 10)
	require.Regexp(t, `Conversation +`+conversation, b.ok("claim", "link", "acme", "c-1", "#"+conversation))
	shown := b.ok("claim", "show", "acme", "c-1")
	require.Regexp(t, `retry +test`, shown, "the actor")
	require.Regexp(t, `Reference +`+claim.Ref{Shop: "acme", ID: "c-1"}.Reference(), shown, "the reference for a search in Dixa")
	require.Contains(t, b.ok("claim", "show", "acme", "c-1", "-o", "json"), `"reference": "CF-`)
	require.NotContains(t, shown, "ada@example.org")
}

func TestErrorsEndWithTheNextStep(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connected("acme")
	b.ok("claim", "submit", "-f", b.file("claim.json", aClaim))

	err := b.fails(exitRefused, "claim", "submit", "-f", b.file("bad.json", `{"claim_id": "c 9", "shop_slug": "acme"}`))
	require.Contains(t, err, "claim_id: must contain only letters")
	require.Contains(t, err, "reason: is required")
	require.True(t, strings.HasSuffix(err, "Next: correct the errors and run the command again.\n"), err)

	err = b.fails(exitRefused, "claim", "submit", "-f", b.file("other.json", strings.Replace(aClaim, "10001", "10002", 1)))
	require.Contains(t, err, "order.order_number: differs")
	require.Contains(t, err, "Next: submit the changed claim with a new id.")
	require.Contains(t, b.fails(exitRefused, "shop", "show", "nobody"), "Next: list what exists with `starter shop list`")
	require.Contains(t, b.fails(exitFailed, "claim", "submit", "-f", filepath.Join(b.dir, "missing")), "specify a file, or - for the standard input")

	stranger := &bench{t: t, dir: b.dir, environ: []string{"CLAIMFLOW_URL=" + b.api.URL}}
	require.Contains(t, stranger.fails(exitRefused, "shop", "list"), "Next: set CLAIMFLOW_API_KEY to a key that `starter api-key create` created in the service's store.")
	require.Contains(t, stranger.fails(exitFailed, "api-key", "list"), "`starter keyring new` creates a keyring for a new store")

	b.api.Close()
	var stderr bytes.Buffer
	code := run(gone(), []string{"shop", "list"}, &app{in: strings.NewReader(""), out: &bytes.Buffer{}, err: &stderr, environ: b.environ})
	require.Equal(t, exitUnavailable, code, stderr.String())
	require.Contains(t, stderr.String(), "is the service running at "+b.api.URL+"?")
}

func TestShopCommands(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.ok("shop", "add", "acme", "--name", "Acme Ltd")
	require.Contains(t, b.ok("shop", "show", "acme"), "none; save a token with `starter shop connect acme`")
	code, out, _ := b.run(dixaToken+"\r\n", "shop", "connect", "acme")
	require.Equal(t, exitOK, code)
	require.Contains(t, out, "dix…4f2a")
	require.NotContains(t, out, dixaToken)

	for in, words := range map[string]string{
		" " + dixaToken + "\n": "it has leading or trailing whitespace",
		"wrong-" + dixaToken:   "Dixa rejected this token (401)",
	} {
		code, _, err := b.run(in, "shop", "connect", "acme")
		require.Equal(t, exitRefused, code)
		require.Contains(t, err, words)
		require.NotContains(t, err, dixaToken)
	}
	require.Contains(t, b.fails(exitRefused, "shop", "enable", "acme"), "No contact endpoint is set")
	require.Contains(t, b.fails(exitRefused, "shop", "settings", "acme", "email_integration_id=info@acme.example"), "is not a contact endpoint in the shop's Dixa organization")
	settings := b.ok("shop", "settings", "acme", "email_integration_id="+emulator.SeedMailbox, "evidence.max_files=5", `extra_tags=["vip"]`)
	require.Regexp(t, `email_integration_id +"support@demo.email.dixa.io" +shop`, settings)
	require.Regexp(t, `default_language +"en" +inherited`, settings)
	require.Contains(t, settings, `"max_files":5`)
	require.Regexp(t, `extra_tags +\[\] +|extra_tags +null`, b.ok("shop", "settings", "acme", "extra_tags=null"))
	require.Regexp(t, `Enabled +yes`, b.ok("shop", "enable", "acme"))
	require.Regexp(t, `Paused +yes`, b.ok("shop", "pause", "acme"))
	require.Regexp(t, `Paused +no`, b.ok("shop", "resume", "acme"))
	require.Regexp(t, `Enabled +no`, b.ok("shop", "disable", "acme"))
	require.Equal(t, "0 claims retried\n", b.ok("shop", "retry", "acme", "--cause", "template_broken"))
	require.Equal(t, "0 skipped claims opened\n", b.ok("shop", "open-skipped", "acme", "--since", "2026-01-31"))
	require.Regexp(t, `token +ok +accepted by Dixa`, b.ok("shop", "validate", "acme"))
	tested := b.ok("shop", "test", "acme", "--email", "me@acme.example")
	require.Regexp(t, `close it +ok`, tested)

	b.dixa.Inject(emulator.Fault{Operation: "POST /conversations/{conversationId}/notes", Kind: emulator.FaultStatus, Status: 401})
	code, out, err := b.run("", "shop", "test", "acme", "--email", "me@acme.example")
	require.Equal(t, exitFailed, code)
	require.Regexp(t, `write a note +failed`, out)
	require.Empty(t, err, "the table contains the error")
	require.Regexp(t, `Name +Acme GmbH`, b.ok("shop", "update", "acme", "--name", "Acme GmbH"))
	require.Contains(t, b.ok("shop", "list"), "acme")
	b.ok("shop", "remove", "acme", "--yes")
	b.fails(exitRefused, "shop", "show", "acme")
}

func TestTemplateCommands(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.ok("shop", "add", "acme")
	file := b.file("damaged.yaml", "subject: Bruch {{.Order.Number}}\nformat: text\nbody: |\n  Guten Tag\n")
	require.Equal(t, "saved shop/damaged/de\n", b.ok("template", "set", "damaged", "--shop", "acme", "--language", "de", "-f", file))
	preview := b.ok("template", "preview", "damaged", "--shop", "acme", "--language", "de", "--claim", b.file("claim.json", aClaim))
	require.Regexp(t, `Subject +Bruch 10001`, preview)
	require.Contains(t, preview, "Guten Tag")
	require.Contains(t, b.ok("template", "show", "damaged", "--shop", "acme", "--language", "de"), "# shop/damaged/de\nsubject: Bruch")
	require.Regexp(t, `damaged +de +shop`, b.ok("template", "list", "--shop", "acme"))
	require.Contains(t, b.fails(exitRefused, "template", "set", "damaged", "--platform", "-f", b.file("bad.yaml", "body: '{{.Nobody}}'")), "line 1")
	require.Contains(t, b.fails(exitFailed, "template", "set", "damaged", "--platform", "-f", b.file("worse.yaml", "bodi: x")), "is not a valid template (subject, body")
	b.ok("template", "delete", "damaged", "--shop", "acme", "--language", "de")
	require.Contains(t, b.ok("template", "show", "damaged", "--shop", "acme", "--language", "de"), "# built-in/")
}

func TestAPIKeyCommands(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.ok("shop", "add", "acme")
	secret := strings.TrimSpace(b.ok("api-key", "create", "--name", "shop system", "--shop", "acme", "--scope", "claims:write,claims:read"))
	require.True(t, strings.HasPrefix(secret, "cfk_"))
	list := b.ok("api-key", "list", "--shop", "acme")
	require.Contains(t, list, "claims:write,claims:read")
	require.NotContains(t, list, secret)
	key, err := b.store.APIKeys.BySecret(t.Context(), secret)
	require.NoError(t, err)
	require.Equal(t, "revoked "+key.ID+"\n", b.ok("api-key", "revoke", key.ID))
	_, err = b.store.APIKeys.BySecret(t.Context(), secret)
	require.ErrorIs(t, err, store.ErrNotFound)
	require.Contains(t, b.fails(exitFailed, "api-key", "revoke", "nobody"), "list the ids with `starter api-key list`")
	require.Contains(t, b.fails(exitFailed, "api-key", "create", "--name", "x", "--shop", "nobody", "--scope", "admin"), "list the shops with `starter shop list`")
	entries, _, err := b.store.AuditLog.List(t.Context(), claim.AuditFilter{Actor: "cli", Action: "revoke-key"})
	require.NoError(t, err)
	require.Len(t, entries, 1)
}

func TestConfigAndVersion(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	table := b.ok("config")
	require.Contains(t, table, "CLAIMFLOW_DATABASE_URL")
	require.Contains(t, table, "TEMPORAL_ADDRESS")
	require.NotContains(t, table, "cfk_")
	require.Equal(t, "development\n", b.ok("version"))
	require.JSONEq(t, `{"version": "development"}`, b.ok("version", "-o", "json"))
	wrong := &bench{t: t, environ: []string{"CLAIMFLOW_PACE=1ms"}}
	require.Contains(t, wrong.fails(exitFailed, "config"), "CLAIMFLOW_PACE must be at least 100ms")
}

func TestCellRemovesControlCharacters(t *testing.T) {
	t.Parallel()
	require.Equal(t, " [31mred [2J", cell("\x1b[31mred\u009b[2J"))
	require.NotContains(t, cell("a\x1b]0;title\x07b"), "\x1b")
	require.Equal(t, "-", cell(claim.Cause("")))
}

func TestWebhookSecretIsSavedAndNeverShown(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connected("acme")
	secret := strings.Repeat("ab", 31) + "cdef"
	out := b.ok("shop", "webhook-secret", "acme", "--secret-file", b.file("secret", secret+"\n"))
	require.Contains(t, out, "by_hand")
	require.Contains(t, out, b.api.URL+"/webhooks/dixa/", "the URL of the webhook")
	require.Contains(t, out, "aba…cdef")
	require.NotContains(t, out, secret)
	require.NotContains(t, b.ok("shop", "settings", "acme", "-o", "json"), secret)
	b.ok("shop", "enable", "acme")
	require.Empty(t, b.dixa.State().Webhooks, "a manually created webhook stays as it is")

	code, out, err := b.run(secret+"\n", "shop", "webhook-secret", "acme")
	require.Equal(t, exitOK, code, err)
	require.Contains(t, out, "aba…cdef")
	require.Contains(t, b.ok("shop", "webhook-secret", "acme", "--automatic"), "starter shop enable acme")
	b.ok("shop", "enable", "acme")
	require.Len(t, b.dixa.State().Webhooks, 1)
	require.Contains(t, b.fails(exitUsage, "shop", "webhook-secret", "acme"), "a secret is required")
	require.Contains(t, b.fails(exitUsage, "shop", "webhook-secret", "acme", "--automatic", "--secret-file", "x"), "cannot be combined with")
	require.Contains(t, b.fails(exitRefused, "shop", "webhook-secret", "acme", "--secret-file", b.file("short", "x")), "too short")
}
