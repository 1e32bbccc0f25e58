package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/mirror"
	"github.com/claimflow/claimflow/store"
)

// organization adds a connected shop and returns its connection's id.
func (b *bench) organization(slug string) string {
	b.t.Helper()
	b.connected(slug)
	shop, err := b.store.Shops.Get(b.t.Context(), slug)
	require.NoError(b.t, err)
	return shop.Connection.ID
}

// conversations stores conversations of an organization, one a day, the newest now.
func (b *bench) conversations(connection string, n int) {
	b.t.Helper()
	batch := store.MirrorBatch{ConnectionID: connection}
	for id := range n {
		created := time.Now().AddDate(0, 0, -id)
		batch.Facts = append(batch.Facts, store.ConversationFact{ID: int64(id + 1), Fact: mirror.Fact{
			Fact:   claim.Fact{Stamp: claim.Stamp{ID: fmt.Sprint("e-", id), At: created}, Status: claim.ConversationOpen},
			Origin: &mirror.Origin{CreatedAt: created, Channel: "Email", Direction: claim.DirectionInbound, Subject: "a\x1b[31m subject"},
		}})
	}
	_, err := b.store.Mirror.Merge(b.t.Context(), batch)
	require.NoError(b.t, err)
}

func TestSourceCommands(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	connection := b.organization("acme")
	var created claim.DataSource
	out := b.ok("source", "create", "--shop", "acme", "--title", "Email", "--channel", "Email", "--from", "90d", "--keep-days", "700", "--keep-figures", "-o", "json")
	require.NoError(t, json.Unmarshal([]byte(out), &created))
	require.Equal(t, []string{"Email"}, created.Channels)
	list := b.ok("source", "list", "--connection", connection)
	require.Contains(t, list, "700 days, figures always")
	changed := b.ok("source", "change", created.ID, "--shop", "acme", "--channel", "", "--title", "All")
	require.Regexp(t, `Title +All`, changed)
	require.Regexp(t, `Channels +all`, changed)
	require.Regexp(t, `Kept +700 days`, changed, "what is not specified must stay")

	b.conversations(connection, 5)
	require.Equal(t, 6, strings.Count(b.ok("source", "records", created.ID, "--shop", "acme"), "\n"))
	code, out, note := b.run("", "source", "records", created.ID, "--shop", "acme", "--limit", "2")
	require.Equal(t, exitOK, code)
	require.Equal(t, 3, strings.Count(out, "\n"))
	require.Contains(t, note, "there are more than 2 records")
	lines := strings.Split(strings.TrimSpace(b.ok("source", "records", created.ID, "--shop", "acme", "--order", "change", "-o", "json")), "\n")
	require.Len(t, lines, 5)
	last, err := claim.ParseSourceRecord(claim.StreamConversations, []byte(lines[4]))
	require.NoError(t, err)
	require.Empty(t, b.ok("source", "records", created.ID, "--shop", "acme", "--order", "change", "--cursor", last.Cursor, "-o", "json"))
	rows, err := csv.NewReader(strings.NewReader(b.ok("source", "records", created.ID, "--shop", "acme", "-o", "csv"))).ReadAll()
	require.NoError(t, err)
	require.Len(t, rows, 6)
	require.Contains(t, b.ok("source", "records", created.ID, "--shop", "acme", "--stream", "directory"), "KIND")

	require.Contains(t, b.fails(exitUsage, "source", "list"), "--shop SHOP or --connection ID")
	require.Contains(t, b.fails(exitUsage, "source", "create", "--shop", "acme"), "--title is required")
	require.Contains(t, b.fails(exitUsage, "source", "list", "--shop", "acme", "-o", "csv"), "only `starter source records` and `starter kpi show` print CSV")
	require.Contains(t, b.fails(exitUsage, "source", "delete", created.ID, "--shop", "acme"), "--yes")
	require.Contains(t, b.fails(exitRefused, "source", "list", "--shop", "nobody"), "starter shop list")
	require.Contains(t, b.fails(exitRefused, "source", "records", "unknown", "--shop", "acme"), "Next: list the data sources with `starter source list --shop acme`")
	require.Contains(t, b.fails(exitRefused, "source", "records", created.ID, "--shop", "acme", "--cursor", "x"), "cursor: must be a cursor")
	b.ok("shop", "add", "unconnected")
	require.Contains(t, b.fails(exitFailed, "source", "list", "--shop", "unconnected"), "starter shop connect unconnected")
	b.ok("source", "delete", created.ID, "--shop", "acme", "--yes")
}

func TestImportCommands(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	connection := b.organization("acme")
	require.Contains(t, b.fails(exitRefused, "import", "start", "--shop", "acme"), "Next: create a data source with `starter source create --shop acme --title …`")
	b.ok("source", "create", "--shop", "acme", "--title", "All")
	require.Contains(t, b.fails(exitFailed, "import", "show", "--shop", "acme"), "there is no import yet")
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	b.windows = []claim.ImportWindow{{Stream: claim.StreamDirectory}, {Stream: claim.StreamMessages, From: at, To: at.AddDate(0, 1, 0)}}
	b.imported = 1
	require.Contains(t, b.ok("import", "start", "--shop", "acme"), "starter import watch --shop acme")
	require.Contains(t, b.ok("import", "start", "--shop", "acme"), "an import is running already")
	require.Regexp(t, `1/2`, b.ok("import", "list", "--shop", "acme"))
	require.Regexp(t, `messages +2026-01-01`, b.ok("import", "show", "--connection", connection))
	require.Regexp(t, `State +paused`, b.ok("import", "pause", "--shop", "acme"))
	require.Regexp(t, `State +running`, b.ok("import", "resume", "--shop", "acme"))

	// Watching ends with the command, not the import.
	for _, terminal := range []bool{true, false} {
		ctx, cancel := context.WithCancel(t.Context())
		out, in := io.Pipe()
		var words bytes.Buffer
		code := make(chan int, 1)
		go func() {
			code <- run(ctx, []string{"import", "watch", "--shop", "acme"}, &app{in: strings.NewReader(""), out: in, err: &words, environ: b.environ, terminal: terminal, columns: 120})
			_ = in.Close()
		}()
		text := make([]byte, 400)
		n, err := io.ReadAtLeast(out, text, 1)
		require.NoError(t, err)
		shown := string(text[:n])
		require.Contains(t, shown, "running, 1 of 2 windows, messages 2026-01-01 to 2026-02-01, 1,200 rows")
		require.Equal(t, terminal, strings.Contains(shown, "████████████░░░░░░░░░░░░"), shown)
		cancel()
		_, err = io.Copy(io.Discard, out)
		require.NoError(t, err)
		require.Equal(t, exitOK, <-code)
		require.Contains(t, words.String(), "the import continues; watch it with `starter import watch --shop acme`")
	}
	imports, err := b.store.Imports.List(t.Context(), connection, 1)
	require.NoError(t, err)
	w := b.windows[1]
	w.N = 1
	require.NoError(t, b.store.Imports.FinishWindow(t.Context(), connection, imports[0].ID, w, store.WindowResult{State: claim.WindowParked, Why: "Dixa answered 500"}))
	require.NoError(t, b.store.Imports.SetState(t.Context(), connection, imports[0].ID, claim.ImportDone))
	code, out, problem := b.run("", "import", "watch", "--shop", "acme")
	require.Equal(t, exitFailed, code)
	require.Contains(t, out, "done, 1 of 2 windows, 1 failed")
	require.Contains(t, problem, "starter import retry --shop acme")
	require.Contains(t, b.ok("import", "show", "--shop", "acme"), "Dixa answered 500")
	require.Contains(t, b.fails(exitRefused, "import", "cancel", "--shop", "acme"), "has ended")
	require.Contains(t, b.fails(exitRefused, "import", "show", "unknown", "--shop", "acme"), "starter import list --shop acme")

	b.windows = nil
	b.ok("import", "retry", "--shop", "acme")
	require.Regexp(t, `State +cancelled`, b.ok("import", "cancel", "--shop", "acme"))
	require.Contains(t, b.ok("import", "watch", "--shop", "acme", "-o", "json"), `"state":"cancelled"`)
}

func TestImportTokenCommand(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.organization("acme")
	const exports = "exports-token-of-the-demo-shop-9b1c"
	require.Contains(t, b.ok("import", "token", "--shop", "acme", "--show"), "the shop's own token")
	shown := b.ok("import", "token", "--shop", "acme", "--token-file", b.file("exports", exports+"\n")) + b.ok("import", "token", "--shop", "acme", "--show")
	require.Contains(t, shown, "9b1c")
	require.NotContains(t, shown, exports)
	require.Contains(t, b.fails(exitRefused, "import", "token", "--shop", "acme", "--token-file", b.file("exports", " "+exports)), "whitespace")
	require.Contains(t, b.fails(exitUsage, "import", "token", "--shop", "acme"), "a token is required")
	require.Contains(t, b.ok("import", "token", "--shop", "acme", "--remove"), "the shop's own token")
}

func TestKPICommands(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	connection := b.organization("acme")
	b.ok("source", "create", "--shop", "acme", "--title", "All")
	b.conversations(connection, 3)
	require.Regexp(t, `conversation_volume +Conversations +count +channel`, b.ok("kpi", "list", "--shop", "acme"))
	shown := b.ok("kpi", "show", "conversation_volume", "--shop", "acme", "--bucket", "none")
	require.Regexp(t, `(?m)^\d{4}-\d\d-\d\d +3 +3 +0$`, shown)
	require.Contains(t, shown, "newest information from "+time.Now().Format("2006"))
	require.Regexp(t, `(?m)^Email +`, b.ok("kpi", "show", "conversation_volume", "--shop", "acme", "--by", "channel"))
	rows, err := csv.NewReader(strings.NewReader(b.ok("kpi", "show", "conversation_volume", "--shop", "acme", "--bucket", "none", "-o", "csv"))).ReadAll()
	require.NoError(t, err)
	require.Len(t, rows, 2)
	require.Contains(t, b.ok("kpi", "show", "conversation_volume", "--shop", "acme", "-o", "json"), `"freshness"`)
	for _, args := range [][]string{nil, {"--by", "channel"}} {
		var out bytes.Buffer
		args = append([]string{"kpi", "show", "conversation_volume", "--shop", "acme"}, args...)
		require.Equal(t, exitOK, run(t.Context(), args, &app{in: strings.NewReader(""), out: &out, err: &out, environ: b.environ, terminal: true}), out.String())
		require.Contains(t, out.String(), "▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁███")
	}
	require.Contains(t, b.fails(exitRefused, "kpi", "show", "happiness", "--shop", "acme"), "Next: list the key figures with `starter kpi list --shop acme`")
	require.Contains(t, b.fails(exitRefused, "kpi", "show", "conversation_volume", "--shop", "acme", "--by", "weather"), "by: must be one of")
	require.Contains(t, b.fails(exitUsage, "kpi", "show", "csat", "--shop", "acme", "-o", "yaml"), "must be table, json or csv")
}

func TestKPIBehindCommand(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	connection := b.organization("acme")
	b.ok("source", "create", "--shop", "acme", "--title", "All")
	b.conversations(connection, 3)
	shown := b.ok("kpi", "behind", "conversation_volume", "--shop", "acme", "--from", "7d")
	require.Regexp(t, `(?m)^Behind it +3 conversations, 0 with an unknown value$`, shown)
	require.Regexp(t, `(?m)^CONVERSATION +CLAIM +PLACED +CHANNEL +QUEUE +AGENT +VALUE +TIMES$`, shown)
	require.Len(t, regexp.MustCompile(`(?m)^\d+ +- +\d{4}-\d\d-\d\d .*Email`).FindAllString(shown, -1), 3)
	require.NotContains(t, shown, "Not listed")
	code, out, said := b.run("", "kpi", "behind", "conversation_volume", "--shop", "acme", "--by", "channel", "--group", "Email", "--limit", "2", "-o", "json")
	require.Equal(t, exitOK, code)
	require.Contains(t, said, "there are more than 2; see more with --limit")
	var all client.KPIBehind
	require.NoError(t, json.Unmarshal([]byte(out), &all))
	require.Len(t, all.Members, 2)
	require.Equal(t, 3, all.Bucket.Count)
	require.Regexp(t, `(?m)^Behind it +0 claims`, b.ok("kpi", "behind", "claim_volume", "--shop", "acme", "--position", "0"))
	require.Contains(t, b.fails(exitUsage, "kpi", "behind", "backlog", "--shop", "acme", "--by", "queue"), "--by and --group belong together")
	require.Contains(t, b.fails(exitUsage, "kpi", "behind", "backlog", "--shop", "acme", "--limit", "0"), "must be at least 1")
	require.Contains(t, b.fails(exitRefused, "kpi", "behind", "happiness", "--shop", "acme"), "Next: list the key figures with `starter kpi list --shop acme`")
	require.Contains(t, b.fails(exitRefused, "kpi", "behind", "agent_presence", "--shop", "acme"), "must be a figure of conversations or claims")
}

func TestKPIVerify(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	connection := b.organization("acme")
	b.ok("source", "create", "--shop", "acme", "--title", "All")
	b.conversations(connection, 5)
	require.NotContains(t, b.ok("kpi", "verify", "--shop", "acme"), "conversation_volume", "nothing is kept yet")
	b.ok("kpi", "show", "conversation_volume", "--shop", "acme", "--bucket", "day", "--by", "channel", "--timezone", "Europe/Copenhagen")
	b.ok("kpi", "show", "backlog", "--shop", "acme")
	verified := b.ok("kpi", "verify", "--shop", "acme")
	require.Regexp(t, `(?m)^conversation_volume +29 +4 +0 +0$`, verified)
	require.Regexp(t, `(?m)^backlog +`, verified)
	require.NotContains(t, b.ok("kpi", "verify", "conversation_volume", "--connection", connection), "backlog")
	require.Contains(t, b.fails(exitRefused, "kpi", "verify", "happiness", "--shop", "acme"), "Next: list the key figures with `starter kpi list --shop acme`")

	db, err := sql.Open("sqlite", filepath.Join(b.dir, "claimflow.db"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	_, err = db.ExecContext(t.Context(), `UPDATE kpi_values SET n = 8, value = 8.5 WHERE grp = 'Email' AND start = (SELECT MAX(start) FROM kpi_values WHERE grp = 'Email')`)
	require.NoError(t, err)
	code, out, failed := b.run("", "kpi", "verify", "--shop", "acme")
	require.Equal(t, exitFailed, code)
	require.Contains(t, failed, "compare kept values with the rows: 1 differ")
	require.Regexp(t, `(?m)^conversation_volume +day by created and channel Europe/Copenhagen +\d{4}-\d\d-\d\d +Email +count 8, value 8\.5 +count 1, value 1$`, out)
	require.Regexp(t, `(?m)^conversation_volume +29 +4 +0 +1$`, out)
	code, out, _ = b.run("", "kpi", "verify", "backlog", "conversation_volume", "--shop", "acme", "-o", "json")
	require.Equal(t, exitFailed, code)
	var all []client.KPIVerification
	require.NoError(t, json.Unmarshal([]byte(out), &all))
	require.Len(t, all, 2)
	require.Empty(t, all[0].Differences)
	require.Equal(t, 8, all[1].Differences[0].Kept.Count)
	require.Equal(t, 1, all[1].Differences[0].Computed.Count)
}

func TestSparkline(t *testing.T) {
	t.Parallel()
	buckets := func(values ...float64) (list []client.KPIBucket) {
		for _, v := range values {
			list = append(list, client.KPIBucket{Value: &v})
		}
		return list
	}
	require.Equal(t, "▁▅█", sparkline(buckets(0, 4, 7)))
	require.Equal(t, "▁▁", sparkline(buckets(0, 0)))
	require.Equal(t, "██", sparkline(buckets(3, 3)))
	require.Equal(t, "▁█", sparkline(buckets(-3, 3)))
	require.Equal(t, " █", sparkline(append([]client.KPIBucket{{}}, buckets(3)...)))
	require.Len(t, []rune(sparkline(buckets(make([]float64, 168)...))), 56)
	require.Empty(t, sparkline(nil))
	for d, want := range map[time.Duration]string{
		1500 * time.Millisecond: "1.5s", 90 * time.Second: "1m 30s", 3*time.Hour + 4*time.Minute: "3h 4m", 50 * time.Hour: "2d 2h", -time.Second: "-1s",
	} {
		require.Equal(t, want, rounded(d))
	}
	require.Equal(t, "1,234,567", grouped(1234567))
	require.Equal(t, "-123", grouped(-123))
}
