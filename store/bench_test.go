package store_test

import (
	"fmt"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/integration/pgtest"
	"github.com/claimflow/claimflow/store"
)

func BenchmarkAccept(b *testing.B) {
	for name, s := range benchmarkStores(b) {
		b.Run(name, func(b *testing.B) {
			var id atomic.Int64
			run := strconv.Itoa(b.N)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					_, err := s.Claims.Accept(b.Context(), sample(run+"-"+strconv.FormatInt(id.Add(1), 10)))
					require.NoError(b, err)
				}
			})
		})
	}
}

func BenchmarkTakeBudget(b *testing.B) {
	for name, s := range benchmarkStores(b) {
		b.Run(name, func(b *testing.B) {
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					_, err := s.Budget.Take(b.Context(), "token", store.BudgetLimits{Interval: time.Microsecond, MaxWait: time.Minute, PerDay: 1 << 40})
					require.NoError(b, err)
				}
			})
		})
	}
}

// BenchmarkReceive measures Inbox.Receive with concurrent senders.
func BenchmarkReceive(b *testing.B) {
	for name, database := range map[string]func(testing.TB) string{
		"file": func(tb testing.TB) string {
			tb.Helper()
			return "sqlite:" + filepath.Join(tb.TempDir(), "claimflow.db")
		},
		"postgres": pgtest.Durable,
	} {
		for _, senders := range []int{1, 8, 64} {
			b.Run(fmt.Sprintf("%s/senders=%d", name, senders), func(b *testing.B) {
				s := open(b, database(b), newKeys(b))
				addShop(b, s, "acme")
				c, err := s.Connections.SaveToken(b.Context(), "acme", tokenA, store.Organization{ID: "org-1", Name: "Org"})
				require.NoError(b, err)
				var id atomic.Int64
				var done sync.WaitGroup
				b.ResetTimer()
				for range senders {
					done.Go(func() {
						for i := id.Add(1); i <= int64(b.N); i = id.Add(1) {
							_, err := s.Inbox.Receive(b.Context(), c.ID, closed(strconv.FormatInt(i, 10), "org-1", i%1000))
							if err != nil {
								b.Error(err)
							}
						}
					})
				}
				done.Wait()
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
			})
		}
	}
}

// benchmarkStores opens an in-memory store and a file store, each with the shop "acme".
func benchmarkStores(b *testing.B) map[string]*store.Store {
	b.Helper()
	stores := map[string]*store.Store{
		"memory": open(b, memory, newKeys(b)),
		"file":   open(b, "sqlite:"+filepath.Join(b.TempDir(), "claimflow.db"), newKeys(b)),
	}
	for _, s := range stores {
		addShop(b, s, "acme")
	}
	return stores
}
