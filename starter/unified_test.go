package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/client"
)

func TestAccountCommands(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	connection := b.organization("acme")
	require.Regexp(t, `ID +STATUS +ORGANIZATION +SHOPS +READ-ONLY\n`+connection+` +active +Demo Shop +acme +no`, b.ok("account", "list"))
	require.Equal(t, "[]\n", b.ok("account", "list", "--shop", "nobody", "-o", "json"))
	require.Regexp(t, `Status +active`, b.ok("account", "show", "--shop", "acme"))
	var account client.Account
	require.NoError(t, json.Unmarshal([]byte(b.ok("account", "show", "--connection", connection, "-o", "json")), &account))
	require.Equal(t, connection, account.ID)
	require.Contains(t, b.fails(exitFailed, "account", "show", "--shop", "nobody"), "starter shop connect nobody")
	require.Contains(t, b.fails(exitRefused, "account", "show", "--connection", "unknown"), "Next: list the accounts with `starter account list`")
	require.Contains(t, b.fails(exitUsage, "account", "token"), "--shop SHOP or --connection ID")

	mapped := b.ok("account", "mapping", "set", "ticket_types", "Email=written", "Sms=short", "--shop", "acme")
	require.Regexp(t, `Email +Email +written\nSms +Sms +short\nCallback +Callback +-`, mapped)
	require.Regexp(t, `Email +Email +written\nCallback`, b.ok("account", "mapping", "set", "ticket_types", "Sms=", "--shop", "acme"))
	require.Regexp(t, `Email +Email +written`, b.ok("account", "mapping", "show", "ticket_types", "--shop", "acme"))
	require.Contains(t, b.fails(exitUsage, "account", "mapping", "set", "ticket_types", "Email", "--shop", "acme"), "VALUE=CATEGORY")
	b.ok("account", "mapping", "clear", "ticket_types", "--shop", "acme")
	require.NotContains(t, b.ok("account", "mapping", "show", "ticket_types", "--shop", "acme"), "written")

	// The token stands in for the key, for this account only.
	token := strings.TrimSpace(b.ok("account", "token", "--shop", "acme"))
	b.environ = append(b.environ[:len(b.environ)-1], "CLAIMFLOW_API_KEY="+token)
	require.Contains(t, b.ok("account", "show", "--connection", "me"), connection)
	require.Contains(t, b.ok("unified", "list", "teams", "--connection", "me"), "NAME")
	require.Contains(t, b.ok("unified", "proxy", "GET", "organization", "--connection", "me"), "Demo Shop")
	require.Contains(t, b.fails(exitRefused, "shop", "list"), "account token admits only")
}

func TestUnifiedCommandsRead(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.organization("acme")
	list := b.ok("unified", "list", "users", "--shop", "acme")
	require.Regexp(t, `^ID +NAME +`, list)
	require.Contains(t, list, "Anna Agent")
	code, out, note := b.run("", "unified", "list", "users", "--shop", "acme", "--limit", "1", "-o", "json")
	require.Equal(t, exitOK, code)
	require.Contains(t, note, "there are more than 1 objects; see more with --limit")
	var users []map[string]any
	require.NoError(t, json.Unmarshal([]byte(out), &users))
	require.Len(t, users, 1)
	require.Contains(t, users[0], "remote_data", "JSON has everything")
	require.Regexp(t, `name +`, b.ok("unified", "get", "users", users[0]["id"].(string), "--shop", "acme", "--live")) //nolint:errcheck // a test
	require.Contains(t, b.ok("unified", "list", "user-directory/roles", "--shop", "acme", "--live"), "NAME")

	require.Contains(t, b.fails(exitRefused, "unified", "get", "users", "3f0f9c5e-5b0a-4f7e-9d7c-0a6a3a1d0999", "--shop", "acme"), "Next: list what exists with `starter unified list RESOURCE`")
	require.Contains(t, b.fails(exitRefused, "unified", "list", "nothing", "--shop", "acme"), "No such resource")
	require.Contains(t, b.fails(exitRefused, "unified", "list", "users", "--shop", "acme", "--filter", "colour=red"), "colour: is not a parameter here")
	require.Contains(t, b.fails(exitUsage, "unified", "list", "users", "--shop", "acme", "--filter", "colour"), "must be NAME=VALUE")
	require.Contains(t, b.fails(exitUsage, "unified", "list", "users", "--shop", "acme", "--limit", "0"), "at least 1")
	require.Contains(t, b.fails(exitUsage, "unified", "create", "tags", "--shop", "acme"), "specify the file with -f")
	require.Contains(t, b.fails(exitUsage, "unified", "delete", "tags", "x", "--shop", "acme"), "confirm with --yes")
	code, _, problem := b.run("nonsense", "unified", "create", "tags", "--shop", "acme", "-f", "-")
	require.Equal(t, exitFailed, code)
	require.Contains(t, problem, "is not JSON")
}

func TestUnifiedProxyCommand(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.organization("acme")
	require.Contains(t, b.ok("unified", "proxy", "get", "agents", "--shop", "acme", "--query", "pageLimit=1"), `pageKey=`)
	code, out, problem := b.run(`{"name": "vip"}`, "unified", "proxy", "POST", "tags", "--shop", "acme", "-f", "-")
	require.Equal(t, exitOK, code, problem)
	require.Contains(t, out, `"vip"`)
	code, out, problem = b.run("", "unified", "proxy", "GET", "conversations/999999", "--shop", "acme")
	require.Equal(t, exitRefused, code)
	require.Contains(t, out, "could not be found", "Dixa's own answer")
	require.Contains(t, problem, "Dixa answered 404 Not Found")
	require.Contains(t, problem, "Next: ")
	require.Contains(t, b.fails(exitRefused, "unified", "proxy", "GET", "agents/..", "--shop", "acme"), "names and ids")
	b.ok("shop", "settings", "acme", "read_only=true")
	require.Contains(t, b.fails(exitRefused, "unified", "proxy", "DELETE", "tags/x", "--shop", "acme"), "read-only")
}

// Writes are durable operations, which need a worker. These tests only look at what the
// commands send and print.
func TestUnifiedCommandsWrite(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var got []string
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = append(got, r.Method+" "+r.RequestURI+" "+string(body)+" "+r.Header.Get("Idempotency-Key"))
		if r.Method == http.MethodDelete {
			w.WriteHeader(http.StatusNotImplemented)
			_, _ = io.WriteString(w, `{"statusCode": 501, "error": "Not Implemented", "message": "Dixa does not support it. Close the ticket."}`)
			return
		}
		_, _ = io.WriteString(w, `{"id": "t-1", "name": "vip", "tags": [{"id": "1", "name": "a"}], "status": {"id": "open", "name": "open"}, "remote_data": {}}`)
	}))
	t.Cleanup(service.Close)
	b.environ = append(b.environ, "CLAIMFLOW_URL="+service.URL)
	file := b.file("tag.json", `{"name": "vip"}`)
	out := b.ok("unified", "create", "tags", "--connection", "acc", "-f", file, "--key", "k-1")
	require.Regexp(t, `id +t-1\nname +vip\nstatus +open\ntags +a\n$`, out)
	b.ok("unified", "update", "user-directory/users", "u/1", "--connection", "acc", "-f", file, "--key", "k-2")
	require.Contains(t, b.fails(exitRefused, "unified", "delete", "tickets", "t-1", "--connection", "acc", "--key", "k-3", "--yes"), "Close the ticket")
	require.Equal(t, []string{
		`POST /unified/ticketing/tags?integrated_account_id=acc {"name": "vip"} k-1`,
		`PATCH /unified/user-directory/users/u%2F1?integrated_account_id=acc {"name": "vip"} k-2`,
		`DELETE /unified/ticketing/tickets/t-1?integrated_account_id=acc  k-3`,
	}, got)
}

func TestValuesInWords(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]any{
		`null`: "", `"x"`: "x", `true`: true, `{"id": "1", "name": null}`: "1", `{"id": "1", "name": "n"}`: "n", `[{"email": "a"}, {"email": "b"}]`: "a,b", `7`: "7",
		`"` + strings.Repeat("é", 50) + `"`: strings.Repeat("é", 39) + "…",
	} {
		var v any
		require.NoError(t, json.Unmarshal([]byte(text), &v))
		require.Equal(t, want, inWords(v), text)
	}
}
