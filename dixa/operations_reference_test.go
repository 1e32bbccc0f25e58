package dixa_test

import (
	"context"
	"net/http"

	"github.com/claimflow/claimflow/dixa"
)

const (
	queue = `{"id":"` + queueID + `","name":"Claims","isDefault":false,"organizationId":"` + anonID + `",
		"queueThresholds":{"SlaPercentage":10},"slaCalculationMethod":"AbandonedIgnored","offerTimeout":0,
		"offeringAlgorithm":"AllAtOnce","memberListType":"Default","usages":{"queueId":"` + queueID + `","usages":{"Email":["shop@email.dixa.io"]}},
		"doNotOfferTimeouts":{},"isDoNotOfferEnabled":true,"isRestricted":false}`
	definition = `{"id":"` + attrID + `","entityType":"Conversation","identifier":"topic","label":"Topic",
		"inputDefinition":{"_type":"Select","options":[{"id":"` + tagID + `","label":"Payment","value":"payment","nestedOptions":[
			{"id":"` + noteID + `","label":"Card","value":"card","nestedOptions":[],"isDeactivated":true,"orderIndex":2}],"isDeactivated":false,"orderIndex":1}]},
		"createdAt":"2026-05-04T09:08:07.600Z","isRequired":true,"isArchived":false,"isDeactivated":false}`
	team         = `{"id":"` + teamID + `","name":"Claims"}`
	mailEndpoint = `{"_type":"EmailEndpoint","address":"shop@email.dixa.io","name":"Shop","senderOverride":"help@example.org"}`
	phone        = `{"_type":"TelephonyEndpoint","number":"+4589000000","functionality":["VoiceInbound"],"name":"Line"}`
)

func referenceCases() []operationCase {
	timeout := 30
	return []operationCase{
		{
			name: "Organization.Get",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return c.Organization.Get(ctx)
			},
			method: http.MethodGet, path: "/organization", status: http.StatusOK,
			reply: `{"data":{"id":"` + anonID + `","name":"Shop","subdomain":"shop","status":"Active"}}`,
		},
		{
			name: "Tags.List",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return c.Tags.List(ctx, true)
			},
			method: http.MethodGet, path: "/tags?includeDeactivated=true", status: http.StatusOK,
			reply: `{"data":[` + tag + `]}`,
		},
		{
			name: "Tags.Get",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return c.Tags.Get(ctx, tagID)
			},
			method: http.MethodGet, path: "/tags/" + tagID, status: http.StatusOK,
			reply: `{"data":` + tag + `}`,
		},
		{
			name: "Tags.Create",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return c.Tags.Create(ctx, dixa.TagInput{Name: "claim", Color: "#00aaff"})
			},
			method: http.MethodPost, path: "/tags", status: http.StatusOK,
			body: `{"name":"claim","color":"#00aaff"}`, reply: `{"data":` + tag + `}`,
		},
		{
			name: "Tags.Delete",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return nothing(c.Tags.Delete(ctx, tagID))
			},
			method: http.MethodDelete, path: "/tags/" + tagID, status: http.StatusNoContent, want: "-",
		},
		{
			name: "Tags.Activate",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return nothing(c.Tags.Activate(ctx, tagID))
			},
			method: http.MethodPatch, path: "/tags/" + tagID + "/activate", status: http.StatusNoContent, want: "-",
		},
		{
			name: "Tags.Deactivate",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return nothing(c.Tags.Deactivate(ctx, tagID))
			},
			method: http.MethodPatch, path: "/tags/" + tagID + "/deactivate", status: http.StatusNoContent, want: "-",
		},
		{
			name: "Teams.List",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return c.Teams.List(ctx)
			},
			method: http.MethodGet, path: "/teams", status: http.StatusOK, reply: `{"data":[` + team + `]}`,
		},
		{
			name: "Teams.Get",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return c.Teams.Get(ctx, teamID)
			},
			method: http.MethodGet, path: "/teams/" + teamID, status: http.StatusOK, reply: `{"data":` + team + `}`,
		},
		{
			name: "Teams.Create",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return c.Teams.Create(ctx, "Claims")
			},
			method: http.MethodPost, path: "/teams", status: http.StatusCreated,
			body: `{"name":"Claims"}`, reply: `{"data":` + team + `}`,
		},
		{
			name: "Teams.Delete",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return nothing(c.Teams.Delete(ctx, teamID))
			},
			method: http.MethodDelete, path: "/teams/" + teamID, status: http.StatusNoContent, want: "-",
		},
		{
			name: "Teams.Members",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return c.Teams.Members(ctx, teamID)
			},
			method: http.MethodGet, path: "/teams/" + teamID + "/agents", status: http.StatusOK,
			reply: `{"data":[{"id":"` + agentID + `","name":"Ada","email":"ada@example.org"}]}`,
		},
		{
			name: "Teams.AddMembers",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return nothing(c.Teams.AddMembers(ctx, teamID, agentID))
			},
			method: http.MethodPatch, path: "/teams/" + teamID + "/agents", status: http.StatusOK,
			body: `{"agentIds":["` + agentID + `"]}`, want: "-",
		},
		{
			name: "Teams.RemoveMembers",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return nothing(c.Teams.RemoveMembers(ctx, teamID, agentID))
			},
			method: http.MethodDelete, path: "/teams/" + teamID + "/agents", status: http.StatusNoContent,
			body: `{"agentIds":["` + agentID + `"]}`, want: "-",
		},
		{
			name: "Teams.Presences",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return collect(c.Teams.Presences(ctx, teamID))
			},
			method: http.MethodGet, path: "/teams/" + teamID + "/presence", status: http.StatusOK,
			reply: `{"data":[` + presence + `]}`,
		},
		{
			name: "Queues.List",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return c.Queues.List(ctx)
			},
			method: http.MethodGet, path: "/queues", status: http.StatusOK, reply: `{"data":[` + queue + `]}`,
		},
		{
			name: "Queues.Get",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return c.Queues.Get(ctx, queueID)
			},
			method: http.MethodGet, path: "/queues/" + queueID, status: http.StatusOK, reply: `{"data":` + queue + `}`,
		},
		{
			name: "Queues.Create",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return c.Queues.Create(ctx, dixa.QueueInput{
					Name: "Claims", OfferTimeout: &timeout, OfferAlgorithm: "AllAtOnce", QueueThresholds: map[string]int{"SlaPercentage": 10},
				})
			},
			method: http.MethodPost, path: "/queues", status: http.StatusCreated,
			body: `{"request":{"name":"Claims","callFunctionality":false,"isDefault":false,"isDoNotOfferEnabled":false,
				"queueThresholds":{"SlaPercentage":10},"offerTimeout":30,"offerAlgorithm":"AllAtOnce"}}`,
			reply: `{"data":` + queue + `}`,
		},
		{
			name: "Queues.Members",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return c.Queues.Members(ctx, queueID)
			},
			method: http.MethodGet, path: "/queues/" + queueID + "/members", status: http.StatusOK,
			reply: `{"data":[{"agentId":"` + agentID + `","priority":1},{"agentId":"` + userID + `"}]}`,
		},
		{
			name: "Queues.AddMembers",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return c.Queues.AddMembers(ctx, queueID, agentID)
			},
			method: http.MethodPatch, path: "/queues/" + queueID + "/members", status: http.StatusOK,
			body:  `{"agentIds":["` + agentID + `"]}`,
			reply: `{"data":[{"_type":"BulkActionSuccess","data":"` + agentID + `"}]}`,
		},
		{
			name: "Queues.RemoveMembers",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return nothing(c.Queues.RemoveMembers(ctx, queueID, agentID))
			},
			method: http.MethodDelete, path: "/queues/" + queueID + "/members", status: http.StatusNoContent,
			body: `{"agentIds":["` + agentID + `"]}`, want: "-",
		},
		{
			name: "Queues.Position",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return c.Queues.Position(ctx, 42)
			},
			method: http.MethodGet, path: "/queues/conversation-position/42", status: http.StatusOK,
			reply: `{"data":{"position":0,"queuedAt":"2026-05-04T09:08:07.600Z"}}`,
		},
		{
			name: "Queues.Availability",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return c.Queues.Availability(ctx, queueID)
			},
			method: http.MethodGet, path: "/queues/" + queueID + "/availability", status: http.StatusOK,
			reply: `{"data":[{"_type":"Success","channelAvailability":{"_type":"GenericChannel","genericChannelName":"adachat","availability":"NotAvailable","queueSize":0}},
				{"_type":"Failure","error":{"_type":"UnexpectedError","channel":"kindlychat","message":"no answer"}}]}`,
		},
		{
			name: "ContactEndpoints.List",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return c.ContactEndpoints.List(ctx, dixa.EmailEndpoint)
			},
			method: http.MethodGet, path: "/contact-endpoints?_type=EmailEndpoint", status: http.StatusOK,
			reply: `{"data":[` + mailEndpoint + `,` + phone + `]}`,
		},
		{
			name: "ContactEndpoints.Get",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return c.ContactEndpoints.Get(ctx, "shop@email.dixa.io")
			},
			method: http.MethodGet, path: "/contact-endpoints/shop@email.dixa.io", status: http.StatusOK,
			reply: `{"data":` + mailEndpoint + `}`,
		},
		{
			name: "CustomAttributes.List",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return c.CustomAttributes.List(ctx)
			},
			method: http.MethodGet, path: "/custom-attributes", status: http.StatusOK, reply: `{"data":[` + definition + `]}`,
		},
		{
			name: "CustomAttributes.Get",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return c.CustomAttributes.Get(ctx, attrID)
			},
			method: http.MethodGet, path: "/custom-attributes/" + attrID, status: http.StatusOK, reply: `{"data":` + definition + `}`,
		},
	}
}
