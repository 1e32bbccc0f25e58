package dixa_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/dixa"
)

const messageData = `{"conversation":` + eventChat + `,"author":` + eventRequester + `,"created_at":"2026-05-04T09:08:07.600Z",
	"message_id":"` + msgID + `","text":"It broke","direction":"inbound","channel":"EMAIL",
	"content":{"text":"It broke","content_type":null,"original_content_url":"/private/x/email_original_data/y","processed_content_url":null},
	"attachments":[],"external_id":null}`

func TestMessageAdded(t *testing.T) {
	t.Parallel()
	message, ok := parseEvent(t, "CONVERSATION_MESSAGE_ADDED", messageData).MessageAdded()
	require.True(t, ok)
	require.EqualValues(t, 1234, message.Conversation.ID)
	message.Conversation = nil
	require.Equal(t, &dixa.MessageAddedEvent{
		Author:    &dixa.EventUser{ID: userID, Name: "Kim", Email: "kim@example.org", Roles: []string{}, Type: "Contact"},
		CreatedAt: dixa.NewTime(eventTime), MessageID: msgID, Text: "It broke", Direction: dixa.Inbound, Channel: dixa.ChannelEmail,
		Content:     dixa.EventMessageContent{Text: "It broke", OriginalURL: "/private/x/email_original_data/y"},
		Attachments: []dixa.EventAttachment{},
	}, message)

	message, ok = parseEvent(t, "CONVERSATION_MESSAGE_ADDED", `{"message_id":"m","direction":"outbound","external_id":"shop-1/claim-7/open",
		"content":{"text":"Sorry","content_type":"Text"},"author":null}`).MessageAdded()
	require.True(t, ok)
	require.Equal(t, &dixa.MessageAddedEvent{
		MessageID: "m", Direction: dixa.Outbound, ExternalID: "shop-1/claim-7/open", Content: dixa.EventMessageContent{Text: "Sorry", Type: "Text"},
	}, message)
}

// TestEventAttachments covers several shapes, because no documentation says how
// events encode attachments.
func TestEventAttachments(t *testing.T) {
	t.Parallel()
	lamp := dixa.EventAttachment{URL: "/private/lamp.jpg", PrettyName: "lamp.jpg"}
	for in, want := range map[string]dixa.EventAttachment{
		`{"url":"/private/lamp.jpg","pretty_name":"lamp.jpg"}`: lamp,
		`{"url":"/private/lamp.jpg","prettyName":"lamp.jpg"}`:  lamp,
		`"/private/lamp.jpg"`:                            {URL: "/private/lamp.jpg"},
		`{"url":"/private/lamp.jpg","pretty_name":null}`: {URL: "/private/lamp.jpg"},
		`{"link":"/private/lamp.jpg","prettyName":7}`: {
			Extra: dixa.Extra{"link": json.RawMessage(`"/private/lamp.jpg"`), "prettyName": json.RawMessage(`7`)},
		},
	} {
		message, ok := parseEvent(t, "CONVERSATION_MESSAGE_ADDED", `{"message_id":"m","attachments":[`+in+`,`+in+`]}`).MessageAdded()
		require.True(t, ok, in)
		require.Len(t, message.Attachments, 2, in)
		for _, got := range message.Attachments {
			require.Equal(t, want, got, in)
		}
	}
	message, ok := parseEvent(t, "CONVERSATION_MESSAGE_ADDED", `{"message_id":"m","attachments":[7]}`).MessageAdded()
	require.True(t, ok, "a member with an unknown shape made the whole message undecodable")
	require.Empty(t, message.Attachments)
	require.Equal(t, dixa.Extra{"attachments": json.RawMessage(`[7]`)}, message.Extra)
}

func TestNoteAdded(t *testing.T) {
	t.Parallel()
	note, ok := parseEvent(t, "CONVERSATION_NOTE_ADDED", `{"conversation":`+eventMail+`,"note_id":"`+noteID+`","text":"Refund approved",
		"created_at":"2026-05-04T09:08:07.600Z","author":`+eventAgent+`}`).NoteAdded()
	require.True(t, ok)
	require.EqualValues(t, 9007199254740993, note.Conversation.ID)
	require.Equal(t, noteID, note.NoteID)
	require.Equal(t, "Refund approved", note.Text)
	require.Equal(t, dixa.NewTime(eventTime), note.CreatedAt)
	require.Equal(t, agentID, note.Author.ID)
	require.Nil(t, note.Extra)
}

func TestTagAdded(t *testing.T) {
	t.Parallel()
	tagged, ok := parseEvent(t, "CONVERSATION_TAG_ADDED", `{"author":`+eventAgent+`,"tag":"claim-accepted","conversation":`+eventMail+`}`).TagAdded()
	require.True(t, ok)
	require.Equal(t, "claim-accepted", tagged.Tag)
	require.Equal(t, "Member", tagged.Author.Type)
	require.Equal(t, "claim", tagged.Conversation.Tags[0].Name)
	require.Nil(t, tagged.Extra)
}

func TestRated(t *testing.T) {
	t.Parallel()
	zero, four := 0, 4
	for data, want := range map[string]dixa.RatedEvent{
		`{"agent":{"id":"a"},"score":4,"comment":"Quick","type":"Csat"}`:            {Agent: &dixa.EventUser{ID: "a"}, Score: &four, Comment: "Quick", Type: dixa.RatingCsat},
		`{"agent":{"id":"a"},"score":4,"comment":null,"type":"Csat"}`:               {Agent: &dixa.EventUser{ID: "a"}, Score: &four, Type: dixa.RatingCsat},
		`{"agent":null,"score":0,"type":"ThumbsUpOrDown"}`:                          {Score: &zero, Type: dixa.RatingThumbsUpOrDown},
		`{"score":null,"comment":"Quick","type":"Nps"}`:                             {Comment: "Quick", Type: dixa.RatingNps},
		`{"score":"four","comment":"Quick","type":"Emoji","conversation":"absent"}`: {Comment: "Quick", Type: "Emoji", Extra: dixa.Extra{"score": json.RawMessage(`"four"`), "conversation": json.RawMessage(`"absent"`)}},
	} {
		rated, ok := parseEvent(t, "CONVERSATION_RATED", data).Rated()
		require.True(t, ok, data)
		require.Equal(t, &want, rated, data)
	}
}

func TestPendingExpired(t *testing.T) {
	t.Parallel()
	expired, ok := parseEvent(t, "CONVERSATION_PENDING_EXPIRED", `{"conversation":`+eventMail+`,"pendingByUser":`+eventAgent+`}`).PendingExpired()
	require.True(t, ok)
	require.Equal(t, agentID, expired.PendingBy.ID)
	require.EqualValues(t, 9007199254740993, expired.Conversation.ID)
	expired, ok = parseEvent(t, "CONVERSATION_PENDING_EXPIRED", `{"conversation":`+eventMail+`}`).PendingExpired()
	require.True(t, ok)
	require.Nil(t, expired.PendingBy)
}

func TestAbandoned(t *testing.T) {
	t.Parallel()
	abandoned, ok := parseEvent(t, "CONVERSATION_ABANDONED", `{"conversation":`+eventChat+`,"queue":`+eventQueue+`}`).Abandoned()
	require.True(t, ok)
	require.Equal(t, &dixa.EventQueue{ID: queueID, Name: "Claims"}, abandoned.Queue)
	require.Nil(t, abandoned.Conversation.Queue)
	abandoned, ok = parseEvent(t, "CONVERSATION_ABANDONED", `{"conversation":`+eventChat+`,"queue":null}`).Abandoned()
	require.True(t, ok)
	require.Nil(t, abandoned.Queue)
}

// readers are the methods that each read the data of one kind of event.
var readers = map[dixa.EventName]func(*dixa.Event) (any, bool){
	dixa.EventConversationAbandoned:      func(e *dixa.Event) (any, bool) { return e.Abandoned() },
	dixa.EventConversationMessageAdded:   func(e *dixa.Event) (any, bool) { return e.MessageAdded() },
	dixa.EventConversationNoteAdded:      func(e *dixa.Event) (any, bool) { return e.NoteAdded() },
	dixa.EventConversationPendingExpired: func(e *dixa.Event) (any, bool) { return e.PendingExpired() },
	dixa.EventConversationRated:          func(e *dixa.Event) (any, bool) { return e.Rated() },
	dixa.EventConversationTagAdded:       func(e *dixa.Event) (any, bool) { return e.TagAdded() },
}

// TestConversationEventsContainConversation includes events about which nothing else is
// known.
func TestConversationEventsContainConversation(t *testing.T) {
	t.Parallel()
	whole := `{"conversation":` + eventChat + `,"message_id":"m","note_id":"n","tag":"t","score":1}`
	for _, name := range append(dixa.EventNames(), "SOMETHING_NEW") {
		fqn, _ := name.FQN()
		if fqn == "" {
			fqn = string(name)
		}
		event := parseEvent(t, fqn, whole)
		conversation, ok := event.Conversation()
		require.True(t, ok, name)
		require.EqualValues(t, 1234, conversation.ID, name)
		for of, read := range readers {
			_, ok := read(event)
			require.Equal(t, of == name, ok, "%s method decoded data of %s", of, name)
		}
	}
}

// TestIncompleteEventDataStaysRaw checks, for example, that a message without
// an ID does not count as a message.
func TestIncompleteEventDataStaysRaw(t *testing.T) {
	t.Parallel()
	for _, name := range []dixa.EventName{
		dixa.EventConversationMessageAdded, dixa.EventConversationNoteAdded, dixa.EventConversationTagAdded, dixa.EventConversationRated,
	} {
		fqn, _ := name.FQN()
		for _, data := range []string{
			`{"conversation":` + eventChat + `}`,
			`{"message_id":"","note_id":"","tag":"","score":null,"comment":""}`,
			`{"message_id":7,"note_id":{},"tag":{"name":"t"},"score":[],"comment":{}}`,
		} {
			event := parseEvent(t, fqn, data)
			_, ok := readers[name](event)
			require.False(t, ok, "%s %s", name, data)
			require.JSONEq(t, data, string(event.Data))
		}
	}
	for name, read := range readers {
		fqn, _ := name.FQN()
		for _, data := range []string{`null`, `[]`, `"x"`, `7`} {
			_, ok := read(parseEvent(t, fqn, data))
			require.False(t, ok, "%s %s", name, data)
		}
	}
}

// FuzzEvent reads arbitrary bodies. Every body that it can read must survive a round
// trip.
func FuzzEvent(f *testing.F) {
	for _, name := range dixa.EventNames() {
		fqn, _ := name.FQN()
		f.Add([]byte(payload(fqn, messageData)))
	}
	for _, seed := range []string{
		`null`, `{}`, `{"event_id":"e","event_fqn":"X","data":[]}`,
		payload("CONVERSATION_TAG_ADDED", `{"tag":"t","author":7,"conversation":{"csid":1,"tags":[null,{}]}}`),
		payload("CONVERSATION_RATED", `{"score":4,"comment":"c","agent":{"roles":null}}`),
		payload("CONVERSATION_ABANDONED", `{"queue":{"id":5}}`),
		payload("CONVERSATION_NOTE_ADDED", `{"note_id":"n","created_at":"2026-05-04T09:08:07.600Z[GMT]"}`),
		payload("CONVERSATION_MESSAGE_ADDED", `{"message_id":"m","attachments":["a",{"url":"b","prettyName":"c"}]}`),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		event, err := dixa.ParseEvent(body)
		if err != nil {
			require.ErrorIs(t, err, dixa.ErrMalformedEvent)
			return
		}
		require.NotEmpty(t, event.ID)
		require.NotEmpty(t, event.FQN)
		again, err := dixa.ParseEvent([]byte(mustJSON(t, event)))
		require.NoError(t, err)
		require.Equal(t, event.ID, again.ID)
		require.Equal(t, event.FQN, again.FQN)
		require.Equal(t, event.Name, again.Name)
		first, had := event.Conversation()
		second, has := again.Conversation()
		require.Equal(t, had, has)
		if had {
			require.Positive(t, first.ID)
			require.Equal(t, mustJSON(t, first), mustJSON(t, second))
		}
		for name, read := range readers {
			data, ok := read(event)
			if !ok {
				continue
			}
			require.Equal(t, name, event.Name)
			written := mustJSON(t, data)
			event.Data = json.RawMessage(written)
			data, ok = read(event)
			require.True(t, ok, written)
			require.JSONEq(t, written, mustJSON(t, data))
		}
	})
}
