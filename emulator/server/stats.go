package server

import (
	"maps"
	"net/http"
	"strings"
	"time"
)

// unknownToken is the name under which requests with a wrong or missing token
// are counted, so that a real token sent by mistake is not kept.
const unknownToken = "(unknown)"

// unknownOperation is the name under which requests to a path that the API does
// not have are counted.
const unknownOperation = "(no such operation)"

// Stats counts what the API was asked since the start or the last reset. The
// admin routes and file downloads are not counted.
type Stats struct {
	// Requests is how many requests arrived, refused ones included.
	Requests int `json:"requests"`
	// Refused is how many the request limit answered with 429.
	Refused int `json:"refused"`
	// Struck is how many an injected fault struck.
	Struck int `json:"struck"`
	// ByOperation counts arrivals by operation, such as "POST /conversations".
	ByOperation map[string]int `json:"byOperation"`
	// ByStatus counts replies by status; a connection dropped on purpose counts as 0.
	ByStatus map[int]int `json:"byStatus"`
	// Outcomes counts replies by operation and status.
	Outcomes map[string]map[int]int `json:"outcomes"`
	// ByToken counts per token; unknown and missing tokens share the name "(unknown)".
	ByToken map[string]TokenStats `json:"byToken"`
	// Peak is the most requests that were under way at once.
	Peak int `json:"peak"`
	// WorstSecond is the largest WorstSecond of any token.
	WorstSecond int `json:"worstSecond"`
	// First and Last are the arrivals of the first and the last request.
	First time.Time `json:"first,omitzero"`
	Last  time.Time `json:"last,omitzero"`
}

// TokenStats counts the requests of one token.
type TokenStats struct {
	// Requests is how many arrived, refused ones included.
	Requests int `json:"requests"`
	// Refused is how many the request limit answered with 429.
	Refused int `json:"refused"`
	// WorstSecond is the most requests that arrived in any one second, refused ones included.
	WorstSecond int `json:"worstSecond"`
	// WorstSecondAt is when that second ended.
	WorstSecondAt time.Time `json:"worstSecondAt,omitzero"`
}

// Writes is how many of the requests could have changed something: all but GET
// and the queries by POST.
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

func (c *counters) arrived(operation, token string, now time.Time) {
	c.Requests++
	c.ByOperation[operation]++
	c.underWay++
	c.Peak = max(c.Peak, c.underWay)
	if c.First.IsZero() {
		c.First = now
	}
	c.Last = now

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

// Stats returns a copy of the counts.
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
