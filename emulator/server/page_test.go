package server_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/emulator/server"
)

// submit submits a form on the page, as a browser does, and returns the next page.
func (d *dixa) submit(fields ...string) string {
	d.t.Helper()
	form := url.Values{}
	for i := 0; i < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	r, err := http.NewRequestWithContext(d.t.Context(), http.MethodPost, d.url+"/_emulator/act", strings.NewReader(form.Encode()))
	require.NoError(d.t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", d.url)
	answer, err := d.client.Do(r)
	require.NoError(d.t, err)
	defer answer.Body.Close()
	require.Equal(d.t, http.StatusOK, answer.StatusCode)
	page, err := io.ReadAll(answer.Body)
	require.NoError(d.t, err)
	return string(page)
}

// A person goes through the whole loop on the page.
func TestPageActions(t *testing.T) {
	t.Parallel()
	d := start(t, server.Options{})
	require.Contains(t, string(d.do(http.MethodGet, "/_emulator/", nil, http.StatusOK).body), "No conversations yet")
	d.open(d.customer("a@example.org"))
	asked := d.Stats().Requests
	on := []string{"conversation", "1001"}
	act := func(fields ...string) string { return d.submit(append(on, fields...)...) }

	require.Contains(t, string(d.do(http.MethodGet, "/_emulator/", nil, http.StatusOK).body), "awaiting reply")
	page := act("action", "claim")
	require.Contains(t, page, "<dt>Agent</dt><dd>Anna Agent</dd>")
	page = act("action", "reply", "text", "We send a new one & more.")
	require.Contains(t, page, "We send a new one &amp; more.")
	require.NotContains(t, page, "awaiting reply")
	require.Contains(t, act("action", "answer", "text", "Thank you."), "from the customer")
	require.Contains(t, act("action", "note", "text", "A loyal one."), "internal note")
	require.Contains(t, act("action", "tag", "tag", "claim-accepted"), "Remove the tag claim-accepted")
	require.NotContains(t, act("action", "untag", "tag", "claim-accepted"), "Remove the tag claim-accepted")
	require.Contains(t, act("action", "pending"), "Remove the follow-up")
	require.Contains(t, act("action", "unpend"), `class="state Open"`)
	page = act("action", "close")
	require.Contains(t, page, `class="state Closed"`)
	require.Contains(t, page, "ConversationClosed", "the activity log has no entry")
	require.Contains(t, act("action", "reopen"), `class="state Open"`)
	c := d.State().Conversations[0]
	require.Len(t, c.Messages, 3)
	require.Len(t, c.Notes, 1)
	require.Equal(t, asked, d.Stats().Requests, "actions on the page counted as API requests")
}

func TestPageShowsActionErrors(t *testing.T) {
	t.Parallel()
	d := start(t, server.Options{})
	d.open(d.customer("a@example.org"))
	for _, tt := range []struct {
		fields []string
		says   string
	}{
		{[]string{"conversation", "1001", "action", "tag", "tag", " "}, "the tag name is required"},
		{[]string{"conversation", "1001", "action", "untag", "tag", "nothing"}, "not found"},
		{[]string{"conversation", "1001", "action", "dance"}, "unknown agent action"},
		{[]string{"conversation", "1001", "action", "unpend"}, "is not pending"},
		{[]string{"conversation", "4711", "action", "close"}, "conversation not found"},
		{[]string{"action", "close"}, "Action failed"},
	} {
		require.Contains(t, d.submit(tt.fields...), tt.says, tt.fields)
	}
	require.Empty(t, d.State().Tags, "removing an unknown tag created it")
}

func TestPageSearch(t *testing.T) {
	t.Parallel()
	d := start(t, server.Options{})
	for _, name := range []string{"anna", "bert"} {
		d.open(d.customer(name + "@example.org"))
	}
	require.NoError(t, d.Agent(t.Context(), server.Step{Conversation: 1001, Action: server.PlayTag, Tag: "vip"}))
	for find, want := range map[string][]bool{
		"anna": {true, false}, "BERT open": {false, true}, "vip": {true, false}, "closed": {false, false}, "1002": {false, true}, "": {true, true},
	} {
		page := string(d.do(http.MethodGet, "/_emulator/?find="+url.QueryEscape(find), nil, http.StatusOK).body)
		for i, listed := range want {
			require.Equal(t, listed, strings.Contains(page, []string{"?conversation=1001", "?conversation=1002"}[i]), "%q", find)
		}
	}
}

func TestPageRejectsCrossOriginForms(t *testing.T) {
	t.Parallel()
	d := start(t, server.Options{})
	d.open(d.customer("a@example.org"))
	for name, value := range map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://elsewhere.example"} {
		request := httptest.NewRequest(http.MethodPost, "/_emulator/act", strings.NewReader("conversation=1001&action=close"))
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		request.Header.Set(name, value)
		recorder := httptest.NewRecorder()
		d.ServeHTTP(recorder, request)
		require.Equal(t, http.StatusForbidden, recorder.Code, name)
	}
	require.Equal(t, server.StateOpen, d.State().Conversations[0].State)
	for path, kind := range map[string]string{"/_emulator/page.css": "text/css", "/_emulator/page.js": "text/javascript"} {
		require.Contains(t, d.do(http.MethodGet, path, nil, http.StatusOK).header.Get("Content-Type"), kind)
	}
}
