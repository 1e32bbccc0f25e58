package kpi

import (
	"fmt"
	"strconv"
	"strings"
)

const preamble = `# Key figures

<!-- Generated from kpi. Run "go test ./kpi -update" to regenerate it. -->

Claimflow computes these figures from the conversations, messages and events that it
imports from Dixa, and from claims. Each names the published definition that it
follows. If Dixa publishes a metric of the same meaning, it is named too, so that both
can be compared.

## Asking

` + "`GET /v1/connections/{c}/kpis`" + ` lists the definitions, and
` + "`GET /v1/connections/{c}/kpis/{id}`" + ` answers one, with these parameters:

| Parameter | Meaning | Default |
| --- | --- | --- |
| ` + "`from`, `to`" + ` | The period, from ` + "`from`" + ` until just before ` + "`to`" + `: dates in the time zone, which mean the start of the day, or RFC 3339 times. ` + "`from=2026-01-01&to=2026-02-01`" + ` is January. At most %d years. | today and the 29 days before |
| ` + "`timezone`" + ` | The IANA time zone of dates and buckets. | ` + "`UTC`" + ` |
| ` + "`bucket`" + ` | ` + "%s" + `. At most %d buckets. | the first that the figure offers |
| ` + "`by`" + ` | A dimension: one series for each of its values. | one series |
| ` + "`filter`" + ` | A dimension, a colon and values separated by commas, such as ` + "`filter=channel:Email,WidgetChat`" + `. A backslash makes the next character part of the value; no value means none. Repeat it for more dimensions, which must all match. | all |
| ` + "`date`" + ` | The date that places a conversation, event or claim in a bucket. | the first that the figure offers |
| ` + "`hours`" + ` | ` + "`clock` or `business`" + `: the clock of durations. | ` + "`clock`" + ` |
| ` + "`within_days`" + ` | A limit of days, for the figures that have it. | as the figure says |

` + "`GET /v1/connections/{c}/kpis/{id}/behind`" + ` lists the conversations or claims behind one value of
the answer to the same question, newest first. These parameters say which value:

| Parameter | Meaning | Default |
| --- | --- | --- |
| ` + "`group`" + ` | The group of ` + "`by`" + `, needed with it; empty for what has none. | |
| ` + "`position`" + ` | The place of the bucket among the buckets of the answer, from 0. | the value of the whole period |
| ` + "`limit`, `cursor`" + ` | How many to list, at most %d, and the cursor from the previous page. | %d |

- The list is selected by the computation of the value itself: those on all pages and
  ` + "`gone`" + ` are together its count. Conversations of which retention left only the figures
  are ` + "`gone`" + `: they are counted but cannot be listed. What has no known value is counted as
  missing and not listed.
- Of each it says what the value takes from it: ` + "`value`" + `, a duration in seconds, a number or a
  score; ` + "`times`" + `, how often it is behind the value; and ` + "`at`" + `, the date that places it, the
  newest if there are several.
- Of a share, all of the whole are listed. ` + "`part`" + ` is how often one counts, and ` + "`opposite`" + `,
  for a net share, how often it counts against it.
- Of a backlog or a load, those are listed that were in it at the end of the bucket.
- The samples of ` + "`agent_presence`" + ` cannot be listed.

## How values are computed

- **Buckets** follow the local clock: a day has 23 or 25 hours when summer time begins
  or ends, weeks begin on Monday (ISO 8601), and the first and last bucket are cut at
  the period's ends. ` + "`hour_of_week`" + ` adds up the whole period by its 168 local hours, from
  Monday 00:00. Buckets without anything are present. ` + "`open`" + ` marks a bucket whose value can
  still change by what happens in future.
- **Percentiles** are exact and by nearest rank: the median is the smallest value that at
  least half of all values do not exceed, so it is always a value that occurred.
- **Missing** records never count as 0. A conversation whose value is unknown is left out
  and counted as ` + "`missing`" + `. A value that is undefined, such as the mean of none, is null.
- **Count** is the number of different conversations or claims behind a value. A
  conversation with several tags counts once for each if grouped by tag; an agent of
  several teams counts in each team.
- **Business hours** count only the time in which the schedule was open, by the version
  of the schedule in force at each moment. Durations that are a sum of several times are
  offered by the clock only.
- **Dixa's own durations** (handling_duration and total_duration) are never used, because
  Dixa documents neither their unit nor their rule.
- **Groups**: with a filter on the dimension of ` + "`by`" + `, exactly the named groups appear.
  Otherwise those appear that have anything in the period; of a backlog or a load, those
  that are not empty at the end of every bucket.

## Overview

| Figure | Meaning | Unit | Value |
| --- | --- | --- | --- |
`

// Markdown returns the content of docs/kpis.md.
func Markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, preamble, MaxYears, code(buckets), MaxBuckets, MaxListed, defaultListed)
	for _, d := range definitions {
		first, _, _ := strings.Cut(d.Meaning, ". ")
		first, _, _ = strings.Cut(first, ": ")
		fmt.Fprintf(&b, "| [`%s`](#%s) | %s. | %s | %s |\n", d.ID, d.ID, strings.TrimSuffix(first, "."), d.Unit, d.Aggregates[0])
	}
	b.WriteString("\n## Definitions\n")
	for i := range definitions {
		definitions[i].markdown(&b)
	}
	return b.String()
}

func (d *Definition) markdown(b *strings.Builder) {
	fmt.Fprintf(b, "\n### %s\n\n**%s.** %s\n\n", d.ID, d.Title, d.Meaning)
	line := func(name, text string) {
		if text != "" {
			fmt.Fprintf(b, "- %s: %s\n", name, text)
		}
	}
	line("Unit", string(d.Unit))
	line("Covers", d.Population)
	line("Missing", d.Missing)
	line("Values", code(d.Aggregates))
	line("Distinct", d.Distinct)
	line("Dates", code(d.PlacedBy))
	line("Dimensions", code(d.Dimensions))
	line("Hours", code(d.Hours))
	if d.Buckets[0] != buckets[0] || len(d.Buckets) != len(buckets) {
		line("Buckets", code(d.Buckets))
	}
	if d.WithinDays != nil {
		within := "`" + strconv.Itoa(*d.WithinDays) + "` days by default"
		if *d.WithinDays == 0 {
			within = "no limit by default"
		}
		line("Within", within)
	}
	line("Follows", d.Source)
	if d.Dixa != "" {
		line("Dixa's metric", "`"+d.Dixa+"`")
	}
}

func code[T ~string](words []T) string {
	return "`" + strings.ReplaceAll(list(words), ", ", "`, `") + "`"
}
