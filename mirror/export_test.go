package mirror_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/mirror"
)

func exportedRow(t *testing.T, body string) *dixa.ExportedConversation {
	t.Helper()
	var row dixa.ExportedConversation
	require.NoError(t, json.Unmarshal([]byte(body), &row))
	return &row
}

func TestConversationFromExport(t *testing.T) {
	t.Parallel()
	row := exportedRow(t, `{
		"id": 4711, "created_at": 1772355600000, "updated_at": 1772362800000, "queued_at": 1772355600000, "assigned_at": 1772359200000,
		"closed_at": 1772362800000, "last_message_created_at": 1772359200000, "initial_channel": "widgetchat", "direction": "inbound",
		"status": "closed", "subject": "Broken", "requester_id": "u-1", "requester_name": "Ada", "requester_email": "ada@customer.example",
		"requester_phone_number": "+4512345678", "queue_id": "q-1", "queue_name": "Claims", "assignee_id": "a-1", "assignee_name": "Anna",
		"widget_id": "w-1", "total_duration": 7200, "handling_duration": 3600, "tags": ["claim", "b"], "conversation_wrapup_notes": ["Called", ""],
		"tags_info": [{"id": "t-1", "name": "claim", "is_deactivated": true}],
		"custom_fields": [{"attribute_id": "x-1", "identifier": "parcel", "value": ["a", "b"]}, {"attribute_id": "x-2", "identifier": "none", "value": null}],
		"ratings": [{"rating_type": "stars", "rating_status": "RATED", "rating_score": 4, "rating_message": "fine",
			"rating_created_timestamp": 1772362801000, "rating_offered_timestamp": 1772362802000, "rating_rated_timestamp": 1772362860000}]
	}`)
	f := mirror.ConversationFromExport(row, nine.Add(24*time.Hour))
	at := func(ms int64) time.Time { return time.UnixMilli(ms).UTC() }
	require.Equal(t, claim.Stamp{At: at(1772362860000), Weight: claim.WeightRefreshed, ID: "read:2026-03-02T09:00:00.000000000Z:export"}, f.Stamp)
	require.Equal(t, claim.ConversationClosed, f.Status)
	require.True(t, f.People)
	require.Equal(t, &claim.Person{ID: "a-1", Name: "Anna"}, f.Assignee)
	require.Equal(t, &claim.Queue{ID: "q-1", Name: "Claims"}, f.Queue)
	require.Equal(t, &claim.Person{ID: "u-1", Name: "Ada"}, f.Requester)
	require.Equal(t, []string{"claim", "b"}, f.Tags)
	require.Equal(t, map[string]mirror.TagInfo{"claim": {ID: "t-1", Deactivated: true}}, f.TagInfo)
	require.Equal(t, &claim.Rating{Score: 4, Comment: "fine", At: at(1772362860000)}, f.Rating)
	require.Equal(t, &mirror.Origin{
		CreatedAt: at(1772355600000), Channel: "WidgetChat", Direction: "inbound", ContactPoint: "w-1", Subject: "Broken",
		Email: "ada@customer.example", Phone: "+4512345678",
	}, f.Origin)
	total, handling, score := int64(7200), int64(3600), 4
	require.Equal(t, &mirror.Reported{
		UpdatedAt: at(1772362800000), QueuedAt: at(1772355600000), AssignedAt: at(1772359200000), ClosedAt: at(1772362800000),
		LastMessageAt: at(1772359200000), TotalDuration: &total, HandlingDuration: &handling, Notes: 2,
	}, f.Reported)
	require.Equal(t, []mirror.Rating{{
		Type: "Csat", Status: "Rated", Score: &score, Comment: "fine", CreatedAt: at(1772362801000), OfferedAt: at(1772362802000), RatedAt: at(1772362860000),
	}}, f.Ratings)
	require.Equal(t, map[string]mirror.Attribute{"x-1": {Identifier: "parcel", Value: json.RawMessage(`["a","b"]`)}}, f.Attributes)
}

// An export row is complete: what is null or missing does not exist.
func TestExportRowsWithoutFields(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		`{"id": 4711}`,
		`{"id": 4711, "created_at": null, "status": null, "requester_id": null, "queue_id": null, "assignee_id": null, "tags": null,
		  "tags_info": null, "ratings": null, "custom_fields": null, "initial_channel": null, "direction": null, "anonymized_at": null}`,
		`{"id": 4711, "tags": [], "ratings": [], "custom_fields": []}`,
	} {
		f := mirror.ConversationFromExport(exportedRow(t, body), nine)
		require.True(t, f.People)
		require.Nil(t, f.Assignee)
		require.Nil(t, f.Queue)
		require.Nil(t, f.Requester)
		require.Equal(t, []string{}, f.Tags)
		require.Equal(t, []mirror.Rating{}, f.Ratings)
		require.Equal(t, map[string]mirror.Attribute{}, f.Attributes)
		require.Equal(t, &mirror.Origin{}, f.Origin)
		require.Empty(t, f.Status)
	}
}

func TestExportSpellings(t *testing.T) {
	t.Parallel()
	for received, want := range map[string]string{
		"email": "Email", "EMAIL": "Email", "Email": "Email", "widgetchat": "WidgetChat", "WIDGET_CHAT": "WidgetChat", "widget-chat": "WidgetChat",
		"Widget Chat": "WidgetChat", "pstnphone": "PstnPhone", "contact_form": "ContactForm", "facebookmessenger": "FacebookMessenger",
		"whatsapp": "WhatsApp", "sms": "Sms", "messenger": "Messenger", "callback": "Callback", "voicemail": "Voicemail", "TWITTER": "Twitter",
		"Carrier_Pigeon": "Carrier_Pigeon", "": "",
	} {
		f := mirror.ConversationFromExport(&dixa.ExportedConversation{ID: 1, InitialChannel: received}, nine)
		require.Equal(t, want, f.Origin.Channel, received)
	}
	for received, want := range map[string]string{"inbound": "inbound", "INBOUND": "inbound", "Outbound": "outbound", "internal": "internal", "": ""} {
		f := mirror.ConversationFromExport(&dixa.ExportedConversation{ID: 1, Direction: received}, nine)
		require.Equal(t, want, f.Origin.Direction, received)
	}
	for received, want := range map[string]claim.ConversationStatus{
		"open": "open", "OPEN": "open", "Pending": "pending", "awaiting_pending": "pending", "AwaitingPending": "pending", "awaiting-pending": "pending",
		"closed": "closed", "Frozen": "", "": "",
	} {
		f := mirror.ConversationFromExport(&dixa.ExportedConversation{ID: 1, Status: received}, nine)
		require.Equal(t, want, f.Status, received)
	}
	for received, want := range map[string][2]string{
		"stars": {"Csat", "Rated"}, "CSAT": {"Csat", "Rated"}, "nps": {"Nps", "Rated"}, "NPS": {"Nps", "Rated"}, "thumbs": {"ThumbsUpOrDown", "Rated"},
		"thumbs_up_or_down": {"ThumbsUpOrDown", "Rated"}, "smileys": {"smileys", "Rated"}, "": {"", "Rated"},
	} {
		f := mirror.ConversationFromExport(&dixa.ExportedConversation{ID: 1, Ratings: []dixa.ExportedRating{{Type: received, Status: "rated"}}}, nine)
		require.Equal(t, want, [2]string{f.Ratings[0].Type, f.Ratings[0].Status}, received)
	}
	for received, want := range map[string]string{"offered": "Offered", "CANCELLED": "Cancelled", "Unscheduled": "Unscheduled", "scheduled": "Scheduled", "lost": "lost", "": ""} {
		f := mirror.ConversationFromExport(&dixa.ExportedConversation{ID: 1, Ratings: []dixa.ExportedRating{{Status: received}}}, nine)
		require.Equal(t, want, f.Ratings[0].Status, received)
	}
}

func TestLastRatingOfRowWithoutList(t *testing.T) {
	t.Parallel()
	f := mirror.ConversationFromExport(exportedRow(t, `{"id": 1, "updated_at": 1772355600000, "rating_score": 2, "rating_message": "slow"}`), nine)
	require.Equal(t, &claim.Rating{Score: 2, Comment: "slow", At: nine}, f.Rating)
	require.Empty(t, f.Ratings)
}

func TestMessageFromExport(t *testing.T) {
	t.Parallel()
	var row dixa.ExportedMessage
	require.NoError(t, json.Unmarshal([]byte(`{
		"id": "m-1", "csid": 4711, "created_at": 1772355600000, "initial_channel": "email", "direction": "OUTBOUND", "author_name": "Anna",
		"author_email": "anna@shop.example", "text": "Hello", "from": "shop@email.dixa.io", "to": ["ada@customer.example"], "cc": [], "bcc": null,
		"attached_files": ["https://files.dixa.io/private/x/photo.jpg?sig=1"], "is_automated_message": true
	}`), &row))
	m, ok := mirror.MessageFromExport(&row, nine.Add(time.Hour))
	require.True(t, ok)
	require.Equal(t, mirror.Message{
		Message: claim.Message{
			ID: "m-1", Kind: claim.MessageKind, Direction: "outbound", Channel: "Email", Author: &claim.Person{Name: "Anna"}, At: nine, Text: "Hello",
			Attachments: []claim.MessageAttachment{{ID: "1", Name: "photo.jpg", Source: "https://files.dixa.io/private/x/photo.jpg?sig=1"}}, Automated: true,
		},
		ConversationID: 4711, AuthorEmail: "anna@shop.example", From: "shop@email.dixa.io", To: []string{"ada@customer.example"}, AutomatedKnown: true,
		Version: mirror.Version{Source: mirror.FromExport, ReadAt: nine.Add(time.Hour)},
	}, m)

	row = dixa.ExportedMessage{}
	require.NoError(t, json.Unmarshal([]byte(`{"id": "m-2", "csid": 4711, "text": null, "direction": null, "from_phone_number": "+45", "to_phone_number": "+46"}`), &row))
	m, ok = mirror.MessageFromExport(&row, nine)
	require.True(t, ok)
	require.Equal(t, nine, m.BlankAt)
	require.Nil(t, m.Author)
	require.Equal(t, "+45", m.From)
	require.Equal(t, []string{"+46"}, m.To)

	for _, bad := range []dixa.ExportedMessage{{ConversationID: 1}, {ID: "m-1"}, {ID: "m\x00", ConversationID: 1}} {
		_, ok = mirror.MessageFromExport(&bad, nine)
		require.False(t, ok)
	}
}

// A row is as of the newest time in it.
func TestExportedTimes(t *testing.T) {
	t.Parallel()
	for _, field := range []string{"created_at", "updated_at", "queued_at", "assigned_at", "closed_at", "last_message_created_at", "anonymized_at"} {
		f := mirror.ConversationFromExport(exportedRow(t, `{"id": 1, "`+field+`": 1772355600000}`), nine.Add(time.Hour))
		require.Equal(t, nine, f.At, field)
	}
}
