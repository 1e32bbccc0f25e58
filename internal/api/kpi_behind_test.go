package api_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
)

func TestKPIBehind(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ctx := t.Context()
	connection := b.connection("acme")
	b.source(connection, claim.DataSource{Title: "all"})
	b.conversations(connection, 1, 7)
	base := "/v1/connections/" + connection + "/kpis/conversation_volume/behind"

	first, err := b.client.KPIBehind(ctx, connection, "conversation_volume", client.KPIBehindQuery{Limit: 3})
	require.NoError(t, err)
	require.Len(t, first.Members, 3)
	require.Equal(t, 7, first.Bucket.Count)
	require.InDelta(t, 7, *first.Bucket.Value, 0)
	require.Equal(t, "conversations", first.Subject)
	require.Equal(t, "Email", first.Members[0].Channel)
	require.Equal(t, 1, first.Members[0].Times)
	require.Nil(t, first.Members[0].Part)
	require.NotEmpty(t, first.Next)

	var ids []int64
	for m, err := range b.client.KPIMembers(ctx, connection, "conversation_volume", client.KPIBehindQuery{Limit: 3}) {
		require.NoError(t, err)
		ids = append(ids, m.ConversationID)
	}
	slices.Sort(ids)
	require.Equal(t, []int64{1, 2, 3, 4, 5, 6, 7}, ids)

	for _, query := range []string{"", "?limit=2", "?by=channel&group=Email", "?by=queue&group=&filter=direction:inbound", "?bucket=hour_of_week&position=3", "?bucket=week&position=0"} {
		raw := b.send("GET", base+query, b.secret, "")
		require.Equal(t, http.StatusOK, raw.StatusCode, raw.text)
		var decoded client.KPIBehind
		require.NoError(t, json.Unmarshal([]byte(raw.text), &decoded))
		require.Equal(t, decoded.Bucket.Count > len(decoded.Members), decoded.Next != "", query)
	}

	cursor := "&cursor=" + url.QueryEscape(first.Next)
	for query, field := range map[string]string{
		"bucket=century": "bucket", "by=queue": "group", "group=x": "group", "position=9999": "position", "position=x": "position", "limit=501": "limit",
		"cursor=x": "cursor", "filter=channel:Email" + cursor: "cursor", "to=2026-01-01" + cursor: "cursor",
	} {
		r := b.send("GET", base+"?"+query, b.secret, "")
		require.Equal(t, http.StatusUnprocessableEntity, r.StatusCode, query)
		require.Equal(t, field, r.problem(t).Errors[0].Field, query)
	}
	require.Equal(t, http.StatusOK, b.send("GET", base+"?limit=500"+cursor, b.secret, "").StatusCode, "pages may have other lengths")
	_, err = b.client.KPIBehind(ctx, connection, "happiness", client.KPIBehindQuery{})
	_ = refusal(t, err, http.StatusNotFound, client.CodeNotFound)
	_, err = b.client.KPIBehind(ctx, connection, "agent_presence", client.KPIBehindQuery{})
	_ = refusal(t, err, http.StatusUnprocessableEntity, client.CodeInvalid)
	require.Equal(t, http.StatusForbidden, b.send("GET", base, b.key("", client.ScopeShopsRead), "").StatusCode)
	b.shop("other")
	require.Equal(t, http.StatusForbidden, b.send("GET", base, b.key("other", client.ScopeAdmin), "").StatusCode)
}

// A list keeps its period while time goes on, and says what it cannot list.
func TestKPIBehindSaysWhatIsGone(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ctx := t.Context()
	connection := b.connection("acme")
	source := b.source(connection, claim.DataSource{Title: "all"})
	before := time.Now().Add(-time.Hour).Truncate(time.Second)
	b.conversations(connection, 1, 7)
	source.From, source.KeepFigures = before.Add(3*time.Second+time.Millisecond), true
	_, err := b.client.ReplaceDataSource(ctx, connection, source)
	require.NoError(t, err)
	_, err = b.store.Mirror.DeleteExpired(ctx, connection)
	require.NoError(t, err)
	page, err := b.client.KPIBehind(ctx, connection, "conversation_volume", client.KPIBehindQuery{Limit: 2})
	require.NoError(t, err)
	require.Equal(t, 7, page.Bucket.Count)
	require.Positive(t, page.Gone)
	require.Less(t, page.Gone, 5)
	next, err := b.client.KPIBehind(ctx, connection, "conversation_volume", client.KPIBehindQuery{Limit: 9, Cursor: page.Next})
	require.NoError(t, err)
	require.Empty(t, next.Next)
	require.Equal(t, page.Request.To, next.Request.To)
	require.WithinDuration(t, page.Request.AskedAt, next.Request.AskedAt, time.Microsecond)
	require.Equal(t, page.Bucket, next.Bucket)
	require.Equal(t, page.Gone, next.Gone)
	require.Len(t, slices.Concat(page.Members, next.Members), 7-page.Gone)
	for _, m := range next.Members {
		require.Less(t, m.ConversationID, page.Members[1].ConversationID)
	}
}

// Claims lead to their conversations, and conversations to their claims.
func TestKPIBehindClaims(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ctx := t.Context()
	ref := b.linked("c-1", 2)
	shop, err := b.client.Shop(ctx, "acme")
	require.NoError(t, err)
	connection := shop.Connection.ID
	b.source(connection, claim.DataSource{Title: "all"})
	b.conversations(connection, 1, 2)
	page, err := b.client.KPIBehind(ctx, connection, "claim_volume", client.KPIBehindQuery{KPIQuery: client.KPIQuery{By: "shop"}, Group: "acme"})
	require.NoError(t, err)
	require.Equal(t, "claims", page.Subject)
	require.Len(t, page.Members, 1)
	require.Equal(t, &ref, page.Members[0].Claim)
	require.Equal(t, int64(2), page.Members[0].ConversationID)
	require.Equal(t, "damaged", page.Members[0].Reason)
	for m, err := range b.client.KPIMembers(ctx, connection, "conversation_volume", client.KPIBehindQuery{}) {
		require.NoError(t, err)
		require.Equal(t, m.ConversationID == 2, m.Claim != nil)
	}
}
