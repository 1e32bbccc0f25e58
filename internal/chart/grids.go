package chart

import (
	"html/template"
	"math"
)

// Bin is a bar of a histogram: how many values are from Low until below High. The last
// bin includes High. Whole bins have whole numbers.
type Bin struct {
	Low, High float64
	Count     int
	Whole     bool
}

func (b Bin) label(l Locale) string {
	high := b.High
	if b.Whole {
		high--
	}
	if high == b.Low {
		return l.Number(b.Low)
	}
	return l.Number(b.Low) + "–" + l.Number(high)
}

// Bins sorts values into ranges of equal width. Missing values are left out.
func Bins(values []float64) []Bin {
	values = cleaned([]Series{{Values: values}}, len(values))[0].Values
	low, high, known, whole := math.Inf(1), math.Inf(-1), 0, true
	for _, v := range values {
		if !math.IsNaN(v) {
			low, high, known, whole = min(low, v), max(high, v), known+1, whole && v == math.Trunc(v)
		}
	}
	if known == 0 {
		return nil
	}
	step := round(max((high-low)/8, max(math.Abs(high), math.Abs(low))*1e-9, 1e-9))
	if high == low {
		step = round(max(math.Abs(high), 1) / 4)
	}
	if whole {
		step = max(step, 1)
	}
	first := math.Floor(low / step)
	bins := make([]Bin, max(1, int(math.Floor(high/step)-first)+1))
	for i := range bins {
		bins[i] = Bin{Low: (first + float64(i)) * step, High: (first + float64(i) + 1) * step, Whole: whole}
	}
	for _, v := range values {
		if !math.IsNaN(v) {
			bins[min(max(0, int(math.Floor(v/step)-first)), len(bins)-1)].Count++
		}
	}
	return bins
}

// Histogram draws how many values are in each range. Axis names what is counted.
func Histogram(o Options, bins []Bin) template.HTML {
	d := draw(o, height)
	counts := make([]float64, len(bins))
	labels := make([]string, len(bins))
	for i, b := range bins {
		counts[i] = float64(b.Count)
		labels[i] = b.label(o.Locale)
	}
	d.scale = scaleOf(counts)
	d.axes(labels)
	slot := plotWidth / float64(max(len(bins), 1))
	for i, v := range counts {
		y := d.y(v)
		d.rect("bar "+color(0), left+slot*float64(i)+0.5, y, slot-1, d.y(0)-y, d.tipOf(true, labels[i], "", v))
	}
	return d.done()
}

// HeatMap draws a field for each row and column, the darker the greater its value. The
// values are by row.
func HeatMap(o Options, rows, columns []string, values [][]float64) template.HTML {
	const row = 20.0
	d := draw(o, top+row*float64(len(rows))+bottom)
	most := 0.0
	grid := make([][]float64, len(rows))
	for i := range rows {
		var of []float64
		if i < len(values) {
			of = values[i]
		}
		grid[i] = cleaned([]Series{{Values: of}}, len(columns))[0].Values
		for _, v := range grid[i] {
			if v > most {
				most = v
			}
		}
	}
	d.text(0, 12, "start", shortened(d.Axis, 40))
	if most > 0 {
		d.text(width-right, 12, "end", "0–"+d.Locale.Number(most)+" "+d.Unit)
	}
	slot := plotWidth / float64(max(len(columns), 1))
	tips := len(rows)*len(columns) <= 2*maxTips
	for i, name := range rows {
		y := top + row*float64(i)
		d.text(left-6, y+14, "end", shortened(name, 8))
		d.printf(`<g class="cell %s">`, color(0))
		for j, v := range grid[i] {
			x := left + slot*float64(j)
			if math.IsNaN(v) {
				d.printf(`<path class="none" d="%s"/>`, box(x, y, slot-1, row-1))
				continue
			}
			// Steps of opacity, so that near values look the same and equal ones certainly do.
			step := 0.0
			if most > 0 {
				step = math.Ceil(max(v, 0) / most * 9)
			}
			d.printf(`<path fill-opacity="%s" d="%s"`, place((1+step)/10), box(x, y, slot-1, row-1))
			d.tip("path", d.tipOf(tips, name+" "+columns[j], "", v))
		}
		d.printf(`</g>`)
	}
	every := max(1, (len(columns)+7)/8)
	for j := 0; j < len(columns); j += every {
		d.text(left+slot*(float64(j)+0.5), d.height-8, "middle", shortened(columns[j], 8))
	}
	return d.done()
}
