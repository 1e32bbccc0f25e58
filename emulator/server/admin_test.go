package server_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/emulator/server"
)

func TestAdminFaults(t *testing.T) {
	t.Parallel()
	d := start(t, server.Options{})
	d.do(http.MethodPost, "/_emulator/faults", `{"operation":"GET /organization","kind":"status","status":500,"times":2}`, http.StatusNoContent)
	d.do(http.MethodGet, "/organization", nil, http.StatusInternalServerError)
	var faults []server.Fault
	decode(t, d.do(http.MethodGet, "/_emulator/faults", nil, http.StatusOK).body, &faults)
	require.Equal(t, 1, faults[0].Times, "remaining times")
	d.do(http.MethodDelete, "/_emulator/faults", nil, http.StatusNoContent)
	d.do(http.MethodGet, "/organization", nil, http.StatusOK)

	for body, words := range map[string]string{
		`{"kind":"explode"}`:                 "must be one of status, delay",
		`{"kind":"status","opration":"x"}`:   `unknown field "opration"`,
		`{"kind":"delay","delay":"a while"}`: "use a format such as 250ms",
		`{`:                                  "parse fault",
	} {
		require.Contains(t, d.do(http.MethodPost, "/_emulator/faults", body, http.StatusBadRequest).message(), words)
	}
}

func TestAdminSwitches(t *testing.T) {
	t.Parallel()
	d := start(t, server.Options{})
	var switches server.Switches
	patched := d.do(http.MethodPatch, "/_emulator/switches", `{"listLag":"2s","externalId":"stored","webhooks":{"duplicate":0.5}}`, http.StatusOK)
	decode(t, patched.body, &switches)
	require.Equal(t, server.Duration(2*time.Second), switches.ListLag)
	decode(t, d.do(http.MethodPatch, "/_emulator/switches", `{"autoReply":true}`, http.StatusOK).body, &switches)
	require.Equal(t, server.ExternalIDStored, switches.ExternalID, "the patch changed another switch")
	require.InDelta(t, 0.5, switches.Webhooks.Duplicate, 0)
	require.Equal(t, 3, switches.Webhooks.Attempts)
	require.Equal(t, switches, d.Switches())

	for body, words := range map[string]string{
		`{"externalId":"global"}`:        "must be one of organization, conversation, stored, dropped",
		`{"webhooks":{"lose":2}}`:        "must be between 0 and 1",
		`{"limitReading":"none"}`:        "must be one of both, bucket, window, off",
		`{"externalID ":"organization"}`: "GET /_emulator/switches lists all switches",
	} {
		require.Contains(t, d.do(http.MethodPatch, "/_emulator/switches", body, http.StatusBadRequest).message(), words)
	}
	require.Equal(t, switches, d.Switches(), "a rejected patch changed a switch")
}

func TestDefaultSwitchesAreValid(t *testing.T) {
	t.Parallel()
	defaults := server.Switches{}.WithDefaults()
	require.NoError(t, defaults.Validate())
	require.Equal(t, defaults, defaults.WithDefaults())
	require.Equal(t, server.ExternalIDOrganization, defaults.ExternalID)
}

func TestAdminPlay(t *testing.T) {
	t.Parallel()
	d := start(t, server.Options{})
	id := d.open(d.customer("a@example.org"))
	d.do(http.MethodPost, "/_emulator/play", `{"steps":[
		{"action":"claim"},
		{"action":"reply","html":"<p>We send a new one.</p>"},
		{"action":"note","text":"Approved"},
		{"action":"tag","tag":"claim-accepted"},
		{"action":"tag","tag":"mistake"},
		{"action":"untag","tag":"mistake"},
		{"action":"transfer","queue":"`+server.SeedQueueClaims+`"},
		{"action":"pending","until":"2099-01-01T00:00:00Z"},
		{"action":"close","agent":"`+server.SeedAgentBen+`"},
		{"action":"reopen"},
		{"action":"close"},
		{"actor":"customer","action":"reply","text":"Thanks"},
		{"actor":"customer","action":"rate","score":5,"text":"Great"}
	]}`, http.StatusNoContent)
	conversation, found := d.State().Conversation(id)
	require.True(t, found)
	require.Equal(t, server.StateOpen, conversation.State, "the customer's reply did not reopen it")
	require.Equal(t, []string{"claim-accepted"}, conversation.TagNames)
	require.Len(t, conversation.Messages, 3)
	require.Equal(t, server.SeedAgentAnna, conversation.Messages[1].AuthorID)
	require.Equal(t, "Html", conversation.Messages[1].Content.Type)
	require.Equal(t, "Approved", conversation.Notes[0].Text)
	require.Equal(t, 5, *conversation.Ratings[0].Score)
	require.Equal(t, 2, d.Stats().Requests, "a play counted as an API request")

	for body, words := range map[string]string{
		`{}`:                             "steps is required",
		`{"steps":[{"action":"dance"}]}`: `unknown agent action "dance"`,
		`{"steps":[{"actor":"customer","action":"close"}]}`:                   `unknown customer action "close"`,
		`{"steps":[{"actor":"robot","action":"close"}]}`:                      "must be agent or customer",
		`{"steps":[{"action":"close","conversation":7}]}`:                     "conversation not found",
		`{"steps":[{"action":"close","agent":"nobody"}]}`:                     `agent "nobody" not found`,
		`{"steps":[{"action":"transfer","queue":"none"}]}`:                    `queue "none" not found`,
		`{"steps":[{"actor":"customer","action":"rate","score":9}]}`:          "between 1 and 5",
		`{"steps":[{"action":"reply","attachments":["http://127.0.0.1:1"]}]}`: "Failure to download attachment",
	} {
		require.Contains(t, d.do(http.MethodPost, "/_emulator/play", body, http.StatusBadRequest).message(), words)
	}
}

func TestTokens(t *testing.T) {
	t.Parallel()
	d := start(t, server.Options{Token: "first", Tokens: []string{"second"}})
	for token, status := range map[string]int{
		"first": 200, "second": 200, "Bearer first": 200, "third": 401, "Bearer third": 401, "": 401, "bearer first": 401,
	} {
		d.token = token
		got := d.do(http.MethodGet, "/organization", nil, status)
		if status == http.StatusUnauthorized {
			require.JSONEq(t, `{"message":"Unauthorized"}`, string(got.body), token)
		}
	}
	d.token = "third"
	d.do(http.MethodPost, "/_emulator/tokens", `{"token":"third"}`, http.StatusNoContent)
	d.do(http.MethodGet, "/organization", nil, http.StatusOK)
	d.do(http.MethodDelete, "/_emulator/tokens", `{"token":"third"}`, http.StatusNoContent)
	d.do(http.MethodGet, "/organization", nil, http.StatusUnauthorized)
	d.do(http.MethodPost, "/_emulator/tokens", `{}`, http.StatusBadRequest)
	require.NotContains(t, string(d.do(http.MethodGet, "/_emulator/stats", nil, http.StatusOK).body), "bearer first", "the stats contain an unknown token")
}

func TestReset(t *testing.T) {
	t.Parallel()
	d := start(t, server.Options{Switches: server.Switches{AutoReply: true}})
	before := d.State()
	first := d.customer("a@example.org")
	d.open(first)
	d.SetSwitches(server.Switches{})
	d.Inject(server.Fault{Kind: server.FaultStatus})
	d.do(http.MethodPost, "/_emulator/reset", nil, http.StatusNoContent)
	require.Equal(t, before, d.State())
	require.True(t, d.Switches().AutoReply)
	require.Zero(t, d.Stats().Requests)
	require.Equal(t, first, d.customer("a@example.org"), "ids restart after a reset")
	require.EqualValues(t, 1001, d.open(first))
}

func TestOrganizationAbsent(t *testing.T) {
	t.Parallel()
	d := start(t, server.Options{OrganizationID: "e9609fa9-efff-4fdc-a7ef-dd335f33c5f6", OrganizationName: "Other"})
	var organization object
	d.do(http.MethodGet, "/organization", nil, http.StatusOK).data(&organization)
	require.Equal(t, object{"id": "e9609fa9-efff-4fdc-a7ef-dd335f33c5f6", "name": "Other", "subdomain": "demo-shop", "status": "Active"}, organization)
	d.SetSwitches(server.Switches{OrganizationAbsent: true})
	d.do(http.MethodGet, "/organization", nil, http.StatusNotFound)
	d.do(http.MethodGet, "/nowhere", nil, http.StatusNotFound)
	d.do(http.MethodDelete, "/organization", nil, http.StatusNotFound)
	require.Equal(t, 2, d.Stats().ByOperation["(no such operation)"])
}

func TestPageEscapesHostileText(t *testing.T) {
	t.Parallel()
	d := start(t, server.Options{})
	body := mail(d.customer("a@example.org"), "")
	body["subject"] = `<script>alert("subject")</script>`
	body["message"] = object{"_type": "Inbound", "content": object{"_type": "Html", "value": `"><script>alert("body")</script>`}}
	d.do(http.MethodPost, "/conversations", body, http.StatusCreated)
	d.do(http.MethodPost, "/conversations/1001/notes", object{"message": "<img src=x onerror=alert(1)>"}, http.StatusOK)
	require.NoError(t, d.Agent(t.Context(), server.Step{Action: server.PlayTag, Tag: "<b>tag"}))

	page := d.do(http.MethodGet, "/_emulator/", nil, http.StatusOK)
	html := string(page.body)
	require.Equal(t, 1, strings.Count(html, "<script"), "the page's own script")
	require.NotContains(t, html, "<img")
	require.NotContains(t, html, "<b>")
	require.Contains(t, html, `sandbox=""`)
	require.Contains(t, html, "&lt;script&gt;alert(&#34;subject&#34;)")
	require.Contains(t, page.header.Get("Content-Security-Policy"), "default-src 'none'")
	require.Contains(t, page.header.Get("Content-Security-Policy"), "script-src 'self';")
}

func TestAdminRejectsCrossOriginRequests(t *testing.T) {
	t.Parallel()
	emulator := server.New(server.Options{})
	t.Cleanup(emulator.Close)
	request := httptest.NewRequest(http.MethodPost, "/_emulator/reset", strings.NewReader(""))
	request.Header.Set("Sec-Fetch-Site", "cross-site")
	recorder := httptest.NewRecorder()
	emulator.ServeHTTP(recorder, request)
	require.Equal(t, http.StatusForbidden, recorder.Code)
}

func TestInvalidOptionsPanic(t *testing.T) {
	t.Parallel()
	require.PanicsWithValue(t, `emulator: invalid setting "x" for switch externalId: must be one of organization, conversation, stored, dropped`,
		func() { server.New(server.Options{Switches: server.Switches{ExternalID: "x"}}) })
}

func TestSeedIsCopied(t *testing.T) {
	t.Parallel()
	seed := server.DefaultSeed()
	seed.Tags = []*server.Tag{{ID: "0d5d2a0f-5b54-4b2e-8b7c-0a3e5d2f6c11", Name: "vip"}}
	one, two := start(t, server.Options{Seed: seed}), start(t, server.Options{Seed: seed})
	one.do(http.MethodPatch, "/tags/0d5d2a0f-5b54-4b2e-8b7c-0a3e5d2f6c11/deactivate", nil, http.StatusNoContent)
	require.True(t, one.State().Tags[0].Inactive)
	require.False(t, two.State().Tags[0].Inactive)
}
