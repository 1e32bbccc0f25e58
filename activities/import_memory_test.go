package activities_test

import (
	"bufio"
	"fmt"
	"net/http"
	"path/filepath"
	"runtime"
	"runtime/metrics"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/emulator/server"
)

const (
	// maxWindowMemory is how much a window may make the process grow.
	maxWindowMemory = 64 << 20
	// messagesEach is the number of messages of each generated conversation.
	messagesEach = 6
)

// exportRows answers exports with generated rows: n messages and their conversations.
func exportRows(n int, at time.Time) func(http.ResponseWriter, *http.Request) bool {
	body := strings.Repeat("The parcel arrived broken. ", 12)
	return func(w http.ResponseWriter, r *http.Request) bool {
		var row func(out *bufio.Writer, i int)
		count := n
		switch {
		case strings.HasSuffix(r.URL.Path, "/message_export"):
			row = func(out *bufio.Writer, i int) {
				_, _ = fmt.Fprintf(out, `{"id":"m-%d","csid":%d,"created_at":%d,"initial_channel":"email","direction":"inbound","author_name":"Customer %d","author_email":"customer%d@example.org","text":"%d %s","to":["support@example.org"],"cc":[],"attached_files":[],"is_automated_message":false,"duration":null}`,
					i, 1+i/messagesEach, at.Add(time.Duration(i)*time.Millisecond).UnixMilli(), i, i, i, body)
			}
		case strings.HasSuffix(r.URL.Path, "/conversation_export"):
			count = n / messagesEach
			row = func(out *bufio.Writer, i int) {
				_, _ = fmt.Fprintf(out, `{"id":%d,"created_at":%d,"updated_at":%d,"initial_channel":"email","direction":"inbound","status":"open","requester_id":"u-%d","requester_name":"Customer %d","subject":"Order %d","tags":["refund"],"ratings":[],"custom_fields":[]}`,
					1+i, at.UnixMilli(), at.Add(time.Duration(i)*time.Millisecond).UnixMilli(), i, i, i)
			}
		default:
			return false
		}
		w.Header().Set("Content-Type", "application/json")
		out := bufio.NewWriter(w)
		for i := range count {
			separator := byte(',')
			if i == 0 {
				separator = '['
			}
			_ = out.WriteByte(separator) // a client that is gone notices itself
			row(out, i)
		}
		_, _ = out.WriteString("]")
		_ = out.Flush()
		return true
	}
}

// peak measures how much the heap grows while a function runs.
func peak(run func()) (growth uint64) {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	read := func() uint64 {
		metrics.Read(sample)
		return sample[0].Value.Uint64()
	}
	runtime.GC()
	before := read()
	stop, done := make(chan struct{}), make(chan uint64)
	go func() {
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		highest := before
		for {
			highest = max(highest, read())
			select {
			case <-tick.C:
			case <-stop:
				done <- highest
				return
			}
		}
	}()
	run()
	close(stop)
	return <-done - before
}

// largeWindow imports a conversations and a messages window with n messages and returns
// the growth of the heap during each.
func largeWindow(tb testing.TB, n int) map[claim.Stream]uint64 {
	tb.Helper()
	b := setupImport(tb, importSetup{url: "sqlite:" + filepath.Join(tb.TempDir(), "import.db"), switches: server.Switches{}})
	now := time.Now()
	b.source(claim.DataSource{Title: "Everything", From: now.AddDate(0, 0, -20)})
	i := b.plan(claim.ImportRequest{Streams: []claim.Stream{claim.StreamConversations, claim.StreamMessages}})
	b.ask(exportRows(n, now.AddDate(0, 0, -10)))
	growth := map[claim.Stream]uint64{}
	for _, w := range b.waiting(i) {
		growth[w.Stream] = peak(func() { b.finish(i, w) })
	}
	i = b.read(i)
	require.Zero(tb, i.Rejected+i.WindowsParked)
	require.Equal(tb, n+n/messagesEach, i.Added)
	return growth
}

// The rows of a window are never in memory at once.
func TestLargeWindowIsRead(t *testing.T) { //nolint:paralleltest // other tests would use memory meanwhile
	if testing.Short() {
		t.Skip("reads 20,000 rows")
	}
	for stream, growth := range largeWindow(t, 20_000) {
		require.Less(t, growth, uint64(maxWindowMemory), "%s", stream)
		t.Logf("a window of %s: %d KiB", stream, growth>>10)
	}
}

// BenchmarkImportWindowMemory reports how much a window of 200,000 messages makes the
// process grow.
func BenchmarkImportWindowMemory(b *testing.B) {
	const rows = 200_000
	highest := map[claim.Stream]uint64{}
	for b.Loop() {
		for stream, growth := range largeWindow(b, rows) {
			highest[stream] = max(highest[stream], growth)
		}
	}
	for stream, growth := range highest {
		b.ReportMetric(float64(growth)/(1<<20), string(stream)+"-peak-MiB")
	}
	b.ReportMetric(float64(rows*b.N)/b.Elapsed().Seconds(), "messages/s")
}
