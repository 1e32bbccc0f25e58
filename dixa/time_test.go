package dixa_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/dixa"
)

func TestTimeDecodesEveryFormat(t *testing.T) {
	t.Parallel()
	second := time.Date(2021, 12, 1, 12, 46, 36, 0, time.UTC)
	milli := second.Add(581 * time.Millisecond)
	for in, want := range map[string]time.Time{
		`"2021-12-01T12:46:36Z"`:                         second,
		`"2021-12-01T12:46:36.581Z"`:                     milli,
		`"2021-12-01T12:46:36.581Z[GMT]"`:                milli,
		`"2021-12-01T12:46:36Z[UTC]"`:                    second,
		`"2021-12-01T13:46:36.581+01:00[Europe/Berlin]"`: milli,
		`"2021-12-01T12:46:36.581"`:                      milli,
		`"2021-12-01T12:46:36"`:                          second,
		`"2021-12-01T12:46:36+00:00"`:                    second,
		`"2021-12-01T12:46:36.581+00:00"`:                milli,
		`"2021-12-01T12:46Z"`:                            second.Truncate(time.Minute),
		`"2021-12-01T12:46Z[GMT]"`:                       second.Truncate(time.Minute),
		`"2021-12-01T12:46"`:                             second.Truncate(time.Minute),
		`"2021-12-01"`:                                   second.Truncate(24 * time.Hour),
		`"2021-12-01T12:46:36.581123456Z"`:               milli.Add(123456),
		`1638362796581`:                                  milli,
		`"1638362796581"`:                                milli,
		`null`:                                           {},
		`""`:                                             {},
	} {
		var got dixa.Time
		require.NoError(t, json.Unmarshal([]byte(in), &got), in)
		require.True(t, want.Equal(got.Time), "%s decoded to %s", in, got)
		require.Equal(t, time.UTC, got.Location(), in)
	}
	for _, in := range []string{`"yesterday"`, `"12:46"`, `true`, `{}`, `[]`, `1e400`, `9223372036854775807`, `"[GMT]"`} {
		var got dixa.Time
		require.Error(t, json.Unmarshal([]byte(in), &got), in)
	}
}

func TestTimeEncodesMilliseconds(t *testing.T) {
	t.Parallel()
	berlin := time.FixedZone("", 3600)
	require.Equal(t, `"2021-12-01T11:46:36.500Z"`, mustJSON(t, dixa.NewTime(time.Date(2021, 12, 1, 12, 46, 36, 500_900_000, berlin))))
	require.Equal(t, `null`, mustJSON(t, dixa.Time{}))
	require.Equal(t, `null`, mustJSON(t, dixa.NewTime(time.Date(12021, 1, 1, 0, 0, 0, 0, time.UTC))))
}

func FuzzTime(f *testing.F) {
	for _, seed := range []string{`"2021-12-01T12:46:36.581Z[GMT]"`, `1638362796581`, `"2021-12-01T12:46"`, `null`, `""`, `"["`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		var first dixa.Time
		if json.Unmarshal(in, &first) != nil {
			return
		}
		encoded, err := json.Marshal(first)
		require.NoError(t, err)
		var second dixa.Time
		require.NoError(t, json.Unmarshal(encoded, &second), "%s", encoded)
		require.True(t, first.Truncate(time.Millisecond).Equal(second.Time), "%s became %s after encoding to %s", in, second, encoded)
	})
}
