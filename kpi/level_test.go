package kpi_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/kpi"
	"github.com/claimflow/claimflow/mirror"
)

func TestBacklogOfImperfectRecords(t *testing.T) {
	t.Parallel()
	created := at("01 00:00")
	for _, c := range []struct {
		name    string
		figures mirror.Figures
		// want is the backlog at the end of Monday, Tuesday and Wednesday.
		want [3]int
	}{
		{"the event of the last close is unknown", mirror.Figures{LastClosedAt: at("03 12:00")}, [3]int{1, 0, 0}},
		{"closed, and reopened for an instant", mirror.Figures{
			Reopens: new(1), LastClosedAt: at("04 12:00"),
			Events: []mirror.FigureEvent{event("02 12:00", closed, ""), event("04 12:00", closed, ""), event("04 12:00", reopened, "")},
		}, [3]int{0, 0, 0}},
		{"the event of a reopening is unknown", mirror.Figures{
			Reopens: new(0), Events: []mirror.FigureEvent{event("03 12:00", closed, "")},
		}, [3]int{1, 0, 0}},
		{"reopened and known only in part", mirror.Figures{
			LastClosedAt: at("05 12:00"), Events: []mirror.FigureEvent{event("02 12:00", closed, ""), event("03 12:00", reopened, "")},
		}, [3]int{0, 1, 1}},
		{"closed at the end of a day", mirror.Figures{
			Reopens: new(0), LastClosedAt: at("03 00:00"), Events: []mirror.FigureEvent{event("03 00:00", closed, "")},
		}, [3]int{1, 0, 0}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d, _ := kpi.ByID("backlog")
			c.figures.ConversationID, c.figures.CreatedAt = 1, created
			result, err := (&kpi.Evaluator{Source: kpi.NewMemory([]mirror.Figures{c.figures}, nil)}).Evaluate(t.Context(), d,
				kpi.Request{From: at("02 00:00"), To: at("05 00:00"), Now: at("20 00:00")})
			require.NoError(t, err)
			for i, b := range result.Series[0].Buckets {
				require.Equal(t, c.want[i], b.Count, b.Start)
			}
		})
	}
}
