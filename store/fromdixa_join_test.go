package store_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/mirror"
	"github.com/claimflow/claimflow/store"
)

// joinAll calls Join until nothing is left to join.
func joinAll(t *testing.T, s *store.Store, limit int) {
	t.Helper()
	for more := true; more; {
		var err error
		more, err = s.Inbox.Join(t.Context(), limit)
		require.NoError(t, err)
	}
}

func receive(t *testing.T, s *store.Store, connection string, e store.DixaEvent) {
	t.Helper()
	_, err := s.Inbox.Receive(t.Context(), connection, e)
	require.NoError(t, err)
}

func link(t *testing.T, s *store.Store, connection, id string, conversation int64) {
	t.Helper()
	require.NoError(t, s.Links.Create(t.Context(), store.LinkInput{Ref: ref(id), ConnectionID: connection, ConversationID: conversation, Step: claim.StepConversation}))
}

// eventsOf returns the IDs of a claim's unapplied events.
func eventsOf(t *testing.T, s *store.Store, id string) []string {
	t.Helper()
	next, err := s.Inbox.NextEvents(t.Context(), ref(id), 1000)
	require.NoError(t, err)
	var ids []string
	for _, e := range next.Events {
		ids = append(ids, e.ID)
	}
	return ids
}

// An event reaches its claim exactly once, before or after the link.
func TestEventsReachTheirClaimWhicheverComesFirst(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, now *clock) {
		c := connect(t, s, "acme", "org-1")
		accept(t, s, sample("1"))
		told(t, s)

		receive(t, s, c.ID, closed("before", "org-1", 7))
		receive(t, s, c.ID, closed("of another", "org-1", 8))
		receive(t, s, c.ID, closed("of none", "org-1", 0))
		joinAll(t, s, 2)
		require.Empty(t, unsignalled(t, s, 10), "nothing is of a claim yet")

		link(t, s, c.ID, "1", 7)
		now.Turn(time.Second)
		receive(t, s, c.ID, closed("after", "org-1", 7))
		joinAll(t, s, 2)
		joinAll(t, s, 2)
		require.Equal(t, []string{"before", "after"}, eventsOf(t, s, "1"))
		now.Turn(10 * time.Second)
		require.Len(t, unsignalled(t, s, 10), 1, "the claim's workflow must be nudged")
		require.True(t, load(t, s, ref("1")).Unread)

		_, err := s.Inbox.DropBodies(t.Context(), now.Now().Add(time.Hour))
		require.NoError(t, err)
		require.NotNil(t, body(t, s, c.ID, "before"))
		require.Nil(t, body(t, s, c.ID, "of another"))
	})
}

// Concurrent events and links neither strand an event nor count it twice.
func TestEventsAndLinksAtOnceStrandNothing(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, _ *clock) {
		c := connect(t, s, "acme", "org-1")
		const claims, events = 6, 5
		for n := range claims {
			accept(t, s, sample(fmt.Sprint(n)))
		}
		for _, err := range atOnce(claims*(events+1)+8, func(i int) error {
			if i >= claims*(events+1) {
				_, err := s.Inbox.Join(t.Context(), 3)
				return err
			}
			n, e := i%claims, i/claims
			if e == 2 {
				return s.Links.Create(t.Context(), store.LinkInput{Ref: ref(fmt.Sprint(n)), ConnectionID: c.ID, ConversationID: int64(100 + n), Step: claim.StepConversation})
			}
			_, err := s.Inbox.Receive(t.Context(), c.ID, closed(fmt.Sprintf("%d-%d", n, e), "org-1", int64(100+n)))
			return err
		}) {
			require.NoError(t, err)
		}
		joinAll(t, s, 1000)
		for n := range claims {
			next, err := s.Inbox.NextEvents(t.Context(), ref(fmt.Sprint(n)), 1000)
			require.NoError(t, err)
			require.Len(t, next.Events, events, "claim %d", n)
			require.EqualValues(t, events, next.Last, "its numbers have no gap")
		}
	})
}

// An event's effects and its applied mark commit together. If several callers apply
// the same events, only one succeeds.
func TestEventsAreTakenInOnce(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, _ *clock) {
		ctx := t.Context()
		c := connect(t, s, "acme", "org-1")
		accept(t, s, sample("1"))
		link(t, s, c.ID, "1", 7)
		_, err := s.Claims.Change(ctx, ref("1"), claim.EventStart, store.ClaimUpdate{})
		require.NoError(t, err)
		_, err = s.Claims.Change(ctx, ref("1"), claim.EventOpened, store.ClaimUpdate{})
		require.NoError(t, err)
		receive(t, s, c.ID, closed("e-1", "org-1", 7))
		joinAll(t, s, 10)
		next, err := s.Inbox.NextEvents(ctx, ref("1"), 10)
		require.NoError(t, err)

		at := newClock().Now()
		fact := mirror.Fact{Fact: claim.Fact{
			Stamp: claim.Stamp{At: at, Weight: claim.WeightTransition, ID: "e-1"}, Status: claim.ConversationClosed,
			People: true, Assignee: &claim.Person{ID: "agent-1", Name: "Anna"}, Tags: []string{"claim"},
		}}
		conversation := claim.Conversation{}
		conversation.Apply(fact.Fact)
		advance := store.EventEffects{
			Ref: ref("1"), From: next.Cursor, To: next.Last, State: next.State, ConversationID: 7,
			Facts: []mirror.Fact{fact}, Conversation: conversation,
			Transitions: []store.Transition{
				{Event: claim.EventClose, Update: store.ClaimUpdate{Status: "closed", StatusBy: claim.ByDixa, DerivedStatus: "closed", Outbox: []store.OutboxEvent{{Type: claim.OutboundClosed}}}},
				{Update: store.ClaimUpdate{Outbox: []store.OutboxEvent{{ID: "message:m-1", Type: claim.OutboundMessageAdded, Message: &claim.MessageNotice{ID: "m-1"}}}}},
			},
			Timeline: []store.TimelineEntry{{ID: "e-1", TimelineEntry: claim.TimelineEntry{At: at, What: "conversation closed", By: "Anna"}}},
			Messages: []mirror.Message{{Message: claim.Message{
				ID: "m-1", Kind: claim.MessageKind, At: at, Text: "Hello", Attachments: []claim.MessageAttachment{{ID: "1", Source: "/private/x"}},
			}}},
		}
		var stale *store.StaleError
		other := advance
		other.Conversation.Status = claim.ConversationOpen
		require.ErrorAs(t, s.Conversations.Apply(ctx, other), &stale, "the claim was moved by another conversation than the merged one")
		_, err = s.Conversations.Get(ctx, ref("1"))
		require.ErrorIs(t, err, store.ErrNotFound, "a rejected result was stored")
		won := 0
		for _, err := range atOnce(8, func(int) error { return s.Conversations.Apply(ctx, advance) }) {
			if err == nil {
				won++
				continue
			}
			var stale *store.StaleError
			require.ErrorAs(t, err, &stale)
		}
		require.Equal(t, 1, won)

		work := load(t, s, ref("1"))
		require.Equal(t, claim.StateClosed, work.State)
		require.Equal(t, "closed", work.Status)
		require.False(t, work.Unread)
		require.Equal(t, store.ConversationFacts{Status: claim.ConversationClosed, AssigneeID: "agent-1", ClosedSince: at}, work.Conversation)
		events, err := s.Outbox.List(ctx, ref("1"))
		require.NoError(t, err)
		require.Len(t, events, 2)
		require.Contains(t, string(events[0].Body), `"status":"closed"`)
		require.Contains(t, string(events[1].Body), `"message":{"id":"m-1"`)
		known, err := s.Conversations.Get(ctx, ref("1"))
		require.NoError(t, err)
		require.Equal(t, conversation, known)
		happened, err := s.Conversations.LatestTimeline(ctx, ref("1"), 10)
		require.NoError(t, err)
		require.Equal(t, advance.Timeline, happened)
		messages, err := s.Conversations.Messages(ctx, ref("1"), store.MessageFilter{})
		require.NoError(t, err)
		require.Equal(t, []claim.Message{advance.Messages[0].Message}, messages)
	})
}

// An event and Dixa's list contain the same message. The list wins, regardless of the
// order in which they are read.
func TestMessageIsKeptOnceAndTheListHasTheWord(t *testing.T) {
	t.Parallel()
	for name, database := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := newClock().Now()
			told := mirror.Message{Message: claim.Message{ID: "m-1", Kind: claim.MessageKind, At: at, Text: "as told"}}
			listed := mirror.Message{
				Message: claim.Message{ID: "m-1", Kind: claim.MessageKind, At: at, HTML: "<p>as listed</p>", Listed: true},
				Version: mirror.Version{Source: mirror.FromList},
			}
			for round := range 4 {
				s, _ := setup(t, database(t))
				c := connect(t, s, "acme", "org-1")
				accept(t, s, sample("1"))
				link(t, s, c.ID, "1", 7)
				messages := []mirror.Message{told, listed, told}
				rand.New(rand.NewPCG(uint64(round), 0)).Shuffle(len(messages), func(i, j int) { messages[i], messages[j] = messages[j], messages[i] })
				require.NoError(t, s.Conversations.Apply(t.Context(), store.EventEffects{Ref: ref("1"), State: claim.StateReceived, ConversationID: 7, Messages: messages}))
				kept, err := s.Conversations.Messages(t.Context(), ref("1"), store.MessageFilter{})
				require.NoError(t, err)
				require.Equal(t, []claim.Message{listed.Message}, kept)
			}
		})
	}
}
