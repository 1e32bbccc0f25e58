package main

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/claimflow/claimflow/client"
)

func (a *app) kpiCommand() *cobra.Command {
	return group(&cobra.Command{
		Use: "kpi", Short: "Show key figures of a Dixa organization and its claims",
		Long:    "The figures are computed from what the data sources store. `starter kpi list` shows what each means.",
		Example: "  starter kpi list --shop acme\n  starter kpi show first_response_time --shop acme --bucket week --by queue --timezone Europe/Copenhagen",
	}, a.kpiList(), a.kpiShow(), a.kpiBehind(), a.kpiVerify())
}

func (a *app) kpiList() *cobra.Command {
	var o organization
	c := &cobra.Command{
		Use: "list", Short: "List the key figures", Long: "-o json also shows what each figure means, and its parameters.",
		Example: "  starter kpi list --shop acme\n  starter kpi list --shop acme -o json", Args: arguments(),
		RunE: a.callingIn(&o, func(ctx context.Context, api *client.Client, connection string, _ []string) error {
			kpis, err := api.KPIs(ctx, connection)
			return a.print(kpis, err, func(w *tabwriter.Writer) {
				line(w, "ID", "TITLE", "UNIT", "BY")
				for _, k := range kpis {
					line(w, k.ID, k.Title, k.Unit, strings.Join(k.Dimensions, ","))
				}
			})
		}),
	}
	o.flags(c)
	return c
}

func (a *app) kpiShow() *cobra.Command {
	var o organization
	var q client.KPIQuery
	c := &cobra.Command{
		Use: "show ID", Short: "Show the values of a key figure",
		Long: "The value of a period is followed by the number of conversations or claims behind it. Periods that have not ended are marked with *. " +
			"-o csv prints one line per group and period.",
		Example: "  starter kpi show conversation_volume --shop acme --from 2026-01-01 --to 2026-02-01\n" +
			"  starter kpi show csat --shop acme --bucket month --by agent --filter channel:Email\n" +
			"  starter kpi show arrivals_per_hour --shop acme --bucket hour_of_week -o csv > arrivals.csv",
		Args: arguments("ID"), Annotations: printsCSV,
	}
	c.RunE = a.callingIn(&o, func(ctx context.Context, api *client.Client, connection string, args []string) error {
		if err := resolveAges(&q); err != nil {
			return err
		}
		next := "list the key figures with `starter kpi list " + o.arguments() + "`"
		if a.output == "csv" {
			if q.CompareDixa {
				return usage("--compare-dixa and -o csv cannot be combined; use -o json")
			}
			data, err := api.KPICSV(ctx, connection, args[0], q)
			if err != nil {
				return aboutPart(err, next)
			}
			_, err = a.out.Write(data)
			return err
		}
		result, err := api.KPI(ctx, connection, args[0], q)
		return a.print(result, aboutPart(err, next), func(w *tabwriter.Writer) { a.kpiTable(w, result) })
	})
	o.flags(c)
	questionFlags(c, &q)
	c.Flags().BoolVar(&q.CompareDixa, "compare-dixa", false, "also show what Dixa's analytics answer")
	return c
}

// questionFlags adds the flags of a question about a key figure.
func questionFlags(c *cobra.Command, q *client.KPIQuery) {
	c.Flags().StringVar(&q.From, "from", "", "the start of the period: a day such as 2026-01-31, a time or an age such as 30d (default: 29 days before today)")
	c.Flags().StringVar(&q.To, "to", "", "the end of the period, which does not include it (default: now)")
	c.Flags().StringVar(&q.Timezone, "timezone", "", "the time zone of days and other periods, such as Europe/Copenhagen (default: UTC)")
	c.Flags().StringVar(&q.Bucket, "bucket", "", "hour, day, week, month, quarter, year, hour_of_week or none (default: the figure's)")
	c.Flags().StringVar(&q.By, "by", "", "group by this dimension, such as queue")
	c.Flags().StringArrayVar(&q.Filters, "filter", nil, "only what has one of the values, such as channel:Email,WidgetChat; can be repeated")
	c.Flags().StringVar(&q.Date, "date", "", "the date that places a conversation or claim (default: the figure's)")
	c.Flags().StringVar(&q.Hours, "hours", "", "clock, or business to count business hours only")
	c.Flags().StringVar(&q.Schedule, "schedule", "", "the id of the business hours, if there are several")
	c.Flags().IntVar(&q.WithinDays, "within-days", 0, "a limit of days, for figures that have it")
}

// resolveAges replaces the bounds of the period that are ages, such as 30d, by times.
func resolveAges(q *client.KPIQuery) error {
	now := time.Now()
	for _, bound := range []*string{&q.From, &q.To} {
		if strings.HasSuffix(*bound, "d") || strings.HasSuffix(*bound, "h") {
			at, err := instant("from", *bound, now)
			if err != nil {
				return err
			}
			*bound = at.Format(time.RFC3339)
		}
	}
	return nil
}

// kpiTable prints one line per group and, if there is only one group, its buckets.
func (a *app) kpiTable(w *tabwriter.Writer, r client.KPIResult) {
	unit := r.Definition.Unit
	line(w, "Figure", r.Definition.Title+" ("+r.Definition.ID+")")
	line(w, "Value", r.Definition.Aggregates[0]+", "+unit)
	line(w, "Period", fmt.Sprintf("%s to %s, %s", moment(r.Request.From), moment(r.Request.To), r.Request.Timezone))
	if f := r.Freshness; f != nil {
		fresh := "newest information from " + cell(f.NewestAt)
		if !f.CompleteFrom.IsZero() {
			fresh += ", complete from " + cell(f.CompleteFrom)
		}
		if f.Importing {
			fresh += ", an import is running"
		}
		line(w, "Data", fresh)
	}
	say(w, "\n")
	if r.Request.By != "" || len(r.Series) != 1 {
		a.groupTable(w, r)
	} else {
		a.bucketTable(w, r)
	}
	if r.Dixa == nil {
		return
	}
	say(w, "\n")
	line(w, "PERIOD", "OURS", "DIXA: "+r.Dixa.Metric+" ("+r.Dixa.Measure+")", "DIFFERENCE")
	for _, b := range r.Dixa.Buckets {
		theirs := unit
		if b.Difference == nil {
			theirs = "" // Dixa does not document the unit of durations
		}
		line(w, moment(b.Start), figure(b.Ours, unit), figure(b.Dixa, theirs), figure(b.Difference, unit))
	}
}

// groupTable prints one line per group: its first and last value and, on a terminal,
// its course.
func (a *app) groupTable(w *tabwriter.Writer, r client.KPIResult) {
	heads := []any{strings.ToUpper(cmp.Or(r.Request.By, "group"))}
	if a.terminal {
		heads = append(heads, "COURSE")
	}
	line(w, append(heads, "FIRST", "LAST", "LOW", "HIGH", "COUNT", "MISSING")...)
	for _, s := range r.Series {
		cells := []any{s.Label}
		if a.terminal {
			cells = append(cells, sparkline(s.Buckets))
		}
		var low, high *float64
		count, missing := 0, 0
		for _, b := range s.Buckets {
			count, missing = count+b.Count, missing+b.Missing
			if b.Value != nil && (low == nil || *b.Value < *low) {
				low = b.Value
			}
			if b.Value != nil && (high == nil || *b.Value > *high) {
				high = b.Value
			}
		}
		first, last := (*float64)(nil), (*float64)(nil)
		if n := len(s.Buckets); n > 0 {
			first, last = s.Buckets[0].Value, s.Buckets[n-1].Value
		}
		unit := r.Definition.Unit
		line(w, append(cells, figure(first, unit), figure(last, unit), figure(low, unit), figure(high, unit), count, missing)...)
	}
}

// bucketTable prints one line per bucket of the only group.
func (a *app) bucketTable(w *tabwriter.Writer, r client.KPIResult) {
	buckets := r.Series[0].Buckets
	if a.terminal && len(buckets) > 1 {
		line(w, "Course", sparkline(buckets))
		say(w, "\n")
	}
	line(w, "PERIOD", "VALUE", "COUNT", "MISSING")
	for _, b := range buckets {
		period := moment(b.Start)
		if b.HourOfWeek != nil {
			period = hourOfWeek(*b.HourOfWeek)
		}
		if b.Open {
			period += " *"
		}
		line(w, period, figure(b.Value, r.Definition.Unit), b.Count, b.Missing)
	}
}

// hourOfWeek formats an hour of the week, from 0 to 167.
func hourOfWeek(hour int) string {
	return fmt.Sprintf("%s %02d:00", time.Weekday((hour/24 + 1) % 7).String()[:3], hour%24)
}

// moment formats a time in its own zone, without parts that are zero.
func moment(t time.Time) string {
	switch {
	case t.IsZero():
		return ""
	case t.Hour() == 0 && t.Minute() == 0 && t.Second() == 0:
		return t.Format(time.DateOnly)
	default:
		return t.Format("2006-01-02 15:04")
	}
}

// figure formats a value of a unit; empty if it is undefined.
func figure(v *float64, unit string) string {
	if v == nil {
		return ""
	}
	switch unit {
	case "seconds":
		return rounded(time.Duration(*v * float64(time.Second)))
	case "percent":
		return strconv.FormatFloat(*v, 'f', 1, 64) + " %"
	case "count":
		return grouped(int(*v))
	default:
		return strconv.FormatFloat(*v, 'f', 2, 64)
	}
}

// maxCourse bounds the length of a sparkline.
const maxCourse = 60

// sparkline draws the values of buckets from zero, or from their minimum if that is
// negative. A bucket without a value is a space. Of many buckets, each character is
// the mean of several.
func sparkline(buckets []client.KPIBucket) string {
	values := make([]*float64, 0, maxCourse)
	per := (len(buckets) + maxCourse - 1) / maxCourse
	for from := 0; from < len(buckets); from += per {
		var sum, n float64
		for _, b := range buckets[from:min(from+per, len(buckets))] {
			if b.Value != nil {
				sum, n = sum+*b.Value, n+1
			}
		}
		if n == 0 {
			values = append(values, nil)
			continue
		}
		mean := sum / n
		values = append(values, &mean)
	}
	low, high := 0.0, 0.0
	for _, v := range values {
		if v != nil {
			low, high = min(low, *v), max(high, *v)
		}
	}
	levels := []rune("▁▂▃▄▅▆▇█")
	var b strings.Builder
	for _, v := range values {
		switch {
		case v == nil:
			b.WriteRune(' ')
		case high == low:
			b.WriteRune(levels[0])
		default:
			b.WriteRune(levels[int((*v-low)/(high-low)*float64(len(levels)-1)+0.5)])
		}
	}
	return b.String()
}
