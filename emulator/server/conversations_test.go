package server_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/emulator/server"
)

func TestExternalIDSettings(t *testing.T) {
	t.Parallel()
	for reading, want := range map[string]struct {
		secondCreate, repeatInConversation int
		shown                              any
	}{
		server.ExternalIDOrganization: {400, 400, "key"},
		server.ExternalIDConversation: {201, 400, "key"},
		server.ExternalIDStored:       {201, 200, "key"},
		server.ExternalIDDropped:      {201, 200, nil},
	} {
		t.Run(reading, func(t *testing.T) {
			t.Parallel()
			d := start(t, server.Options{Switches: server.Switches{ExternalID: reading}})
			requester := d.customer("a@example.org")
			d.do(http.MethodPost, "/conversations", mail(requester, "key"), http.StatusCreated)
			again := d.do(http.MethodPost, "/conversations", mail(requester, "key"), want.secondCreate)
			if want.secondCreate == http.StatusBadRequest {
				require.Equal(t, "Duplicate externalId", again.message())
				require.Len(t, d.State().Conversations, 1)
			}
			message := mail(requester, "key")["message"]
			d.do(http.MethodPost, "/conversations/1001/messages", message, want.repeatInConversation)
			var messages []object
			d.do(http.MethodGet, "/conversations/1001/messages", nil, http.StatusOK).data(&messages)
			require.Equal(t, want.shown, messages[0]["externalId"])
		})
	}
}

func TestFailedCreateBurnsExternalID(t *testing.T) {
	t.Parallel()
	for _, burns := range []bool{false, true} {
		t.Run(fmt.Sprint(burns), func(t *testing.T) {
			t.Parallel()
			d := start(t, server.Options{Switches: server.Switches{FailedCreateBurnsExternalID: burns}})
			requester := d.customer("a@example.org")
			refused := d.do(http.MethodPost, "/conversations", mail(requester, "key", "http://127.0.0.1:1/photo.jpg"), http.StatusBadRequest)
			require.Equal(t, "Failure to download attachment", refused.message())
			require.Empty(t, d.State().Conversations)
			status := http.StatusCreated
			if burns {
				status = http.StatusBadRequest
			}
			d.do(http.MethodPost, "/conversations", mail(requester, "key"), status)
		})
	}
}

func TestCreateRejections(t *testing.T) {
	t.Parallel()
	change := func(key string, value any) func(object) { return func(o object) { o[key] = value } }
	message := func(key string, value any) func(object) {
		return func(o object) {
			changed, isObject := o["message"].(object)
			require.True(t, isObject)
			changed[key] = value
		}
	}
	for name, test := range map[string]struct {
		switches server.Switches
		change   func(object)
		status   int
	}{
		"unknown requester":             {server.Switches{}, change("requesterId", server.SeedQueueClaims), 404},
		"unknown requester, 400":        {server.Switches{UnknownRequester: "400"}, change("requesterId", server.SeedQueueClaims), 400},
		"agent as requester":            {server.Switches{}, change("requesterId", server.SeedAgentAnna), 404},
		"requester is not a UUID":       {server.Switches{}, change("requesterId", "me"), 400},
		"unknown mailbox":               {server.Switches{}, change("emailIntegrationId", "other@email.dixa.io"), 400},
		"unknown mailbox, 404":          {server.Switches{UnknownContactEndpoint: "404"}, change("emailIntegrationId", "other@email.dixa.io"), 404},
		"phone number as mailbox":       {server.Switches{}, change("emailIntegrationId", server.SeedPhone), 400},
		"no subject":                    {server.Switches{}, change("subject", nil), 400},
		"no message":                    {server.Switches{}, change("message", nil), 400},
		"unknown type":                  {server.Switches{}, change("_type", "WhatsApp"), 400},
		"no type":                       {server.Switches{}, change("_type", ""), 400},
		"message without type":          {server.Switches{}, message("_type", ""), 400},
		"message without content":       {server.Switches{}, message("content", nil), 400},
		"content without value":         {server.Switches{}, message("content", object{"_type": "Text"}), 400},
		"markdown in a mail":            {server.Switches{}, message("content", object{"_type": "Markdown", "value": "x"}), 400},
		"markdown in a mail, accepted":  {server.Switches{MarkdownAnywhere: true}, message("content", object{"_type": "Markdown", "value": "x"}), 201},
		"outbound without agent":        {server.Switches{}, message("_type", "Outbound"), 400},
		"text too long":                 {server.Switches{MaxTextBytes: 5}, message("externalId", ""), 400},
		"more attachments than allowed": {server.Switches{MaxAttachments: 1}, message("attachments", []object{{"url": "http://a"}, {"url": "http://b"}}), 400},
		"cc by address":                 {server.Switches{}, message("cc", []string{"c@example.org"}), 201},
		"cc by address, uuid only":      {server.Switches{CopyAddresses: "uuid"}, message("cc", []string{"c@example.org"}), 400},
		"cc by uuid, email only":        {server.Switches{CopyAddresses: "email"}, message("cc", []string{server.SeedQueueClaims}), 400},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := start(t, server.Options{Switches: test.switches})
			d.contract = nil // some are accepted although the contract forbids them
			body := mail(d.customer("a@example.org"), "key")
			test.change(body)
			d.do(http.MethodPost, "/conversations", body, test.status)
			if test.status != http.StatusCreated {
				require.Empty(t, d.State().Conversations)
			}
		})
	}
	t.Run("malformed", func(t *testing.T) {
		t.Parallel()
		d := start(t, server.Options{})
		for _, body := range []string{"", "{", "[]", "null", "{}{}", `{"_type":1}`} {
			d.do(http.MethodPost, "/conversations", body, http.StatusBadRequest)
		}
		d.do(http.MethodGet, "/conversations/abc", nil, http.StatusBadRequest)
		d.do(http.MethodGet, "/conversations/999", nil, http.StatusNotFound)
	})
}

func TestStateChangeSwitches(t *testing.T) {
	t.Parallel()
	inbound := object{"_type": "Inbound", "content": object{"_type": "Text", "value": "Hello?"}}
	outbound := object{"_type": "Outbound", "agentId": server.SeedAgentAnna, "content": object{"_type": "Text", "value": "Hello!"}}
	transfer := object{"queueId": server.SeedQueueClaims}
	claim := object{"agentId": server.SeedAgentBen}
	const put, post = http.MethodPut, http.MethodPost
	for name, test := range map[string]struct {
		switches server.Switches
		closed   bool // close the conversation first
		method   string
		path     string
		body     object
		status   int
		state    string
	}{
		"close closed":              {server.Switches{}, true, put, "/close", nil, 204, "Closed"},
		"close closed, rejected":    {server.Switches{CloseClosed: server.Rejected}, true, put, "/close", nil, 400, "Closed"},
		"reopen open":               {server.Switches{}, false, put, "/reopen", nil, 204, "Open"},
		"reopen open, rejected":     {server.Switches{ReopenOpen: server.Rejected}, false, put, "/reopen", nil, 400, "Open"},
		"reopen closed":             {server.Switches{}, true, put, "/reopen", nil, 204, "Open"},
		"inbound on closed":         {server.Switches{}, true, post, "/messages", inbound, 200, "Open"},
		"outbound on closed":        {server.Switches{}, true, post, "/messages", outbound, 200, "Closed"},
		"outbound on closed, opens": {server.Switches{MessageOnClosed: server.Reopens}, true, post, "/messages", outbound, 200, "Open"},
		"inbound on closed, stays":  {server.Switches{MessageOnClosed: server.Stays}, true, post, "/messages", inbound, 200, "Closed"},
		"inbound on closed, 400":    {server.Switches{MessageOnClosed: server.Rejected}, true, post, "/messages", inbound, 400, "Closed"},
		"transfer closed":           {server.Switches{}, true, put, "/transfer/queue", transfer, 204, "Open"},
		"transfer closed, stays":    {server.Switches{TransferClosed: server.Stays}, true, put, "/transfer/queue", transfer, 204, "Closed"},
		"claim closed, rejected":    {server.Switches{TransferClosed: server.Rejected}, true, put, "/claim", claim, 400, "Closed"},
		"claim assigned":            {server.Switches{}, false, put, "/claim", claim, 204, "Open"},
		"claim assigned, no force":  {server.Switches{ClaimForce: "false"}, false, put, "/claim", claim, 409, "Open"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := start(t, server.Options{Switches: test.switches})
			id := d.open(d.customer("a@example.org"))
			require.NoError(t, d.Agent(t.Context(), server.Step{Action: server.PlayClaim}))
			if test.closed {
				require.NoError(t, d.Agent(t.Context(), server.Step{Action: server.PlayClose}))
			}
			var body any
			if test.body != nil {
				body = test.body
			}
			d.do(test.method, fmt.Sprintf("/conversations/%d%s", id, test.path), body, test.status)
			var conversation object
			d.do(http.MethodGet, fmt.Sprintf("/conversations/%d", id), nil, http.StatusOK).data(&conversation)
			require.Equal(t, test.state, conversation["state"])
		})
	}
}

func TestStateChangesRequireAgent(t *testing.T) {
	t.Parallel()
	d := start(t, server.Options{})
	customer := d.customer("a@example.org")
	d.open(customer)
	for path, body := range map[string]object{"/close": {}, "/reopen": {}, "/followup": {"timestamp": "2099-01-01T00:00:00Z"}, "/transfer/queue": {"queueId": server.SeedQueueClaims}} {
		body["userId"] = customer
		require.Equal(t, "User is not admin or agent", d.do(http.MethodPut, "/conversations/1001"+path, body, http.StatusBadRequest).message(), path)
		body["userId"] = server.SeedQueueClaims
		require.Equal(t, "User not found", d.do(http.MethodPut, "/conversations/1001"+path, body, http.StatusBadRequest).message(), path)
	}
	require.Equal(t, "Queue does not exist", d.do(http.MethodPut, "/conversations/1001/transfer/queue", object{"queueId": server.SeedAgentAnna}, http.StatusBadRequest).message())
	message := object{"_type": "Outbound", "agentId": customer, "content": object{"_type": "Text", "value": "x"}}
	require.Equal(t, "AddMessageError.EndUserNotFound", d.do(http.MethodPost, "/conversations/1001/messages", message, http.StatusBadRequest).message())
	require.Equal(t, "Agent was not found", d.do(http.MethodPost, "/conversations/1001/notes", object{"message": "x", "agentId": customer}, http.StatusBadRequest).message())
}

func TestFollowupExpires(t *testing.T) {
	t.Parallel()
	for _, state := range []string{server.StateOpen, server.StateAwaitingPending} {
		t.Run(state, func(t *testing.T) {
			t.Parallel()
			clock := newClock()
			d := start(t, server.Options{Clock: clock.Now, Switches: server.Switches{FollowupExpiry: state}})
			d.open(d.customer("a@example.org"))
			d.do(http.MethodPut, "/conversations/1001/followup", object{"timestamp": "2026-03-02T09:00:00Z"}, http.StatusNoContent)
			require.Equal(t, server.StatePending, d.State().Conversations[0].State)
			clock.Advance(30 * time.Minute)
			require.Equal(t, state, d.State().Conversations[0].State)
		})
	}
}

func TestCreateSwitches(t *testing.T) {
	t.Parallel()
	t.Run("auto-reply", func(t *testing.T) {
		t.Parallel()
		d := start(t, server.Options{Switches: server.Switches{AutoReply: true}})
		d.open(d.customer("a@example.org"))
		var messages []struct {
			Attributes struct {
				IsAutoReply bool   `json:"isAutoReply"`
				Direction   string `json:"direction"`
			} `json:"attributes"`
		}
		d.do(http.MethodGet, "/conversations/1001/messages", nil, http.StatusOK).data(&messages)
		require.Len(t, messages, 2)
		require.True(t, messages[1].Attributes.IsAutoReply)
		require.Equal(t, "Outbound", messages[1].Attributes.Direction)
		require.Contains(t, string(d.do(http.MethodGet, "/conversations/1001/activitylog", nil, http.StatusOK).body), "ConversationAutoreplySent")
	})
	t.Run("queue", func(t *testing.T) {
		t.Parallel()
		d := start(t, server.Options{})
		requester := d.customer("a@example.org")
		d.open(requester)
		d.SetSwitches(server.Switches{QueueOnCreate: "default"})
		d.open(requester)
		state := d.State()
		require.Empty(t, state.Conversations[0].QueueID)
		require.Equal(t, server.SeedQueueSupport, state.Conversations[1].QueueID)
	})
	t.Run("requester without email", func(t *testing.T) {
		t.Parallel()
		d := start(t, server.Options{})
		var user struct {
			ID string `json:"id"`
		}
		d.do(http.MethodPost, "/endusers", object{"externalId": "c-1", "displayName": "Customer"}, http.StatusCreated).data(&user)
		outbound := mail(user.ID, "")
		outbound["message"] = object{"_type": "Outbound", "agentId": server.SeedAgentBen, "content": object{"_type": "Text", "value": "x"}}
		imported := object{
			"_type": "GenericConversationImport", "genericChannelName": "email", "requesterId": user.ID, "direction": "Inbound",
			"createdAt": "2021-12-01T11:00:00.001Z", "attributes": object{"emailIntegrationId": server.SeedMailbox, "subject": "Old"},
			"messages": []object{},
		}
		for _, test := range []struct {
			path     string
			body     object
			from, to string
		}{
			{"/conversations", mail(user.ID, ""), "", server.SeedMailbox},
			{"/conversations", outbound, server.SeedMailbox, ""},
			{"/conversations/import", imported, "", server.SeedMailbox},
		} {
			d.SetSwitches(server.Switches{RequesterWithoutEmail: server.Rejected})
			d.do(http.MethodPost, test.path, test.body, http.StatusBadRequest)
			d.SetSwitches(server.Switches{})
			d.do(http.MethodPost, test.path, test.body, http.StatusCreated)
			made := d.State().Conversations
			var conversation map[string]any
			d.do(http.MethodGet, fmt.Sprintf("/conversations/%d", made[len(made)-1].ID), nil, http.StatusOK).data(&conversation)
			require.Equal(t, any(test.from), conversation["fromEmail"], "the contract requires the member even if empty")
			require.Equal(t, any(test.to), conversation["toEmail"], "the contract requires the member even if empty")
		}
		require.Len(t, d.State().Conversations, 3)
	})
	t.Run("assignment of an outbound conversation", func(t *testing.T) {
		t.Parallel()
		d := start(t, server.Options{})
		body := mail(d.customer("a@example.org"), "")
		body["message"] = object{"_type": "Outbound", "agentId": server.SeedAgentBen, "content": object{"_type": "Text", "value": "x"}}
		d.do(http.MethodPost, "/conversations", body, http.StatusCreated)
		d.SetSwitches(server.Switches{OutboundUnassigned: true})
		d.do(http.MethodPost, "/conversations", body, http.StatusCreated)
		state := d.State()
		require.Equal(t, server.SeedAgentBen, state.Conversations[0].AssigneeID)
		require.Empty(t, state.Conversations[1].AssigneeID)
	})
	t.Run("large content", func(t *testing.T) {
		t.Parallel()
		d := start(t, server.Options{Switches: server.Switches{LargeContentBytes: 4}})
		d.open(d.customer("a@example.org"))
		var messages []struct {
			Attributes struct {
				EmailContent struct {
					Type string `json:"_type"`
					File struct {
						URL string `json:"url"`
					} `json:"file"`
				} `json:"emailContent"`
			} `json:"attributes"`
		}
		d.do(http.MethodGet, "/conversations/1001/messages", nil, http.StatusOK).data(&messages)
		require.Equal(t, "TooLarge", messages[0].Attributes.EmailContent.Type)
		require.Equal(t, "It broke", d.download(messages[0].Attributes.EmailContent.File.URL, "demo-token"))
	})
}

func TestTags(t *testing.T) {
	t.Parallel()
	clock := newClock()
	d := start(t, server.Options{Clock: clock.Now, Switches: server.Switches{BulkTagDelay: server.Duration(time.Second)}})
	d.open(d.customer("a@example.org"))
	body := object{"data": []object{{"name": "claim"}, {"name": "new"}, {"name": "claim"}}}
	require.Empty(t, d.do(http.MethodPost, "/conversations/1001/tags/bulk", body, http.StatusAccepted).body)
	require.Empty(t, d.State().Conversations[0].TagIDs, "a bulk tag took effect immediately")
	clock.Advance(time.Second)
	require.Equal(t, []string{"claim", "new"}, d.State().Conversations[0].TagNames)

	tag := d.State().Tags[0]
	path := "/conversations/1001/tags/" + tag.ID
	d.do(http.MethodPut, path, nil, http.StatusNoContent)
	d.SetSwitches(server.Switches{TagTwice: server.Rejected})
	d.do(http.MethodPut, path, nil, http.StatusBadRequest)
	d.do(http.MethodDelete, path, nil, http.StatusNoContent)
	d.do(http.MethodPatch, "/tags/"+tag.ID+"/deactivate", nil, http.StatusNoContent)
	for _, status := range []int{400, 404} {
		d.SetSwitches(server.Switches{InactiveTag: fmt.Sprint(status)})
		d.do(http.MethodPut, path, nil, status)
	}
	var tags []object
	d.do(http.MethodGet, "/tags", nil, http.StatusOK).data(&tags)
	require.Len(t, tags, 1, "deactivated tags are not listed")
	d.do(http.MethodPost, "/tags", object{"name": "new", "color": "#fff"}, http.StatusOK).data(&tag)
	require.Empty(t, tag.Color, "an existing tag was changed")
	d.do(http.MethodGet, "/conversations/1001/tags/"+tag.ID, nil, http.StatusNotFound)
}

func TestNoteFormats(t *testing.T) {
	t.Parallel()
	for format, want := range map[string]string{
		"as-sent": "<b>R&D</b>\nclaim c-1",
		"html":    "<p>&lt;b&gt;R&amp;D&lt;/b&gt;<br>claim c-1</p>",
		"text":    "R&D\nclaim c-1",
	} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			d := start(t, server.Options{Switches: server.Switches{NoteFormat: format}})
			d.open(d.customer("a@example.org"))
			d.do(http.MethodPost, "/conversations/1001/notes", object{"message": "<b>R&D</b>\nclaim c-1"}, http.StatusOK)
			var notes []struct {
				Message  string `json:"message"`
				AuthorID string `json:"authorId"`
			}
			d.do(http.MethodGet, "/conversations/1001/notes", nil, http.StatusOK).data(&notes)
			require.Equal(t, want, notes[0].Message)
			require.Equal(t, server.SeedAgentAdmin, notes[0].AuthorID, "the author is not the token's user")
		})
	}
}

func TestListLag(t *testing.T) {
	t.Parallel()
	clock := newClock()
	d := start(t, server.Options{Clock: clock.Now, Switches: server.Switches{ListLag: server.Duration(2 * time.Second)}})
	requester := d.customer("a@example.org")
	d.open(requester)
	d.do(http.MethodPost, "/conversations/1001/notes", object{"message": "note"}, http.StatusOK)
	lists := []string{
		"/endusers/" + requester + "/conversations", "/search/conversations?query=broke",
		"/conversations/1001/messages", "/conversations/1001/notes",
		"/conversations/1001/activitylog", "/conversations/activitylog",
	}
	for _, lagging := range []bool{true, false} {
		d.do(http.MethodGet, "/conversations/1001", nil, http.StatusOK)
		for _, path := range lists {
			var items []object
			d.do(http.MethodGet, path, nil, http.StatusOK).data(&items)
			require.Equal(t, lagging, len(items) == 0, path)
		}
		clock.Advance(2 * time.Second)
	}
}

func TestActivityLog(t *testing.T) {
	t.Parallel()
	clock := newClock()
	d := start(t, server.Options{Clock: clock.Now})
	requester := d.customer("a@example.org")
	d.open(requester)
	clock.Advance(time.Hour)
	d.open(requester)
	log := func(path string) (ids []float64) {
		t.Helper()
		var entries []struct {
			ConversationID float64 `json:"conversationId"`
		}
		d.do(http.MethodGet, path, nil, http.StatusOK).data(&entries)
		for _, entry := range entries {
			ids = append(ids, entry.ConversationID)
		}
		return ids
	}
	require.Equal(t, []float64{1001, 1001, 1002, 1002}, log("/conversations/activitylog"))
	require.Equal(t, []float64{1002, 1002}, log("/conversations/activitylog?fromDatetime=2026-03-02T09:00:00Z"))
	require.Equal(t, []float64{1001, 1001}, log("/conversations/activitylog?toDatetime=2026-03-02T09:00:00Z"))
	require.Empty(t, log("/conversations/999/activitylog"), "an unknown conversation has an empty log")
	d.do(http.MethodGet, "/conversations/activitylog?fromDatetime=yesterday", nil, http.StatusBadRequest)
	d.SetSwitches(server.Switches{ActivityOrder: server.NewestFirst})
	require.Equal(t, []float64{1002, 1002, 1001, 1001}, log("/conversations/activitylog"))
	d.SetSwitches(server.Switches{ActivityPeriod: server.Rejected})
	d.do(http.MethodGet, "/conversations/activitylog", nil, http.StatusBadRequest)
	d.do(http.MethodGet, "/conversations/activitylog?fromDatetime=2025-11-01T09:00:00Z&toDatetime=2026-03-02T09:00:00Z", nil, http.StatusBadRequest)
	require.Equal(t, []float64{1001, 1001}, log("/conversations/activitylog?fromDatetime=2026-01-01T09:00:00Z&toDatetime=2026-03-02T09:00:00Z"))
}

func TestSearch(t *testing.T) {
	t.Parallel()
	clock := newClock()
	d := start(t, server.Options{Clock: clock.Now})
	requester := d.customer("a@example.org")
	d.open(requester)
	clock.Advance(time.Hour)
	d.open(requester)
	d.do(http.MethodPatch, "/conversations/1002/custom-attributes", object{server.SeedAttrReason: []string{"claim", "damaged"}, server.SeedAttrOrderNumber: "7"}, http.StatusOK)
	require.NoError(t, d.Agent(t.Context(), server.Step{Action: server.PlayTag, Tag: "vip"}, server.Step{Action: server.PlayClaim}, server.Step{Action: server.PlayClose}))
	tag := d.State().Tags[0].ID

	condition := func(kind string, operator object) object {
		return object{"field": object{"_type": kind, "operator": operator}}
	}
	attribute := func(id string, operator object) object {
		return object{"field": object{"_type": "CustomAttribute", "attributeId": id, "operator": operator}}
	}
	for name, test := range map[string]struct {
		condition object
		found     []int64
	}{
		"status":             {condition("Status", object{"_type": "IsOneOf", "values": []string{"closed"}}), []int64{1002}},
		"status not":         {condition("Status", object{"_type": "IsNotOneOf", "values": []string{"closed"}}), []int64{1001}},
		"channel":            {condition("Channel", object{"_type": "IsOneOf", "values": []string{"email"}}), []int64{1001, 1002}},
		"contact":            {condition("ContactId", object{"_type": "IsOneOf", "values": []string{requester}}), []int64{1001, 1002}},
		"id":                 {condition("ConversationId", object{"_type": "IsOneOf", "values": []string{"1001"}}), []int64{1001}},
		"agent":              {condition("AgentId", object{"_type": "IsEmpty"}), []int64{1001}},
		"no queue":           {condition("QueueId", object{"_type": "IsNotEmpty"}), nil},
		"tag":                {condition("TagId", object{"_type": "IncludesAll", "values": []string{tag}}), []int64{1002}},
		"without tag":        {condition("TagId", object{"_type": "ExcludesAll", "values": []string{tag}}), []int64{1001}},
		"created since":      {condition("CreationDate", object{"_type": "Since", "timestamp": "2026-03-02T09:00:00Z"}), []int64{1002}},
		"created until":      {condition("CreationDate", object{"_type": "Until", "timestamp": "2026-03-02T09:00:00Z"}), []int64{1001}},
		"closed between":     {condition("ClosedDate", object{"_type": "Between", "timestampFrom": "2026-03-02T09:00:00Z", "timestampTo": "2026-03-03T09:00:00Z"}), []int64{1002}},
		"active":             {condition("LastActivity", object{"_type": "Until", "timestamp": "2026-03-02T09:00:00Z"}), []int64{1001}},
		"duration":           {condition("Duration", object{"_type": "LongerThanOrEqualTo", "duration": 3_600_000}), []int64{1001}},
		"text attribute":     {attribute(server.SeedAttrOrderNumber, object{"_type": "IsOneOf", "values": [][]string{{"7"}}}), []int64{1002}},
		"parent option":      {attribute(server.SeedAttrReason, object{"_type": "IsOneOf", "values": [][]string{{"claim"}}}), []int64{1002}},
		"attribute is empty": {attribute(server.SeedAttrReason, object{"_type": "IsEmpty"}), []int64{1001}},
	} {
		var hits []struct {
			ID int64 `json:"id"`
		}
		body := object{"filters": object{"strategy": "All", "conditions": []object{test.condition}}}
		d.do(http.MethodPost, "/search/conversations", body, http.StatusOK).data(&hits)
		var found []int64
		for _, hit := range hits {
			found = append(found, hit.ID)
		}
		require.Equal(t, test.found, found, name)
	}
	text := func(value string, exact bool) string {
		body := object{"query": object{"value": value, "exactMatch": exact}}
		return string(d.do(http.MethodPost, "/search/conversations", body, http.StatusOK).body)
	}
	require.Contains(t, text("order", false), `<em class=\"highlight\">Order</em>`)
	require.Contains(t, text("10001 order", false), "1001")
	require.NotContains(t, text("10001 order", true), "1001")
	d.do(http.MethodGet, "/search/conversations", nil, http.StatusBadRequest)
	d.do(http.MethodPost, "/search/conversations", strings.ReplaceAll(`{"filters":{"strategy":"All","conditions":[{"field":{"_type":"X","operator":{"_type":"IsEmpty"}}}]}}`, "X", "Nothing"), http.StatusBadRequest)
}

func TestLinks(t *testing.T) {
	t.Parallel()
	d := start(t, server.Options{})
	requester := d.customer("a@example.org")
	for range 3 {
		d.open(requester)
	}
	link := func(child, parent, status int) {
		t.Helper()
		d.do(http.MethodPut, fmt.Sprintf("/conversations/%d/link", child), object{"parentId": parent, "linkType": "Related"}, status)
	}
	link(1002, 1001, http.StatusNoContent)
	link(1002, 1003, http.StatusBadRequest) // already has a parent
	link(1003, 1002, http.StatusBadRequest) // a child cannot have children
	link(1001, 1003, http.StatusBadRequest) // a parent cannot become a child
	link(1003, 1003, http.StatusBadRequest)
	link(1003, 1999, http.StatusNotFound)
	var linked []object
	d.do(http.MethodGet, "/conversations/1001/linked", nil, http.StatusOK).data(&linked)
	require.Len(t, linked, 1)
}
