package server

import (
	"encoding/json"
	"maps"
	"net/mail"
	"slices"
	"strings"
)

func (s *Server) getOrganization(c *call) (reply, error) {
	if c.switches.OrganizationAbsent {
		return reply{}, notFound()
	}
	return ok(s.state.Organization)
}

type contactEndpointBody struct {
	ContactEndpoint
	Type string `json:"_type"`
}

func (e ContactEndpoint) body() contactEndpointBody {
	if e.Address != "" {
		return contactEndpointBody{e, "EmailEndpoint"}
	}
	return contactEndpointBody{e, "TelephonyEndpoint"}
}

func (s *Server) listContactEndpoints(c *call) (reply, error) {
	kind := c.query.Get("_type")
	if kind != "" && kind != "EmailEndpoint" && kind != "TelephonyEndpoint" {
		return reply{}, bad(messageInvalid)
	}
	bodies := []contactEndpointBody{}
	for _, endpoint := range s.state.ContactEndpoints {
		if body := endpoint.body(); kind == "" || kind == body.Type {
			bodies = append(bodies, body)
		}
	}
	return ok(inOrder(s, bodies))
}

func (s *Server) getContactEndpoint(c *call) (reply, error) {
	id := c.request.PathValue("contactEndpointId")
	if _, err := mail.ParseAddress(id); err != nil && !e164.MatchString(id) {
		return reply{}, bad("The contactEndpointId is neither a valid email nor a valid E.164 phone number")
	}
	endpoint, found := s.contactEndpoint(id)
	if !found {
		return reply{}, notFound()
	}
	return ok(endpoint.body())
}

func (s *Server) contactEndpoint(id string) (ContactEndpoint, bool) {
	at := slices.IndexFunc(s.state.ContactEndpoints, func(e ContactEndpoint) bool {
		return strings.EqualFold(e.Address, id) && id != "" || e.Number == id && id != ""
	})
	if at < 0 {
		return ContactEndpoint{}, false
	}
	return s.state.ContactEndpoints[at], true
}

// attributeBody is the value of a custom attribute on an end user or conversation.
type attributeBody struct {
	ID         string `json:"id"`
	Name       string `json:"name"`
	Identifier string `json:"identifier"`
	Value      any    `json:"value"`
}

type definitionBody struct {
	ID              string `json:"id"`
	EntityType      string `json:"entityType"`
	Identifier      string `json:"identifier"`
	Label           string `json:"label"`
	InputDefinition any    `json:"inputDefinition"`
	Description     string `json:"description,omitempty"`
	CreatedAt       string `json:"createdAt"`
	UpdatedAt       string `json:"updatedAt,omitempty"`
	IsRequired      bool   `json:"isRequired"`
	IsArchived      bool   `json:"isArchived"`
	IsDeactivated   bool   `json:"isDeactivated"`
}

func (s *Server) definitionBody(d *AttributeDefinition) definitionBody {
	var input any = struct {
		Placeholder string `json:"placeholder,omitempty"`
		Type        string `json:"_type"`
	}{d.Placeholder, "Text"}
	if d.isSelect() {
		input = struct {
			Options []AttributeOption `json:"options"`
			Type    string            `json:"_type"`
		}{d.Options, "Select"}
	}
	updated := ""
	if !d.UpdatedAt.IsZero() {
		updated = s.zoned(d.UpdatedAt)
	}
	return definitionBody{
		ID: d.ID, EntityType: d.EntityType, Identifier: d.Identifier, Label: d.Label,
		InputDefinition: input, Description: d.Description, CreatedAt: s.zoned(d.CreatedAt), UpdatedAt: updated,
		IsRequired: d.IsRequired, IsArchived: d.IsArchived, IsDeactivated: d.IsDeactivated,
	}
}

func (d *AttributeDefinition) isSelect() bool { return len(d.Options) > 0 }

func (s *Server) listAttributes(*call) (reply, error) {
	return ok(inOrder(s, each(s.state.Attributes, s.definitionBody)))
}

func (s *Server) getAttribute(c *call) (reply, error) {
	definition := s.attribute(c.request.PathValue("customAttributeId"))
	if definition == nil {
		return reply{}, bad(messageInvalid) // the operation documents no 404
	}
	return ok(s.definitionBody(definition))
}

func (s *Server) attribute(id string) *AttributeDefinition {
	return first(s.state.Attributes, func(d *AttributeDefinition) bool { return sameID(d.ID, id) })
}

// attributeBodies lists values in the order of the definitions. It never returns
// nil.
func (s *Server) attributeBodies(values map[string]any) []attributeBody {
	bodies := []attributeBody{}
	for _, definition := range s.state.Attributes {
		if value, set := values[definition.ID]; set {
			bodies = append(bodies, attributeBody{definition.ID, definition.Label, definition.Identifier, value})
		}
	}
	return bodies
}

// patchedAttributes reads a map of attribute id to value from the body and returns
// values with the map applied. null clears a value. An attribute of the other
// entity, an unknown attribute or a value of the wrong kind is a 400 and changes
// nothing.
func (s *Server) patchedAttributes(c *call, entity string, values map[string]any) (map[string]any, error) {
	var patch map[string]json.RawMessage
	if err := json.Unmarshal(c.body, &patch); err != nil || patch == nil {
		return nil, bad(messageDecoding)
	}
	changed := map[string]any{}
	maps.Copy(changed, values)
	for id, raw := range patch {
		if !isUUID(id) {
			return nil, bad(messageDecoding)
		}
		definition := s.attribute(id)
		if definition == nil || definition.EntityType != entity || definition.IsDeactivated || definition.IsArchived {
			return nil, bad("Invalid input for patching")
		}
		var text string
		var path []string
		switch {
		case string(raw) == "null":
			delete(changed, definition.ID)
		case json.Unmarshal(raw, &text) == nil:
			if definition.isSelect() || tooLong(text, c.switches.MaxAttributeChars) {
				return nil, bad("Invalid input for patching")
			}
			changed[definition.ID] = text
		case json.Unmarshal(raw, &path) == nil:
			if !definition.isSelect() || !optionPath(definition.Options, path) {
				return nil, bad("Invalid input for patching")
			}
			changed[definition.ID] = path
		default:
			return nil, bad(messageDecoding)
		}
	}
	return changed, nil
}

// optionPath reports whether path, parent first, leads through the options.
func optionPath(options []AttributeOption, path []string) bool {
	if len(path) == 0 {
		return false
	}
	for _, value := range path {
		at := slices.IndexFunc(options, func(o AttributeOption) bool { return o.Value == value && !o.IsDeactivated })
		if at < 0 {
			return false
		}
		options = options[at].NestedOptions
	}
	return true
}
