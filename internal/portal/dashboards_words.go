package portal

import (
	"math"
	"strconv"
	"time"

	"github.com/claimflow/claimflow/internal/chart"
)

const (
	unitSeconds = "seconds"
	unitPercent = "percent"
	unitScore   = "score"

	minute = 60.0
	hour   = 60 * minute
	day    = 24 * hour
)

// amount is a value for people.
func (v *visit) amount(unit string, value *float64) string {
	if value == nil {
		return "–"
	}
	switch unit {
	case unitSeconds:
		return v.duration(*value)
	case unitPercent:
		return v.words.say("dash.percent", v.locale().Number(*value))
	default:
		return v.locale().Number(*value)
	}
}

// duration is a number of seconds for people.
func (v *visit) duration(seconds float64) string {
	number := func(x float64) string { return v.locale().Number(x) }
	switch size := math.Abs(seconds); {
	case size < 90:
		return v.words.say("dash.seconds", number(math.Round(seconds)))
	case size < hour:
		return v.words.say("dash.minutes", number(math.Round(seconds/minute)))
	case size < 2*day:
		all := math.Round(seconds / minute)
		return v.words.say("dash.hours", number(math.Floor(all/60)), strconv.Itoa(int(math.Mod(all, 60))))
	default:
		return v.words.say("dash.days", number(math.Round(seconds/day*10)/10))
	}
}

// change says how a value differs from that of the period before, if that was imported:
// shares and scores by points, everything else in percent.
func (v *visit) change(a *tileAnswer, now, before *float64) string {
	unit := a.definition.Unit
	if a.absent {
		return v.words.say("dash.change.absent")
	}
	if now == nil || before == nil {
		return v.words.say("dash.change.unknown")
	}
	old := v.amount(unit, before)
	if unit == unitPercent || unit == unitScore {
		return v.words.say("dash.change", v.words.say("dash.points", v.signed(*now-*before)), old)
	}
	if *before == 0 {
		return v.words.say("dash.change.before", old)
	}
	return v.words.say("dash.change", v.words.say("dash.percent", v.signed((*now-*before)/math.Abs(*before)*100)), old)
}

// signed is a difference with its sign.
func (v *visit) signed(x float64) string {
	text := v.locale().Number(math.Abs(x))
	switch {
	case text == v.locale().Number(0):
		return "±" + text
	case x < 0:
		return "−" + text
	default:
		return "+" + text
	}
}

// axisOf names the unit of the axis and returns by what values are divided for it.
func (v *visit) axisOf(a *tileAnswer, o *chart.Options) float64 {
	switch a.definition.Unit {
	case unitSeconds:
	case unitPercent:
		o.Axis, o.Unit = "%", "%"
		return 1
	default:
		return 1
	}
	most := 0.0
	for _, s := range a.drawing.Series {
		for _, b := range s.Buckets {
			for _, value := range []*float64{b.Value, b.P90} {
				if value != nil {
					most = max(most, math.Abs(*value))
				}
			}
		}
	}
	name, scale := "days", day
	switch {
	case most < 2*minute:
		name, scale = "seconds", 1
	case most < 3*hour:
		name, scale = "minutes", minute
	case most < 4*day:
		name, scale = "hours", hour
	}
	o.Axis = v.words.say("dash.axis." + name)
	o.Unit = o.Axis
	return scale
}

// part names a part of a period.
func (v *visit) part(bucket string, start time.Time) string {
	locale := v.locale()
	switch bucket {
	case "hour":
		return locale.Day(start) + " " + start.Format("15:04")
	case "month":
		return locale.Month(start)
	case "quarter", "year", "none":
		return locale.Date(start)
	default:
		return locale.Day(start)
	}
}
