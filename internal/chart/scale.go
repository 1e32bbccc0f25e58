package chart

import "math"

// scale is the range of an axis. It includes 0, so that lengths can be compared.
type scale struct{ low, high, step float64 }

// scaleOf returns the range of values. Values that are missing do not matter.
func scaleOf(values []float64) scale {
	s := scale{}
	whole := true
	for _, v := range values {
		if math.IsNaN(v) {
			continue
		}
		s.low, s.high = min(s.low, v), max(s.high, v)
		whole = whole && v == math.Trunc(v)
	}
	if s.high-s.low < 1e-9 {
		s.high = s.low + 1
	}
	s.step = round((s.high - s.low) / 4)
	if whole {
		s.step = max(s.step, 1)
	}
	s.low, s.high = math.Floor(s.low/s.step)*s.step, math.Ceil(s.high/s.step)*s.step
	return s
}

// ticks returns the values that the axis names.
func (s scale) ticks() []float64 {
	var all []float64
	first := math.Round(s.low / s.step)
	for i := range int(math.Round((s.high-s.low)/s.step)) + 1 {
		all = append(all, (first+float64(i))*s.step)
	}
	return all
}

// round returns the least of 1, 2 and 5, times a power of ten, that is not below v.
func round(v float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, n := range []float64{1, 2, 5} {
		if n*power >= v*(1-1e-9) {
			return n * power
		}
	}
	return 10 * power
}
