package server

import (
	"maps"
	"net/http"
	"strings"
	"time"
)

// unknownToken is the name under which requests with an unknown or missing token are
// counted, so that a real token sent by mistake is not stored.
const unknownToken = "(unknown)"

// unknownOperation is the name under which requests to paths that the API does not
// have are counted.
const unknownOperation = "(no such operation)"

// Stats counts the API requests since the start or the last reset. Admin routes and
// file downloads are not counted.
type Stats struct {
	// Requests is the number of requests received, including refused ones.
	Requests int `json:"requests"`
	// Refused is the number of requests that the limit refused with 429, without
	// those to the Exports API.
	Refused int `json:"refused"`
	// Struck is the number of requests that an injected fault applied to.
	Struck int `json:"struck"`
	// ByOperation counts requests by operation, such as "POST /conversations".
	ByOperation map[string]int `json:"byOperation"`
	// ByStatus counts responses by status code. A connection dropped on purpose
	// counts as 0.
	ByStatus map[int]int `json:"byStatus"`
	// Outcomes counts responses by operation and status code.
	Outcomes map[string]map[int]int `json:"outcomes"`
	// ByToken counts requests by token, without those to the Exports API. Unknown and
	// missing tokens share the name "(unknown)".
	ByToken map[string]TokenStats `json:"byToken"`
	// Exports counts the requests to the Exports API.
	Exports ExportStats `json:"exports"`
	// Peak is the highest number of concurrent requests.
	Peak int `json:"peak"`
	// WorstSecond is the largest WorstSecond of any known token.
	WorstSecond int `json:"worstSecond"`
	// First and Last are the arrival times of the first and the last request.
	First time.Time `json:"first,omitzero"`
	Last  time.Time `json:"last,omitzero"`
}

// ExportStats counts the requests to the Exports API, which has a limit of its own.
type ExportStats struct {
	// Requests is the number of requests received, including refused ones.
	Requests int `json:"requests"`
	// Refused is the number of requests that the limit refused with 429.
	Refused int `json:"refused"`
	// WorstMinute is the highest number of requests received in any one minute,
	// including refused ones.
	WorstMinute int `json:"worstMinute"`
}

// TokenStats counts the requests of one token.
type TokenStats struct {
	// Requests is the number of requests received, including refused ones.
	Requests int `json:"requests"`
	// Refused is the number of requests that the limit refused with 429.
	Refused int `json:"refused"`
	// WorstSecond is the highest number of requests received in any one second,
	// including refused ones.
	WorstSecond int `json:"worstSecond"`
	// WorstSecondAt is the end of that second.
	WorstSecondAt time.Time `json:"worstSecondAt,omitzero"`
}

// Writes returns the number of requests that could have changed something: all but
// GET requests, searches by POST and unknown operations.
func (s Stats) Writes() int {
	n := 0
	for operation, requests := range s.ByOperation {
		method, _, _ := strings.Cut(operation, " ")
		if operation != unknownOperation && method != http.MethodGet && operation != "POST /search/conversations" {
			n += requests
		}
	}
	return n
}

type counters struct {
	Stats
	underWay int
	recent   map[string][]time.Time
	exports  []time.Time // within the last minute
}

func newCounters() counters {
	return counters{
		Stats: Stats{
			ByOperation: map[string]int{}, ByStatus: map[int]int{},
			Outcomes: map[string]map[int]int{}, ByToken: map[string]TokenStats{},
		},
		recent: map[string][]time.Time{},
	}
}

// arrived counts a request to either API.
func (c *counters) arrived(operation string, now time.Time) {
	c.Requests++
	c.ByOperation[operation]++
	c.underWay++
	c.Peak = max(c.Peak, c.underWay)
	if c.First.IsZero() {
		c.First = now
	}
	c.Last = now
}

// exported counts a request to the Exports API.
func (c *counters) exported(now time.Time) {
	c.exports = append(c.exports, now)
	for now.Sub(c.exports[0]) >= time.Minute {
		c.exports = c.exports[1:]
	}
	c.Exports.Requests++
	c.Exports.WorstMinute = max(c.Exports.WorstMinute, len(c.exports))
}

// sent counts a token's request to the API.
func (c *counters) sent(token string, now time.Time) {
	recent := append(c.recent[token], now)
	for now.Sub(recent[0]) >= time.Second {
		recent = recent[1:]
	}
	c.recent[token] = recent
	tally := c.ByToken[token]
	tally.Requests++
	if len(recent) > tally.WorstSecond {
		tally.WorstSecond, tally.WorstSecondAt = len(recent), now
	}
	c.ByToken[token] = tally
	if token != unknownToken {
		c.WorstSecond = max(c.WorstSecond, tally.WorstSecond)
	}
}

func (c *counters) refused(token string) {
	c.Refused++
	tally := c.ByToken[token]
	tally.Refused++
	c.ByToken[token] = tally
}

func (c *counters) answered(operation string, status int) {
	c.ByStatus[status]++
	if c.Outcomes[operation] == nil {
		c.Outcomes[operation] = map[int]int{}
	}
	c.Outcomes[operation][status]++
}

// Stats returns a copy of the counters.
func (s *Server) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	stats := s.counters.Stats
	stats.ByOperation = maps.Clone(stats.ByOperation)
	stats.ByStatus = maps.Clone(stats.ByStatus)
	stats.ByToken = maps.Clone(stats.ByToken)
	outcomes := make(map[string]map[int]int, len(stats.Outcomes))
	for operation, counts := range stats.Outcomes {
		outcomes[operation] = maps.Clone(counts)
	}
	stats.Outcomes = outcomes
	return stats
}
