package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Kinds of fault.
const (
	// FaultStatus responds with Status, Body and Headers. Nothing is committed.
	FaultStatus = "status"
	// FaultDelay waits for Delay, then handles the request as usual.
	FaultDelay = "delay"
	// FaultDropBefore closes the connection without handling the request.
	FaultDropBefore = "drop-before-commit"
	// FaultDropAfter handles the request and closes the connection instead of
	// responding.
	FaultDropAfter = "drop-after-commit"
	// FaultTruncate handles the request and closes the connection in the middle of
	// the response body.
	FaultTruncate = "truncate"
	// FaultLate handles the request and responds after Delay.
	FaultLate = "late"
	// FaultGarbage handles the request and responds with its status but with Body,
	// which breaks the operation's contract.
	FaultGarbage = "garbage"
)

var faultKinds = []string{FaultStatus, FaultDelay, FaultDropBefore, FaultDropAfter, FaultTruncate, FaultLate, FaultGarbage}

// Fault makes requests fail or misbehave. It applies after authentication and the
// request limit, to every matching request, in the order of injection. At most one
// fault applies to a request.
type Fault struct {
	// Operation is the operation that the fault applies to, such as "POST
	// /conversations" or "GET /endusers/{userId}", or "*" for all. Defaults to "*".
	Operation string `json:"operation"`
	// Kind is one of the Fault constants.
	Kind string `json:"kind"`
	// Skip is the number of matching requests to let through first.
	Skip int `json:"skip,omitempty"`
	// Times is the number of requests that the fault applies to. 0 means until it is
	// cleared.
	Times int `json:"times,omitempty"`
	// Share is the share of matching requests that the fault applies to, from 0 to
	// 1, drawn from the seed. 0 means all.
	Share float64 `json:"share,omitempty"`
	// Containing restricts the fault to requests whose body or query contains this
	// text.
	Containing string `json:"containing,omitempty"`
	// Token restricts the fault to requests with this token.
	Token string `json:"token,omitempty"`
	// Status is the status code of FaultStatus. Defaults to 500.
	Status int `json:"status,omitempty"`
	// Body is sent verbatim. Defaults to Dixa's error body for FaultStatus and to
	// "<html><body>Bad gateway" for FaultGarbage.
	Body string `json:"body,omitempty"`
	// Headers are added to the response, for example Retry-After.
	Headers map[string]string `json:"headers,omitempty"`
	// Delay is the delay of FaultDelay and FaultLate. Defaults to 1s.
	Delay Duration `json:"delay,omitempty"`
}

// Validate returns an error if the fault is invalid.
func (f Fault) Validate() error {
	if !slices.Contains(faultKinds, f.Kind) {
		return fmt.Errorf("unknown fault kind %q: must be one of %s", f.Kind, strings.Join(faultKinds, ", "))
	}
	if f.Status != 0 && (f.Status < 200 || f.Status > 599) {
		return fmt.Errorf("invalid fault status %d: must be between 200 and 599", f.Status)
	}
	if f.Share < 0 || f.Share > 1 {
		return fmt.Errorf("invalid fault share %v: must be between 0 and 1", f.Share)
	}
	if f.Skip < 0 || f.Times < 0 {
		return errors.New("fault skip and times must be 0 or greater")
	}
	if operation := f.Operation; operation != "" && operation != "*" && !slices.Contains(Operations(), operation) {
		return fmt.Errorf("unknown fault operation %q: use * or a name such as \"POST /conversations\"", operation)
	}
	return nil
}

type armedFault struct {
	Fault
	skip, left int
}

func (a *armedFault) matches(operation, token string, body []byte, query string) bool {
	if a.Operation != "*" && a.Operation != operation || a.Token != "" && a.Token != token {
		return false
	}
	return a.Containing == "" || strings.Contains(string(body), a.Containing) || strings.Contains(query, a.Containing)
}

// Inject arms a fault. It panics if Validate returns an error, which is a mistake in
// the calling test.
func (s *Server) Inject(fault Fault) {
	if err := fault.Validate(); err != nil {
		panic("emulator: " + err.Error())
	}
	fault.Operation = cmp.Or(fault.Operation, "*")
	fault.Delay = cmp.Or(fault.Delay, Duration(time.Second))
	fault.Status = cmp.Or(fault.Status, http.StatusInternalServerError)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, &armedFault{Fault: fault, skip: fault.Skip, left: fault.Times})
}

// ClearFaults disarms every fault.
func (s *Server) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// strike returns the fault that applies to a request, if any. The caller holds s.mu.
func (s *Server) strike(c *call) *Fault {
	for i, armed := range s.faults {
		if !armed.matches(c.operation, c.token, c.body, c.query.Encode()) {
			continue
		}
		if armed.skip > 0 {
			armed.skip--
			continue
		}
		if armed.Share > 0 && s.chance.Float64() >= armed.Share {
			continue
		}
		s.counters.Struck++
		fault := armed.Fault
		if armed.Times > 0 {
			if armed.left--; armed.left == 0 {
				s.faults = slices.Delete(s.faults, i, i+1)
			}
		}
		return &fault
	}
	return nil
}

// statusReply returns the response of a FaultStatus. usual is the operation's own
// response with that status.
func (f *Fault) statusReply(usual reply) reply {
	answer := usual
	if f.Body != "" {
		answer.raw, answer.body = []byte(f.Body), nil
	}
	if answer.header == nil {
		answer.header = http.Header{}
	}
	for name, value := range f.Headers {
		answer.header.Set(name, value)
	}
	return answer
}

// garbled keeps the status of a committed response and replaces its body.
func (f *Fault) garbled(committed reply) reply {
	committed.raw, committed.body, committed.stream = []byte(cmp.Or(f.Body, "<html><body>Bad gateway")), nil, nil
	if committed.header == nil {
		committed.header = http.Header{}
	}
	for name, value := range f.Headers {
		committed.header.Set(name, value)
	}
	return committed
}

// pause waits for d, or until the client disconnects or the server closes.
func (s *Server) pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	case <-s.closing:
	}
}

// newChance returns the generator that draws the shares of faults and switches. It
// draws the same values for the same seed.
func newChance(seed uint64) *rand.Rand {
	return rand.New(rand.NewPCG(seed, 0x6469786165)) //nolint:gosec // repeatable on purpose; nothing secret is drawn
}
