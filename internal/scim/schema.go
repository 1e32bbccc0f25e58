package scim

import (
	"net/http"
	"slices"
	"strings"
)

// Schemas of SCIM.
const (
	schemaUser         = "urn:ietf:params:scim:schemas:core:2.0:User"
	schemaGroup        = "urn:ietf:params:scim:schemas:core:2.0:Group"
	schemaConfig       = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"
	schemaResourceType = "urn:ietf:params:scim:schemas:core:2.0:ResourceType"
	schemaSchema       = "urn:ietf:params:scim:schemas:core:2.0:Schema"
	schemaError        = "urn:ietf:params:scim:api:messages:2.0:Error"
	schemaList         = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
)

// attribute is an attribute of a resource, as its schema describes it.
type attribute struct {
	Name          string       `json:"name"`
	Type          string       `json:"type"`
	MultiValued   bool         `json:"multiValued"`
	Description   string       `json:"description"`
	Required      bool         `json:"required"`
	CaseExact     bool         `json:"caseExact"`
	Mutability    string       `json:"mutability"`
	Returned      string       `json:"returned"`
	Uniqueness    string       `json:"uniqueness"`
	SubAttributes []*attribute `json:"subAttributes,omitempty"`

	// common says that the attribute belongs to every resource, and not to its schema.
	common bool
	// ignored says that Dixa has no place for the attribute: it is accepted, and has no
	// effect.
	ignored bool
}

const (
	typeString  = "string"
	typeBoolean = "boolean"
	typeComplex = "complex"

	readWrite = "readWrite"
	readOnly  = "readOnly"
	immutable = "immutable"
)

// Names of attributes.
const (
	attrID          = "id"
	attrExternalID  = "externalId"
	attrSchemas     = "schemas"
	attrMeta        = "meta"
	attrUserName    = "userName"
	attrName        = "name"
	attrDisplayName = "displayName"
	attrActive      = "active"
	attrEmails      = "emails"
	attrPhones      = "phoneNumbers"
	attrRoles       = "roles"
	attrMembers     = "members"
	attrValue       = "value"
	attrKind        = "type"
	attrPrimary     = "primary"
)

func simple(name, kind, mutability, description string) *attribute {
	return &attribute{Name: name, Type: kind, Mutability: mutability, Description: description, Returned: "default", Uniqueness: "none"}
}

func complexOf(a *attribute, subs ...*attribute) *attribute {
	a.Type, a.SubAttributes = typeComplex, subs
	return a
}

func many(a *attribute, subs ...*attribute) *attribute {
	a.MultiValued = true
	return complexOf(a, subs...)
}

func exact(a *attribute) *attribute { a.CaseExact = true; return a }

func required(a *attribute) *attribute { a.Required = true; return a }

func unique(a *attribute) *attribute { a.Uniqueness = "server"; return a }

func common(a *attribute) *attribute { a.common = true; return a }

// without returns attributes of SCIM that Dixa has no place for.
func without(names ...string) (all []*attribute) {
	for _, name := range names {
		all = append(all, &attribute{Name: name, ignored: true})
	}
	return all
}

// resourceType is Users or Groups.
type resourceType struct {
	name, endpoint, schema, description string
	attributes                          []*attribute
}

func commonAttributes() []*attribute {
	return []*attribute{
		common(exact(simple(attrID, typeString, readOnly, ""))), common(exact(simple(attrExternalID, typeString, readWrite, ""))),
		common(complexOf(simple(attrMeta, typeComplex, readOnly, ""), exact(simple("resourceType", typeString, readOnly, "")),
			exact(simple("location", typeString, readOnly, "")), simple("created", "dateTime", readOnly, ""))),
		common(simple(attrSchemas, typeString, readOnly, "")),
	}
}

var users = &resourceType{
	name: "User", endpoint: "/Users", schema: schemaUser, description: "Agents of a Dixa organization.",
	attributes: slices.Concat([]*attribute{
		required(unique(simple(attrUserName, typeString, immutable, "The email address of the agent. Dixa has no operation that changes it."))),
		complexOf(simple(attrName, typeComplex, readWrite, "The name of the agent."),
			simple("formatted", typeString, readWrite, "The given and family name. In a new user without displayName it is the displayName; otherwise it has no effect."),
			simple("familyName", typeString, readWrite, ""), simple("givenName", typeString, readWrite, "")),
		simple(attrDisplayName, typeString, readWrite, "The name that Dixa shows."),
		simple(attrActive, typeBoolean, readWrite, "false makes an end user of the agent in Dixa; true makes an agent again."),
		many(simple(attrEmails, typeComplex, readWrite, "Addresses of the agent. Those beside userName are additional addresses in Dixa."),
			simple(attrValue, typeString, readWrite, ""), simple(attrKind, typeString, readWrite, ""), simple(attrPrimary, typeBoolean, readWrite, "")),
		many(simple(attrPhones, typeComplex, readWrite, "Numbers of the agent in E.164 format."),
			simple(attrValue, typeString, readWrite, ""), simple(attrKind, typeString, readWrite, ""), simple(attrPrimary, typeBoolean, readWrite, "")),
		many(simple(attrRoles, typeComplex, readOnly, "Roles of the agent. Dixa has no operation that assigns them."),
			simple(attrValue, typeString, readOnly, ""), simple("display", typeString, readOnly, ""),
			simple(attrKind, typeString, readOnly, ""), simple(attrPrimary, typeBoolean, readOnly, "")),
	}, commonAttributes(), without("nickName", "profileUrl", "title", "userType", "preferredLanguage", "locale", "timezone", "password", "ims", "photos",
		"addresses", "groups", "x509Certificates", "entitlements")),
}

var groups = &resourceType{
	name: "Group", endpoint: "/Groups", schema: schemaGroup, description: "Teams of a Dixa organization.",
	attributes: slices.Concat([]*attribute{
		required(unique(simple(attrDisplayName, typeString, immutable, "The name of the team. Dixa has no operation that changes it."))),
		many(simple(attrMembers, typeComplex, readWrite, "The agents of the team."),
			exact(simple(attrValue, typeString, immutable, "The id of a user.")), exact(simple("$ref", "reference", immutable, "")),
			simple("display", typeString, readOnly, ""), simple(attrKind, typeString, immutable, "")),
	}, commonAttributes()),
}

func find(all []*attribute, name string) *attribute {
	for _, a := range all {
		if strings.EqualFold(a.Name, name) {
			return a
		}
	}
	return nil
}

// ignoredSubs are parts of a name that Dixa has no place for.
var ignoredSubs = []string{"middleName", "honorificPrefix", "honorificSuffix", "display", "$ref"}

func isIgnoredSub(name string) bool {
	return slices.ContainsFunc(ignoredSubs, func(s string) bool { return strings.EqualFold(s, name) })
}

// own returns the name of an attribute without the schema's prefix. extension says that
// the name belongs to another schema, which Dixa has no place for.
func (t *resourceType) own(name string) (short string, extension bool) {
	if len(name) < 4 || !strings.EqualFold(name[:4], "urn:") {
		return name, false
	}
	if strings.EqualFold(name, t.schema) {
		return "", false
	}
	if prefix := len(t.schema) + 1; len(name) > prefix && strings.EqualFold(name[:prefix], t.schema+":") {
		return name[prefix:], false
	}
	return "", true
}

// canonical returns the attributes of a resource under their proper names. Those that
// the schema does not have are left out.
func (t *resourceType) canonical(in map[string]any) (map[string]any, error) {
	out := map[string]any{}
	for name, v := range in {
		short, extension := t.own(name)
		a := find(t.attributes, short)
		if extension || a == nil || v == nil {
			continue
		}
		if _, twice := out[a.Name]; twice {
			return nil, wrong(invalidSyntax, "The body has "+a.Name+" twice.")
		}
		out[a.Name] = canonicalValue(a, v)
	}
	return out, nil
}

// canonicalValue returns a value with the proper names of its parts.
func canonicalValue(a *attribute, v any) any {
	switch v := v.(type) {
	case []any:
		all := make([]any, 0, len(v))
		for _, x := range v {
			all = append(all, canonicalValue(a, x))
		}
		return all
	case map[string]any:
		out := map[string]any{}
		for name, x := range v {
			if sub := find(a.SubAttributes, name); sub != nil {
				name = sub.Name
			}
			if x != nil {
				out[name] = x
			}
		}
		return out
	default:
		return v
	}
}

// discovery answers what the service supports.
func discovery(c *Caller, name, id string) (any, error) {
	switch name {
	case "serviceproviderconfig":
		return providerConfig(c), nil
	case "resourcetypes":
		return describe(id, "resource type", users.describe(c), groups.describe(c))
	default:
		return describe(id, "schema", users.document(c), groups.document(c))
	}
}

// describe returns the one description with an id, or all as a list.
func describe(id, kind string, all ...map[string]any) (any, error) {
	if id == "" {
		return listOf(all, len(all), 1), nil
	}
	for _, d := range all {
		if text, _ := d["id"].(string); strings.EqualFold(text, id) {
			return d, nil
		}
	}
	return nil, missing(kind, id)
}

func (t *resourceType) describe(c *Caller) map[string]any {
	return map[string]any{
		attrSchemas: []string{schemaResourceType}, attrID: t.name, attrName: t.name, "endpoint": t.endpoint, "description": t.description, "schema": t.schema,
		"schemaExtensions": []any{}, attrMeta: map[string]any{"resourceType": "ResourceType", "location": c.Base + "/ResourceTypes/" + t.name},
	}
}

func (t *resourceType) document(c *Caller) map[string]any {
	var own []*attribute
	for _, a := range t.attributes {
		if !a.common && !a.ignored {
			own = append(own, a)
		}
	}
	return map[string]any{
		attrSchemas: []string{schemaSchema}, attrID: t.schema, attrName: t.name, "description": t.description, "attributes": own,
		attrMeta: map[string]any{"resourceType": "Schema", "location": c.Base + "/Schemas/" + t.schema},
	}
}

func providerConfig(c *Caller) map[string]any {
	no := map[string]any{"supported": false}
	return map[string]any{
		attrSchemas: []string{schemaConfig}, "documentationUri": c.Documentation,
		"patch": map[string]any{"supported": true}, "bulk": map[string]any{"supported": false, "maxOperations": 0, "maxPayloadSize": 0},
		"filter": map[string]any{"supported": true, "maxResults": maxCount}, "changePassword": no, "sort": no, "etag": no,
		"authenticationSchemes": []any{map[string]any{
			attrKind: "oauthbearertoken", attrName: "Bearer token", "description": "An API key with the scope directory:write.", attrPrimary: true,
		}},
		attrMeta: map[string]any{"resourceType": "ServiceProviderConfig", "location": c.Base + "/ServiceProviderConfig"},
	}
}

// onlyGet refuses other methods than GET.
func onlyGet(r *http.Request) error {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return notAllowed(r)
	}
	return nil
}

func notAllowed(r *http.Request) error {
	return &Error{Status: http.StatusMethodNotAllowed, Detail: "This address does not support " + r.Method + "."}
}
