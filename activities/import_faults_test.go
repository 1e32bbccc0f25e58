package activities_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/activities"
	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/emulator/server"
	"github.com/claimflow/claimflow/store"
)

// export returns an export of everything as the emulator writes it.
func (b *importBench) export(operation string, from, to time.Time, more string) []json.RawMessage {
	b.Helper()
	by := "created"
	if operation == conversationExport {
		by = "updated"
	}
	query := by + "_after=" + ms(from) + "&" + by + "_before=" + ms(to) + more
	r := httptest.NewRequest(http.MethodGet, strings.TrimPrefix(operation, "GET ")+"?"+query, nil)
	r.Header.Set("Authorization", "Bearer demo-token")
	w := httptest.NewRecorder()
	b.dixa.ServeHTTP(w, r)
	require.Equal(b, http.StatusOK, w.Code, w.Body.String())
	var rows []json.RawMessage
	require.NoError(b, json.Unmarshal(w.Body.Bytes(), &rows))
	return rows
}

func ms(t time.Time) string {
	text, _ := json.Marshal(t.UnixMilli())
	return string(text)
}

// Rows that cannot be read are set aside under their place, with the reason and without
// their content. The others are stored.
func TestBrokenRowsAreSetAside(t *testing.T) {
	t.Parallel()
	for operation, broken := range map[string][]string{
		conversationExport: {
			`null`, `{}`, `7`, `"anna@example.org"`, `{"id":"anna@example.org"}`, `{"id":-4,"created_at":1600000000000}`, `{"id":5,"created_at":99999999999999999}`,
			`{"id":5,"tags":"anna@example.org"}`, `{"id":5,"updated_at":"yesterday, said anna@example.org"}`,
		},
		messageExport: {
			`null`, `{}`, `[]`, `{"id":"m-1"}`, `{"id":"","csid":1001}`, `{"id":"m-1","csid":"anna@example.org"}`, `{"id":"m-1","csid":1001,"created_at":-9999999999999999}`,
			`{"id":"m-1","csid":1001,"to":{"anna@example.org":1}}`,
		},
	} {
		t.Run(operation, func(t *testing.T) {
			t.Parallel()
			b := newImportBench(t, 20, server.Switches{}, 20*24*time.Hour)
			b.everything()
			now := time.Now()
			rows := b.export(operation, now.AddDate(0, 0, -30), now, "")
			require.Greater(t, len(rows), len(broken))
			var body bytes.Buffer
			var places []int
			body.WriteByte('[')
			place := 0
			for i, row := range rows {
				if i < len(broken) {
					body.WriteString(broken[i] + ",\n")
					places = append(places, place)
					place++
				}
				body.Write(row)
				place++
				if i < len(rows)-1 {
					body.WriteByte(',')
				}
			}
			body.WriteByte(']')
			i := b.plan(claim.ImportRequest{})
			b.dixa.Inject(server.Fault{Operation: operation, Kind: server.FaultGarbage, Body: body.String(), Times: 1})
			var affected claim.ImportWindow
			for _, w := range b.waiting(i) {
				counts, err := importStep[claim.ImportCounts](b, b.imports.ImportWindow, b.window(i, w))
				require.NoError(t, err)
				if counts.Rejected > 0 {
					affected = w
				}
			}
			i = b.end(i)
			require.Equal(t, len(broken), i.Rejected)
			w := i.Windows[affected.N]
			require.Equal(t, claim.WindowDone, w.State)
			require.Equal(t, len(rows)+len(broken), w.Read)
			require.Len(t, w.Rejects, len(broken))
			for _, place := range places {
				require.NotEmpty(t, w.Rejects[place], "the row at %d has no reason", place)
				require.NotContains(t, w.Rejects[place], "anna")
			}
			b.requireTruth(true)
			for _, id := range []int64{0, 5, -4} {
				c, err := b.store.Mirror.Conversation(t.Context(), b.connection, id)
				require.NoError(t, err)
				require.Zero(t, c.Origin, "conversation %d must not exist", id)
			}
		})
	}
}

// The reasons of a window that is broken as a whole are bounded.
func TestRejectedRowsAreBounded(t *testing.T) {
	t.Parallel()
	b := newImportBench(t, 3, server.Switches{}, 3*24*time.Hour)
	b.everything()
	i := b.plan(claim.ImportRequest{Streams: []claim.Stream{claim.StreamConversations}})
	b.dixa.Inject(server.Fault{Operation: conversationExport, Kind: server.FaultGarbage, Body: "[" + strings.Repeat("7,", 2000) + "7]", Times: 1})
	w := b.waiting(i)[0]
	counts, err := importStep[claim.ImportCounts](b, b.imports.ImportWindow, b.window(i, w))
	require.NoError(t, err)
	require.Equal(t, 2001, counts.Rejected)
	require.Len(t, b.read(i).Windows[w.N].Rejects, 100)
}

// A window whose answer is incomplete is repeated: nothing is lost, nothing is doubled.
func TestIncompleteAnswersAreRepeated(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]server.Fault{
		"truncated":       {Kind: server.FaultTruncate},
		"dropped before":  {Kind: server.FaultDropBefore},
		"dropped after":   {Kind: server.FaultDropAfter},
		"HTML":            {Kind: server.FaultGarbage},
		"empty":           {Kind: server.FaultGarbage, Body: " "},
		"an object":       {Kind: server.FaultGarbage, Body: `{"rows":[]}`},
		"an open array":   {Kind: server.FaultGarbage, Body: `[`},
		"a comma too far": {Kind: server.FaultGarbage, Body: `[{"id":1001},`},
		"500":             {Kind: server.FaultStatus, Status: http.StatusInternalServerError},
		"503 with HTML":   {Kind: server.FaultStatus, Status: http.StatusServiceUnavailable, Body: "<html>Come back later"},
		"a late answer":   {Kind: server.FaultLate, Delay: server.Duration(50 * time.Millisecond)},
		"a slow start":    {Kind: server.FaultDelay, Delay: server.Duration(50 * time.Millisecond)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newImportBench(t, 8, server.Switches{}, 25*24*time.Hour)
			b.everything()
			b.plan(claim.ImportRequest{})
			for _, operation := range []string{conversationExport, messageExport, activityLog, "GET /queues", "GET /endusers"} {
				fault.Operation, fault.Times = operation, 2
				b.dixa.Inject(fault)
			}
			i := b.importAll(claim.ImportRequest{})
			require.Zero(t, i.WindowsParked)
			require.Zero(t, i.Rejected)
			b.requireTruth(true)
			clean := b.fresh()
			clean.everything()
			want := clean.importAll(claim.ImportRequest{})
			require.Equal(t, want.Added, i.Added)
			require.Equal(t, want.Read, i.Read, "what a failed attempt read does not count twice")
		})
	}
}

// 429s are no failures, however many come, and Dixa's wait is what Temporal waits.
func TestRateLimitsAreWaitedFor(t *testing.T) {
	t.Parallel()
	header := func(value string) func() map[string]string {
		return func() map[string]string { return map[string]string{"Retry-After": value} }
	}
	for name, tt := range map[string]struct {
		headers     func() map[string]string
		least, most time.Duration
	}{
		"without Retry-After": {func() map[string]string { return nil }, time.Second, 2 * time.Second},
		"seconds":             {header("42"), 42 * time.Second, 60 * time.Second},
		"date": {func() map[string]string {
			return header(time.Now().Add(10 * time.Minute).UTC().Format(http.TimeFormat))()
		}, 4 * time.Minute, 15 * time.Minute},
		"absurd": {header("999999"), 4 * time.Minute, 20 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newImportBench(t, 5, server.Switches{}, 5*24*time.Hour)
			b.everything()
			i := b.plan(claim.ImportRequest{})
			for n, w := range b.waiting(i) {
				// The budget of a refused token would hold the next window back before it asks.
				token := fmt.Sprint("token-", n)
				b.dixa.AddToken(token)
				_, err := b.store.Connections.SaveToken(t.Context(), "acme", token, store.Organization{ID: server.SeedOrganization})
				require.NoError(t, err)
				b.dixa.Inject(server.Fault{Kind: server.FaultStatus, Status: http.StatusTooManyRequests, Headers: tt.headers(), Times: 1})
				_, err = importStep[claim.ImportCounts](b, b.imports.ImportWindow, b.window(i, w))
				app := applicationError(t, err)
				require.Equal(t, claim.ErrorRateLimited, app.Type(), "%s: %v", w.Stream, err)
				require.GreaterOrEqual(t, app.NextRetryDelay(), tt.least)
				require.LessOrEqual(t, app.NextRetryDelay(), tt.most)
			}
		})
	}
	t.Run("storm", func(t *testing.T) {
		t.Parallel()
		b := newImportBench(t, 5, server.Switches{}, 5*24*time.Hour)
		b.everything()
		i := b.plan(claim.ImportRequest{})
		for _, w := range b.waiting(i) {
			b.dixa.Inject(server.Fault{Kind: server.FaultStatus, Status: http.StatusTooManyRequests, Times: 40})
			if w.Stream == claim.StreamDirectory {
				b.dixa.ClearFaults()
			}
			b.finish(i, w)
		}
		i = b.end(i)
		require.Zero(t, i.WindowsParked)
		b.requireTruth(true)
	})
}

// A window that fails for ever is given up and parked. The others continue, and one
// request repeats only what is parked.
func TestHopelessWindowIsParked(t *testing.T) {
	t.Parallel()
	b := newImportBench(t, 60, server.Switches{}, 50*24*time.Hour)
	b.everything()
	i := b.plan(claim.ImportRequest{})
	var hopeless claim.ImportWindow
	for _, w := range b.waiting(i) {
		if w.Stream == claim.StreamConversations {
			hopeless = w
			break
		}
	}
	require.NotZero(t, hopeless.To)
	b.dixa.Inject(server.Fault{Operation: conversationExport, Kind: server.FaultStatus, Containing: ms(hopeless.To.Add(time.Millisecond))})
	before := b.dixa.Stats().Struck
	i = b.importAll(claim.ImportRequest{})
	require.Equal(t, 8, b.dixa.Stats().Struck-before, "attempts")
	require.Equal(t, 1, i.WindowsParked)
	require.Equal(t, i.WindowsTotal-1, i.WindowsDone)
	w := i.Windows[hopeless.N]
	require.Equal(t, claim.WindowParked, w.State)
	require.Contains(t, w.Why, "500")

	b.dixa.ClearFaults()
	retried := b.plan(claim.ImportRequest{Retry: true})
	next := b.waiting(retried)
	require.Len(t, next, 1)
	require.Equal(t, hopeless.Stream, next[0].Stream)
	require.Equal(t, hopeless.From, next[0].From)
	require.Equal(t, hopeless.To, next[0].To)
	b.importAll(claim.ImportRequest{})
	b.requireTruth(true)
	parked, err := b.store.Imports.Parked(t.Context(), b.connection)
	require.NoError(t, err)
	require.Empty(t, parked)
}

// Messages and log entries of a parked window's conversations may be deleted before it
// is repeated. They are read again with their conversation.
func TestRepeatedWindowBringsItsMessages(t *testing.T) {
	t.Parallel()
	now := &movable{}
	b := setupImport(t, importSetup{conversations: 30, span: 20 * 24 * time.Hour, clock: now.Now})
	b.everything()
	b.dixa.Inject(server.Fault{Operation: conversationExport, Kind: server.FaultStatus, Skip: 1, Times: 8})
	i := b.plan(claim.ImportRequest{})
	for _, w := range b.waiting(i) {
		b.finish(i, w)
	}
	now.Move(2 * store.OrphanGrace)
	i = b.end(i)
	require.Equal(t, 1, i.WindowsParked)
	b.importAll(claim.ImportRequest{Retry: true})
	b.requireTruth(true)
}

// Exports count notes but do not have them. They are listed once, for the conversations
// that have some; what fails is read by the next import, and a list that has fewer than
// the export counts is not read again.
func TestNotesAreListedOnce(t *testing.T) {
	t.Parallel()
	b := newImportBench(t, 120, server.Switches{}, 20*24*time.Hour)
	b.everything()
	var noted []int64
	for _, truth := range b.dixa.Truth() {
		if len(truth.Notes) > 0 {
			noted = append(noted, truth.ID)
		}
	}
	require.Greater(t, len(noted), 2)
	path := func(id int64) string { return "/v1/conversations/" + strconv.FormatInt(id, 10) + "/notes" }
	hopeless, short := path(noted[0]), path(noted[1])
	asked := map[string]int{}
	var mu sync.Mutex
	b.ask(func(w http.ResponseWriter, r *http.Request) bool {
		mu.Lock()
		defer mu.Unlock()
		if strings.HasSuffix(r.URL.Path, "/notes") || strings.HasSuffix(r.URL.Path, "/messages") {
			asked[r.URL.Path]++
		}
		switch {
		case r.URL.Path == hopeless && asked[hopeless] == 1:
			w.WriteHeader(http.StatusInternalServerError)
		case r.URL.Path == short:
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"data":[]}`)
		default:
			return false
		}
		return true
	})
	want := map[string]int{}
	for _, id := range noted {
		want[path(id)] = 1
	}
	b.importAll(claim.ImportRequest{})
	require.Equal(t, want, asked)
	b.importAll(claim.ImportRequest{})
	want[hopeless] = 2
	require.Equal(t, want, asked)
	b.importAll(claim.ImportRequest{From: time.Now().Add(-everySource)})
	require.Equal(t, want, asked)

	// Reading the messages of a conversation reads its notes too.
	b.ask(nil)
	b.act(noted[1], server.Step{Action: server.PlayTag, Tag: "changed"})
	b.dixa.Settle()
	b.importAll(claim.ImportRequest{})
	b.requireTruth(true)
	due, err := b.store.Mirror.NotesDue(t.Context(), b.connection, 0, 100)
	require.NoError(t, err)
	require.Empty(t, due)
}

// A step that fails for ever does not keep the import from its end, and the next import
// reads what is missing.
func TestHopelessMessagesDoNotHoldTheImport(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]server.Fault{
		"one conversation": {Kind: server.FaultStatus, Times: 1},
		"refused":          {Kind: server.FaultStatus, Status: http.StatusForbidden},
		"for ever":         {Kind: server.FaultStatus},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newImportBench(t, 10, server.Switches{}, 10*24*time.Hour)
			b.everything()
			b.importAll(claim.ImportRequest{})
			for _, id := range b.ids() {
				b.act(id, server.Step{Action: server.PlayTag, Tag: "changed"}, server.Step{Action: server.PlayNote, Text: "A note"})
			}
			b.dixa.Settle()
			fault.Operation = "GET /conversations/{conversationId}/notes"
			b.dixa.Inject(fault)
			b.importAll(claim.ImportRequest{})
			due, err := b.store.Mirror.MessagesDue(t.Context(), b.connection, 0, 100)
			require.NoError(t, err)
			require.NotEmpty(t, due)
			b.dixa.ClearFaults()
			b.importAll(claim.ImportRequest{})
			due, err = b.store.Mirror.MessagesDue(t.Context(), b.connection, 0, 100)
			require.NoError(t, err)
			require.Empty(t, due)
			b.requireTruth(true)
		})
	}
	t.Run("refused token", func(t *testing.T) {
		t.Parallel()
		b := newImportBench(t, 5, server.Switches{}, 5*24*time.Hour)
		b.everything()
		b.importAll(claim.ImportRequest{})
		b.act(b.ids()[0], server.Step{Action: server.PlayTag, Tag: "changed"})
		i := b.plan(claim.ImportRequest{})
		for _, w := range b.waiting(i) {
			b.finish(i, w)
		}
		b.dixa.Revoke("demo-token")
		_, err := importStep[claim.ImportCounts](b, b.imports.EndImport, activities.ImportRef{ConnectionID: b.connection, ImportID: i.ID})
		b.requireParked(err, claim.CauseConnection)
		b.dixa.AddToken("demo-token")
		b.end(i)
		b.requireTruth(true)
	})
}
