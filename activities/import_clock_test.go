package activities_test

import (
	"net/http"
	"os"
	"os/exec"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/emulator/server"
	"github.com/claimflow/claimflow/store"
)

// movable is a clock that can be set forth and back.
type movable struct {
	mu     sync.Mutex
	offset time.Duration
}

func (m *movable) Now() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return time.Now().Add(m.offset)
}

func (m *movable) Move(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.offset += d
}

// A clock that jumps between and during imports loses nothing.
func TestClockThatJumps(t *testing.T) {
	t.Parallel()
	for name, jumps := range map[string][]time.Duration{
		"ahead and back":  {3 * 24 * time.Hour, -3 * 24 * time.Hour},
		"behind and back": {-3 * 24 * time.Hour, 3 * 24 * time.Hour},
		"to and fro":      {2 * time.Hour, -5 * time.Hour, 48 * time.Hour, -45 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			now := &movable{}
			b := setupImport(t, importSetup{conversations: 15, span: 20 * 24 * time.Hour, clock: now.Now})
			b.everything()
			for n, jump := range append(jumps, 0) {
				i := b.plan(claim.ImportRequest{})
				for k, w := range b.waiting(i) {
					if k == 1 {
						now.Move(jump)
					}
					b.finish(i, w)
				}
				b.end(i)
				b.act(b.written()[n%3], server.Step{Action: server.PlayTag, Tag: "changed"}, server.Step{Action: server.PlayReply, Text: "Hello"})
			}
			b.importAll(claim.ImportRequest{})
			b.requireTruth(true)
		})
	}
}

// What an import recorded while the clock was ahead is imported when its time comes.
func TestPeriodsOfTheFutureAreForgotten(t *testing.T) {
	t.Parallel()
	now := &movable{}
	b := setupImport(t, importSetup{conversations: 5, span: 10 * 24 * time.Hour, clock: now.Now})
	b.everything()
	now.Move(10 * 24 * time.Hour)
	b.importAll(claim.ImportRequest{})
	now.Move(-10 * 24 * time.Hour)
	b.importAll(claim.ImportRequest{})
	known, err := b.store.Imports.Coverage(t.Context(), b.connection)
	require.NoError(t, err)
	for stream, periods := range known {
		require.False(t, periods[0].To.After(time.Now()), "%s until %s", stream, periods[0].To)
	}
}

// A source that selects more in the middle of a window makes the next import read it
// again, also if the clock was set back meanwhile.
func TestWidenedSourceWhileTheClockJumps(t *testing.T) {
	t.Parallel()
	now := &movable{}
	b := setupImport(t, importSetup{conversations: 15, span: 20 * time.Hour, clock: now.Now})
	b.dixa.Inject(server.Fault{Operation: conversationExport, Kind: server.FaultStatus, Status: http.StatusForbidden})
	d := b.source(claim.DataSource{Title: "Mail", Channels: []string{"Email"}, From: time.Now().Add(-23 * time.Hour)})
	now.Move(time.Hour)
	i := b.plan(claim.ImportRequest{})
	require.Equal(t, claim.AccessSearch, i.Access)
	now.Move(-time.Hour)
	last := "/v1/conversations/" + jsonOf(slices.Max(b.ids()))
	var err error
	b.ask(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == last && len(d.Channels) > 0 {
			d.Channels = nil
			_, err = b.store.DataSources.Update(b.Context(), b.connection, d)
		}
		return false
	})
	for _, w := range b.waiting(i) {
		b.finish(i, w)
	}
	require.NoError(t, err)
	require.Empty(t, d.Channels)
	b.end(i)
	b.importAll(claim.ImportRequest{})
	b.requireTruth(true)
}

// A time without a zone is UTC wherever the machine is.
func TestImportInAnotherZone(t *testing.T) {
	t.Parallel()
	const child = "CLAIMFLOW_TEST_ZONE"
	if os.Getenv(child) == "" {
		command := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestImportInAnotherZone$")
		command.Env = append(os.Environ(), child+"=1", "TZ=America/St_Johns")
		out, err := command.CombinedOutput()
		require.NoError(t, err, "%s", out)
		return
	}
	name, _ := time.Now().Zone()
	require.NotEqual(t, "UTC", name, "the zone database is needed")
	b := newImportBench(t, 10, server.Switches{ZonedTimes: "plain"}, 10*24*time.Hour)
	b.everything()
	b.importAll(claim.ImportRequest{})
	b.requireTruth(true)
	for _, want := range b.dixa.Truth() {
		got, err := b.store.Mirror.Activities(t.Context(), b.connection, want.ID)
		require.NoError(t, err)
		for n, a := range got {
			require.Equal(t, want.Activity[n].At.UnixMilli(), a.At.UnixMilli())
		}
	}
}

// What the sources exclude leaves no row, except of claims' own conversations.
func TestExcludedConversationsLeaveNoRow(t *testing.T) {
	t.Parallel()
	for name, filter := range map[string]claim.DataSource{
		"channel": {Channels: []string{"email"}},
		"queue":   {QueueIDs: []string{server.SeedQueueClaims}},
		"nothing": {Channels: []string{"Fax"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			now := &movable{}
			b := setupImport(t, importSetup{conversations: 25, span: 20 * 24 * time.Hour, clock: now.Now})
			filter.Title, filter.From = "Some", time.Now().Add(-everySource)
			b.source(filter)
			i := b.plan(claim.ImportRequest{})
			for _, w := range b.waiting(i) {
				b.finish(i, w)
			}
			now.Move(2 * store.OrphanGrace)
			i = b.end(i)
			require.Positive(t, i.Excluded)
			excluded := 0
			for _, want := range b.dixa.Truth() {
				if filter.Allows(claim.Selectable{Channel: want.Channel, QueueID: want.QueueID}) {
					continue
				}
				excluded++
				c, err := b.store.Mirror.Conversation(t.Context(), b.connection, want.ID)
				require.NoError(t, err)
				require.Zero(t, c.Origin)
				messages, err := b.store.Mirror.Messages(t.Context(), b.connection, want.ID)
				require.NoError(t, err)
				require.Empty(t, messages)
				activities, err := b.store.Mirror.Activities(t.Context(), b.connection, want.ID)
				require.NoError(t, err)
				require.Empty(t, activities)
			}
			require.Positive(t, excluded)
		})
	}
}
