package dixa_test

import (
	"context"
	"net/http"

	"github.com/claimflow/claimflow/dixa"
)

const (
	note   = `{"id":"` + noteID + `","authorId":"` + agentID + `","createdAt":"2026-05-04T09:08:07.600Z","csid":42,"message":"Seen."}`
	tag    = `{"id":"` + tagID + `","name":"claim","color":"#00aaff","state":"Active"}`
	rating = `{"id":"` + ratingID + `","ratingScore":4,"ratingType":"Csat","ratingComment":"Good","conversationChannel":"Email",
		"agentId":"` + agentID + `","userId":"` + userID + `","ratingStatus":"Rated","language":"en",
		"timestamps":{"offered_at":"2026-05-04T09:08:07.600Z"}}`
)

func messageCases() []operationCase {
	return []operationCase{
		{
			name: "Conversations.Messages",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return c.Conversations.Messages(ctx, 42)
			},
			method: http.MethodGet, path: "/conversations/42/messages", status: http.StatusOK,
			reply: `{"data":[
				{"id":"` + msgID + `","authorId":"` + userID + `","externalId":"shop/claim/open","createdAt":"2026-05-04T09:08:07.600Z","attributes":{
					"_type":"EmailAttributes","direction":"Inbound","emailContent":{"_type":"Regular","content":{"_type":"Text","value":"It broke."}},
					"from":{"email":"kunde@example.org","name":"Kim"},"to":[{"email":"shop@email.dixa.io"}],"cc":[],"bcc":[],"isAutoReply":false,
					"inlineImages":[],"attachments":[{"url":"https://files.dixa.io/private/x/1","prettyName":"1.jpg"}],
					"originalContentUrl":{"url":"https://files.dixa.io/private/x/raw"}}},
				{"id":"` + noteID + `","authorId":"` + agentID + `","createdAt":"2026-05-04T09:08:07.600Z","attributes":{
					"_type":"EmailAttributes","emailContent":{"_type":"TooLarge","file":{"url":"https://files.dixa.io/private/x/2"}},
					"from":{"email":"shop@email.dixa.io"},"to":[],"isAutoReply":true}},
				{"id":"` + tagID + `","authorId":"` + agentID + `","createdAt":"2026-05-04T09:08:07.600Z","attributes":{
					"_type":"PhoneAttributes","from":"+4511000000","to":"+4522000000","direction":"Outbound","duration":61}},
				{"id":"` + attrID + `","authorId":"` + userID + `","createdAt":"2026-05-04T09:08:07.600Z","attributes":{
					"_type":"MessengerFormAttributes","formSubmission":{"values":{"order":{"_type":"Text","value":"10001"}}}}}]}`,
		},
		{
			name: "Conversations.AddMessage",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return c.Conversations.AddMessage(ctx, 42, dixa.MessageInput{
					Type: dixa.Outbound, AgentID: agentID, Content: dixa.TextContent("On its way."), ExternalID: "shop/claim/reply-1",
					IntegrationEmail: "shop@email.dixa.io", CC: []string{userID},
				})
			},
			method: http.MethodPost, path: "/conversations/42/messages", status: http.StatusOK,
			body: `{"_type":"Outbound","agentId":"` + agentID + `","content":{"_type":"Text","value":"On its way."},"attachments":[],
				"integrationEmail":"shop@email.dixa.io","externalId":"shop/claim/reply-1","cc":["` + userID + `"],"bcc":[]}`,
			reply: `{"data":{"content":{"_type":"Text","value":"On its way."},"direction":"Outbound","authorId":"` + agentID + `",
				"externalId":"shop/claim/reply-1","messageId":"` + msgID + `","createdAt":"2026-05-04T09:08:07.600Z"}}`,
		},
		{
			name: "Conversations.AddMessage",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return c.Conversations.AddMessage(ctx, 42, dixa.MessageInput{
					Type: dixa.Outbound, AgentID: agentID, Content: dixa.MarkdownContent("**hi**"),
					Attachments: []dixa.Attachment{{URL: "https://files.example.org/label.pdf"}},
				})
			},
			method: http.MethodPost, path: "/conversations/42/messages", status: http.StatusOK,
			body: `{"_type":"Outbound","agentId":"` + agentID + `","content":{"_type":"Markdown","value":"**hi**"},
				"attachments":[{"url":"https://files.example.org/label.pdf"}],"cc":[],"bcc":[]}`,
			reply: `{"data":{"direction":"Outbound","authorId":"` + agentID + `"}}`,
		},
		{
			name: "Conversations.Notes",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return c.Conversations.Notes(ctx, 42)
			},
			method: http.MethodGet, path: "/conversations/42/notes", status: http.StatusOK,
			reply: `{"data":[` + note + `]}`,
		},
		{
			name: "Conversations.AddNote",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return c.Conversations.AddNote(ctx, 42, dixa.NoteInput{Message: "Seen.", AgentID: agentID, CreatedAt: dixa.NewTime(may)})
			},
			method: http.MethodPost, path: "/conversations/42/notes", status: http.StatusOK,
			body:  `{"message":"Seen.","agentId":"` + agentID + `","createdAt":"2026-05-04T09:08:07.600Z"}`,
			reply: `{"data":` + note + `}`,
		},
		{
			name: "Conversations.AddNotes",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return c.Conversations.AddNotes(ctx, 42, []dixa.NoteInput{{Message: "Seen."}, {Message: "Lost.", AgentID: userID}})
			},
			method: http.MethodPost, path: "/conversations/42/notes/bulk", status: http.StatusOK,
			body:  `{"data":[{"message":"Seen."},{"message":"Lost.","agentId":"` + userID + `"}]}`,
			reply: `{"data":[{"_type":"BulkActionSuccess","data":` + note + `},{"_type":"BulkActionFailure","error":{"message":"no such agent"}}]}`,
		},
		{
			name: "Conversations.Tags",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return c.Conversations.Tags(ctx, 42)
			},
			method: http.MethodGet, path: "/conversations/42/tags", status: http.StatusOK,
			reply: `{"data":[` + tag + `]}`,
		},
		{
			name: "Conversations.AddTags",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return nothing(c.Conversations.AddTags(ctx, 42, "claim", "claim-reason-defective"))
			},
			method: http.MethodPost, path: "/conversations/42/tags/bulk", status: http.StatusAccepted,
			body: `{"data":[{"name":"claim"},{"name":"claim-reason-defective"}]}`, want: "-",
		},
		{
			name: "Conversations.AddTag",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return nothing(c.Conversations.AddTag(ctx, 42, tagID))
			},
			method: http.MethodPut, path: "/conversations/42/tags/" + tagID, status: http.StatusNoContent, want: "-",
		},
		{
			name: "Conversations.RemoveTag",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return nothing(c.Conversations.RemoveTag(ctx, 42, tagID))
			},
			method: http.MethodDelete, path: "/conversations/42/tags/" + tagID, status: http.StatusNoContent, want: "-",
		},
		{
			name: "Conversations.Ratings",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return c.Conversations.Ratings(ctx, 42)
			},
			method: http.MethodGet, path: "/conversations/42/ratings", status: http.StatusOK,
			reply: `{"data":[` + rating + `]}`,
		},
		{
			name: "Conversations.OfferRating",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return c.Conversations.OfferRating(ctx, 42, dixa.RatingOfferInput{
					Type: dixa.RatingNps, UserID: userID, AgentID: agentID, OfferedAt: dixa.NewTime(may),
				})
			},
			method: http.MethodPost, path: "/conversations/42/ratings/offer", status: http.StatusCreated,
			body: `{"ratingType":"Nps","userId":"` + userID + `","agentId":"` + agentID + `","offeredAt":"2026-05-04T09:08:07.600Z"}`,
			reply: `{"data":{"id":"` + ratingID + `","ratingType":"Nps","userId":"` + userID + `","agentId":"` + agentID + `",
				"offeredAt":"2026-05-04T09:08:07.600Z"}}`,
		},
		{
			name: "Conversations.SubmitRating",
			call: func(ctx context.Context, c *dixa.Client) (any, error) {
				return c.Conversations.SubmitRating(ctx, 42, ratingID, dixa.RatingResultInput{
					Result: dixa.RatingScore{Type: dixa.RatingThumbsUpOrDown, Value: 0}, Comment: "No", SubmittedAt: dixa.NewTime(may),
				})
			},
			method: http.MethodPost, path: "/conversations/42/ratings/" + ratingID + "/submit", status: http.StatusCreated,
			body:  `{"ratingResult":{"_type":"ThumbsUpOrDown","value":0},"comment":"No","submittedAt":"2026-05-04T09:08:07.600Z"}`,
			reply: `{"data":{"ratingId":"` + ratingID + `","ratingResult":{"_type":"ThumbsUpOrDown","value":0},"comment":"No"}}`,
		},
	}
}
