package unify_test

import (
	"encoding/json"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/mirror"
	"github.com/claimflow/claimflow/store"
)

// BenchmarkTicketPage lists a page of 50 tickets from a mirror of 10,000, and in the same
// run
//
//   - runs the bare query that reads the same 50 conversations,
//   - lists 50 tickets of an emulated Dixa and gets each, as a client without the mirror
//     does: a search and a read of each. The emulator answers at once and the budget is
//     not limited, so the real time is dominated by Dixa's 10 requests per second.
//
// Run it by
//
//	go test ./internal/unify -run '^$' -bench TicketPage -benchtime 300x
func BenchmarkTicketPage(b *testing.B) {
	w := newWorldOn(b, 120, "sqlite:"+b.TempDir()+"/bench.db")
	w.mirror()
	w.tickets(100_000, 10_000)
	var customers []mirror.DirectoryEntry
	for i := range 500 {
		id := "u-" + strconv.Itoa(i)
		customers = append(customers, mirror.DirectoryEntry{
			ID: id, Name: "Customer " + id, Object: json.RawMessage(`{"id":"` + id + `","displayName":"Customer ` + id + `","email":"` + id + `@example.com","additionalEmails":[],"additionalPhoneNumbers":[]}`),
		})
	}
	_, err := w.store.Mirror.SaveDirectory(b.Context(), w.account, mirror.KindEndUser, customers, time.Now())
	require.NoError(b, err)
	client, err := w.clients.Client(b.Context(), w.account)
	require.NoError(b, err)
	for name, one := range map[string]func(){
		"unified": func() {
			_, err := w.service.List(b.Context(), w.account, "ticketing", "tickets", "limit=50")
			require.NoError(b, err)
		},
		"query": func() {
			found, _, err := w.store.Mirror.Tickets(b.Context(), w.account, store.TicketsQuery{Order: store.TicketsByCreation, Descending: true}, 50)
			require.NoError(b, err)
			require.Len(b, found, 50)
		},
		"live": func() {
			hits, _, err := client.Conversations.SearchPage(b.Context(), dixa.SearchQuery{PageLimit: 50}, "")
			require.NoError(b, err)
			require.Len(b, hits, 50)
			for _, hit := range hits {
				_, err := w.service.Get(b.Context(), w.account, "ticketing", "tickets", strconv.FormatInt(hit.ID, 10), "live=true")
				require.NoError(b, err)
			}
		},
	} {
		b.Run(name, func(b *testing.B) {
			requests := w.dixa.Stats().Requests
			var took []time.Duration
			for b.Loop() {
				start := time.Now()
				one()
				took = append(took, time.Since(start))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
			b.ReportMetric(float64(w.dixa.Stats().Requests-requests)/float64(len(took)), "requests/op")
		})
	}
}
