package chart_test

import (
	"encoding/xml"
	"errors"
	"html/template"
	"io"
	"math"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/internal/chart"
)

var options = chart.Options{ID: "volume", Title: "Conversations", Description: "By day", Axis: "Arrivals", Unit: "per day", Locale: chart.NewLocale("en")}

// all draws every kind of chart from the same data.
func all(o chart.Options, labels []string, values ...[]float64) map[string]template.HTML {
	series := make([]chart.Series, len(values))
	var first []float64
	for i, v := range values {
		series[i] = chart.Series{Name: o.Title, Values: v}
		first = values[0]
	}
	return map[string]template.HTML{
		"line": chart.Line(o, labels, series), "bars": chart.Bars(o, labels, series), "ranking": chart.Ranking(o, labels, first),
		"histogram": chart.Histogram(o, chart.Bins(first)), "heat map": chart.HeatMap(o, labels, labels, values),
	}
}

// wellFormed checks that a chart is one element of XML whose numbers are numbers, with a
// title, a description and no style.
func wellFormed(t *testing.T, svg template.HTML) {
	t.Helper()
	decoder := xml.NewDecoder(strings.NewReader(string(svg)))
	ids, labelled := map[string]bool{}, ""
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err, svg)
		element, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		require.Contains(t, []string{"svg", "title", "desc", "g", "path", "rect", "circle", "text"}, element.Name.Local)
		for _, a := range element.Attr {
			require.NotEqual(t, "style", a.Name.Local)
			switch a.Name.Local {
			case "id":
				ids[a.Value] = true
			case "aria-labelledby":
				labelled = a.Value
			case "x", "y", "width", "height", "cx", "cy", "r", "d", "viewBox", "fill-opacity":
				require.NotRegexp(t, "NaN|Inf|e", a.Value, a.Name.Local)
			}
		}
	}
	for _, id := range strings.Fields(labelled) {
		require.True(t, ids[id], "%s is not there", id)
	}
	require.Contains(t, svg, `role="img"`)
}

func TestChartsOfAnyData(t *testing.T) {
	t.Parallel()
	nan, inf := math.NaN(), math.Inf(1)
	for name, values := range map[string][][]float64{
		"nothing": nil, "empty": {{}}, "one point": {{5}}, "zeros": {{0, 0, 0}}, "missing": {{nan, inf, -inf}}, "gaps": {{1, nan, 3, nan}},
		"negative": {{-5, -3}, {2, -1}}, "huge": {{math.MaxFloat64, -math.MaxFloat64, 1}, {math.MaxFloat64}}, "tiny": {{math.SmallestNonzeroFloat64}},
		"close": {{1e15, 1e15 + 1}}, "many": {make([]float64, 5000)}, "more values than labels": {{1, 2, 3, 4, 5, 6, 7, 8}},
	} {
		labels := []string{"a", "b", "c", "d"}
		if name == "nothing" || name == "empty" {
			labels = nil
		}
		for _, svg := range all(options, labels, values...) {
			wellFormed(t, svg)
			if name == "huge" {
				require.Less(t, len(svg), 20_000)
			}
		}
	}
}

func TestLine(t *testing.T) {
	t.Parallel()
	svg := string(chart.Line(options, []string{"1 Mar", "2 Mar", "3 Mar", "4 Mar"}, []chart.Series{
		{Name: "Email", Values: []float64{10, 20, math.NaN(), 40}}, {Name: "Chat <b>", Values: []float64{1, 2, 3, 4}},
	}))
	require.Equal(t, 2, strings.Count(svg, `<g class="line chart-`))
	require.Regexp(t, `<g class="line chart-1"><path d="M[\d. ]+L[\d. ]+M[\d. ]+"/>`, svg, "a gap interrupts the line")
	require.Contains(t, svg, "<title>2 Mar, Email: 20 per day</title>")
	require.Contains(t, svg, "Chat &lt;b&gt;")
	for _, tick := range []string{">0<", ">10<", ">20<", ">30<", ">40<"} {
		require.Contains(t, svg, tick)
	}
}

func TestBarsAreStacked(t *testing.T) {
	t.Parallel()
	svg := string(chart.Bars(options, []string{"Mon"}, []chart.Series{{Name: "A", Values: []float64{30}}, {Name: "B", Values: []float64{10}}}))
	bar := regexp.MustCompile(`<rect class="bar chart-(\d)" x="[\d.]+" y="([\d.]+)" width="[\d.]+" height="([\d.]+)"><title>`)
	// 40 is the top of the axis: the plot is 152 high and ends at 176.
	require.Equal(t, [][]string{{"1", "62", "114"}, {"2", "24", "38"}}, drop(bar.FindAllStringSubmatch(svg, -1)))
}

func drop(found [][]string) (out [][]string) {
	for _, f := range found {
		out = append(out, f[1:])
	}
	return out
}

func TestBins(t *testing.T) {
	t.Parallel()
	require.Equal(t, []chart.Bin{{0, 2, 2, true}, {2, 4, 1, true}, {4, 6, 0, true}, {6, 8, 0, true}, {8, 10, 0, true}, {10, 12, 1, true}}, chart.Bins([]float64{0, 1, 2, 11, math.NaN()}))
	require.Nil(t, chart.Bins([]float64{math.NaN()}))
	require.Len(t, chart.Bins([]float64{7, 7}), 1)
	counted := 0
	for _, b := range chart.Bins([]float64{-3.5, 0, 12, 1e6}) {
		counted += b.Count
	}
	require.Equal(t, 4, counted)
	loads := string(chart.Histogram(options, chart.Bins([]float64{1, 1, 2, 3})))
	require.Contains(t, loads, "<title>1: 2 per day</title>", "whole numbers are no ranges")
	require.Contains(t, string(chart.Histogram(options, chart.Bins([]float64{0.5, 3.9}))), ">0.5–1<")
}

func TestHeatMap(t *testing.T) {
	t.Parallel()
	svg := string(chart.HeatMap(options, []string{"Mon", "Tue"}, []string{"0", "1"}, [][]float64{{0, 10}, {5, math.NaN()}}))
	require.Equal(t, 3, strings.Count(svg, `<path fill-opacity=`))
	require.Contains(t, svg, ">0–10 per day<", "what the darkest field means")
	require.Equal(t, 1, strings.Count(svg, `class="none"`))
	require.Contains(t, svg, "<title>Mon 1: 10 per day</title>")
	require.Contains(t, svg, `fill-opacity="1"`)
}

func TestLocale(t *testing.T) {
	t.Parallel()
	day := time.Date(2026, 3, 9, 0, 0, 0, 0, time.UTC)
	for language, want := range map[string][]string{
		"en": {"1,234", "12.3", "0.5", "0", "–", "9 Mar", "9 Mar 2026", "Mar 2026"},
		"de": {"1.234", "12,3", "0,5", "0", "–", "9.3.", "9.3.2026", "3/2026"},
	} {
		l := chart.NewLocale(language)
		require.Equal(t, want, []string{
			l.Number(1234.4), l.Number(12.34), l.Number(0.5), l.Number(-0.0001), l.Number(math.NaN()), l.Day(day), l.Date(day), l.Month(day),
		})
	}
	require.Equal(t, "1,000", chart.Locale{}.Number(1000))
}

func FuzzCharts(f *testing.F) {
	f.Add("volume", "A & B", 1.0, math.NaN(), math.Inf(-1))
	f.Add(`"><script>`, "\x00\x1f\xff</title>", -1e308, 1e308, 5e-324)
	f.Add("", "", 0.0, 0.1, math.Copysign(0, -1))
	f.Fuzz(func(t *testing.T, id, label string, a, b, c float64) {
		o := chart.Options{ID: strings.Join(strings.Fields("c"+id), "-"), Title: label, Description: label, Axis: label, Unit: label}
		for _, svg := range all(o, []string{label, label, label}, []float64{a, b, c}, []float64{c, a, b}) {
			decoder := xml.NewDecoder(strings.NewReader(string(svg)))
			for {
				token, err := decoder.Token()
				if errors.Is(err, io.EOF) {
					break
				}
				require.NoError(t, err, svg)
				if e, ok := token.(xml.StartElement); ok {
					require.NotEqual(t, "script", e.Name.Local)
				}
			}
			require.NotRegexp(t, `(NaN|Inf)["\s]`, string(svg))
		}
	})
}
