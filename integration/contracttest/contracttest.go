// Package contracttest checks requests against Dixa's OpenAPI file, in tests. The file
// belongs to Dixa and is not part of this project.
package contracttest

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"
)

// Path returns the path of Dixa's OpenAPI file: that in DIXA_OPENAPI, or the one in a folder
// beside the checkout. It is empty if there is none.
func Path() string {
	path := os.Getenv("DIXA_OPENAPI")
	if path == "" {
		path = filepath.Join(checkout(), "..", "shared", "dixa", "openapi.yaml")
	}
	if _, err := os.Stat(path); err != nil { //nolint:gosec // the test's own configuration
		return ""
	}
	return path
}

// checkout returns the folder with go.work above the working directory.
func checkout() string {
	folder, err := os.Getwd()
	for err == nil && folder != filepath.Dir(folder) {
		if _, missing := os.Stat(filepath.Join(folder, "go.work")); missing == nil {
			return folder
		}
		folder = filepath.Dir(folder)
	}
	return ""
}

// Document reads the OpenAPI file. The test is skipped if there is none.
func Document(tb testing.TB) *openapi3.T {
	tb.Helper()
	path := Path()
	if path == "" {
		tb.Skip("Dixa's OpenAPI file is not beside the checkout. Dixa publishes it under https://docs.dixa.io/openapi/; set DIXA_OPENAPI to its path.")
	}
	doc, err := openapi3.NewLoader().LoadFromFile(path)
	if err != nil {
		tb.Fatalf("read Dixa's OpenAPI file: %v", err)
	}
	return doc
}

// Router finds the operation of a request in the contract. The test is skipped if there is
// no OpenAPI file.
func Router(tb testing.TB) routers.Router {
	tb.Helper()
	router, err := newRouter(Document(tb))
	if err != nil {
		tb.Fatalf("read Dixa's OpenAPI file: %v", err)
	}
	return router
}

func newRouter(doc *openapi3.T) (routers.Router, error) {
	doc.Servers = openapi3.Servers{{URL: "/"}}
	discriminate(doc)
	// Some published examples contradict their schemas.
	return legacy.NewRouter(doc, openapi3.DisableExamplesValidation())
}

// Check reports how a request breaks the contract. route is nil if it has no operation.
func Check(router routers.Router, r *http.Request) (route *routers.Route, err error) {
	route, pathParams, err := router.FindRoute(r)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", r.Method, r.URL.Path, err)
	}
	err = openapi3filter.ValidateRequest(r.Context(), &openapi3filter.RequestValidationInput{
		Request: r, PathParams: pathParams, Route: route,
		Options: &openapi3filter.Options{
			AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, RejectWhenRequestBodyNotSpecified: true, SkipSettingDefaults: true,
		},
	})
	for name := range r.URL.Query() {
		if err == nil && route.Operation.Parameters.GetByInAndName(openapi3.ParameterInQuery, name) == nil {
			err = fmt.Errorf("query parameter %q is not in the contract", name)
		}
	}
	if err != nil {
		err = fmt.Errorf("%s %s: %w", r.Method, r.URL.Path, err)
	}
	return route, err
}

var loaded = sync.OnceValues(func() (routers.Router, error) {
	path := Path()
	if path == "" {
		return nil, nil //nolint:nilnil // no file is no error
	}
	doc, err := openapi3.NewLoader().LoadFromFile(path)
	if err != nil {
		return nil, err
	}
	return newRouter(doc)
})

// Handler passes requests on to next. Those to /v1/ that break the contract fail the test.
// It checks nothing if there is no OpenAPI file.
func Handler(tb testing.TB, next http.Handler) http.Handler {
	tb.Helper()
	router, err := loaded()
	if err != nil {
		tb.Fatalf("read Dixa's OpenAPI file: %v", err)
	}
	if router == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if path, ok := strings.CutPrefix(r.URL.Path, "/v1"); ok {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				return // the client has gone
			}
			checked := r.Clone(r.Context())
			// The file describes the API under /beta.
			checked.URL.Path, checked.URL.RawPath = "/beta"+path, ""
			if raw, ok := strings.CutPrefix(r.URL.RawPath, "/v1"); ok {
				checked.URL.RawPath = "/beta" + raw
			}
			checked.Body = io.NopCloser(bytes.NewReader(body))
			if _, err := Check(router, checked); err != nil {
				tb.Errorf("a request breaks Dixa's contract: %v", err)
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
		}
		next.ServeHTTP(w, r)
	})
}

var numericSuffix = regexp.MustCompile(`\d+$`)

// discriminate adds a rule that the document omits: _type distinguishes the members
// of a union, and its value is the schema's name without its number. Otherwise a
// request matches several members or the wrong one. discriminate also closes every
// object, so that a misspelled member is detected, and admits null where the schema's name
// says that values are optional: null clears a custom attribute.
func discriminate(doc *openapi3.T) {
	for name, ref := range doc.Components.Schemas {
		schema := ref.Value
		if strings.Contains(name, "_Option_") && schema.AdditionalProperties.Schema != nil {
			schema.AdditionalProperties.Schema.Value.Nullable = true
		}
		if schema.Type.Is("object") && len(schema.Properties) > 0 && schema.AdditionalProperties.Schema == nil {
			if schema.Properties["_type"] == nil {
				schema.Properties["_type"] = openapi3.NewStringSchema().NewRef()
			}
			closed := false
			schema.AdditionalProperties.Has = &closed
		}
		if schema.Title == "Preset" { // its value is a string here, but an object in every example
			object := openapi3.NewObjectSchema().WithProperty("_type", schema.Properties["value"].Value)
			schema.Properties["value"] = object.NewRef()
		}
		if len(schema.OneOf) > 0 && strings.HasSuffix(schema.OneOf[0].Ref, "CsidFilter") {
			continue // the queries of analytics have no _type in any example
		}
		mapping := map[string]openapi3.MappingRef{}
		for _, member := range schema.OneOf {
			if member.Ref != "" && member.Value.Type.Is("object") {
				name := member.Ref[strings.LastIndex(member.Ref, "/")+1:]
				mapping[numericSuffix.ReplaceAllString(name, "")] = openapi3.MappingRef(*member)
			}
		}
		if len(mapping) > 0 && len(mapping) == len(schema.OneOf) {
			schema.Discriminator = &openapi3.Discriminator{PropertyName: "_type", Mapping: mapping}
		}
	}
}
