package portal

import (
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A period is compared with the one before it. Months are compared with months, and the
// part of one with the same part of the other.
func TestPeriods(t *testing.T) {
	t.Parallel()
	w, err := readWords("en")
	require.NoError(t, err)
	for name, tt := range map[string]struct {
		now, query                 string
		from, to, before, beforeTo string
		part                       string
	}{
		"the default":            {"2026-11-29T21:40:30Z", "", "2026-10-31T00:00", "2026-11-29T21:41", "2026-10-01T00:00", "2026-10-30T21:41", "day"},
		"this month":             {"2026-11-29T21:40:30Z", "period=month", "2026-11-01T00:00", "2026-11-29T21:41", "2026-10-01T00:00", "2026-10-29T21:41", "day"},
		"a longer month":         {"2026-03-31T12:00:00Z", "period=month", "2026-03-01T00:00", "2026-03-31T12:00", "2026-02-01T00:00", "2026-03-01T00:00", "day"},
		"the start of a month":   {"2026-12-01T00:00:00Z", "period=month", "2026-12-01T00:00", "2026-12-01T00:01", "2026-11-01T00:00", "2026-11-01T00:01", "hour"},
		"last month":             {"2026-03-15T12:00:00Z", "period=last_month", "2026-02-01T00:00", "2026-03-01T00:00", "2026-01-01T00:00", "2026-02-01T00:00", "day"},
		"last month, in January": {"2026-01-15T12:00:00Z", "period=last_month", "2025-12-01T00:00", "2026-01-01T00:00", "2025-11-01T00:00", "2025-12-01T00:00", "day"},
		"another zone":           {"2026-10-31T23:30:00Z", "period=last_month&zone=Europe/Berlin", "2026-10-01T00:00", "2026-11-01T00:00", "2026-09-01T00:00", "2026-10-01T00:00", "day"},
		"typed dates":            {"2026-11-29T21:40:30Z", "from=2026-11-02&to=2026-11-03&period=custom", "2026-11-02T00:00", "2026-11-04T00:00", "2026-10-31T00:00", "2026-11-02T00:00", "hour"},
		"an unknown period":      {"2026-11-29T21:40:30Z", "period=century", "2026-10-31T00:00", "2026-11-29T21:41", "2026-10-01T00:00", "2026-10-30T21:41", "day"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			now, err := time.Parse(time.RFC3339, tt.now)
			require.NoError(t, err)
			q, err := url.ParseQuery(tt.query)
			require.NoError(t, err)
			s := selectionOf(q, boards[0], now, w)
			require.Empty(t, s.Faults)
			got := make([]string, 4)
			for i, at := range []time.Time{s.from, s.to, s.before, s.beforeTo} {
				got[i] = at.In(s.zone).Format("2006-01-02T15:04")
			}
			require.Equal(t, []string{tt.from, tt.to, tt.before, tt.beforeTo}, got)
			require.Equal(t, tt.part, s.part)
		})
	}
}
