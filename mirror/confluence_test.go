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
	out.LoggedAt = c.LoggedAt // the stored entries tell it
	return out
}

// The same information gives the same records in any order and with any repetition.
func TestRecordsAreIndependentOfOrder(t *testing.T) {
	t.Parallel()
	for seed := range uint64(15) {
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
	var events []mirror.FigureEvent
	for _, e := range f.Events {
		if e.Kind != mirror.KindSLABreached {
			events = append(events, e)
		}
	}
	f.Events = events
	return f
}

// Anonymization removes personal data whatever arrives before or after it.
func TestAnonymizationWins(t *testing.T) {
	t.Parallel()
	row := exportedRow(t, `{"id": 4711, "created_at": 1772355600000, "anonymized_at": 1772442000000, "requester_id": "u-1", "status": "closed"}`)
	anonymized := mirror.ConversationFromExport(row, nine.Add(48*time.Hour))
	facts := []mirror.Fact{
		anonymized,
		mirror.ReadEvent("e-1", nine, eventBody(t, "CONVERSATION_RATED", "CLOSED", map[string]any{"score": 4, "comment": "I am Ada"})).Fact,
		mirror.ReadEvent("e-2", nine, []byte(`{"event_id": "e-2", "event_fqn": "CONVERSATION_RATED", "event_timestamp": "2026-04-01T09:00:00Z", "data": {"comment": "Ada",
			"conversation": {"csid": 4711, "status": "CLOSED", "subject": "Ada", "requester": {"id": "u-1", "name": "Ada", "email": "ada@customer.example", "phone": "+45"}}}}`)).Fact,
	}
	for _, order := range [][]int{{0, 1, 2}, {1, 0, 2}, {2, 1, 0}, {1, 2, 0}} {
		var c mirror.Conversation
		for _, i := range order {
			c.Apply(facts[i])
		}
		stored, err := json.Marshal(c)
		require.NoError(t, err)
		require.NotContains(t, string(stored), "Ada")
		require.NotContains(t, string(stored), "ada@")
		require.NotContains(t, string(stored), "+45")
		require.NotContains(t, string(stored), "Broken")
		require.Nil(t, c.Requester, "not even the id stays")
		require.Equal(t, nine.Add(24*time.Hour), c.Reported.AnonymizedAt)
		require.Len(t, c.KnownRatings(), 1)
	}
	require.Equal(t, "Ada", facts[2].Requester.Name, "the fact changed")
}

func TestEqualConversations(t *testing.T) {
	t.Parallel()
	row := exportedRow(t, `{"id": 4711, "created_at": 1772355600000, "updated_at": 1772355600000, "tags": ["a"], "requester_id": "u-1"}`)
	var c mirror.Conversation
	c.Apply(mirror.ConversationFromExport(row, nine))
	later := c
	later.Apply(mirror.ConversationFromExport(row, nine.Add(time.Hour)))
	require.NotEqual(t, c, later)
	require.True(t, c.Equal(later))
	require.True(t, c.Equal(reload(t, later)))
	for _, body := range []string{
		`{"id": 4711, "created_at": 1772355600000, "updated_at": 1772355600000, "tags": ["b"], "requester_id": "u-1"}`,
		`{"id": 4711, "created_at": 1772355600000, "updated_at": 1772355600001, "tags": ["a"], "requester_id": "u-1"}`,
		`{"id": 4711, "created_at": 1772355600000, "updated_at": 1772355600000, "tags": ["a"], "requester_id": "u-2"}`,
	} {
		changed := c
		changed.Apply(mirror.ConversationFromExport(exportedRow(t, body), nine.Add(time.Hour)))
		require.False(t, c.Equal(changed), body)
	}
}
