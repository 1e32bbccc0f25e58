package dixa_test

import (
	"context"
	"net/http"

	"github.com/claimflow/claimflow/dixa"
)

const (
	hookFilters = `{"Conversation":{"_type":"CombinedFilters","strategy":"All","conditions":[
		{"_type":"IsOneOf","field":"InitialChannel","values":["email"]}]}}`
	hook = `{"id":"` + hookID + `","name":"Claims","subscribedEvents":["ConversationClosed","SomethingNew"],
		"url":"https://claims.example.org/hook","headers":{"Authorization":"Basic eDp5"},"secretKey":"00ff","enabled":false,
		"createdAt":"2026-05-04T09:08:07.600Z","createdBy":"` + agentID + `","updatedAt":"2026-05-04T09:08:07.600Z","updatedBy":"` + agentID + `",
		"filters":` + hookFilters + `}`
)

func webhookCases() []operationCase {
	disabled := false
	filters := map[string]dixa.WebhookFilters{"Conversation": {
		Type: "CombinedFilters", Strategy: "All",
		Conditions: []dixa.WebhookCondition{{Type: "IsOneOf", Field: "InitialChannel", Values: []string{"email"}}},
	}}
	return []operationCase{
		{
			name: "Webhooks.List",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return c.Webhooks.List(ctx)
			},
			method: http.MethodGet, path: "/webhooks", status: http.StatusOK, reply: `{"data":[` + hook + `]}`,
		},
		{
			name: "Webhooks.Get",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return c.Webhooks.Get(ctx, hookID)
			},
			method: http.MethodGet, path: "/webhooks/" + hookID, status: http.StatusOK, reply: `{"data":` + hook + `}`,
		},
		{
			name: "Webhooks.Create",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return c.Webhooks.Create(ctx, dixa.WebhookInput{
					Name: "Claims", URL: "https://claims.example.org/hook", Events: []dixa.EventName{dixa.EventConversationClosed},
				})
			},
			method: http.MethodPost, path: "/webhooks", status: http.StatusCreated,
			body: `{"name":"Claims","url":"https://claims.example.org/hook","events":["ConversationClosed"],
				"authorization":{"_type":"NoAuth"},"customHeaders":{}}`,
			reply: `{"data":` + hook + `}`,
		},
		{
			name: "Webhooks.Create",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return c.Webhooks.Create(ctx, dixa.WebhookInput{
					Name: "Claims", URL: "https://claims.example.org/hook", Authorization: dixa.BasicAuth("x", "y"),
					CustomHeaders: map[string]dixa.Secret{"X-Shop": "1"}, Enabled: &disabled, Filters: filters,
				})
			},
			method: http.MethodPost, path: "/webhooks", status: http.StatusCreated,
			body: `{"name":"Claims","url":"https://claims.example.org/hook","authorization":{"_type":"BasicAuth","username":"x","password":"y"},
				"customHeaders":{"X-Shop":"1"},"enabled":false,"filters":` + hookFilters + `}`,
			reply: `{"data":` + hook + `}`,
		},
		{
			name: "Webhooks.Update",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return c.Webhooks.Update(ctx, hookID, dixa.WebhookInput{Authorization: dixa.TokenAuth("t"), Enabled: &disabled})
			},
			method: http.MethodPatch, path: "/webhooks/" + hookID, status: http.StatusOK,
			body: `{"authorization":{"_type":"TokenAuth","value":"t"},"enabled":false}`, reply: `{"data":` + hook + `}`,
		},
		{
			name: "Webhooks.Delete",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return nothing(c.Webhooks.Delete(ctx, hookID))
			},
			method: http.MethodDelete, path: "/webhooks/" + hookID, status: http.StatusNoContent, want: "-",
		},
		{
			name: "Webhooks.DeliveryStatus",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return c.Webhooks.DeliveryStatus(ctx, hookID)
			},
			method: http.MethodGet, path: "/webhooks/" + hookID + "/delivery-status", status: http.StatusOK,
			reply: `{"data":[{"event":"ConversationClosed","deliveryStatus":{"_type":"DeliveryDetail","deliveryTimestamp":"2026-05-04T09:08:07.600Z",
				"success":true,"responseCode":200,"responseText":"OK"}},{"event":"ConversationCreated","deliveryStatus":{"_type":"NoRecentDelivery"}}]}`,
		},
		{
			name: "Webhooks.DeliveryLogs",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return c.Webhooks.DeliveryLogs(ctx, hookID, dixa.EventConversationClosed)
			},
			method: http.MethodGet, path: "/webhooks/" + hookID + "/delivery-status/logs/ConversationClosed", status: http.StatusOK,
			reply: `{"data":[{"deliveryDetail":{"deliveryTimestamp":"2026-05-04T09:08:07.600Z","success":true,"responseCode":204,"responseText":"OK"},
				"payload":"{\"event_id\":\"1\"}"}]}`,
		},
	}
}
