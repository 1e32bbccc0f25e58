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
	"github.com/google/uuid"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/internal/fromdixa/subscription"
	"github.com/claimflow/claimflow/store"
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
	// maxEventName bounds the name of an unknown event, in bytes.
	maxEventName = 100
)

// Results of a received event in its metric.
const (
	eventVerified    = "verified"
	eventDuplicate   = "duplicate"
	eventRefused     = "refused"
	eventUnavailable = "unavailable"
)

// webhooks receives events from Dixa.
type webhooks struct {
	store    *store.Store
	maxAge   time.Duration
	patience time.Duration
	kick     func()
	slots    chan struct{}
	events   metric.Int64Counter
}

func newWebhooks(o Options, kick func()) (*webhooks, error) {
	if o.Meters == nil {
		o.Meters = noop.NewMeterProvider()
	}
	events, err := o.Meters.Meter("claimflow").Int64Counter("claimflow.webhook.events",
		metric.WithDescription("Events that arrived from Dixa, by name, result and, where they were refused, reason."))
	if err != nil {
		return nil, fmt.Errorf("set up the metric of webhook events: %w", err)
	}
	return &webhooks{
		store: o.Store, maxAge: cmp.Or(o.WebhookMaxAge, dixa.DefaultSignatureTolerance), patience: cmp.Or(o.WebhookPatience, eventPatience),
		kick: kick, slots: make(chan struct{}, maxEventsAtOnce), events: events,
	}, nil
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

// ServeHTTP answers 204 once an event is durable, including duplicates. Any problem
// with the signature or with the connection in the address gets the same 401.
func (h *webhooks) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), requestTimeout)
	defer cancel()
	event, fresh, err := h.receive(ctx, w, r)
	name := eventLabel(event)
	if err == nil {
		result := eventDuplicate
		if fresh {
			result = eventVerified
			h.kick()
		}
		h.count(ctx, name, result, "")
		w.WriteHeader(http.StatusNoContent)
		return
	}
	result, reason := refuseEvent(ctx, w, err, dixa.SignatureHeader)
	h.count(ctx, name, result, reason)
}

// refuseEvent answers an event that was rejected and returns the result and reason
// for the metric. signature is the header that should hold the signature.
func refuseEvent(ctx context.Context, w http.ResponseWriter, err error, signature string) (result, reason string) {
	var refused *eventRefusal
	if !errors.As(err, &refused) {
		refused = &eventRefusal{status: http.StatusServiceUnavailable, reason: "store", err: err, words: "The event was not taken. Sending it again is safe."}
	}
	result = eventRefused
	p := newProblem(refused.status, "", refused.words)
	if refused.status == http.StatusServiceUnavailable {
		result = eventUnavailable
		p.header = http.Header{"Retry-After": {retryAfter}}
	}
	if refused.status == http.StatusUnauthorized {
		p.header = http.Header{"Www-Authenticate": {signature}}
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

func (h *webhooks) count(ctx context.Context, name, result, reason string) {
	h.events.Add(ctx, 1, metric.WithAttributes(
		attribute.String("event", name), attribute.String("result", result), attribute.String("reason", reason)))
}

// eventLabel returns the event's name for a metric. Unknown names share one label,
// so that senders cannot create metrics.
func eventLabel(e *dixa.Event) string {
	switch {
	case e == nil:
		return ""
	case e.Name == "":
		return "unknown"
	default:
		return string(e.Name)
	}
}

// receive verifies an event and stores it. It does not parse the body before the
// signature is verified.
func (h *webhooks) receive(ctx context.Context, w http.ResponseWriter, r *http.Request) (event *dixa.Event, fresh bool, err error) {
	// The deadline also covers a body that is not read here, because the server
	// waits for the rest of it. Not every connection supports deadlines.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(h.patience))
	select {
	case h.slots <- struct{}{}:
		defer func() { <-h.slots }()
	default:
		return nil, false, &eventRefusal{status: http.StatusServiceUnavailable, reason: "busy", words: "Too many events arrive at once. Sending it again is safe."}
	}
	body, err := readEvent(w, r)
	if err != nil {
		return nil, false, err
	}
	connection := r.PathValue("connection")
	if err := h.verify(ctx, connection, r.Header.Get(dixa.SignatureHeader), body); err != nil {
		return nil, false, err
	}
	event, err = dixa.ParseEvent(body)
	if err == nil && !claim.IsID(event.ID) {
		err = errors.New("the event_id cannot be kept")
	}
	if err != nil {
		return nil, false, &eventRefusal{
			status: http.StatusUnprocessableEntity, reason: "malformed_event", words: "The body is not an event of Dixa's.",
			err: fmt.Errorf("keep an event of connection %s: %w", connection, err),
		}
	}
	fresh, err = h.keep(ctx, connection, event, body)
	return event, fresh, err
}

func (h *webhooks) keep(ctx context.Context, connection string, event *dixa.Event, body []byte) (fresh bool, err error) {
	name := string(event.Name)
	if name == "" {
		name = event.FQN[:min(len(event.FQN), maxEventName)]
	}
	kept := store.DixaEvent{
		ID: event.ID, Name: name, HappenedAt: event.Timestamp.Time, Body: body,
		Organization: store.Organization{ID: event.Organization.ID, Name: event.Organization.Name},
	}
	if conversation, ok := event.Conversation(); ok {
		kept.ConversationID = conversation.ID
	}
	fresh, err = h.store.Inbox.Receive(ctx, connection, kept)
	var foreign *store.ForeignEventError
	var conflict *store.ConflictError
	switch {
	case errors.As(err, &foreign):
		return false, &eventRefusal{status: http.StatusForbidden, reason: "other_organization", err: err, words: "The event is of another Dixa organisation than this address is for."}
	case errors.As(err, &conflict):
		return false, &eventRefusal{status: http.StatusConflict, reason: "organization_taken", err: err, words: "The event's Dixa organisation has another address already."}
	case errors.Is(err, store.ErrNotFound):
		return false, unverified("unknown_connection")
	default:
		return fresh, err
	}
}

func readEvent(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxEventBytes))
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return nil, &eventRefusal{status: http.StatusRequestEntityTooLarge, reason: "too_large", words: "The event is larger than 1 MiB."}
	}
	if err != nil {
		return nil, &eventRefusal{status: http.StatusBadRequest, reason: "cut_off", words: "The event did not arrive whole."}
	}
	// If the deadline passed after the body arrived, it would end the request.
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
	return body, nil
}

// nobodysSecret stands in if there is no secret, so that verification takes equally
// long.
const nobodysSecret = dixa.Secret("00")

func (h *webhooks) verify(ctx context.Context, connection, signature string, body []byte) error {
	var known []string
	if id, err := uuid.Parse(connection); err == nil && id.String() == connection {
		if known, err = h.store.Subscriptions.Secrets(ctx, connection); err != nil {
			return err
		}
	}
	secrets := make([]dixa.Secret, 0, len(known)+1)
	for _, secret := range known {
		secrets = append(secrets, dixa.Secret(secret))
	}
	if len(known) == 0 {
		secrets = append(secrets, nobodysSecret)
	}
	err := dixa.VerifySignature(signature, body, secrets, time.Now(), h.maxAge)
	switch {
	case len(known) == 0:
		return unverified("unknown_connection")
	case err == nil:
		return nil
	case errors.Is(err, dixa.ErrSignatureMissing):
		return unverified("missing")
	case errors.Is(err, dixa.ErrSignatureMalformed):
		return unverified("malformed")
	case errors.Is(err, dixa.ErrSignatureTooOld):
		return unverified("too_old")
	default:
		return unverified("wrong")
	}
}

// unverified is the single answer to every signature problem.
func unverified(reason string) *eventRefusal {
	return &eventRefusal{status: http.StatusUnauthorized, reason: reason, words: "The event is not signed as this address asks for."}
}

// signatureScheme names the signature of an event in the OpenAPI document.
const signatureScheme = "dixaSignature"

// documentWebhooks describes the webhook route in the OpenAPI document.
func documentWebhooks(spec *huma.OpenAPI) {
	problem := map[string]*huma.MediaType{problemType: {Schema: spec.Components.Schemas.Schema(reflect.TypeFor[Problem](), true, "Problem")}}
	responses := map[string]*huma.Response{"204": {Description: "The event is kept, or was before."}}
	for status, words := range map[string]string{
		"400": "The event did not arrive whole.",
		"401": "The signature is missing, malformed, wrong or too old, or the address is nobody's.",
		"403": "The event is of another Dixa organisation than the connection.",
		"409": "The event's Dixa organisation has another connection.",
		"413": "The event is larger than 1 MiB.",
		"422": "The signature is right, but the body is no event.",
		"503": "The event was not taken; send it again.",
	} {
		responses[status] = &huma.Response{Description: words, Content: problem}
	}
	spec.AddOperation(&huma.Operation{
		OperationID: "receive-dixa-event", Method: http.MethodPost, Path: subscription.Path + "{connection}",
		Summary: "Receive an event of Dixa's", Tags: []string{tagWebhooks},
		Description: "For Dixa. The signature is verified over the body as it came. An event is kept once, by its event_id; events and members that are not known are kept too.",
		Security:    []map[string][]string{{signatureScheme: {}}},
		Parameters: []*huma.Param{{
			Name: "connection", In: "path", Required: true, Description: "The connection's id, as reading the integration shows it.", Schema: &huma.Schema{Type: "string", Format: "uuid"},
		}},
		RequestBody: &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"application/json": {Schema: &huma.Schema{
			Type: "object", Required: []string{"event_id", "event_fqn", "organization"},
			Properties: map[string]*huma.Schema{
				"event_id":        {Type: "string", Format: "uuid"},
				"event_fqn":       {Type: "string", Examples: []any{"CONVERSATION_CLOSED"}},
				"event_version":   {Type: "string"},
				"event_timestamp": {Type: "string", Format: "date-time"},
				"organization":    {Type: "object"},
				"data":            {Type: "object"},
			},
		}}}},
		Responses: responses,
	})
}
