package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"

	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/internal/fromowner/karla"
)

const (
	// maxEventBytes bounds an event. Known events have a few kilobytes plus the text
	// of a message.
	maxEventBytes = 1 << 20
	// maxEventsAtOnce bounds how many events are in memory at once.
	maxEventsAtOnce = 128
	// eventPatience is how long an event may take to arrive, so that slow senders do
	// not block others.
	eventPatience = 10 * time.Second
)

// Results of a received event in its metric.
const (
	eventVerified    = "verified"
	eventDuplicate   = "duplicate"
	eventRefused     = "refused"
	eventUnavailable = "unavailable"
)

// receiver receives the events of one sender: Dixa or Karla.
type receiver struct {
	// signature is the header with the signature. done is the status of a success.
	signature string
	done      int
	// keep verifies and stores an event. It does not parse the body before the
	// signature is verified. name is the event's name in the metric.
	keep     func(ctx context.Context, r *http.Request, body []byte) (name string, fresh bool, err error)
	kick     func()
	patience time.Duration
	slots    chan struct{}
	events   metric.Int64Counter
}

// newReceiver completes a receiver, which counts its events in a metric.
func newReceiver(o Options, counter, description string, h receiver) (*receiver, error) {
	if o.Meters == nil {
		o.Meters = noop.NewMeterProvider()
	}
	events, err := o.Meters.Meter("claimflow").Int64Counter(counter, metric.WithDescription(description))
	if err != nil {
		return nil, fmt.Errorf("set up the metric %s: %w", counter, err)
	}
	h.patience, h.slots, h.events = cmp.Or(o.WebhookReadTimeout, eventPatience), make(chan struct{}, maxEventsAtOnce), events
	return &h, nil
}

// ServeHTTP reports success once an event is durable, including duplicates and events
// without effect. Any problem with the signature or with the name in the address gets
// the same 401.
func (h *receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), requestTimeout)
	defer cancel()
	name, fresh, err := h.receive(ctx, w, r)
	result, reason := eventDuplicate, ""
	switch {
	case err != nil:
		result, reason = h.refuse(ctx, w, err)
	case fresh:
		result = eventVerified
		h.kick()
	}
	h.events.Add(ctx, 1, metric.WithAttributes(
		attribute.String("event", name), attribute.String("result", result), attribute.String("reason", reason)))
	if err == nil {
		w.WriteHeader(h.done)
	}
}

func (h *receiver) receive(ctx context.Context, w http.ResponseWriter, r *http.Request) (name string, fresh bool, err error) {
	// The deadline also covers a body that is not read here, because the server
	// waits for the rest of it. Not every connection supports deadlines.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(h.patience))
	select {
	case h.slots <- struct{}{}:
		defer func() { <-h.slots }()
	default:
		return "", false, &eventRefusal{status: http.StatusServiceUnavailable, reason: "busy", words: "Too many events arrived at once. It is safe to send the event again."}
	}
	body, err := readEvent(w, r)
	if err != nil {
		return "", false, err
	}
	return h.keep(ctx, r, body)
}

func readEvent(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxEventBytes))
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return nil, &eventRefusal{status: http.StatusRequestEntityTooLarge, reason: "too_large", words: "The event is larger than 1 MiB."}
	}
	if err != nil {
		return nil, &eventRefusal{status: http.StatusBadRequest, reason: "cut_off", words: "The event arrived incomplete."}
	}
	// If the deadline passed after the body arrived, it would end the request.
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
	return body, nil
}

// eventRefusal is the reason why an event was rejected.
type eventRefusal struct {
	status int
	// reason is a word for the metric and the log.
	reason string
	// words is the message for the sender. It reveals no details.
	words string
	// err is for the log.
	err error
}

func (r *eventRefusal) Error() string { return r.reason }

func (r *eventRefusal) Unwrap() error { return r.err }

// refuse answers an event that was rejected and returns the result and reason for the
// metric.
func (h *receiver) refuse(ctx context.Context, w http.ResponseWriter, err error) (result, reason string) {
	var refused *eventRefusal
	if !errors.As(err, &refused) {
		refused = &eventRefusal{status: http.StatusServiceUnavailable, reason: "store", err: err, words: "The event was not stored. It is safe to send it again."}
	}
	result = eventRefused
	p := newProblem(refused.status, "", refused.words)
	if refused.status == http.StatusServiceUnavailable {
		result = eventUnavailable
		p.header = http.Header{"Retry-After": {retryAfter}}
	}
	if refused.status == http.StatusUnauthorized {
		p.header = http.Header{"Www-Authenticate": {h.signature}}
	}
	about := of(ctx)
	about.refused = refused.reason
	if refused.err != nil {
		note(ctx, refused.err)
	}
	p.Instance = about.id
	p.write(w)
	return result, refused.reason
}

// verifySignature checks a signature with the secrets of an address. Every problem
// gets the same answer. If no secret is known, the reason is unknown, and check runs
// with the secret other, so that the answer takes equally long.
func verifySignature[S ~string](known []string, other S, unknown string, check func(secrets []S) error) error {
	secrets := make([]S, 0, len(known)+1)
	for _, secret := range known {
		secrets = append(secrets, S(secret))
	}
	if len(known) == 0 {
		secrets = append(secrets, other)
	}
	err := check(secrets)
	switch {
	case len(known) == 0:
		return unverified(unknown)
	case err == nil:
		return nil
	case errors.Is(err, dixa.ErrSignatureMissing), errors.Is(err, karla.ErrSignatureMissing):
		return unverified("missing")
	case errors.Is(err, dixa.ErrSignatureMalformed), errors.Is(err, karla.ErrSignatureMalformed):
		return unverified("malformed")
	case errors.Is(err, dixa.ErrSignatureTooOld), errors.Is(err, karla.ErrSignatureTooOld):
		return unverified("too_old")
	default:
		return unverified("wrong")
	}
}

// unverified is the single answer to every signature problem.
func unverified(reason string) *eventRefusal {
	return &eventRefusal{status: http.StatusUnauthorized, reason: reason, words: "The signature is not valid for this address."}
}

func malformedEvent(words string, err error) *eventRefusal {
	return &eventRefusal{status: http.StatusUnprocessableEntity, reason: "malformed_event", words: words, err: err}
}

// documentReceiver adds a receiver's route to the OpenAPI document. refusals are its
// own refusals by status.
func documentReceiver(spec *huma.OpenAPI, op huma.Operation, done, scheme string, refusals map[string]string, body *huma.Schema) {
	problem := map[string]*huma.MediaType{problemType: {Schema: spec.Components.Schemas.Schema(reflect.TypeFor[Problem](), true, "Problem")}}
	op.Responses = map[string]*huma.Response{
		done:  {Description: "The event is stored, or was stored before."},
		"400": {Description: "The event arrived incomplete.", Content: problem},
		"413": {Description: "The event is larger than 1 MiB.", Content: problem},
		"422": {Description: "The signature is valid, but the body is not an event.", Content: problem},
		"503": {Description: "The event was not stored; send it again.", Content: problem},
	}
	for status, words := range refusals {
		op.Responses[status] = &huma.Response{Description: words, Content: problem}
	}
	op.Method, op.Tags, op.Security = http.MethodPost, []string{tagWebhooks}, []map[string][]string{{scheme: {}}}
	op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"application/json": {Schema: body}}}
	spec.AddOperation(&op)
}
