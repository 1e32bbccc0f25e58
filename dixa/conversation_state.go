package dixa

import (
	"context"
	"net/http"
)

// actor is the optional agent or admin to whom a state change is attributed.
type actor struct {
	UserID string `json:"userId,omitempty"`
}

// Claim assigns a conversation to an agent. Without force it fails (IsConflict) if
// another agent has it.
//
// Dixa: PUT /v1/conversations/{conversationId}/claim.
func (s *ConversationsService) Claim(ctx context.Context, id int64, agentID string, force bool) error {
	op := Operation{"Conversations.Claim", http.MethodPut, "/conversations/{conversationId}/claim"}
	body := struct {
		AgentID string `json:"agentId"`
		Force   bool   `json:"force"`
	}{agentID, force}
	return run(ctx, s.client, op, Params{Path: []any{id}, Body: body})
}

// Close closes a conversation. userID is the agent or admin who closes it; empty for
// none. The response for a conversation that is already closed is unknown.
//
// Dixa: PUT /v1/conversations/{conversationId}/close.
func (s *ConversationsService) Close(ctx context.Context, id int64, userID string) error {
	op := Operation{"Conversations.Close", http.MethodPut, "/conversations/{conversationId}/close"}
	return run(ctx, s.client, op, Params{Path: []any{id}, Body: actor{userID}})
}

// FollowUp sets a conversation to Pending until the given time. userID is the agent
// or admin who does it; empty for none.
//
// Dixa: PUT /v1/conversations/{conversationId}/followup.
func (s *ConversationsService) FollowUp(ctx context.Context, id int64, until Time, userID string) error {
	op := Operation{"Conversations.FollowUp", http.MethodPut, "/conversations/{conversationId}/followup"}
	body := struct {
		Timestamp Time `json:"timestamp"`
		actor
	}{until, actor{userID}}
	return run(ctx, s.client, op, Params{Path: []any{id}, Body: body})
}

// Kinds of link that Link can create.
const (
	LinkRelated          = "Related"
	LinkSideConversation = "SideConversation"
)

// Link makes a conversation the child of another. A parent has at most 100 children.
// A child has one parent and no children.
//
// Dixa: PUT /v1/conversations/{conversationId}/link.
func (s *ConversationsService) Link(ctx context.Context, id, parentID int64, linkType string) error {
	op := Operation{"Conversations.Link", http.MethodPut, "/conversations/{conversationId}/link"}
	body := struct {
		ParentID int64  `json:"parentId"`
		LinkType string `json:"linkType"`
	}{parentID, linkType}
	return run(ctx, s.client, op, Params{Path: []any{id}, Body: body})
}

// Reopen reopens a closed conversation and offers it in its queue, or in the
// organization's default queue. userID is the agent or admin who does it; empty for
// none.
//
// Dixa: PUT /v1/conversations/{conversationId}/reopen.
func (s *ConversationsService) Reopen(ctx context.Context, id int64, userID string) error {
	op := Operation{"Conversations.Reopen", http.MethodPut, "/conversations/{conversationId}/reopen"}
	return run(ctx, s.client, op, Params{Path: []any{id}, Body: actor{userID}})
}

// TransferToQueue moves a conversation to a queue. userID is the agent or admin who
// does it; empty for none.
//
// Dixa: PUT /v1/conversations/{conversationId}/transfer/queue.
func (s *ConversationsService) TransferToQueue(ctx context.Context, id int64, queueID, userID string) error {
	op := Operation{"Conversations.TransferToQueue", http.MethodPut, "/conversations/{conversationId}/transfer/queue"}
	body := struct {
		QueueID string `json:"queueId"`
		actor
	}{queueID, actor{userID}}
	return run(ctx, s.client, op, Params{Path: []any{id}, Body: body})
}

// Anonymize requests the anonymization of a conversation, which runs asynchronously;
// see AnonymizationService.Get. Without force it fails (IsConflict) if the
// conversation is not closed. With force, Dixa closes it.
//
// Dixa: PATCH /v1/conversations/{conversationId}/anonymize.
func (s *ConversationsService) Anonymize(ctx context.Context, id int64, force bool) (*AnonymizationRequest, error) {
	op := Operation{"Conversations.Anonymize", http.MethodPatch, "/conversations/{conversationId}/anonymize"}
	return fetch[AnonymizationRequest](ctx, s.client, op, Params{Path: []any{id}, Query: forceQuery(force)})
}

// AnonymizeMessage requests the anonymization of one message.
//
// Dixa: PATCH /v1/conversations/{conversationId}/messages/{messageId}/anonymize.
func (s *ConversationsService) AnonymizeMessage(ctx context.Context, id int64, messageID string) (*AnonymizationRequest, error) {
	op := Operation{"Conversations.AnonymizeMessage", http.MethodPatch, "/conversations/{conversationId}/messages/{messageId}/anonymize"}
	return fetch[AnonymizationRequest](ctx, s.client, op, Params{Path: []any{id, messageID}})
}
