package dixa

import (
	"context"
	"net/http"
)

// Note is an internal note of a conversation. Customers do not see it.
type Note struct {
	ID             string `json:"id"`
	AuthorID       string `json:"authorId"`
	CreatedAt      Time   `json:"createdAt,omitzero"`
	ConversationID int64  `json:"csid"`
	Message        string `json:"message"`
	Extra          Extra  `json:"-"`
}

func (n *Note) identified() bool { return n.ID != "" }

// UnmarshalJSON keeps unknown members in Extra.
func (n *Note) UnmarshalJSON(b []byte) error { return decodeOpen(b, n) }

// MarshalJSON also writes the members in Extra.
func (n Note) MarshalJSON() ([]byte, error) { return encodeOpen(n) }

// NoteInput is an internal note to add. It is unknown whether Dixa interprets HTML
// in it.
type NoteInput struct {
	Message string `json:"message"`
	// AgentID is the author; if empty, Dixa chooses.
	AgentID string `json:"agentId,omitempty"`
	// CreatedAt backdates the note; zero means now.
	CreatedAt Time `json:"createdAt,omitzero"`
}

// Notes returns all internal notes of a conversation, oldest first.
//
// Dixa: GET /v1/conversations/{conversationId}/notes.
func (s *ConversationsService) Notes(ctx context.Context, id int64) ([]*Note, error) {
	op := Operation{"Conversations.Notes", http.MethodGet, "/conversations/{conversationId}/notes"}
	return fetchAll[Note](ctx, s.client, op, Params{Path: []any{id}})
}

// AddNote adds an internal note. Notes have no caller-defined key: after an
// Ambiguous error, check for the text.
//
// Dixa: POST /v1/conversations/{conversationId}/notes.
func (s *ConversationsService) AddNote(ctx context.Context, id int64, in NoteInput) (*Note, error) {
	op := Operation{"Conversations.AddNote", http.MethodPost, "/conversations/{conversationId}/notes"}
	return fetch[Note](ctx, s.client, op, Params{Path: []any{id}, Body: in})
}

// AddNotes adds several internal notes. Each has its own outcome.
//
// Dixa: POST /v1/conversations/{conversationId}/notes/bulk.
func (s *ConversationsService) AddNotes(ctx context.Context, id int64, in []NoteInput) ([]*BulkOutcome[Note], error) {
	op := Operation{"Conversations.AddNotes", http.MethodPost, "/conversations/{conversationId}/notes/bulk"}
	return fetchAll[BulkOutcome[Note]](ctx, s.client, op, Params{Path: []any{id}, Body: bulkOf(in)})
}
