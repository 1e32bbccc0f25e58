package server

import (
	"cmp"
	"net/http"
	"strings"
	"time"
)

// exportErrors are the descriptions of the errors in Dixa's documentation.
var exportErrors = map[int]string{
	http.StatusBadRequest:          "Invalid query parameters",
	http.StatusUnauthorized:        "Invalid or missing credentials",
	http.StatusUnprocessableEntity: "Exceeded max allowed 10 csids per request",
	http.StatusTooManyRequests:     "API limit has been reached",
	http.StatusInternalServerError: "Internal error",
}

// exportRefusal is an error of the Exports API. The switch exports.errors sets its
// body, which Dixa does not document.
func exportRefusal(status int, switches Switches) reply {
	message := cmp.Or(exportErrors[status], http.StatusText(status))
	answer := refuse(status, message)
	switch switches.Exports.Errors {
	case "text":
		answer.raw, answer.body = []byte(message), nil
		answer.header = http.Header{"Content-Type": {"text/plain; charset=utf-8"}}
	case "empty":
		answer.raw, answer.body = []byte{}, nil
	}
	return answer
}

// credential returns the token of a request. Dixa accepts it raw or as a bearer
// token.
func credential(r *http.Request) string {
	header := r.Header.Get("Authorization")
	if bearer, ok := strings.CutPrefix(header, "Bearer "); ok {
		return bearer
	}
	return header
}

// basicToken returns the token of a request with Basic credentials, which is the
// password of the user "bearer".
func basicToken(r *http.Request) (token string, ok bool) {
	user, password, ok := r.BasicAuth()
	return password, ok && user == "bearer"
}

// exportCredential returns the token of a request to the Exports API: a bearer token,
// or, unless the switch exports.credentials says otherwise, the password of the user
// "bearer".
func exportCredential(r *http.Request, accepted string) string {
	header := r.Header.Get("Authorization")
	if bearer, ok := strings.CutPrefix(header, "Bearer "); ok {
		return bearer
	}
	if token, ok := basicToken(r); ok && accepted != "bearer" {
		return token
	}
	if accepted == "any" {
		return header
	}
	return ""
}

// exportRequest is an admitted request to the Exports API.
type exportRequest struct {
	at        time.Time
	operation string
}

// admitExport is admit for the Exports API. The caller holds s.mu.
func (s *Server) admitExport(c *call, known bool) (answer reply, fault *Fault, answered bool) {
	s.counters.exported(c.now)
	if !known {
		return exportRefusal(http.StatusUnauthorized, s.switches), nil, true
	}
	if wait, ok := s.gaugeExport(c); !ok {
		s.counters.Exports.Refused++
		answer = exportRefusal(http.StatusTooManyRequests, s.switches)
		if answer.header == nil {
			answer.header = http.Header{}
		}
		setRetryAfter(answer.header, wait, c.now, s.switches)
		return answer, nil, true
	}
	return reply{}, s.strike(c), false
}

// gaugeExport counts a request if the limit of the Exports API allows it. Otherwise it
// returns how long the client has to wait and counts nothing. The caller holds s.mu.
func (s *Server) gaugeExport(c *call) (wait time.Duration, ok bool) {
	recent := s.exports[c.token]
	for len(recent) > 0 && c.now.Sub(recent[0].at) >= time.Minute {
		recent = recent[1:]
	}
	limit := s.limit.ExportsPerMinute
	if c.operation == messageExportOperation && s.switches.Exports.MessageLimit == "three" {
		limit = 3
	}
	var counted []time.Time
	for _, earlier := range recent {
		if s.switches.Exports.MessageLimit == "shared" || earlier.operation == c.operation {
			counted = append(counted, earlier.at)
		}
	}
	reading := cmp.Or(s.switches.LimitReading, s.limit.Reading)
	if len(counted) >= limit && reading != LimitOff {
		return time.Minute - c.now.Sub(counted[len(counted)-limit]), false
	}
	s.exports[c.token] = append(recent, exportRequest{c.now, c.operation})
	return 0, true
}
