package activities_test

import (
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/activities"
	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/emulator/server"
)

// only returns the import's first waiting window of a stream.
func (b *importBench) only(i claim.Import, stream claim.Stream) claim.ImportWindow {
	b.Helper()
	for _, w := range b.waiting(i) {
		if w.Stream == stream {
			return w
		}
	}
	b.Fatalf("the import has no window of %s", stream)
	return claim.ImportWindow{}
}

// A key that Dixa refuses in the middle of the log restarts the window once. If Dixa
// refuses it again, the window is given up instead of being read for ever.
func TestRefusedPageKey(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		times  int
		parked bool
	}{"once": {1, false}, "always": {0, true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newImportBench(t, 10, server.Switches{MaxPageLimit: 20}, 15*24*time.Hour)
			b.everything()
			i := b.plan(claim.ImportRequest{})
			for _, w := range b.waiting(i) {
				if w.Stream != claim.StreamActivityLogs {
					b.finish(i, w)
				}
			}
			b.dixa.Inject(server.Fault{Operation: activityLog, Kind: server.FaultStatus, Status: http.StatusBadRequest, Skip: 2, Containing: "pageKey", Times: tt.times})
			w := b.only(i, claim.StreamActivityLogs)
			before := b.dixa.Stats().ByOperation[activityLog]
			counts, err := importStep[claim.ImportCounts](b, b.imports.ImportWindow, b.window(i, w))
			if tt.parked {
				b.requireParked(err, claim.CauseRefused)
				require.Less(t, b.dixa.Stats().ByOperation[activityLog]-before, 10)
				return
			}
			require.NoError(t, err)
			want := 0
			for _, c := range b.dixa.Truth() {
				want += len(c.Activity)
			}
			require.GreaterOrEqual(t, counts.Read, want)
			require.Less(t, counts.Read, want+20, "what was read before the restart does not count twice")
			b.end(i)
			b.requireTruth(true)
		})
	}
}

// A failed attempt at the log continues at the page at which it failed, and keeps what
// it counted.
func TestActivityLogResumes(t *testing.T) {
	t.Parallel()
	b := newImportBench(t, 10, server.Switches{MaxPageLimit: 20}, 15*24*time.Hour)
	b.everything()
	i := b.plan(claim.ImportRequest{Streams: []claim.Stream{claim.StreamConversations, claim.StreamActivityLogs}})
	b.finish(i, b.only(i, claim.StreamConversations))
	w := b.only(i, claim.StreamActivityLogs)
	b.dixa.Inject(server.Fault{Operation: activityLog, Kind: server.FaultGarbage, Skip: 1, Times: 1, Body: `{"data":[{"id":"x-1","conversationId":7}],"meta":{"next":"` + b.nextPage(w) + `"}}`})
	b.dixa.Inject(server.Fault{Operation: activityLog, Kind: server.FaultStatus, Skip: 3, Times: 2})
	var firsts int
	b.ask(func(_ http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, "/conversations/activitylog") && r.URL.Query().Get("pageKey") == "" {
			firsts++
		}
		return false
	})
	b.finish(i, w)
	require.Equal(t, 1, firsts, "later attempts must not begin again")
	got := b.read(i).Windows[w.N]
	require.Equal(t, claim.WindowDone, got.State)
	require.Equal(t, 1, got.Rejected, "what the first attempt set aside")
	require.Len(t, got.Rejects, 1)
}

// nextPage is the link to the third page of the log of a window.
func (b *importBench) nextPage(w claim.ImportWindow) string {
	b.Helper()
	client, err := b.imports.Clients.Client(b.Context(), b.connection)
	require.NoError(b, err)
	page := ""
	for range 2 {
		_, page, err = client.Conversations.OrganizationActivityLogPage(b.Context(), w.From, w.To, 1000, page)
		require.NoError(b, err)
	}
	return "/v1/conversations/activitylog?" + page
}

// A failed attempt at a search continues after the last conversation that is stored.
// Progress forgives failures: only a place at which the window fails again and again
// ends it.
func TestSearchResumes(t *testing.T) {
	t.Parallel()
	b := newImportBench(t, 12, server.Switches{}, 20*time.Hour)
	b.dixa.Inject(server.Fault{Operation: conversationExport, Kind: server.FaultStatus, Status: http.StatusForbidden})
	b.source(claim.DataSource{Title: "Conversations", From: time.Now().Add(-23 * time.Hour), Streams: []claim.Stream{claim.StreamConversations, claim.StreamMessages}})
	i := b.plan(claim.ImportRequest{})
	require.Equal(t, claim.AccessSearch, i.Access)
	read, failed := map[string]int{}, map[string]bool{}
	b.ask(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodGet || !strings.HasSuffix(r.URL.Path, "/messages") {
			return false
		}
		read[r.URL.Path]++
		if failed[r.URL.Path] {
			return false
		}
		failed[r.URL.Path] = true // each conversation fails once: 12 failures
		w.WriteHeader(http.StatusBadGateway)
		return true
	})
	i = b.importAll(claim.ImportRequest{})
	require.Zero(t, i.WindowsParked)
	require.Len(t, read, 12)
	for path, times := range read {
		require.Equal(t, 2, times, path)
	}
	b.requireTruth(false)
	require.GreaterOrEqual(t, i.Read, 12)
}

// An attempt at a search hangs in a request, so Temporal starts another one without an
// answer of the first. It continues after the last conversation that is stored. The first
// one stops when it notices, whether its request succeeds or not, and changes nothing.
func TestAttemptThatHangs(t *testing.T) {
	t.Parallel()
	for name, fails := range map[string]bool{"and fails": true, "and succeeds": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newImportBench(t, 12, server.Switches{}, 20*time.Hour)
			b.dixa.Inject(server.Fault{Operation: conversationExport, Kind: server.FaultStatus, Status: http.StatusForbidden})
			b.source(claim.DataSource{Title: "Conversations", From: time.Now().Add(-23 * time.Hour), Streams: []claim.Stream{claim.StreamConversations, claim.StreamMessages}})
			i := b.plan(claim.ImportRequest{})
			require.Equal(t, claim.AccessSearch, i.Access)
			w := b.only(i, claim.StreamConversations)

			hangs, released := make(chan string, 1), make(chan struct{})
			release := sync.OnceFunc(func() { close(released) })
			t.Cleanup(release)
			var mu sync.Mutex
			asked := map[string]int{}
			b.ask(func(answer http.ResponseWriter, r *http.Request) bool {
				if r.Method != http.MethodGet || !strings.HasSuffix(r.URL.Path, "/messages") {
					return false
				}
				mu.Lock()
				asked[r.URL.Path]++
				hang := len(asked) == 6 && asked[r.URL.Path] == 1
				mu.Unlock()
				if !hang {
					return false
				}
				hangs <- r.URL.Path
				<-released
				if fails {
					answer.WriteHeader(http.StatusBadGateway)
				}
				return fails
			})
			type ending struct {
				counts claim.ImportCounts
				err    error
			}
			first := make(chan ending, 1)
			go func() {
				counts, err := importStep[claim.ImportCounts](b, b.imports.ImportWindow, b.window(i, w))
				first <- ending{counts, err}
			}()
			var twice string
			select {
			case twice = <-hangs:
			case end := <-first:
				require.FailNow(t, "the first attempt must hang", "%v", end.err)
			}
			b.finish(i, w)
			done := b.read(i).Windows[w.N]
			require.Equal(t, claim.WindowDone, done.State)
			release()
			end := <-first
			if fails {
				require.Error(t, end.err)
			} else {
				require.NoError(t, end.err)
				require.Equal(t, done.ImportCounts, end.counts)
			}
			require.Equal(t, done, b.read(i).Windows[w.N])
			require.Len(t, asked, 12)
			for path, times := range asked {
				if path == twice {
					times--
				}
				require.Equal(t, 1, times, path)
			}
			b.requireTruth(false)
		})
	}
}

// The worker is killed after a window is done and before Temporal knows. The next attempt
// asks Dixa for nothing, and the window cannot be parked any more.
func TestDoneWindowIsNotReadAgain(t *testing.T) {
	t.Parallel()
	b := newImportBench(t, 10, server.Switches{}, 10*24*time.Hour)
	b.everything()
	i := b.plan(claim.ImportRequest{})
	for _, w := range b.waiting(i) {
		want, err := importStep[claim.ImportCounts](b, b.imports.ImportWindow, b.window(i, w))
		require.NoError(t, err)
		done := b.read(i).Windows[w.N]
		require.Equal(t, claim.WindowDone, done.State)
		b.ask(func(http.ResponseWriter, *http.Request) bool {
			t.Error("a window that is done needs no request")
			return false
		})
		got, err := importStep[claim.ImportCounts](b, b.imports.ImportWindow, b.window(i, w))
		require.NoError(t, err)
		require.Equal(t, want, got)
		var steps *activities.ImportStore
		_, err = b.environment(t.Context(), false).ExecuteActivity(steps.ParkWindow, activities.EndWindow{ConnectionID: b.connection, ImportID: i.ID, Window: w, Why: "late"})
		require.NoError(t, err)
		require.Equal(t, done, b.read(i).Windows[w.N])
		b.ask(nil)
	}
	b.end(i)
	b.requireTruth(true)
}

// The directory continues with the kind at which it failed.
func TestDirectoryResumes(t *testing.T) {
	t.Parallel()
	b := newImportBench(t, 10, server.Switches{MaxPageLimit: 3}, 10*24*time.Hour)
	b.everything()
	i := b.plan(claim.ImportRequest{Streams: []claim.Stream{claim.StreamDirectory}})
	b.dixa.Inject(server.Fault{Operation: "GET /endusers", Kind: server.FaultStatus, Status: http.StatusTooManyRequests, Times: 3})
	b.dixa.Inject(server.Fault{Operation: "GET /tags", Kind: server.FaultStatus, Status: http.StatusForbidden})
	agents := 0
	b.ask(func(_ http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, "/agents") && strings.Count(r.URL.Path, "/") == 2 && r.URL.Query().Get("pageKey") == "" {
			agents++
		}
		return false
	})
	w := b.only(i, claim.StreamDirectory)
	b.finish(i, w)
	require.Equal(t, 1, agents)
	got := b.read(i).Windows[w.N]
	require.Equal(t, claim.WindowDone, got.State)
	require.Equal(t, 1, got.Rejected, "tags may not be read")
	for _, why := range got.Rejects {
		require.Contains(t, why, "tag")
	}
}

// A worker is killed at each request of each step in turn. The next attempt ends as if
// nothing had happened, and a stop of a worker is no failure of the window.
func TestKilledWorkerContinues(t *testing.T) {
	t.Parallel()
	for _, access := range []claim.ImportAccess{claim.AccessExports, claim.AccessSearch} {
		t.Run(string(access), func(t *testing.T) {
			t.Parallel()
			b := newImportBench(t, 4, server.Switches{MaxPageLimit: 40}, 20*time.Hour)
			if access == claim.AccessSearch {
				b.dixa.Inject(server.Fault{Operation: conversationExport, Kind: server.FaultStatus, Status: http.StatusForbidden})
			}
			b.source(claim.DataSource{Title: "Everything", From: time.Now().Add(-23 * time.Hour)})
			kills := 0
			survive := func(step, in any) {
				for n := 1; ; n++ {
					_, err := importAttempt[any](b.kill(n), b, n > 1, step, in)
					b.ask(nil)
					if err == nil {
						return
					}
					kills++
					require.False(t, applicationError(t, err).NonRetryable(), "%v", err)
					require.Less(t, n, 200)
				}
			}
			survive(b.imports.PlanImport, activities.ImportPlan{ConnectionID: b.connection})
			i := b.plan(claim.ImportRequest{})
			require.Equal(t, access, i.Access)
			for _, w := range b.waiting(i) {
				survive(b.imports.ImportWindow, b.window(i, w))
			}
			b.act(b.ids()[0], server.Step{Action: server.PlayTag, Tag: "changed"}, server.Step{Action: server.PlayNote, Text: "A note"})
			survive(b.imports.EndImport, activities.ImportRef{ConnectionID: b.connection, ImportID: i.ID})
			require.Equal(t, claim.ImportDone, b.read(i).State)
			b.importAll(claim.ImportRequest{})
			b.requireTruth(true)
			require.Greater(t, kills, 10, strconv.Itoa(kills)+" kills")

			clean := b.fresh()
			clean.source(claim.DataSource{Title: "Everything", From: time.Now().Add(-23 * time.Hour)})
			clean.importAll(claim.ImportRequest{})
			b.requireSame(clean)
		})
	}
}
