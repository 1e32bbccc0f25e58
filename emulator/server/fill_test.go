package server_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/emulator/server"
)

var filledUntil = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

// filled serves an emulator with a history that ends at filledUntil, which is also the
// time on its clock.
func filled(t *testing.T, options server.FillOptions) *dixa {
	t.Helper()
	d := start(t, server.Options{Clock: func() time.Time { return filledUntil }})
	require.NoError(t, d.Fill(t.Context(), options))
	return d
}

func TestFillIsRepeatable(t *testing.T) {
	t.Parallel()
	filling := func(seed uint64) ([]server.Truth, server.State) {
		d := filled(t, server.FillOptions{Conversations: 300, Seed: seed})
		return d.Truth(), d.State()
	}
	truths, state := filling(7)
	again, stateAgain := filling(7)
	require.Equal(t, truths, again)
	require.Equal(t, state, stateAgain)
	others, _ := filling(8)
	require.NotEqual(t, truths[0].CreatedAt, others[0].CreatedAt)
}

// The history is believable: in its proportions, and in the order of what happens.
func TestFillProportions(t *testing.T) {
	t.Parallel()
	const conversations = 2000
	d := filled(t, server.FillOptions{Conversations: conversations, Seed: 1})
	since := filledUntil.Add(-365 * 24 * time.Hour)
	counts, customers := map[string]int{}, map[string]bool{}
	var last time.Time
	for _, truth := range d.Truth() {
		require.False(t, truth.CreatedAt.Before(last), "the ids are not in the order of creation")
		require.False(t, truth.CreatedAt.Before(since))
		require.Equal(t, truth.CreatedAt, truth.Messages[0].CreatedAt)
		require.Equal(t, truth.Direction, truth.Messages[0].Direction)
		last = truth.CreatedAt
		customers[truth.RequesterID] = true
		counts[truth.Channel]++
		counts[truth.State]++
		counts[truth.Direction]++
		counts["messages"] += len(truth.Messages)
		counts["notes"] += len(truth.Notes)
		if truth.State == server.StateClosed && truth.AssigneeID == "" {
			counts["abandoned"]++
		}
		if !truth.AnonymizedAt.IsZero() {
			counts["anonymized"]++
		}
		if day := truth.CreatedAt.Weekday(); day == time.Saturday || day == time.Sunday {
			counts["weekend"]++
		}
		seen := map[string]bool{}
		at := truth.CreatedAt
		for _, entry := range truth.Activity {
			require.False(t, entry.At.Before(at), "the activity log is not in the order of time")
			at = entry.At
			seen[entry.Type] = true
		}
		require.False(t, at.After(filledUntil))
		for kind := range seen {
			counts[kind]++
		}
		ids := map[string]int{}
		for _, rating := range truth.Ratings {
			counts["rating "+rating.Status]++
			counts["rating "+rating.Type]++
			ids[rating.ID]++
		}
		for _, questions := range ids {
			if questions > 1 {
				counts["surveys with several questions"]++
			}
		}
	}
	for name, bounds := range map[string][2]float64{
		"Email": {0.4, 0.55}, "ContactForm": {0.1, 0.17}, "WidgetChat": {0.12, 0.21}, "PstnPhone": {0.07, 0.14},
		"Messenger": {0.03, 0.09}, "WhatsApp": {0.02, 0.08}, "Sms": {0.01, 0.04}, "Inbound": {0.9, 0.97},
		"messages": {5.5, 6.8}, "notes": {0.1, 0.3}, server.StateClosed: {0.95, 0.985}, "abandoned": {0.01, 0.06},
		"anonymized": {0.001, 0.01}, "weekend": {0.1, 0.22}, "ConversationReopened": {0.06, 0.11},
		"ConversationAutoreplySent": {0.3, 0.5}, "TransferSuccessful": {0.07, 0.16}, "ConversationUnassigned": {0.08, 0.2},
		"FollowupAdded": {0.1, 0.25}, "FollowupExpired": {0.01, 0.06}, "FollowupRemoved": {0.08, 0.25}, "TagAdded": {0.7, 0.9}, "TagRemoved": {0.01, 0.07},
		"ConversationCustomAttributesUpdated": {0.3, 0.55}, "ConversationOfferTimeout": {0.02, 0.1}, "ConversationMessageRedacted": {0.002, 0.02},
		"rating Rated": {0.15, 0.35}, "rating Offered": {0.2, 0.5}, "rating Cancelled": {0.01, 0.08}, "rating Unscheduled": {0.0005, 0.02},
		"rating Csat": {0.35, 0.6}, "rating Nps": {0.03, 0.15}, "rating ThumbsUpOrDown": {0.02, 0.15}, "surveys with several questions": {0.01, 0.06},
	} {
		share := float64(counts[name]) / conversations
		require.True(t, share >= bounds[0] && share <= bounds[1], "%s: %.4f, want %v", name, share, bounds)
	}
	require.InDelta(t, 0.55, float64(len(customers))/conversations, 0.1)

	state := d.State()
	require.Len(t, state.Agents, 14)
	require.Len(t, state.Teams, 3)
	require.Len(t, state.Queues, 6)
	inactive := 0
	for _, tag := range state.Tags {
		if tag.Inactive {
			inactive++
		}
	}
	require.Equal(t, []int{21, 3}, []int{len(state.Tags), inactive})
}

// Everything that the API says about a conversation is what the emulator knows.
func TestFilledServerAgrees(t *testing.T) {
	t.Parallel()
	d := filled(t, server.FillOptions{Conversations: 120, Seed: 3, Span: 60 * 24 * time.Hour})
	d.SetSwitches(server.Switches{TimePrecision: "millis"})
	rows, messages := map[int64]conversationRow{}, map[int64][]messageRow{}
	for from := filledUntil.Add(-62 * 24 * time.Hour); from.Before(filledUntil); from = from.Add(31 * 24 * time.Hour) {
		window := func(name string) string {
			return fmt.Sprintf("%s_after=%d&%s_before=%d", name, from.UnixMilli(), name, from.Add(31*24*time.Hour-time.Millisecond).UnixMilli())
		}
		for _, row := range exported[conversationRow](d, "conversation_export?"+window("updated")) {
			rows[row.ID] = row
		}
		for _, row := range exported[messageRow](d, "message_export?"+window("created")) {
			messages[row.CSID] = append(messages[row.CSID], row)
		}
	}
	logged := map[int64][]entryRow{}
	for path := "/conversations/activitylog?pageLimit=500"; path != ""; {
		got := d.do(http.MethodGet, path, nil, http.StatusOK)
		var listed struct {
			Data []entryRow            `json:"data"`
			Meta struct{ Next string } `json:"meta"`
		}
		decode(t, got.body, &listed)
		for _, entry := range listed.Data {
			logged[entry.ConversationID] = append(logged[entry.ConversationID], entry)
		}
		path = listed.Meta.Next
	}
	truths := d.Truth()
	require.Len(t, rows, len(truths))
	for _, truth := range truths {
		require.Equal(t, conversationRowOf(truth), rows[truth.ID])
		var wanted []messageRow
		for _, message := range truth.Messages {
			wanted = append(wanted, messageRow{message.ID, truth.ID, message.CreatedAt.UnixMilli(), strings.ToLower(message.Direction), message.Automated})
		}
		require.Equal(t, wanted, messages[truth.ID])

		path := fmt.Sprintf("/conversations/%d", truth.ID)
		var conversation struct {
			State, CreatedAt, StateUpdatedAt, Channel, RequesterID string
		}
		d.do(http.MethodGet, path, nil, http.StatusOK).data(&conversation)
		require.Equal(t, []string{truth.State, stampOf(truth.CreatedAt), stampOf(truth.StateUpdatedAt), truth.Channel, truth.RequesterID},
			[]string{conversation.State, conversation.CreatedAt, conversation.StateUpdatedAt, conversation.Channel, conversation.RequesterID})
		var listed []struct{ ID, AuthorID, CreatedAt string }
		d.do(http.MethodGet, path+"/messages", nil, http.StatusOK).data(&listed)
		require.Len(t, listed, len(truth.Messages))
		for i, message := range truth.Messages {
			require.Equal(t, []string{message.ID, message.AuthorID, stampOf(message.CreatedAt) + "[GMT]"},
				[]string{listed[i].ID, listed[i].AuthorID, listed[i].CreatedAt})
		}
		var tags, notes []struct{ Name, ID string }
		d.do(http.MethodGet, path+"/tags", nil, http.StatusOK).data(&tags)
		require.Len(t, tags, len(truth.Tags))
		for i, name := range truth.Tags {
			require.Equal(t, name, tags[i].Name)
		}
		d.do(http.MethodGet, path+"/notes", nil, http.StatusOK).data(&notes)
		require.Len(t, notes, len(truth.Notes))
		checkRatings(d, path, truth)
		var entries []entryRow
		d.do(http.MethodGet, path+"/activitylog", nil, http.StatusOK).data(&entries)
		require.Equal(t, entries, logged[truth.ID])
		require.Len(t, entries, len(truth.Activity))
		for i, entry := range truth.Activity {
			require.Equal(t, entryRow{entry.ID, truth.ID, stampOf(entry.At) + "[GMT]", entry.Type}, entries[i])
		}
	}
	if d.contract != nil {
		require.Greater(t, int(d.held.Load()), 6*len(truths))
	}
}

func TestFillDeliversNothingAndStops(t *testing.T) {
	t.Parallel()
	var delivered atomic.Int32
	hook := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { delivered.Add(1) }))
	t.Cleanup(hook.Close)
	d := start(t, server.Options{})
	d.do(http.MethodPost, "/webhooks", object{
		"name": "all", "url": hook.URL, "events": server.EventNames(), "authorization": object{"_type": "NoAuth"}, "customHeaders": object{},
	}, http.StatusCreated)
	require.NoError(t, d.Fill(t.Context(), server.FillOptions{Conversations: 20}))
	require.False(t, d.Switches().Webhooks.Off)
	require.Zero(t, delivered.Load())

	ctx, cancel := context.WithCancel(t.Context())
	progress := 0
	err := d.Fill(ctx, server.FillOptions{Conversations: 5000, Progress: func(done int) { progress = done; cancel() }})
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, 1000, progress)
	require.Equal(t, 2020, d.Conversations())
	require.ErrorContains(t, d.Fill(t.Context(), server.FillOptions{Conversations: -1}), "must not be negative")
	require.Empty(t, d.Truth(1))
	require.Len(t, d.Truth(1001, 1002), 2)
}

// A filled server goes on: follow-ups expire, people act, and everything can be saved.
func TestFilledServerGoesOn(t *testing.T) {
	t.Parallel()
	var now atomic.Pointer[time.Time]
	at := filledUntil
	now.Store(&at)
	d := start(t, server.Options{Clock: func() time.Time { return *now.Load() }})
	require.NoError(t, d.Fill(t.Context(), server.FillOptions{Conversations: 500, Seed: 1, Span: 20 * 24 * time.Hour}))
	var pending []int64
	for _, truth := range d.Truth() {
		if truth.State == server.StatePending {
			require.True(t, truth.FollowupAt.After(filledUntil))
			pending = append(pending, truth.ID)
		}
	}
	require.NotEmpty(t, pending)
	var saved strings.Builder
	require.NoError(t, d.Save(&saved))
	other := start(t, server.Options{Clock: func() time.Time { return *now.Load() }})
	require.NoError(t, other.Load(strings.NewReader(saved.String())))
	later := filledUntil.Add(100 * 24 * time.Hour)
	now.Store(&later)
	for _, emulator := range []*dixa{d, other} {
		for _, truth := range emulator.Truth(pending...) {
			require.Equal(t, "Open", truth.State)
			require.Equal(t, "FollowupExpired", truth.Activity[len(truth.Activity)-1].Type)
		}
		require.Len(t, emulator.Truth(), 500)
	}
	d.do(http.MethodPut, fmt.Sprintf("/conversations/%d/close", pending[0]), nil, http.StatusNoContent)
	require.Equal(t, server.StateClosed, d.Truth(pending[0])[0].State)
}

// Basic credentials are accepted by the API only if the switch says so.
func TestBasicAuthSwitch(t *testing.T) {
	t.Parallel()
	d := start(t, server.Options{})
	d.token = "Basic YmVhcmVyOmRlbW8tdG9rZW4=" // bearer:demo-token
	d.do(http.MethodGet, "/organization", nil, http.StatusUnauthorized)
	d.SetSwitches(server.Switches{BasicAuth: server.Accepted})
	d.do(http.MethodGet, "/organization", nil, http.StatusOK)
	d.token = "Basic YmVhcmVyOndyb25n" // bearer:wrong
	d.do(http.MethodGet, "/organization", nil, http.StatusUnauthorized)
	d.token = "Basic dXNlcjpkZW1vLXRva2Vu" // user:demo-token
	d.do(http.MethodGet, "/organization", nil, http.StatusUnauthorized)
}

// The page lists a part of many conversations, and a search looks at all of them.
func TestPageOfFilledServer(t *testing.T) {
	t.Parallel()
	d := filled(t, server.FillOptions{Conversations: 1000, Seed: 1})
	page := string(d.do(http.MethodGet, "/_emulator/?conversation=1001", nil, http.StatusOK).body)
	require.Equal(t, 200, strings.Count(page, `<li><a href="?conversation=`))
	require.Contains(t, page, "Showing the newest 200 of 1000.")
	require.Contains(t, page, "#1001</dd>")
	page = string(d.do(http.MethodGet, "/_emulator/?find=1001", nil, http.StatusOK).body)
	require.Contains(t, page, `href="?conversation=1001&amp;find=1001"`)
	require.NotContains(t, page, "Showing the newest")
}

// BenchmarkFill measures 20,000 conversations and the memory that stays in use.
func BenchmarkFill(b *testing.B) {
	var before, after runtime.MemStats
	for b.Loop() {
		b.StopTimer()
		d := server.New(server.Options{})
		runtime.GC()
		runtime.ReadMemStats(&before)
		b.StartTimer()
		require.NoError(b, d.Fill(b.Context(), server.FillOptions{Conversations: 20_000, Seed: 1, Until: filledUntil}))
		b.StopTimer()
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/(1<<20), "MiB")
		d.Close()
		b.StartTimer()
	}
}

// BenchmarkFilledServer measures requests to a server with 20,000 conversations.
func BenchmarkFilledServer(b *testing.B) {
	d := server.New(server.Options{Limit: server.Limit{Reading: server.LimitOff}, Clock: func() time.Time { return filledUntil }})
	b.Cleanup(d.Close)
	require.NoError(b, d.Fill(b.Context(), server.FillOptions{Conversations: 20_000, Seed: 1}))
	for name, path := range map[string]string{
		"conversation export of 31 days": "/exports/v1/conversation_export?updated_after=2025-12-01&updated_before=2026-01-01",
		"message export of 31 days":      "/exports/v1/message_export?created_after=2025-12-01&created_before=2026-01-01",
		"activity log page of 10000":     "/v1/conversations/activitylog?pageLimit=10000&fromDatetime=2025-12-01T00:00:00Z&toDatetime=2026-01-01T00:00:00Z",
		"activity log page of 50":        "/v1/conversations/activitylog",
		"activity log of a conversation": "/v1/conversations/15000/activitylog",
		"messages of a conversation":     "/v1/conversations/15000/messages",
		"end user by email":              "/v1/endusers?email=nobody@mail.example",
		"end users":                      "/v1/endusers?pageLimit=1000",
		"search":                         "/v1/search/conversations?query=parcel",
		"page":                           "/_emulator/?conversation=15000",
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				request := httptest.NewRequestWithContext(b.Context(), http.MethodGet, path, nil)
				request.Header.Set("Authorization", "Bearer demo-token")
				recorder := httptest.NewRecorder()
				d.ServeHTTP(recorder, request)
				require.Equal(b, http.StatusOK, recorder.Code)
				b.ReportMetric(float64(recorder.Body.Len())/1e6, "MB")
			}
		})
	}
}
