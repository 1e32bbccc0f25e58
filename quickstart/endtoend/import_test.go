package endtoend_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/emulator/server"
	"github.com/claimflow/claimflow/integration/pgtest"
	"github.com/claimflow/claimflow/kpi"
	"github.com/claimflow/claimflow/mirror"
	"github.com/claimflow/claimflow/workflows"
)

// The organization is imported while claims open, workers die on the way, and the
// result equals Dixa. Another import changes nothing.
func TestImportSurvivesKills(t *testing.T) {
	t.Parallel()
	s := newSite(t, siteOptions{})
	require.NoError(t, s.dixa.Fill(t.Context(), server.FillOptions{Conversations: 1500, Seed: 7, Until: time.Now(), Span: 200 * 24 * time.Hour}))
	connection := s.connection()
	_, err := s.api.CreateDataSource(t.Context(), connection, claim.DataSource{Title: "Everything"})
	require.NoError(t, err)
	stop := s.work()
	ref := s.submit(s.sample("beside-the-import"))

	s.startImport(connection, claim.ImportRequest{})
	for range 20 {
		read := s.importProgress(connection).Read
		eventually(t, "the import continues", func() error {
			if i := s.importProgress(connection); i.State == claim.ImportRunning && i.Read <= read {
				return fmt.Errorf("still %d rows", i.Read)
			}
			return nil
		})
		stop()
		stop = s.work()
	}
	s.requireCompleteImport(connection, ref)
	s.replayRun("import", claim.ImportWorkflowID(connection), claim.ImportWorkflowName, workflows.Import)
}

// The same on PostgreSQL, which crashes on the way.
func TestImportSurvivesDatabaseCrashes(t *testing.T) {
	t.Parallel()
	database, crash := pgtest.Crashable(t)
	s := newSite(t, siteOptions{database: database})
	require.NoError(t, s.dixa.Fill(t.Context(), server.FillOptions{Conversations: 1500, Seed: 8, Until: time.Now(), Span: 200 * 24 * time.Hour}))
	connection := s.connection()
	_, err := s.api.CreateDataSource(t.Context(), connection, claim.DataSource{Title: "Everything"})
	require.NoError(t, err)
	s.work()
	ref := s.submit(s.sample("beside-the-import"))
	s.startImport(connection, claim.ImportRequest{})

	read := 0
	for range 3 {
		eventually(t, "the import continues", func() error {
			i, err := s.latestImport(connection)
			if err == nil && i.State != claim.ImportDone && i.Read <= read {
				err = fmt.Errorf("still %d rows", i.Read)
			}
			read = max(read, i.Read)
			return err
		})
		crash()
	}
	s.requireCompleteImport(connection, ref)
}

// requireCompleteImport waits for the end of the import and of the claim beside it, and
// requires that the mirror equals Dixa and that another import changes nothing.
func (s *site) requireCompleteImport(connection string, beside claim.Ref) {
	s.t.Helper()
	i := s.awaitImport(connection, "")
	require.Zero(s.t, i.WindowsParked)
	require.Zero(s.t, i.Rejected)
	s.awaitState(beside, claim.StateOpen)
	s.awaitQuiet()

	// What happened in Dixa meanwhile is read once more.
	s.startImport(connection, claim.ImportRequest{})
	i = s.awaitImport(connection, i.ID)
	s.requireMirrorEqualsDixa(connection)
	s.startImport(connection, claim.ImportRequest{From: time.Now().AddDate(-1, 0, 0)})
	again := s.awaitImport(connection, i.ID)
	require.Greater(s.t, again.Read, 10_000)
	require.Zero(s.t, again.Added, "%+v", again)
	require.Zero(s.t, again.Changed, "%+v", again)
}

// A person pauses an import in the middle of a window. It stops asking Dixa, and
// continues where it stopped.
func TestImportPausesWithinAWindow(t *testing.T) {
	t.Parallel()
	const conversations = 400
	s := newSite(t, siteOptions{pace: 10 * time.Millisecond})
	require.NoError(t, s.dixa.Fill(t.Context(), server.FillOptions{Conversations: conversations, Seed: 9, Until: time.Now(), Span: 2 * 24 * time.Hour}))
	s.dixa.Inject(server.Fault{Operation: "GET /exports/v1/conversation_export", Kind: server.FaultStatus, Status: 401})
	connection := s.connection()
	_, err := s.api.CreateDataSource(t.Context(), connection, claim.DataSource{
		Title: "Conversations", Streams: []claim.Stream{claim.StreamConversations, claim.StreamMessages}, From: time.Now().AddDate(0, 0, -6),
	})
	require.NoError(t, err)
	s.work()
	s.startImport(connection, claim.ImportRequest{})
	eventually(t, "the import reads conversations", func() error {
		if i := s.importProgress(connection); i.Read < 20 {
			return fmt.Errorf("%d rows", i.Read)
		}
		return nil
	})
	paused, err := s.api.PauseImport(t.Context(), connection, s.importProgress(connection).ID)
	require.NoError(t, err)
	require.Equal(t, claim.ImportPaused, paused.State)
	s.awaitQuiet()
	paused = s.importProgress(connection)
	require.Equal(t, claim.ImportPaused, paused.State)
	require.Zero(t, paused.WindowsDone, "the window must not have ended")

	_, err = s.api.ResumeImport(t.Context(), connection, paused.ID)
	require.NoError(t, err)
	i := s.awaitImport(connection, "")
	require.Equal(t, paused.ID, i.ID)
	require.Zero(t, i.WindowsParked)
	got := s.dixa.Stats().ByOperation["GET /conversations/{conversationId}"]
	require.GreaterOrEqual(t, got, conversations)
	interrupted := s.windowAttempts(connection) - i.WindowsDone
	require.Positive(t, interrupted)
	require.LessOrEqual(t, got, conversations+interrupted, "each attempt reads at most the conversation again at which the one before it stopped")
	s.replayRun("import-paused", claim.ImportWorkflowID(connection), claim.ImportWorkflowName, workflows.Import)
}

// windowAttempts returns how many attempts the windows of a connection's last import took.
func (s *site) windowAttempts(connection string) int {
	s.t.Helper()
	windows, attempts := map[int64]bool{}, 0
	for _, e := range s.historyOfRun(claim.ImportWorkflowID(connection), "").Events {
		if scheduled := e.GetActivityTaskScheduledEventAttributes(); scheduled.GetActivityType().GetName() == "ImportWindow" {
			windows[e.EventId] = true
		}
		if started := e.GetActivityTaskStartedEventAttributes(); started != nil && windows[started.ScheduledEventId] {
			attempts += int(started.Attempt)
		}
	}
	return attempts
}

// startImport requests an import as a person does.
func (s *site) startImport(connection string, r claim.ImportRequest) {
	s.t.Helper()
	_, err := s.api.StartImport(s.t.Context(), connection, r)
	require.NoError(s.t, err)
}

// importProgress returns the newest import, or an empty one.
func (s *site) importProgress(connection string) claim.Import {
	s.t.Helper()
	i, err := s.latestImport(connection)
	require.NoError(s.t, err)
	return i
}

// latestImport is [site.importProgress] for a database that may not answer.
func (s *site) latestImport(connection string) (claim.Import, error) {
	all, err := s.store.Imports.List(s.t.Context(), connection, 1)
	if err != nil || len(all) == 0 {
		return claim.Import{State: claim.ImportRunning}, err
	}
	return all[0], nil
}

// awaitImport waits for the end of the import after the one with the given id.
func (s *site) awaitImport(connection, after string) claim.Import {
	s.t.Helper()
	var i claim.Import
	eventually(s.t, "the import ends", func() error {
		var err error
		if i, err = s.latestImport(connection); err != nil {
			return err
		}
		if i.State != claim.ImportDone || i.ID == after {
			return fmt.Errorf("import %s, %d of %d windows, %d rows, %s", i.ID, i.WindowsDone, i.WindowsTotal, i.Read, i.Why)
		}
		return nil
	})
	return i
}

// requireMirrorEqualsDixa compares what is stored with what the emulator knows.
func (s *site) requireMirrorEqualsDixa(connection string) {
	s.t.Helper()
	ctx := s.t.Context()
	truths := s.dixa.Truth()
	closes := 0
	for _, want := range truths {
		got, err := s.store.Mirror.Conversation(ctx, connection, want.ID)
		require.NoError(s.t, err)
		require.Equal(s.t, want.Channel, got.Origin.Channel, "channel of %d", want.ID)
		tags := append([]string{}, got.Tags...)
		require.ElementsMatch(s.t, want.Tags, tags, "tags of %d", want.ID)
		messages, err := s.store.Mirror.Messages(ctx, connection, want.ID)
		require.NoError(s.t, err)
		messages = slices.DeleteFunc(messages, func(m mirror.Message) bool { return m.Kind != claim.MessageKind })
		require.Len(s.t, messages, len(want.Messages), "messages of %d", want.ID)
		log, err := s.store.Mirror.Activities(ctx, connection, want.ID)
		require.NoError(s.t, err)
		require.Len(s.t, log, len(want.Activity), "activity log of %d", want.ID)
		for _, a := range want.Activity {
			if a.Type == "ConversationClosed" {
				closes++
			}
		}
	}
	now := time.Now()
	year := kpi.Request{From: now.AddDate(-1, 0, 0), To: now.Add(time.Minute), Bucket: kpi.BucketNone}
	require.InDelta(s.t, len(truths), s.kpi(connection, "conversation_volume", year), 0)
	require.InDelta(s.t, closes, s.kpi(connection, "closed_conversations", year), 0)
}

func (s *site) kpi(connection, id string, r kpi.Request) float64 {
	s.t.Helper()
	d, ok := kpi.ByID(id)
	require.True(s.t, ok, id)
	e := kpi.Evaluator{Source: s.store.Mirror.Figures(connection)}
	result, err := e.Evaluate(s.t.Context(), d, r)
	require.NoError(s.t, err)
	require.Len(s.t, result.Series, 1)
	require.NotNil(s.t, result.Series[0].Buckets[0].Value, id)
	return *result.Series[0].Buckets[0].Value
}

// awaitQuiet waits until Dixa has got no request for a second. It counts looks instead of
// the time, because a machine that stands still is not quiet.
func (s *site) awaitQuiet() {
	s.t.Helper()
	last, looks := s.dixa.Stats().Requests, 0
	eventually(s.t, "Dixa gets no more requests", func() error {
		looks++
		if now := s.dixa.Stats().Requests; now != last {
			last, looks = now, 0
		}
		if looks < 10 {
			return fmt.Errorf("%d requests", last)
		}
		return nil
	})
}
