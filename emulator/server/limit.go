package server

import (
	"cmp"
	"math"
	"net/http"
	"strconv"
	"time"
)

// Readings of Dixa's documented limit, "10 requests per second, burst 4, 864,000 a
// day" per token.
const (
	// LimitBoth refuses a request that either LimitBucket or LimitWindow refuses.
	LimitBoth = "both"
	// LimitBucket is a token bucket of Burst requests, refilled at PerSecond.
	LimitBucket = "bucket"
	// LimitWindow admits at most PerSecond requests in any one-second window.
	LimitWindow = "window"
	// LimitOff admits every request.
	LimitOff = "off"
)

// Limit is the request limit of each token.
type Limit struct {
	// Reading is LimitBoth, LimitBucket, LimitWindow or LimitOff. Defaults to LimitBoth.
	Reading string `json:"reading"`
	// PerSecond is the sustained rate. Defaults to 10.
	PerSecond int `json:"perSecond"`
	// Burst is the size of the bucket. Defaults to 4.
	Burst int `json:"burst"`
	// PerDay is the quota per UTC day. Defaults to 864,000.
	PerDay int `json:"perDay"`
	// ExportsPerMinute is the number of requests to the Exports API in any one minute.
	// They do not count towards the other limits. Defaults to 10.
	ExportsPerMinute int `json:"exportsPerMinute"`

	// rolling starts a day at its first request instead of at midnight.
	rolling bool
}

func (l Limit) withDefaults() Limit {
	l.Reading = cmp.Or(l.Reading, LimitBoth)
	l.PerSecond = cmp.Or(l.PerSecond, 10)
	l.Burst = cmp.Or(l.Burst, 4)
	l.PerDay = cmp.Or(l.PerDay, 864_000)
	l.ExportsPerMinute = cmp.Or(l.ExportsPerMinute, 10)
	return l
}

// gauge tracks one token's use of its limit. It counts for both readings, so that
// the reading can change at run time.
type gauge struct {
	level    float64 // requests left in the bucket
	refilled time.Time
	admitted []time.Time // within the last second
	day      time.Time   // start of the current day
	today    int
}

// admit counts a request at now if the limit allows it. Otherwise it returns how
// long the client has to wait and counts nothing.
func (g *gauge) admit(now time.Time, limit Limit) (wait time.Duration, ok bool) {
	if g.refilled.IsZero() {
		g.level, g.refilled = float64(limit.Burst), now
	}
	if elapsed := now.Sub(g.refilled); elapsed > 0 {
		g.level = math.Min(float64(limit.Burst), g.level+elapsed.Seconds()*float64(limit.PerSecond))
		g.refilled = now
	}
	for len(g.admitted) > 0 && now.Sub(g.admitted[0]) >= time.Second {
		g.admitted = g.admitted[1:]
	}
	switch midnight := now.UTC().Truncate(24 * time.Hour); {
	case limit.rolling && now.Sub(g.day) >= 24*time.Hour:
		g.day, g.today = now, 0
	case !limit.rolling && g.day.Before(midnight):
		g.day, g.today = midnight, 0
	}

	if limit.Reading != LimitOff && g.today >= limit.PerDay {
		return g.day.Add(24 * time.Hour).Sub(now), false
	}
	// Tolerates rounding: 0.1 s of refill at 10/s is one request, but not in
	// floating point.
	if bucketed := limit.Reading == LimitBucket || limit.Reading == LimitBoth; bucketed && g.level < 1-1e-6 {
		wait = time.Duration((1 - g.level) / float64(limit.PerSecond) * float64(time.Second))
		return wait, false
	}
	if windowed := limit.Reading == LimitWindow || limit.Reading == LimitBoth; windowed && len(g.admitted) >= limit.PerSecond {
		return time.Second - now.Sub(g.admitted[0]), false
	}
	g.level = math.Max(0, g.level-1)
	g.admitted = append(g.admitted, now)
	g.today++
	return 0, true
}

// tooMany is the response to a request over the limit. Dixa documents neither its
// body nor its headers; the switches retryAfter and limitBody set them.
func tooMany(wait time.Duration, now time.Time, switches Switches) reply {
	answer := refuse(http.StatusTooManyRequests, "Too Many Requests")
	answer.header = http.Header{}
	setRetryAfter(answer.header, wait, now, switches)
	switch switches.LimitBody {
	case "empty":
		answer.raw, answer.body = []byte{}, nil
	case "html":
		answer.header.Set("Content-Type", "text/html")
		answer.raw, answer.body = []byte("<html><body><h1>429 Too Many Requests</h1></body></html>"), nil
	}
	return answer
}

func setRetryAfter(header http.Header, wait time.Duration, now time.Time, switches Switches) {
	switch switches.RetryAfter {
	case RetryAfterSeconds:
		header.Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
	case RetryAfterDate:
		at := now.Add(wait + time.Second - 1).UTC().Truncate(time.Second)
		header.Set("Retry-After", at.Format(http.TimeFormat))
	}
}
