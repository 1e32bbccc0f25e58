package api

import (
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/unified"
)

// unifiedDocument adds the routes of the unified API to the OpenAPI document. They are
// not routed by huma, because their errors and addresses have another form.
type unifiedDocument struct{ spec *huma.OpenAPI }

func documentUnified(spec *huma.OpenAPI) {
	d := unifiedDocument{spec}
	for _, r := range unified.Resources() {
		for _, m := range r.Methods {
			if m.Support != unified.Unsupported {
				d.method(r, m)
			}
		}
	}
	d.besideObjects()
	d.accounts()
	d.proxy()
}

// method documents a method of a resource.
func (d unifiedDocument) method(r *unified.Resource, m *unified.Method) {
	meta, err := unified.MetaOf(r.Model, r.Name, m.Name)
	if err != nil {
		return // a defect that the test of the document finds
	}
	op := huma.Operation{
		OperationID: m.Name + "-" + r.Model + "-" + r.Name, Method: m.Verb(), Path: unifiedPath + r.Model + "/" + r.Name,
		Summary: strings.ToUpper(m.Name[:1]) + m.Name[1:] + " " + r.Model + " " + strings.ReplaceAll(r.Name, "_", " "), Description: r.Description,
		Parameters: []*huma.Param{accountParameter()},
	}
	object := &huma.Schema{Extensions: meta.Schema}
	if m.Name != unified.MethodList && m.Name != unified.MethodCreate {
		op.Path += "/{id}"
		op.Parameters = append(op.Parameters, pathParameter("id", "The id of the object, percent-encoded as a whole."))
	}
	answer, statuses := object, []int{http.StatusBadRequest, http.StatusNotFound}
	switch m.Name {
	case unified.MethodList:
		answer = listOf(object)
	case unified.MethodDelete:
		answer = &huma.Schema{Type: huma.TypeObject, Properties: map[string]*huma.Schema{"id": {Type: huma.TypeString}}}
	}
	if m.Write() {
		op.Parameters = append(op.Parameters, &huma.Param{
			Name: idempotencyHeader, In: "header", Schema: &huma.Schema{Type: huma.TypeString},
			Description: "The same key with the same body is the same write for 72 h. If it is omitted, the answer names a new one.",
		})
		statuses = append(statuses, http.StatusMethodNotAllowed, http.StatusConflict, http.StatusRequestEntityTooLarge)
		if meta.RequestBodySchema != nil {
			op.RequestBody = &huma.RequestBody{Required: true, Content: jsonContent(&huma.Schema{Extensions: meta.RequestBodySchema})}
		}
	} else {
		op.Parameters = append(op.Parameters, formParameters(m)...)
		if properties, ok := meta.QuerySchema["properties"].(map[string]any); ok {
			for _, name := range slices.Sorted(maps.Keys(properties)) {
				schema, _ := properties[name].(map[string]any)
				op.Parameters = append(op.Parameters, &huma.Param{Name: name, In: "query", Schema: &huma.Schema{Extensions: schema}})
			}
		}
	}
	responses := d.answers(answer, statuses...)
	if m.Write() {
		responses["202"] = &huma.Response{Description: "The write takes longer. The operation at the address has its result.", Content: jsonContent(d.schema(reflect.TypeFor[client.Operation](), "Operation"))}
	}
	d.add(op, responses)
}

// formParameters are the parameters that decide about the form of answers.
func formParameters(m *unified.Method) []*huma.Param {
	all := []*huma.Param{
		queryParameter("truto_response_format", "unified, normalized (without remote_data) or raw (Dixa's own objects)."),
		queryParameter("truto_ignore_remote_data", "true omits remote_data."),
		queryParameter("truto_exclude_fields", "Fields to omit: a list separated by commas, or repeated with brackets."),
	}
	if m.Name == unified.MethodList {
		all = append(all, queryParameter("truto_key_by", "Makes result an object whose keys are the values of this field."))
	}
	return all
}

// besideObjects documents addresses that are neither lists nor objects.
func (d unifiedDocument) besideObjects() {
	names := []*huma.Param{pathParameter("model", "ticketing or user-directory."), pathParameter("resource", "The name of a resource, such as tickets.")}
	d.add(huma.Operation{
		OperationID: "describe-method", Method: http.MethodGet, Path: unifiedPath + "{model}/{resource}/meta/{method}", Summary: "Describe a method of a resource",
		Description: "Says of each field whether it is native, derived or unsupported, and why.",
		Parameters:  append(names, pathParameter("method", "list, get, create, update or delete."), accountParameter()),
	}, d.answers(&huma.Schema{Type: huma.TypeObject}, http.StatusBadRequest, http.StatusNotFound))
	download := d.answers(nil, http.StatusBadRequest, http.StatusNotFound, http.StatusBadGateway)
	download["200"].Content = map[string]*huma.MediaType{"*/*": {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}}
	d.add(huma.Operation{
		OperationID: "download-attachment", Method: http.MethodGet, Path: unifiedPath + "ticketing/attachments/{id}/download", Summary: "Download a file of a message",
		Parameters: []*huma.Param{pathParameter("id", "The id of the attachment."), accountParameter()},
	}, download)
	d.add(huma.Operation{
		OperationID: "get-operation", Method: http.MethodGet, Path: operationsPath + "{operation}", Summary: "Get the result of a write",
		Description: "Operations are kept for 72 h after they ended.", Parameters: []*huma.Param{pathParameter("operation", "The id of the operation.")},
	}, d.answers(d.schema(reflect.TypeFor[client.Operation](), "Operation"), http.StatusNotFound))
}

func (d unifiedDocument) accounts() {
	account := d.schema(reflect.TypeFor[client.Account](), "Account")
	id := pathParameter("id", "The id of the account, or me for the account of an account token.")
	d.add(huma.Operation{
		OperationID: "list-accounts", Method: http.MethodGet, Path: accountsPath, Summary: "List accounts",
		Description: "An account is a connection to a Dixa organization. A key that is limited to a shop sees the shop's account if no other shop uses it.",
		Parameters: []*huma.Param{
			queryParameter("tenant_id", "Only accounts of this shop."), queryParameter("is_sandbox", "No account is one."),
			queryParameter("limit", "The maximum number of accounts, at most "+strconv.Itoa(maxAccounts)+"."), queryParameter("next_cursor", "The next_cursor of the page before."),
		},
	}, d.answers(d.schema(reflect.TypeFor[client.AccountPage](), "AccountPage"), http.StatusBadRequest))
	d.add(huma.Operation{
		OperationID: "get-account", Method: http.MethodGet, Path: accountsPath + "/{id}", Summary: "Get an account", Parameters: []*huma.Param{id},
	}, d.answers(account, http.StatusNotFound))
	d.add(huma.Operation{
		OperationID: "get-capabilities", Method: http.MethodGet, Path: accountsPath + "/{id}/capabilities", Summary: "Get what Dixa supports",
		Description: "Without parameters: what Dixa and the account's settings allow of every resource, method and field.",
		Parameters: []*huma.Param{
			id, queryParameter("type", "proxy, unified or all."), queryParameter("resource", "Only this resource."), queryParameter("methods", "Only these methods, separated by commas."),
			queryParameter("probe", "true also asks Dixa what the account's token may read: about 20 requests."),
		},
	}, d.answers(&huma.Schema{Type: huma.TypeObject}, http.StatusBadRequest, http.StatusNotFound))
	mapping := d.schema(reflect.TypeFor[client.FieldMapping](), "FieldMapping")
	field := pathParameter("field", "collections, ticket_types or ticket_status.")
	mappings := accountsPath + "/{id}/mappings"
	d.add(huma.Operation{
		OperationID: "list-mappings", Method: http.MethodGet, Path: mappings, Summary: "Get the mappings of all fields", Parameters: []*huma.Param{id},
	}, d.answers(d.schema(reflect.TypeFor[client.MappingList](), "MappingList"), http.StatusNotFound))
	d.add(huma.Operation{
		OperationID: "get-mapping", Method: http.MethodGet, Path: mappings + "/{field}", Summary: "Get the mapping of a field",
		Description: "The caller's categories of values of Dixa, and the values that have none.", Parameters: []*huma.Param{id, field},
	}, d.answers(mapping, http.StatusNotFound))
	d.add(huma.Operation{
		OperationID: "save-mapping", Method: http.MethodPut, Path: mappings + "/{field}", Summary: "Replace the mapping of a field",
		Description: "Objects show the category of a value beside its id, and filters and writes take it.", Parameters: []*huma.Param{id, field},
		RequestBody: &huma.RequestBody{Required: true, Content: jsonContent(d.schema(reflect.TypeFor[client.NewMapping](), "NewMapping"))},
	}, d.answers(mapping, http.StatusBadRequest, http.StatusNotFound))
	d.add(huma.Operation{
		OperationID: "delete-mapping", Method: http.MethodDelete, Path: mappings + "/{field}", Summary: "Delete the mapping of a field", Parameters: []*huma.Param{id, field},
	}, d.answers(&huma.Schema{Type: huma.TypeObject}, http.StatusNotFound))
	d.add(huma.Operation{
		OperationID: "issue-account-token", Method: http.MethodPost, Path: accountsPath + "/token", Summary: "Issue a token for one account",
		Description: "The token acts for the API key on one account for 15 minutes. It admits only to /unified, /proxy, /scim and the account, and ends with the key.",
		RequestBody: &huma.RequestBody{Required: true, Content: jsonContent(d.schema(reflect.TypeFor[client.NewAccountToken](), "NewAccountToken"))},
	}, d.answers(d.schema(reflect.TypeFor[client.AccountToken](), "AccountToken"), http.StatusBadRequest, http.StatusNotFound))
}

func (d unifiedDocument) proxy() {
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		op := huma.Operation{
			OperationID: "proxy-" + strings.ToLower(method), Method: method, Path: proxyPath + "{path}", Summary: "Pass a " + method + " request on to Dixa",
			Description: "Method, path, query, body, status and the content of the answer pass unchanged, and both bodies are streamed. The path is relative to /v1 of Dixa's API. " +
				"integrated_account_id and parameters that begin with truto_ are removed, and the account's token is added. Only headers that describe the content pass. " +
				"Requests take from the token's request budget after claims: 429 has Retry-After. Lists are not wrapped. An Idempotency-Key is refused, because Dixa has none. " +
				"502 and 504: Dixa did not answer, and nothing was changed. 500: a write may have taken effect; check in Dixa before you repeat it.",
			Parameters: []*huma.Param{pathParameter("path", "The path below /v1, such as conversations/123/messages."), accountParameter()},
		}
		if method == http.MethodPost || method == http.MethodPut || method == http.MethodPatch {
			op.RequestBody = &huma.RequestBody{Content: map[string]*huma.MediaType{"*/*": {Schema: &huma.Schema{}}}}
		}
		responses := d.answers(nil, http.StatusBadRequest, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusRequestTimeout, http.StatusRequestEntityTooLarge,
			http.StatusInternalServerError, http.StatusBadGateway, http.StatusGatewayTimeout)
		delete(responses, "200")
		responses["default"] = &huma.Response{Description: "Dixa's own answer. X-Claimflow-Source is dixa."}
		d.add(op, responses)
	}
}

// answers returns the responses of an operation: the answer with status 200, and errors.
func (d unifiedDocument) answers(answer *huma.Schema, statuses ...int) map[string]*huma.Response {
	all := map[string]*huma.Response{"200": {Description: "OK"}}
	if answer != nil {
		all["200"].Content = jsonContent(answer)
	}
	failure := jsonContent(d.schema(reflect.TypeFor[unified.Error](), "Error"))
	for _, status := range append(statuses, http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests, http.StatusServiceUnavailable) {
		all[strconv.Itoa(status)] = &huma.Response{Description: http.StatusText(status), Content: failure}
	}
	return all
}

func (d unifiedDocument) add(op huma.Operation, responses map[string]*huma.Response) {
	op.Tags, op.Security, op.Responses = []string{tagUnified}, []map[string][]string{{apiKeyScheme: {}}}, responses
	d.spec.AddOperation(&op)
}

func (d unifiedDocument) schema(t reflect.Type, name string) *huma.Schema {
	return d.spec.Components.Schemas.Schema(t, true, name)
}

// listOf returns the schema of a page. array is the schema of its objects.
func listOf(array *huma.Schema) *huma.Schema {
	cursor := func() *huma.Schema { return &huma.Schema{Type: huma.TypeString, Nullable: true} }
	return &huma.Schema{Type: huma.TypeObject, Properties: map[string]*huma.Schema{
		"result": array, "next_cursor": cursor(), "prev_cursor": cursor(),
		"result_count": {Type: huma.TypeInteger}, "is_partial_response": {Type: huma.TypeBoolean},
	}}
}

func jsonContent(schema *huma.Schema) map[string]*huma.MediaType {
	return map[string]*huma.MediaType{"application/json": {Schema: schema}}
}

func accountParameter() *huma.Param {
	return queryParameter("integrated_account_id", "The id of the account. Required, except with an account token.")
}

func queryParameter(name, description string) *huma.Param {
	return &huma.Param{Name: name, In: "query", Description: description, Schema: &huma.Schema{Type: huma.TypeString}}
}

func pathParameter(name, description string) *huma.Param {
	return &huma.Param{Name: name, In: "path", Required: true, Description: description, Schema: &huma.Schema{Type: huma.TypeString}}
}
