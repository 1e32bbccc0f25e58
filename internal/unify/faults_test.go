package unify_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/emulator/server"
	"github.com/claimflow/claimflow/unified"
)

// What Dixa refuses is passed on with its reason. Names that the token may not read are
// missing, no more.
func TestDixasRefusalsArePassedOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 12)
	list := func(resource string) *unified.Error {
		_, err := w.service.List(t.Context(), w.account, "ticketing", resource, "live=true")
		var e *unified.Error
		require.ErrorAs(t, err, &e)
		return e
	}
	w.dixa.Inject(server.Fault{Kind: server.FaultStatus, Operation: "GET /queues", Status: http.StatusForbidden})
	e := list("collections")
	require.Equal(t, http.StatusForbidden, e.StatusCode)
	require.True(t, e.Remote)
	require.NotEmpty(t, e.RawResponse)
	require.NotNil(t, e.Insight.Remote)
	require.NotEmpty(t, w.list("tickets", "live=true").Result, "the names of queues are not needed")
	w.dixa.ClearFaults()
	w.dixa.Inject(server.Fault{Kind: server.FaultStatus, Operation: "GET /tags", Status: http.StatusInternalServerError, Times: 1})
	require.Equal(t, http.StatusInternalServerError, list("tags").StatusCode)
	require.NotEmpty(t, w.list("tags", "").Result, "a failure is not kept")
	w.dixa.Inject(server.Fault{Kind: server.FaultStatus, Operation: "GET /tags", Status: http.StatusTooManyRequests, Times: 1})
	e = list("tags")
	require.Equal(t, http.StatusTooManyRequests, e.StatusCode)
	require.Positive(t, e.RetryAfter)
	require.NotNil(t, e.Insight.RateLimit)
}

// An agent who was removed in Dixa stays readable as deleted, if the mirror knows it.
func TestRemovedAgentsAreDeletedUsers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 4)
	w.enrich()
	w.mirror()
	users := len(w.list("users", "").Result)
	found := w.list("users", "email=otto@example.com").Result
	require.Len(t, found, 1)
	id, _ := found[0]["id"].(string)
	client, err := w.clients.Client(t.Context(), w.account)
	require.NoError(t, err)
	require.NoError(t, client.Agents.Delete(t.Context(), id))
	live, _ := w.get("users", id, "live=true")
	require.Equal(t, []any{"deleted", false}, []any{live["status"], live["is_active"]})
	w.importAgain()
	require.Len(t, w.list("users", "").Result, users-1)
	require.Len(t, w.list("users", "is_active=false").Result, 1)
	require.Len(t, w.list("users", "status=active,deleted").Result, users)
	gone, _ := w.get("users", id, "")
	require.Equal(t, []any{"deleted", false}, []any{gone["status"], gone["is_active"]})
	_, err = w.service.Get(t.Context(), w.account, "ticketing", "users", "00000000-0000-4000-8000-000000000000", "")
	var e *unified.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, http.StatusNotFound, e.StatusCode)
}

// Custom attributes of contacts are read once and then come from the mirror, also after
// the next import, whose list leaves them out.
func TestContactsKeepTheirAttributes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 6)
	w.enrich()
	w.mirror()
	contacts := func() (all []map[string]any, requests int) {
		before := w.dixa.Stats().Requests
		all = w.list("contacts", "limit=500").Result
		return all, w.dixa.Stats().Requests - before
	}
	first, requests := contacts()
	require.Equal(t, len(first), requests, "one for each")
	again, requests := contacts()
	require.Zero(t, requests)
	require.Equal(t, first, again)
	w.importAgain()
	again, requests = contacts()
	require.Zero(t, requests)
	require.Equal(t, first, again)
	client, err := w.clients.Client(t.Context(), w.account)
	require.NoError(t, err)
	_, err = client.EndUsers.Create(t.Context(), dixa.EndUserInput{DisplayName: "New", Email: "new@example.com"})
	require.NoError(t, err)
	require.Len(t, w.list("contacts", "email=new@example.com").Result, 1, "Dixa finds addresses")
	all := w.list("contacts", "truto_exclude_fields=custom_fields&limit=500").Result
	require.NotContains(t, all[0], "custom_fields")
}

// Dixa lists every end user for a filter without a value.
func TestFiltersOfContactsWithEmptyElements(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 24)
	w.enrich()
	for _, filter := range []string{"external_id=shop-77,,nothing", "external_id[]=&external_id[]=shop-77", "email=,nora@example.com", "phone[in]=,%2B4511223344,"} {
		for _, live := range []string{"", "&live=true"} {
			found := w.list("contacts", filter+live).Result
			require.Len(t, found, 1, filter)
			require.Equal(t, "Nora Berg", found[0]["name"], filter)
		}
	}
	empty := w.list("contacts", "external_id=,&limit=3")
	require.Len(t, empty.Result, 3, "a page, as without a filter")
	require.NotNil(t, empty.Next)
}
