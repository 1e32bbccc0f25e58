package fold_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/internal/fromdixa/fold"
	"github.com/claimflow/claimflow/mirror"
)

var nine = time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)

// told returns an event's body with data and a typical conversation.
func told(t *testing.T, fqn, status string, data map[string]any) []byte {
	t.Helper()
	conversation := map[string]any{
		"csid": 4711, "channel": "EMAIL", "status": status, "direction": "INBOUND", "created_at": "2026-03-01T08:00:00.000Z",
		"queue":     map[string]any{"id": "q-1", "name": "Claims"},
		"requester": map[string]any{"id": "u-1", "name": "Ada", "email": "ada@customer.example"},
		"assignee":  map[string]any{"id": "a-1", "name": "Anna"},
		"tags":      []map[string]any{{"id": "t-1", "name": "claim"}},
	}
	all := map[string]any{"conversation": conversation}
	for name, v := range data {
		all[name] = v
	}
	body, err := json.Marshal(map[string]any{
		"event_id": "e-1", "event_fqn": fqn, "event_version": "1", "event_timestamp": "2026-03-01T09:00:00.000Z",
		"organization": map[string]any{"id": "o-1"}, "data": all,
	})
	require.NoError(t, err)
	return body
}

func TestReadEvents(t *testing.T) {
	t.Parallel()
	anna := map[string]any{"id": "a-1", "name": "Anna"}
	for name, test := range map[string]struct {
		fqn, status string
		data        map[string]any
		want        claim.ConversationStatus
		weight      claim.Weight
		happened    claim.TimelineEntry
		tags        []string
		messages    []mirror.Message
	}{
		"closed":                 {fqn: "CONVERSATION_CLOSED", status: "CLOSED", want: claim.ConversationClosed, weight: claim.WeightTransition, happened: claim.TimelineEntry{What: "conversation closed"}},
		"closed, stale snapshot": {fqn: "CONVERSATION_CLOSED", status: "OPEN", want: claim.ConversationClosed, weight: claim.WeightTransition, happened: claim.TimelineEntry{What: "conversation closed"}},
		"reopened":               {fqn: "CONVERSATION_OPEN", status: "OPEN", want: claim.ConversationOpen, weight: claim.WeightTransition, happened: claim.TimelineEntry{What: "conversation reopened"}},
		"pending":                {fqn: "CONVERSATION_PENDING", status: "PENDING", want: claim.ConversationPending, weight: claim.WeightTransition, happened: claim.TimelineEntry{What: "follow-up set"}},
		"follow-up expired":      {fqn: "CONVERSATION_PENDING_EXPIRED", status: "OPEN", want: claim.ConversationOpen, weight: claim.WeightTransition, happened: claim.TimelineEntry{What: "follow-up expired"}},
		"expired, awaiting":      {fqn: "CONVERSATION_PENDING_EXPIRED", status: "AWAITING_PENDING", want: claim.ConversationPending, weight: claim.WeightTransition, happened: claim.TimelineEntry{What: "follow-up expired"}},
		"abandoned":              {fqn: "CONVERSATION_ABANDONED", status: "CLOSED", want: claim.ConversationClosed, weight: claim.WeightTransition, happened: claim.TimelineEntry{What: "conversation closed without an agent"}},
		"assigned":               {fqn: "CONVERSATION_ASSIGNED", status: "OPEN", want: claim.ConversationOpen, happened: claim.TimelineEntry{What: "assigned", Detail: "Anna"}},
		"transferred":            {fqn: "CONVERSATION_TRANSFERRED", status: "OPEN", want: claim.ConversationOpen, happened: claim.TimelineEntry{What: "transferred", Detail: "Claims"}},
		"tagged, stale snapshot": {
			fqn: "CONVERSATION_TAG_ADDED", status: "OPEN", data: map[string]any{"tag": "claim-accepted", "author": anna},
			want: claim.ConversationOpen, tags: []string{"claim", "claim-accepted"}, happened: claim.TimelineEntry{What: "tag added", By: "Anna", Detail: "claim-accepted"},
		},
		"rated":             {fqn: "CONVERSATION_RATED", status: "CLOSED", data: map[string]any{"score": 5, "agent": anna}, want: claim.ConversationClosed, happened: claim.TimelineEntry{What: "rated", By: "Anna", Detail: "5"}},
		"customer replaced": {fqn: "CONVERSATION_END_USER_REPLACED", status: "OPEN", want: claim.ConversationOpen, happened: claim.TimelineEntry{What: "customer replaced", Detail: "Ada"}},
		"unknown":           {fqn: "CONVERSATION_TELEPORTED", status: "OPEN", want: claim.ConversationOpen, happened: claim.TimelineEntry{What: "conversation teleported"}},
		"unknown status":    {fqn: "CONVERSATION_ASSIGNED", status: "FROZEN", happened: claim.TimelineEntry{What: "assigned", Detail: "Anna"}},
		"message": {
			fqn: "CONVERSATION_MESSAGE_ADDED", status: "OPEN", want: claim.ConversationOpen, happened: claim.TimelineEntry{What: "message from the customer", By: "Ada"},
			data: map[string]any{
				"author": map[string]any{"id": "u-1", "name": "Ada"}, "created_at": "2026-03-01T08:59:59.000Z", "message_id": "m-1", "text": "Hello",
				"direction": "INBOUND", "channel": "EMAIL", "attachments": []any{map[string]any{"url": "/private/x", "pretty_name": "x.jpg"}}, "external_id": "cf-1",
			},
			messages: []mirror.Message{{ConversationID: 4711, Version: mirror.Version{ReadAt: nine}, Message: claim.Message{
				ID: "m-1", Kind: claim.MessageKind, Direction: "inbound", Channel: "Email", Author: &claim.Person{ID: "u-1", Name: "Ada"}, At: nine.Add(-time.Second),
				Text: "Hello", Attachments: []claim.MessageAttachment{{ID: "1", Name: "x.jpg", Source: "/private/x"}}, ExternalID: "cf-1",
			}}},
		},
		"note": {
			fqn: "CONVERSATION_NOTE_ADDED", status: "OPEN", data: map[string]any{"note_id": "n-1", "text": "call back", "author": anna},
			want: claim.ConversationOpen, happened: claim.TimelineEntry{What: "note added", By: "Anna"},
			messages: []mirror.Message{{ConversationID: 4711, Version: mirror.Version{ReadAt: nine}, Message: claim.Message{
				ID: "n-1", Kind: claim.NoteKind, Author: &claim.Person{ID: "a-1", Name: "Anna"}, At: nine, Text: "call back",
			}}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := fold.Read("e-1", "whatever", time.Time{}, told(t, test.fqn, test.status, test.data))
			require.Equal(t, claim.Stamp{At: nine, Weight: test.weight, ID: "e-1"}, r.Fact.Stamp)
			require.Equal(t, test.want, r.Fact.Status)
			require.True(t, r.Fact.People)
			require.Equal(t, &claim.Person{ID: "a-1", Name: "Anna"}, r.Fact.Assignee)
			require.Equal(t, &claim.Queue{ID: "q-1", Name: "Claims"}, r.Fact.Queue)
			tags := test.tags
			if tags == nil {
				tags = []string{"claim"}
			}
			require.Equal(t, tags, r.Fact.Tags)
			test.happened.At = nine
			require.Equal(t, &test.happened, r.Timeline)
			require.Equal(t, test.messages, r.Messages)
		})
	}
}

func TestReadOmitsUnremarkableEventsFromTimeline(t *testing.T) {
	t.Parallel()
	r := fold.Read("e-1", "TypingStarted", nine, told(t, "TYPING_STARTED", "OPEN", nil))
	require.Nil(t, r.Timeline)
	require.Equal(t, claim.ConversationOpen, r.Fact.Status)
}

// Data from Dixa is not trusted: Read accepts anything but changes only the
// conversation that the event is about. A key that a database rejects would block
// the claim's later events.
func TestReadDropsKeysThatCannotBeStored(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"m\x00", strings.Repeat("m", 201)} {
		r := fold.Read("e-1", "ConversationMessageAdded", nine, told(t, "CONVERSATION_MESSAGE_ADDED", "OPEN", map[string]any{"message_id": id, "text": "hello"}))
		require.Empty(t, r.Messages)
		require.Equal(t, claim.ConversationOpen, r.Fact.Status, "the rest of the event was dropped")
		body, err := json.Marshal(fold.Refreshed{
			Status: claim.ConversationOpen, At: nine, Messages: []fold.RefreshedMessage{
				{Message: mirror.Message{Message: claim.Message{ID: id}}}, {Message: mirror.Message{Message: claim.Message{ID: "m-1"}}},
			},
			Happened: map[string]claim.TimelineEntry{id: {What: "closed"}, "l-1": {What: "closed"}},
		})
		require.NoError(t, err)
		r = fold.Read("e-2", fold.NameRefreshed, nine, body)
		require.Len(t, r.Messages, 1)
		require.Len(t, r.Log, 1)
	}
}

func FuzzRead(f *testing.F) {
	for _, seed := range []string{
		``, `{}`, `null`, `[]`, `{"event_id":"e","event_fqn":"CONVERSATION_CLOSED"}`,
		`{"event_id":"e","event_fqn":"CONVERSATION_CLOSED","data":{"conversation":{"csid":1,"status":"CLOSED","tags":null,"assignee":null}}}`,
		`{"event_id":"e","event_fqn":"CONVERSATION_TAG_ADDED","data":{"conversation":{"csid":"x","tags":[{}]},"tag":{"name":"y"}}}`,
		`{"event_id":"e","event_fqn":"CONVERSATION_MESSAGE_ADDED","data":{"message_id":"m","attachments":["a",{"x":1}],"content":{"text":"t","content_type":"Html"}}}`,
		`{"status":"closed","at":"2026-03-01T09:00:00Z","messages":[{"id":"m","attachments":[{"id":"1"}],"sources":[]}]}`,
	} {
		f.Add("Closed", []byte(seed))
		f.Add(fold.NameRefreshed, []byte(seed))
	}
	f.Fuzz(func(t *testing.T, name string, body []byte) {
		r := fold.Read("e-1", name, nine, body)
		for _, m := range r.Messages {
			require.Equal(t, m.Listed, name == fold.NameRefreshed)
		}
		story := fold.Projection{State: claim.StateOpen, Settings: claim.DefaultSettings()}
		require.LessOrEqual(t, len(story.Apply(r.Fact)), 2)
		require.Empty(t, story.Apply(r.Fact), "a duplicate fact caused a change")
	})
}
