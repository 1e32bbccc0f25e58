package store_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/store"
)

func TestDataSources(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, now *clock) {
		ctx, connection := t.Context(), connect(t, s, "acme", "org-1").ID
		addShop(t, s, "sister")
		other := connect(t, s, "sister", "org-2").ID
		none, err := s.DataSources.List(ctx, connection)
		require.NoError(t, err)
		require.Empty(t, none)
		want := claim.DataSource{
			Title: "Support", Streams: []claim.Stream{claim.StreamMessages}, Fields: []string{"id"}, Channels: []string{"Email"}, QueueIDs: []string{"q-1"},
			Date: claim.DateClosed, From: began, RetentionDays: 30, KeepFigures: true,
		}
		created, err := s.DataSources.Create(ctx, connection, want)
		require.NoError(t, err)
		require.NotEmpty(t, created.ID)
		want.ID, want.CreatedAt, want.UpdatedAt = created.ID, now.Now(), now.Now()
		require.Equal(t, want, created)
		got, err := s.DataSources.Get(ctx, connection, want.ID)
		require.NoError(t, err)
		require.Equal(t, want, got)
		_, err = s.DataSources.Get(ctx, other, want.ID)
		require.ErrorIs(t, err, store.ErrNotFound)

		now.Turn(time.Minute)
		second, err := s.DataSources.Create(ctx, connection, claim.DataSource{Title: "All"})
		require.NoError(t, err)
		want.Title, want.Streams, want.UpdatedAt = "Claims", nil, now.Now()
		updated, err := s.DataSources.Update(ctx, connection, want)
		require.NoError(t, err)
		require.Equal(t, want, updated, "it keeps when it was created")
		all, err := s.DataSources.List(ctx, connection)
		require.NoError(t, err)
		require.Equal(t, []claim.DataSource{want, second}, all)

		_, err = s.DataSources.Update(ctx, other, want)
		require.ErrorIs(t, err, store.ErrNotFound)
		require.ErrorIs(t, s.DataSources.Delete(ctx, other, want.ID), store.ErrNotFound)
		require.NoError(t, s.DataSources.Delete(ctx, connection, want.ID))
		require.ErrorIs(t, s.DataSources.Delete(ctx, connection, want.ID), store.ErrNotFound)
		all, err = s.DataSources.List(ctx, connection)
		require.NoError(t, err)
		require.Equal(t, []claim.DataSource{second}, all)
		_, err = s.DataSources.Create(ctx, "unknown", claim.DataSource{Title: "All"})
		require.Error(t, err)
	})
}

// windows returns waiting windows of messages, one per pair of days after began.
func windows(days ...int) []claim.ImportWindow {
	var out []claim.ImportWindow
	for i := 0; i+1 < len(days); i += 2 {
		out = append(out, claim.ImportWindow{Stream: claim.StreamMessages, From: day(days[i]), To: day(days[i+1])})
	}
	return out
}

func day(n int) time.Time { return began.AddDate(0, 0, n) }

func begin(t *testing.T, s *store.Store, connection string, days ...int) (claim.Import, []claim.ImportWindow) {
	t.Helper()
	i, fresh, err := s.Imports.Begin(t.Context(), claim.Import{ConnectionID: connection, Cause: "request", Windows: windows(days...)})
	require.NoError(t, err)
	require.True(t, fresh)
	waiting, err := s.Imports.Waiting(t.Context(), i.ID)
	require.NoError(t, err)
	require.Len(t, waiting, len(days)/2)
	return i, waiting
}

func finish(t *testing.T, s *store.Store, i claim.Import, w claim.ImportWindow, state claim.WindowState) {
	t.Helper()
	require.NoError(t, s.Imports.FinishWindow(t.Context(), i.ConnectionID, i.ID, w, store.WindowResult{State: state, Why: "because"}))
}

// covered returns the imported periods of messages in days after began.
func covered(t *testing.T, s *store.Store, connection string) [][2]int {
	t.Helper()
	all, err := s.Imports.Coverage(t.Context(), connection)
	require.NoError(t, err)
	var days [][2]int
	for _, p := range all[claim.StreamMessages] {
		days = append(days, [2]int{int(p.From.Sub(began).Hours() / 24), int(p.To.Sub(began).Hours() / 24)})
	}
	return days
}

func end(t *testing.T, s *store.Store, i claim.Import) {
	t.Helper()
	require.NoError(t, s.Imports.SetState(t.Context(), i.ConnectionID, i.ID, claim.ImportDone))
}

// A source that selects more than the others makes imports start over. One that
// reaches further back only does not.
func TestWiderSourcesResetWhatIsImported(t *testing.T) {
	t.Parallel()
	some := claim.DataSource{Title: "some", Streams: []claim.Stream{claim.StreamMessages, claim.StreamConversations}, Channels: []string{"Email", "Sms"}, QueueIDs: []string{"q-1"}}
	for name, test := range map[string]struct {
		change func(*claim.DataSource)
		added  *claim.DataSource
		reset  bool
	}{
		"unchanged":                 {change: func(*claim.DataSource) {}},
		"other title":               {change: func(d *claim.DataSource) { d.Title = "others" }},
		"further back":              {change: func(d *claim.DataSource) { d.From = began.AddDate(-2, 0, 0) }},
		"longer retention":          {change: func(d *claim.DataSource) { d.RetentionDays = 0 }},
		"fewer channels":            {change: func(d *claim.DataSource) { d.Channels = []string{"SMS"} }},
		"fewer streams":             {change: func(d *claim.DataSource) { d.Streams = d.Streams[:1] }},
		"more streams":              {change: func(d *claim.DataSource) { d.Streams = nil }, reset: true},
		"another channel":           {change: func(d *claim.DataSource) { d.Channels = []string{"Email", "Messenger"} }, reset: true},
		"all channels":              {change: func(d *claim.DataSource) { d.Channels = nil }, reset: true},
		"another queue":             {change: func(d *claim.DataSource) { d.QueueIDs = []string{"q-1", "q-2"} }, reset: true},
		"new source, included":      {added: &claim.DataSource{Title: "fewer", Streams: some.Streams[:1], Channels: []string{"Email"}, QueueIDs: []string{"q-1"}, From: began.AddDate(-5, 0, 0)}},
		"new source, with more":     {added: &claim.DataSource{Title: "more"}, reset: true},
		"new source, another queue": {added: &claim.DataSource{Title: "more", Streams: some.Streams, Channels: some.Channels, QueueIDs: []string{"q-2"}}, reset: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onEach(t, func(t *testing.T, s *store.Store, now *clock) {
				connection := connect(t, s, "acme", "org-1").ID
				d := some
				d.RetentionDays = 900
				d, err := s.DataSources.Create(t.Context(), connection, d)
				require.NoError(t, err)
				i, waiting := begin(t, s, connection, 0, 1, 1, 2)
				finish(t, s, i, waiting[0], claim.WindowDone)
				require.Equal(t, [][2]int{{0, 1}}, covered(t, s, connection))
				now.Turn(time.Minute)
				if test.added != nil {
					_, err = s.DataSources.Create(t.Context(), connection, *test.added)
				} else {
					test.change(&d)
					_, err = s.DataSources.Update(t.Context(), connection, d)
				}
				require.NoError(t, err)
				finish(t, s, i, waiting[1], claim.WindowDone)
				if !test.reset {
					require.Equal(t, [][2]int{{0, 2}}, covered(t, s, connection))
					return
				}
				require.Empty(t, covered(t, s, connection), "an import that began before the change did not read what was added")
				end(t, s, i)
				now.Turn(time.Minute)
				i, waiting = begin(t, s, connection, 0, 1)
				finish(t, s, i, waiting[0], claim.WindowDone)
				require.Equal(t, [][2]int{{0, 1}}, covered(t, s, connection))
			})
		})
	}
}

func TestOneImportRunsAtATime(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, now *clock) {
		ctx, connection := t.Context(), connect(t, s, "acme", "org-1").ID
		addShop(t, s, "sister")
		other := connect(t, s, "sister", "org-2").ID
		_, err := s.Imports.Current(ctx, connection)
		require.ErrorIs(t, err, store.ErrNotFound)

		found, fresh := make([]claim.Import, 8), make([]bool, 8)
		for _, err := range atOnce(len(found), func(n int) (err error) {
			found[n], fresh[n], err = s.Imports.Begin(ctx, claim.Import{ConnectionID: connection, Cause: "request", Why: fmt.Sprint(n), Windows: windows(0, 1, 1, 2)})
			return err
		}) {
			require.NoError(t, err)
		}
		began := 0
		for n := range found {
			require.Equal(t, found[0].ID, found[n].ID)
			if fresh[n] {
				began++
			}
		}
		require.Equal(t, 1, began)
		require.Equal(t, 2, value[int](t, s, `SELECT COUNT(*) FROM import_windows`))
		id := found[0].ID
		_, fresh[0], err = s.Imports.Begin(ctx, claim.Import{ConnectionID: other, Cause: "schedule"})
		require.NoError(t, err)
		require.True(t, fresh[0], "another connection has imports of its own")

		require.NoError(t, s.Imports.SetState(ctx, connection, id, claim.ImportPaused))
		current, fresh0, err := s.Imports.Begin(ctx, claim.Import{ConnectionID: connection, Cause: "request"})
		require.NoError(t, err)
		require.False(t, fresh0, "a paused import continues")
		require.Equal(t, claim.ImportPaused, current.State)
		require.NoError(t, s.Imports.SetState(ctx, connection, id, claim.ImportRunning))
		require.NoError(t, s.Imports.SetState(ctx, connection, id, claim.ImportRunning))
		require.ErrorIs(t, s.Imports.SetState(ctx, other, id, claim.ImportPaused), store.ErrNotFound)
		now.Turn(time.Minute)
		require.NoError(t, s.Imports.SetState(ctx, connection, id, claim.ImportCancelled))
		err = s.Imports.SetState(ctx, connection, id, claim.ImportRunning)
		var ended *store.ImportStateError
		require.ErrorAs(t, err, &ended)
		require.Equal(t, store.ImportStateError{ID: id, State: claim.ImportCancelled}, *ended)
		require.NoError(t, s.Imports.SetState(ctx, connection, id, claim.ImportCancelled))
		_, err = s.Imports.Current(ctx, connection)
		require.ErrorIs(t, err, store.ErrNotFound)

		next, _ := begin(t, s, connection)
		all, err := s.Imports.List(ctx, connection, 10)
		require.NoError(t, err)
		require.Len(t, all, 2)
		require.Equal(t, []string{next.ID, id}, []string{all[0].ID, all[1].ID})
		require.Equal(t, now.Now(), all[1].FinishedAt)
		all, err = s.Imports.List(ctx, connection, 1)
		require.NoError(t, err)
		require.Len(t, all, 1)
	})
}

func TestImportProgress(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, now *clock) {
		ctx, connection := t.Context(), connect(t, s, "acme", "org-1").ID
		i, _, err := s.Imports.Begin(ctx, claim.Import{
			ConnectionID: connection, Cause: "request", Access: claim.AccessSearch, Why: "the token may not read exports", Windows: windows(0, 1, 1, 2, 2, 3),
		})
		require.NoError(t, err)
		waiting, err := s.Imports.Waiting(ctx, i.ID)
		require.NoError(t, err)
		now.Turn(10 * time.Second)
		// A window is recorded while it is processed, too.
		record := func(w claim.ImportWindow, state claim.WindowState, c claim.ImportCounts, rejects map[int]string) {
			t.Helper()
			require.NoError(t, s.Imports.FinishWindow(ctx, connection, i.ID, w, store.WindowResult{State: state, Why: "slow\x00", ImportCounts: c, Rejects: rejects}))
		}
		record(waiting[0], claim.WindowWaiting, claim.ImportCounts{Read: 60, Added: 50, Changed: 5, Excluded: 4, Rejected: 1, Requests: 2}, map[int]string{3: "no id"})
		require.Empty(t, covered(t, s, connection))
		record(waiting[0], claim.WindowDone, claim.ImportCounts{Read: 100, Added: 30, Changed: 6, Excluded: 8, Rejected: 2, Requests: 1}, map[int]string{3: "no id", 70: "no conversation"})
		many := map[int]string{}
		for place := range 150 {
			many[place] = "no id"
		}
		record(waiting[1], claim.WindowParked, claim.ImportCounts{Rejected: 150, Requests: 4}, many)
		for _, late := range []claim.WindowState{claim.WindowWaiting, claim.WindowParked} {
			for _, ended := range waiting[:2] {
				err := s.Imports.FinishWindow(ctx, connection, i.ID, ended, store.WindowResult{State: late, Why: "late", Cursor: "late"})
				require.ErrorIs(t, err, store.ErrWindowEnded)
			}
		}
		result, err := s.Imports.WindowResult(ctx, i.ID, waiting[0].N)
		require.NoError(t, err)
		require.Equal(t, store.WindowResult{
			State: claim.WindowDone, Why: "slow", ImportCounts: claim.ImportCounts{Read: 100, Added: 80, Changed: 11, Excluded: 8, Rejected: 2, Requests: 3},
		}, result)
		_, err = s.Imports.WindowResult(ctx, i.ID, 99)
		require.ErrorIs(t, err, store.ErrNotFound)

		got, err := s.Imports.Get(ctx, connection, i.ID)
		require.NoError(t, err)
		require.Equal(t, claim.ImportCounts{Read: 100, Added: 80, Changed: 11, Excluded: 8, Rejected: 152, Requests: 7}, got.ImportCounts)
		require.Equal(t, []int{3, 1, 1}, []int{got.WindowsTotal, got.WindowsDone, got.WindowsParked})
		require.Equal(t, claim.AccessSearch, got.Access)
		require.Equal(t, "the token may not read exports", got.Why)
		require.InDelta(t, 10, got.RowsPerSecond, 0.01)
		require.Equal(t, 10, got.SecondsLeft)
		require.Len(t, got.Windows, 3)
		require.Equal(t, claim.ImportWindow{
			Stream: claim.StreamMessages, From: day(0), To: day(1), State: claim.WindowDone, Why: "slow",
			ImportCounts: claim.ImportCounts{Read: 100, Added: 80, Changed: 11, Excluded: 8, Rejected: 2, Requests: 3}, FinishedAt: now.Now(),
			Rejects: map[int]string{3: "no id", 70: "no conversation"},
		}, got.Windows[0])
		require.Len(t, got.Windows[1].Rejects, 100, "the reasons of some rows are enough")
		require.Equal(t, claim.WindowWaiting, got.Windows[2].State)
		require.Zero(t, got.Windows[2].FinishedAt)
		waiting, err = s.Imports.Waiting(ctx, i.ID)
		require.NoError(t, err)
		require.Len(t, waiting, 1)
		require.Equal(t, 2, waiting[0].N)

		require.NoError(t, s.Imports.Extend(ctx, i.ID, windows(5, 6)))
		waiting, err = s.Imports.Waiting(ctx, i.ID)
		require.NoError(t, err)
		require.Len(t, waiting, 2)
		require.Equal(t, 3, waiting[1].N)
		_, err = s.Imports.Get(ctx, "unknown", i.ID)
		require.ErrorIs(t, err, store.ErrNotFound)
	})
}

func TestImportedPeriodsAreJoined(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, _ *clock) {
		connection := connect(t, s, "acme", "org-1").ID
		i, waiting := begin(t, s, connection, 8, 9, 0, 1, 4, 6, 1, 2, 5, 8)
		for n, want := range [][][2]int{
			{{8, 9}},
			{{8, 9}, {0, 1}},
			{{8, 9}, {4, 6}, {0, 1}},
			{{8, 9}, {4, 6}, {0, 2}},
			{{4, 9}, {0, 2}},
		} {
			finish(t, s, i, waiting[n], claim.WindowDone)
			require.Equal(t, want, covered(t, s, connection))
		}
		// Periods belong to a stream; a window without a period adds none.
		directory := claim.ImportWindow{Stream: claim.StreamDirectory}
		require.NoError(t, s.Imports.Extend(t.Context(), i.ID, []claim.ImportWindow{directory}))
		directory.N = 5
		finish(t, s, i, directory, claim.WindowDone)
		all, err := s.Imports.Coverage(t.Context(), connection)
		require.NoError(t, err)
		require.Len(t, all, 1)

		// Windows may end at once.
		end(t, s, i)
		i, waiting = begin(t, s, connection, -9, -8, -8, -7, -7, -6, -6, -5, -5, -4, -4, -3)
		for _, err := range atOnce(len(waiting), func(n int) error {
			return s.Imports.FinishWindow(t.Context(), connection, i.ID, waiting[n], store.WindowResult{State: claim.WindowDone})
		}) {
			require.NoError(t, err)
		}
		require.Equal(t, [][2]int{{4, 9}, {0, 2}, {-9, -3}}, covered(t, s, connection))
	})
}

func TestParkedWindowsCanBeRepeated(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, now *clock) {
		connection := connect(t, s, "acme", "org-1").ID
		parked := func() [][2]time.Time {
			t.Helper()
			list, err := s.Imports.Parked(t.Context(), connection)
			require.NoError(t, err)
			var periods [][2]time.Time
			for _, w := range list {
				require.Equal(t, claim.WindowParked, w.State)
				require.Equal(t, "because", w.Why)
				periods = append(periods, [2]time.Time{w.From, w.To})
			}
			return periods
		}
		i, waiting := begin(t, s, connection, 0, 1, 1, 2, 2, 3)
		finish(t, s, i, waiting[2], claim.WindowDone)
		now.Turn(time.Minute)
		finish(t, s, i, waiting[0], claim.WindowParked)
		finish(t, s, i, waiting[1], claim.WindowParked)
		require.Equal(t, [][2]time.Time{{day(1), day(2)}, {day(0), day(1)}}, parked())
		require.Equal(t, [][2]int{{2, 3}}, covered(t, s, connection))
		end(t, s, i)

		now.Turn(time.Minute)
		i, waiting = begin(t, s, connection, 0, 1, 1, 2)
		finish(t, s, i, waiting[0], claim.WindowParked)
		finish(t, s, i, waiting[1], claim.WindowDone)
		require.Equal(t, [][2]time.Time{{day(0), day(1)}}, parked(), "a window that was parked twice is listed once")
		end(t, s, i)

		now.Turn(time.Minute)
		i, waiting = begin(t, s, connection, 0, 3)
		finish(t, s, i, waiting[0], claim.WindowDone)
		require.Empty(t, parked())
		require.Equal(t, [][2]int{{0, 3}}, covered(t, s, connection))
	})
}
