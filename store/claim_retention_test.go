package store_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/store"
)

// ended abandons the claim of a customer, and its workflow reads that.
func (c customer) ended(t *testing.T, s *store.Store) {
	t.Helper()
	require.NoError(t, s.Claims.Abandon(t.Context(), c.ref))
	require.NoError(t, s.Nudges.MarkRead(t.Context(), c.ref, load(t, s, c.ref).Revision))
}

func TestOldClaimsLoseTheirContent(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, now *clock) {
		ctx := t.Context()
		connection := connect(t, s, "acme", "org-1").ID
		old, open := addCustomer(t, s, connection, "ada@customer.example", 1), addCustomer(t, s, connection, "eva@customer.example", 2)
		old.ended(t, s)
		endedAt := now.Now()
		now.Turn(40 * 24 * time.Hour)
		young := addCustomer(t, s, connection, "kim@customer.example", 3)
		young.ended(t, s)
		before := []string{open.told(t, s, connection), young.told(t, s, connection)}
		figures := storedFigures(t, s, connection, 1)

		n, err := s.Claims.DeleteContent(ctx, "acme", endedAt)
		require.NoError(t, err)
		require.Zero(t, n, "the bound is exclusive")
		for want := 1; want >= 0; want-- {
			n, err = s.Claims.DeleteContent(ctx, "acme", endedAt.Add(time.Second))
			require.NoError(t, err)
			require.Equal(t, want, n)
		}
		w := load(t, s, old.ref)
		require.Equal(t, claim.StateAbandoned, w.State)
		require.Equal(t, "partialDamage", w.Reason)
		require.EqualValues(t, 1, w.ConversationID)
		require.Empty(t, w.OrderNumber)
		body, err := s.Claims.LatestBody(ctx, old.ref)
		require.NoError(t, err)
		require.NotContains(t, asJSON(t, body), "ada@")
		require.Equal(t, "partialDamage", body.Reason)
		require.Equal(t, map[string]int{"figures": 1}, stored(t, s, connection, 1, "conversations", "messages", "activities", "figures"))
		kept := storedFigures(t, s, connection, 1)
		require.Equal(t, figures.CustomerMessages, kept.CustomerMessages)
		require.Empty(t, kept.RequesterID)
		after := []string{open.told(t, s, connection), young.told(t, s, connection)}
		require.Equal(t, before, after)

		// Late news of the conversation are not stored again.
		merge(t, s, old.history(t, connection))
		receive(t, s, connection, store.DixaEvent{ID: "late", Name: "ConversationClosed", ConversationID: 1, HappenedAt: now.Now(), Organization: store.Organization{ID: "org-1"}, Body: []byte(`{}`)})
		joinAll(t, s, 10)
		require.Equal(t, map[string]int{"figures": 1}, stored(t, s, connection, 1, "conversations", "figures"))
		require.Equal(t, kept, storedFigures(t, s, connection, 1))
	})
}

// Records that a data source selects stay, and the figures of claims stay even when no
// source selects them any more.
func TestRetentionOfClaimsLeavesRecordsToTheSources(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, now *clock) {
		ctx := t.Context()
		connection := connect(t, s, "acme", "org-1").ID
		source := selecting(t, s, connection, claim.DataSource{})
		ada := addCustomer(t, s, connection, "ada@customer.example", 1)
		merge(t, s, everything(t, connection, 2))
		ada.ended(t, s)
		now.Turn(time.Hour)
		n, err := s.Claims.DeleteContent(ctx, "acme", now.Now())
		require.NoError(t, err)
		require.Equal(t, 1, n)
		require.Equal(t, map[string]int{"conversations": 1, "messages": 3}, stored(t, s, connection, 1, "conversations", "messages"))

		require.NoError(t, s.DataSources.Delete(ctx, connection, source.ID))
		mirrored, err := s.Mirror.Mirrored(ctx)
		require.NoError(t, err)
		require.Equal(t, []string{connection}, mirrored)
		n, err = s.Mirror.DeleteExpired(ctx, connection)
		require.NoError(t, err)
		require.Equal(t, 2, n)
		require.Equal(t, map[string]int{"figures": 1}, stored(t, s, connection, 1, "conversations", "figures"))
		require.Equal(t, map[string]int{}, stored(t, s, connection, 2, "conversations", "figures"))
	})
}

func TestOnlyEndedClaimsLoseTheirContent(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, now *clock) {
		ctx := t.Context()
		park := func(id string, u store.ClaimUpdate) {
			r := accept(t, s, sample(id))
			u.Cause = claim.CauseDeadline
			_, err := s.Claims.Change(ctx, r, claim.EventPark, u)
			require.NoError(t, err)
		}
		park("parked", store.ClaimUpdate{})
		park("fallback", store.ClaimUpdate{FallbackUsed: true})
		accept(t, s, sample("received"))
		change(t, s, accept(t, s, sample("skipped")), claim.EventSkip)
		for _, id := range []string{"parked", "fallback", "received", "skipped"} {
			require.NoError(t, s.Nudges.MarkRead(ctx, ref(id), load(t, s, ref(id)).Revision))
		}
		now.Turn(time.Hour)
		n, err := s.Claims.DeleteContent(ctx, "acme", now.Now())
		require.NoError(t, err)
		require.Equal(t, 2, n)
		for id, kept := range map[string]bool{"parked": true, "received": true, "fallback": false, "skipped": false} {
			body, err := s.Claims.LatestBody(ctx, ref(id))
			require.NoError(t, err)
			require.Equal(t, kept, body.Customer.Email != "", id)
		}
		n, err = s.Claims.OpenSkipped(ctx, "acme", time.Time{})
		require.NoError(t, err)
		require.Zero(t, n, "a claim without content cannot be opened")
		n, err = s.Claims.RetryShop(ctx, "acme")
		require.NoError(t, err)
		require.Equal(t, 1, n)
	})
}

func TestRetentionOfShops(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, _ *clock) {
		ctx := t.Context()
		addShop(t, s, "other")
		save := func(shop, patch string) error {
			_, err := s.Settings.Save(ctx, shop, json.RawMessage(patch))
			return err
		}
		kept, err := s.Settings.Retentions(ctx)
		require.NoError(t, err)
		require.Empty(t, kept)
		require.NoError(t, save("", `{"retention_days": 365}`))
		require.NoError(t, save("other", `{"retention_days": 0}`))
		var invalid *claim.InvalidError
		require.ErrorAs(t, save("acme", `{"retention_days": 29}`), &invalid)
		require.NoError(t, save("acme", `{"retention_days": 30}`))
		kept, err = s.Settings.Retentions(ctx)
		require.NoError(t, err)
		require.Equal(t, map[string]time.Duration{"acme": 30 * 24 * time.Hour}, kept)
	})
}

// Dixa anonymizes conversations by itself, and may deliver events of before later.
func TestLateEventsOfAnonymizedConversationsLoseTheirBody(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, _ *clock) {
		ctx := t.Context()
		connection := connect(t, s, "acme", "org-1").ID
		ada, eva := addCustomer(t, s, connection, "ada@customer.example", 1), addCustomer(t, s, connection, "eva@customer.example", 2)
		merge(t, s, facts(connection, exported(1, later(func(row *dixa.ExportedConversation) {
			row.RequesterID, row.AnonymizedAt = ada.endUser, dixa.NewTime(began.Add(2*time.Hour))
		}))))
		for _, c := range []customer{ada, eva} {
			id, err := s.Customers.EndUserOf(ctx, connection, "email:"+c.email)
			require.NoError(t, err)
			require.Equal(t, c == eva, id != "", "only the anonymized requester is looked up again")
		}
		n, err := s.Inbox.DropAnonymizedBodies(ctx)
		require.NoError(t, err)
		require.Zero(t, n, "the claim has not applied the event")
		for _, c := range []customer{ada, eva} {
			w := load(t, s, c.ref)
			require.NoError(t, s.Conversations.Apply(ctx, store.EventEffects{Ref: c.ref, From: 0, To: 1, State: w.State, ConversationID: c.conversation}))
		}
		n, err = s.Inbox.DropAnonymizedBodies(ctx)
		require.NoError(t, err)
		require.Equal(t, 1, n)
		require.Nil(t, body(t, s, connection, "e-1"))
		require.NotNil(t, body(t, s, connection, "e-2"))
	})
}
