package unify_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/emulator/server"
)

// maps gives a category to every value of a field that Dixa has. An empty one is none.
func (w *world) maps(field string, of func(value string) string) {
	w.Helper()
	present, err := w.service.Mapping(w.Context(), w.account, field)
	require.NoError(w, err)
	categories := map[string]string{}
	for _, v := range present.Unmapped {
		if category := of(v.Value); category != "" {
			categories[v.Value] = category
		}
	}
	_, err = w.service.SaveMapping(w.Context(), w.account, field, categories)
	require.NoError(w, err)
}

func TestCategoriesAreTheSameEverywhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 40)
	w.maps("ticket_types", func(channel string) string {
		if channel == "Email" {
			return "written"
		}
		return ""
	})
	w.maps("collections", func(id string) string {
		if id == server.SeedQueueClaims || id == server.SeedMailbox {
			return "claims"
		}
		return ""
	})
	w.mirror()
	h := w.hears(claim.NewEndpoint{EventTypes: []string{claim.RecordCreated}, Resources: []string{"ticketing/tickets"}, History: true})
	w.deliver()
	told := map[any]any{}
	for _, e := range h.taken() {
		var record map[string]any
		require.NoError(t, json.Unmarshal(e.Data.Record, &record))
		told[record["id"]] = record["ticket_type"]
	}
	for _, source := range []string{"", "&live=true"} {
		all := map[any]any{}
		for next := ""; ; {
			p := w.list("tickets", "limit=20&ticket_type[category]=written&next_cursor="+next+source)
			for _, ticket := range p.Result {
				all[ticket["id"]] = ticket["ticket_type"]
				require.Equal(t, map[string]any{"id": "Email", "name": "Email", "category": "written"}, ticket["ticket_type"])
				require.Equal(t, told[ticket["id"]], ticket["ticket_type"], "the event has another category")
			}
			if p.Next == nil {
				break
			}
			next = *p.Next
		}
		require.NotEmpty(t, all, source)
		for id, kind := range told {
			if kind.(map[string]any)["id"] == "Email" { //nolint:errcheck,forcetypeassert // a reference
				require.Contains(t, all, id, source)
			}
		}
		require.Empty(t, w.list("tickets", "ticket_type[category]=spoken"+source).Result)
		var ids []any
		for _, c := range w.list("collections", "category=claims"+source).Result {
			ids = append(ids, c["id"])
		}
		require.ElementsMatch(t, []any{server.SeedQueueClaims, server.SeedMailbox}, ids, source)
		for _, ticket := range w.list("tickets", "collections[category]=claims"+source).Result {
			require.Contains(t, ticket["collections"], map[string]any{"id": server.SeedQueueClaims, "name": "Claims", "type": "queue", "category": "claims"}, source)
		}
	}
	unmapped := 0
	for _, kind := range told {
		kind := kind.(map[string]any) //nolint:errcheck,forcetypeassert // a reference
		if kind["id"] == "Email" {
			continue
		}
		unmapped++
		require.Nil(t, kind["category"])
		tickets := w.list("tickets", "ticket_type="+kind["id"].(string)).Result //nolint:errcheck,forcetypeassert // an id
		require.NotEmpty(t, tickets)
		require.Equal(t, kind, tickets[0]["ticket_type"])
	}
	require.NotZero(t, unmapped, "every conversation is an email")
}
