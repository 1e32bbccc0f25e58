package server_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// contract validates requests and replies against Dixa's OpenAPI file. The file
// belongs to Dixa and is not part of this project: it is read from beside the
// checkout or from the path in DIXA_OPENAPI.
type contract struct {
	doc   *openapi3.T
	paths []pathPattern
	// operations are the names of all operations, as in server.Operations.
	operations map[string]bool
	options    []openapi3.SchemaValidationOption
}

type pathPattern struct {
	pattern *regexp.Regexp
	item    *openapi3.PathItem
	literal int
}

const contractHint = "Dixa's OpenAPI file was not found: download it from https://docs.dixa.io/openapi " +
	"and put it at ../shared/dixa/openapi.yaml beside the checkout, or set DIXA_OPENAPI to its path"

var loadContract = sync.OnceValues(func() (*contract, error) {
	path := os.Getenv("DIXA_OPENAPI")
	if path == "" {
		path = filepath.Join("..", "..", "..", "shared", "dixa", "openapi.yaml")
	}
	if _, err := os.Stat(path); err != nil {
		return nil, errors.New(contractHint)
	}
	doc, err := openapi3.NewLoader().LoadFromFile(path)
	if err != nil {
		return nil, err
	}
	c := &contract{doc: doc, options: []openapi3.SchemaValidationOption{
		openapi3.EnableFormatValidation(), openapi3.MultiErrors(),
		openapi3.WithStringFormatValidator("date-time", openapi3.NewCallbackValidator(dateTime)),
		openapi3.WithStringFormatValidator("uuid", openapi3.NewCallbackValidator(uuid.Validate)),
	}}
	for _, ref := range doc.Components.Schemas {
		sharpen(ref.Value)
	}
	c.operations = map[string]bool{}
	for template, item := range doc.Paths.Map() {
		for method := range item.Operations() {
			c.operations[method+" "+strings.TrimPrefix(template, "/beta")] = true
		}
	}
	parameter := regexp.MustCompile(`\{[^}]+\}`)
	quotedParameter := regexp.MustCompile(`\\\{[^}]+\\\}`)
	for template, item := range doc.Paths.Map() {
		template = strings.TrimPrefix(template, "/beta")
		expression := quotedParameter.ReplaceAllString(regexp.QuoteMeta(template), `[^/]+`)
		c.paths = append(c.paths, pathPattern{
			regexp.MustCompile("^" + expression + "/?$"), item, len(parameter.ReplaceAllString(template, "")),
		})
	}
	return c, nil
})

// dateTime accepts the date-time forms in Dixa's examples: RFC 3339, optionally with
// the [GMT] of Java's ZonedDateTime.
func dateTime(text string) error {
	_, err := time.Parse(time.RFC3339Nano, strings.TrimSuffix(text, "[GMT]"))
	return err
}

var numbered = regexp.MustCompile(`[0-9]+$`)

// sharpen makes a schema as strict as Dixa's examples: _type, which the file omits,
// distinguishes the members of unions, and objects have no additional fields.
func sharpen(schema *openapi3.Schema) {
	if strings.HasPrefix(schema.Title, "Deprecated") || strings.HasPrefix(schema.Title, "BusinessHour") && len(schema.OneOf) > 0 {
		names := openapi3.NewStringSchema() // objects in the file, but strings in every example
		for _, member := range schema.OneOf {
			name := member.Ref[strings.LastIndexByte(member.Ref, '/')+1:]
			names.Enum = append(names.Enum, numbered.ReplaceAllString(name, ""))
		}
		*schema = *names
		return
	}
	// The queries of analytics have no _type in any example.
	if len(schema.OneOf) > 0 && schema.OneOf[0].Ref != "" && !strings.HasSuffix(schema.OneOf[0].Ref, "CsidFilter") {
		schema.Discriminator = &openapi3.Discriminator{PropertyName: "_type", Mapping: map[string]openapi3.MappingRef{}}
		for _, member := range schema.OneOf {
			name := member.Ref[strings.LastIndexByte(member.Ref, '/')+1:]
			name, _, _ = strings.Cut(name, "_")
			schema.Discriminator.Mapping[numbered.ReplaceAllString(name, "")] = openapi3.MappingRef{Ref: member.Ref}
		}
		return
	}
	for _, property := range schema.Properties {
		enumerate(property)
	}
	if schema.Title == "Preset" { // a string in the file, but an object in every example
		name := schema.Properties["value"]
		object := openapi3.NewObjectSchema().WithPropertyRef("_type", name)
		object.Required = []string{"_type"}
		schema.Properties["value"] = openapi3.NewOneOfSchema(name.Value, object).NewRef()
	}
	if strings.Contains(schema.Title, "_Option_") {
		schema.AdditionalProperties.Schema.Value.Nullable = true // a Scala Option: null clears
	}
	if schema.Type.Is("object") && schema.AdditionalProperties.Schema == nil && schema.AdditionalProperties.Has == nil {
		if schema.Properties == nil {
			schema.Properties = openapi3.Schemas{}
		}
		if schema.Properties["_type"] == nil {
			schema.Properties["_type"] = openapi3.NewStringSchema().NewRef()
		}
		closed := false
		schema.AdditionalProperties = openapi3.AdditionalProperties{Has: &closed}
	}
}

var listedValues = regexp.MustCompile(`values: \[([^\]]+)\]`)

// enumerate turns the values that a description lists into an enum.
func enumerate(property *openapi3.SchemaRef) {
	listed := listedValues.FindStringSubmatch(property.Value.Description)
	if property.Ref != "" || listed == nil || !property.Value.Type.Is("string") {
		return
	}
	for value := range strings.SplitSeq(listed[1], ",") {
		property.Value.Enum = append(property.Value.Enum, strings.TrimSpace(value))
	}
}

func (c *contract) operation(method, path string) *openapi3.Operation {
	var best pathPattern
	for _, candidate := range c.paths {
		if candidate.pattern.MatchString(path) && (best.item == nil || candidate.literal > best.literal) {
			best = candidate
		}
	}
	if best.item == nil {
		return nil
	}
	return best.item.GetOperation(method)
}

// undocumented are statuses that any operation may return although the file does not
// list them: 401 or 403 from the gateway and 429 from the rate limit.
var undocumented = map[int]bool{http.StatusUnauthorized: true, http.StatusForbidden: true, http.StatusTooManyRequests: true}

// checkReply validates a reply against the contract.
func (c *contract) checkReply(t *testing.T, method, path string, status int, body []byte) {
	t.Helper()
	operation := c.operation(method, path)
	require.NotNilf(t, operation, "%s %s is not an operation of the contract", method, path)
	response := operation.Responses.Status(status)
	if response == nil {
		require.Truef(t, undocumented[status], "%s %s returned %d, which the contract does not list", method, path, status)
		return
	}
	media := response.Value.Content.Get("application/json")
	if media == nil {
		require.Emptyf(t, body, "%s %s returned %d with a body, but the contract defines none", method, path, status)
		return
	}
	require.NoErrorf(t, c.visit(media.Schema, body), "%s %s returned %d with a body that violates the contract: %s", method, path, status, body)
}

// checkRequest validates an accepted request against the contract.
func (c *contract) checkRequest(t *testing.T, method, path string, body []byte) {
	t.Helper()
	operation := c.operation(method, path)
	if operation == nil || operation.RequestBody == nil {
		return
	}
	if len(body) == 0 {
		require.Falsef(t, operation.RequestBody.Value.Required, "%s %s was accepted without the required body", method, path)
		return
	}
	media := operation.RequestBody.Value.Content.Get("application/json")
	if media == nil {
		return // a form of files, which Server checks itself
	}
	require.NoErrorf(t, c.visit(media.Schema, body), "%s %s was accepted although it violates the contract: %s", method, path, body)
}

func (c *contract) visit(schema *openapi3.SchemaRef, body []byte) error {
	var value any
	if err := json.Unmarshal(body, &value); err != nil {
		return err
	}
	return schema.Value.VisitJSON(value, c.options...)
}

// requireContract returns the contract or skips the test.
func requireContract(t *testing.T) *contract {
	t.Helper()
	c, err := loadContract()
	if err != nil && err.Error() == contractHint && os.Getenv("DIXA_OPENAPI") == "" {
		t.Skip(contractHint)
	}
	require.NoError(t, err)
	return c
}

// The contract check must reject wrong replies; otherwise it proves nothing.
func TestContractCheckRejectsInvalidResponses(t *testing.T) {
	t.Parallel()
	c := requireContract(t)
	organization := c.operation(http.MethodGet, "/organization").Responses.Status(http.StatusOK).Value.Content.Get("application/json").Schema
	messages := c.operation(http.MethodGet, "/conversations/1/messages").Responses.Status(http.StatusOK).Value.Content.Get("application/json").Schema
	hours := c.operation(http.MethodGet, "/business-hours/schedules/x/definition").Responses.Status(http.StatusOK).Value.Content.Get("application/json").Schema
	records := c.operation(http.MethodPost, "/analytics/records").Responses.Status(http.StatusOK).Value.Content.Get("application/json").Schema
	templates := c.operation(http.MethodGet, "/templates").Responses.Status(http.StatusOK).Value.Content.Get("application/json").Schema
	article := c.operation(http.MethodGet, "/knowledge/articles/x").Responses.Status(http.StatusOK).Value.Content.Get("application/json").Schema
	query := c.operation(http.MethodPost, "/analytics/metrics").RequestBody.Value.Content.Get("application/json").Schema
	for i, wrong := range []struct {
		schema *openapi3.SchemaRef
		body   string
	}{
		{organization, `{"data":{"id":"x","name":"n","subdomain":"s","status":"Gone"}}`},
		{organization, `{"data":{"id":"x","name":"n","status":"Active"}}`},
		{organization, `{"data":{"id":"x","name":"n","subdomain":"s","status":"Active","extra":1}}`},
		{messages, `{"data":[{"id":"7d0e0d0a-98cc-4a4a-9be5-2d6f5ed2c3a1","authorId":"7d0e0d0a-98cc-4a4a-9be5-2d6f5ed2c3a1","createdAt":"2021-12-01T12:46:36.581Z[GMT]","attributes":{"_type":"EmailAttributes","isAutoReply":false}}]}`},
		{messages, `{"data":[{"id":"7d0e0d0a-98cc-4a4a-9be5-2d6f5ed2c3a1","authorId":"7d0e0d0a-98cc-4a4a-9be5-2d6f5ed2c3a1","createdAt":"yesterday","attributes":{"_type":"SmsAttributes"}}]}`},
		{hours, `{"data":{"schedule":{"id":"x","name":"n","timezone":"UTC","businessHours":[{"name":"Monday","businessHourType":"Regular","status":"Ajar","startDate":"2026-01-05"}]}}}`},
		{records, `{"data":[{"primaryTimestampField":{"name":"n","timestamp":"2026-01-05T00:00:00Z"},"fields":[{"name":"f","field":{"value":"x","_type":"LongField"}}]}]}`},
		{templates, `{"data":[{"id":"x","name":"n","content":"c","createdBy":"a","createdAt":"2017-09-27T14:27:54.371+00:00","_type":"Macro"}]}`},
		{templates, `{"data":[{"id":"x","name":"n","content":"c","createdBy":"a","createdAt":"2017-09-27T14:27:54.371+00:00","translations":[{"locale":"da","content":"c"}],"_type":"QuickResponse"}]}`},
		{article, `{"data":{"id":"x","createdAt":"2021-12-01T12:46:36.581Z[GMT]","updatedAt":"2021-12-01T12:46:36.581Z[GMT]"}}`},
		{article, `{"data":{"id":"x","createdAt":"2021-12-01T12:46:36.581Z[GMT]","updatedAt":"2021-12-01T12:46:36.581Z[GMT]","restrictions":{"isRestricted":false},"translation":{}}}`},
		{query, `{"id":"csat","timezone":"UTC","periodFilter":{"_type":"Preset","value":{"_type":"PreviousYear"}}}`},
		{query, `{"id":"csat","timezone":"UTC","periodFilter":{"_type":"Preset","value":"Today"},"csidFilter":[1]}`},
	} {
		require.Error(t, c.visit(wrong.schema, []byte(wrong.body)), "invalid response "+strconv.Itoa(i))
	}
}
