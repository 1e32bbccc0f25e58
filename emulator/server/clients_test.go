package server_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/emulator/server"
)

// These tests send the requests of public clients of Dixa and read the answers as the
// clients do. They were written from the clients' public texts and hold none of their
// code.

// The versions of the clients. The stored texts of two parts have no known commit: the
// probes of tap-dixa's Client.check_access and discover, and the fan-out in PostHog's
// dixa.py, whose settings are those of posthogFanOut.
const (
	tapClient     = "singer-io/tap-dixa@5c559e0" // conversations and the client
	tapMessages   = "singer-io/tap-dixa@15539a6"
	tapActivity   = "singer-io/tap-dixa@4dd3234"
	tapProbes     = "singer-io/tap-dixa, later than 5c559e0"
	posthog       = "PostHog/posthog@6ebb40d"
	posthogFanOut = "PostHog/posthog@623ec8d"
	airbyte       = "airbytehq/airbyte@7555981"
)

// The forms in which the clients send the token.
var (
	rawToken    = "demo-token"
	bearerToken = "Bearer demo-token"
	basicToken  = "Basic " + base64.StdEncoding.EncodeToString([]byte("bearer:demo-token"))
)

// kinds are the JSON types of a client's fields, by name. A field that ends with a
// question mark may also be null or absent.
type kinds map[string]string

func (k kinds) and(kind string, names string) kinds {
	joined := maps.Clone(k)
	for name := range strings.FieldsSeq(names) {
		joined[name] = kind
	}
	return joined
}

// Fields that the clients' schemas or keys name.
var (
	conversationKinds = kinds{}.and("integer", "id created_at updated_at").
				and("integer", "queued_at? closed_at? rating_score? assigned_at? total_duration? handling_duration? transfer_time? last_message_created_at? anonymized_at?").
				and("string", "initial_channel direction status requester_id").
				and("string", "requester_name? requester_email? requester_phone_number? queue_id? queue_name? rating_message? assignee_id? assignee_name? assignee_email? assignee_phone_number? to_provisioned_phone_number_id? to_provisioned_phone_number_name? from_provisioned_phone_number_id? from_provisioned_phone_number_name? dixa_email_integration_id? dixa_email_integration_sender_name? forwarding_email? facebook_page_id? facebook_page_name? widget_id? widget_name? transferee_name? transferee_number? originating_country? subject?").
				and("array", "ratings tags tags_info conversation_wrapup_notes custom_fields requester_additional_emails requester_additional_phone_numbers")
	messageKinds = kinds{}.and("integer", "csid created_at duration?").and("boolean", "is_automated_message").
			and("string", "id initial_channel direction author_name? author_email? text? from? from_phone_number? to_phone_number? recording_url? voicemail_url? chat_input_question? chat_input_answer? chat_menu_text?").
			and("array", "to cc bcc attached_files")
	activityKinds = kinds{}.and("integer", "conversationId").and("string", "id activityTimestamp activityType _type").and("object", "author? attributes?")
	idKinds       = kinds{"id": "string"}
)

// clientRequest is one request of a client and what it needs from the answer.
type clientRequest struct {
	client, authorization, target string
	data                          bool // the rows are in the member data, not the whole body
	fields                        kinds
}

// The filled history ends at filledUntil; these windows lie in it.
var (
	monthEnd  = filledUntil.UnixMilli()
	tapStart  = filledUntil.Add(-31 * 24 * time.Hour).UnixMilli()
	postStart = filledUntil.Add(-30 * 24 * time.Hour).UnixMilli()
)

func clientRequests() []clientRequest {
	exports := func(name, field string, after, before int64) string {
		return fmt.Sprintf("/exports/v1/%s?%s_after=%d&%s_before=%d", name, field, after, field, before)
	}
	return []clientRequest{
		{tapClient, basicToken, exports("conversation_export", "updated", tapStart, monthEnd), false, conversationKinds},
		{tapMessages, basicToken, exports("message_export", "created", tapStart, monthEnd), false, messageKinds},
		{tapActivity, rawToken, "/v1/conversations/activitylog?fromDatetime=2026-06-01T00%3A00%3A00Z&toDatetime=2026-07-01T12%3A00%3A00Z&pageLimit=10000", true, activityKinds},
		{tapProbes, rawToken, "/v1/conversations/activitylog?fromDatetime=2026-06-01T00%3A00%3A00Z&toDatetime=2026-07-01T12%3A00%3A00Z&pageLimit=1", true, activityKinds},
		{tapProbes, rawToken, "/v1/conversations/activitylog?fromDatetime=2026-06-01T00%3A00%3A00Z&toDatetime=2026-07-01T12%3A00%3A00Z", true, activityKinds},
		{posthog, bearerToken, exports("conversation_export", "updated", postStart, monthEnd), false, conversationKinds},
		{posthog, bearerToken, "/v1/agents", true, idKinds},
		{posthog, bearerToken, "/v1/endusers", true, idKinds},
		{posthog, bearerToken, "/v1/queues", true, idKinds},
		{posthog, bearerToken, "/v1/tags", true, idKinds},
		{posthogFanOut, bearerToken, "/v1/teams", true, idKinds},
		{posthogFanOut, bearerToken, "/v1/teams/" + server.SeedTeamCare + "/agents", true, idKinds},
		{posthogFanOut, bearerToken, "/v1/conversations/1001/messages", true, kinds{"id": "string", "createdAt": "string"}},
		{posthogFanOut, bearerToken, "/v1/conversations/%rated/ratings", true, kinds{"id": "string", "ratingType": "string"}},
		{posthogFanOut, bearerToken, "/v1/conversations/activitylog", true, activityKinds},
		{posthogFanOut, bearerToken, "/v1/conversations/activitylog?fromDatetime=2026-06-01T00%3A00%3A00.000Z", true, activityKinds},
		{airbyte, bearerToken, exports("conversation_export", "updated", time.Date(2026, 5, 30, 0, 0, 0, 0, time.UTC).UnixMilli(), time.Date(2026, 6, 29, 0, 0, 0, 0, time.UTC).UnixMilli()), false, conversationKinds},
	}
}

// as sends a request with the headers of a client, all of which are written in Python.
func (d *dixa) as(authorization, target string) answer {
	d.t.Helper()
	request, err := http.NewRequestWithContext(d.t.Context(), http.MethodGet, d.url+target, nil)
	require.NoError(d.t, err)
	request.Header = http.Header{"Authorization": {authorization}, "Accept": {"*/*"}, "User-Agent": {"python-requests/2.32.3"}}
	response, err := d.client.Do(request)
	require.NoError(d.t, err)
	defer response.Body.Close()
	got := answer{t: d.t, status: response.StatusCode, header: response.Header}
	var body json.RawMessage
	require.NoError(d.t, json.NewDecoder(response.Body).Decode(&body), target)
	got.body = body
	return got
}

// page is an answer of the API.
type page struct {
	Data []object `json:"data"`
	Meta struct {
		Next string `json:"next"`
	} `json:"meta"`
}

func (d *dixa) pageAs(authorization, target string) page {
	d.t.Helper()
	got := d.as(authorization, target)
	require.Equal(d.t, http.StatusOK, got.status, "%s: %s", target, got.body)
	var read page
	decode(d.t, got.body, &read)
	return read
}

func (d *dixa) rowsAs(request clientRequest) []object {
	d.t.Helper()
	if request.data {
		return d.pageAs(request.authorization, request.target).Data
	}
	got := d.as(request.authorization, request.target)
	require.Equal(d.t, http.StatusOK, got.status, "%s: %s", request.target, got.body)
	var rows []object
	decode(d.t, got.body, &rows)
	require.NotNil(d.t, rows, "without rows, an export is an empty array")
	return rows
}

// kindOf names the JSON type of a decoded value.
func kindOf(value any) string {
	switch value := value.(type) {
	case nil:
		return "null"
	case string:
		return "string"
	case bool:
		return "boolean"
	case float64:
		if value == float64(int64(value)) {
			return "integer"
		}
		return "number"
	case []any:
		return "array"
	}
	return "object"
}

// Every request of the clients gets the rows and fields that it needs, whether empty
// fields are null or omitted.
func TestClientsFindTheirFields(t *testing.T) {
	t.Parallel()
	d := filled(t, server.FillOptions{Conversations: 150, Seed: 1, Span: 60 * 24 * time.Hour})
	rated := slices.IndexFunc(d.Truth(), func(truth server.Truth) bool { return len(truth.Ratings) > 0 })
	for _, empty := range []string{"null", "omitted"} {
		d.SetSwitches(server.Switches{LimitReading: server.LimitOff, Exports: server.ExportSwitches{Empty: empty}})
		for _, request := range clientRequests() {
			request.target = strings.Replace(request.target, "%rated", fmt.Sprint(d.Truth()[rated].ID), 1)
			rows := d.rowsAs(request)
			require.NotEmpty(t, rows, "%s: %s", request.client, request.target)
			for _, row := range rows {
				for field, kind := range request.fields {
					name, optional := strings.CutSuffix(field, "?")
					value, given := row[name]
					if optional && value == nil {
						require.Equal(t, empty == "null" && !request.data, given, "%s: %s", request.client, name)
						continue
					}
					require.Equal(t, kind, kindOf(value), "%s: %s: %s", request.client, request.target, name)
				}
			}
		}
	}
}

// The clients tell a bad token from other errors by the status.
func TestClientsKnowTheStatuses(t *testing.T) {
	t.Parallel()
	now := newClock()
	d := start(t, server.Options{Clock: now.Now, Limit: server.Limit{Reading: server.LimitBoth}})
	window := fmt.Sprintf("updated_after=%d&updated_before=%d", minute(7, 0), minute(8, 0))
	wrongBasic := "Basic " + base64.StdEncoding.EncodeToString([]byte("bearer:wrong"))
	for _, tt := range []struct {
		client, authorization, target string
		want                          int
	}{
		{tapProbes, "wrong", "/v1/conversations/activitylog?pageLimit=1", http.StatusUnauthorized},
		{tapProbes, wrongBasic, conversationExport + "?" + window, http.StatusUnauthorized},
		{posthog, "Bearer wrong", "/v1/agents", http.StatusUnauthorized},
		{airbyte, "Bearer wrong", conversationExport + "?" + window, http.StatusUnauthorized},
		{posthogFanOut, bearerToken, "/v1/conversations/4711/messages", http.StatusNotFound},
		{tapClient, basicToken, conversationExport + "?updated_after=1", http.StatusBadRequest},
		{tapClient, basicToken, conversationExport + "?csids=1,2,3,4,5,6,7,8,9,10,11", http.StatusUnprocessableEntity},
	} {
		require.Equal(t, tt.want, d.as(tt.authorization, tt.target).status, "%s: %s", tt.client, tt.target)
		now.Advance(time.Second)
	}
	// tap-dixa waits 60 seconds after a 429; PostHog sends a request every 6.5 seconds.
	now.Advance(time.Minute)
	for range 10 {
		require.Equal(t, http.StatusOK, d.as(basicToken, conversationExport+"?"+window).status)
	}
	require.Equal(t, http.StatusTooManyRequests, d.as(basicToken, conversationExport+"?"+window).status)
	now.Advance(time.Minute)
	for range 30 {
		require.Equal(t, http.StatusOK, d.as(bearerToken, conversationExport+"?"+window).status)
		now.Advance(6500 * time.Millisecond)
	}
}

// tap-dixa takes only the page key from meta.next and repeats its own parameters.
// PostHog follows meta.next as a whole and stops if it leaves Dixa's host.
func TestClientsReadEveryPage(t *testing.T) {
	t.Parallel()
	d := filled(t, server.FillOptions{Conversations: 40, Seed: 2, Span: 30 * 24 * time.Hour})
	var want []string
	for _, truth := range d.Truth() {
		for _, entry := range truth.Activity {
			want = append(want, entry.ID)
		}
	}
	const dixaHost = "https://dev.dixa.io"
	for _, links := range []string{"relative", "absolute"} {
		d.SetSwitches(server.Switches{LimitReading: server.LimitOff, NextLinks: links})
		var tap, followed []string
		parameters := url.Values{"fromDatetime": {"2026-05-01T00:00:00Z"}, "toDatetime": {"2026-07-02T00:00:00Z"}, "pageLimit": {"100"}}
		for more := true; more; {
			read := d.pageAs(rawToken, "/v1/conversations/activitylog?"+parameters.Encode())
			tap = append(tap, ids(read.Data)...)
			next, err := url.Parse(read.Meta.Next)
			require.NoError(t, err)
			parameters.Set("pageKey", next.Query().Get("pageKey"))
			more = parameters.Get("pageKey") != ""
		}
		require.ElementsMatch(t, want, tap, tapActivity)

		for target := "/v1/conversations/activitylog"; target != ""; {
			read := d.pageAs(bearerToken, target)
			followed = append(followed, ids(read.Data)...)
			base, err := url.Parse(dixaHost + "/v1")
			require.NoError(t, err)
			next, err := base.Parse(read.Meta.Next)
			require.NoError(t, err)
			if target = ""; read.Meta.Next != "" && next.Host == base.Host {
				target = next.RequestURI()
			}
		}
		if links == "relative" {
			require.ElementsMatch(t, want, followed, posthogFanOut)
		} else {
			require.Len(t, followed, 50, "%s reads one page, because the emulator's host is not Dixa's", posthogFanOut)
		}
	}
}

func ids(rows []object) []string {
	var found []string
	for _, row := range rows {
		found = append(found, fmt.Sprint(row["id"]))
	}
	return found
}

// clientWindows are the windows in which the clients read an export, in Unix
// milliseconds.
func clientWindows(from, now time.Time) map[string][][2]int64 {
	const day = 24 * time.Hour
	windows := map[string][][2]int64{}
	read := func(client string, end time.Time, step, shorter, gap time.Duration) {
		for start := from; !start.After(end); start = start.Add(step + gap) {
			last := start.Add(step - shorter)
			if last.After(end) {
				last = end
			}
			windows[client] = append(windows[client], [2]int64{start.UnixMilli(), last.UnixMilli()})
		}
	}
	read(tapClient, now, 31*day, 0, time.Millisecond)
	read(posthog, now, 30*day, 0, 0)
	read(airbyte, now.Truncate(day), 31*day, day, 0)
	return windows
}

// tap-dixa and PostHog read every conversation. Airbyte's windows end a day before the
// next begins and before today, which is how its manifest reads, not how Dixa answers.
func TestClientsReadEveryConversation(t *testing.T) {
	t.Parallel()
	d := filled(t, server.FillOptions{Conversations: 300, Seed: 3, Span: 100 * 24 * time.Hour})
	from := filledUntil.Add(-120 * 24 * time.Hour).Truncate(24 * time.Hour)
	authorization := map[string]string{tapClient: basicToken, posthog: bearerToken, airbyte: bearerToken}
	for client, windows := range clientWindows(from, filledUntil) {
		found := map[string]bool{}
		for _, window := range windows {
			target := fmt.Sprintf("%s?updated_after=%d&updated_before=%d", conversationExport, window[0], window[1])
			for _, id := range ids(d.rowsAs(clientRequest{authorization: authorization[client], target: target})) {
				found[id] = true
			}
		}
		for _, truth := range d.Truth() {
			at := truth.UpdatedAt.UnixMilli()
			inside := slices.ContainsFunc(windows, func(window [2]int64) bool { return window[0] <= at && at <= window[1] })
			require.Equal(t, inside, found[fmt.Sprint(truth.ID)], "%s: conversation %d", client, truth.ID)
			require.True(t, inside || client == airbyte, "%s leaves out conversation %d", client, truth.ID)
		}
	}
}

// A change exactly at the end of a window is lost or read twice, depending on the
// bounds: tap-dixa's next window begins a millisecond later, PostHog's at the end.
func TestClientsAtTheEndOfAWindow(t *testing.T) {
	t.Parallel()
	now := newClock()
	end := now.Now()
	d := startExports(t, now, server.Switches{})
	d.open(d.customer("a@example.org"))
	later := end.Add(time.Hour)
	now.Advance(2 * time.Hour)
	for _, tt := range []struct {
		bounds       string
		tap, posthog int
	}{{"inclusive", 1, 2}, {"half-open", 0, 1}, {"exclusive", 0, 0}} {
		d.SetSwitches(server.Switches{LimitReading: server.LimitOff, Exports: server.ExportSwitches{Bounds: tt.bounds}})
		count := func(authorization string, gap time.Duration) int {
			first := fmt.Sprintf("%s?updated_after=%d&updated_before=%d", conversationExport, end.Add(-time.Hour).UnixMilli(), end.UnixMilli())
			second := fmt.Sprintf("%s?updated_after=%d&updated_before=%d", conversationExport, end.Add(gap).UnixMilli(), later.UnixMilli())
			return len(d.rowsAs(clientRequest{authorization: authorization, target: first})) + len(d.rowsAs(clientRequest{authorization: authorization, target: second}))
		}
		require.Equal(t, tt.tap, count(basicToken, time.Millisecond), "%s with %s bounds", tapClient, tt.bounds)
		require.Equal(t, tt.posthog, count(bearerToken, 0), "%s with %s bounds", posthog, tt.bounds)
	}
}

// The switches that decide whether a client works at all.
func TestClientsNeedSwitches(t *testing.T) {
	t.Parallel()
	d := filled(t, server.FillOptions{Conversations: 20, Seed: 4, Span: 20 * 24 * time.Hour})
	export := fmt.Sprintf("%s?updated_after=%d&updated_before=%d", conversationExport, tapStart, monthEnd)
	const activity = "/v1/conversations/activitylog?pageLimit=10000"
	zone := regexp.MustCompile(`\[[^\]]+\]$`)
	for _, tt := range []struct {
		switches server.Switches
		// tap-dixa: status of the export with Basic credentials and of the activity log
		// with the raw token, and whether a plain ISO 8601 parser reads its times.
		tapExport, tapActivity int
		tapTimes               bool
	}{
		{server.Switches{}, 200, 200, false},
		{server.Switches{ZonedTimes: "plain"}, 200, 200, true},
		{server.Switches{ZonedTimes: "plain", BasicAuth: "accepted"}, 200, 200, true},
		{server.Switches{ZonedTimes: "plain", UnknownQuery: server.Rejected}, 200, 200, true},
		{server.Switches{Exports: server.ExportSwitches{Credentials: "bearer"}}, 401, 200, false},
		{server.Switches{Exports: server.ExportSwitches{Credentials: "any"}}, 200, 200, false},
		{server.Switches{MaxPageLimit: 1000}, 200, 200, false},
		{server.Switches{MaxPageLimit: 1000, PageLimitTooLarge: server.Rejected}, 200, 400, false},
	} {
		tt.switches.LimitReading = server.LimitOff
		d.SetSwitches(tt.switches)
		require.Equal(t, tt.tapExport, d.as(basicToken, export).status, "%s: %+v", tapClient, tt.switches)
		got := d.as(rawToken, activity)
		require.Equal(t, tt.tapActivity, got.status, "%s: %+v", tapActivity, tt.switches)
		if got.status == http.StatusOK {
			var read page
			decode(t, got.body, &read)
			_, err := time.Parse(time.RFC3339, fmt.Sprint(read.Data[0]["activityTimestamp"]))
			require.Equal(t, tt.tapTimes, err == nil, "%s: %+v", tapActivity, tt.switches)
		}
		// PostHog and Airbyte send Bearer, and PostHog removes the zone.
		require.Equal(t, http.StatusOK, d.as(bearerToken, export).status, "%s: %+v", airbyte, tt.switches)
		stamp := fmt.Sprint(d.pageAs(bearerToken, "/v1/conversations/activitylog").Data[0]["activityTimestamp"])
		_, err := time.Parse(time.RFC3339, zone.ReplaceAllString(stamp, ""))
		require.NoError(t, err, posthogFanOut)
	}
}
