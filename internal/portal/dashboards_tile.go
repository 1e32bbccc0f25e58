package portal

import (
	"cmp"
	"html/template"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/internal/chart"
)

const (
	// maxGroups is how many groups a chart over time shows, and maxRanks how many bars a
	// ranking has.
	maxGroups = 5
	maxRanks  = 10
)

// tileAnswer are the API's answers for a tile.
type tileAnswer struct {
	definition             client.KPIDefinition
	total, before, drawing client.KPIResult
	ignored                []string
	// absent says that the period before was not imported, so it is not asked for.
	absent bool
	err    error
}

// tileData is what a tile shows.
type tileData struct {
	ID, Title, Meaning string
	// Fault says why there is nothing else.
	Fault string
	// Value is the figure over the whole period, Change how it differs from the period
	// before, and Behind how many conversations it comes from.
	Value, Change, Behind string
	// Statistic is what the value is of the values behind it, if it is a median.
	Statistic string
	// BehindURL is the address of those conversations; empty if there are none to list.
	BehindURL string
	// Ignored says which filters do not apply to the figure.
	Ignored string
	Chart   template.HTML
	Columns []string
	Rows    [][]cell
	// Cut says that the table does not have every group.
	Cut bool
	CSV string
	// Linked says that cells lead to what is behind their values.
	Linked bool
	// index is the tile's place on the board.
	index int
}

// cell is a cell of a tile's table.
type cell struct {
	Text string
	// Place is that of the value, if it leads to what is behind it.
	Place string
}

// askTile asks for a tile: the whole period, the one before, and what the chart shows.
func (v *visit) askTile(f figures, t tile, s *selection) (a tileAnswer) {
	a.definition = f.definitions[t.KPI]
	ctx := v.r.Context()
	var q client.KPIQuery
	q, a.ignored = s.ask(a.definition)
	if a.total, a.err = v.api.KPI(ctx, f.connection, t.KPI, q); a.err != nil {
		return a
	}
	fresh := a.total.Freshness
	a.absent = fresh != nil && a.definition.Subject != "claims" && fresh.CompleteFrom.After(s.before)
	if !a.absent {
		q.From, q.To = s.before.Format(time.RFC3339), s.beforeTo.Format(time.RFC3339)
		if a.before, a.err = v.api.KPI(ctx, f.connection, t.KPI, q); a.err != nil {
			return a
		}
	}
	a.drawing, a.err = v.api.KPI(ctx, f.connection, t.KPI, t.question(s, a.definition))
	return a
}

// tile returns what a tile shows.
func (v *visit) tile(b board, index int, a *tileAnswer, page *dashboardData) tileData {
	t := b.Tiles[index]
	d := tileData{ID: t.ID(), Title: v.tileTitle(t), Meaning: a.definition.Meaning, index: index}
	if key := "kpi." + t.KPI + ".meaning"; v.words.has(key) {
		d.Meaning = v.words.say(key)
	}
	if a.err != nil {
		d.Fault = v.faultOf(a.err)
		return d
	}
	d.CSV = "/portal/dashboards/" + b.ID + "/" + d.ID + "/csv?" + page.Selection.query()
	if len(a.ignored) > 0 {
		names := make([]string, len(a.ignored))
		for i, dimension := range a.ignored {
			names[i] = v.words.say("dash.filter." + dimension)
		}
		d.Ignored = v.words.say("dash.ignored", strings.Join(names, ", "))
	}
	unit, now := a.definition.Unit, only(a.total)
	d.Value = v.amount(unit, now.Value)
	if now.Value != nil && isMedian(a.definition) {
		d.Statistic = v.words.say("dash.median")
	}
	d.Change = v.change(a, now.Value, only(a.before).Value)
	if d.Behind = v.countBehind(a.definition.Subject, now); now.Count == 0 && page.Missing != "mirror" {
		d.Behind = v.words.say("dash.nothing." + a.definition.Subject)
	}
	if now.Count > 0 && listable(a.definition) {
		d.BehindURL = v.behind(b, t, &page.Selection)
	}
	if anyValue(a.drawing) {
		v.drawTile(&d, t, a, page)
	}
	return d
}

// isMedian reports whether the values of a figure are medians.
func isMedian(d client.KPIDefinition) bool { return slices.Contains(d.Aggregates, "median") }

// tileTitle names a tile.
func (v *visit) tileTitle(t tile) string {
	title := v.kpiTitle(t.KPI)
	switch {
	case t.Drawn == drawnHistogram:
		return v.words.say("dash.distribution", title)
	case t.By != "":
		return v.words.say("dash.by", title, v.words.say("dash.by."+t.By))
	default:
		return title
	}
}

// kpiTitle names a key figure.
func (v *visit) kpiTitle(id string) string {
	if key := "kpi." + id; v.words.has(key) {
		return v.words.say(key)
	}
	return strings.ReplaceAll(id, "_", " ")
}

// link returns a cell that leads to what is behind a value, if anything is.
func (d *tileData) link(text string, b client.KPIBucket, a *tileAnswer, p place) cell {
	if b.Count == 0 || !listable(a.definition) {
		return cell{Text: text}
	}
	p.tile, d.Linked = d.index, true
	return cell{text, p.String()}
}

// anyValue reports whether there is something to draw.
func anyValue(r client.KPIResult) bool {
	return slices.ContainsFunc(r.Series, func(s client.KPISeries) bool {
		return slices.ContainsFunc(s.Buckets, func(b client.KPIBucket) bool { return b.Value != nil })
	})
}

// only returns the value of the whole period.
func only(r client.KPIResult) client.KPIBucket {
	if len(r.Series) == 0 || len(r.Series[0].Buckets) == 0 {
		return client.KPIBucket{}
	}
	return r.Series[0].Buckets[0]
}

// drawTile adds the chart and its table.
func (v *visit) drawTile(d *tileData, t tile, a *tileAnswer, page *dashboardData) {
	o := chart.Options{ID: "chart-" + d.ID, Title: d.Title, Description: d.Meaning + " " + page.Period + ".", Locale: v.locale()}
	scale := v.axisOf(a, &o)
	series := a.drawing.Series
	switch t.Drawn {
	case drawnHeat:
		v.heat(d, o, a, scale)
	case drawnRanking, drawnHistogram:
		groups := slices.DeleteFunc(slices.Clone(series), func(s client.KPISeries) bool { return len(s.Buckets) == 0 || s.Buckets[0].Value == nil })
		if t.Drawn == drawnHistogram {
			values := make([]float64, len(groups))
			for i, s := range groups {
				values[i] = *s.Buckets[0].Value / scale
			}
			// What is counted are the groups; the figure is along the axis below.
			o.Axis = v.words.say("dash.count", v.words.say("dash.by."+t.By))
			if o.Unit != "" {
				o.Axis, o.Unit = v.words.say("dash.count.in", v.words.say("dash.by."+t.By), o.Unit), ""
			}
			d.Chart = chart.Histogram(o, chart.Bins(values))
		}
		v.groups(d, o, t, a, groups, scale)
	default:
		v.overTime(d, o, t, a, scale)
	}
}

// groups shows one value for each group: those behind which most is, the greatest first.
func (v *visit) groups(d *tileData, o chart.Options, t tile, a *tileAnswer, groups []client.KPISeries, scale float64) {
	slices.SortStableFunc(groups, func(x, y client.KPISeries) int { return cmp.Compare(y.Buckets[0].Count, x.Buckets[0].Count) })
	limit := maxRanks
	if t.Drawn == drawnHistogram {
		limit = maxParts
	}
	if len(groups) > limit {
		groups, d.Cut = groups[:limit], true
	}
	slices.SortStableFunc(groups, func(x, y client.KPISeries) int { return cmp.Compare(*y.Buckets[0].Value, *x.Buckets[0].Value) })
	names, values := make([]string, len(groups)), make([]float64, len(groups))
	d.Columns = []string{v.words.say("dash.filter." + t.By), v.words.say("dash.value"), v.words.say("dash.subject." + a.definition.Subject)}
	for i, s := range groups {
		names[i], values[i] = v.group(t.By, s), *s.Buckets[0].Value/scale
		count := v.locale().Number(float64(s.Buckets[0].Count))
		d.Rows = append(d.Rows, []cell{
			{Text: names[i]},
			{Text: v.amount(a.definition.Unit, s.Buckets[0].Value)},
			d.link(count, s.Buckets[0], a, place{position: -1, group: s.Group, grouped: true}),
		})
	}
	if t.Drawn == drawnRanking {
		d.Chart = chart.Ranking(o, names, values)
	}
}

// overTime shows the values of each part of the period.
func (v *visit) overTime(d *tileData, o chart.Options, t tile, a *tileAnswer, scale float64) {
	series, cut := v.mostOf(a.drawing.Series, t, a.definition)
	d.Cut = cut
	if len(series) == 0 {
		series = []client.KPISeries{{}}
	}
	labels := make([]string, len(series[0].Buckets))
	rows := make([][]cell, len(labels))
	zone, _ := time.LoadLocation(a.drawing.Request.Timezone) // the API has taken it
	for i, b := range series[0].Buckets {
		labels[i] = v.part(a.drawing.Request.Bucket, b.Start.In(zone))
		name := labels[i]
		if b.Open {
			name = v.words.say("dash.open", name)
		}
		rows[i] = []cell{{Text: name}}
	}
	d.Columns = []string{v.words.say("dash.when")}
	var drawnSeries []chart.Series
	// link makes the cell of a value.
	add := func(name string, of func(client.KPIBucket) *float64, buckets []client.KPIBucket, link func(text string, bucket int) cell) {
		s := chart.Series{Name: name, Values: make([]float64, len(labels))}
		for i := range labels {
			s.Values[i] = math.NaN()
			var value *float64
			if i < len(buckets) {
				value = of(buckets[i])
			}
			if value != nil {
				s.Values[i] = *value / scale
			}
			rows[i] = append(rows[i], link(v.amount(a.definition.Unit, value), i))
		}
		d.Columns, drawnSeries = append(d.Columns, name), append(drawnSeries, s)
	}
	for _, s := range series {
		name := v.words.say("dash.value")
		if t.By != "" {
			name = v.group(t.By, s)
		} else if isMedian(a.definition) {
			name = v.words.say("dash.median")
		}
		link := plain
		if t.By != "" && (s.Group != restGroup || listsRest(t)) {
			link = func(text string, i int) cell {
				if i >= len(s.Buckets) {
					return cell{Text: text}
				}
				p := place{position: i}
				if s.Group != restGroup {
					p.group, p.grouped = s.Group, true
				}
				return d.link(text, s.Buckets[i], a, p)
			}
		}
		add(name, func(b client.KPIBucket) *float64 { return b.Value }, s.Buckets, link)
	}
	if t.By == "" && slices.Contains(a.definition.Aggregates, "p90") {
		add(v.words.say("dash.p90"), func(b client.KPIBucket) *float64 { return b.P90 }, series[0].Buckets, plain)
	}
	if t.By == "" {
		d.Columns = append(d.Columns, v.words.say("dash.subject."+a.definition.Subject))
		for i, b := range series[0].Buckets {
			rows[i] = append(rows[i], d.link(v.locale().Number(float64(b.Count)), b, a, place{position: i}))
		}
	}
	d.Rows = rows
	if t.Drawn == drawnBars {
		d.Chart = chart.Bars(o, labels, drawnSeries)
	} else {
		d.Chart = chart.Line(o, labels, drawnSeries)
	}
}

// mostOf returns the groups with the greatest values. The others are added up if they can
// be; cut says that they are left out otherwise.
func (v *visit) mostOf(series []client.KPISeries, t tile, definition client.KPIDefinition) (most []client.KPISeries, cut bool) {
	if t.By == "" || len(series) <= maxGroups+1 {
		return series, false
	}
	sum := func(s client.KPISeries) (sum float64) {
		for _, b := range s.Buckets {
			if b.Value != nil {
				sum += *b.Value
			}
		}
		return sum
	}
	sorted := slices.Clone(series)
	slices.SortStableFunc(sorted, func(x, y client.KPISeries) int { return cmp.Compare(sum(y), sum(x)) })
	if definition.Unit != "count" {
		return sorted[:maxGroups], true
	}
	rest := client.KPISeries{Group: restGroup, Label: v.words.say("dash.rest"), Buckets: slices.Clone(sorted[maxGroups].Buckets)}
	for i := range rest.Buckets {
		total, count := 0.0, 0
		for _, s := range sorted[maxGroups:] {
			if i < len(s.Buckets) && s.Buckets[i].Value != nil {
				total += *s.Buckets[i].Value
				count += s.Buckets[i].Count
			}
		}
		rest.Buckets[i].Value, rest.Buckets[i].Count = &total, count
	}
	return append(sorted[:maxGroups:maxGroups], rest), false
}

// heat shows the hours of the week.
func (v *visit) heat(d *tileData, o chart.Options, a *tileAnswer, scale float64) {
	const days, hours = 7, 24
	values, texts := make([][]float64, days), make([][]cell, hours)
	columns, rows := make([]string, hours), make([]string, days)
	d.Columns = []string{v.words.say("dash.hour")}
	for day := range days {
		rows[day], values[day] = v.words.say("day."+string(rune('1'+day))), make([]float64, hours)
		d.Columns = append(d.Columns, rows[day])
		for hour := range hours {
			values[day][hour] = math.NaN()
		}
	}
	for hour := range hours {
		columns[hour] = time.Date(0, 1, 1, hour, 0, 0, 0, time.UTC).Format("15:04")
		texts[hour] = append([]cell{{Text: columns[hour]}}, slices.Repeat([]cell{{Text: "–"}}, days)...)
	}
	if len(a.drawing.Series) > 0 {
		for _, b := range a.drawing.Series[0].Buckets {
			if b.HourOfWeek == nil || *b.HourOfWeek < 0 || *b.HourOfWeek >= days*hours || b.Value == nil {
				continue
			}
			day, hour := *b.HourOfWeek/hours, *b.HourOfWeek%hours
			values[day][hour] = *b.Value / scale
			texts[hour][day+1] = d.link(v.amount(a.definition.Unit, b.Value), b, a, place{position: *b.HourOfWeek})
		}
	}
	d.Rows, d.Chart = texts, chart.HeatMap(o, rows, columns, values)
}

// plain makes a cell that leads nowhere.
func plain(text string, _ int) cell { return cell{Text: text} }

// restGroup stands for the groups that a chart adds up.
const restGroup = "*"

// group is the name of a group of a dimension for people.
func (v *visit) group(dimension string, s client.KPISeries) string {
	if s.Group == "" {
		return v.words.say("dash.none")
	}
	return v.words.value(dimension, s.Group, s.Label)
}

// value is the word for a value of a dimension, such as a channel or a reason. What has
// none keeps its label: names of queues, agents and tags, and words of the shop.
func (w words) value(dimension, value, label string) string {
	kind := dimension
	switch dimension {
	case "channel", "reason", "cause", "status", "phase":
	case "resolution":
		kind = "preference"
	default:
		return label
	}
	for _, key := range []string{kind + "." + value, kind + "." + claim.NormalizeKey(value)} {
		if w.has(key) {
			return w.say(key)
		}
	}
	return label
}
