package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/claimflow/claimflow/client"
)

func (a *app) kpiVerify() *cobra.Command {
	var o organization
	c := &cobra.Command{
		Use: "verify [ID…]", Short: "Compare the kept values of key figures with the stored rows",
		Long: "The values of finished periods are kept. The command computes them from the rows again and prints every one that differs: " +
			"it exits with code 1 if any does. Stale periods are those whose days changed since; the next question computes them again. Nothing is changed.",
		Example: "  starter kpi verify --shop acme\n  starter kpi verify csat backlog --shop acme -o json", Args: cobra.ArbitraryArgs,
	}
	c.RunE = a.callingIn(&o, func(ctx context.Context, api *client.Client, connection string, ids []string) error {
		if len(ids) == 0 {
			kpis, err := api.KPIs(ctx, connection)
			if err != nil {
				return err
			}
			for _, k := range kpis {
				ids = append(ids, k.ID)
			}
		}
		// One request each, because computing all of them can take longer than a request may.
		all := make([]client.KPIVerification, 0, len(ids))
		different := 0
		for _, id := range ids {
			v, err := api.VerifyKPI(ctx, connection, id)
			if err != nil {
				return aboutPart(err, "list the key figures with `starter kpi list "+o.arguments()+"`")
			}
			all, different = append(all, v), different+len(v.Differences)
		}
		if err := a.print(all, nil, func(w *tabwriter.Writer) { verificationTable(w, all, different) }); err != nil {
			return err
		}
		if different > 0 {
			return fmt.Errorf("compare kept values with the rows: %d differ", different)
		}
		return nil
	})
	o.flags(c)
	return c
}

// verificationTable prints the differences, if any, and one line per figure of which
// anything is kept.
func verificationTable(w *tabwriter.Writer, all []client.KPIVerification, different int) {
	if different > 0 {
		line(w, "KPI", "SERIES", "PERIOD", "GROUP", "KEPT", "COMPUTED")
		for _, v := range all {
			for _, d := range v.Differences {
				line(w, v.KPI, keptSeries(d), keptPeriod(d), d.Group, keptValue(d.Kept), keptValue(d.Computed))
			}
		}
		say(w, "\n")
	}
	line(w, "KPI", "BUCKETS", "VALUES", "STALE", "DIFFERENT")
	for _, v := range all {
		if v.Buckets+v.Stale > 0 {
			line(w, v.KPI, v.Buckets, v.Values, v.Stale, len(v.Differences))
		}
	}
}

// keptSeries names the values that are kept together.
func keptSeries(d client.KPIDifference) string {
	words := []string{d.Bucket, "by " + d.Date}
	if d.By != "" {
		words = append(words, "and "+d.By)
	}
	if d.WithinDays > 0 {
		words = append(words, fmt.Sprintf("within %d days", d.WithinDays))
	}
	return strings.Join(append(words, d.Timezone), " ")
}

// keptPeriod says which bucket a difference is of.
func keptPeriod(d client.KPIDifference) string {
	text := moment(d.Start)
	if d.HourOfWeek != nil {
		text += " " + hourOfWeek(*d.HourOfWeek)
	}
	return text
}

// keptValue prints all parts of a value, because any of them can differ.
func keptValue(v *client.KPIValue) string {
	if v == nil {
		return "none"
	}
	words := []string{fmt.Sprintf("count %d", v.Count)}
	if v.Missing > 0 {
		words = append(words, fmt.Sprintf("missing %d", v.Missing))
	}
	for _, part := range []struct {
		name  string
		value *int
	}{{"part", v.Part}, {"whole", v.Whole}, {"distinct", v.Distinct}} {
		if part.value != nil {
			words = append(words, fmt.Sprintf("%s %d", part.name, *part.value))
		}
	}
	for _, part := range []struct {
		name  string
		value *float64
	}{{"value", v.Value}, {"sum", v.Sum}, {"mean", v.Mean}, {"median", v.Median}, {"p90", v.P90}} {
		if part.value != nil {
			words = append(words, fmt.Sprintf("%s %g", part.name, *part.value))
		}
	}
	return strings.Join(words, ", ")
}
