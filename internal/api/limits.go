package api

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/go-chi/httprate"

	"github.com/claimflow/claimflow/unified"
)

// limitWindow is the period of the limits of the unified API. It slides.
const limitWindow = 10 * time.Second

// limits bound the requests to the unified API. Each process counts by itself: a count
// in the store would make every read wait for a write, and Dixa's own limit is kept by
// the request budget, which all processes share.
type limits struct {
	// key and account count by API key and by account; nil is no limit.
	key, account *limit
}

// limit bounds the requests in a window.
type limit struct {
	*httprate.RateLimiter
	requests int
	// whose names what is counted.
	whose string
}

// newLimit returns a limit of requests per [limitWindow], or nil for 0.
func newLimit(requests int, whose string) *limit {
	if requests <= 0 {
		return nil
	}
	return &limit{httprate.NewRateLimiter(requests, limitWindow), requests, whose}
}

// admit counts a request and sets the headers that show the limit. The error is an
// [*unified.Error] with status 429 if the limit is reached; such a request does not
// count.
func (l *limit) admit(w http.ResponseWriter, r *http.Request, id string) error {
	if l == nil || !l.OnLimit(w, r, id) {
		return nil
	}
	seconds, _ := strconv.Atoi(w.Header().Get("Retry-After")) // 0 if there is none
	return unified.RateLimited(fmt.Sprintf("The limit of %d requests in %s per %s is reached. Retry after %[2]s.", l.requests, limitWindow, l.whose), seconds)
}
