package store_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/store"
)

func TestOpenErrors(t *testing.T) {
	t.Parallel()
	keys := newKeys(t)
	for name, c := range map[string]struct{ url, says string }{
		"empty":        {"", "must be"},
		"unsupported":  {"mysql://localhost/claimflow", "must be"},
		"no path":      {"sqlite:", "has no path"},
		"no directory": {"sqlite:" + filepath.Join(t.TempDir(), "missing", "x.db"), "does not exist; create it first"},
		"a directory":  {"sqlite:" + t.TempDir(), "open the store"},
		"bad address":  {"postgres://claimflow:s3cr3t%zz@localhost/x", "URL is invalid"},
		"bad option":   {"postgres://claimflow:s3cr3t@localhost/x?sslmode=perhaps", "URL is invalid"},
		"unreachable":  {"postgres://claimflow:s3cr3t@127.0.0.1:1/x?sslmode=disable", "connect to PostgreSQL at 127.0.0.1:1: dial tcp 127.0.0.1:1: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := store.Open(t.Context(), c.url, keys)
			require.ErrorContains(t, err, c.says)
			require.NotContains(t, err.Error(), "s3cr3t", "the error must not contain the password")
			require.NotContains(t, err.Error(), "\n", "the error must be one line")
		})
	}
	_, err := store.Open(t.Context(), memory, nil)
	require.ErrorContains(t, err, "starter keyring new")
}

func TestReopenFindsWrittenData(t *testing.T) {
	t.Parallel()
	for name, database := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := database(t)
			keys := newKeys(t)
			s, err := store.Open(t.Context(), url, keys)
			require.NoError(t, err)
			require.NoError(t, s.Ping(t.Context()))
			addShop(t, s, "acme")
			accept(t, s, sample("1"))
			require.NoError(t, s.Close())
			require.Error(t, s.Ping(t.Context()))

			again := open(t, url, keys)
			_, err = again.Claims.Record(t.Context(), ref("1"))
			if url == memory {
				require.ErrorIs(t, err, store.ErrNotFound, "stores in memory must be isolated")
				return
			}
			require.NoError(t, err)
		})
	}
}

func TestConcurrentOpenOfANewStore(t *testing.T) {
	t.Parallel()
	for name, database := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := database(t)
			if url == memory {
				t.Skip("stores in memory are isolated")
			}
			keys := newKeys(t)
			stores := make([]*store.Store, 6)
			errs := atOnce(len(stores), func(i int) (err error) {
				stores[i], err = store.Open(t.Context(), url, keys)
				return err
			})
			require.NoError(t, errors.Join(errs...))
			addShop(t, stores[0], "acme")
			connection := connect(t, stores[0], "acme", "org-1")
			require.NoError(t, stores[0].Customers.Remember(t.Context(), connection.ID, []string{adaMail}, "eu-1", ""))
			for i, s := range stores {
				require.Equal(t, "eu-1", endUser(t, s, connection.ID, adaMail), "store %d must hash with the same key", i)
				require.NoError(t, s.Close())
			}
		})
	}
}

// A canceled call must not lose the data of an in-memory store.
func TestCanceledCallsLeaveTheStoreConsistent(t *testing.T) {
	t.Parallel()
	for name, database := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := database(t)
			s := open(t, url, newKeys(t))
			addShop(t, s, "acme")
			canceled, cancel := context.WithCancel(t.Context())
			cancel()
			for range 20 {
				_, err := s.Claims.Accept(canceled, sample("1"))
				require.ErrorIs(t, err, context.Canceled)
				_, err = s.Claims.Record(canceled, ref("1"))
				require.ErrorIs(t, err, context.Canceled)
			}
			accept(t, s, sample("1"))
		})
	}
}
