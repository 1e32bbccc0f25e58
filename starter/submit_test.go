package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/client"
)

func TestSubmitContinuesAfterRefusedClaim(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connected("acme")
	b.ok("claim", "submit", "-f", b.file("one.json", aClaim))
	list := b.file("list.json", `[`+aClaim+`,
		{"claim_id": "c-2", "shop_slug": "acme"},
		{"reason": "damaged"},
		7,
		{"claim_id": "c-5", "shop_slug": "nobody", "reason": "support", "order": {}},
		{"claim_id": "c-6", "shop_slug": "acme", "reason": "support", "order": {}}]`)

	code, out, err := b.run("", "claim", "submit", "-f", list)
	require.Equal(t, exitRefused, code)
	require.Empty(t, err, "the table contains the error")
	require.Regexp(t, `(?m)^SHOP +CLAIM +RESULT +STATE +WORKFLOW OR ERRORS$`, out)
	require.Regexp(t, `(?m)^acme +c-1 +known +received +claim:acme:c-1$`, out)
	require.Regexp(t, `(?m)^acme +c-2 +refused +- .*reason: is required`, out)
	require.Regexp(t, `(?m)^- +\(number 3\) +refused .*specify the shop with --shop`, out)
	require.Regexp(t, `(?m)^- +\(number 4\) +refused`, out)
	require.Regexp(t, `(?m)^nobody +c-5 +refused +- .*not found`, out)
	require.Regexp(t, `(?m)^acme +c-6 +new +received`, out)

	code, out, err = b.run("", "claim", "submit", "-f", list, "-o", "json")
	require.Equal(t, exitRefused, code)
	require.Empty(t, err)
	var all []submission
	require.NoError(t, json.Unmarshal([]byte(out), &all))
	require.Len(t, all, 6)
	results := make([]string, len(all))
	for i, s := range all {
		require.Equal(t, i+1, s.Index)
		require.Equal(t, s.Result == "refused", s.Error != nil)
		results[i] = s.Result
	}
	require.Equal(t, []string{"known", "refused", "refused", "refused", "refused", "known"}, results)
	require.Equal(t, client.CodeInvalid, all[1].Error.Code)
	require.NotEmpty(t, all[1].Error.Errors)
}

func TestSubmitListReturnsList(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connected("acme")
	require.JSONEq(t, `[]`, b.ok("claim", "submit", "-o", "json", "-f", b.file("none.json", ` [] `)))
	var one []client.Submitted
	require.NoError(t, json.Unmarshal([]byte(b.ok("claim", "submit", "-o", "json", "-f", b.file("list.json", "["+aClaim+"]"))), &one))
	require.Len(t, one, 1)
	var single client.Submitted
	require.NoError(t, json.Unmarshal([]byte(b.ok("claim", "submit", "-o", "json", "-f", b.file("claim.json", aClaim))), &single))
	require.Equal(t, "c-1", single.Claim.ID)
	require.Contains(t, b.fails(exitUsage, "claim", "submit", "-f", b.file("nowhere.json", `{"claim_id": "c-9"}`)), "specify the shop with --shop")
}

func TestMalformedJSONReportsPosition(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for content, words := range map[string]string{
		"{\n  \"claim_id\": c-1}": "line 2, column 15: invalid character 'c' looking for beginning of value",
		"[{},\n{]":                "line 2, column 2: invalid character ']'",
		`{"claim_id": "c`:         "line 1, column 15: unexpected end of JSON input",
		" \n":                     "the file is empty",
	} {
		require.Contains(t, b.fails(exitFailed, "claim", "submit", "-f", b.file("bad.json", content)), words, content)
	}
}

// TestSubmitReportsAcceptedClaimsWhenServiceStops stops the service after the first
// claim.
func TestSubmitReportsAcceptedClaimsWhenServiceStops(t *testing.T) {
	t.Parallel()
	for status, exit := range map[int]int{http.StatusInternalServerError: exitUnavailable, http.StatusUnauthorized: exitRefused} {
		calls := 0
		service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if calls++; calls > 1 {
				w.WriteHeader(status)
				return
			}
			w.WriteHeader(http.StatusAccepted)
			_, _ = w.Write([]byte(`{"new": true, "claim": {"shop": "acme", "claim_id": "c-1", "state": "received"}}`))
		}))
		b := &bench{t: t, dir: t.TempDir(), environ: []string{"CLAIMFLOW_URL=" + service.URL}}
		code, out, err := b.run("", "claim", "submit", "--shop", "acme", "-f", b.file("list.json", `[{}, {}, {}]`))
		service.Close()
		require.Equal(t, exit, code, err)
		require.Regexp(t, `(?m)^acme +c-1 +new`, out)
		require.Contains(t, err, "claim 2 of 3 and all after it were not submitted")
		require.Equal(t, 2, calls, "the third claim is not submitted")
		require.Equal(t, 2, strings.Count(out, "\n"))
	}
}
