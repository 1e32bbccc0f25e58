package reporting

import (
	"context"
	"errors"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/kpi"
)

func TestAnswersAreBounded(t *testing.T) {
	t.Parallel()
	var a answers
	asked := 0
	get := func(key string, buckets int) {
		t.Helper()
		_, err := a.get(t.Context(), key, func(context.Context) (*kpi.Result, error) {
			asked++
			return &kpi.Result{Series: []kpi.Series{{Buckets: make([]kpi.BucketValue, buckets)}}}, nil
		})
		require.NoError(t, err)
		require.LessOrEqual(t, a.recent.Len(), maxAnswers)
		require.LessOrEqual(t, a.values, maxAnswered)
		require.Len(t, a.byKey, a.recent.Len())
	}
	for i := range maxAnswers + 10 {
		get(strconv.Itoa(i), 1)
		get("often", 1)
	}
	asked = 0
	get("often", 1)
	require.Zero(t, asked, "what is asked for stays")
	get("0", 1)
	require.Equal(t, 1, asked)

	get("large", maxAnswered/2)
	get("larger", maxAnswered-10)
	require.Equal(t, 1, a.recent.Len())
	get("too large", maxAnswered)
	get("larger", 1)
	require.Equal(t, 4, asked)
}

func TestAnswersKeepNoErrors(t *testing.T) {
	t.Parallel()
	var a answers
	broken := errors.New("broken")
	_, err := a.get(t.Context(), "q", func(context.Context) (*kpi.Result, error) { return nil, broken })
	require.ErrorIs(t, err, broken)
	_, err = a.get(t.Context(), "q", func(context.Context) (*kpi.Result, error) { panic("cannot count") })
	require.ErrorContains(t, err, "cannot count")
	got, err := a.get(t.Context(), "q", func(context.Context) (*kpi.Result, error) { return &kpi.Result{}, nil })
	require.NoError(t, err)
	require.NotNil(t, got)
}
