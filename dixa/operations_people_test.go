package dixa_test

import (
	"context"
	"net/http"

	"github.com/claimflow/claimflow/dixa"
)

const (
	endUser = `{"id":"` + userID + `","createdAt":"2026-05-04T09:08:07.000Z","displayName":"Kim","email":"kunde@example.org",
		"phoneNumber":"+4511223344","additionalEmails":[],"additionalPhoneNumbers":["+4511223355"],"firstName":"Kim","lastName":"K",
		"middleNames":[],"avatarUrl":"https://files.dixa.io/public/a","externalId":"c-1",
		"customAttributes":[{"id":"` + attrID + `","name":"Tier","identifier":"tier","value":["gold"]}]}`
	agent = `{"id":"` + agentID + `","createdAt":"2026-05-04T09:08:07.000Z","displayName":"Ada","email":"ada@example.org",
		"additionalEmails":[],"additionalPhoneNumbers":[],"middleNames":[],"roles":["Agent","SomethingNew"]}`
	presence = `{"userId":"` + agentID + `","requestTime":"2026-05-04T09:08:07.600Z","presenceStatus":"Working",
		"connectionStatus":"Online","activeChannels":["Email"]}`
	bulkFailure = `{"_type":"BulkActionFailure","error":{"_type":"Validation","id":"` + userID + `","message":"failed with [errors=PhoneNumberExists]"}}`
)

func peopleCases() []operationCase {
	userInput := dixa.EndUserInput{
		DisplayName: "Kim", Email: "kunde@example.org", PhoneNumber: "+4511223344", AdditionalEmails: []string{}, FirstName: "Kim", ExternalID: "c-1",
	}
	const userBody = `"displayName":"Kim","email":"kunde@example.org","phoneNumber":"+4511223344","additionalEmails":[],"firstName":"Kim","externalId":"c-1"`
	agentInput := dixa.AgentInput{DisplayName: "Ada", PhoneNumber: "+4511223344", MiddleNames: []string{"B"}}
	const agentBody = `"displayName":"Ada","phoneNumber":"+4511223344","middleNames":["B"]`
	return []operationCase{
		{
			name: "EndUsers.List",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return collect(c.EndUsers.List(ctx, dixa.EndUserFilter{Email: "kunde+a@example.org"}))
			},
			method: http.MethodGet, path: "/endusers?email=kunde%2Ba%40example.org", status: http.StatusOK,
			reply: `{"data":[` + endUser + `]}`,
		},
		{
			name: "EndUsers.List",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return collect(c.EndUsers.List(ctx, dixa.EndUserFilter{Phone: "+4511223344", PageLimit: 5}))
			},
			method: http.MethodGet, path: "/endusers?pageLimit=5&phone=%2B4511223344", status: http.StatusOK,
			reply: `{"data":[],"meta":{}}`,
		},
		{
			name: "EndUsers.List",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return collect(c.EndUsers.List(ctx, dixa.EndUserFilter{ExternalID: "c-1"}))
			},
			method: http.MethodGet, path: "/endusers?externalId=c-1", status: http.StatusOK,
			reply: `{"data":[` + endUser + `],"meta":{"previous":"/v1/endusers?pageKey=abc","next":null}}`,
		},
		{
			name: "EndUsers.Get",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return c.EndUsers.Get(ctx, userID)
			},
			method: http.MethodGet, path: "/endusers/" + userID, status: http.StatusOK,
			reply: `{"data":` + endUser + `}`,
		},
		{
			name: "EndUsers.Create",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return c.EndUsers.Create(ctx, userInput)
			},
			method: http.MethodPost, path: "/endusers", status: http.StatusCreated,
			body: `{` + userBody + `}`, reply: `{"data":` + endUser + `}`,
		},
		{
			name: "EndUsers.Update",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return c.EndUsers.Update(ctx, userID, dixa.EndUserInput{LastName: "L"})
			},
			method: http.MethodPatch, path: "/endusers/" + userID, status: http.StatusOK,
			body: `{"lastName":"L"}`, reply: `{"data":` + endUser + `}`,
		},
		{
			name: "EndUsers.Replace",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return c.EndUsers.Replace(ctx, userID, userInput)
			},
			method: http.MethodPut, path: "/endusers/" + userID, status: http.StatusOK,
			body: `{` + userBody + `}`, reply: `{"data":` + endUser + `}`,
		},
		{
			name: "EndUsers.CreateBulk",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return c.EndUsers.CreateBulk(ctx, []dixa.EndUserInput{userInput})
			},
			method: http.MethodPost, path: "/endusers/bulk", status: http.StatusCreated,
			body:  `{"data":[{` + userBody + `}]}`,
			reply: `{"data":[{"_type":"BulkActionSuccess","data":` + endUser + `}]}`,
		},
		{
			name: "EndUsers.UpdateBulk",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return c.EndUsers.UpdateBulk(ctx, []dixa.EndUserChange{{ID: userID, EndUserInput: dixa.EndUserInput{LastName: "L"}}})
			},
			method: http.MethodPatch, path: "/endusers", status: http.StatusOK,
			body:  `{"data":[{"id":"` + userID + `","lastName":"L"}]}`,
			reply: `{"data":[` + bulkFailure + `]}`,
		},
		{
			name: "EndUsers.ReplaceBulk",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return c.EndUsers.ReplaceBulk(ctx, []dixa.EndUserChange{{ID: userID, EndUserInput: userInput}})
			},
			method: http.MethodPut, path: "/endusers", status: http.StatusOK,
			body:  `{"data":[{"id":"` + userID + `",` + userBody + `}]}`,
			reply: `{"data":[` + bulkFailure + `]}`,
		},
		{
			name: "EndUsers.Anonymize",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return c.EndUsers.Anonymize(ctx, userID, false)
			},
			method: http.MethodPatch, path: "/endusers/" + userID + "/anonymize?force=false", status: http.StatusAccepted,
			reply: `{"data":` + anonymization + `}`,
		},
		{
			name: "EndUsers.SetCustomAttributes",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return c.EndUsers.SetCustomAttributes(ctx, userID, map[string]dixa.AttributeValue{attrID: dixa.SelectValue("gold")})
			},
			method: http.MethodPatch, path: "/endusers/" + userID + "/custom-attributes", status: http.StatusOK,
			body:  `{"` + attrID + `":["gold"]}`,
			reply: `{"data":[{"id":"` + attrID + `","name":"Tier","identifier":"tier","value":["gold"]}]}`,
		},
		{
			name: "EndUsers.Conversations",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return collect(c.EndUsers.Conversations(ctx, userID))
			},
			method: http.MethodGet, path: "/endusers/" + userID + "/conversations", status: http.StatusOK,
			reply: `{"data":[` + emailConversation + `]}`,
		},
		{
			name: "Agents.List",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return collect(c.Agents.List(ctx, dixa.AgentFilter{Email: "ada@example.org", PageLimit: 5}))
			},
			method: http.MethodGet, path: "/agents?email=ada%40example.org&pageLimit=5", status: http.StatusOK,
			reply: `{"data":[` + agent + `]}`,
		},
		{
			name: "Agents.Get",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return c.Agents.Get(ctx, agentID)
			},
			method: http.MethodGet, path: "/agents/" + agentID, status: http.StatusOK,
			reply: `{"data":` + agent + `}`,
		},
		{
			name: "Agents.Create",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return c.Agents.Create(ctx, dixa.AgentInput{DisplayName: "Ada", Email: "ada@example.org"})
			},
			method: http.MethodPost, path: "/agents", status: http.StatusCreated,
			body: `{"displayName":"Ada","email":"ada@example.org"}`, reply: `{"data":` + agent + `}`,
		},
		{
			name: "Agents.Update",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return c.Agents.Update(ctx, agentID, agentInput)
			},
			method: http.MethodPatch, path: "/agents/" + agentID, status: http.StatusOK,
			body: `{` + agentBody + `}`, reply: `{"data":` + agent + `}`,
		},
		{
			name: "Agents.Replace",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return c.Agents.Replace(ctx, agentID, agentInput)
			},
			method: http.MethodPut, path: "/agents/" + agentID, status: http.StatusOK,
			body: `{` + agentBody + `}`, reply: `{"data":` + agent + `}`,
		},
		{
			name: "Agents.CreateBulk",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return c.Agents.CreateBulk(ctx, []dixa.AgentInput{{DisplayName: "Ada", Email: "ada@example.org"}})
			},
			method: http.MethodPost, path: "/agents/bulk", status: http.StatusCreated,
			body:  `{"data":[{"displayName":"Ada","email":"ada@example.org"}]}`,
			reply: `{"data":[{"_type":"BulkActionSuccess","data":` + agent + `}]}`,
		},
		{
			name: "Agents.UpdateBulk",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return c.Agents.UpdateBulk(ctx, []dixa.AgentChange{{ID: agentID, AgentInput: agentInput}})
			},
			method: http.MethodPatch, path: "/agents", status: http.StatusOK,
			body:  `[{"id":"` + agentID + `",` + agentBody + `}]`,
			reply: `{"data":[` + bulkFailure + `]}`,
		},
		{
			name: "Agents.ReplaceBulk",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return c.Agents.ReplaceBulk(ctx, []dixa.AgentChange{{ID: agentID, AgentInput: agentInput}})
			},
			method: http.MethodPut, path: "/agents", status: http.StatusOK,
			body:  `[{"id":"` + agentID + `",` + agentBody + `}]`,
			reply: `{"data":[` + bulkFailure + `]}`,
		},
		{
			name: "Agents.Delete",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return nothing(c.Agents.Delete(ctx, agentID))
			},
			method: http.MethodDelete, path: "/agents/" + agentID, status: http.StatusNoContent, want: "-",
		},
		{
			name: "Agents.Teams",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return c.Agents.Teams(ctx, agentID)
			},
			method: http.MethodGet, path: "/agents/" + agentID + "/teams", status: http.StatusOK,
			reply: `{"data":[{"id":"` + teamID + `"}]}`,
		},
		{
			name: "Agents.Presence",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return c.Agents.Presence(ctx, agentID)
			},
			method: http.MethodGet, path: "/agents/" + agentID + "/presence", status: http.StatusOK,
			reply: `{"data":` + presence + `}`,
		},
		{
			name: "Agents.Presences",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return c.Agents.Presences(ctx)
			},
			method: http.MethodGet, path: "/agents/presence", status: http.StatusOK,
			reply: `[` + presence + `]`, want: `[` + presence + `]`,
		},
		{
			name: "Agents.Presences",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return c.Agents.Presences(ctx)
			},
			method: http.MethodGet, path: "/agents/presence", status: http.StatusOK,
			reply: `{"data":[` + presence + `]}`,
		},
		{
			name: "Agents.SetWorkingChannel",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return nothing(c.Agents.SetWorkingChannel(ctx, agentID, "Email", false))
			},
			method: http.MethodPut, path: "/agents/" + agentID + "/presence/working-channel", status: http.StatusNoContent,
			body: `{"channel":"Email","working":false}`, want: "-",
		},
	}
}
