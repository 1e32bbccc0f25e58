package delivery

import (
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"github.com/claimflow/claimflow/store"
)

// schedule is the wait after each failed attempt, plus or minus a tenth. If the
// attempt after the last wait fails too, the delivery is dead.
var schedule = []time.Duration{
	5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute,
	time.Hour, 2 * time.Hour, 4 * time.Hour, 8 * time.Hour, 12 * time.Hour, 24 * time.Hour,
}

const (
	// refusedAttempts is how many attempts to make against a permanent refusal.
	refusedAttempts = 3
	// maxRetryAfter bounds the wait that an endpoint may request.
	maxRetryAfter = time.Hour
	// pauseAfter is how long an endpoint may fail without a success before it is
	// paused.
	pauseAfter = 24 * time.Hour

	pauseReason       = "the endpoint accepted no event for 24 hours; fix the endpoint and resume it to send the queued events"
	credentialsReason = "Karla rejected the user and password; save valid credentials and resume the endpoint"

	goneReason = "the endpoint returned 410 Gone; resume it if it is available again, or remove it"
)

// attemptResult is the outcome of one attempt.
type attemptResult struct {
	// status is zero if no answer came; problem then says what was wrong.
	status     int
	problem    string
	retryAfter time.Duration
	// accepted says that it was accepted although there is no status, final that it
	// never will be.
	accepted, final bool
	// skip says why there was nothing to send, pause why to pause the endpoint.
	skip, pause string
}

func (a attemptResult) ok() bool { return a.accepted || a.status >= 200 && a.status < 300 }

// failure turns an answer to the given attempt, counted from 1, into the failure to
// record.
func (a attemptResult) failure(attempt int) store.DeliveryFailure {
	f := store.DeliveryFailure{Status: a.status, Error: a.problem, PauseAfter: pauseAfter, PauseReason: pauseReason}
	if f.Error == "" {
		f.Error = "the endpoint returned " + strconv.Itoa(a.status)
		if a.status >= 300 && a.status < 400 {
			f.Error += ", a redirect, which Claimflow does not follow"
		}
	}
	switch {
	case a.pause != "":
		f.Pause = a.pause
	case a.status == http.StatusGone && !a.final: // about the endpoint, not a claim
		f.Pause = goneReason
	case a.refused() && attempt >= refusedAttempts, attempt > len(schedule):
		f.Dead = true
	}
	step := schedule[min(attempt, len(schedule))-1]
	f.Wait = max(step*9/10+rand.N(step/5), a.retryAfter) //nolint:gosec // spreads load; nothing to guess
	return f
}

// refused reports whether the refusal is permanent.
func (a attemptResult) refused() bool {
	if a.final {
		return true
	}
	switch a.status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return false
	}
	return a.status >= 400 && a.status < 500
}

// retryAfter parses a Retry-After header (RFC 9110, 10.2.3), capped at
// maxRetryAfter.
func retryAfter(header string, now time.Time) time.Duration {
	var d time.Duration
	if seconds, err := strconv.ParseUint(header, 10, 31); err == nil {
		d = time.Duration(seconds) * time.Second
	} else if at, err := http.ParseTime(header); err == nil {
		d = at.Sub(now)
	}
	return min(max(d, 0), maxRetryAfter)
}
