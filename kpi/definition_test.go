package kpi_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/kpi"
)

// expectation is the value of a figure over the fixture, worked out by hand.
type expectation struct {
	name   string
	id     string
	change func(*kpi.Request)
	// want has a line per series and Monday | Tuesday | Wednesday in each.
	want []string
}

func check(t *testing.T, all []expectation) {
	t.Helper()
	for _, e := range all {
		name := e.id
		if e.name != "" {
			name += " " + e.name
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, e.want, show(ask(t, e.id, e.change)))
		})
	}
}

func by(d kpi.Dimension) func(*kpi.Request) {
	return func(r *kpi.Request) { r.By, r.Bucket = d, kpi.BucketNone }
}

func placedBy(d kpi.Date) func(*kpi.Request) {
	return func(r *kpi.Request) { r.PlacedBy = d }
}

func filtered(d kpi.Dimension, values ...string) func(*kpi.Request) {
	return func(r *kpi.Request) { r.Filters = map[kpi.Dimension][]string{d: values} }
}

func within(days int) func(*kpi.Request) {
	return func(r *kpi.Request) { r.WithinDays = days }
}

func both(a, b func(*kpi.Request)) func(*kpi.Request) {
	return func(r *kpi.Request) { a(r); b(r) }
}

func copenhagen(r *kpi.Request) {
	zone, err := time.LoadLocation("Europe/Copenhagen")
	if err != nil {
		panic(err)
	}
	r.Zone = zone
	r.From, r.To = r.From.Add(-time.Hour), r.To.Add(-time.Hour) // midnight there
}

func byHourOfWeek(r *kpi.Request) { r.Bucket = kpi.BucketHourOfWeek }

func business(r *kpi.Request) { r.Hours = kpi.BusinessHours }

// Each figure is asked for without a change at least once, by a test that is named
// after it.
func TestEveryDefinitionHasAnExpectation(t *testing.T) {
	t.Parallel()
	covered := map[string]bool{}
	for _, table := range [][]expectation{
		volumeExpectations, durationExpectations, messageExpectations, qualityExpectations,
		ratingExpectations, agentExpectations, claimExpectations,
	} {
		for _, e := range table {
			covered[e.id] = true
		}
	}
	for _, d := range kpi.All() {
		require.True(t, covered[d.ID], d.ID)
	}
}

func TestDefinitionsAreComplete(t *testing.T) {
	t.Parallel()
	ids := map[string]bool{}
	for _, d := range kpi.All() {
		require.Regexp(t, `^[a-z][a-z0-9_]+$`, d.ID)
		require.False(t, ids[d.ID], d.ID)
		ids[d.ID] = true
		for _, text := range []string{d.Title, d.Meaning, d.Population, d.Missing, d.Source, d.Subject, string(d.Unit)} {
			require.NotEmpty(t, text, d.ID)
		}
		for _, sentence := range []string{d.Meaning, d.Population, d.Missing} {
			require.Regexp(t, `\.$`, sentence, d.ID)
		}
		require.NotEmpty(t, d.Aggregates, d.ID)
		require.NotEmpty(t, d.PlacedBy, d.ID)
		require.NotEmpty(t, d.Dimensions, d.ID)
		require.Equal(t, kpi.ClockHours, d.Hours[0], d.ID)
	}
	_, ok := kpi.ByID("unknown")
	require.False(t, ok)
}

// Every combination of date, dimension, bucket and clock that a definition offers can
// be asked for.
func TestEveryOfferIsAnswered(t *testing.T) {
	t.Parallel()
	for _, d := range kpi.All() {
		for _, date := range d.PlacedBy {
			for _, dimension := range d.Dimensions {
				for _, bucket := range d.Buckets {
					for _, hours := range d.Hours {
						result := ask(t, d.ID, func(r *kpi.Request) {
							r.PlacedBy, r.By, r.Bucket, r.Hours = date, dimension, bucket, hours
							r.Filters = map[kpi.Dimension][]string{dimension: {"Blue", "ann", "q1", "damaged"}}
						})
						require.Len(t, result.Series, 4, d.ID)
					}
				}
			}
		}
	}
}
