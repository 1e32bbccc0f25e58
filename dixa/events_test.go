package dixa_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/integration/contracttest"
)

// Parts of payloads, in captured or published shapes.
const (
	eventRequester = `{"id":"` + userID + `","name":"Kim","email":"kim@example.org","phone":null,"roles":[],"user_type":"Contact"}`
	eventAgent     = `{"id":"` + agentID + `","name":"Alex","email":"alex@example.org","phone":"+4511223344","roles":[],"user_type":"Member"}`
	eventQueue     = `{"id":"` + queueID + `","name":"Claims"}`
	eventMail      = `{"csid":9007199254740993,"channel":"EMAIL","status":"OPEN","direction":"INBOUND","queue":` + eventQueue + `,
		"contact_point":"shop@email.dixa.io","requester":` + eventRequester + `,"assignee":` + eventAgent + `,"subject":"Order 10001",
		"tags":[{"id":"` + tagID + `","name":"claim","is_deactivated":false}],"custom_attributes":[],"created_at":"2026-05-04T09:08:07.600Z"}`
	// Old and minimal: roles filled, no user_type, no custom_attributes, and null in
	// every member that was ever seen as null.
	eventChat = `{"csid":1234,"channel":"WIDGET_CHAT","status":"CLOSED","direction":"OUTBOUND","queue":null,"contact_point":"Chat",
		"requester":{"id":"` + userID + `","name":null,"email":null,"phone":null,"roles":["Enduser"]},"assignee":null,"subject":null,"tags":[],
		"created_at":"2026-05-04T09:08:07.600Z"}`
)

var eventTime = time.Date(2026, 5, 4, 9, 8, 7, 600_000_000, time.UTC)

func payload(fqn, data string) string {
	return `{"event_id":"7f000001-0000-4000-8000-000000000001","event_fqn":"` + fqn + `","event_version":"1",
		"event_timestamp":"2026-05-04T09:08:07.600Z","organization":{"id":"` + teamID + `","name":"Shop"},"data":` + data + `}`
}

func parseEvent(t *testing.T, fqn, data string) *dixa.Event {
	t.Helper()
	event, err := dixa.ParseEvent([]byte(payload(fqn, data)))
	require.NoError(t, err)
	return event
}

func TestParseEvent(t *testing.T) {
	t.Parallel()
	event := parseEvent(t, "CONVERSATION_CLOSED", `{"conversation":`+eventMail+`}`)
	require.Equal(t, "7f000001-0000-4000-8000-000000000001", event.ID)
	require.Equal(t, "CONVERSATION_CLOSED", event.FQN)
	require.Equal(t, dixa.EventConversationClosed, event.Name)
	require.Equal(t, "1", event.Version)
	require.Equal(t, dixa.NewTime(eventTime), event.Timestamp)
	require.Equal(t, dixa.EventOrganization{ID: teamID, Name: "Shop"}, event.Organization)
	require.Nil(t, event.Extra)

	conversation, ok := event.Conversation()
	require.True(t, ok)
	require.Equal(t, &dixa.EventConversation{
		ID: 9007199254740993, Channel: dixa.ChannelEmail, State: dixa.StateOpen, Direction: dixa.Inbound,
		Queue: &dixa.EventQueue{ID: queueID, Name: "Claims"}, ContactPoint: "shop@email.dixa.io",
		Requester: &dixa.EventUser{ID: userID, Name: "Kim", Email: "kim@example.org", Roles: []string{}, Type: "Contact"},
		Assignee:  &dixa.EventUser{ID: agentID, Name: "Alex", Email: "alex@example.org", Phone: "+4511223344", Roles: []string{}, Type: "Member"},
		Subject:   "Order 10001", Tags: []dixa.EventTag{{ID: tagID, Name: "claim"}},
		CustomAttributes: json.RawMessage(`[]`), CreatedAt: dixa.NewTime(eventTime),
	}, conversation)

	conversation, ok = parseEvent(t, "CONVERSATION_CREATED", `{"conversation":`+eventChat+`}`).Conversation()
	require.True(t, ok)
	require.Equal(t, &dixa.EventConversation{
		ID: 1234, Channel: dixa.ChannelWidgetChat, State: dixa.StateClosed, Direction: dixa.Outbound, ContactPoint: "Chat",
		Requester: &dixa.EventUser{ID: userID, Roles: []string{"Enduser"}}, Tags: []dixa.EventTag{}, CreatedAt: dixa.NewTime(eventTime),
	}, conversation)
}

func TestParseEventRejectsInvalidBodies(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"empty":              ``,
		"not JSON":           `secret kim@example.org`,
		"truncated":          payload("CONVERSATION_CLOSED", `{}`)[:90],
		"trailing data":      payload("CONVERSATION_CLOSED", `{}`) + `{}`,
		"null":               `null`,
		"a list":             `[` + payload("CONVERSATION_CLOSED", `{}`) + `]`,
		"a string":           `"kim@example.org"`,
		"no id":              `{"event_fqn":"CONVERSATION_CLOSED","data":{"secret":"kim@example.org"}}`,
		"null id":            `{"event_id":null,"event_fqn":"CONVERSATION_CLOSED"}`,
		"id of another type": `{"event_id":7,"event_fqn":"CONVERSATION_CLOSED"}`,
		"no name":            `{"event_id":"e","data":{"secret":"kim@example.org"}}`,
	} {
		event, err := dixa.ParseEvent([]byte(body))
		require.ErrorIs(t, err, dixa.ErrMalformedEvent, name)
		require.Nil(t, event, name)
		require.NotContains(t, err.Error(), "kim", name)
		require.NotContains(t, err.Error(), "secret", name)
	}
}

// TestParseEventAcceptsMinimalEvents reads what a later or a faulty Dixa might send.
func TestParseEventAcceptsMinimalEvents(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		body         string
		conversation int64 // 0 for none
	}{
		"only id and name": {body: `{"event_id":"e","event_fqn":"CONVERSATION_CLOSED"}`},
		"nulls":            {body: `{"event_id":"e","event_fqn":"X","event_version":null,"event_timestamp":null,"organization":null,"data":null}`},
		"other types": {
			body: `{"event_id":"e","event_fqn":"X","event_version":2,"event_timestamp":"soon","organization":"Shop",
				"data":{"conversation":{"csid":5,"channel":7,"status":{},"direction":[],"queue":"Claims","contact_point":1,"requester":"Kim",
				"assignee":[],"subject":{},"tags":["claim"],"created_at":"once"}}}`,
			conversation: 5,
		},
		"data is a list":                {body: `{"event_id":"e","event_fqn":"X","data":[{"conversation":{"csid":5}}]}`},
		"data is a string":              {body: `{"event_id":"e","event_fqn":"X","data":"conversation"}`},
		"conversation is null":          {body: `{"event_id":"e","event_fqn":"X","data":{"conversation":null}}`},
		"conversation is an id":         {body: `{"event_id":"e","event_fqn":"X","data":{"conversation":5}}`},
		"conversation without id":       {body: `{"event_id":"e","event_fqn":"X","data":{"conversation":{"status":"OPEN"}}}`},
		"conversation id of 0":          {body: `{"event_id":"e","event_fqn":"X","data":{"conversation":{"csid":0}}}`},
		"conversation id is text":       {body: `{"event_id":"e","event_fqn":"X","data":{"conversation":{"csid":"5"}}}`},
		"conversation id is a fraction": {body: `{"event_id":"e","event_fqn":"X","data":{"conversation":{"csid":5.5}}}`},
		"conversation id overflows":     {body: `{"event_id":"e","event_fqn":"X","data":{"conversation":{"csid":9223372036854775808}}}`},
		"the largest id":                {body: `{"event_id":"e","event_fqn":"X","data":{"conversation":{"csid":9223372036854775807}}}`, conversation: 9223372036854775807},
	} {
		event, err := dixa.ParseEvent([]byte(tc.body))
		require.NoError(t, err, name)
		require.Equal(t, "e", event.ID, name)
		conversation, ok := event.Conversation()
		require.Equal(t, tc.conversation != 0, ok, name)
		if ok {
			require.Equal(t, tc.conversation, conversation.ID, name)
		}
		_, err = json.Marshal(event)
		require.NoError(t, err, name)
	}
}

// TestUndecodableMembersAreKept checks that members with unknown names or shapes stay
// accessible and are written out again.
func TestUndecodableMembersAreKept(t *testing.T) {
	t.Parallel()
	body := `{"event_id":"e","event_fqn":"HOLOGRAM_DREAMT","event_version":2,"mood":"x","organization":{"id":"o","plan":{"seats":1.50}},
		"data":{"conversation":{"csid":5,"channel":"HOLOGRAM","status":"Dozing","direction":"SIDEWAYS","queue":"Claims","sla":null,
			"requester":{"id":"u","email":["a@example.org"],"species":"bot"},"tags":[{"id":"t","name":7,"color":"<b>"}]},"beam":[1]}}`
	var event dixa.Event
	require.NoError(t, json.Unmarshal([]byte(body), &event))
	require.Empty(t, event.Name)
	require.Equal(t, "HOLOGRAM_DREAMT", event.FQN)
	require.Empty(t, event.Version)
	require.Equal(t, dixa.Extra{"event_version": json.RawMessage(`2`), "mood": json.RawMessage(`"x"`)}, event.Extra)
	require.JSONEq(t, body, mustJSON(t, event))

	conversation, ok := event.Conversation()
	require.True(t, ok)
	require.Equal(t, dixa.Channel("HOLOGRAM"), conversation.Channel)
	require.Equal(t, dixa.ConversationState("Dozing"), conversation.State)
	require.Equal(t, dixa.Direction("SIDEWAYS"), conversation.Direction)
	require.Nil(t, conversation.Queue)
	require.Empty(t, conversation.Requester.Email)
	var data struct{ Conversation json.RawMessage }
	require.NoError(t, json.Unmarshal(event.Data, &data))
	require.JSONEq(t, string(data.Conversation), mustJSON(t, conversation))

	require.NoError(t, json.Unmarshal([]byte(`{"event_id":"f","event_fqn":"CONVERSATION_OPEN"}`), &event))
	require.Equal(t, dixa.Event{ID: "f", FQN: "CONVERSATION_OPEN", Name: dixa.EventConversationOpen}, event, "members of the previous event remain")
}

func TestEventValuesUseAPISpelling(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]dixa.EventConversation{
		`{"csid":1,"status":"OPEN","direction":"INBOUND","channel":"EMAIL"}`:                 {ID: 1, State: dixa.StateOpen, Direction: dixa.Inbound, Channel: dixa.ChannelEmail},
		`{"csid":1,"status":"closed","direction":"outbound","channel":"widgetchat"}`:         {ID: 1, State: dixa.StateClosed, Direction: dixa.Outbound, Channel: dixa.ChannelWidgetChat},
		`{"csid":1,"status":"Pending","direction":"Internal","channel":"FacebookMessenger"}`: {ID: 1, State: dixa.StatePending, Direction: dixa.Internal, Channel: dixa.ChannelFacebookMessenger},
		`{"csid":1,"status":"AWAITING_PENDING","channel":"PSTN_PHONE"}`:                      {ID: 1, State: dixa.StateAwaitingPending, Channel: dixa.ChannelPstnPhone},
		`{"csid":1,"status":"SNOOZED","direction":"BOTH","channel":"GENERIC_API"}`:           {ID: 1, State: "SNOOZED", Direction: "BOTH", Channel: "GENERIC_API"},
		`{"csid":1,"status":"","direction":null}`:                                            {ID: 1},
	} {
		var got dixa.EventConversation
		require.NoError(t, json.Unmarshal([]byte(in), &got), in)
		require.Equal(t, want, got, in)
	}
}

func TestEventNames(t *testing.T) {
	t.Parallel()
	names := dixa.EventNames()
	require.Len(t, names, 32)
	require.True(t, slices.IsSorted(names))
	var confirmed []dixa.EventName
	for _, name := range names {
		fqn, sure := name.FQN()
		if sure {
			confirmed = append(confirmed, name)
		}
		for _, spelling := range []string{fqn, strings.ToLower(fqn), string(name), strings.ReplaceAll(fqn, "_", "")} {
			require.Equal(t, name, parseEvent(t, spelling, `{}`).Name, spelling)
		}
	}
	require.Equal(t, []dixa.EventName{
		dixa.EventConversationCreated, dixa.EventConversationMessageAdded, dixa.EventConversationNoteAdded,
		dixa.EventConversationPending, dixa.EventConversationRated, dixa.EventConversationTagAdded,
	}, confirmed, "confirmed names")

	for fqn, want := range map[string]dixa.EventName{
		// Other word boundaries for undocumented names.
		"CONVERSATION_ENDUSER_REPLACED":               dixa.EventConversationEndUserReplaced,
		"AGENT_BANNED_END_USER":                       dixa.EventAgentBannedEnduser,
		"SLAEVALUATION_BREACHED":                      dixa.EventSLAEvaluationBreached,
		"CONVERSATION_MESSAGE_DELIVERY_SPAMCOMPLAINT": dixa.EventConversationMessageDeliverySpamComplaint,
		"CONVERSATION_TRANSFERRED_TO_AGENT":           dixa.EventConversationTransferred,
		"CONVERSATION_TRANSFERRED_TO_QUEUE":           dixa.EventConversationTransferred,
		"CONVERSATION_TRANSFERRED_TO_MARS":            "",
		"CONVERSATION_CLOSED_AGAIN":                   "",
		"CLOSED":                                      "",
	} {
		require.Equal(t, want, parseEvent(t, fqn, `{}`).Name, fqn)
	}
	fqn, sure := dixa.EventName("SomethingNew").FQN()
	require.Empty(t, fqn)
	require.False(t, sure)
}

// TestEventNamesMatchContract compares the names with those that Dixa's OpenAPI file
// lists, in prose, for a subscription.
func TestEventNamesMatchContract(t *testing.T) {
	t.Parallel()
	events := contracttest.Document(t).Components.Schemas["CreateWebhookSubscriptionInput"].Value.Properties["events"].Value
	_, list, found := strings.Cut(events.Description, "[")
	require.True(t, found, events.Description)
	list, _, _ = strings.Cut(list, "]")
	var listed []dixa.EventName
	for name := range strings.SplitSeq(list, ",") {
		listed = append(listed, dixa.EventName(strings.TrimSpace(name)))
	}
	slices.Sort(listed)
	require.Equal(t, listed, dixa.EventNames())
}

// TestPublishedEventsDecode reads the example payloads in Dixa's OpenAPI file.
func TestPublishedEventsDecode(t *testing.T) {
	t.Parallel()
	operation := contracttest.Document(t).Paths.Value("/beta/webhooks/{webhookSubscriptionId}/delivery-status/logs/{event}").Get
	read := 0
	for _, example := range publishedExamples(t, operation.Responses.Status(200).Value, `{}`) {
		var reply struct{ Data []dixa.DeliveryLog }
		require.NoError(t, json.Unmarshal(example, &reply))
		for _, log := range reply.Data {
			event, err := dixa.ParseEvent([]byte(log.Payload))
			require.NoError(t, err)
			require.Nil(t, event.Extra)
			note, ok := event.NoteAdded()
			require.True(t, ok, event.FQN)
			require.NotEmpty(t, note.Text)
			require.Nil(t, note.Extra)
			require.Nil(t, note.Author.Extra)
			require.Nil(t, note.Conversation.Extra)
			require.Equal(t, dixa.StateOpen, note.Conversation.State)
			require.Equal(t, dixa.ChannelWidgetChat, note.Conversation.Channel)
			read++
		}
	}
	require.Positive(t, read, "no published example has a payload")
}
