package dixa

import (
	"context"
	"net/http"
)

// Note is an internal note of a conversation, which customers do not see.
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
func (n *Note) UnmarshalJSON(b []byte) error {
	type plain Note
	return decodeOpen(b, (*plain)(n), &n.Extra)
}

// MarshalJSON writes the members in Extra as well.
func (n Note) MarshalJSON() ([]byte, error) {
	type plain Note
	return encodeOpen(plain(n), n.Extra)
}

// NoteInput is an internal note to add. Whether Dixa reads HTML in it is
// unknown.
type NoteInput struct {
	Message string `json:"message"`
	// AgentID is the author; empty leaves the choice to Dixa.
	AgentID string `json:"agentId,omitempty"`
	// CreatedAt is for notes of the past; zero for now.
	CreatedAt Time `json:"createdAt,omitzero"`
}

// Notes returns all internal notes of a conversation, the oldest first.
//
// Dixa: GET /v1/conversations/{conversationId}/notes.
func (s *ConversationsService) Notes(ctx context.Context, id int64) ([]*Note, error) {
	op := Operation{"Conversations.Notes", http.MethodGet, "/conversations/{conversationId}/notes"}
	return fetchAll[Note](ctx, s.client, op, Params{Path: []any{id}})
}

// AddNote adds an internal note. Notes have no key of the caller's: after an
// Ambiguous error look for the text.
//
// Dixa: POST /v1/conversations/{conversationId}/notes.
func (s *ConversationsService) AddNote(ctx context.Context, id int64, in NoteInput) (*Note, error) {
	op := Operation{"Conversations.AddNote", http.MethodPost, "/conversations/{conversationId}/notes"}
	return fetch[Note](ctx, s.client, op, Params{Path: []any{id}, Body: in})
}

// AddNotes adds several internal notes; each has an outcome of its own.
//
// Dixa: POST /v1/conversations/{conversationId}/notes/bulk.
func (s *ConversationsService) AddNotes(ctx context.Context, id int64, in []NoteInput) ([]*BulkOutcome[Note], error) {
	op := Operation{"Conversations.AddNotes", http.MethodPost, "/conversations/{conversationId}/notes/bulk"}
	return fetchAll[BulkOutcome[Note]](ctx, s.client, op, Params{Path: []any{id}, Body: bulkOf(in)})
}
