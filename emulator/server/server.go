// Package server emulates the Dixa API for development and tests. It is an
// http.Handler that reproduces the state, status codes, bodies, irregular shapes,
// request limit and webhooks that Dixa's documentation and its integrators describe.
// Switches decide what those sources leave open, and faults simulate failures.
//
// The API is served under /v1 and /beta, the Exports API under /exports/v1, stored
// files under /files and the emulator's own admin API under /_emulator/ (see the README
// in the parent directory). The package is written from the contract and shares no code with any
// client.
package server

import (
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/google/uuid"
)

// maxBody is the largest request body, the same as for AWS API Gateway.
const maxBody = 10 << 20

// Options configures a Server. The zero value serves the default seed with the token
// "demo-token", the documented limit and every switch at its default.
type Options struct {
	// Token is the first accepted token. Defaults to "demo-token".
	Token string
	// Tokens are additional accepted tokens, each with its own limit.
	Tokens []string
	// OrganizationID is the organization's id. Defaults to SeedOrganization.
	OrganizationID string
	// OrganizationName is the organization's name. Defaults to "Demo Shop".
	OrganizationName string
	// Seed is the initial content.
	Seed Seed
	// Switches are the initial settings of the switches. New panics on an unknown
	// setting.
	Switches Switches
	// Limit is the request limit of each token.
	Limit Limit
	// Clock returns the current time. Defaults to time.Now. If the clock does not
	// advance by itself, asynchronous work runs at the first request or Settle after
	// it is moved.
	Clock func() time.Time
	// Logger receives one line per request at debug level. Defaults to no logging.
	Logger *slog.Logger
}

// Server is an emulated Dixa organization. It is safe for concurrent use.
type Server struct {
	options Options
	clock   func() time.Time
	client  *http.Client
	log     *slog.Logger
	handler http.Handler

	closing    chan struct{}
	deliveries deliveryQueue

	mu           sync.Mutex
	closed       bool
	state        State
	index        index
	files        map[string]storedFile
	externalIDs  map[string]bool
	ids          uint64
	conversation int64  // id of the next conversation
	origin       string // origin of the latest API request
	tokens       map[string]bool
	gauges       map[string]*gauge
	exports      map[string][]exportRequest // by token, within the last minute
	switches     Switches
	limit        Limit
	faults       []*armedFault
	chance       *rand.Rand
	counters     counters
	jobs         []job
	timer        *time.Timer
}

// New creates a Server with its own copy of the seed. Call Close to release it.
func New(options Options) *Server {
	options.Token = cmp.Or(options.Token, "demo-token")
	options.OrganizationID = cmp.Or(options.OrganizationID, SeedOrganization)
	options.OrganizationName = cmp.Or(options.OrganizationName, "Demo Shop")
	options.Limit = options.Limit.withDefaults()
	if err := options.Switches.Validate(); err != nil {
		panic("emulator: " + err.Error())
	}
	s := &Server{
		options: options,
		clock:   options.Clock,
		log:     options.Logger,
		closing: make(chan struct{}),
		// Without a proxy. The switches limit the duration of each request.
		client: &http.Client{Transport: &http.Transport{
			MaxIdleConnsPerHost: 8, IdleConnTimeout: 30 * time.Second, TLSHandshakeTimeout: 10 * time.Second,
		}},
	}
	if s.clock == nil {
		s.clock = time.Now
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.Reset()
	s.deliveries.start(s)
	s.handler = s.routed()
	return s
}

// Reset restores the seed and the initial tokens and switches, and clears faults and
// counters. Deliveries in progress continue.
func (s *Server) Reset() {
	seed := s.options.Seed.completed()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state = clone(State{
		Organization: Organization{
			ID: s.options.OrganizationID, Name: s.options.OrganizationName,
			Subdomain: "demo-shop", Status: "Active",
		},
		EndUsers: append([]*EndUser{}, seed.EndUsers...), Agents: seed.Agents, Teams: seed.Teams, Queues: seed.Queues,
		ContactEndpoints: seed.ContactEndpoints, Attributes: seed.Attributes, Tags: append([]*Tag{}, seed.Tags...),
		Conversations: []*Conversation{}, Activity: []*Activity{}, Webhooks: []*Webhook{}, Anonymizations: []*Anonymization{},
		Schedules: seed.Schedules, Templates: seed.Templates, Knowledge: *seed.Knowledge,
	})
	s.reindex()
	s.files, s.externalIDs, s.gauges = map[string]storedFile{}, map[string]bool{}, map[string]*gauge{}
	s.exports = map[string][]exportRequest{}
	s.tokens = map[string]bool{s.options.Token: true}
	for _, token := range s.options.Tokens {
		s.tokens[token] = true
	}
	s.ids, s.conversation = 0, seed.FirstConversation
	s.switches, s.limit = s.options.Switches.WithDefaults(), s.options.Limit
	s.chance, s.counters = newChance(seed.Random), newCounters()
	s.faults, s.jobs = nil, nil
}

// Close stops asynchronous work and webhook deliveries, and waits for a delivery in
// progress. The server still responds to requests.
func (s *Server) Close() {
	s.mu.Lock()
	already := s.closed
	s.closed = true
	if s.timer != nil {
		s.timer.Stop()
	}
	s.mu.Unlock()
	if !already {
		close(s.closing)
	}
	s.deliveries.wait()
}

// AddToken accepts an additional token.
func (s *Server) AddToken(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens[token] = true
}

// Revoke stops accepting a token. Requests with it then fail with 401, or with the
// status set by the switch refusedToken.
func (s *Server) Revoke(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.tokens, token)
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// newID returns the next id in the server's sequence. The caller holds s.mu.
func (s *Server) newID() string {
	s.ids++
	name := strconv.FormatUint(s.options.Seed.Random, 16) + "/" + strconv.FormatUint(s.ids, 16)
	space, err := uuid.Parse(s.state.Organization.ID)
	if err != nil {
		space = uuid.NameSpaceOID
	}
	return uuid.NewSHA1(space, []byte(name)).String()
}

// serve runs one operation: first authentication (an unknown token has no limit to
// count against), then the limit, then faults, then the operation itself.
func (s *Server) serve(rt route, version string, w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	c := &call{
		ctx: r.Context(), request: r, operation: rt.operation, version: version,
		origin: origin(r), token: credential(r), query: r.URL.Query(), body: body,
	}
	answer, fault, answered := s.admit(c, rt)
	status := 0
	defer func() { s.finish(c, status) }()

	if !answered && err != nil {
		answered, answer = true, refuse(http.StatusBadRequest, messageDecoding)
		if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
			answer = overlong(rt, s.Switches())
		}
	}
	kind := ""
	if fault != nil {
		kind = fault.Kind
	}
	switch {
	case answered:
	case kind == FaultStatus:
		answered, answer = true, fault.statusReply(s.failure(rt, fault.Status))
	case kind == FaultDropBefore:
		panic(http.ErrAbortHandler)
	case kind == FaultDelay:
		s.pause(c.ctx, time.Duration(fault.Delay))
	}
	if !answered {
		answer = s.perform(c, rt)
		switch kind {
		case FaultDropAfter:
			panic(http.ErrAbortHandler)
		case FaultLate:
			s.pause(c.ctx, time.Duration(fault.Delay))
		case FaultGarbage:
			answer = fault.garbled(answer)
		case FaultTruncate:
			status = answer.status
			writeHalf(w, answer)
			panic(http.ErrAbortHandler)
		}
	}
	status = answer.status
	write(w, answer)
}

// admit counts the arrival and answers requests that need no work: an unknown token
// or a request over the limit. Otherwise it returns the fault that applies, if any.
func (s *Server) admit(c *call, rt route) (answer reply, fault *Fault, answered bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.now, s.origin = s.clock(), c.origin
	if rt.export {
		c.token = exportCredential(c.request, s.switches.Exports.Credentials)
	} else if password, basic := basicToken(c.request); basic && s.switches.BasicAuth == Accepted {
		c.token = password
	}
	name := c.token
	known := s.tokens[c.token]
	if !known {
		name = unknownToken
	}
	s.counters.arrived(rt.operation, c.now)
	if rt.export {
		return s.admitExport(c, known)
	}
	s.counters.sent(name, c.now)
	if !known {
		status := http.StatusUnauthorized
		if s.switches.RefusedToken == "403" {
			status = http.StatusForbidden
		}
		return refuse(status, messageUnauthorized), nil, true
	}
	g := s.gauges[c.token]
	if g == nil {
		g = &gauge{}
		s.gauges[c.token] = g
	}
	limit := s.limit
	limit.Reading = cmp.Or(s.switches.LimitReading, limit.Reading)
	limit.PerDay = cmp.Or(s.switches.RequestsPerDay, limit.PerDay)
	limit.rolling = s.switches.QuotaReset == "rolling"
	if wait, ok := g.admit(c.now, limit); !ok {
		s.counters.refused(name)
		return tooMany(wait, c.now, s.switches), nil, true
	}
	return reply{}, s.strike(c), false
}

// perform runs the operation. It fetches files before it locks the state.
func (s *Server) perform(c *call, rt route) reply {
	if rt.attachments {
		c.files = s.fetchAttachments(c.ctx, c.body)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle()
	c.now, c.switches, c.actor = s.clock(), s.switches, s.tokenUser()
	err := c.checkQuery(rt)
	var answer reply
	if err == nil {
		answer, err = rt.handle(s, c)
	}
	if err != nil {
		var refused refusal
		if !errors.As(err, &refused) {
			refused = refusal{http.StatusInternalServerError, messageServerError}
		}
		if rt.export {
			return exportRefusal(refused.status, c.switches)
		}
		return refuse(refused.status, refused.message)
	}
	if answer.stream == nil {
		answer.raw = answer.encode() // encoded under the lock, before the state can change
	}
	return answer
}

// failure returns an operation's response with the given error status.
func (s *Server) failure(rt route, status int) reply {
	if rt.export {
		return exportRefusal(status, s.Switches())
	}
	return refuse(status, cmp.Or(map[int]string{
		http.StatusInternalServerError: messageServerError,
		http.StatusTooManyRequests:     "Too Many Requests",
		http.StatusUnauthorized:        messageUnauthorized,
		http.StatusNotFound:            messageNotFound,
	}[status], http.StatusText(status)))
}

// overlong is the response to a body above maxBody.
func overlong(rt route, switches Switches) reply {
	if rt.upload && switches.Knowledge.UploadTooLarge == "400" {
		return refuse(http.StatusBadRequest, messageInvalid)
	}
	return refuse(http.StatusRequestEntityTooLarge, messageTooLong)
}

func (s *Server) finish(c *call, status int) {
	s.mu.Lock()
	s.counters.underWay--
	s.counters.answered(c.operation, status)
	s.mu.Unlock()
	s.log.LogAttrs(context.Background(), slog.LevelDebug, "dixa request",
		slog.String("operation", c.operation), slog.Int("status", status))
}

func write(w http.ResponseWriter, answer reply) {
	for name, values := range answer.header {
		w.Header()[name] = values
	}
	if answer.stream != nil {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(answer.status)
		_ = answer.stream(w) // the client may have disconnected
		return
	}
	body := answer.encode()
	if len(body) > 0 && w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "application/json")
	}
	w.WriteHeader(answer.status)
	_, _ = w.Write(body) // the client may have disconnected; the commit stands
}

// writeHalf declares the length of the whole body and sends half of it.
func writeHalf(w http.ResponseWriter, answer reply) {
	body := answer.encode()
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(max(2, len(body))))
	w.WriteHeader(answer.status)
	_, _ = w.Write(body[:len(body)/2])
	_ = http.NewResponseController(w).Flush()
}

func origin(r *http.Request) string {
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + r.Host
}

// tokenUser returns the user that API calls act as: the first administrator or, if
// there is none, the first agent. Without agents, it returns the organization's id.
func (s *Server) tokenUser() string {
	if admin := first(s.state.Agents, (*Agent).isAdmin); admin != nil {
		return admin.ID
	}
	if len(s.state.Agents) > 0 {
		return s.state.Agents[0].ID
	}
	return s.state.Organization.ID
}
