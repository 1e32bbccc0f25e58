package mirror_test

import (
	"encoding/json"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/mirror"
)

var nine = time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)

// record is a stored conversation with its messages and activities.
type record struct {
	c          mirror.Conversation
	messages   map[string]mirror.Message
	activities map[string]mirror.Activity
}

func newRecord() *record {
	return &record{messages: map[string]mirror.Message{}, activities: map[string]mirror.Activity{}}
}

func (r *record) fact(f mirror.Fact) { r.c.Apply(f) }

func (r *record) message(m mirror.Message) {
	if known, ok := r.messages[m.ID]; ok {
		m = mirror.MergeMessages(known, m)
	}
	r.messages[m.ID] = m
}

func (r *record) finish() mirror.Figures {
	if !r.c.Reported.AnonymizedAt.IsZero() {
		for id, m := range r.messages {
			r.messages[id] = m.Anonymized()
		}
		for id, a := range r.activities {
			r.activities[id] = a.Anonymized()
		}
	}
	return mirror.Derive(worldID, r.c, slices.Collect(maps.Values(r.messages)), slices.Collect(maps.Values(r.activities)))
}

// steps are the parts of news, to be taken in any order.
func steps(told []news) []func(*record) {
	var out []func(*record)
	for _, n := range told {
		for _, f := range n.facts {
			out = append(out, func(r *record) { r.fact(f) })
		}
		for _, m := range n.messages {
			out = append(out, func(r *record) { r.message(m) })
		}
		for _, a := range n.activities {
			out = append(out, func(r *record) { r.activities[a.ID] = a })
		}
	}
	return out
}

// reload is what storing and loading makes of a conversation.
func reload(t *testing.T, c mirror.Conversation) (out mirror.Conversation) {
	t.Helper()
	b, err := json.Marshal(c)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, &out))
	return out
}

// The same information gives the same records in any order and with any repetition.
func TestRecordsAreIndependentOfOrder(t *testing.T) {
	t.Parallel()
	for seed := range uint64(25) {
		w := newWorld(t, seed)
		all := steps(append(w.told, w.read(w.now.Add(time.Minute))...))
		want := newRecord()
		for _, s := range all {
			s(want)
		}
		figures := want.finish()
		require.Equal(t, want.c, reload(t, want.c), "seed %d", seed)
		r := rand.New(rand.NewPCG(seed, 8))
		for range 200 {
			got := newRecord()
			for _, i := range r.Perm(len(all)) {
				all[i](got)
				if r.IntN(4) == 0 {
					all[r.IntN(len(all))](got)
				}
			}
			gotFigures := got.finish()
			require.Equal(t, want.c, got.c, "seed %d", seed)
			require.Equal(t, want.messages, got.messages, "seed %d", seed)
			require.Equal(t, want.activities, got.activities, "seed %d", seed)
			require.Equal(t, figures, gotFigures, "seed %d", seed)
		}
	}
}

// After a complete read, it does not matter what was known before. An import that
// repeats it finds nothing to store.
func TestCompleteReadReplacesHistory(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		w := newWorld(t, seed)
		complete := steps(w.read(w.now.Add(time.Minute)))
		fresh, got := newRecord(), newRecord()
		for _, s := range complete {
			s(fresh)
		}
		for _, s := range append(steps(w.told), complete...) {
			s(got)
		}
		require.Equal(t, fresh.finish(), withoutSLA(got.finish()), "seed %d", seed)
		require.Equal(t, content(fresh.c), content(got.c), "seed %d", seed)
		require.Equal(t, fresh.c.KnownRatings(), got.c.KnownRatings(), "seed %d", seed)
		require.Equal(t, fresh.activities, got.activities)
		require.Len(t, got.messages, len(fresh.messages))
		for id, m := range got.messages {
			m.Redacted = fresh.messages[id].Redacted // a fresh import cannot know that there was text
			if m.Kind == claim.NoteKind {            // only events name the authors of notes
				m.Author, m.AuthorEmail = &claim.Person{ID: m.Author.ID}, ""
			}
			require.True(t, m.Equal(fresh.messages[id]), "seed %d: %+v %+v", seed, m, fresh.messages[id])
		}
		again := newRecord()
		again.c, again.messages, again.activities = got.c, maps.Clone(got.messages), maps.Clone(got.activities)
		for _, s := range steps(w.read(w.now.Add(time.Hour))) {
			s(again)
		}
		again.finish()
		require.True(t, again.c.Equal(got.c), "seed %d", seed)
		for id, m := range again.messages {
			require.True(t, m.Equal(got.messages[id]), "seed %d", seed)
		}
	}
}

// content is a conversation without what it knows of its facts.
func content(c mirror.Conversation) mirror.Conversation {
	c.Versions = claim.Versions{}
	c.OriginAt, c.OriginParts, c.RequesterAt, c.ReportedAt = claim.Stamp{}, nil, claim.Stamp{}, claim.Stamp{}
	c.Changes = nil // only those about SLAs are left, which only events know
	c.RatingsAt, c.RatingPeopleAt, c.AttributesAt = claim.Stamp{}, claim.Stamp{}, claim.Stamp{}
	return c
}

func withoutSLA(f mirror.Figures) mirror.Figures {
	f.Events = slices.DeleteFunc(f.Events, func(e mirror.FigureEvent) bool { return e.Kind == mirror.KindSLABreached })
	return f
}
