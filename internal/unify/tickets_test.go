package unify_test

import (
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/unified"
)

// A ticket is the same whether it comes from the mirror or from Dixa.
func TestTicketsAreTheSameFromBothSources(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 60)
	w.mirror()
	all := w.list("tickets", "limit=500")
	require.Len(t, all.Result, len(w.dixa.Truth()))
	for _, listed := range all.Result {
		id, _ := listed["id"].(string)
		mirrored, source := w.get("tickets", id, "")
		require.False(t, source.Live)
		require.Equal(t, listed, mirrored)
		live, source := w.get("tickets", id, "live=true&truto_ignore_remote_data=true")
		require.True(t, source.Live)
		delete(mirrored, "remote_data")
		require.Equal(t, mirrored, live, "ticket %s", id)
	}
}

// Pages cover the list without gap or repeat, forwards and backwards.
func TestTicketPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 60)
	w.mirror()
	for _, order := range []string{"", "sort_by[created_at]=asc&", "sort_by[updated_at]=desc&", "sort_by[updated_at]=asc&"} {
		all := w.list("tickets", order+"limit=500").Result
		var forwards []map[string]any
		var last page
		for cursor := ""; ; cursor = *last.Next {
			last = w.list("tickets", order+"limit=7&next_cursor="+url.QueryEscape(cursor))
			forwards = append(forwards, last.Result...)
			if last.Next == nil {
				break
			}
		}
		require.Equal(t, all, forwards, order)
		backwards := last.Result
		for last.Previous != nil {
			last = w.list("tickets", order+"limit=7&prev_cursor="+url.QueryEscape(*last.Previous))
			backwards = append(append([]map[string]any{}, last.Result...), backwards...)
		}
		require.Equal(t, all, backwards, order)
	}
}

// Filters select the same tickets from the mirror and from Dixa: those whose fields
// fulfill them.
func TestTicketFilters(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 80)
	w.mirror()
	all := w.list("tickets", "limit=500").Result
	some := func(path string) string {
		for _, o := range all[len(all)/2:] {
			if found := unified.Document(o).Values(path); len(found) > 0 {
				return found[0]
			}
		}
		require.Fail(t, "no ticket has a "+path)
		return ""
	}
	created := some("created_at")
	for _, query := range []string{
		"status=open,pending", "status=closed&ticket_type=Email", "assignees[id]=" + some("assignees.id"), "contact[id]=" + some("contact.id"),
		"tags=" + some("tags.name"), "tags[id]=" + some("tags.id"), "tags[id]=" + some("tags.id") + "&tags[name]=" + some("tags.name"), "tags=no-such-tag",
		"created_at[gt]=" + created, "created_at[gte]=" + created, "created_at[lt]=" + created, "created_at[lte]=" + created, "created_at[eq]=" + created,
		"created_at[gt]=" + created + "&created_at[lte]=" + all[0]["created_at"].(string), //nolint:errcheck,forcetypeassert // a ticket has it
		"updated_at[gte]=" + some("updated_at") + "&status=closed", "closed_at[lt]=" + some("closed_at"), "ticket_type[id]=Email,Sms",
	} {
		parsed, err := unified.ParseQuery(query, ticketFilters(t))
		require.NoError(t, err)
		want := []string{}
		for _, o := range all {
			if parsed.Matches(o) {
				want = append(want, o["id"].(string)) //nolint:errcheck,forcetypeassert // a ticket has it
			}
		}
		require.Equal(t, want, ids(w.walk("ticketing", "tickets", query)), query)
		require.ElementsMatch(t, want, ids(w.walk("ticketing", "tickets", query+"&live=true")), query)
	}
	queue := ""
	for _, o := range all {
		for _, c := range unified.Document(o).Values("collections.id") {
			if !strings.Contains(c, "@") {
				queue = c
			}
		}
	}
	require.ElementsMatch(t, ids(w.walk("ticketing", "tickets", "collections[id]="+queue)), ids(w.walk("ticketing", "tickets", "live=true&collections[id]="+queue)))
}

func ticketFilters(t *testing.T) *unified.Filters {
	t.Helper()
	r, err := unified.ResourceOf(unified.ModelTicketing, "tickets")
	require.NoError(t, err)
	m, _ := r.Method(unified.MethodList)
	return m.Filters()
}

func ids(all []map[string]any) []string {
	out := []string{}
	for _, o := range all {
		id, _ := o["id"].(string)
		out = append(out, id)
	}
	return out
}

// Pages of the other lists cover them too.
func TestPagesOfOtherLists(t *testing.T) {
	t.Parallel()
	for name, database := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pagesOfOtherLists(t, newWorldOn(t, 40, database(t)))
		})
	}
}

func pagesOfOtherLists(t *testing.T, w *world) {
	t.Helper()
	w.enrich()
	w.mirror()
	ticket := strconv.FormatInt(w.dixa.Truth()[0].ID, 10)
	w.list("comments", "ticket_id="+ticket)
	for resource, orders := range map[string][]string{
		"tags": {"", "sort_by[name]=desc&", "sort_by[id]=asc&"}, "users": {"", "sort_by[created_at]=desc&"}, "collections": {"sort_by[type]=desc&"},
		"contacts": {"", "sort_by[id]=desc&"}, "comments": {"ticket_id=" + ticket + "&", "sort_by[created_at]=desc&ticket_id=" + ticket + "&"},
	} {
		for _, order := range orders {
			all := w.list(resource, order+"limit=500").Result
			require.NotEmpty(t, all, resource)
			var forwards []map[string]any
			var last page
			for cursor := ""; ; cursor = *last.Next {
				last = w.list(resource, order+"limit=2&next_cursor="+url.QueryEscape(cursor))
				forwards = append(forwards, last.Result...)
				if last.Next == nil {
					break
				}
			}
			require.Equal(t, ids(all), ids(forwards), "%s %s", resource, order)
			back := last.Result
			for last.Previous != nil {
				last = w.list(resource, order+"limit=2&prev_cursor="+url.QueryEscape(*last.Previous))
				back = append(append([]map[string]any{}, last.Result...), back...)
			}
			require.Equal(t, ids(all), ids(back), "%s %s", resource, order)
		}
	}
}
