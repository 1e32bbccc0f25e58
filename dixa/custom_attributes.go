package dixa

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"

	jsonv1 "github.com/go-json-experiment/json/v1"
)

// CustomAttributesService reads the definitions of custom attributes. Set their
// values with ConversationsService.SetCustomAttributes and
// EndUsersService.SetCustomAttributes.
type CustomAttributesService struct{ service }

// CustomAttributeDefinition is an attribute that the organization defines for its
// conversations or end users.
type CustomAttributeDefinition struct {
	ID string `json:"id"`
	// EntityType is "Contact" (end users) or "Conversation".
	EntityType      string         `json:"entityType"`
	Identifier      string         `json:"identifier"`
	Label           string         `json:"label"`
	InputDefinition AttributeInput `json:"inputDefinition"`
	Description     string         `json:"description,omitempty"`
	CreatedAt       Time           `json:"createdAt,omitzero"`
	UpdatedAt       Time           `json:"updatedAt,omitzero"`
	IsRequired      bool           `json:"isRequired"`
	IsArchived      bool           `json:"isArchived"`
	IsDeactivated   bool           `json:"isDeactivated"`
	Extra           Extra          `json:"-"`
}

func (d *CustomAttributeDefinition) identified() bool { return d.ID != "" }

// UnmarshalJSON keeps unknown members in Extra.
func (d *CustomAttributeDefinition) UnmarshalJSON(b []byte) error { return decodeOpen(b, d) }

// MarshalJSON also writes the members in Extra.
func (d CustomAttributeDefinition) MarshalJSON() ([]byte, error) { return encodeOpen(d) }

// AttributeInput describes the values that an attribute accepts.
type AttributeInput struct {
	// Type is "Text" or "Select".
	Type string `json:"_type"`
	// Placeholder applies to Text.
	Placeholder string `json:"placeholder,omitempty"`
	// Options apply to Select.
	Options []AttributeOption `json:"options,omitzero"`
	Extra   Extra             `json:"-"`
}

// UnmarshalJSON keeps unknown members in Extra.
func (i *AttributeInput) UnmarshalJSON(b []byte) error { return decodeOpen(b, i) }

// MarshalJSON also writes the members in Extra.
func (i AttributeInput) MarshalJSON() ([]byte, error) { return encodeOpen(i) }

// AttributeOption is one option of a Select attribute. Options can be nested.
type AttributeOption struct {
	ID            string            `json:"id"`
	Label         string            `json:"label"`
	Value         string            `json:"value"`
	NestedOptions []AttributeOption `json:"nestedOptions"`
	IsDeactivated bool              `json:"isDeactivated"`
	OrderIndex    int               `json:"orderIndex"`
}

// List returns all definitions.
//
// Dixa: GET /v1/custom-attributes.
func (s *CustomAttributesService) List(ctx context.Context) ([]*CustomAttributeDefinition, error) {
	op := Operation{"CustomAttributes.List", http.MethodGet, "/custom-attributes"}
	return fetchAll[CustomAttributeDefinition](ctx, s.client, op, Params{})
}

// Get returns one definition.
//
// Dixa: GET /v1/custom-attributes/{customAttributeId}.
func (s *CustomAttributesService) Get(ctx context.Context, id string) (*CustomAttributeDefinition, error) {
	op := Operation{"CustomAttributes.Get", http.MethodGet, "/custom-attributes/{customAttributeId}"}
	return fetch[CustomAttributeDefinition](ctx, s.client, op, Params{Path: []any{id}})
}

// CustomAttribute is the value of an attribute on a conversation or end user.
type CustomAttribute struct {
	ID         string         `json:"id"`
	Name       string         `json:"name"`
	Identifier string         `json:"identifier"`
	Value      AttributeValue `json:"value"`
	Extra      Extra          `json:"-"`
}

// UnmarshalJSON keeps unknown members in Extra.
func (a *CustomAttribute) UnmarshalJSON(b []byte) error { return decodeOpen(b, a) }

// MarshalJSON also writes the members in Extra.
func (a CustomAttribute) MarshalJSON() ([]byte, error) { return encodeOpen(a) }

// AttributeValue is a text, a path of option values (parent first), or null to clear
// an attribute. Only one field is used: Other, then Null, then Path if not nil, then
// Text.
type AttributeValue struct {
	Text string
	Path []string
	Null bool
	// Other is a value in a form that this package does not know.
	Other json.RawMessage
}

// TextValue returns the value of a Text attribute.
func TextValue(s string) AttributeValue { return AttributeValue{Text: s} }

// SelectValue returns the value of a Select attribute: option values, parent first.
func SelectValue(path ...string) AttributeValue {
	return AttributeValue{Path: append([]string{}, path...)}
}

// ClearValue returns the value that clears an attribute.
func ClearValue() AttributeValue { return AttributeValue{Null: true} }

// UnmarshalJSON accepts any JSON.
func (v *AttributeValue) UnmarshalJSON(b []byte) error {
	*v = AttributeValue{}
	if bytes.Equal(b, []byte("null")) {
		v.Null = true
		return nil
	}
	if jsonv1.Unmarshal(b, &v.Text) == nil {
		return nil
	}
	if jsonv1.Unmarshal(b, &v.Path) == nil {
		return nil
	}
	*v = AttributeValue{Other: bytes.Clone(b)}
	return nil
}

// MarshalJSON writes the field that is used.
func (v AttributeValue) MarshalJSON() ([]byte, error) {
	switch {
	case v.Other != nil:
		return v.Other, nil
	case v.Null:
		return []byte("null"), nil
	case v.Path != nil:
		return encodeJSON(v.Path)
	default:
		return encodeJSON(v.Text)
	}
}
