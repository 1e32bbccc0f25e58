package unify_test

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"
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
