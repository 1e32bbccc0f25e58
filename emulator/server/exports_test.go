package server_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/emulator/server"
)

const (
	conversationExport = "/exports/v1/conversation_export"
	messageExport      = "/exports/v1/message_export"
)

// startExports is start for a client of the Exports API.
func startExports(t *testing.T, clock *clock, switches server.Switches) *dixa {
	t.Helper()
	return start(t, server.Options{Clock: clock.Now, Switches: switches})
}

// export returns the rows of an export. Its parameters are names and values in turn.
func (d *dixa) export(path string, parameters ...any) []object {
	d.t.Helper()
	var rows []object
	decode(d.t, d.exported(path, http.StatusOK, parameters...).body, &rows)
	require.NotNil(d.t, rows, "an export without rows is an empty array")
	return rows
}

func (d *dixa) exported(path string, status int, parameters ...any) answer {
	d.t.Helper()
	query := url.Values{}
	for pair := range slices.Chunk(parameters, 2) {
		query.Set(fmt.Sprint(pair[0]), fmt.Sprint(pair[1]))
	}
	raw := d.token
	d.token = "Bearer " + raw
	defer func() { d.token = raw }()
	return d.do(http.MethodGet, path+"?"+query.Encode(), nil, status)
}

// life plays a conversation, one step a minute from 8:30, that is closed at 8:36,
// reopened at 8:37 and rated at 8:38.
func (d *dixa) life(clock *clock) {
	d.t.Helper()
	var user struct{ ID string }
	d.do(http.MethodPost, "/endusers", object{
		"email": "anna@example.org", "displayName": "Anna Berg", "phoneNumber": "+4511111111", "additionalEmails": []string{"a2@example.org"},
	}, http.StatusCreated).data(&user)
	agent := func(step server.Step) {
		clock.Advance(time.Minute)
		require.NoError(d.t, d.Agent(d.t.Context(), step))
	}
	d.open(user.ID)
	agent(server.Step{Action: server.PlayTransfer, Queue: server.SeedQueueClaims})
	agent(server.Step{Action: server.PlayClaim})
	agent(server.Step{Action: server.PlayTag, Tag: "refund"})
	agent(server.Step{Action: server.PlayNote, Text: "Lost & <b>found</b>"})
	clock.Advance(0)
	d.do(http.MethodPatch, "/conversations/1001/custom-attributes",
		object{server.SeedAttrOrderNumber: "10001", server.SeedAttrReason: []string{"claim", "damaged"}}, http.StatusOK)
	agent(server.Step{Action: server.PlayReply, Text: "We send a new one."})
	agent(server.Step{Action: server.PlayClose})
	agent(server.Step{Action: server.PlayReopen})
	clock.Advance(time.Minute)
	require.NoError(d.t, d.Customer(d.t.Context(), server.Step{Action: server.PlayRate, Score: 4, Text: "Fine"}))
}

// minute returns a time of newClock's day in Unix milliseconds.
func minute(hour, minute int) int64 {
	return time.Date(2026, time.March, 2, hour, minute, 0, 0, time.UTC).UnixMilli()
}

func TestConversationExportShowsState(t *testing.T) {
	t.Parallel()
	clock := newClock()
	d := startExports(t, clock, server.Switches{})
	d.life(clock)
	state := d.State()
	ms := func(text int64) string { return fmt.Sprint(text) }
	want := `[{"id":1001,"created_at":` + ms(minute(8, 30)) + `,"initial_channel":"email","direction":"inbound","status":"open",
		"requester_id":"` + state.EndUsers[0].ID + `","requester_name":"Anna Berg","requester_email":"anna@example.org",
		"requester_phone_number":"+4511111111","requester_additional_emails":["a2@example.org"],"requester_additional_phone_numbers":[],
		"queued_at":` + ms(minute(8, 37)) + `,"queue_id":"` + server.SeedQueueClaims + `","queue_name":"Claims",
		"closed_at":` + ms(minute(8, 36)) + `,"total_duration":360000,"handling_duration":240000,
		"assigned_at":` + ms(minute(8, 32)) + `,"assignee_id":"` + server.SeedAgentAnna + `","assignee_name":"Anna Agent",
		"assignee_email":"` + server.SeedAgentAnnaEmail + `","assignee_phone_number":null,
		"rating_score":4,"rating_message":"Fine","ratings":[{"rating_score":4,"rating_message":"Fine","rating_type":"stars","rating_status":"rated",
			"rating_language":null,"rating_created_timestamp":` + ms(minute(8, 38)) + `,"rating_offered_timestamp":` + ms(minute(8, 38)) + `,
			"rating_modified_timestamp":` + ms(minute(8, 38)) + `,"rating_rated_timestamp":` + ms(minute(8, 38)) + `,
			"rating_scheduled_timestamp":null,"rating_scheduled_for_timestamp":null,"rating_unscheduled_timestamp":null,"rating_cancelled_timestamp":null}],
		"to_provisioned_phone_number_id":null,"to_provisioned_phone_number_name":null,
		"from_provisioned_phone_number_id":null,"from_provisioned_phone_number_name":null,
		"dixa_email_integration_id":"` + server.SeedMailbox + `","dixa_email_integration_sender_name":"Support","forwarding_email":null,
		"facebook_page_id":null,"facebook_page_name":null,"widget_id":null,"widget_name":null,
		"tags":["refund"],"tags_info":[{"id":"` + state.Tags[0].ID + `","name":"refund","is_deactivated":false}],
		"conversation_wrapup_notes":["Lost & <b>found</b>"],
		"transferee_name":null,"transferee_number":null,"transfer_time":null,"originating_country":null,
		"updated_at":` + ms(minute(8, 38)) + `,"last_message_created_at":` + ms(minute(8, 35)) + `,"subject":"Order 10001","anonymized_at":null,
		"custom_fields":[
			{"attribute_id":"` + server.SeedAttrOrderNumber + `","identifier":"order_number","value":"10001","data_type":"text","archived":false},
			{"attribute_id":"` + server.SeedAttrReason + `","identifier":"contact_reason","value":["claim","damaged"],"data_type":"select","archived":false}]}]`
	got := d.exported(conversationExport, http.StatusOK, "csids", "1001")
	require.JSONEq(t, want, string(got.body))
	require.Equal(t, "application/json", got.header.Get("Content-Type"))
}

func TestMessageExportShowsState(t *testing.T) {
	t.Parallel()
	clock := newClock()
	files := gallery(t)
	d := startExports(t, clock, server.Switches{AutoReply: true})
	d.do(http.MethodPost, "/conversations", mail(d.customer("anna@example.org"), "", files+"/photo.jpg"), http.StatusCreated)
	clock.Advance(time.Minute)
	require.NoError(t, d.Agent(t.Context(), server.Step{Action: server.PlayReply, HTML: "<p>Sent & <b>done</b></p>"}))
	messages := d.State().Conversations[0].Messages
	row := func(message *server.Message, fields object) object {
		row := object{
			"id": message.ID, "csid": 1001, "created_at": message.CreatedAt.UnixMilli(), "initial_channel": "email",
			"from_phone_number": nil, "to_phone_number": nil, "duration": nil, "recording_url": nil, "voicemail_url": nil,
			"cc": []string{}, "bcc": []string{}, "attached_files": []string{}, "is_automated_message": false,
			"chat_input_question": nil, "chat_input_answer": nil, "chat_menu_text": nil, "form_submission": nil,
			"direction": "outbound", "from": server.SeedMailbox, "to": []string{"anna@example.org"},
			"author_name": "Anna Agent", "author_email": server.SeedAgentAnnaEmail,
		}
		for name, value := range fields {
			row[name] = value
		}
		return row
	}
	want := []object{
		row(messages[0], object{
			"text": "It broke", "direction": "inbound", "from": "anna@example.org", "to": []string{server.SeedMailbox},
			"author_name": "Customer", "author_email": "anna@example.org",
			"attached_files": []string{d.url + "/files" + messages[0].Attachments[0].Path},
		}),
		row(messages[1], object{
			"text": "Thank you for your message. We will answer as soon as we can.", "is_automated_message": true,
			"author_name": "Ada Admin", "author_email": server.SeedAgentAdminEmail,
		}),
		row(messages[2], object{"text": "<p>Sent & <b>done</b></p>"}),
	}
	for i := range want {
		require.JSONEq(t, encode(t, want[i]), encode(t, d.export(messageExport, "created_after", "2026-03-02", "created_before", "2026-03-03")[i]))
	}

	d.SetSwitches(server.Switches{Exports: server.ExportSwitches{HTMLText: "text"}})
	require.Equal(t, "Sent & done", d.export(messageExport, "created_after", "2026-03-02", "created_before", "2026-03-03")[2]["text"])
}

// An export of more rows than a batch has every row once, in one array.
func TestLongExports(t *testing.T) {
	t.Parallel()
	const conversations, each = 3, 700
	clock := newClock()
	d := startExports(t, clock, server.Switches{})
	user := d.customer("anna@example.org")
	messages := make([]object, each)
	for i := range messages {
		messages[i] = object{
			"_type": "InboundImport", "content": object{"_type": "Text", "value": fmt.Sprint(i)}, "createdAt": "2026-03-01T09:00:00Z",
		}
	}
	for range conversations {
		d.do(http.MethodPost, "/conversations/import", object{
			"genericChannelName": "genericapimessaging", "requesterId": user, "direction": "Inbound", "messages": messages, "createdAt": "2026-03-01T08:00:00Z",
		}, http.StatusCreated)
	}
	ids := map[any]bool{}
	for _, row := range d.export(messageExport, "created_after", "2026-03-01", "created_before", "2026-03-02") {
		ids[row["id"]] = true
	}
	require.Len(t, ids, conversations*each)
	require.Empty(t, d.export(messageExport, "created_after", "2026-03-02", "created_before", "2026-03-03"))
	imported := d.export(conversationExport, "updated_after", minute(8, 30), "updated_before", minute(8, 30))
	require.Len(t, imported, conversations, "an import changes a conversation when it is made")
}

func TestExportWindows(t *testing.T) {
	t.Parallel()
	clock := newClock()
	d := startExports(t, clock, server.Switches{})
	d.life(clock)
	const at830, at835, at836, at838 = "830", "835", "836", "838"
	for name, tt := range map[string]struct {
		kind string
		at   int64
	}{
		at830: {"created", minute(8, 30)}, at835: {"last_message_created", minute(8, 35)},
		at836: {"closed", minute(8, 36)}, at838: {"updated", minute(8, 38)},
	} {
		for bounds, want := range map[string]struct{ onAfter, onBefore int }{
			"inclusive": {1, 1}, "half-open": {1, 0}, "exclusive": {0, 0},
		} {
			d.SetSwitches(server.Switches{Exports: server.ExportSwitches{Bounds: bounds}})
			rows := func(after, before int64) int {
				return len(d.export(conversationExport, tt.kind+"_after", after, tt.kind+"_before", before))
			}
			require.Equal(t, 1, rows(tt.at-1, tt.at+1), "%s %s", name, bounds)
			require.Equal(t, want.onAfter, rows(tt.at, tt.at+1), "%s %s", name, bounds)
			require.Equal(t, want.onBefore, rows(tt.at-1, tt.at), "%s %s", name, bounds)
			require.Zero(t, rows(tt.at+1, tt.at+2), "%s %s", name, bounds)
			require.Zero(t, rows(tt.at-2, tt.at-1), "%s %s", name, bounds)
		}
	}
	require.Len(t, d.export(conversationExport, "csids", "1001,5"), 1)
	require.Empty(t, d.export(conversationExport, "csids", "1001", "created_after", minute(9, 0), "created_before", minute(9, 1)), "filters add up")

	day := func(setting string) int {
		d.SetSwitches(server.Switches{Exports: server.ExportSwitches{BeforeDates: setting}})
		return len(d.export(conversationExport, "created_after", "2026-03-01", "created_before", "2026-03-02"))
	}
	require.Zero(t, day("start"))
	require.Equal(t, 1, day("end"))
}

func TestExportRefusals(t *testing.T) {
	t.Parallel()
	d := startExports(t, newClock(), server.Switches{})
	const day = 24 * time.Hour
	span := func(length time.Duration) []any {
		return []any{"created_after", minute(0, 0), "created_before", minute(0, 0) + length.Milliseconds()}
	}
	for name, tt := range map[string]struct {
		path   string
		query  []any
		status int
	}{
		"31 days":              {conversationExport, span(31 * day), http.StatusOK},
		"more than 31 days":    {conversationExport, span(31*day + time.Millisecond), http.StatusBadRequest},
		"messages, 32 days":    {messageExport, span(32 * day), http.StatusBadRequest},
		"nothing":              {conversationExport, nil, http.StatusBadRequest},
		"no before":            {conversationExport, []any{"updated_after", "2026-03-01"}, http.StatusBadRequest},
		"no after":             {messageExport, []any{"created_before", "2026-03-01"}, http.StatusBadRequest},
		"not a date":           {conversationExport, []any{"created_after", "2026-03-01T00:00:00Z", "created_before", "2026-03-02"}, http.StatusBadRequest},
		"10 csids":             {conversationExport, []any{"csids", "1,2,3,4,5,6,7,8,9,10"}, http.StatusOK},
		"11 csids":             {conversationExport, []any{"csids", "1,2,3,4,5,6,7,8,9,10,11"}, http.StatusUnprocessableEntity},
		"not a csid":           {conversationExport, []any{"csids", "1,x"}, http.StatusBadRequest},
		"csids of messages":    {messageExport, []any{"csids", "1"}, http.StatusBadRequest},
		"messages by updates":  {messageExport, []any{"updated_after", "2026-03-01", "updated_before", "2026-03-02"}, http.StatusBadRequest},
		"an unknown parameter": {conversationExport, append(span(day), "page", 2), http.StatusOK},
	} {
		require.Equal(t, tt.status == http.StatusOK, d.exported(tt.path, tt.status, tt.query...).body[0] == '[', name)
	}
	for ranges, status := range map[string]int{"paired": http.StatusBadRequest, "mixed": http.StatusOK} {
		d.SetSwitches(server.Switches{Exports: server.ExportSwitches{Ranges: ranges}})
		d.exported(conversationExport, status, "created_after", "2026-02-01", "updated_before", "2026-03-04")
		d.exported(conversationExport, http.StatusBadRequest, "created_after", "2026-02-01", "updated_before", "2026-03-05")
		d.exported(conversationExport, http.StatusBadRequest, "created_after", "2026-02-01", "updated_after", "2026-03-01")
		d.exported(conversationExport, http.StatusBadRequest, "created_before", "2026-03-01", "updated_before", "2026-03-01")
	}
	d.SetSwitches(server.Switches{})
	require.Equal(t, "Invalid query parameters", d.exported(conversationExport, http.StatusBadRequest).message())
	require.Equal(t, "Exceeded max allowed 10 csids per request",
		d.exported(conversationExport, http.StatusUnprocessableEntity, "csids", "1,2,3,4,5,6,7,8,9,10,11").message())

	d.SetSwitches(server.Switches{UnknownQuery: server.Rejected, Exports: server.ExportSwitches{Errors: "text"}})
	require.Equal(t, "Invalid query parameters", string(d.exported(conversationExport, http.StatusBadRequest, append(span(day), "page", 2)...).body))
	d.SetSwitches(server.Switches{Exports: server.ExportSwitches{Errors: "empty"}})
	require.Empty(t, d.exported(conversationExport, http.StatusBadRequest).body)
	d.SetSwitches(server.Switches{UnknownQuery: server.Rejected})
	d.exported(messageExport, http.StatusBadRequest, append(span(day), "csids", 1)...)
	d.SetSwitches(server.Switches{Exports: server.ExportSwitches{MessageFilters: "csids"}})
	d.open(d.customer("anna@example.org"))
	require.Len(t, d.export(messageExport, "csids", "1001"), 1)
}

func TestExportCredentials(t *testing.T) {
	t.Parallel()
	basic := func(user, token string) string {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+token))
	}
	headers := []string{"Bearer demo-token", basic("bearer", "demo-token"), "demo-token", "Bearer wrong", basic("demo-token", ""), ""}
	for setting, want := range map[string][]int{
		"bearer-basic": {200, 200, 401, 401, 401, 401},
		"bearer":       {200, 401, 401, 401, 401, 401},
		"any":          {200, 200, 200, 401, 401, 401},
	} {
		d := startExports(t, newClock(), server.Switches{Exports: server.ExportSwitches{Credentials: setting}})
		for i, header := range headers {
			d.token = header
			got := d.do(http.MethodGet, conversationExport+"?csids=1", nil, want[i])
			if want[i] == http.StatusUnauthorized {
				require.Equal(t, "Invalid or missing credentials", got.message())
			}
		}
		require.Equal(t, len(headers), d.Stats().Exports.Requests)
		require.Empty(t, d.Stats().ByToken, "exports are counted apart")
	}
}

func TestExportLimit(t *testing.T) {
	t.Parallel()
	for setting, want := range map[string]struct{ messages, messagesAfterwards int }{
		"shared": {0, 10}, "own": {10, 10}, "three": {3, 3},
	} {
		t.Run(setting, func(t *testing.T) {
			t.Parallel()
			clock := newClock()
			d := start(t, server.Options{
				Clock: clock.Now, Limit: server.Limit{Reading: server.LimitBoth},
				Switches: server.Switches{RetryAfter: server.RetryAfterSeconds, Exports: server.ExportSwitches{MessageLimit: setting}},
			})
			admitted := func(path string) (count int) {
				for range 12 {
					d.token = "Bearer demo-token"
					got, err := d.send(http.MethodGet, path+"?created_after=2026-03-01&created_before=2026-03-02", nil)
					require.NoError(t, err)
					if got.status == http.StatusOK {
						count++
						continue
					}
					require.Equal(t, http.StatusTooManyRequests, got.status)
					require.Equal(t, "API limit has been reached", got.message())
					require.Equal(t, "60", got.header.Get("Retry-After"))
				}
				return count
			}
			require.Equal(t, 10, admitted(conversationExport))
			require.Equal(t, want.messages, admitted(messageExport))
			require.Equal(t, 4, d.admitted(20), "exports do not count against the limit of the API")
			stats := d.Stats()
			require.Equal(t, server.ExportStats{Requests: 24, Refused: 14 - want.messages, WorstMinute: 24}, stats.Exports)
			require.Equal(t, 16, stats.Refused)
			require.Equal(t, 12, stats.ByOperation["GET "+conversationExport])
			clock.Advance(59 * time.Second)
			require.Zero(t, d.exportedOnce(messageExport)+d.exportedOnce(conversationExport))
			clock.Advance(time.Second)
			require.Equal(t, want.messagesAfterwards, admitted(messageExport))
		})
	}
}

// exportedOnce returns 1 if the limit admits an export.
func (d *dixa) exportedOnce(path string) int {
	d.t.Helper()
	got, err := d.send(http.MethodGet, path+"?created_after=2026-03-01&created_before=2026-03-02", nil)
	require.NoError(d.t, err)
	if got.status == http.StatusOK {
		return 1
	}
	return 0
}

func TestExportSwitches(t *testing.T) {
	t.Parallel()
	const second = 1000
	for name, tt := range map[string]struct {
		switches server.ExportSwitches
		want     object
		missing  []string
	}{
		"defaults":  {server.ExportSwitches{}, object{"status": "open", "closed_at": float64(minute(8, 36)), "total_duration": 360.0 * second, "widget_id": nil}, nil},
		"omitted":   {server.ExportSwitches{Empty: "omitted"}, object{"requester_additional_phone_numbers": []any{}}, []string{"widget_id", "anonymized_at", "transfer_time"}},
		"cleared":   {server.ExportSwitches{Reopened: "cleared"}, object{"closed_at": nil, "total_duration": nil, "handling_duration": nil}, nil},
		"seconds":   {server.ExportSwitches{Durations: "seconds"}, object{"total_duration": 360.0, "handling_duration": 240.0}, nil},
		"api enums": {server.ExportSwitches{Enums: "api"}, object{"status": "Open", "initial_channel": "email"}, nil},
		"upper":     {server.ExportSwitches{Enums: "upper"}, object{"status": "OPEN", "direction": "inbound"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			clock := newClock()
			d := startExports(t, clock, server.Switches{Exports: tt.switches})
			d.life(clock)
			row := d.export(conversationExport, "csids", 1001)[0]
			for field, want := range tt.want {
				require.Contains(t, row, field)
				require.Equal(t, want, row[field], field)
			}
			for _, field := range tt.missing {
				require.NotContains(t, row, field)
			}
			var ratings []object
			decode(t, []byte(encode(t, row["ratings"])), &ratings)
			_, scheduled := ratings[0]["rating_scheduled_timestamp"]
			require.Equal(t, tt.switches.Empty != "omitted", scheduled)
		})
	}
}

func TestExportRatingTypes(t *testing.T) {
	t.Parallel()
	clock := newClock()
	d := startExports(t, clock, server.Switches{})
	d.life(clock)
	for setting, want := range map[string]string{"stars": "stars", "enum": "csat"} {
		d.SetSwitches(server.Switches{Exports: server.ExportSwitches{RatingTypes: setting}})
		require.Contains(t, string(d.exported(conversationExport, http.StatusOK, "csids", 1001).body), `"rating_type":"`+want+`"`)
	}
}

func TestExportLag(t *testing.T) {
	t.Parallel()
	clock := newClock()
	d := startExports(t, clock, server.Switches{Exports: server.ExportSwitches{Lag: server.Duration(5 * time.Minute)}})
	d.open(d.customer("anna@example.org"))
	rows := func(path string) int {
		return len(d.export(path, "created_after", "2026-03-02", "created_before", "2026-03-03"))
	}
	clock.Advance(4 * time.Minute)
	require.Zero(t, rows(conversationExport)+rows(messageExport))
	clock.Advance(time.Minute)
	require.Equal(t, 1, rows(conversationExport))
	require.Equal(t, 1, rows(messageExport))
}

func TestExportFaults(t *testing.T) {
	t.Parallel()
	d := startExports(t, newClock(), server.Switches{})
	d.Inject(server.Fault{Operation: "GET " + conversationExport, Kind: server.FaultStatus, Times: 1})
	d.Inject(server.Fault{Operation: "GET " + messageExport, Kind: server.FaultTruncate, Times: 1})
	d.Inject(server.Fault{Operation: "GET " + messageExport, Kind: server.FaultGarbage, Times: 1})
	require.Equal(t, "Internal error", d.exported(conversationExport, http.StatusInternalServerError, "csids", 1).message())
	d.export(conversationExport, "csids", 1)
	d.token = "Bearer demo-token"
	_, err := d.send(http.MethodGet, messageExport+"?created_after=2026-03-01&created_before=2026-03-02", nil)
	require.Error(t, err)
	d.token = "demo-token"
	require.Contains(t, string(d.exported(messageExport, http.StatusOK, "created_after", "2026-03-01", "created_before", "2026-03-02").body), "<html>")
	require.Equal(t, 3, d.Stats().Struck)
}

// An anonymized conversation keeps no personal data in the exports.
func TestExportsOfAnAnonymizedConversation(t *testing.T) {
	t.Parallel()
	clock := newClock()
	d := startExports(t, clock, server.Switches{Exports: server.ExportSwitches{MessageFilters: "csids"}})
	d.life(clock)
	clock.Advance(time.Minute)
	d.do(http.MethodPatch, "/conversations/1001/anonymize?force=true", nil, http.StatusAccepted)
	d.Settle()
	exports := encode(t, d.export(conversationExport, "csids", 1001)) + encode(t, d.export(messageExport, "csids", 1001))
	for _, personal := range []string{"Anna Berg", "anna@example.org", "+4511111111", "It broke", "Order 10001", "Fine"} {
		require.NotContains(t, exports, personal)
	}
	require.EqualValues(t, minute(8, 39), d.export(conversationExport, "csids", 1001)[0]["anonymized_at"])
	require.EqualValues(t, minute(8, 39), d.export(conversationExport, "csids", 1001)[0]["updated_at"])
}

func TestExportsOfOtherChannels(t *testing.T) {
	t.Parallel()
	text := func(kind string, fields object) object {
		message := object{"_type": kind, "content": object{"_type": "Text", "value": "hello"}, "attachments": []object{}}
		if kind == "Outbound" {
			message["agentId"] = server.SeedAgentAnna
		}
		fields["message"] = message
		return fields
	}
	for name, tt := range map[string]struct {
		create       object
		conversation object
		message      object // nil if the channel has no messages
	}{
		"sms": {
			text("Outbound", object{"_type": "Sms", "contactEndpointId": server.SeedPhone}),
			object{
				"initial_channel": "sms", "direction": "outbound", "from_provisioned_phone_number_id": server.SeedPhone,
				"from_provisioned_phone_number_name": "Hotline", "to_provisioned_phone_number_id": nil, "dixa_email_integration_id": nil,
			},
			object{"from_phone_number": server.SeedPhone, "to_phone_number": "+4522222222", "from": nil, "to": []any{}},
		},
		"chat": {
			text("Inbound", object{"_type": "Chat", "widgetId": server.SeedWidget}),
			object{"initial_channel": "widgetchat", "widget_id": server.SeedWidget, "queue_id": nil, "queued_at": nil, "closed_at": nil},
			object{"initial_channel": "widgetchat", "direction": "inbound", "author_email": "anna@example.org"},
		},
		"callback": {
			object{"_type": "Callback", "contactEndpointId": server.SeedPhone, "direction": "Inbound", "queueId": server.SeedQueueClaims},
			object{
				"to_provisioned_phone_number_id": server.SeedPhone, "from_provisioned_phone_number_id": nil,
				"queue_name": "Claims", "last_message_created_at": nil,
			},
			nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := startExports(t, newClock(), server.Switches{})
			var user struct{ ID string }
			d.do(http.MethodPost, "/endusers", object{"email": "anna@example.org", "phoneNumber": "+4522222222"}, http.StatusCreated).data(&user)
			tt.create["requesterId"] = user.ID
			d.do(http.MethodPost, "/conversations", tt.create, http.StatusCreated)
			subset := func(want object, rows []object) {
				for field, value := range want {
					require.Contains(t, rows[0], field)
					require.Equal(t, value, rows[0][field], field)
				}
			}
			subset(tt.conversation, d.export(conversationExport, "csids", 1001))
			messages := d.export(messageExport, "created_after", "2026-03-02", "created_before", "2026-03-03")
			if tt.message == nil {
				require.Empty(t, messages)
				return
			}
			subset(tt.message, messages)
		})
	}
}

func TestExportSwitchesAreListed(t *testing.T) {
	t.Parallel()
	require.Contains(t, server.NamedExportSettings(), "exports.bounds")
	require.NotContains(t, server.NamedExportSettings(), "retryAfter")
	require.NotContains(t, server.NamedSettings(), "exports.bounds")
	require.ErrorContains(t, server.Switches{Exports: server.ExportSwitches{Bounds: "open"}}.Validate(), "exports.bounds")
}
