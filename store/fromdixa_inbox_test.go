package store_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/store"
)

// closed returns a ConversationClosed event. Conversation is zero if the event has none.
func closed(id, organization string, conversation int64) store.DixaEvent {
	return store.DixaEvent{
		ID: id, Name: "ConversationClosed", ConversationID: conversation, HappenedAt: newClock().Now(),
		Organization: store.Organization{ID: organization, Name: "Org " + organization},
		Body:         []byte(`{"event_id": "` + id + `", "requester": "ada@customer.example"}`),
	}
}

// body returns the stored body of an event, or nil after it is dropped.
func body(t *testing.T, s *store.Store, connection, id string) []byte {
	t.Helper()
	e, err := s.Inbox.Event(t.Context(), connection, id)
	require.NoError(t, err)
	return e.Body
}

func TestEventIsStoredOnce(t *testing.T) {
	t.Parallel()
	for name, database := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := database(t)
			s, now := setup(t, url)
			c := connect(t, s, "acme", "org-1")
			event := closed("e-1", "org-1", 7)

			fresh := make([]bool, 20)
			for _, err := range atOnce(len(fresh), func(i int) (err error) {
				fresh[i], err = s.Inbox.Receive(t.Context(), c.ID, event)
				return err
			}) {
				require.NoError(t, err)
			}
			first := 0
			for _, f := range fresh {
				if f {
					first++
				}
			}
			require.Equal(t, 1, first, "exactly one call must be the first")
			kept, err := s.Inbox.Event(t.Context(), c.ID, "e-1")
			require.NoError(t, err)
			require.Equal(t, event, kept, "the body must be stored byte for byte")

			now.Turn(1000 * time.Hour)
			n, err := s.Inbox.DropBodies(t.Context(), now.Now())
			require.NoError(t, err)
			require.Equal(t, 1, n)
			again, err := s.Inbox.Receive(t.Context(), c.ID, event)
			require.NoError(t, err)
			require.False(t, again, "an event without a body must still be deduplicated")
			require.Nil(t, body(t, s, c.ID, "e-1"), "the dropped body must not return")

			addShop(t, s, "other")
			other := connect(t, s, "other", "org-2")
			again, err = s.Inbox.Receive(t.Context(), other.ID, closed("e-1", "org-2", 7))
			require.NoError(t, err)
			require.True(t, again, "event ids are scoped to a connection")
			_, err = s.Inbox.Event(t.Context(), c.ID, "e-2")
			require.ErrorIs(t, err, store.ErrNotFound)
		})
	}
}

func TestEventOfAnotherOrganizationIsRefused(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, _ *clock) {
		c := connect(t, s, "acme", "org-1")
		for _, organization := range []string{"org-2", ""} {
			_, err := s.Inbox.Receive(t.Context(), c.ID, closed("e-1", organization, 7))
			var foreign *store.ForeignEventError
			require.ErrorAs(t, err, &foreign)
			require.Equal(t, store.ForeignEventError{Have: "org-1", Got: organization}, *foreign)
		}
		_, err := s.Inbox.Receive(t.Context(), "nobody", closed("e-1", "org-1", 7))
		require.ErrorIs(t, err, store.ErrNotFound)
		_, err = s.Inbox.Event(t.Context(), c.ID, "e-1")
		require.ErrorIs(t, err, store.ErrNotFound, "a refused event must not be stored")
	})
}

func TestFirstEventPinsTheOrganization(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, _ *clock) {
		ctx := t.Context()
		unknown, err := s.Connections.SaveToken(ctx, "acme", tokenA, store.Organization{})
		require.NoError(t, err)
		_, err = s.Inbox.Receive(ctx, unknown.ID, closed("e-0", "", 7))
		var foreign *store.ForeignEventError
		require.ErrorAs(t, err, &foreign, "an event without organization must be refused")

		results := atOnce(6, func(i int) error {
			_, err := s.Inbox.Receive(ctx, unknown.ID, closed(fmt.Sprint("e-", i), fmt.Sprint("org-", i%2), 7))
			return err
		})
		c, err := s.Connections.Get(ctx, unknown.ID)
		require.NoError(t, err)
		require.NotEmpty(t, c.OrganizationID)
		require.Equal(t, "Org "+c.OrganizationID, c.OrganizationName)
		for i, err := range results {
			if fmt.Sprint("org-", i%2) == c.OrganizationID {
				require.NoError(t, err)
			} else {
				require.ErrorAs(t, err, &foreign, "exactly one of two concurrent organizations must be pinned")
			}
		}

		var token *store.OtherOrganizationError
		_, err = s.Connections.SaveToken(ctx, "acme", tokenB, store.Organization{ID: "org-9"})
		require.ErrorAs(t, err, &token, "a token of another organization must be refused afterwards")

		addShop(t, s, "second")
		second, err := s.Connections.SaveToken(ctx, "second", tokenB, store.Organization{})
		require.NoError(t, err)
		_, err = s.Inbox.Receive(ctx, second.ID, closed("e-7", c.OrganizationID, 7))
		var conflict *store.ConflictError
		require.ErrorAs(t, err, &conflict, "an organization must have one connection")
		require.Contains(t, conflict.Problem, c.ID)
	})
}

func TestBodiesOfUnlinkedEventsAreDropped(t *testing.T) {
	t.Parallel()
	for name, database := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			s, now := setup(t, database(t))
			c := connect(t, s, "acme", "org-1")
			receive := func(id string, conversation int64) {
				_, err := s.Inbox.Receive(ctx, c.ID, closed(id, "org-1", conversation))
				require.NoError(t, err)
			}
			link := func(id string, conversation int64) {
				r := accept(t, s, sample(id))
				change(t, s, r, claim.EventStart)
				require.NoError(t, s.Links.Create(ctx, store.LinkInput{Ref: r, ConnectionID: c.ID, ConversationID: conversation}))
			}
			link("c-1", 1)
			receive("before", 1) // the link came first
			receive("after", 2)  // the event came first
			receive("none", 0)
			const strangers = 510 // exceeds one batch
			for i := range strangers {
				receive(fmt.Sprint("stranger-", i), 9)
			}
			link("c-2", 2)
			now.Turn(time.Minute)
			receive("young", 9)

			n, err := s.Inbox.DropBodies(ctx, now.Now().Add(-24*time.Hour))
			require.NoError(t, err)
			require.Zero(t, n, "recent bodies must be kept")
			n, err = s.Inbox.DropBodies(ctx, now.Now().Add(-time.Second))
			require.NoError(t, err)
			require.Equal(t, strangers+1, n)
			for id, stays := range map[string]bool{"before": true, "after": true, "young": true, "none": false, "stranger-0": false, "stranger-509": false} {
				if stays {
					require.NotEmpty(t, body(t, s, c.ID, id), id)
				} else {
					require.Nil(t, body(t, s, c.ID, id), id)
				}
			}
			n, err = s.Inbox.DropBodies(ctx, now.Now().Add(-time.Second))
			require.NoError(t, err)
			require.Zero(t, n, "checked events must not be checked again")
		})
	}
}
