package store_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/internal/seal"
	"github.com/claimflow/claimflow/mirror"
	"github.com/claimflow/claimflow/store"
)

// fill writes to every encrypted column.
func fill(t *testing.T, s *store.Store, claims int) {
	t.Helper()
	ctx := t.Context()
	connection, err := s.Connections.SaveToken(ctx, "acme", tokenA, store.Organization{ID: "org-1"})
	require.NoError(t, err)
	for _, secret := range []string{secretA, secretB} {
		require.NoError(t, s.Subscriptions.Save(ctx, connection.ID, store.SavedSubscription{ID: "sub-1", URL: "https://a.example/x", Secret: secret}))
	}
	_, err = s.Inbox.Receive(ctx, connection.ID, closed("e-1", "org-1", 7))
	require.NoError(t, err)
	require.NoError(t, s.Customers.Remember(ctx, connection.ID, []string{adaMail, adaPhone}, "eu-1", ""))
	require.NoError(t, s.Connections.SaveExportsToken(ctx, connection.ID, tokenB))
	_, err = s.DataSources.Create(ctx, connection.ID, claim.DataSource{Title: "all", From: began})
	require.NoError(t, err)
	entries := []mirror.DirectoryEntry{{ID: "eu-1", Name: "Ada Lovelace", Object: json.RawMessage(`{"email":"ada@customer.example"}`)}}
	_, err = s.Mirror.SaveDirectory(ctx, connection.ID, mirror.KindEndUser, entries, began)
	require.NoError(t, err)
	for i := range int64(claims) {
		_, err = s.Mirror.Merge(ctx, everything(t, connection.ID, 7+i))
		require.NoError(t, err)
	}
	for i := range claims {
		r := accept(t, s, sample(fmt.Sprint(i)))
		require.NoError(t, s.Claims.SaveDraft(ctx, r, "ticket", "The vase arrived in pieces."))
		_, err := s.Claims.Change(ctx, r, claim.EventStart, store.ClaimUpdate{Outbox: []store.OutboxEvent{
			{ID: "started", Type: "started", Body: json.RawMessage(`"from ada@customer.example"`)},
		}})
		require.NoError(t, err)
	}
}

func TestPersonalDataAndSecretsAreEncryptedOnDisk(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	path := filepath.Join(folder, "claimflow.db")
	s, err := store.Open(t.Context(), "sqlite:"+path, newKeys(t))
	require.NoError(t, err)
	addShop(t, s, "acme")
	fill(t, s, 3)
	_, secret, err := s.APIKeys.Create(t.Context(), claim.NewKey{Name: "k", Scopes: []string{"admin"}})
	require.NoError(t, err)
	require.NoError(t, s.AuditLog.Append(t.Context(), claim.AuditEntry{Actor: "cli", Action: "token.save", Details: map[string]string{"token": tokenA}}))

	grep := func() {
		files, err := filepath.Glob(path + "*")
		require.NoError(t, err)
		all := ""
		for _, name := range files {
			data, err := os.ReadFile(name)
			require.NoError(t, err)
			all += strings.ToLower(string(data))
		}
		require.Contains(t, all, "partial_damage", "the test must see the written data")
		for _, personal := range []string{"ada@customer.example", "lovelace", "vase arrived", "img.example", "4915112345678", tokenA, tokenB, secret, secretA, secretB, "19.90"} {
			require.NotContains(t, all, strings.ToLower(personal))
		}
	}
	grep() // includes the write-ahead log
	require.NoError(t, s.Close())
	files, err := filepath.Glob(path + "*")
	require.NoError(t, err)
	require.Equal(t, []string{path}, files, "the write-ahead log must be checkpointed")
	grep()

	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), "only the owner may read the store")
}

func TestResealReencryptsEverything(t *testing.T) {
	t.Parallel()
	for name, database := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := database(t)
			if url == memory {
				t.Skip("a store in memory does not outlive its keys")
			}
			ctx := t.Context()
			oldText, err := seal.Generate()
			require.NoError(t, err)
			addedText, err := seal.Add(oldText)
			require.NoError(t, err)
			newText, err := seal.Promote(addedText)
			require.NoError(t, err)
			prunedText, err := seal.Prune(newText)
			require.NoError(t, err)
			const claims = 120 // exceeds one batch

			before := open(t, url, parseKeys(t, oldText))
			addShop(t, before, "acme")
			fill(t, before, claims)
			n, err := before.Reencrypt(ctx)
			require.NoError(t, err)
			require.Zero(t, n, "values under the primary key must not be re-encrypted")
			_, err = store.Open(ctx, url, parseKeys(t, prunedText))
			require.ErrorContains(t, err, "CLAIMFLOW_KEYS")

			added := open(t, url, parseKeys(t, addedText))
			n, err = added.CountOutdated(ctx)
			require.NoError(t, err)
			require.Zero(t, n, "a new secondary key must not outdate values")

			after := open(t, url, parseKeys(t, newText))
			n, err = after.CountOutdated(ctx)
			require.NoError(t, err)
			require.Greater(t, n, claims, "values under the old key must be counted")
			// Reencrypt runs alongside concurrent writes.
			errs := atOnce(3, func(who int) error {
				if who == 0 {
					_, err := after.Reencrypt(ctx)
					return err
				}
				for i := range claims / 2 {
					if err := after.Claims.SaveDraft(ctx, ref(fmt.Sprint(i)), "ticket", "new words"); err != nil {
						return err
					}
				}
				return nil
			})
			require.NoError(t, errors.Join(errs...))
			n, err = after.Reencrypt(ctx)
			require.NoError(t, err)
			require.Zero(t, n, "no value may stay under the old key")
			n, err = after.CountOutdated(ctx)
			require.NoError(t, err)
			require.Zero(t, n, "re-encrypted values must not be counted")

			// The remaining keys decrypt everything to the last value written.
			pruned := open(t, url, parseKeys(t, prunedText))
			for i := range claims {
				r := ref(fmt.Sprint(i))
				body, _, err := pruned.Claims.OpeningBody(ctx, r)
				require.NoError(t, err)
				require.Equal(t, "ada@customer.example", body.Customer.Email)
				var words string
				require.NoError(t, pruned.Claims.Draft(ctx, r, "ticket", &words))
				if i < claims/2 {
					require.Equal(t, "new words", words, "re-encryption must not revert a newer draft")
				}
				events, err := pruned.Outbox.List(ctx, r)
				require.NoError(t, err)
				require.Len(t, events, 1)
			}
			connection, err := pruned.Shops.Get(ctx, "acme")
			require.NoError(t, err)
			token, _, err := pruned.Connections.Token(ctx, connection.Connection.ID)
			require.NoError(t, err)
			require.Equal(t, tokenA, token)
			token, _, err = pruned.Connections.ExportsToken(ctx, connection.Connection.ID)
			require.NoError(t, err)
			require.Equal(t, tokenB, token)
			for i := range int64(claims) {
				c, err := pruned.Mirror.Conversation(ctx, connection.Connection.ID, 7+i)
				require.NoError(t, err)
				require.Equal(t, "Broken vase", c.Origin.Subject)
				require.Equal(t, storedFigures(t, pruned, connection.Connection.ID, 7+i), derived(t, pruned, connection.Connection.ID, 7+i))
			}
			entries, err := pruned.Mirror.Directory(ctx, connection.Connection.ID, mirror.KindEndUser)
			require.NoError(t, err)
			require.Len(t, entries, 1)
			require.Equal(t, "Ada Lovelace", entries[0].Name)
			require.Equal(t, "eu-1", endUser(t, pruned, connection.Connection.ID, adaMail), "the index key must stay the same")
		})
	}
}

func TestErrorsContainNoPersonalData(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, _ *clock) {
		// The connection does not exist, so the database rejects the insert.
		_, err := s.Customers.Reserve(t.Context(), "unknown", adaMail, "claim-1", time.Minute)
		require.Error(t, err)
		require.NotContains(t, err.Error(), "ada")
		_, err = s.APIKeys.BySecret(t.Context(), "cfk_secret")
		require.NotContains(t, err.Error(), "cfk_secret")
	})
}
