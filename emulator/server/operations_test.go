package server_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/emulator/server"
)

// TestContract calls each of the 123 operations of Dixa's OpenAPI file and validates
// requests and replies against it.
func TestContract(t *testing.T) {
	t.Parallel()
	requireContract(t)
	photo := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "image/png")
		_, _ = w.Write([]byte("\x89PNG\r\n\x1a\nphoto"))
	}))
	t.Cleanup(photo.Close)
	d := start(t, server.Options{Switches: server.Switches{AutoReply: true}})
	const get, post, put, patch, del = http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete
	succeeded := map[string]bool{}
	do := func(method, path string, body any, status int) answer {
		t.Helper()
		return d.do(method, path, body, status)
	}
	id := func(a answer) string {
		t.Helper()
		var body struct {
			ID string `json:"id"`
		}
		a.data(&body)
		return body.ID
	}

	do(get, "/organization", nil, 200)
	full := object{
		"displayName": "Alice Brown", "email": "alice@example.org", "phoneNumber": "+4511223344",
		"additionalEmails": []string{"a2@example.org"}, "additionalPhoneNumbers": []string{"+4511223355"},
		"firstName": "Alice", "lastName": "Brown", "middleNames": []string{"B"},
		"avatarUrl": "https://example.org/a.png", "externalId": "#1",
	}
	alice := id(do(post, "/endusers", full, 201))
	do(get, "/endusers?email=alice@example.org", nil, 200)
	do(post, "/endusers", full, 400)
	do(post, "/endusers/bulk", object{"data": []object{{"email": "bulk@example.org"}, {"email": "alice@example.org"}}}, 201)
	do(put, "/endusers", object{"data": []object{{"id": alice, "displayName": "Alice B", "email": "alice@example.org"}, {"id": server.SeedAgentAnna, "displayName": "Nobody"}}}, 200)
	do(patch, "/endusers", object{"data": []object{{"id": alice, "email": "bulk@example.org"}}}, 200)
	do(get, "/endusers/"+alice, nil, 200)
	do(put, "/endusers/"+alice, full, 200)
	do(patch, "/endusers/"+alice, object{"firstName": "Al"}, 200)
	do(patch, "/endusers/"+alice+"/custom-attributes", object{server.SeedAttrLoyalty: "gold"}, 200)
	do(get, "/endusers/"+alice, nil, 200)

	do(get, "/contact-endpoints", nil, 200)
	do(get, "/contact-endpoints/"+server.SeedMailbox, nil, 200)
	do(get, "/custom-attributes", nil, 200)
	do(get, "/custom-attributes/"+server.SeedAttrReason, nil, 200)
	do(get, "/conversations/flows", nil, 200)

	do(post, "/conversations", mail(alice, "key-1", photo.URL), 201)
	outbound := object{"_type": "Outbound", "agentId": server.SeedAgentAnna, "content": object{"_type": "Html", "value": "<p>Hi</p>"}, "attachments": []object{}, "cc": []string{alice}, "bcc": []string{}}
	do(post, "/conversations", object{"_type": "ContactForm", "requesterId": alice, "emailIntegrationId": server.SeedReturnsMailbox, "subject": "Form", "message": outbound}, 201)
	do(post, "/conversations", object{"_type": "Sms", "requesterId": alice, "contactEndpointId": server.SeedPhone, "message": outbound}, 201)
	do(post, "/conversations", object{"_type": "Callback", "requesterId": alice, "direction": "Inbound", "contactEndpointId": server.SeedPhone, "queueId": server.SeedQueueClaims}, 201)
	do(post, "/conversations", object{"_type": "Chat", "requesterId": alice, "widgetId": server.SeedWidget, "browserInfo": object{"name": "Chrome"}, "message": object{"_type": "Inbound", "content": object{"_type": "Text", "value": "Hi"}}}, 201)
	do(post, "/conversations/import", object{
		"_type": "GenericConversationImport", "genericChannelName": "email", "requesterId": alice, "direction": "Inbound",
		"createdAt": "2021-12-01T11:00:00.001Z", "attributes": object{"emailIntegrationId": server.SeedMailbox, "subject": "Old"},
		"messages": []object{
			{"_type": "InboundImport", "content": object{"_type": "Text", "value": "Late"}, "createdAt": "2021-12-01T13:00:00.003Z", "externalId": "42", "attachments": []object{{"url": "http://127.0.0.1:1/none"}}},
			{"_type": "OutboundImport", "agentId": server.SeedAgentBen, "content": object{"_type": "Text", "value": "Sorry"}, "createdAt": "2021-12-01T14:00:00.003Z", "attributes": object{"cc": []string{"a@b.com"}}},
		},
		"assignment": object{"agentId": server.SeedAgentBen, "assignedAt": "2021-12-01T12:00:00.002Z"},
		"closing":    object{"closedAt": "2021-12-01T15:00:00.005Z", "closedBy": server.SeedAgentBen},
	}, 201)
	for n := 1001; n <= 1006; n++ {
		do(get, fmt.Sprintf("/conversations/%d", n), nil, 200)
		do(get, fmt.Sprintf("/conversations/%d/messages", n), nil, 200)
	}
	do(get, "/endusers/"+alice+"/conversations?pageLimit=2", nil, 200)

	claim := "/conversations/1001"
	do(put, claim+"/claim", object{"agentId": server.SeedAgentAnna, "force": false}, 204)
	do(put, claim+"/claim", object{"agentId": server.SeedAgentBen, "force": false}, 409)
	do(post, claim+"/messages", outbound, 200)
	do(post, claim+"/notes", object{"message": "A note"}, 200)
	do(post, claim+"/notes/bulk", object{"data": []object{{"message": "Another"}, {"message": "No", "agentId": alice}}}, 200)
	do(get, claim+"/notes", nil, 200)
	tag := id(do(post, "/tags", object{"name": "claim", "color": "#00ff00"}, 200))
	do(put, claim+"/tags/"+tag, nil, 204)
	do(post, claim+"/tags/bulk", object{"data": []object{{"name": "claim-reason-damaged"}}}, 202)
	do(get, claim+"/tags", nil, 200)
	do(del, claim+"/tags/"+tag, nil, 204)
	do(patch, claim+"/custom-attributes", object{server.SeedAttrOrderNumber: "10001", server.SeedAttrReason: []string{"claim", "damaged"}}, 200)
	do(get, claim, nil, 200)
	do(put, claim+"/transfer/queue", object{"queueId": server.SeedQueueClaims, "userId": server.SeedAgentAnna}, 204)
	do(get, "/queues/conversation-position/1001", nil, 200)
	do(put, claim+"/followup", object{"timestamp": "2099-01-01T00:00:00Z"}, 204)
	do(get, claim, nil, 200)
	do(put, claim+"/close", nil, 204)
	do(put, claim+"/reopen", object{"userId": server.SeedAgentAnna}, 204)
	do(put, "/conversations/1002/link", object{"parentId": 1001, "linkType": "SideConversation"}, 204)
	do(get, claim+"/linked", nil, 200)
	rating := id(do(post, claim+"/ratings/offer", object{"ratingType": "Csat", "agentId": server.SeedAgentAnna, "userId": alice}, 201))
	do(post, claim+"/ratings/"+rating+"/submit", object{"ratingResult": object{"_type": "Csat", "value": 4}, "comment": "Good"}, 201)
	do(get, claim+"/ratings", nil, 200)
	do(get, claim+"/rating", nil, 200)
	do(get, claim+"/activitylog", nil, 200)
	do(get, "/conversations/activitylog?pageLimit=3&fromDatetime=2021-01-01T00:00:00Z", nil, 200)
	do(get, "/search/conversations?query=broke", nil, 200)
	do(post, "/search/conversations", object{"query": object{"value": "Order"}}, 200)

	do(get, "/analytics/metrics", nil, 200)
	do(get, "/analytics/metrics/csat", nil, 200)
	do(get, "/analytics/records", nil, 200)
	do(get, "/analytics/records/ratings", nil, 200)
	for _, attribute := range []string{"agent_id", "queue_id", "channel", "initial_direction", "tag_id", "contact_point"} {
		do(get, "/analytics/filter/"+attribute+"?pageLimit=2", nil, 200)
	}
	year := object{"_type": "Preset", "value": object{"_type": "ThisYear"}}
	interval := object{"_type": "Interval", "start": "2020-01-01T00:00:00Z", "end": "2099-01-01T00:00:00.000Z"}
	noFilter := []object{{"attribute": "channel", "values": []string{}}}
	do(post, "/analytics/metrics", object{"id": "csat", "timezone": "Europe/Copenhagen", "periodFilter": year, "filters": noFilter, "aggregations": []string{"Percentage"}}, 200)
	do(post, "/analytics/metrics", object{"id": "closed_conversations", "timezone": "UTC", "csidFilter": []int{1001}}, 200)
	do(post, "/analytics/metrics", object{"id": "first_response_time", "timezone": "UTC", "periodFilter": interval}, 200)
	do(post, "/analytics/metrics", object{"id": "csat", "timezone": "UTC", "periodFilter": object{"_type": "Preset", "value": "Today"}}, 200)
	do(post, "/analytics/metrics", object{"id": "csat", "timezone": "UTC", "periodFilter": object{"_type": "Preset", "value": "PreviousYear"}}, 400)
	for _, record := range []string{"ratings", "closed_conversations", "first_response_time"} {
		do(post, "/analytics/records?pageLimit=1", object{"id": record, "timezone": "UTC", "periodFilter": interval}, 200)
	}
	do(get, "/business-hours/schedules", nil, 200)
	for _, schedule := range []string{server.SeedScheduleSupport, server.SeedScheduleHotline} {
		do(get, "/business-hours/schedules/"+schedule+"/definition", nil, 200)
		do(get, "/business-hours/schedules/"+schedule+"/upcoming?days=90", nil, 200)
		do(get, "/business-hours/schedules/"+schedule+"/status?timestamp=2026-03-02T08:30:00Z", nil, 200)
	}

	do(get, "/templates?pageLimit=1", nil, 200)
	do(get, "/templates?type=QuickResponse", nil, 200)
	do(del, "/templates/"+server.SeedTemplateReturns, nil, 204)
	const knowledge, articles = "/knowledge", "/knowledge/articles/"
	do(get, knowledge+"/collections?pageLimit=1", nil, 200)
	do(get, knowledge+"/collections/"+server.SeedCollectionTeam, nil, 200)
	do(get, knowledge+"/collections/"+server.SeedCollectionHelp+"/catalog?language=da", nil, 200)
	do(get, knowledge+"/categories/"+server.SeedCategoryPolicies, nil, 200)
	do(get, knowledge+"/categories/"+server.SeedCategoryReturns+"/translations", nil, 200)
	article := articles + id(do(post, knowledge+"/articles", object{
		"translations": []object{{"languageId": "en", "title": "Claims", "content": "<p>Photos help.</p>"}},
		"parentId":     server.SeedCategoryPolicies, "tags": []string{tag}, "preRelease": true,
	}, 200))
	do(patch, article, object{"ownedBy": server.SeedAgentBen, "tags": object{"remove": []string{tag}}}, 200)
	do(patch, article+"/translations", object{"translations": []object{{"languageId": "da", "title": "Krav"}, {"languageId": "?", "title": "x"}}}, 200)
	do(post, article+"/publish", nil, 204)
	do(post, article+"/translations/da/unpublish", nil, 204)
	do(post, article+"/translations/da/publish", nil, 204)
	do(get, article+"/translations", nil, 200)
	do(patch, article+"/parent/"+server.SeedCategoryLabels, nil, 204)
	do(get, article+"?language=da", nil, 200)
	do(del, article+"/parent", nil, 204)
	do(post, article+"/unpublish", nil, 204)
	do(del, article+"/translations/da", nil, 204)
	do(get, article, nil, 200)
	do(del, article, nil, 204)
	d.upload(200, file{"logo.png", "image/png", pixel}, file{"note.txt", "text/plain", "hello"})

	do(get, "/tags?includeDeactivated=true", nil, 200)
	do(get, "/tags/"+tag, nil, 200)
	do(patch, "/tags/"+tag+"/deactivate", nil, 204)
	do(patch, "/tags/"+tag+"/activate", nil, 204)
	do(del, "/tags/"+tag, nil, 204)

	agent := id(do(post, "/agents", object{"displayName": "Cleo", "email": "cleo@example.org"}, 201))
	do(get, "/agents", nil, 200)
	do(put, "/agents", []object{{"id": agent, "displayName": "Cleo C"}}, 200)
	do(patch, "/agents", []object{{"id": agent, "firstName": "C"}, {"id": alice, "firstName": "C"}}, 200)
	do(post, "/agents/bulk", object{"data": []object{{"displayName": "Dan", "email": "dan@example.org"}}}, 201)
	do(get, "/agents/presence", nil, 200)
	do(get, "/agents/"+agent, nil, 200)
	do(put, "/agents/"+agent, object{"displayName": "Cleo"}, 200)
	do(patch, "/agents/"+agent, object{"lastName": "X"}, 200)
	do(get, "/agents/"+server.SeedAgentAnna+"/teams", nil, 200)
	do(get, "/agents/"+agent+"/presence", nil, 200)
	do(put, "/agents/"+agent+"/presence/working-channel", object{"channel": "Speak", "working": false}, 204)

	do(get, "/teams", nil, 200)
	team := id(do(post, "/teams", object{"name": "Night"}, 201))
	do(get, "/teams/"+team, nil, 200)
	do(patch, "/teams/"+team+"/agents", object{"agentIds": []string{agent}}, 200)
	do(get, "/teams/"+team+"/agents", nil, 200)
	do(get, "/teams/"+team+"/presence", nil, 200)
	do(del, "/teams/"+team+"/agents", object{"agentIds": []string{agent}}, 204)
	do(del, "/teams/"+team, nil, 204)

	do(get, "/queues", nil, 200)
	queue := id(do(post, "/queues", object{"request": object{
		"name": "Night", "callFunctionality": false, "isDefault": false, "isDoNotOfferEnabled": true,
		"offerAlgorithm": "AllAtOnce", "offerTimeout": 10, "queueThresholds": object{"WaitingConversations": 10},
	}}, 201))
	do(get, "/queues/"+queue, nil, 200)
	do(patch, "/queues/"+queue+"/members", object{"agentIds": []string{agent, alice, queue}}, 200)
	do(get, "/queues/"+queue+"/members", nil, 200)
	do(del, "/queues/"+queue+"/members", object{"agentIds": []string{agent}}, 204)
	do(get, "/queues/"+queue+"/availability", nil, 409)
	do(del, "/agents/"+agent, nil, 204)

	hook := id(do(post, "/webhooks", object{
		"name": "Hook", "url": "http://127.0.0.1:1/hook", "events": []string{"ConversationCreated"}, "customHeaders": object{"X-A": "b"},
		"authorization": object{"_type": "BasicAuth", "username": "u", "password": "p"},
		"filters": object{"Conversation": object{"_type": "CombinedFilters", "strategy": "All", "conditions": []object{
			{"_type": "IsNotOneOf", "field": "OperationOrigin", "values": []string{"ApiImport"}},
		}}},
	}, 201))
	do(get, "/webhooks", nil, 200)
	do(get, "/webhooks/"+hook, nil, 200)
	do(patch, "/webhooks/"+hook, object{"authorization": object{"_type": "TokenAuth", "value": "t"}}, 200)
	do(get, "/webhooks/"+hook+"/delivery-status", nil, 200)
	do(get, "/webhooks/"+hook+"/delivery-status/logs/ConversationCreated", nil, 200)
	do(del, "/webhooks/"+hook, nil, 204)

	var messages []struct {
		ID string `json:"id"`
	}
	do(get, claim+"/messages", nil, 200).data(&messages)
	do(patch, claim+"/messages/"+messages[0].ID+"/anonymize", nil, 202)
	do(patch, "/conversations/1003/anonymize", nil, 409)
	request := id(do(patch, "/conversations/1003/anonymize?force=true", nil, 202))
	d.Settle()
	do(get, "/anonymization/request/"+request, nil, 200)
	do(get, "/conversations/1003", nil, 200)
	do(patch, "/endusers/"+alice+"/anonymize?force=true", nil, 202)
	do(post, "/anonymization", object{"entityId": "1006", "_type": "Conversation", "forceAnonymization": true}, 200)
	do(get, claim+"/messages", nil, 200)
	do(get, "/endusers/"+alice, nil, 200)

	require.EqualValues(t, d.Stats().Requests, d.held.Load(), "some responses were not checked against the contract")
	for operation, outcomes := range d.Stats().Outcomes {
		for status := range outcomes {
			succeeded[operation] = succeeded[operation] || status/100 == 2
		}
	}
	require.Len(t, d.contract.operations, 123, "the file of another version: compare its operations with those of server.Operations")
	for operation := range d.contract.operations {
		if strings.HasSuffix(operation, "/availability") {
			continue // 409: the emulated organization has no such channel
		}
		require.True(t, succeeded[operation], "%s never succeeded, so its response was not checked against the contract", operation)
	}
	for _, operation := range server.Operations() {
		if !strings.Contains(operation, " /exports/") { // not in the OpenAPI file
			require.Contains(t, d.contract.operations, operation)
		}
	}
}
