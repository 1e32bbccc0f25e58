package store_test

import (
	"errors"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/store"
)

func TestAcceptStoresAClaimOnce(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, now *clock) {
		first, err := s.Claims.Accept(t.Context(), sample("1"))
		require.NoError(t, err)
		require.True(t, first.New)
		require.Empty(t, first.Differences)
		require.Equal(t, claim.Record{
			Ref: ref("1"), State: claim.StateReceived, Reason: "partialDamage", Flow: claim.FlowDefective,
			Preference: "refund", Phase: "delivered", OrderNumber: "#1", WorkflowID: "claim:acme:1",
			AcceptedAt: now.Now(), UpdatedAt: now.Now(),
		}, first.Record)

		signedAnew := sample("1")
		signedAnew.Items[0].ImageURLs[0] = "https://img.example/a.jpg?sig=2"
		again, err := s.Claims.Accept(t.Context(), signedAnew)
		require.NoError(t, err)
		require.False(t, again.New)
		require.Empty(t, again.Differences)
		require.Equal(t, first.Record, again.Record)

		other := sample("1")
		other.Description, other.Order.Total = "Something else.", "20.00"
		again, err = s.Claims.Accept(t.Context(), other)
		require.NoError(t, err)
		require.False(t, again.New)
		require.Equal(t, []string{"description", "order.total_order_price"}, again.Differences)

		body, _, err := s.Claims.OpeningBody(t.Context(), ref("1"))
		require.NoError(t, err)
		require.Equal(t, sample("1"), body, "the first accepted body must be kept")
	})
}

func TestConcurrentAcceptsAreNewOnce(t *testing.T) {
	t.Parallel()
	for name, database := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := database(t)
			s := open(t, url, newKeys(t))
			addShop(t, s, "acme")
			var fresh atomic.Int32
			errs := atOnce(50, func(int) error {
				accepted, err := s.Claims.Accept(t.Context(), sample("1"))
				if accepted.New {
					fresh.Add(1)
				}
				return err
			})
			require.NoError(t, errors.Join(errs...))
			require.EqualValues(t, 1, fresh.Load())
		})
	}
}

func TestAcceptRequiresAShop(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, _ *clock) {
		c := sample("1")
		c.Shop = "nobody"
		_, err := s.Claims.Accept(t.Context(), c)
		require.ErrorIs(t, err, store.ErrNotFound)
		require.ErrorContains(t, err, "shop nobody")

		require.NoError(t, s.Shops.Delete(t.Context(), "acme"))
		_, err = s.Claims.Accept(t.Context(), sample("1"))
		require.ErrorIs(t, err, store.ErrNotFound)

		_, err = s.Claims.Accept(t.Context(), &claim.Claim{Shop: "acme"})
		require.ErrorContains(t, err, "id and shop are required")
	})
}

func TestAcceptStoresTextThatDatabasesRefuse(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, _ *clock) {
		c := sample("1")
		c.Reason, c.Preference, c.Order.Number, c.Description = "da\x00maged", "\xffrefund", "#\x001", "zero \x00 byte"
		r := accept(t, s, c)
		record, err := s.Claims.Record(t.Context(), r)
		require.NoError(t, err)
		require.Equal(t, "damaged", record.Reason)
		require.Equal(t, "\uFFFDrefund", record.Preference)
		body, _, err := s.Claims.OpeningBody(t.Context(), r)
		require.NoError(t, err)
		require.Equal(t, "zero \x00 byte", body.Description)
	})
}

func TestRecordListsOtherClaimsOfTheOrder(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, now *clock) {
		for _, id := range []string{"1", "2", "3"} {
			c := sample(id)
			c.Order.Number = "#10001"
			accept(t, s, c)
			now.Turn(1)
		}
		accept(t, s, sample("4"))
		connection := connect(t, s, "acme", "org-1")
		change(t, s, ref("1"), claim.EventStart)
		require.NoError(t, s.Links.Create(t.Context(), store.LinkInput{Ref: ref("1"), ConnectionID: connection.ID, ConversationID: 77}))

		addShop(t, s, "other")
		foreign := sample("5")
		foreign.Shop, foreign.Order.Number = "other", "#10001"
		accept(t, s, foreign)

		want := []claim.OtherClaim{{ID: "3", State: claim.StateReceived}, {ID: "1", State: claim.StateOpening, ConversationID: 77}}
		record, err := s.Claims.Record(t.Context(), ref("2"))
		require.NoError(t, err)
		require.Equal(t, want, record.OtherClaims)
		require.Equal(t, want, load(t, s, ref("2")).OtherClaims)

		record, err = s.Claims.Record(t.Context(), ref("1"))
		require.NoError(t, err)
		require.Equal(t, "org-1", record.OrganizationID)
		require.EqualValues(t, 77, record.ConversationID)

		noOrder := sample("6")
		noOrder.Order.Number = ""
		accept(t, s, noOrder)
		noOrder.ID = "7"
		accept(t, s, noOrder)
		record, err = s.Claims.Record(t.Context(), ref("7"))
		require.NoError(t, err)
		require.Empty(t, record.OtherClaims, "claims without an order number must not share an order")
	})
}

func TestUnknownClaimIsNotFound(t *testing.T) {
	t.Parallel()
	for name, database := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, _ := setup(t, database(t))
			ctx, r := t.Context(), ref("unknown")
			calls := map[string]func() error{
				"Record":      func() error { _, err := s.Claims.Record(ctx, r); return err },
				"Body":        func() error { _, _, err := s.Claims.OpeningBody(ctx, r); return err },
				"Load":        func() error { _, err := s.Claims.Load(ctx, r); return err },
				"Change":      func() error { _, err := s.Claims.Change(ctx, r, claim.EventStart, store.ClaimUpdate{}); return err },
				"AddRequests": func() error { return s.Claims.AddRequests(ctx, r, 1) },
				"KeepDraft":   func() error { return s.Claims.SaveDraftOnce(ctx, r, "ticket", 1, new(int)) },
				"SaveDraft":   func() error { return s.Claims.SaveDraft(ctx, r, "ticket", 1) },
				"Draft":       func() error { return s.Claims.Draft(ctx, r, "ticket", new(int)) },
				"Retry":       func() error { return s.Claims.Retry(ctx, r, store.RetryOptions{}) },
				"Abandon":     func() error { return s.Claims.Abandon(ctx, r) },
				"LinkTo":      func() error { return s.Claims.Link(ctx, r, 1) },
				"Link":        func() error { _, err := s.Links.Get(ctx, r); return err },
				"LinkConversation": func() error {
					return s.Links.Create(ctx, store.LinkInput{Ref: r, ConnectionID: "c", ConversationID: 1})
				},
				"BeginIntent":  func() error { _, _, err := s.Intents.Begin(ctx, r, "create"); return err },
				"FinishIntent": func() error { return s.Intents.Finish(ctx, r, "create", nil) },
				"Intent":       func() error { _, err := s.Intents.Get(ctx, r, "create"); return err },
			}
			for name, call := range calls {
				require.ErrorIs(t, call(), store.ErrNotFound, name)
			}
		})
	}
}

func TestListFiltersAndPages(t *testing.T) {
	t.Parallel()
	for name, database := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, now := setup(t, database(t))
			addShop(t, s, "other")
			start := now.Now()
			// Two claims share each timestamp, so the cursor must break the tie.
			for i, id := range []string{"a", "b", "c", "d", "e", "f"} {
				c := sample(id)
				if id == "d" {
					c.Reason = "Not received"
				}
				if id == "e" {
					c.Shop = "other"
				}
				accept(t, s, c)
				if i%2 == 1 {
					now.Turn(1000)
				}
			}
			change(t, s, ref("a"), claim.EventStart)
			_, err := s.Claims.Change(t.Context(), ref("b"), claim.EventPark, store.ClaimUpdate{Cause: claim.CauseTemplate})
			require.NoError(t, err)
			connection := connect(t, s, "acme", "org-1")
			require.NoError(t, s.Links.Create(t.Context(), store.LinkInput{Ref: ref("c"), ConnectionID: connection.ID, ConversationID: 5}))

			for name, c := range map[string]struct {
				filter store.ClaimFilter
				want   string
			}{
				"all":          {store.ClaimFilter{}, "efdcba"},
				"shop":         {store.ClaimFilter{Shop: "acme"}, "fdcba"},
				"states":       {store.ClaimFilter{States: []claim.State{claim.StateOpening, claim.StateNeedsAttention}}, "ba"},
				"cause":        {store.ClaimFilter{Cause: claim.CauseTemplate}, "b"},
				"reason":       {store.ClaimFilter{Reason: "notReceived"}, "d"},
				"order":        {store.ClaimFilter{OrderNumber: "#c"}, "c"},
				"conversation": {store.ClaimFilter{ConversationIDs: []int64{5, 999}}, "c"},
				"since":        {store.ClaimFilter{Since: start.Add(2000)}, "ef"},
				"until":        {store.ClaimFilter{Until: start.Add(1000)}, "ba"},
				"together":     {store.ClaimFilter{Shop: "acme", Reason: "partial_damage", Since: start.Add(1000)}, "fc"},
				"none":         {store.ClaimFilter{Shop: "nobody"}, ""},
			} {
				for _, limit := range []int{0, 1, 2, 1000} {
					c.filter.Limit = limit
					got, pages := "", 0
					for f := c.filter; ; pages++ {
						records, next, err := s.Claims.List(t.Context(), f)
						require.NoError(t, err, name)
						for _, r := range records {
							got += r.ID
						}
						if next == "" {
							break
						}
						require.Len(t, records, limit, "only the last page may be short")
						f.Cursor = next
					}
					require.Equal(t, c.want, got, "%s by %d", name, limit)
				}
			}

			_, next, err := s.Claims.List(t.Context(), store.ClaimFilter{Limit: 2})
			require.NoError(t, err)
			now.Turn(1000)
			accept(t, s, sample("g"))
			records, _, err := s.Claims.List(t.Context(), store.ClaimFilter{Limit: 2, Cursor: next})
			require.NoError(t, err)
			require.Equal(t, "d", records[0].ID, "a new claim must not shift the next page")
		})
	}
}

func TestListRefusesAnInvalidCursor(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, _ *clock) {
		for _, cursor := range []string{"%", "abc", "MTIz", "eC9hL2I"} {
			_, _, err := s.Claims.List(t.Context(), store.ClaimFilter{Cursor: cursor})
			var invalid *claim.InvalidError
			require.ErrorAs(t, err, &invalid, "cursor %q", cursor)
			require.Equal(t, "cursor", invalid.Errors[0].Field)
		}
	})
}
