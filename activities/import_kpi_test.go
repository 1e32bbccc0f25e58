package activities_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/emulator/server"
	"github.com/claimflow/claimflow/kpi"
	"github.com/claimflow/claimflow/mirror"
)

// oracle returns the figures of everything in the store, computed again from the rows.
func (b *importBench) oracle() *kpi.Memory {
	b.Helper()
	var figures []mirror.Figures
	for _, truth := range b.dixa.Truth() {
		ctx := b.Context()
		conversation, err := b.store.Mirror.Conversation(ctx, b.connection, truth.ID)
		require.NoError(b, err)
		messages, err := b.store.Mirror.Messages(ctx, b.connection, truth.ID)
		require.NoError(b, err)
		activities, err := b.store.Mirror.Activities(ctx, b.connection, truth.ID)
		require.NoError(b, err)
		figures = append(figures, mirror.Derive(truth.ID, conversation, messages, activities))
	}
	return kpi.NewMemory(figures, nil)
}

// requireEqualKPIs evaluates every definition in several ways with both sources.
func requireEqualKPIs(tb testing.TB, want, got kpi.Source, from, to time.Time) {
	tb.Helper()
	zone, err := time.LoadLocation("Europe/Copenhagen")
	require.NoError(tb, err)
	compared := 0
	for _, d := range kpi.All() {
		if d.ID == "agent_presence" {
			continue // sampled, not computed from rows; see TestImportSamplesPresence
		}
		ways := []kpi.Request{{}}
		for _, by := range d.Dimensions {
			ways = append(ways, kpi.Request{By: by})
		}
		for _, date := range d.PlacedBy {
			ways = append(ways, kpi.Request{PlacedBy: date})
		}
		for _, bucket := range d.Buckets {
			ways = append(ways, kpi.Request{Bucket: bucket})
		}
		if slices.Contains(d.Dimensions, kpi.ByTag) {
			ways = append(ways, kpi.Request{Filters: map[kpi.Dimension][]string{kpi.ByTag: {"refund", ""}, kpi.ByChannel: {"Email", "WidgetChat"}}})
		}
		for _, way := range ways {
			way.From, way.To, way.Zone, way.Now = from, to, zone, to
			if way.Bucket == kpi.BucketHour {
				way.From = to.AddDate(0, 0, -7)
			}
			if d.Check(d.Complete(way)) != nil {
				continue
			}
			text := [2]string{}
			for i, source := range []kpi.Source{want, got} {
				e := kpi.Evaluator{Source: source}
				result, err := e.Evaluate(tb.Context(), d, way)
				require.NoError(tb, err, "%s %+v", d.ID, way)
				data, err := json.Marshal(result.Series)
				require.NoError(tb, err)
				text[i] = string(data)
			}
			require.Equal(tb, text[0], text[1], "%s by %q, date %q, bucket %q", d.ID, way.By, way.PlacedBy, way.Bucket)
			compared++
		}
	}
	require.Greater(tb, compared, 100, fmt.Sprint(compared, " comparisons"))
}

func TestKPIsOfImportEqualThoseOfRows(t *testing.T) {
	t.Parallel()
	b := newImportBench(t, 300, server.Switches{}, 60*24*time.Hour)
	b.source(claim.DataSource{Title: "Everything"})
	b.importAll(claim.ImportRequest{})
	now := time.Now()
	requireEqualKPIs(t, b.oracle(), b.store.Mirror.Figures(b.connection), now.AddDate(0, 0, -62), now)
}

// Each import of the directory samples which agents are working.
func TestImportSamplesPresence(t *testing.T) {
	t.Parallel()
	b := newImportBench(t, 10, server.Switches{}, 24*time.Hour)
	b.source(claim.DataSource{Title: "Directory", Streams: []claim.Stream{claim.StreamDirectory}})
	b.importAll(claim.ImportRequest{})
	agents, err := b.store.Mirror.Directory(t.Context(), b.connection, mirror.KindAgent)
	require.NoError(t, err)
	require.NotEmpty(t, agents)
	presence, found := kpi.ByID("agent_presence")
	require.True(t, found)
	evaluator := kpi.Evaluator{Source: b.store.Mirror.Figures(b.connection)}
	request := kpi.Request{From: time.Now().Add(-time.Hour), To: time.Now().Add(time.Hour), Bucket: kpi.BucketNone}
	result, err := evaluator.Evaluate(t.Context(), presence, request)
	require.NoError(t, err)
	require.Equal(t, len(agents), *result.Series[0].Buckets[0].Whole)
	require.NotNil(t, result.Series[0].Buckets[0].Value)
}
