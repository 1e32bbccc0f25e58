package api

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/claimflow/claimflow/internal/scim"
)

// scimAddresses are the addresses of SCIM in the OpenAPI document.
const scimAddresses = "/scim/{account}/v2"

// documentScim adds the routes of SCIM to the OpenAPI document. They are not routed by
// huma, because their errors and media type have another form.
func documentScim(spec *huma.OpenAPI) {
	account := pathParameter("account", "The id of the account. /scim/v2 is the same with a key that is limited to a shop, or an account token.")
	id := pathParameter("id", "The id of the resource.")
	shown := []*huma.Param{
		queryParameter("attributes", "Attributes to return, separated by commas."),
		queryParameter("excludedAttributes", "Attributes to omit, separated by commas, such as members."),
	}
	pages := []*huma.Param{
		queryParameter("filter", "A filter of SCIM, such as userName eq \"ada@example.org\"."), queryParameter("startIndex", "The place of the first resource, from 1."),
		queryParameter("count", "The maximum number of resources, at most 200; 100 by default."),
	}
	add := func(name, method, path, summary string, status int, body *huma.Schema, parameters ...*huma.Param) {
		op := huma.Operation{
			OperationID: "scim-" + name, Method: method, Path: scimAddresses + path, Summary: summary, Tags: []string{tagUnified},
			Security: []map[string][]string{{apiKeyScheme: {}}}, Parameters: append([]*huma.Param{account}, parameters...),
			Responses: map[string]*huma.Response{strconv.Itoa(status): {Description: http.StatusText(status)}},
		}
		if status != http.StatusNoContent {
			op.Responses[strconv.Itoa(status)].Content = scimContent(&huma.Schema{Type: huma.TypeObject})
		}
		if body != nil {
			op.RequestBody = &huma.RequestBody{Required: true, Content: scimContent(body)}
			op.RequestBody.Content["application/json"] = &huma.MediaType{Schema: body}
		}
		for _, status := range []int{400, 401, 403, 404, 409, 429, 501, 502, 503} {
			op.Responses[strconv.Itoa(status)] = &huma.Response{Description: http.StatusText(status), Content: scimContent(scimErrorSchema())}
		}
		spec.AddOperation(&op)
	}
	for _, r := range []struct {
		one, path string
		body      *huma.Schema
	}{{"user", "/Users", scimUserSchema()}, {"group", "/Groups", scimGroupSchema()}} {
		add("list-"+r.one+"s", http.MethodGet, r.path, "List "+r.one+"s", http.StatusOK, nil, append(pages, shown...)...)
		add("create-"+r.one, http.MethodPost, r.path, "Create a "+r.one, http.StatusCreated, r.body, shown...)
		one := append([]*huma.Param{id}, shown...)
		add("get-"+r.one, http.MethodGet, r.path+"/{id}", "Get a "+r.one, http.StatusOK, nil, one...)
		add("replace-"+r.one, http.MethodPut, r.path+"/{id}", "Replace a "+r.one+". Attributes that are absent stay as they are", http.StatusOK, r.body, one...)
		add("patch-"+r.one, http.MethodPatch, r.path+"/{id}", "Change a "+r.one, http.StatusOK, scimPatchSchema(), one...)
		add("delete-"+r.one, http.MethodDelete, r.path+"/{id}", "Delete a "+r.one, http.StatusNoContent, nil, id)
	}
	add("get-config", http.MethodGet, "/ServiceProviderConfig", "Get what the service supports", http.StatusOK, nil)
	for _, name := range []string{"ResourceTypes", "Schemas"} {
		add("list-"+strings.ToLower(name), http.MethodGet, "/"+name, "List "+name, http.StatusOK, nil)
		add("get-"+strings.ToLower(name), http.MethodGet, "/"+name+"/{id}", "Get one of the "+name, http.StatusOK, nil, id)
	}
}

func scimContent(schema *huma.Schema) map[string]*huma.MediaType {
	return map[string]*huma.MediaType{scim.ContentType: {Schema: schema}}
}

func scimObject(properties map[string]*huma.Schema) *huma.Schema {
	return &huma.Schema{Type: huma.TypeObject, Properties: properties}
}

func scimText() *huma.Schema { return &huma.Schema{Type: huma.TypeString} }

func scimList(of *huma.Schema) *huma.Schema { return &huma.Schema{Type: huma.TypeArray, Items: of} }

// scimValue is a value of an attribute with several values.
func scimValue() *huma.Schema {
	return scimObject(map[string]*huma.Schema{"value": scimText(), "type": scimText(), "primary": {Type: huma.TypeBoolean}})
}

func scimErrorSchema() *huma.Schema {
	return scimObject(map[string]*huma.Schema{"schemas": scimList(scimText()), "status": scimText(), "scimType": scimText(), "detail": scimText()})
}

func scimUserSchema() *huma.Schema {
	return scimObject(map[string]*huma.Schema{
		"schemas": scimList(scimText()), "externalId": scimText(), "userName": scimText(), "displayName": scimText(), "active": {Type: huma.TypeBoolean},
		"name": scimObject(map[string]*huma.Schema{"givenName": scimText(), "familyName": scimText(), "formatted": scimText()}), "emails": scimList(scimValue()), "phoneNumbers": scimList(scimValue()),
	})
}

func scimGroupSchema() *huma.Schema {
	return scimObject(map[string]*huma.Schema{"schemas": scimList(scimText()), "externalId": scimText(), "displayName": scimText(), "members": scimList(scimValue())})
}

func scimPatchSchema() *huma.Schema {
	return scimObject(map[string]*huma.Schema{"schemas": scimList(scimText()), "Operations": scimList(scimObject(map[string]*huma.Schema{
		"op": {Type: huma.TypeString, Description: "add, replace or remove, in any case."}, "path": scimText(), "value": {},
	}))})
}
