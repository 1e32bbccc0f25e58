package store_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/kpi"
	"github.com/claimflow/claimflow/store"
)

// behindQuestions are a few values of every figure that can be listed: by every dimension,
// with and without a filter.
func (w *keptWorld) behindQuestions() []keptQuestion {
	var all []keptQuestion
	for _, d := range kpi.All() {
		if !d.Listable() {
			continue
		}
		for i, by := range append([]kpi.Dimension{""}, d.Dimensions...) {
			for n, filters := range []map[kpi.Dimension][]string{
				nil, {kpi.ByChannel: {"email"}}, {kpi.ByTag: {"vip", ""}}, {kpi.ByAgent: {"a-1", ""}, kpi.ByQueue: {"q-1", keptQueue}},
			} {
				if slices.ContainsFunc(slices.Collect(maps.Keys(filters)), func(dim kpi.Dimension) bool { return !slices.Contains(d.Dimensions, dim) }) {
					continue
				}
				r := kpi.Request{
					From: w.now.AddDate(0, 0, -40), To: w.now.Add(3 * time.Hour), Zone: w.zone, Bucket: kpi.BucketMonth, By: by, Filters: filters,
					PlacedBy: d.PlacedBy[(i+n)%len(d.PlacedBy)], Now: w.now,
				}
				if (i+n)%2 == 0 {
					r.Bucket = kpi.BucketNone
				}
				all = append(all, keptQuestion{d, r})
			}
		}
	}
	return all
}

// requireBehind requires that the lists behind the values of an answer are what the values
// count, but for those that are gone.
func (w *keptWorld) requireBehind(q keptQuestion, gone map[int64]bool) (listed int) {
	w.Helper()
	e := &kpi.Evaluator{Source: w.s.Mirror.Figures(w.connection), Directory: kpi.Directory{AgentTeams: map[string][]string{"a-1": {"Red", "Blue"}, "a-2": {"Red"}}}}
	want, err := e.Evaluate(w.Context(), q.definition, q.Request)
	require.NoError(w, err)
	about := fmt.Sprintf("%s by %q, date %s, bucket %s, filters %v", q.definition.ID, q.By, q.PlacedBy, q.Bucket, q.Filters)
	for _, s := range want.Series {
		for i, value := range s.Buckets {
			r := kpi.BehindRequest{Request: q.Request, Group: s.Group, Position: &i, Limit: 7}
			ids := map[int64]bool{}
			times := 0
			for {
				page, err := e.Behind(w.Context(), q.definition, r)
				require.NoError(w, err, about)
				require.Equal(w, value, page.Bucket, about)
				for _, m := range page.Members {
					require.False(w, ids[m.ID] || gone[m.ID], about)
					ids[m.ID] = true
					times += m.Times
				}
				if !page.More {
					require.Equal(w, value.Count, len(ids)+page.Gone, about)
					if value.Whole != nil && page.Gone == 0 {
						require.Equal(w, *value.Whole, times, about)
					}
					break
				}
				last := page.Members[len(page.Members)-1]
				r.After = &kpi.Place{At: last.At, ID: last.ID}
			}
			listed += len(ids)
		}
	}
	return listed
}

// The conversations behind every value are as many as the value says, whatever changed.
func TestWhatIsBehindIsWhatIsCounted(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, now *clock) {
		w := newKeptWorld(t, s, now, 4)
		w.begin(50)
		w.claims()
		listed := map[string]int{}
		for _, q := range w.behindQuestions() {
			listed[q.definition.ID] += w.requireBehind(q, nil)
			if w.random.IntN(5) == 0 {
				w.change()
			}
		}
		for _, id := range []string{
			"conversation_volume", "arrivals_per_hour", "closed_conversations", "backlog", "backlog_age", "agent_load", "full_resolution_time", "queue_time", "agent_replies",
			"replies_per_agent", "reopen_rate", "transfer_rate", "csat", "csat_response_rate", "nps", "claim_volume", "claim_parkings", "claim_refund_share", "claim_repeat_share",
		} {
			require.Positive(t, listed[id], id)
		}
	})
}

// claims adds claims, one of them with a conversation and two that were parked.
func (w *keptWorld) claims() {
	w.Helper()
	for i := range 5 {
		ref := claim.Ref{Shop: "acme", ID: fmt.Sprint("c-", i)}
		_, err := w.s.Claims.Accept(w.Context(), &claim.Claim{ID: ref.ID, Shop: ref.Shop, Reason: w.one("damaged", "support"), Preference: "refund", Customer: claim.Customer{Email: "ada@customer.example"}})
		require.NoError(w, err)
		if i < 2 {
			_, err := w.s.Claims.Change(w.Context(), ref, claim.EventPark, store.ClaimUpdate{Cause: claim.CauseNoContact})
			require.NoError(w, err)
		}
	}
	require.NoError(w, w.s.Links.Create(w.Context(), store.LinkInput{Ref: claim.Ref{Shop: "acme", ID: "c-4"}, ConnectionID: w.connection, ConversationID: 1, Step: claim.StepConversation}))
}

// Conversations of which only the figures stay are counted and not listed.
func TestBehindLeavesOutWhatIsGone(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, now *clock) {
		w := newKeptWorld(t, s, now, 5)
		w.begin(40)
		sources, err := s.DataSources.List(t.Context(), w.connection)
		require.NoError(t, err)
		sources[0].From, sources[0].KeepFigures = w.now.AddDate(0, 0, -30), true
		_, err = s.DataSources.Update(t.Context(), w.connection, sources[0])
		require.NoError(t, err)
		deleted, err := s.Mirror.DeleteExpired(t.Context(), w.connection)
		require.NoError(t, err)
		require.Positive(t, deleted)
		gone := map[int64]bool{}
		for id := range int64(40) {
			gone[id+1] = stored(t, s, w.connection, id+1, "conversations")["conversations"] == 0
		}
		for i, q := range w.behindQuestions() {
			if i%3 == 0 {
				w.requireBehind(q, gone)
			}
		}
		holder, ok := s.Mirror.Figures(w.connection).(kpi.Holder)
		require.True(t, ok)
		var many []int64
		for id := range int64(6000) { // more than one query looks up
			many = append(many, id)
		}
		for _, ids := range [][]int64{many, many[:50], nil} {
			have, err := holder.Gone(t.Context(), ids)
			require.NoError(t, err)
			for _, id := range ids {
				require.Equal(t, gone[id], have[id], id)
			}
		}
	})
}

func TestBehindDetails(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, now *clock) {
		w := newKeptWorld(t, s, now, 6)
		w.begin(3)
		w.claims()
		conversations, err := s.Mirror.BehindConversations(t.Context(), w.connection, []int64{1, 2, 99})
		require.NoError(t, err)
		require.Len(t, conversations, 2)
		require.Equal(t, claim.Ref{Shop: "acme", ID: "c-4"}, conversations[1].Claim)
		require.Equal(t, claim.Ref{}, conversations[2].Claim)
		require.True(t, w.created[1].Equal(conversations[2].CreatedAt))
		refs := []claim.Ref{{Shop: "acme", ID: "c-0"}, {Shop: "acme", ID: "c-4"}, {Shop: "acme", ID: "no"}}
		claims, err := s.Mirror.BehindClaims(t.Context(), refs)
		require.NoError(t, err)
		require.Len(t, claims, 2)
		require.Equal(t, int64(1), claims[refs[1]].ConversationID)
		require.Equal(t, "refund", claims[refs[0]].Resolution)
		none, err := s.Mirror.BehindClaims(t.Context(), nil)
		require.NoError(t, err)
		require.Empty(t, none)
	})
}
