package unified_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/mirror"
	"github.com/claimflow/claimflow/unified"
)

var update = flag.Bool("update", false, "rewrite the files that tests compare with")

// golden compares JSON with a file in testdata.
func golden(t *testing.T, name string, have []byte) {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, json.Indent(&b, have, "", "  "))
	b.WriteByte('\n')
	path := filepath.Join("testdata", name+".json")
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(path, b.Bytes(), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), b.String(), "run: go test ./unified -update")
}

// directory is a small directory.
type directory map[string]mirror.DirectoryEntry

func (d directory) Entry(kind mirror.DirectoryKind, id string) (mirror.DirectoryEntry, bool) {
	e, ok := d[string(kind)+"/"+id]
	return e, ok
}

func people() directory {
	return directory{
		"agent/a-1":                          {ID: "a-1", Name: "Anna Agent", Object: json.RawMessage(`{"id":"a-1","displayName":"Anna Agent","email":"anna@shop.example"}`)},
		"end_user/u-1":                       {ID: "u-1", Name: "Nora Berg", Object: json.RawMessage(`{"id":"u-1","displayName":"Nora Berg","firstName":"Nora","email":"nora@example.com","additionalPhoneNumbers":["+4511"]}`)},
		"queue/q-1":                          {ID: "q-1", Name: "Claims"},
		"contact_endpoint/help@dixa.example": {ID: "help@dixa.example", Name: "Support"},
	}
}

func conversation() *unified.Conversation {
	at := time.Date(2026, 3, 1, 9, 0, 0, 123e6, time.UTC)
	c := &unified.Conversation{ID: 4711, UpdatedAt: at.Add(time.Hour), ClosedAt: at.Add(time.Hour)}
	c.Status, c.Assignee, c.Requester = claim.ConversationClosed, &claim.Person{ID: "a-1"}, &claim.Person{ID: "u-1"}
	c.Queue = &claim.Queue{ID: "q-1"}
	c.Origin = mirror.Origin{CreatedAt: at, Channel: "Email", Direction: claim.DirectionInbound, ContactPoint: "help@dixa.example", Subject: "Broken <lamp>"}
	c.Tags, c.TagInfo = []string{"claim"}, map[string]mirror.TagInfo{"claim": {ID: "t-1"}}
	c.Attributes = map[string]mirror.Attribute{"f-1": {Identifier: "order_number", Value: json.RawMessage(`"10001"`)}}
	return c
}

func TestEnvelopesAndObjects(t *testing.T) {
	t.Parallel()
	ticket := func() unified.Object { return unified.TicketOf(conversation(), people()) }
	message := mirror.Message{ConversationID: 4711, Message: claim.Message{
		ID: "m-1", Kind: claim.MessageKind, Direction: claim.DirectionOutbound, Author: &claim.Person{ID: "a-1"}, HTML: "<p>Hello &amp; welcome</p>",
		At: time.Date(2026, 3, 1, 9, 5, 0, 0, time.UTC), Attachments: []claim.MessageAttachment{{ID: "1", Name: "label.pdf", Source: "https://files.dixa.example/1"}},
	}}
	thread := &unified.Thread{Requester: &claim.Person{ID: "u-1"}, Channel: "Email", FileURL: func(a *unified.Attachment) string { return "https://claimflow.example/" + a.ID }}
	note := message
	note.ID, note.Kind, note.HTML, note.Text, note.Direction, note.Attachments = "n-1", claim.NoteKind, "", "Called the carrier.", "", nil
	comments := func() []unified.Object {
		return []unified.Object{unified.CommentOf(&message, thread, people()), unified.CommentOf(&note, thread, people())}
	}
	for name, page := range map[string]struct {
		query string
		unified.Page
	}{
		"list":            {"", unified.Page{Items: []unified.Object{ticket()}, Next: "next", Previous: "previous"}},
		"list_empty":      {"", unified.Page{}},
		"list_keyed":      {"truto_key_by=number&truto_exclude_fields=assignees,contact,remote_data", unified.Page{Items: []unified.Object{ticket()}}},
		"list_raw":        {"truto_response_format=raw", unified.Page{Items: []unified.Object{ticket()}}},
		"list_normalized": {"truto_response_format=normalized", unified.Page{Items: []unified.Object{ticket()}}},
		"list_comments":   {"", unified.Page{Items: comments()}},
	} {
		q, err := unified.ParseQuery(page.query, filtersOf(t, "tickets", unified.MethodList))
		require.NoError(t, err)
		body, err := unified.RenderList(q, page.Page)
		require.NoError(t, err)
		golden(t, name, body)
	}
	q, err := unified.ParseQuery("", nil)
	require.NoError(t, err)
	body, err := unified.Render(q, ticket())
	require.NoError(t, err)
	golden(t, "object", body)
}

func TestErrorShapes(t *testing.T) {
	t.Parallel()
	_, unknown := unified.ParseQuery("foo=1&limit=0", filtersOf(t, "tickets", unified.MethodList))
	_, lacking := unified.ParseQuery("", filtersOf(t, "comments", unified.MethodList))
	r, err := unified.ResourceOf(unified.ModelTicketing, "tickets")
	require.NoError(t, err)
	limited := unified.NewError(http.StatusTooManyRequests, "Dixa's request limit is reached. Retry later.")
	limited.Insight = &unified.Insight{RateLimit: &unified.InsightItem{Description: "Seconds to wait.", Value: 10}}
	for name, err := range map[string]error{
		"error_parameters": unknown, "error_missing": lacking, "error_unsupported": r.Refusal(unified.MethodDelete),
		"error_remote": unified.Refused(http.StatusConflict, "Conversation is closed"), "error_rate_limit": limited,
	} {
		body, encodeErr := json.Marshal(err)
		require.NoError(t, encodeErr)
		golden(t, name, body)
	}
}

func TestMetaShape(t *testing.T) {
	t.Parallel()
	meta, err := unified.MetaOf(unified.ModelTicketing, "tags", unified.MethodList)
	require.NoError(t, err)
	body, err := json.Marshal(meta)
	require.NoError(t, err)
	golden(t, "meta", body)
	body, err = json.Marshal(unified.CapabilitiesOf(unified.CapabilityQuery{Resource: "ticket_status", Without: func(*unified.Resource, *unified.Method) string { return "" }}))
	require.NoError(t, err)
	golden(t, "capabilities", body)
}

func TestDocumentIsCurrent(t *testing.T) {
	t.Parallel()
	const path = "../docs/unified-resources.md"
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(unified.Markdown()), 0o644))
	}
	have, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, unified.Markdown(), string(have), "run: go test ./unified -update")
}
