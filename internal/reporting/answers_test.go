package reporting_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/internal/reporting"
	"github.com/claimflow/claimflow/internal/seal"
	"github.com/claimflow/claimflow/kpi"
	"github.com/claimflow/claimflow/mirror"
	"github.com/claimflow/claimflow/store"
)

// world is a service that answers questions about a connection.
type world struct {
	*testing.T
	store      *store.Store
	service    *reporting.Service
	connection string
	ahead      atomic.Int64
	now        time.Time
}

func newWorld(t *testing.T) *world {
	t.Helper()
	text, err := seal.Generate()
	require.NoError(t, err)
	keys, err := seal.Parse(text)
	require.NoError(t, err)
	w := &world{T: t, now: time.Now().UTC().Truncate(24 * time.Hour).Add(12 * time.Hour)}
	w.store, err = store.Open(t.Context(), "sqlite::memory:", keys, store.WithClock(func() time.Time { return w.now.Add(time.Duration(w.ahead.Load())) }))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.store.Close()) })
	w.service = &reporting.Service{Store: w.store}
	w.connection = w.connect("acme")
	return w
}

// connect adds a shop with an organization of its own.
func (w *world) connect(shop string) string {
	w.Helper()
	_, err := w.store.Shops.Create(w.Context(), store.NewShop{Slug: shop})
	require.NoError(w, err)
	c, err := w.store.Connections.SaveToken(w.Context(), shop, "token-of-"+shop, store.Organization{ID: shop, Name: shop})
	require.NoError(w, err)
	_, err = w.store.DataSources.Create(w.Context(), c.ID, claim.DataSource{Title: "All", From: w.now.AddDate(-1, 0, 0), RetentionDays: 100})
	require.NoError(w, err)
	return c.ID
}

// add stores a conversation that began some days ago at 11:00 and is in a queue.
func (w *world) add(connection string, id int64, days int) {
	w.Helper()
	created := w.now.AddDate(0, 0, -days).Add(-time.Hour)
	_, err := w.store.Mirror.Merge(w.Context(), store.MirrorBatch{ConnectionID: connection, Facts: []store.ConversationFact{{ID: id, Fact: mirror.Fact{
		Fact:   claim.Fact{Stamp: claim.Stamp{ID: fmt.Sprint("e-", id), At: created}, Status: claim.ConversationOpen},
		Origin: &mirror.Origin{CreatedAt: created, Channel: "Email", Direction: claim.DirectionInbound},
	}}}})
	require.NoError(w, err)
}

// ask answers a question about the last 90 days and checks the answer against the rows.
func (w *world) ask(connection, id string, edit func(*kpi.Request)) *kpi.Result {
	w.Helper()
	d, known := kpi.ByID(id)
	require.True(w, known)
	r := kpi.Request{From: w.now.AddDate(0, 0, -90), To: w.now, Bucket: kpi.BucketNone, Now: w.now}
	if edit != nil {
		edit(&r)
	}
	got, err := w.service.Evaluate(w.Context(), connection, d, r, "", 0)
	require.NoError(w, err)
	fresh := &reporting.Service{Store: w.store} // has no answers yet
	want, err := fresh.Evaluate(w.Context(), connection, d, r, "", 0)
	require.NoError(w, err)
	require.Equal(w, want.Series, got.Series)
	require.Equal(w, want.Freshness, got.Freshness)
	return got
}

func volume(r *kpi.Result) float64 { return *r.Series[0].Buckets[0].Value }

// same reports whether two answers share their values.
func same(a, b *kpi.Result) bool { return &a.Series[0] == &b.Series[0] }

func TestAnswersAreUsedAgainUntilSomethingChanges(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add(w.connection, 1, 2)
	w.add(w.connection, 2, 50)
	ask := func() *kpi.Result { return w.ask(w.connection, "conversation_volume", nil) }

	first := ask()
	require.InDelta(t, 2, volume(first), 0)
	require.True(t, same(first, ask()))

	w.add(w.connection, 3, 1)
	require.InDelta(t, 3, volume(ask()), 0, "after a change")

	other := w.connect("other")
	require.InDelta(t, 0, volume(w.ask(other, "conversation_volume", nil)), 0, "another connection")
	w.add(other, 1, 1)
	require.InDelta(t, 1, volume(w.ask(other, "conversation_volume", nil)), 0)
	require.InDelta(t, 3, volume(ask()), 0)

	w.ahead.Store(int64(60 * 24 * time.Hour)) // the second is now older than 100 days
	n, err := w.store.Mirror.DeleteExpired(t.Context(), w.connection)
	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.InDelta(t, 2, volume(ask()), 0, "after a retention run")

	e, _, err := w.store.Erasures.Begin(t.Context(), "acme", claim.ErasureRequest{Email: "ada@customer.example"})
	require.NoError(t, err)
	before := ask()
	_, err = w.store.Erasures.Erase(t.Context(), e, store.ErasureSubject{Kind: store.SubjectConversation, ConnectionID: w.connection, ID: "1"})
	require.NoError(t, err)
	require.False(t, same(before, ask()), "after an erasure")
}

func TestAnswersDependOnTheQuestion(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add(w.connection, 1, 2)
	base := w.ask(w.connection, "conversation_volume", nil)
	tokyo, err := time.LoadLocation("Asia/Tokyo")
	require.NoError(t, err)
	for name, edit := range map[string]func(*kpi.Request){
		"zone":   func(r *kpi.Request) { r.Zone = tokyo },
		"period": func(r *kpi.Request) { r.From = r.From.AddDate(0, 0, 1) },
		"end":    func(r *kpi.Request) { r.To = r.To.AddDate(0, 0, -1) },
		"bucket": func(r *kpi.Request) { r.Bucket = kpi.BucketDay },
		"by":     func(r *kpi.Request) { r.By = kpi.ByChannel },
		"filter": func(r *kpi.Request) { r.Filters = map[kpi.Dimension][]string{kpi.ByChannel: {"Email"}} },
		"minute": func(r *kpi.Request) { r.Now = r.Now.Add(time.Minute) },
	} {
		require.False(t, same(base, w.ask(w.connection, "conversation_volume", edit)), name)
	}
	require.True(t, same(base, w.ask(w.connection, "conversation_volume", func(r *kpi.Request) { r.Now = r.Now.Add(59 * time.Second) })), "within a minute")

	over := func(later time.Duration) *kpi.Result {
		return w.ask(w.connection, "conversation_volume", func(r *kpi.Request) { r.To, r.Now = r.To.AddDate(0, 0, -10), r.Now.Add(later) })
	}
	require.True(t, same(over(0), over(time.Hour)), "a period that is over does not depend on the time")
}

// The age of the backlog grows while nothing changes.
func TestAnswersAreOfTheMinute(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add(w.connection, 1, 2)
	age := func(later time.Duration) float64 {
		return volume(w.ask(w.connection, "backlog_age", func(r *kpi.Request) { r.To, r.Now = r.To.Add(24*time.Hour), r.Now.Add(later) }))
	}
	require.InDelta(t, 3600, age(time.Hour)-age(0), 0.001)
}

func TestAnswersDependOnBusinessHoursNamesAndPresence(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add(w.connection, 1, 2)
	closed := func() *kpi.Result {
		return w.ask(w.connection, "queue_time", func(r *kpi.Request) { r.Bucket = kpi.BucketDay })
	}
	require.True(t, same(closed(), closed()))

	schedule := func(from string) {
		text := `{"id":"s","name":"Support","timezone":"UTC","businessHours":[{"dayOfWeek":1,"status":"Open","intervals":[{"startTime":"` + from + `","endTime":"16:00"}]}],"exceptions":[]}`
		require.NoError(t, w.store.Mirror.SaveSchedule(t.Context(), w.connection, store.ScheduleVersion{ID: "s", ValidFrom: w.now.AddDate(-1, 0, 0), Definition: []byte(text)}))
	}
	hours := func() *kpi.Result {
		return w.ask(w.connection, "first_response_time", func(r *kpi.Request) { r.Hours = kpi.BusinessHours })
	}
	schedule("08:00")
	before := hours()
	require.True(t, same(before, hours()))
	schedule("09:00")
	require.False(t, same(before, hours()), "after a change of the business hours")

	agents := func() *kpi.Result { return w.ask(w.connection, "agent_presence", nil) }
	before = agents()
	require.NoError(t, w.store.Mirror.SavePresence(t.Context(), w.connection, w.now.Add(-time.Minute), []kpi.PresenceSample{{AgentID: "ada", Working: true}}))
	require.InDelta(t, 100, volume(agents()), 0)
	require.False(t, same(before, agents()))

	names := func() *kpi.Result {
		return w.ask(w.connection, "conversation_volume", func(r *kpi.Request) { r.By = kpi.ByQueue })
	}
	before = names()
	_, err := w.store.Mirror.SaveDirectory(t.Context(), w.connection, mirror.KindQueue, []mirror.DirectoryEntry{{ID: "q", Name: "Returns"}}, w.now)
	require.NoError(t, err)
	require.False(t, same(before, names()), "after a change of the directory")
}

// Who gives up does not take the answer from those who ask for the same.
func TestAnswersOutliveTheFirstCaller(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add(w.connection, 1, 2)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	d, _ := kpi.ByID("conversation_volume")
	r := kpi.Request{From: w.now.AddDate(0, 0, -90), To: w.now, Bucket: kpi.BucketNone, Now: w.now}
	_, err := w.service.Evaluate(gone, w.connection, d, r, "", 0)
	require.ErrorIs(t, err, context.Canceled)
	done := make(chan float64)
	for range 8 {
		go func() {
			got, err := w.service.Evaluate(t.Context(), w.connection, d, r, "", 0)
			if err != nil {
				done <- -1
				return
			}
			done <- volume(got)
		}()
	}
	for range 8 {
		require.InDelta(t, 1, <-done, 0)
	}
}

// Answers about claims are only given again within a minute, to who accepts that, and to
// nobody who is limited to another shop.
func TestAnswersAboutClaimsAreUsedAgainWithinAMinute(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d, known := kpi.ByID("claim_volume")
	require.True(t, known)
	minute := w.now.Truncate(time.Minute)
	ask := func(ctx context.Context, now time.Time, maxAge time.Duration) *kpi.Result {
		r := kpi.Request{From: minute.AddDate(0, 0, -90), To: minute.Add(time.Minute), Bucket: kpi.BucketNone, Now: now}
		result, err := w.service.Evaluate(ctx, w.connection, d, r, "", maxAge)
		require.NoError(t, err)
		return result
	}
	ctx, acme := t.Context(), reporting.LimitedTo(t.Context(), "acme")
	first := ask(ctx, minute, time.Minute)
	require.True(t, same(first, ask(ctx, minute.Add(59*time.Second), time.Minute)))
	require.False(t, same(first, ask(ctx, minute, 0)))
	require.False(t, same(first, ask(ctx, minute, 59*time.Second)))
	require.False(t, same(first, ask(ctx, minute.Add(time.Minute), time.Minute)))
	require.False(t, same(first, ask(acme, minute, time.Minute)))
	require.True(t, same(ask(acme, minute, time.Minute), ask(acme, minute, time.Hour)))
	require.False(t, same(ask(acme, minute, time.Minute), ask(reporting.LimitedTo(ctx, "other"), minute, time.Minute)))
}
