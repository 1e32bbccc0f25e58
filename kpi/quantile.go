package kpi

import (
	"math/bits"
	"slices"
)

// rank returns the 1-based nearest rank of a percentile of n values: ⌈n·percent/100⌉.
func rank(n, percent int) int { return max(1, (n*percent+99)/100) }

// percentiles returns the median and the 90th percentile by nearest rank. It reorders
// the values, of which there must be one at least.
func percentiles(values []int64) (median, p90 int64) {
	half, most := rank(len(values), 50)-1, rank(len(values), 90)-1
	median = nth(values, half)
	// All values from half on are not less than the median.
	return median, nth(values[half:], most-half)
}

// nth reorders the values so that the one at k is where sorting would put it, those
// before it are not greater and those after it not less, and returns it. It takes
// linear time on average (quickselect).
func nth(v []int64, k int) int64 {
	lo, hi := 0, len(v)-1
	for rounds := 2 * bits.Len(uint(len(v))); lo < hi; rounds-- {
		if rounds == 0 {
			slices.Sort(v[lo : hi+1])
			break
		}
		pivot := middle(v[lo], v[lo+(hi-lo)/2], v[hi])
		i, j := lo, hi
		for i <= j {
			for v[i] < pivot {
				i++
			}
			for v[j] > pivot {
				j--
			}
			if i <= j {
				v[i], v[j] = v[j], v[i]
				i++
				j--
			}
		}
		switch {
		case k <= j:
			hi = j
		case k >= i:
			lo = i
		default:
			return v[k]
		}
	}
	return v[k]
}

// middle returns the median of three.
func middle(a, b, c int64) int64 { return max(min(a, b), min(max(a, b), c)) }

// total is an exact sum of integers that exceeds 64 bits, so that it does not depend
// on their order.
type total struct{ high, low int64 }

func (t *total) add(n int64) {
	t.high += n >> 32
	t.low += n & 0xffffffff
}

func (t *total) float() float64 { return float64(t.high)*(1<<32) + float64(t.low) }

// distinct returns the number of different values. It reorders them.
func distinct[T int32 | int64](values []T) int {
	slices.Sort(values)
	return len(slices.Compact(values))
}
