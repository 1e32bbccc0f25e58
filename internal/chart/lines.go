package chart

import (
	"html/template"
	"math"
	"strings"
)

// Line draws a line for each series. It is interrupted where a value is missing.
func Line(o Options, labels []string, series []Series) template.HTML {
	d, n := draw(o, height), len(labels)
	series = cleaned(series, n)
	var all []float64
	for _, s := range series {
		all = append(all, s.Values...)
	}
	d.scale = scaleOf(all)
	d.axes(labels)
	tips := len(all) <= maxTips
	for i, s := range series {
		var path, points strings.Builder
		move := "M"
		for j, v := range s.Values {
			if math.IsNaN(v) {
				move = "M"
				continue
			}
			x, y := place(left+plotWidth*(float64(j)+0.5)/float64(n)), place(d.y(v))
			path.WriteString(move + x + " " + y)
			alone := move == "M" && (j+1 == n || math.IsNaN(s.Values[j+1]))
			if move = "L"; tips || alone {
				points.WriteString(`<circle cx="` + x + `" cy="` + y + `" r="2.5"><title>` + escaped(d.tipOf(true, labels[j], nameOf(series, i), v)) + `</title></circle>`)
			}
		}
		d.printf(`<g class="line %s"><path d="%s"/>%s</g>`, color(i), path.String(), points.String())
	}
	d.legend(series)
	return d.done()
}

// nameOf is the name of a series for a tip: none if there is only one.
func nameOf(series []Series, i int) string {
	if len(series) < 2 {
		return ""
	}
	return series[i].Name
}

// Bars draws a bar for each label, in which the series are stacked. Negative values are
// below the line.
func Bars(o Options, labels []string, series []Series) template.HTML {
	d, n := draw(o, height), len(labels)
	series = cleaned(series, n)
	ends := make([]float64, 0, 2*n)
	for j := range n {
		above, below := 0.0, 0.0
		for _, s := range series {
			if v := s.Values[j]; v >= 0 {
				above += v
			} else if v < 0 {
				below += v
			}
		}
		ends = append(ends, above, below)
	}
	d.scale = scaleOf(cleaned([]Series{{Values: ends}}, len(ends))[0].Values)
	d.axes(labels)
	slot := plotWidth / float64(max(n, 1))
	bar := min(slot*0.8, 40)
	tips := n*len(series) <= maxTips
	paths := make([]string, len(series)) // instead of many elements that have no tip
	for j, label := range labels {
		above, below := 0.0, 0.0
		for i, s := range series {
			v := s.Values[j]
			if math.IsNaN(v) || v == 0 {
				continue
			}
			base := &above
			if v < 0 {
				base = &below
			}
			low, high := min(*base, *base+v), max(*base, *base+v)
			*base += v
			x, y := left+slot*(float64(j)+0.5)-bar/2, d.y(high)
			if tips {
				d.rect("bar "+color(i), x, y, bar, d.y(low)-y, d.tipOf(true, label, nameOf(series, i), v))
			} else {
				paths[i] += box(x, y, bar, d.y(low)-y)
			}
		}
	}
	for i, path := range paths {
		if path != "" {
			d.printf(`<path class="bar %s" d="%s"/>`, color(i), path)
		}
	}
	d.legend(series)
	return d.done()
}

// Ranking draws one bar beside each label, for labels that are names.
func Ranking(o Options, labels []string, values []float64) template.HTML {
	const row, names, number = 22.0, 140.0, 56.0
	values = cleaned([]Series{{Values: values}}, len(labels))[0].Values
	d := draw(o, max(row*float64(len(labels)), row)+top)
	d.scale = scaleOf(values)
	d.text(0, 12, "start", shortened(d.Axis, 40))
	x := func(v float64) float64 {
		return names + (width-names-number)*(v-d.scale.low)/(d.scale.high-d.scale.low)
	}
	for i, label := range labels {
		y := top + row*float64(i)
		d.text(names-8, y+14, "end", shortened(label, 19))
		if v := values[i]; !math.IsNaN(v) {
			from, to := x(min(v, 0)), x(max(v, 0))
			d.rect("bar "+color(0), from, y+2, to-from, row-6, d.tipOf(true, label, "", v))
			d.text(to+4, y+14, "start", d.Locale.Number(v))
		} else {
			d.text(x(0)+4, y+14, "start", "–")
		}
	}
	return d.done()
}
