package dixa_test

import (
	"context"
	"net/http"
	"time"

	"github.com/claimflow/claimflow/dixa"
)

var may = time.Date(2026, 5, 4, 9, 8, 7, 600_000_000, time.UTC)

const emailConversation = `{"_type":"EmailConversation","id":42,"requesterId":"` + userID + `","channel":"Email",
	"createdAt":"2026-05-04T09:08:07.000Z","direction":"Inbound","state":"Open","stateUpdatedAt":"2026-05-04T09:09:00.000Z",
	"assignment":{"agentId":"` + agentID + `","assignedAt":"2026-05-04T09:10:00.000Z"},
	"queue":{"id":"` + queueID + `","queuedAt":"2026-05-04T09:08:30.000Z"},
	"fromEmail":"kunde@example.org","toEmail":"shop@email.dixa.io","integrationEmail":"shop@email.dixa.io",
	"language":"de","subject":"Bestellung 10001","link":{"_type":"FollowUp","parentId":41},
	"customAttributes":[{"id":"` + attrID + `","name":"Order","identifier":"order","value":"10001"}]}`

const anonymization = `{"id":"` + anonID + `","_type":"Conversation","entityType":"ConversationAnonymizationType",
	"initiatedAt":"2026-05-04T09:08:07.600Z","targetEntityId":"42","requestedBy":"` + agentID + `"}`

func conversationCases() []operationCase {
	return []operationCase{
		{
			name: "Conversations.Create",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return c.Conversations.Create(ctx, dixa.NewConversation{
					Type: dixa.NewEmail, RequesterID: userID, EmailIntegrationID: "shop@email.dixa.io",
					Subject: "Order 10001", Language: "en",
					Message: dixa.MessageInput{
						Type: dixa.Inbound, Content: dixa.HTMLContent("<p>It broke.</p>"), ExternalID: "shop/claim/open",
						Attachments: []dixa.Attachment{{URL: "https://files.example.org/1.jpg", PrettyName: "SKU-photo-1.jpg"}},
					},
				})
			},
			method: http.MethodPost, path: "/conversations", status: http.StatusCreated,
			body: `{"_type":"Email","requesterId":"` + userID + `","emailIntegrationId":"shop@email.dixa.io","subject":"Order 10001","language":"en",
				"message":{"_type":"Inbound","content":{"_type":"Html","value":"<p>It broke.</p>"},"externalId":"shop/claim/open",
				"attachments":[{"url":"https://files.example.org/1.jpg","prettyName":"SKU-photo-1.jpg"}]}}`,
			reply: `{"data":{"id":42}}`, want: `42`,
		},
		{
			name: "Conversations.Create",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return c.Conversations.Create(ctx, dixa.NewConversation{
					Type: dixa.NewContactForm, RequesterID: userID, EmailIntegrationID: "shop@email.dixa.io", Subject: "Order 10001",
					Message: dixa.MessageInput{Type: dixa.Outbound, AgentID: agentID, Content: dixa.TextContent("Hello")},
				})
			},
			method: http.MethodPost, path: "/conversations", status: http.StatusCreated,
			body: `{"_type":"ContactForm","requesterId":"` + userID + `","emailIntegrationId":"shop@email.dixa.io","subject":"Order 10001",
				"message":{"_type":"Outbound","agentId":"` + agentID + `","content":{"_type":"Text","value":"Hello"},"attachments":[],"cc":[],"bcc":[]}}`,
			reply: `{"data":{"id":43}}`, want: `43`,
		},
		{
			name: "Conversations.Create",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return c.Conversations.Create(ctx, dixa.NewConversation{
					Type: dixa.NewCallback, RequesterID: userID, Direction: dixa.Inbound, ContactEndpointID: "+4589000000", QueueID: queueID,
				})
			},
			method: http.MethodPost, path: "/conversations", status: http.StatusCreated,
			body:  `{"_type":"Callback","requesterId":"` + userID + `","direction":"Inbound","contactEndpointId":"+4589000000","queueId":"` + queueID + `"}`,
			reply: `{"data":{"id":44}}`, want: `44`,
		},
		{
			name: "Conversations.Create",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return c.Conversations.Create(ctx, dixa.NewConversation{
					Type: dixa.NewChat, RequesterID: userID, WidgetID: hookID,
					BrowserInfo: &dixa.BrowserInfo{Name: "Firefox"},
					Message:     dixa.MessageInput{Type: dixa.Inbound, Content: dixa.TextContent("Hi")},
				})
			},
			method: http.MethodPost, path: "/conversations", status: http.StatusCreated,
			body: `{"_type":"Chat","requesterId":"` + userID + `","widgetId":"` + hookID + `","browserInfo":{"name":"Firefox"},
				"message":{"_type":"Inbound","content":{"_type":"Text","value":"Hi"},"attachments":[]}}`,
			reply: `{"data":{"id":45}}`, want: `45`,
		},
		{
			name: "Conversations.Get",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return c.Conversations.Get(ctx, 42)
			},
			method: http.MethodGet, path: "/conversations/42", status: http.StatusOK,
			reply: `{"data":` + emailConversation + `}`,
		},
		{
			name: "Conversations.Linked",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return c.Conversations.Linked(ctx, 41)
			},
			method: http.MethodGet, path: "/conversations/41/linked", status: http.StatusOK,
			reply: `{"data":[` + emailConversation + `]}`,
		},
		{
			name: "Conversations.Flows",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return c.Conversations.Flows(ctx, dixa.ChannelEmail)
			},
			method: http.MethodGet, path: "/conversations/flows?channel=Email", status: http.StatusOK,
			reply: `{"data":[{"id":"` + queueID + `","name":"Mail","channel":"Email","contactEndpointId":"shop@email.dixa.io"}]}`,
		},
		{
			name: "Conversations.SetCustomAttributes",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return c.Conversations.SetCustomAttributes(ctx, 42, map[string]dixa.AttributeValue{
					attrID: dixa.TextValue("10001"), tagID: dixa.SelectValue("payment", "card"),
				})
			},
			method: http.MethodPatch, path: "/conversations/42/custom-attributes", status: http.StatusOK,
			body: `{"` + attrID + `":"10001","` + tagID + `":["payment","card"]}`,
			reply: `{"data":[{"id":"` + attrID + `","name":"Order","identifier":"order","value":"10001"},
				{"id":"` + tagID + `","name":"Topic","identifier":"topic","value":["payment","card"]}]}`,
		},
		{
			name: "Conversations.Claim",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return nothing(c.Conversations.Claim(ctx, 42, agentID, false))
			},
			method: http.MethodPut, path: "/conversations/42/claim", status: http.StatusNoContent,
			body: `{"agentId":"` + agentID + `","force":false}`, want: "-",
		},
		{
			name: "Conversations.Close",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return nothing(c.Conversations.Close(ctx, 42, agentID))
			},
			method: http.MethodPut, path: "/conversations/42/close", status: http.StatusNoContent,
			body: `{"userId":"` + agentID + `"}`, want: "-",
		},
		{
			name: "Conversations.Reopen",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return nothing(c.Conversations.Reopen(ctx, 42, ""))
			},
			method: http.MethodPut, path: "/conversations/42/reopen", status: http.StatusNoContent,
			body: `{}`, want: "-",
		},
		{
			name: "Conversations.FollowUp",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return nothing(c.Conversations.FollowUp(ctx, 42, dixa.NewTime(may), agentID))
			},
			method: http.MethodPut, path: "/conversations/42/followup", status: http.StatusNoContent,
			body: `{"timestamp":"2026-05-04T09:08:07.600Z","userId":"` + agentID + `"}`, want: "-",
		},
		{
			name: "Conversations.TransferToQueue",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return nothing(c.Conversations.TransferToQueue(ctx, 42, queueID, agentID))
			},
			method: http.MethodPut, path: "/conversations/42/transfer/queue", status: http.StatusNoContent,
			body: `{"queueId":"` + queueID + `","userId":"` + agentID + `"}`, want: "-",
		},
		{
			name: "Conversations.Link",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return nothing(c.Conversations.Link(ctx, 42, 41, dixa.LinkSideConversation))
			},
			method: http.MethodPut, path: "/conversations/42/link", status: http.StatusNoContent,
			body: `{"parentId":41,"linkType":"SideConversation"}`, want: "-",
		},
		{
			name: "Conversations.Anonymize",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return c.Conversations.Anonymize(ctx, 42, true)
			},
			method: http.MethodPatch, path: "/conversations/42/anonymize?force=true", status: http.StatusAccepted,
			reply: `{"data":` + anonymization + `}`,
		},
		{
			name: "Conversations.AnonymizeMessage",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return c.Conversations.AnonymizeMessage(ctx, 42, msgID)
			},
			method: http.MethodPatch, path: "/conversations/42/messages/" + msgID + "/anonymize", status: http.StatusAccepted,
			reply: `{"data":` + anonymization + `}`,
		},
		{
			name: "Anonymization.Get",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return c.Anonymization.Get(ctx, anonID)
			},
			method: http.MethodGet, path: "/anonymization/request/" + anonID, status: http.StatusOK,
			reply: `{"data":` + anonymization + `}`,
		},
		{
			name: "Conversations.ActivityLog",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return c.Conversations.ActivityLog(ctx, 42)
			},
			method: http.MethodGet, path: "/conversations/42/activitylog", status: http.StatusOK,
			reply: `{"data":[{"id":"` + noteID + `","conversationId":42,"activityTimestamp":"2026-05-04T09:08:07.600Z",
				"activityType":"TagAddedActivityType","_type":"TagAdded","author":{"id":"` + agentID + `","name":"Ada"},
				"attributes":{"_type":"TagAddedAttribute","tag":"claim"}}]}`,
		},
		{
			name: "Conversations.OrganizationActivityLog",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return collect(c.Conversations.OrganizationActivityLog(ctx, may, may.Add(time.Hour), 500))
			},
			method: http.MethodGet, status: http.StatusOK,
			path:  "/conversations/activitylog?fromDatetime=2026-05-04T09%3A08%3A07Z&pageLimit=500&toDatetime=2026-05-04T10%3A08%3A08Z",
			reply: `{"data":[{"id":"` + noteID + `","conversationId":3000000000,"activityTimestamp":"2026-05-04T09:08:07.600Z","_type":"SomethingNew"}]}`,
		},
		{
			name: "Conversations.Search",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return collect(c.Conversations.Search(ctx, dixa.SearchQuery{
					Text: "10001", ExactMatch: true, PageLimit: 50,
					Conditions: []dixa.SearchCondition{
						{Field: "QueueId", Operator: dixa.IsOneOf(queueID)},
						{Field: "Status", Operator: dixa.IsNotOneOf("closed")},
						{Field: "TagId", Operator: dixa.IncludesAll(tagID)},
						{Field: "CreationDate", Operator: dixa.Between(dixa.NewTime(may), dixa.NewTime(may.Add(time.Hour)))},
						{Field: "CustomAttribute", AttributeID: attrID, Operator: dixa.SearchOperator{Type: "IsOneOf", Values: [][]string{{"payment", "card"}}}},
					},
				}))
			},
			method: http.MethodPost, path: "/search/conversations?pageLimit=50", status: http.StatusOK,
			body: `{"query":{"value":"10001","exactMatch":true},"filters":{"strategy":"All","conditions":[
				{"field":{"_type":"QueueId","operator":{"_type":"IsOneOf","values":["` + queueID + `"]}}},
				{"field":{"_type":"Status","operator":{"_type":"IsNotOneOf","values":["closed"]}}},
				{"field":{"_type":"TagId","operator":{"_type":"IncludesAll","values":["` + tagID + `"]}}},
				{"field":{"_type":"CreationDate","operator":{"_type":"Between","timestampFrom":"2026-05-04T09:08:07.600Z","timestampTo":"2026-05-04T10:08:07.600Z"}}},
				{"field":{"_type":"CustomAttribute","attributeId":"` + attrID + `","operator":{"_type":"IsOneOf","values":[["payment","card"]]}}}]}}`,
			reply: `{"data":[{"id":42,"highlights":{"messages":["<em class=\"highlight\">10001</em>"]}}]}`,
		},
		{
			name: "Conversations.Search",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return collect(c.Conversations.Search(ctx, dixa.SearchQuery{
					MatchAny: true,
					Conditions: []dixa.SearchCondition{
						{Field: "AgentId", Operator: dixa.IsEmpty()},
						{Field: "QueueId", Operator: dixa.IsNotEmpty()},
						{Field: "TagId", Operator: dixa.IncludesOne(tagID)},
						{Field: "LastActivity", Operator: dixa.Since(dixa.NewTime(may))},
						{Field: "LastMessage", Operator: dixa.Until(dixa.NewTime(may))},
					},
				}))
			},
			method: http.MethodPost, path: "/search/conversations", status: http.StatusOK,
			body: `{"filters":{"strategy":"Any","conditions":[
				{"field":{"_type":"AgentId","operator":{"_type":"IsEmpty"}}},
				{"field":{"_type":"QueueId","operator":{"_type":"IsNotEmpty"}}},
				{"field":{"_type":"TagId","operator":{"_type":"IncludesOne","values":["` + tagID + `"]}}},
				{"field":{"_type":"LastActivity","operator":{"_type":"Since","timestamp":"2026-05-04T09:08:07.600Z"}}},
				{"field":{"_type":"LastMessage","operator":{"_type":"Until","timestamp":"2026-05-04T09:08:07.600Z"}}}]}}`,
			reply: `{"data":[]}`,
		},
		{
			name: "Conversations.Import",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return c.Conversations.Import(ctx, dixa.ImportInput{
					Channel: "email", RequesterID: userID, Direction: dixa.Inbound, CreatedAt: dixa.NewTime(may),
					Messages: []dixa.ImportMessage{
						{Type: "InboundImport", Content: dixa.TextContent("Where is it?"), CreatedAt: dixa.NewTime(may)},
						{Type: "OutboundImport", AgentID: agentID, Content: dixa.TextContent("There."), CreatedAt: dixa.NewTime(may)},
					},
					Closing:    &dixa.ImportClosing{ClosedAt: dixa.NewTime(may), ClosedBy: agentID},
					Attributes: map[string]any{"emailIntegrationId": "shop@email.dixa.io", "subject": "Order"},
				})
			},
			method: http.MethodPost, path: "/conversations/import", status: http.StatusCreated,
			body: `{"_type":"GenericConversationImport","genericChannelName":"email","requesterId":"` + userID + `","direction":"Inbound",
				"createdAt":"2026-05-04T09:08:07.600Z","messages":[
				{"_type":"InboundImport","content":{"_type":"Text","value":"Where is it?"},"attachments":[],"createdAt":"2026-05-04T09:08:07.600Z"},
				{"_type":"OutboundImport","agentId":"` + agentID + `","content":{"_type":"Text","value":"There."},"attachments":[],"createdAt":"2026-05-04T09:08:07.600Z"}],
				"closing":{"closedAt":"2026-05-04T09:08:07.600Z","closedBy":"` + agentID + `"},
				"attributes":{"emailIntegrationId":"shop@email.dixa.io","subject":"Order"}}`,
			reply: `{"data":{"id":46,"partialErrors":[{"message":"one attachment was left out"}]}}`,
		},
	}
}
