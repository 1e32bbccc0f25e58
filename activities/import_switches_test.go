package activities_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/emulator/server"
)

// Dixa's exports can be read in several ways. The import ends in the same state in all
// of them.
func TestEveryReadingOfExportsEndsTheSame(t *testing.T) {
	t.Parallel()
	named := server.NamedExportSettings()
	for _, name := range slices.Sorted(maps.Keys(named)) {
		for _, value := range named[name][1:] { // the first is the default
			t.Run(name+" "+value, func(t *testing.T) {
				t.Parallel()
				var switches server.Switches
				member := strings.TrimPrefix(name, "exports.")
				require.NoError(t, json.Unmarshal(fmt.Appendf(nil, `{"exports":{%q:%q}}`, member, value), &switches))
				b := newImportBench(t, 30, switches, 30*24*time.Hour)
				b.everything()
				i := b.importAll(claim.ImportRequest{})
				require.Equal(t, claim.AccessExports, i.Access, i.Why)
				require.Zero(t, i.Rejected+i.WindowsParked)
				b.requireTruth(true)
				b.act(b.written()[3], server.Step{Action: server.PlayTag, Tag: "later"}, server.Step{Action: server.PlayReply, Text: "Hello"})
				b.dixa.Settle()
				b.importAll(claim.ImportRequest{})
				b.requireTruth(true)
				b.importAll(claim.ImportRequest{From: time.Now().AddDate(0, 0, -40)})
				again := b.importAll(claim.ImportRequest{From: time.Now().AddDate(0, 0, -40)})
				require.Zero(t, again.Added+again.Changed, "%+v", again.ImportCounts)
			})
		}
	}
}

// Exports that lag behind are read again by the next imports.
func TestLaggingExports(t *testing.T) {
	t.Parallel()
	b := newImportBench(t, 30, server.Switches{Exports: server.ExportSwitches{Lag: server.Duration(30 * time.Minute)}}, 20*24*time.Hour)
	b.everything()
	id := b.written()[2]
	b.act(id, server.Step{Action: server.PlayReply, Text: "Hello"}, server.Step{Action: server.PlayTag, Tag: "late"})
	b.importAll(claim.ImportRequest{})
	c, err := b.store.Mirror.Conversation(t.Context(), b.connection, id)
	require.NoError(t, err)
	require.NotContains(t, c.Tags, "late")
	b.dixa.SetSwitches(server.Switches{})
	b.importAll(claim.ImportRequest{})
	b.requireTruth(true)
}

// Rows that are exactly on the bounds of windows are in one of them, whichever bounds
// Dixa includes.
func TestRowsOnTheEdgeOfAWindow(t *testing.T) {
	t.Parallel()
	for _, bounds := range server.NamedExportSettings()["exports.bounds"] {
		t.Run(bounds, func(t *testing.T) {
			t.Parallel()
			b := newImportBench(t, 10, server.Switches{Exports: server.ExportSwitches{Bounds: bounds}}, 20*24*time.Hour)
			b.source(claim.DataSource{Title: "Everything", From: time.Now().AddDate(0, 0, -40)})
			// Each import begins where the one before it ended: at a row.
			updated := b.dixa.Truth()
			slices.SortFunc(updated, func(x, y server.Truth) int { return x.UpdatedAt.Compare(y.UpdatedAt) })
			from := updated[0].UpdatedAt
			oldest := slices.MinFunc(updated, func(x, y server.Truth) int { return x.CreatedAt.Compare(y.CreatedAt) })
			streams := [][]claim.Stream{{claim.StreamConversations}, {claim.StreamMessages}, {claim.StreamActivityLogs}}
			for _, c := range updated[1:] {
				if c.UpdatedAt.After(from) {
					b.importAll(claim.ImportRequest{Streams: streams[0], From: from, To: c.UpdatedAt})
					from = c.UpdatedAt
				}
			}
			var times []time.Time
			for _, c := range updated {
				for _, m := range c.Messages {
					times = append(times, m.CreatedAt)
				}
			}
			slices.SortFunc(times, time.Time.Compare)
			from = oldest.CreatedAt
			for i := 1; i < len(times); i += 7 {
				if times[i].After(from) {
					b.importAll(claim.ImportRequest{Streams: streams[1], From: from, To: times[i]})
					from = times[i]
				}
			}
			if last := times[len(times)-1]; last.After(from) {
				b.importAll(claim.ImportRequest{Streams: streams[1], From: from, To: last})
			}
			b.importAll(claim.ImportRequest{Streams: streams[2], From: oldest.CreatedAt, To: time.Now()})
			b.requireTruth(true)
		})
	}
}

// The notations of the other API do not matter either.
func TestNotationsOfTheActivityLog(t *testing.T) {
	t.Parallel()
	for name, switches := range map[string]server.Switches{
		"newest first":      {ActivityOrder: server.NewestFirst},
		"without zone name": {ZonedTimes: "plain"},
		"absolute links":    {NextLinks: "absolute", MaxPageLimit: 7},
		"short pages":       {MaxPageLimit: 10},
		"refuses long ones": {MaxPageLimit: 10, PageLimitTooLarge: server.Rejected},
		"at most 90 days":   {ActivityPeriod: server.Rejected},
		"no organization":   {OrganizationAbsent: true},
		"404 for nobody":    {NoEndUser: "404"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newImportBench(t, 10, switches, 20*24*time.Hour)
			b.everything()
			i := b.importAll(claim.ImportRequest{})
			require.Zero(t, i.WindowsParked)
			b.requireTruth(true)
			for _, w := range i.Windows {
				if w.Stream == claim.StreamActivityLogs {
					require.Zero(t, w.Rejected)
				}
			}
		})
	}
}
