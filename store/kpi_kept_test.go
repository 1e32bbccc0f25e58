package store_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/kpi"
	"github.com/claimflow/claimflow/mirror"
	"github.com/claimflow/claimflow/store"
)

// keptWorld is a random organization whose key figures are asked for while it changes.
type keptWorld struct {
	*testing.T
	s          *store.Store
	connection string
	now        time.Time
	zone       *time.Location
	random     *rand.Rand
	// created is when each conversation was created.
	created []time.Time
	// updates and entries number the updates of conversations and the entries of logs.
	updates, entries int
}

const (
	keptQueue   = "q-3" // the last of those that the source selects
	keptOutside = "q-out"
)

func newKeptWorld(t *testing.T, s *store.Store, now *clock, seed uint64) *keptWorld {
	t.Helper()
	w := &keptWorld{T: t, s: s, connection: connect(t, s, "acme", "org-1").ID, now: now.Now(), random: rand.New(rand.NewPCG(seed, 1))}
	var err error
	w.zone, err = time.LoadLocation("Europe/Copenhagen")
	require.NoError(t, err)
	selecting(t, s, w.connection, claim.DataSource{QueueIDs: []string{"q-1", "q-2", keptQueue, ""}})
	return w
}

func (w *keptWorld) one(of ...string) string { return of[w.random.IntN(len(of))] }

// after is a time up to some hours after a time, often a full hour.
func (w *keptWorld) after(at time.Time, hours int) time.Time {
	at = at.Add(time.Duration(w.random.IntN(hours+1)) * time.Hour)
	if w.random.IntN(2) == 0 {
		at = at.Add(time.Duration(w.random.IntN(3600)) * time.Second)
	}
	return at
}

// conversation is a new state of a conversation, new or not.
func (w *keptWorld) conversation(id int64) store.ConversationFact {
	for int(id) > len(w.created) {
		w.created = append(w.created, w.after(w.now.AddDate(0, 0, -70), 65*24).Truncate(time.Hour))
	}
	w.updates++
	created := w.created[id-1]
	row := &dixa.ExportedConversation{
		ID: id, CreatedAt: dixa.NewTime(created), UpdatedAt: dixa.NewTime(w.now.Add(time.Duration(w.updates) * time.Second)),
		InitialChannel: w.one("email", "chat"), Direction: w.one("inbound", "inbound", "outbound"), Status: w.one("open", "closed", "closed"),
		QueueID: w.one("q-1", "q-2", keptQueue, ""), AssigneeID: w.one("a-1", "a-2", ""),
	}
	for _, tag := range []string{"vip", "late", "refund"} {
		if w.random.IntN(3) == 0 {
			row.Tags = append(row.Tags, tag)
		}
	}
	if row.Status == "closed" {
		row.ClosedAt = dixa.NewTime(w.after(created, 200))
	}
	if w.random.IntN(2) == 0 {
		row.AssignedAt, row.QueuedAt = dixa.NewTime(w.after(created, 20)), dixa.NewTime(created)
	}
	for range w.random.IntN(3) {
		offered := w.after(created, 300)
		rating := dixa.ExportedRating{Type: w.one("csat", "nps"), Status: "offered", CreatedAt: dixa.NewTime(offered), OfferedAt: dixa.NewTime(offered)}
		if w.random.IntN(2) == 0 {
			score := 1 + w.random.IntN(5)
			rating.Status, rating.Score, rating.RatedAt = "rated", &score, dixa.NewTime(w.after(offered, 200))
		}
		row.Ratings = append(row.Ratings, rating)
	}
	return store.ConversationFact{ID: id, Fact: mirror.ConversationFromExport(row, w.now)}
}

// log are entries of the log of a conversation.
func (w *keptWorld) log(id int64, n int) []mirror.Activity {
	var out []mirror.Activity
	add := func(kind string, at time.Time) {
		w.entries++
		entry, ok := mirror.ActivityFromLog(&dixa.Activity{
			ID: fmt.Sprint("l-", w.entries), ConversationID: id, At: dixa.NewTime(at), Type: kind, Author: &dixa.ActivityUser{ID: "a-1"},
			Attributes: json.RawMessage(`{"agentId": "` + w.one("a-1", "a-2", "a-3") + `", "queueId": "` + w.one("q-1", "q-2") + `"}`),
		})
		require.True(w, ok)
		out = append(out, entry)
	}
	if w.random.IntN(4) > 0 {
		add("ConversationCreatedByCustomer", w.created[id-1])
	}
	for range n {
		add(w.one("ConversationAssigned", "ConversationUnassigned", "ConversationClosed", "ConversationReopened", "ConversationTransferred"),
			w.after(w.created[id-1].Add(-time.Hour), 500))
	}
	return out
}

// messages are messages of a conversation.
func (w *keptWorld) messages(id int64) []mirror.Message {
	var out []mirror.Message
	for range w.random.IntN(4) {
		w.entries++
		m := mirror.Message{ConversationID: id}
		m.ID, m.Kind, m.Direction = fmt.Sprint("m-", w.entries), claim.MessageKind, w.one(claim.DirectionInbound, claim.DirectionOutbound)
		m.At, m.AutomatedKnown = w.after(w.created[id-1], 100), true
		if m.Direction == claim.DirectionOutbound {
			m.Author = &claim.Person{ID: w.one("a-1", "a-2")}
		}
		out = append(out, m)
	}
	return out
}

func (w *keptWorld) merge(b store.MirrorBatch) {
	w.Helper()
	b.ConnectionID = w.connection
	for _, a := range b.Activities {
		b.Facts = append(b.Facts, store.ConversationFact{ID: a.ConversationID, Fact: a.Fact()})
	}
	merge(w.T, w.s, b)
}

// begin stores conversations with all their parts.
func (w *keptWorld) begin(n int) {
	w.Helper()
	var b store.MirrorBatch
	for range n {
		id := int64(len(w.created) + 1)
		b.Facts = append(b.Facts, w.conversation(id))
		b.Activities = append(b.Activities, w.log(id, w.random.IntN(5))...)
		b.Messages = append(b.Messages, w.messages(id)...)
	}
	w.merge(b)
}

// change changes a conversation in one of the ways in which they change.
func (w *keptWorld) change() {
	w.Helper()
	id := 1 + w.random.Int64N(int64(len(w.created)))
	switch w.random.IntN(8) {
	case 0:
		w.merge(store.MirrorBatch{Activities: w.log(id, 3), Later: true})
		_, err := w.s.Mirror.ComputeFigures(w.Context(), w.connection, 100)
		require.NoError(w, err)
	case 1:
		w.merge(store.MirrorBatch{Messages: w.messages(id)})
	case 2: // a tag is removed
		f := w.conversation(id)
		f.Tags = nil
		w.merge(store.MirrorBatch{Facts: []store.ConversationFact{f}})
	case 3: // moved out of what is selected, so deleted
		f := w.conversation(id)
		f.Queue = &claim.Queue{ID: keptOutside}
		w.merge(store.MirrorBatch{Facts: []store.ConversationFact{f}})
	case 4: // erased
		f := store.ConversationFact{ID: id}
		f.AnonymizedAt = w.now
		w.merge(store.MirrorBatch{Facts: []store.ConversationFact{f}})
	case 5:
		w.begin(1)
	default:
		w.merge(store.MirrorBatch{Facts: []store.ConversationFact{w.conversation(id)}})
	}
}

// truth are the stored figures.
func (w *keptWorld) truth() *kpi.Memory {
	w.Helper()
	var all []mirror.Figures
	for id := range int64(len(w.created)) {
		if stored(w.T, w.s, w.connection, id+1, "figures")["figures"] > 0 {
			all = append(all, storedFigures(w.T, w.s, w.connection, id+1))
		}
	}
	return kpi.NewMemory(all, nil)
}

// keptQuestion is a question about a figure.
type keptQuestion struct {
	definition kpi.Definition
	kpi.Request
}

// questions are every figure of conversations and events by every dimension, date and
// bucket, in a period that cuts buckets and in one that does not.
func (w *keptWorld) questions() []keptQuestion {
	var all []keptQuestion
	for _, d := range kpi.All() {
		if d.Subject != "conversations" {
			continue
		}
		for i, by := range append([]kpi.Dimension{""}, d.Dimensions...) {
			for n, date := range d.PlacedBy {
				for k, bucket := range d.Buckets {
					if bucket == kpi.BucketHour || bucket == kpi.BucketNone {
						continue
					}
					r := kpi.Request{Zone: w.zone, Bucket: bucket, By: by, PlacedBy: date, Now: w.now}
					r.From, r.To = w.now.AddDate(0, 0, -50), w.now.Add(3*time.Hour)
					if (i+n+k)%2 == 0 {
						r.From, r.To = time.Date(2026, 1, 1, 0, 0, 0, 0, w.zone), time.Date(2026, 3, 1, 0, 0, 0, 0, w.zone)
					}
					if by == kpi.ByTag {
						r.Filters = map[kpi.Dimension][]string{kpi.ByTag: {"vip", "", "nothing"}}
					}
					all = append(all, keptQuestion{d, r})
				}
			}
		}
	}
	return all
}

// ask compares the answer to a question with the truth.
func (w *keptWorld) ask(q keptQuestion, truth *kpi.Memory) {
	w.Helper()
	text := [2]string{}
	for i, source := range []kpi.Source{truth, w.s.Mirror.Figures(w.connection)} {
		e := kpi.Evaluator{Source: source, NotKept: func(err error) { require.NoError(w, err) }}
		result, err := e.Evaluate(w.Context(), q.definition, q.Request)
		require.NoError(w, err)
		text[i] = asJSON(w.T, result.Series)
	}
	require.Equal(w, text[0], text[1], "%s by %q, date %s, bucket %s, from %s", q.definition.ID, q.By, q.PlacedBy, q.Bucket, q.From)
}

// verified verifies what is kept of every figure, and returns the numbers of buckets and
// of those that are stale.
func (w *keptWorld) verified() (v kpi.Verification) {
	w.Helper()
	for _, d := range kpi.All() {
		one, err := (&kpi.Evaluator{Source: w.s.Mirror.Figures(w.connection)}).Verify(w.Context(), d)
		require.NoError(w, err)
		v.Buckets, v.Values, v.Stale, v.Differences = v.Buckets+one.Buckets, v.Values+one.Values, v.Stale+one.Stale, append(v.Differences, one.Differences...)
	}
	return v
}

// Kept values equal those of the rows whatever changed in between.
func TestKeptKPIsEqualThoseOfRows(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, now *clock) {
		w := newKeptWorld(t, s, now, 1)
		w.begin(60)
		all := w.questions()
		for round := range 60 {
			if round%6 == 0 { // the same questions before and after each change
				w.random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
			}
			truth := w.truth()
			for _, q := range all[:25] {
				w.ask(q, truth)
			}
			w.change()
		}
		v := w.verified()
		require.Empty(t, v.Differences)
		require.Greater(t, v.Buckets, 100)
		require.Greater(t, v.Stale, 10)
		truth := w.truth()
		for _, q := range all {
			w.ask(q, truth)
		}
		v = w.verified()
		require.Empty(t, v.Differences)
	})
}

// keep makes the world keep days of the volume by queue and of the backlog.
func (w *keptWorld) keep() {
	w.Helper()
	truth := w.truth()
	for _, q := range w.questions() {
		if q.Bucket == kpi.BucketDay && (q.definition.ID == "conversation_volume" && q.By == kpi.ByQueue || q.definition.ID == "backlog" && q.By == "") {
			w.ask(q, truth)
		}
	}
}

func TestVerificationFindsWhatIsWrong(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		// spoil changes something behind the store's back, or loses a mark.
		spoil       func(w *keptWorld)
		stale       bool
		differences map[string]bool // figures
	}{
		{name: "nothing", spoil: func(*keptWorld) {}},
		{
			name: "a count", differences: map[string]bool{"conversation_volume": true},
			spoil: func(w *keptWorld) {
				w.exec(`UPDATE kpi_values SET n = n + 1 WHERE start = (SELECT MIN(v.start) FROM kpi_values v JOIN kpi_series s ON s.id = v.series_id WHERE s.kpi = 'conversation_volume')
					AND series_id IN (SELECT id FROM kpi_series WHERE kpi = 'conversation_volume')`)
			},
		},
		{
			name: "a lost value", differences: map[string]bool{"backlog": true},
			spoil: func(w *keptWorld) {
				w.exec(`DELETE FROM kpi_values WHERE start = (SELECT MAX(v.start) FROM kpi_values v JOIN kpi_series s ON s.id = v.series_id WHERE s.kpi = 'backlog')
					AND series_id IN (SELECT id FROM kpi_series WHERE kpi = 'backlog')`)
			},
		},
		{
			name: "a value too many", differences: map[string]bool{"backlog": true},
			spoil: func(w *keptWorld) {
				w.exec(`INSERT INTO kpi_values (series_id, start, grp, hour, n, missing)
					SELECT series_id, MIN(start), 'x', 0, 1, 0 FROM kpi_buckets WHERE series_id IN (SELECT id FROM kpi_series WHERE kpi = 'backlog') GROUP BY series_id`)
			},
		},
		{
			name: "a lost mark", differences: map[string]bool{"conversation_volume": true, "backlog": true},
			spoil: func(w *keptWorld) {
				w.moveOut()
				w.exec(`UPDATE figure_days SET change = 1`)
			},
		},
		{
			name: "a change that is marked", stale: true,
			spoil: (*keptWorld).moveOut,
		},
		{
			name: "another version of the definitions", stale: true,
			spoil: func(w *keptWorld) { w.exec(`UPDATE kpi_series SET version = 'old'`) },
		},
		{
			name: "other rules of the zone", stale: true,
			spoil: func(w *keptWorld) { w.exec(`UPDATE kpi_buckets SET until = until + 1`) },
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			onEach(t, func(t *testing.T, s *store.Store, now *clock) {
				w := newKeptWorld(t, s, now, 2)
				w.begin(30)
				w.keep()
				before := w.verified()
				require.Positive(t, before.Values)
				require.Empty(t, before.Differences)
				require.Zero(t, before.Stale)
				c.spoil(w)
				v := w.verified()
				require.Equal(t, c.stale, v.Stale > 0)
				require.Equal(t, before.Buckets, v.Buckets+v.Stale)
				found := map[string]bool{}
				for _, d := range v.Differences {
					found[d.Series.KPI] = true
					require.False(t, d.Start.IsZero())
					require.True(t, d.Kept != nil || d.Computed != nil)
				}
				require.Len(t, found, len(c.differences), found)
				for id := range c.differences {
					require.Contains(t, found, id)
				}
				if v.Stale > 0 {
					// Answers are right, and stale values are kept again, except those from before
					// what is now the first conversation.
					w.keep()
					again := w.verified()
					require.Empty(t, again.Differences)
					require.Less(t, again.Stale, v.Stale/2+1)
				}
			})
		})
	}
}

// moveOut deletes ten conversations by moving them to where no source selects them.
func (w *keptWorld) moveOut() {
	w.Helper()
	for id := range int64(10) {
		f := w.conversation(id + 1)
		f.Queue = &claim.Queue{ID: keptOutside}
		w.merge(store.MirrorBatch{Facts: []store.ConversationFact{f}})
	}
}

// exec changes the database directly.
func (w *keptWorld) exec(query string, args ...any) {
	w.Helper()
	result, err := w.s.DB().ExecContext(w.Context(), query, args...)
	require.NoError(w, err)
	n, err := result.RowsAffected()
	require.NoError(w, err)
	require.Positive(w, n, query)
}

// What was kept of an earlier moment does not replace what was kept of a later one.
func TestKeepingKeepsTheNewest(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, now *clock) {
		w := newKeptWorld(t, s, now, 3)
		keeper, ok := s.Mirror.Figures(w.connection).(kpi.Keeper)
		require.True(t, ok)
		series := kpi.KeptSeries{KPI: "csat", Version: "v", PlacedBy: kpi.DateEvent, Bucket: kpi.BucketDay, Zone: "UTC"}
		keep := func(change int64, counts ...int) {
			var buckets []kpi.KeptBucket
			for i, n := range counts {
				half := float64(n) / 2
				buckets = append(buckets, kpi.KeptBucket{Start: int64(i), End: int64(i + 1), Values: []kpi.KeptValue{{Group: "g", Count: n, Whole: &n, Value: &half}}})
			}
			require.NoError(t, keeper.Keep(t.Context(), series, change, buckets))
		}
		kept := func() (counts []int) {
			require.NoError(t, keeper.Moment(t.Context(), func(m kpi.Moment) error {
				kept, err := m.Kept(t.Context(), series, 0, 10)
				for _, b := range kept.Buckets {
					require.Len(t, b.Values, 1)
					counts = append(counts, b.Values[0].Count)
					require.Equal(t, b.Values[0].Count, *b.Values[0].Whole)
					require.InDelta(t, float64(b.Values[0].Count)/2, *b.Values[0].Value, 0)
					require.Nil(t, b.Values[0].Part)
					require.Nil(t, b.Values[0].Median)
				}
				return err
			}))
			return counts
		}
		w.begin(1) // the connection has a mirror
		keep(5, 10, 20)
		keep(4, 11, 21, 31)
		require.Equal(t, []int{10, 20, 31}, kept())
		keep(6, 12)
		require.Equal(t, []int{12, 20, 31}, kept())
		series.Version = "w"
		keep(1, 7)
		require.Equal(t, 1, value[int](t, s, `SELECT COUNT(*) FROM kpi_series`), "another version replaces the old one")
		require.Equal(t, 1, value[int](t, s, `SELECT COUNT(*) FROM kpi_values`))
	})
}
