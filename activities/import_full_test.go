package activities_test

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/emulator/server"
)

// A year of an organization: 20,000 conversations with about 125,000 messages and
// 320,000 log entries. It takes minutes, so it runs only if CLAIMFLOW_FULL is set, as
// CI does.
func TestImportOfAYearEqualsDixa(t *testing.T) {
	t.Parallel()
	if os.Getenv("CLAIMFLOW_FULL") == "" {
		t.Skip("imports a year of history, which takes minutes; set CLAIMFLOW_FULL=1 to run it")
	}
	b := newImportBench(t, 20_000, server.Switches{}, 365*24*time.Hour)
	b.source(claim.DataSource{Title: "Everything", From: time.Now().AddDate(-1, 0, -1)})
	began := time.Now()
	i := b.importAll(claim.ImportRequest{})
	took := time.Since(began)
	t.Logf("%d rows in %v: %.0f a second, %d windows, %d requests", i.Read, took.Round(time.Millisecond), float64(i.Read)/took.Seconds(), i.WindowsDone, i.Requests)
	require.Zero(t, i.Rejected)
	b.requireTruth(true)
	now := time.Now()
	requireEqualKPIs(t, b.oracle(), b.store.Mirror.Figures(b.connection), now.AddDate(-1, 0, -1), now)
	again := b.importAll(claim.ImportRequest{From: now.AddDate(-1, 0, -1)})
	require.GreaterOrEqual(t, again.Read, 400_000)
	require.Zero(t, again.Added, "%+v", again)
	require.Zero(t, again.Changed, "%+v", again)
}
