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

func benchmarkStores(b *testing.B, bench func(b *testing.B, s *store.Store)) {
	b.Helper()
	for name, url := range map[string]func(b *testing.B) string{
		"memory": func(*testing.B) string { return "sqlite::memory:" },
		"file":   func(b *testing.B) string { return "sqlite:" + filepath.Join(b.TempDir(), "claimflow.db") },
	} {
		b.Run(name, func(b *testing.B) {
			s := open(b, url(b), newKeys(b))
			addShop(b, s, "acme")
			b.ResetTimer()
			bench(b, s)
		})
	}
}

func BenchmarkAccept(b *testing.B) {
	var id atomic.Int64
	benchmarkStores(b, func(b *testing.B, s *store.Store) {
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				_, err := s.Accept(b.Context(), sample(strconv.FormatInt(id.Add(1), 10)))
				require.NoError(b, err)
			}
		})
	})
}

func BenchmarkTakeBudget(b *testing.B) {
	benchmarkStores(b, func(b *testing.B, s *store.Store) {
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				_, err := s.TakeBudget(b.Context(), "token", store.Limits{Interval: time.Microsecond, MaxWait: time.Minute, PerDay: 1 << 40})
				require.NoError(b, err)
			}
		})
	})
}
