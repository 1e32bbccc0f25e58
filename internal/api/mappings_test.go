package api_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/client"
	emulator "github.com/claimflow/claimflow/emulator/server"
)

func TestMappingsOfAnAccount(t *testing.T) {
	t.Parallel()
	s := newShelf(t, 5)
	path := "/integrated-account/" + s.account + "/mappings"
	reader, writer := s.key("acme", client.ScopeUnifiedRead), s.key("acme", client.ScopeUnifiedRead, client.ScopeUnifiedWrite)
	get := func(field string) client.FieldMapping {
		r := s.bench.send("GET", path+"/"+field, reader, "")
		require.Equal(t, http.StatusOK, r.StatusCode, r.text)
		var m client.FieldMapping
		require.NoError(t, json.Unmarshal([]byte(r.text), &m))
		return m
	}
	before := get("ticket_types")
	require.Empty(t, before.Values)
	require.Contains(t, jsonOf(t, before.Unmapped), `{"value":"Email","name":"Email","category":null}`)

	_ = s.bench.send("PUT", path+"/ticket_types", reader, `{"mapping": {"Email": "written"}}`).unifiedError(t, http.StatusForbidden)
	saved := s.bench.send("PUT", path+"/ticket_types", writer, `{"mapping": {"Email": "written", "Fax": "written"}}`)
	require.Equal(t, http.StatusOK, saved.StatusCode, saved.text)
	after := get("ticket_types")
	require.Equal(t, map[string]string{"Email": "written", "Fax": "written"}, after.Mapping)
	require.Len(t, after.Unmapped, len(before.Unmapped)-1)
	require.JSONEq(t, `[{"value":"Email","name":"Email","category":"written"},{"value":"Fax","name":null,"category":"written"}]`, jsonOf(t, after.Values))
	one := s.object(in("/unified/ticketing/ticket_types/Email", s.account))
	require.Equal(t, "written", one["category"])

	e := s.bench.send("PUT", path+"/collections", writer, `{"mapping": {"": "x", "q": " "}}`).unifiedError(t, http.StatusBadRequest)
	require.Len(t, e.Details.Failures, 2, "every fault must be listed")
	for _, body := range []string{"", "[]", `{"mapping": null}`, `{"mapping": {"q": 1}}`} {
		_ = s.bench.send("PUT", path+"/collections", writer, body).unifiedError(t, http.StatusBadRequest)
	}
	_ = s.bench.send("GET", path+"/priority", reader, "").unifiedError(t, http.StatusNotFound)
	_ = s.bench.send("GET", "/integrated-account/nobody/mappings", s.secret, "").unifiedError(t, http.StatusNotFound)
	list := s.object(path)
	require.Len(t, list["result"], 3)
	deleted := s.bench.send("DELETE", path+"/ticket_types", writer, "")
	require.JSONEq(t, `{"id": "ticket_types"}`, deleted.text)
	require.Equal(t, before, get("ticket_types"))
}

func jsonOf(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	require.NoError(t, err)
	return string(text)
}

func TestWritesTakeCategories(t *testing.T) {
	t.Parallel()
	b := newWriteBench(t, emulator.Switches{})
	ctx := t.Context()
	require.NoError(t, b.store.Mappings.Replace(ctx, b.account, "collections", map[string]string{emulator.SeedQueueClaims: "claims", "q-2": "two", "q-3": "two"}))
	require.NoError(t, b.store.Mappings.Replace(ctx, b.account, "ticket_status", map[string]string{"closed": "done"}))
	id := b.ticket()
	path := "/unified/ticketing/tickets/" + id
	changed := b.done("PATCH", path, `{"collections": [{"category": "claims"}], "status": {"category": "done"}}`)
	require.Equal(t, map[string]any{"id": "closed", "name": "closed", "category": "done"}, changed["status"])
	c := b.conversation()
	require.Equal(t, emulator.SeedQueueClaims, c.QueueID)

	ambiguous := b.send("PATCH", path, "", `{"collections": [{"category": "two"}]}`)
	require.Equal(t, http.StatusBadRequest, ambiguous.status)
	require.Contains(t, ambiguous.raw, "q-2, q-3")

	// The same request after the mapping changed is the same write.
	body := `{"status": {"category": "done"}}`
	first := b.send("PATCH", path, "key-1", body)
	require.Equal(t, http.StatusOK, first.status, first.raw)
	require.NoError(t, b.store.Mappings.Replace(ctx, b.account, "ticket_status", map[string]string{"open": "done"}))
	again := b.send("PATCH", path, "key-1", body)
	require.Equal(t, first.raw, again.raw)
	require.NoError(t, b.store.Mappings.Replace(ctx, b.account, "ticket_status", map[string]string{}))
	require.Equal(t, http.StatusBadRequest, b.send("PATCH", path, "", body).status, "the category is gone")
	require.Equal(t, first.raw, b.send("PATCH", path, "key-1", body).raw)
	b.settings(`{"read_only": true}`)
	require.Equal(t, first.raw, b.send("PATCH", path, "key-1", body).raw)
	require.Equal(t, http.StatusConflict, b.send("PATCH", path, "key-1", `{"status": {"category": "other"}}`).status)
}

func TestEndpointsOfRecordsNeedAScope(t *testing.T) {
	t.Parallel()
	s := newShelf(t, 1)
	wanted := `{"url": "` + hook + `", "event_types": ["record:created"], "resources": ["ticketing/tickets"]}`
	lacks := s.bench.send("POST", endpointAt("acme"), s.key("acme", client.ScopeShopsWrite), wanted)
	require.Equal(t, http.StatusForbidden, lacks.StatusCode, lacks.text)
	added := s.bench.send("POST", endpointAt("acme"), s.key("acme", client.ScopeShopsWrite, client.ScopeUnifiedRead), wanted)
	require.Equal(t, http.StatusCreated, added.StatusCode, added.text)
	var e client.EndpointWithSecret
	require.NoError(t, json.Unmarshal([]byte(added.text), &e))
	moved := s.bench.send("PATCH", endpointAt("acme")+"/"+e.ID, s.key("acme", client.ScopeShopsWrite), `{"url": "`+hook+`/other"}`)
	require.Equal(t, http.StatusForbidden, moved.StatusCode, "records went elsewhere without the scope")

	for _, body := range []string{
		`{"url": "` + hook + `", "resources": ["ticketing/tickets"]}`, `{"url": "` + hook + `", "history": true}`,
		`{"url": "` + hook + `", "event_types": ["record:created"], "resources": ["ticketing/roles"]}`,
		`{"url": "staff@shop.example", "kind": "email", "event_types": ["record:created"]}`,
		`{"url": "` + hook + `", "kind": "karla", "user": "u", "password": "p", "event_types": ["record:created"]}`,
	} {
		r := s.bench.send("POST", endpointAt("acme"), s.secret, body)
		require.Equal(t, http.StatusUnprocessableEntity, r.StatusCode, "%s: %s", body, r.text)
	}
	s.connected("second") // to the same organization
	shared := s.bench.send("POST", endpointAt("acme"), s.secret, wanted)
	require.Equal(t, http.StatusUnprocessableEntity, shared.StatusCode, "records of two shops went to one")
	require.Contains(t, shared.text, "cannot be divided by shop")
	platform := s.bench.send("POST", endpointAt(""), s.secret, wanted)
	require.Equal(t, http.StatusCreated, platform.StatusCode, platform.text)
}
