package dixa

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
)

// CustomAttributesService reads the definitions of custom attributes. Values
// are set by ConversationsService.SetCustomAttributes and
// EndUsersService.SetCustomAttributes.
type CustomAttributesService struct{ service }

// CustomAttributeDefinition is an attribute that the organisation defined for
// its conversations or end users.
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
func (d *CustomAttributeDefinition) UnmarshalJSON(b []byte) error {
	type plain CustomAttributeDefinition
	return decodeOpen(b, (*plain)(d), &d.Extra)
}

// MarshalJSON writes the members in Extra as well.
func (d CustomAttributeDefinition) MarshalJSON() ([]byte, error) {
	type plain CustomAttributeDefinition
	return encodeOpen(plain(d), d.Extra)
}

// AttributeInput says what values an attribute takes.
type AttributeInput struct {
	// Type is "Text" or "Select".
	Type string `json:"_type"`
	// Placeholder is of Text.
	Placeholder string `json:"placeholder,omitempty"`
	// Options are of Select.
	Options []AttributeOption `json:"options,omitzero"`
	Extra   Extra             `json:"-"`
}

// UnmarshalJSON keeps unknown members in Extra.
func (i *AttributeInput) UnmarshalJSON(b []byte) error {
	type plain AttributeInput
	return decodeOpen(b, (*plain)(i), &i.Extra)
}

// MarshalJSON writes the members in Extra as well.
func (i AttributeInput) MarshalJSON() ([]byte, error) {
	type plain AttributeInput
	return encodeOpen(plain(i), i.Extra)
}

// AttributeOption is one choice of a Select attribute; options nest.
type AttributeOption struct {
	ID            string            `json:"id"`
	Label         string            `json:"label"`
	Value         string            `json:"value"`
	NestedOptions []AttributeOption `json:"nestedOptions"`
	IsDeactivated bool              `json:"isDeactivated"`
	OrderIndex    int               `json:"orderIndex"`
}

// List returns every definition.
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

// CustomAttribute is an attribute's value on a conversation or end user.
type CustomAttribute struct {
	ID         string         `json:"id"`
	Name       string         `json:"name"`
	Identifier string         `json:"identifier"`
	Value      AttributeValue `json:"value"`
	Extra      Extra          `json:"-"`
}

// UnmarshalJSON keeps unknown members in Extra.
func (a *CustomAttribute) UnmarshalJSON(b []byte) error {
	type plain CustomAttribute
	return decodeOpen(b, (*plain)(a), &a.Extra)
}

// MarshalJSON writes the members in Extra as well.
func (a CustomAttribute) MarshalJSON() ([]byte, error) {
	type plain CustomAttribute
	return encodeOpen(plain(a), a.Extra)
}

// AttributeValue is a text, a path of option values (parent first), or, to
// clear an attribute, null. Exactly one of its fields counts: Other, then
// Null, then Path if not nil, then Text.
type AttributeValue struct {
	Text string
	Path []string
	Null bool
	// Other is a value of a form that this package does not know.
	Other json.RawMessage
}

// TextValue is the value of a Text attribute.
func TextValue(s string) AttributeValue { return AttributeValue{Text: s} }

// SelectValue is the value of a Select attribute: option values, parent first.
func SelectValue(path ...string) AttributeValue {
	return AttributeValue{Path: append([]string{}, path...)}
}

// ClearValue clears an attribute.
func ClearValue() AttributeValue { return AttributeValue{Null: true} }

// UnmarshalJSON accepts any JSON.
func (v *AttributeValue) UnmarshalJSON(b []byte) error {
	*v = AttributeValue{}
	if bytes.Equal(b, []byte("null")) {
		v.Null = true
		return nil
	}
	if json.Unmarshal(b, &v.Text) == nil {
		return nil
	}
	if json.Unmarshal(b, &v.Path) == nil {
		return nil
	}
	*v = AttributeValue{Other: bytes.Clone(b)}
	return nil
}

// MarshalJSON writes the value in its form.
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
