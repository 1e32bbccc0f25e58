// Package chart draws data as SVG for pages with a strict Content-Security-Policy: it
// uses classes instead of styles, so that the page's own style sheet has the colors. All
// text is escaped. A chart has a title and a description for screen readers; a page shows
// the values in a table too, because a chart does not let them be read one by one.
//
// The classes are chart, grid, axis, line, bar, cell and none, and chart-1 to chart-6 for
// the colors of series.
package chart

import (
	"encoding/xml"
	"fmt"
	"html/template"
	"math"
	"strconv"
	"strings"
)

// Options describe a chart.
type Options struct {
	// ID begins the ids of the title and the description. It must be unique on the page.
	ID string
	// Title says what the chart shows, Description what can be seen in it.
	Title, Description string
	// Axis says what the values are, and Unit follows each value. Both may be empty.
	Axis, Unit string
	// Locale formats the numbers.
	Locale Locale
}

// Series are the values of one line, or of one color of bars.
type Series struct {
	Name string
	// Values have one number for each label. What is not finite is missing.
	Values []float64
}

// The size of a chart and the margins around its values, in the units of its view box.
const (
	width, height = 400.0, 200.0
	left, right   = 52.0, 10.0
	top, bottom   = 24.0, 24.0
	plotWidth     = width - left - right
	plotHeight    = height - top - bottom

	legendHeight = 18.0
	colors       = 6
	// maxTips is how many values of a chart have a tip. It bounds the size of a page.
	maxTips = 100
)

// drawing is an SVG in the making.
type drawing struct {
	Options
	svg    strings.Builder
	height float64
	scale  scale
}

func draw(o Options, h float64) *drawing { return &drawing{Options: o, height: h} }

// done returns the drawing. Every text and attribute in it is escaped.
func (d *drawing) done() template.HTML {
	title, desc := escaped(d.ID+"-title"), escaped(d.ID+"-desc")
	return template.HTML(`<svg class="chart" viewBox="0 0 ` + place(width) + ` ` + place(d.height) + `" role="img" aria-labelledby="` + title + ` ` + desc + `">` + //nolint:gosec // escaped
		`<title id="` + title + `">` + escaped(d.Title) + `</title><desc id="` + desc + `">` + escaped(d.Description) + `</desc>` + d.svg.String() + `</svg>`)
}

func (d *drawing) printf(format string, args ...any) { fmt.Fprintf(&d.svg, format, args...) }

// text writes a text at a place. anchor is start, middle or end.
func (d *drawing) text(x, y float64, anchor, text string) {
	d.printf(`<text x="%s" y="%s" text-anchor="%s">%s</text>`, place(x), place(y), anchor, escaped(text))
}

// rect writes a rectangle with a tip, which may be empty.
func (d *drawing) rect(class string, x, y, w, h float64, tip string) {
	d.printf(`<rect class="%s" x="%s" y="%s" width="%s" height="%s"`, class, place(x), place(y), place(max(w, 0)), place(max(h, 0)))
	d.tip("rect", tip)
}

// box is a rectangle as part of a path.
func box(x, y, w, h float64) string {
	return "M" + place(x) + " " + place(y) + "h" + place(max(w, 0)) + "v" + place(max(h, 0)) + "h" + place(-max(w, 0)) + "z"
}

// tip ends an element that shows a text to a pointer.
func (d *drawing) tip(element, text string) {
	if text == "" {
		d.printf(`/>`)
		return
	}
	d.printf(`><title>%s</title></%s>`, escaped(text), element)
}

// y returns the place of a value.
func (d *drawing) y(v float64) float64 {
	return top + plotHeight*(1-(v-d.scale.low)/(d.scale.high-d.scale.low))
}

// axes writes the grid with the values, the name of the unit, and the labels below.
func (d *drawing) axes(labels []string) {
	for _, v := range d.scale.ticks() {
		y := d.y(v)
		d.printf(`<path class="grid" d="M%s %sH%s"/>`, place(left), place(y), place(width-right))
		d.text(left-6, y+4, "end", d.Locale.Number(v))
	}
	d.text(0, 12, "start", shortened(d.Axis, 40))
	zero := d.y(min(max(0, d.scale.low), d.scale.high))
	d.printf(`<path class="axis" d="M%s %sH%s"/>`, place(left), place(zero), place(width-right))
	every := max(1, (len(labels)+5)/6)
	for i := 0; i < len(labels); i += every {
		d.text(left+plotWidth*(float64(i)+0.5)/float64(len(labels)), height-6, "middle", shortened(labels[i], 12))
	}
}

// legend names the colors, two in a row.
func (d *drawing) legend(series []Series) {
	if len(series) < 2 {
		return
	}
	for i, s := range series {
		x, y := float64(i%2)*width/2, height+float64(i/2)*legendHeight
		d.rect("bar "+color(i), x+2, y+3, 10, 10, "")
		d.text(x+18, y+12, "start", shortened(s.Name, 28))
	}
	d.height = height + math.Ceil(float64(len(series))/2)*legendHeight
}

// tipOf is the tip of a value; empty if there are too many.
func (d *drawing) tipOf(tips bool, label, name string, v float64) string {
	if !tips {
		return ""
	}
	text := d.Locale.Number(v)
	if d.Unit != "" {
		text += " " + d.Unit
	}
	if name != "" {
		label += ", " + name
	}
	return label + ": " + text
}

func color(i int) string { return "chart-" + strconv.Itoa(i%colors+1) }

// place writes a coordinate.
func place(v float64) string { return strconv.FormatFloat(math.Round(v*10)/10, 'f', -1, 64) }

// escaped returns a text for the content or an attribute of an element. Characters that
// XML does not permit are replaced.
func escaped(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text)) // a builder never fails
	return b.String()
}

func shortened(text string, limit int) string {
	runes := []rune(text)
	if len(runes) <= limit {
		return text
	}
	return string(runes[:limit-1]) + "…"
}

// finite returns whether a value is present, and a value that can be calculated with.
func finite(v float64) (float64, bool) {
	const most = 1e300
	return min(max(v, -most), most), !math.IsNaN(v) && !math.IsInf(v, 0)
}

// cleaned returns the series with n values each. Missing ones are NaN.
func cleaned(series []Series, n int) []Series {
	out := make([]Series, len(series))
	for i, s := range series {
		out[i] = Series{s.Name, make([]float64, n)}
		for j := range n {
			out[i].Values[j] = math.NaN()
			if j < len(s.Values) {
				if v, ok := finite(s.Values[j]); ok {
					out[i].Values[j] = v
				}
			}
		}
	}
	return out
}
