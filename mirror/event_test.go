package mirror_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/mirror"
)

// eventBody returns an event's body with data and a typical conversation.
func eventBody(t *testing.T, fqn, status string, data map[string]any) []byte {
	t.Helper()
	all := map[string]any{"conversation": map[string]any{
		"csid": 4711, "channel": "EMAIL", "status": status, "direction": "INBOUND", "created_at": "2026-03-01T08:00:00.000Z",
		"queue":     map[string]any{"id": "q-1", "name": "Claims"},
		"requester": map[string]any{"id": "u-1", "name": "Ada", "email": "ada@customer.example", "phone": "+45"},
		"assignee":  map[string]any{"id": "a-1", "name": "Anna"}, "subject": "Broken", "contact_point": "shop@email.dixa.io",
		"tags": []map[string]any{{"id": "t-1", "name": "claim", "is_deactivated": true}},
	}}
	for name, v := range data {
		all[name] = v
	}
	body, err := json.Marshal(map[string]any{
		"event_id": "e-1", "event_fqn": fqn, "event_version": "1", "event_timestamp": "2026-03-01T09:00:00.000Z", "data": all,
	})
	require.NoError(t, err)
	return body
}

func TestReadEvent(t *testing.T) {
	t.Parallel()
	anna, ben := map[string]any{"id": "a-1", "name": "Anna"}, map[string]any{"id": "a-2", "name": "Ben"}
	queue := map[string]any{"id": "q-2", "name": "Returns"}
	four := 4
	change := func(kind, agent, queue string) *mirror.StateChange {
		return &mirror.StateChange{At: nine, Kind: kind, AgentID: agent, QueueID: queue}
	}
	version := mirror.Version{Source: mirror.FromEvent, ReadAt: nine}
	for name, test := range map[string]struct {
		fqn, status string
		data        map[string]any
		want        claim.ConversationStatus
		weight      claim.Weight
		doubt       bool
		tags        []string
		change      *mirror.StateChange
		answer      *mirror.Rating
		rating      *claim.Rating
		comment     string
		messages    []mirror.Message
	}{
		"created":                 {fqn: "CONVERSATION_CREATED", status: "OPEN", want: "open", weight: claim.WeightTransition, change: change("ConversationCreatedByCustomer", "a-1", "q-1")},
		"closed":                  {fqn: "CONVERSATION_CLOSED", status: "CLOSED", data: map[string]any{"author": ben}, want: "closed", weight: claim.WeightTransition, change: change("ConversationClosed", "a-2", "")},
		"closed, stale snapshot":  {fqn: "CONVERSATION_CLOSED", status: "OPEN", want: "closed", weight: claim.WeightTransition, change: change("ConversationClosed", "", "")},
		"reopened":                {fqn: "CONVERSATION_OPEN", status: "OPEN", want: "open", weight: claim.WeightTransition, change: change("ConversationReopened", "", "")},
		"pending":                 {fqn: "CONVERSATION_PENDING", status: "PENDING", want: "pending", weight: claim.WeightTransition, change: change("ConversationPending", "", "")},
		"follow-up expired":       {fqn: "CONVERSATION_PENDING_EXPIRED", status: "OPEN", want: "open", weight: claim.WeightTransition, change: change("FollowupExpired", "", "")},
		"expired, awaiting":       {fqn: "CONVERSATION_PENDING_EXPIRED", status: "AWAITING_PENDING", want: "pending", weight: claim.WeightTransition, doubt: true, change: change("FollowupExpired", "", "")},
		"expired, unknown status": {fqn: "CONVERSATION_PENDING_EXPIRED", status: "FROZEN", want: "open", weight: claim.WeightTransition, change: change("FollowupExpired", "", "")},
		"abandoned":               {fqn: "CONVERSATION_ABANDONED", status: "CLOSED", want: "closed", weight: claim.WeightTransition, change: change("ConversationClosed", "", "")},
		"assigned":                {fqn: "CONVERSATION_ASSIGNED", status: "OPEN", want: "open", change: change("ConversationAssigned", "a-1", "")},
		"assigned while pending":  {fqn: "CONVERSATION_ASSIGNED", status: "PENDING", want: "pending", doubt: true, data: map[string]any{"assignee": ben}, change: change("ConversationAssigned", "a-2", "")},
		"unassigned":              {fqn: "CONVERSATION_UNASSIGNED", status: "OPEN", want: "open", change: change("ConversationUnassigned", "", "")},
		"enqueued":                {fqn: "CONVERSATION_ENQUEUED", status: "OPEN", want: "open", change: change("ConversationOffered", "", "q-1")},
		"transferred":             {fqn: "CONVERSATION_TRANSFERRED", status: "OPEN", want: "open", change: change("TransferSuccessful", "a-1", "")},
		"transferred to queue":    {fqn: "CONVERSATION_TRANSFERRED_TO_QUEUE", status: "OPEN", want: "open", change: change("TransferSuccessful", "", "q-1")},
		"transferred, queue":      {fqn: "CONVERSATION_TRANSFERRED", status: "OPEN", data: map[string]any{"queue": queue}, want: "open", change: change("TransferSuccessful", "", "q-2")},
		"transferred to agent":    {fqn: "ConversationTransferredToAgent", status: "OPEN", data: map[string]any{"assignee": ben}, want: "open", change: change("TransferSuccessful", "a-2", "")},
		"SLA breached":            {fqn: "SLA_EVALUATION_BREACHED", status: "OPEN", want: "open", change: change("SLAEvaluationBreached", "a-1", "q-1")},
		"SLA achieved":            {fqn: "SLA_EVALUATION_ACHIEVED", status: "OPEN", want: "open", change: change("SLAEvaluationAchieved", "a-1", "q-1")},
		"tagged, stale snapshot":  {fqn: "CONVERSATION_TAG_ADDED", status: "OPEN", data: map[string]any{"tag": "accepted"}, want: "open", tags: []string{"claim", "accepted"}},
		"rated": {
			fqn: "CONVERSATION_RATED", status: "CLOSED", data: map[string]any{"score": 4, "agent": anna, "type": "CSAT"}, want: "closed",
			rating: &claim.Rating{Score: 4, At: nine}, answer: &mirror.Rating{Type: "Csat", Status: "Rated", Score: &four, AgentID: "a-1", RatedAt: nine},
		},
		"rating comment": {
			fqn: "CONVERSATION_RATED", status: "CLOSED", data: map[string]any{"comment": "fine", "type": "Nps"}, want: "closed", comment: "fine",
			answer: &mirror.Rating{Type: "Nps", Status: "Rated", Comment: "fine", RatedAt: nine},
		},
		"unknown":        {fqn: "CONVERSATION_TELEPORTED", status: "OPEN", want: "open"},
		"unknown status": {fqn: "CONVERSATION_ASSIGNED", status: "FROZEN", doubt: true, change: change("ConversationAssigned", "a-1", "")},
		"message": {
			fqn: "CONVERSATION_MESSAGE_ADDED", status: "OPEN", want: "open",
			data: map[string]any{
				"author": map[string]any{"id": "u-1", "name": "Ada", "email": "ada@customer.example"}, "created_at": "2026-03-01T08:59:59.000Z", "message_id": "m-1",
				"text": "Hello", "direction": "INBOUND", "channel": "EMAIL", "attachments": []any{map[string]any{"url": "/private/x", "pretty_name": "x.jpg"}}, "external_id": "cf-1",
			},
			messages: []mirror.Message{{
				Message: claim.Message{
					ID: "m-1", Kind: claim.MessageKind, Direction: "inbound", Channel: "Email", Author: &claim.Person{ID: "u-1", Name: "Ada"}, At: nine.Add(-time.Second),
					Text: "Hello", Attachments: []claim.MessageAttachment{{ID: "1", Name: "x.jpg", Source: "/private/x"}}, ExternalID: "cf-1",
				},
				ConversationID: 4711, AuthorEmail: "ada@customer.example", Version: version,
			}},
		},
		"formatted message": {
			fqn: "CONVERSATION_MESSAGE_ADDED", status: "CLOSED", want: "closed", doubt: true,
			data: map[string]any{"message_id": "m-1", "direction": "outbound", "content": map[string]any{"text": "<p>Hi</p>", "content_type": "Html"}},
			messages: []mirror.Message{{
				Message:        claim.Message{ID: "m-1", Kind: claim.MessageKind, Direction: "outbound", At: nine, HTML: "<p>Hi</p>"},
				ConversationID: 4711, Version: version,
			}},
		},
		"note": {
			fqn: "CONVERSATION_NOTE_ADDED", status: "OPEN", data: map[string]any{"note_id": "n-1", "text": "call back", "author": anna}, want: "open",
			messages: []mirror.Message{{
				Message:        claim.Message{ID: "n-1", Kind: claim.NoteKind, Author: &claim.Person{ID: "a-1", Name: "Anna"}, At: nine, Text: "call back"},
				ConversationID: 4711, Version: version,
			}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := mirror.ReadEvent("e-1", time.Time{}, eventBody(t, test.fqn, test.status, test.data))
			require.Equal(t, int64(4711), e.ConversationID)
			require.NotNil(t, e.Dixa)
			tags := test.tags
			if tags == nil {
				tags = []string{"claim"}
			}
			require.Equal(t, mirror.Fact{
				Fact: claim.Fact{
					Stamp: claim.Stamp{At: nine, Weight: test.weight, ID: "e-1"}, Status: test.want, Doubt: test.doubt, People: true,
					Assignee: &claim.Person{ID: "a-1", Name: "Anna"}, Queue: &claim.Queue{ID: "q-1", Name: "Claims"},
					Requester: &claim.Person{ID: "u-1", Name: "Ada"}, Tags: tags, Rating: test.rating, Comment: test.comment,
				},
				Origin: &mirror.Origin{
					CreatedAt: nine.Add(-time.Hour), Channel: "Email", Direction: "inbound", ContactPoint: "shop@email.dixa.io", Subject: "Broken",
					Email: "ada@customer.example", Phone: "+45",
				},
				TagInfo: map[string]mirror.TagInfo{"claim": {ID: "t-1", Deactivated: true}}, Answer: test.answer, Change: test.change,
			}, e.Fact)
			require.Equal(t, test.messages, e.Messages)
		})
	}
}

// Data from Dixa is not trusted: an id that a database rejects would block later
// events.
func TestReadEventDropsIDsThatCannotBeStored(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"m\x00", strings.Repeat("m", 201)} {
		e := mirror.ReadEvent("e-1", nine, eventBody(t, "CONVERSATION_MESSAGE_ADDED", "OPEN", map[string]any{"message_id": id, "text": "hello"}))
		require.Empty(t, e.Messages)
		require.Equal(t, claim.ConversationOpen, e.Fact.Status, "the rest of the event was dropped")
	}
	e := mirror.ReadEvent("e-1", nine, []byte("{"))
	require.Equal(t, mirror.Event{Fact: mirror.Fact{Fact: claim.Fact{Stamp: claim.Stamp{At: nine, ID: "e-1"}}}}, e)
}

func FuzzReadEvent(f *testing.F) {
	for _, seed := range []string{
		``, `{}`, `null`, `[]`, `{"event_id":"e","event_fqn":"CONVERSATION_CLOSED"}`,
		`{"event_id":"e","event_fqn":"CONVERSATION_CLOSED","data":{"conversation":{"csid":1,"status":"CLOSED","tags":null,"assignee":null}}}`,
		`{"event_id":"e","event_fqn":"CONVERSATION_TAG_ADDED","data":{"conversation":{"csid":"x","tags":[{}]},"tag":{"name":"y"}}}`,
		`{"event_id":"e","event_fqn":"CONVERSATION_TRANSFERRED","data":{"conversation":{"csid":1},"queue":[],"assignee":"x"}}`,
		`{"event_id":"e","event_fqn":"CONVERSATION_RATED","data":{"conversation":{"csid":1},"score":5,"comment":"c","type":7}}`,
		`{"event_id":"e","event_fqn":"CONVERSATION_MESSAGE_ADDED","data":{"message_id":"m","attachments":["a",{"x":1}],"content":{"text":"t","content_type":"Html"}}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		e := mirror.ReadEvent("e-1", nine, body)
		var c mirror.Conversation
		c.Apply(e.Fact)
		once := c
		c.Apply(e.Fact)
		require.Equal(t, once, c, "a duplicate fact caused a change")
		for _, m := range e.Messages {
			require.False(t, m.Listed)
			require.Equal(t, m, mirror.MergeMessages(m, m))
		}
		require.Equal(t, mirror.Derive(1, c, e.Messages, nil), mirror.Derive(1, c, append(e.Messages, e.Messages...), nil))
	})
}
