package dixa

import (
	"context"
	"net/http"
	"net/url"
	"strings"
)

// TagsService manages the organization's tags. ConversationsService manages the tags
// of a conversation.
type TagsService struct{ service }

// Tag is a tag of the organization.
type Tag struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	// Color has the form "#00aaff".
	Color string `json:"color,omitempty"`
	// State is "Active" or "Inactive".
	State string `json:"state"`
	Extra Extra  `json:"-"`
}

// Inactive reports whether the tag is deactivated and cannot be added to
// conversations.
func (t *Tag) Inactive() bool { return strings.EqualFold(t.State, "Inactive") }

func (t *Tag) identified() bool { return t.ID != "" }

// UnmarshalJSON keeps unknown members in Extra.
func (t *Tag) UnmarshalJSON(b []byte) error { return decodeOpen(b, t) }

// MarshalJSON also writes the members in Extra.
func (t Tag) MarshalJSON() ([]byte, error) { return encodeOpen(t) }

// TagInput is a tag to create.
type TagInput struct {
	Name string `json:"name"`
	// Color has the form "#00aaff"; if empty, Dixa chooses.
	Color string `json:"color,omitempty"`
}

// List returns the organization's tags. It includes inactive ones only if
// includeDeactivated is true.
//
// Dixa: GET /v1/tags.
func (s *TagsService) List(ctx context.Context, includeDeactivated bool) ([]*Tag, error) {
	op := Operation{"Tags.List", http.MethodGet, "/tags"}
	query := url.Values{}
	if includeDeactivated {
		query.Set("includeDeactivated", "true")
	}
	return fetchAll[Tag](ctx, s.client, op, Params{Query: query})
}

// Get returns one tag.
//
// Dixa: GET /v1/tags/{tagId}.
func (s *TagsService) Get(ctx context.Context, id string) (*Tag, error) {
	op := Operation{"Tags.Get", http.MethodGet, "/tags/{tagId}"}
	return fetch[Tag](ctx, s.client, op, Params{Path: []any{id}})
}

// Create returns the tag with the given name and creates it if it does not exist. An
// existing tag keeps its color and state.
//
// Dixa: POST /v1/tags.
func (s *TagsService) Create(ctx context.Context, in TagInput) (*Tag, error) {
	op := Operation{"Tags.Create", http.MethodPost, "/tags"}
	return fetch[Tag](ctx, s.client, op, Params{Body: in})
}

// Delete permanently removes a tag from the organization and from all its
// conversations.
//
// Dixa: DELETE /v1/tags/{tagId}.
func (s *TagsService) Delete(ctx context.Context, id string) error {
	op := Operation{"Tags.Delete", http.MethodDelete, "/tags/{tagId}"}
	return run(ctx, s.client, op, Params{Path: []any{id}})
}

// Activate makes a deactivated tag usable again.
//
// Dixa: PATCH /v1/tags/{tagId}/activate.
func (s *TagsService) Activate(ctx context.Context, id string) error {
	op := Operation{"Tags.Activate", http.MethodPatch, "/tags/{tagId}/activate"}
	return run(ctx, s.client, op, Params{Path: []any{id}})
}

// Deactivate prevents further use of a tag. Conversations that have it keep it.
//
// Dixa: PATCH /v1/tags/{tagId}/deactivate.
func (s *TagsService) Deactivate(ctx context.Context, id string) error {
	op := Operation{"Tags.Deactivate", http.MethodPatch, "/tags/{tagId}/deactivate"}
	return run(ctx, s.client, op, Params{Path: []any{id}})
}

// Tags returns the tags of a conversation.
//
// Dixa: GET /v1/conversations/{conversationId}/tags.
func (s *ConversationsService) Tags(ctx context.Context, id int64) ([]*Tag, error) {
	op := Operation{"Conversations.Tags", http.MethodGet, "/conversations/{conversationId}/tags"}
	return fetchAll[Tag](ctx, s.client, op, Params{Path: []any{id}})
}

// AddTags adds tags to a conversation by name and creates tags that do not exist.
// Dixa applies them asynchronously, so Tags may not show them yet.
//
// Dixa: POST /v1/conversations/{conversationId}/tags/bulk.
func (s *ConversationsService) AddTags(ctx context.Context, id int64, names ...string) error {
	op := Operation{"Conversations.AddTags", http.MethodPost, "/conversations/{conversationId}/tags/bulk"}
	tags := make([]TagInput, len(names))
	for i, name := range names {
		tags[i].Name = name
	}
	return run(ctx, s.client, op, Params{Path: []any{id}, Body: bulkOf(tags)})
}

// AddTag adds an active tag to a conversation.
//
// Dixa: PUT /v1/conversations/{conversationId}/tags/{tagId}.
func (s *ConversationsService) AddTag(ctx context.Context, id int64, tagID string) error {
	op := Operation{"Conversations.AddTag", http.MethodPut, "/conversations/{conversationId}/tags/{tagId}"}
	return run(ctx, s.client, op, Params{Path: []any{id, tagID}})
}

// RemoveTag removes a tag, active or not, from a conversation.
//
// Dixa: DELETE /v1/conversations/{conversationId}/tags/{tagId}.
func (s *ConversationsService) RemoveTag(ctx context.Context, id int64, tagID string) error {
	op := Operation{"Conversations.RemoveTag", http.MethodDelete, "/conversations/{conversationId}/tags/{tagId}"}
	return run(ctx, s.client, op, Params{Path: []any{id, tagID}})
}
