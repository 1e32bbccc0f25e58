package kpi_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/kpi"
	"github.com/claimflow/claimflow/mirror"
)

func location(t *testing.T, name string) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation(name)
	require.NoError(t, err)
	return zone
}

// volume evaluates the volume of conversations that were created at the given times.
func volume(t *testing.T, id string, r kpi.Request, created ...time.Time) *kpi.Result {
	t.Helper()
	figures := make([]mirror.Figures, len(created))
	for i, at := range created {
		figures[i] = mirror.Figures{ConversationID: int64(i + 1), CreatedAt: at, Direction: "inbound"}
	}
	d, ok := kpi.ByID(id)
	require.True(t, ok)
	e := kpi.Evaluator{Source: kpi.NewMemory(figures, nil)}
	result, err := e.Evaluate(t.Context(), d, r)
	require.NoError(t, err)
	return result
}

func TestBucketsFollowTheLocalClock(t *testing.T) {
	t.Parallel()
	// Buckets are written as start/length, from and to in local time.
	for _, c := range []struct {
		name, zone, from, to string
		bucket               kpi.Bucket
		want                 []string
	}{
		{"summer time begins", "Europe/Copenhagen", "2026-03-28 00:00", "2026-03-31 00:00", kpi.BucketDay, []string{
			"2026-03-28T00:00:00+01:00/24h0m0s", "2026-03-29T00:00:00+01:00/23h0m0s", "2026-03-30T00:00:00+02:00/24h0m0s",
		}},
		{"summer time ends", "America/New_York", "2026-11-01 00:00", "2026-11-03 00:00", kpi.BucketDay, []string{
			"2026-11-01T00:00:00-04:00/25h0m0s", "2026-11-02T00:00:00-05:00/24h0m0s",
		}},
		{"an hour that comes twice", "Europe/Copenhagen", "2026-10-25 01:00", "2026-10-25 04:00", kpi.BucketHour, []string{
			"2026-10-25T01:00:00+02:00/1h0m0s", "2026-10-25T02:00:00+02:00/1h0m0s", "2026-10-25T02:00:00+01:00/1h0m0s",
			"2026-10-25T03:00:00+01:00/1h0m0s",
		}},
		{"an hour that is skipped", "America/New_York", "2026-03-08 01:00", "2026-03-08 04:00", kpi.BucketHour, []string{
			"2026-03-08T01:00:00-05:00/1h0m0s", "2026-03-08T03:00:00-04:00/1h0m0s",
		}},
		{"a zone of half an hour", "Asia/Kolkata", "2026-01-01 05:45", "2026-01-01 07:30", kpi.BucketHour, []string{
			"2026-01-01T05:45:00+05:30/15m0s", "2026-01-01T06:00:00+05:30/1h0m0s", "2026-01-01T07:00:00+05:30/30m0s",
		}},
		{"days of a zone of half an hour", "Asia/Kolkata", "2026-01-01 00:00", "2026-01-03 00:00", kpi.BucketDay, []string{
			"2026-01-01T00:00:00+05:30/24h0m0s", "2026-01-02T00:00:00+05:30/24h0m0s",
		}},
		{"half an hour that comes twice", "Australia/Lord_Howe", "2026-04-05 01:00", "2026-04-05 03:00", kpi.BucketHour, []string{
			"2026-04-05T01:00:00+11:00/1h30m0s", "2026-04-05T02:00:00+10:30/1h0m0s",
		}},
		{"half an hour that is skipped", "Australia/Lord_Howe", "2026-10-04 01:00", "2026-10-04 04:00", kpi.BucketHour, []string{
			"2026-10-04T01:00:00+10:30/1h0m0s", "2026-10-04T02:30:00+11:00/30m0s", "2026-10-04T03:00:00+11:00/1h0m0s",
		}},
		{"a day of half an hour more", "Australia/Lord_Howe", "2026-04-05 00:00", "2026-04-06 00:00", kpi.BucketDay, []string{
			"2026-04-05T00:00:00+11:00/24h30m0s",
		}},
		{"a midnight that is skipped", "America/Santiago", "2026-09-05 00:00", "2026-09-07 00:00", kpi.BucketDay, []string{
			"2026-09-05T00:00:00-04:00/24h0m0s", "2026-09-06T01:00:00-03:00/23h0m0s",
		}},
		{"a midnight that comes twice", "America/Havana", "2026-10-31 00:00", "2026-11-02 00:00", kpi.BucketDay, []string{
			"2026-10-31T00:00:00-04:00/24h0m0s", "2026-11-01T00:00:00-04:00/25h0m0s",
		}},
		{"a day that is skipped", "Pacific/Apia", "2011-12-29 00:00", "2012-01-01 00:00", kpi.BucketDay, []string{
			"2011-12-29T00:00:00-10:00/24h0m0s", "2011-12-31T00:00:00+14:00/24h0m0s",
		}},
		{"weeks over the turn of a year", "Europe/Copenhagen", "2026-12-30 00:00", "2027-01-12 00:00", kpi.BucketWeek, []string{
			"2026-12-30T00:00:00+01:00/120h0m0s", "2027-01-04T00:00:00+01:00/168h0m0s", "2027-01-11T00:00:00+01:00/24h0m0s",
		}},
		{"a week with the end of summer time", "America/New_York", "2026-10-26 00:00", "2026-11-02 00:00", kpi.BucketWeek, []string{
			"2026-10-26T00:00:00-04:00/169h0m0s",
		}},
		{"months", "Europe/Copenhagen", "2026-02-15 00:00", "2026-04-01 00:00", kpi.BucketMonth, []string{
			"2026-02-15T00:00:00+01:00/336h0m0s", "2026-03-01T00:00:00+01:00/743h0m0s",
		}},
		{"months from the 31st", "UTC", "2026-01-31 00:00", "2026-03-01 00:00", kpi.BucketMonth, []string{
			"2026-01-31T00:00:00Z/24h0m0s", "2026-02-01T00:00:00Z/672h0m0s",
		}},
		{"quarters", "UTC", "2026-02-01 00:00", "2026-07-01 00:00", kpi.BucketQuarter, []string{
			"2026-02-01T00:00:00Z/1416h0m0s", "2026-04-01T00:00:00Z/2184h0m0s",
		}},
		{"years", "UTC", "2024-06-01 00:00", "2026-01-01 00:00", kpi.BucketYear, []string{
			"2024-06-01T00:00:00Z/5136h0m0s", "2025-01-01T00:00:00Z/8760h0m0s",
		}},
		{"none", "UTC", "2026-01-01 10:00", "2026-01-02 11:00", kpi.BucketNone, []string{"2026-01-01T10:00:00Z/25h0m0s"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			zone := location(t, c.zone)
			from, err := time.ParseInLocation("2006-01-02 15:04", c.from, zone)
			require.NoError(t, err)
			to, err := time.ParseInLocation("2006-01-02 15:04", c.to, zone)
			require.NoError(t, err)

			// A conversation at each boundary belongs to the bucket that begins there.
			result := volume(t, "conversation_volume", kpi.Request{From: from, To: to, Zone: zone, Bucket: c.bucket}, from, to.Add(-time.Microsecond), to)
			var have []string
			count := 0
			for _, b := range result.Series[0].Buckets {
				have = append(have, b.Start.Format(time.RFC3339)+"/"+b.End.Sub(b.Start).String())
				count += b.Count
			}
			require.Equal(t, c.want, have)
			require.Equal(t, 2, count)
			require.NotZero(t, result.Series[0].Buckets[0].Count)
		})
	}
}

func TestAConversationBelongsToTheBucketThatItsTimeBegins(t *testing.T) {
	t.Parallel()
	zone := location(t, "America/New_York")
	from, to := time.Date(2026, 11, 1, 0, 0, 0, 0, zone), time.Date(2026, 11, 3, 0, 0, 0, 0, zone)
	// November 1 ends at 05:00 UTC on the 2nd.
	end := time.Date(2026, 11, 2, 5, 0, 0, 0, time.UTC)
	result := volume(t, "conversation_volume", kpi.Request{From: from, To: to, Zone: zone, Bucket: kpi.BucketDay},
		end.Add(-time.Microsecond), end, end.Add(time.Microsecond))
	require.Equal(t, 1, result.Series[0].Buckets[0].Count)
	require.Equal(t, 2, result.Series[0].Buckets[1].Count)
}

func TestHoursOfTheWeek(t *testing.T) {
	t.Parallel()
	zone := location(t, "Europe/Copenhagen")
	rate := func(from, to time.Time, hour int, created ...time.Time) kpi.BucketValue {
		t.Helper()
		result := volume(t, "arrivals_per_hour", kpi.Request{From: from, To: to, Zone: zone}, created...)
		require.Len(t, result.Series[0].Buckets, 168)
		return result.Series[0].Buckets[hour]
	}
	sunday2 := 6*24 + 2

	// On October 25 the hour from 02:00 came twice, with an arrival in each.
	autumn := time.Date(2026, 10, 19, 0, 0, 0, 0, zone)
	b := rate(autumn, autumn.AddDate(0, 0, 7), sunday2,
		time.Date(2026, 10, 25, 0, 30, 0, 0, time.UTC), time.Date(2026, 10, 25, 1, 30, 0, 0, time.UTC))
	require.Equal(t, 2, b.Count)
	require.InDelta(t, 1.0, *b.Value, 0)

	// On March 29 it did not come; over two weeks it came once.
	spring := time.Date(2026, 3, 23, 0, 0, 0, 0, zone)
	require.Nil(t, rate(spring, spring.AddDate(0, 0, 7), sunday2).Value)
	b = rate(spring, spring.AddDate(0, 0, 14), sunday2, time.Date(2026, 4, 5, 2, 15, 0, 0, zone))
	require.InDelta(t, 1.0, *b.Value, 0)

	// Half of an hour of half an hour's arrivals.
	b = rate(spring, spring.Add(90*time.Minute), 1, spring.Add(70*time.Minute))
	require.InDelta(t, 2.0, *b.Value, 0)
}
