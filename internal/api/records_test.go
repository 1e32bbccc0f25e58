package api_test

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
	emulator "github.com/claimflow/claimflow/emulator/server"
	"github.com/claimflow/claimflow/kpi"
	"github.com/claimflow/claimflow/mirror"
	"github.com/claimflow/claimflow/store"
)

// conversations stores conversations of an organization, each with a message, from an
// hour ago on.
func (b *bench) conversations(connection string, from, to int64) {
	b.t.Helper()
	b.conversationsAt(time.Now().Add(-time.Hour), connection, from, to)
}

// conversationsAt is [bench.conversations] for conversations that began at a time.
func (b *bench) conversationsAt(at time.Time, connection string, from, to int64) {
	b.t.Helper()
	batch := store.MirrorBatch{ConnectionID: connection}
	for id := from; id <= to; id++ {
		created := at.Add(time.Duration(id) * time.Second).Truncate(time.Second)
		batch.Facts = append(batch.Facts, store.ConversationFact{ID: id, Fact: mirror.Fact{
			Fact:   claim.Fact{Stamp: claim.Stamp{ID: fmt.Sprint("e-", id), At: created, Weight: claim.WeightTransition}, Status: claim.ConversationOpen, Tags: []string{"vip"}},
			Origin: &mirror.Origin{CreatedAt: created, Channel: "Email", Direction: claim.DirectionInbound, Subject: "=cmd()|' <b>"},
		}})
		m := mirror.Message{ConversationID: id}
		m.ID, m.Kind, m.Direction, m.At, m.Text = fmt.Sprint("m-", id), claim.MessageKind, claim.DirectionInbound, created, "Hello,\n<b>"
		batch.Messages = append(batch.Messages, m)
	}
	_, err := b.store.Mirror.Merge(b.t.Context(), batch)
	require.NoError(b.t, err)
}

func TestRecords(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ctx := t.Context()
	connection := b.connection("acme")
	source := b.source(connection, claim.DataSource{Title: "all", Streams: []claim.Stream{claim.StreamConversations, claim.StreamMessages}})
	b.conversations(connection, 1, 7)
	base := "/v1/connections/" + connection + "/sources/" + source.ID + "/records"

	var ids []int64
	for r, err := range b.client.Records(ctx, connection, source.ID, client.RecordsQuery{Limit: 3}) {
		require.NoError(t, err)
		require.Equal(t, "=cmd()|' <b>", r.Conversation.Subject)
		require.EqualValues(t, 1, *r.Conversation.CustomerMessages)
		require.Nil(t, r.Conversation.LastClosedAt)
		ids = append(ids, r.Conversation.ID)
	}
	require.Equal(t, []int64{1, 2, 3, 4, 5, 6, 7}, ids)
	page, err := b.client.RecordsPage(ctx, connection, source.ID, client.RecordsQuery{Limit: 7})
	require.NoError(t, err)
	require.False(t, page.More)
	require.Empty(t, page.Next)
	require.Contains(t, string(page.Records[0]), `"last_closed_at":null`)

	// Following: the last cursor continues with what changed.
	last := ""
	for r, err := range b.client.Records(ctx, connection, source.ID, client.RecordsQuery{Stream: claim.StreamMessages, Order: client.RecordsByChange, Limit: 2}) {
		require.NoError(t, err)
		last = r.Cursor
	}
	require.NotEmpty(t, last)
	follow := client.RecordsQuery{Stream: claim.StreamMessages, Order: client.RecordsByChange, Cursor: last}
	page, err = b.client.RecordsPage(ctx, connection, source.ID, follow)
	require.NoError(t, err)
	require.Empty(t, page.Records)
	require.NotEmpty(t, page.Next)
	b.conversations(connection, 8, 8)
	follow.Cursor = page.Next
	page, err = b.client.RecordsPage(ctx, connection, source.ID, follow)
	require.NoError(t, err)
	require.Len(t, page.Records, 1)
	require.Contains(t, string(page.Records[0]), `"id":"m-8"`)

	var out strings.Builder
	require.NoError(t, b.client.ExportRecords(ctx, connection, source.ID, client.FormatNDJSON, client.RecordsQuery{Order: client.RecordsByChange, Limit: 5}, &out))
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	require.Len(t, lines, 5)
	for _, l := range lines {
		r, err := claim.ParseSourceRecord(claim.StreamConversations, []byte(l))
		require.NoError(t, err)
		require.NotEmpty(t, r.Cursor)
	}
	r := b.send("GET", base, b.secret, "", "Accept", "text/csv")
	require.Equal(t, "text/csv; charset=utf-8", r.Header.Get("Content-Type"))
	rows, err := csv.NewReader(strings.NewReader(r.text)).ReadAll()
	require.NoError(t, err)
	require.Len(t, rows, 9)
	require.Equal(t, claim.RecordFields(claim.StreamConversations), rows[0])
	require.Equal(t, "1", rows[1][0])
	require.Contains(t, rows[1], "'=cmd()|' <b>", "a cell must not be a formula")
	require.Contains(t, rows[1], `["vip"]`)

	source.Fields = []string{"id", "text"}
	_, err = b.client.ReplaceDataSource(ctx, connection, source)
	require.NoError(t, err)
	r = b.send("GET", base+"?stream=messages&format=ndjson&limit=1", b.secret, "")
	require.Equal(t, "application/x-ndjson", r.Header.Get("Content-Type"))
	require.JSONEq(t, `{"id": "m-1", "text": "Hello,\n<b>"}`, r.text)

	// A deleted record has what identifies it, whichever members the source names.
	require.NoError(t, b.client.DeleteDataSource(ctx, connection, source.ID))
	_, err = b.store.Mirror.DeleteExpired(ctx, connection)
	require.NoError(t, err)
	source.Fields = []string{"id", "text"}
	source = b.source(connection, source)
	base = "/v1/connections/" + connection + "/sources/" + source.ID + "/records"
	for r, err := range b.client.Records(ctx, connection, source.ID, client.RecordsQuery{Stream: claim.StreamMessages, Order: client.RecordsByChange}) {
		require.NoError(t, err)
		require.True(t, r.Deleted)
		require.Equal(t, fmt.Sprint("m-", r.Message.ConversationID), r.Message.ID)
	}
	b.conversations(connection, 9, 9)
	r = b.send("GET", base+"?stream=messages&order=change&format=csv", b.secret, "")
	rows, err = csv.NewReader(strings.NewReader(r.text)).ReadAll()
	require.NoError(t, err)
	require.Equal(t, []string{"id", "text", "deleted", "cursor"}, rows[0])
	require.Equal(t, []string{"m-1", "", "true"}, rows[1][:3])
	require.Equal(t, []string{"m-9", "Hello,\n<b>", ""}, rows[9][:3])
	r = b.send("GET", base+"?stream=messages&order=change&limit=9", b.secret, "")
	require.Contains(t, r.text, `{"conversation_id":1,"id":"m-1","deleted":true,"cursor":"`)
	require.Contains(t, r.text, `{"id":"m-9","text":"Hello,\n\u003cb\u003e","cursor":"`)

	for path, want := range map[string]int{
		"?stream=ratings": 422, "?stream=nothing": 422, "?cursor=x": 422, "?cursor=x&format=csv": 422, "?limit=501": 422, "?order=change&from=2026-01-01T00:00:00Z": 422, "?form=csv": 422,
		"?limit=501&format=csv": 200, "?date=closed": 200,
	} {
		require.Equal(t, want, b.send("GET", base+path, b.secret, "").StatusCode, path)
	}
	_, err = b.client.RecordsPage(ctx, connection, "unknown", client.RecordsQuery{})
	_ = refusal(t, err, http.StatusNotFound, client.CodeNotFound)
	err = b.client.ExportRecords(ctx, connection, source.ID, client.FormatCSV, client.RecordsQuery{Stream: claim.StreamRatings}, &out)
	_ = refusal(t, err, http.StatusUnprocessableEntity, client.CodeInvalid)
}

func TestKPIs(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ctx := t.Context()
	connection := b.connection("acme")
	b.source(connection, claim.DataSource{Title: "all"})
	began := time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, -3).Add(12 * time.Hour) // on the same day in all zones of the test
	b.conversationsAt(began, connection, 1, 7)

	definitions, err := b.client.KPIs(ctx, connection)
	require.NoError(t, err)
	require.Len(t, definitions, len(kpi.All()))
	raw := b.send("GET", "/v1/connections/"+connection+"/kpis", b.secret, "")
	require.JSONEq(t, raw.text, asJSON(t, client.KPIDefinitionList{KPIs: definitions}), "the client's type must have every member")

	result, err := b.client.KPI(ctx, connection, "conversation_volume", client.KPIQuery{Bucket: "none", By: "channel", Timezone: "Europe/Copenhagen"})
	require.NoError(t, err)
	require.Len(t, result.Series, 1)
	require.Equal(t, "Email", result.Series[0].Group)
	require.InDelta(t, 7, *result.Series[0].Buckets[0].Value, 0)
	require.WithinDuration(t, began, result.Freshness.NewestAt, time.Minute)
	require.False(t, result.Freshness.Importing)
	for _, query := range []string{"?bucket=day", "?bucket=none&filter=channel:Chat&filter=direction:inbound", "?by=queue"} {
		raw = b.send("GET", "/v1/connections/"+connection+"/kpis/conversation_volume"+query, b.secret, "")
		require.Equal(t, http.StatusOK, raw.StatusCode, raw.text)
		var decoded client.KPIResult
		require.NoError(t, json.Unmarshal([]byte(raw.text), &decoded))
		require.JSONEq(t, raw.text, asJSON(t, decoded), "the client's type must have every member")
	}
	verified, err := b.client.VerifyKPI(ctx, connection, "conversation_volume")
	require.NoError(t, err)
	require.Equal(t, client.KPIVerification{KPI: "conversation_volume", Buckets: 58, Values: 2, Differences: []client.KPIDifference{}}, verified, "29 days by two ways")
	_, err = b.client.VerifyKPI(ctx, connection, "happiness")
	_ = refusal(t, err, http.StatusNotFound, client.CodeNotFound)
	data, err := b.client.KPICSV(ctx, connection, "conversation_volume", client.KPIQuery{Bucket: "none"})
	require.NoError(t, err)
	rows, err := csv.NewReader(strings.NewReader(string(data))).ReadAll()
	require.NoError(t, err)
	require.Len(t, rows, 2)
	require.Equal(t, "conversation_volume", rows[1][0])

	for query, field := range map[string]string{"bucket=century": "bucket", "by=weather": "by", "filter=x": "filter", "timezone=Mars": "timezone", "from=soon": "from"} {
		r := b.send("GET", "/v1/connections/"+connection+"/kpis/conversation_volume?"+query, b.secret, "")
		require.Equal(t, http.StatusUnprocessableEntity, r.StatusCode, query)
		require.Equal(t, field, r.problem(t).Errors[0].Field, query)
	}
	require.Equal(t, http.StatusUnprocessableEntity, b.send("GET", "/v1/connections/"+connection+"/kpis/conversation_volume?colour=red", b.secret, "").StatusCode)
	_, err = b.client.KPI(ctx, connection, "happiness", client.KPIQuery{})
	_ = refusal(t, err, http.StatusNotFound, client.CodeNotFound)
	_, err = b.client.KPI(ctx, connection, "conversation_volume", client.KPIQuery{CompareDixa: true})
	_ = refusal(t, err, http.StatusUnprocessableEntity, client.CodeInvalid)
}

// An answer about claims may be up to a minute old for who accepts that.
func TestKPIOfClaimsMayBeAMinuteOld(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	connection := b.connection("acme")
	to := time.Now().Truncate(time.Minute).Add(time.Hour)
	volume := func(maxAge time.Duration) (int, string) {
		t.Helper()
		result, err := b.client.KPI(t.Context(), connection, "claim_volume", client.KPIQuery{
			From: to.AddDate(0, 0, -2).Format(time.RFC3339), To: to.Format(time.RFC3339), Bucket: "none", MaxAge: maxAge,
		})
		require.NoError(t, err)
		n := 0
		for _, s := range result.Series {
			n += s.Buckets[0].Count
		}
		return n, result.Request.AskedAt.Format("15:04")
	}
	for {
		before, minute := volume(time.Minute)
		_ = b.claimOf("acme", fmt.Sprint("c-", before), "damaged")
		old, _ := volume(time.Minute)
		exact, now := volume(0)
		require.Equal(t, before+1, exact)
		if now == minute {
			require.Equal(t, before, old)
			return
		}
	}
}

func TestKPIByBusinessHoursTeamAndDixa(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ctx := t.Context()
	connection := b.connection("acme")
	ask := func(q client.KPIQuery) (client.KPIResult, error) {
		return b.client.KPI(ctx, connection, "first_response_time", q)
	}
	_, err := ask(client.KPIQuery{Hours: "business"})
	require.Equal(t, []string{"hours"}, fields(refusal(t, err, http.StatusUnprocessableEntity, client.CodeInvalid).Problem))
	schedule := func(id string) {
		definition := []byte(`{"id": "` + id + `", "name": "Office", "timezone": "Europe/Copenhagen", "businessHours": []}`)
		require.NoError(t, b.store.Mirror.SaveSchedule(ctx, connection, store.ScheduleVersion{ID: id, ValidFrom: time.Now(), Definition: definition}))
	}
	schedule("s-1")
	_, err = ask(client.KPIQuery{Hours: "business"})
	require.NoError(t, err)
	schedule("s-2")
	_, err = ask(client.KPIQuery{Hours: "business"})
	require.Equal(t, []string{"schedule"}, fields(refusal(t, err, http.StatusUnprocessableEntity, client.CodeInvalid).Problem))
	_, err = ask(client.KPIQuery{Hours: "business", Schedule: "s-2"})
	require.NoError(t, err)

	team := mirror.DirectoryEntry{ID: "t-1", Name: "Returns", MemberIDs: []string{"a-1"}}
	_, err = b.store.Mirror.SaveDirectory(ctx, connection, mirror.KindTeam, []mirror.DirectoryEntry{team}, time.Now())
	require.NoError(t, err)
	result, err := b.client.KPI(ctx, connection, "closed_conversations", client.KPIQuery{By: "team", Filters: []string{"team:Returns"}, Bucket: "none"})
	require.NoError(t, err)
	require.Equal(t, "Returns", result.Series[0].Label)
	_, err = b.client.KPI(ctx, connection, "closed_conversations", client.KPIQuery{By: "team", CompareDixa: true, Bucket: "none"})
	require.Equal(t, []string{"compare"}, fields(refusal(t, err, http.StatusUnprocessableEntity, client.CodeInvalid).Problem))
}

// Nothing is imported, so only Dixa knows closes.
func TestKPIBesideDixa(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	connection := b.connection("acme")
	require.NoError(t, b.dixa.Fill(t.Context(), emulator.FillOptions{Conversations: 60, Seed: 1, Until: time.Now(), Span: 20 * 24 * time.Hour}))
	closes := 0
	for _, c := range b.dixa.Truth() {
		for _, a := range c.Activity {
			if a.Type == "ConversationClosed" {
				closes++
			}
		}
	}
	result, err := b.client.KPI(t.Context(), connection, "closed_conversations", client.KPIQuery{CompareDixa: true, Bucket: "none"})
	require.NoError(t, err)
	require.Equal(t, "closed_conversations", result.Dixa.Metric)
	require.Len(t, result.Dixa.Buckets, 1)
	require.InDelta(t, closes, *result.Dixa.Buckets[0].Dixa, 0)
	require.InDelta(t, -closes, *result.Dixa.Buckets[0].Difference, 0)
	csat, err := b.client.KPI(t.Context(), connection, "csat", client.KPIQuery{CompareDixa: true, Bucket: "none"})
	require.NoError(t, err)
	require.NotNil(t, csat.Dixa.Buckets[0].Dixa)
	require.Nil(t, csat.Dixa.Buckets[0].Ours)
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	require.NoError(t, err)
	return string(data)
}
