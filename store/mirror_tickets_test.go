package store_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/store"
)

// A page of the tickets of a customer or an agent reads only those of its own.
func TestPlansOfTicketLists(t *testing.T) {
	t.Parallel()
	s, _ := setup(t, "sqlite::memory:")
	place := &store.TicketPlace{At: began, ID: 7}
	for name, c := range map[string]struct {
		query store.TicketsQuery
		index string
	}{
		"all":          {store.TicketsQuery{Order: store.TicketsByCreation}, "figures_by_created (connection_id=?)"},
		"by activity":  {store.TicketsQuery{Order: store.TicketsByActivity, Descending: true, From: place}, "figures_by_activity (connection_id=? AND (last_activity_at,conversation_id)<(?,?))"},
		"a customer's": {store.TicketsQuery{Order: store.TicketsByCreation, Requesters: []string{"u-1"}}, "figures_by_requester (connection_id=? AND requester_id=?)"},
		"an agent's": {
			store.TicketsQuery{Order: store.TicketsByCreation, Descending: true, Assignees: []string{"a-1"}, From: place},
			"figures_by_assignee (connection_id=? AND assignee_id=? AND (created_at,conversation_id)<(?,?))",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			query, args := c.query.SQL("c-1", 51)
			rows, err := s.DB().QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+query, args...)
			require.NoError(t, err)
			defer func() { require.NoError(t, rows.Close()) }()
			var plan []string
			for rows.Next() {
				var id, parent, unused int
				var step string
				require.NoError(t, rows.Scan(&id, &parent, &unused, &step))
				plan = append(plan, step)
			}
			require.NoError(t, rows.Err())
			require.Contains(t, plan[0], c.index)
			require.NotContains(t, strings.Join(plan, "\n"), "TEMP B-TREE", "the index has the order")
		})
	}
}
