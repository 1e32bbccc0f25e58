package store_test

import (
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/store"
)

func BenchmarkAccept(b *testing.B) {
	for name, s := range benchmarkStores(b) {
		b.Run(name, func(b *testing.B) {
			var id atomic.Int64
			run := strconv.Itoa(b.N)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					_, err := s.Accept(b.Context(), sample(run+"-"+strconv.FormatInt(id.Add(1), 10)))
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
					_, err := s.TakeBudget(b.Context(), "token", store.Limits{Interval: time.Microsecond, MaxWait: time.Minute, PerDay: 1 << 40})
					require.NoError(b, err)
				}
			})
		})
	}
}

// benchmarkStores opens a store with the shop "acme" in memory and in a file.
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
