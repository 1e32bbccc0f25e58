package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/internal/fromdixa/subscription"
	"github.com/claimflow/claimflow/store"
)

// maxEventName bounds the name of an unknown event, in bytes.
const maxEventName = 100

// keepDixaEvent verifies an event of Dixa's and stores it.
func (a *api) keepDixaEvent(ctx context.Context, r *http.Request, body []byte) (label string, fresh bool, err error) {
	connection := r.PathValue("connection")
	var known []string
	if id, err := uuid.Parse(connection); err == nil && id.String() == connection {
		if known, err = a.Store.Subscriptions.Secrets(ctx, connection); err != nil {
			return "", false, err
		}
	}
	err = verifySignature(known, "00", "unknown_connection", func(secrets []dixa.Secret) error {
		return dixa.VerifySignature(r.Header.Get(dixa.SignatureHeader), body, secrets, time.Now(), cmp.Or(a.WebhookMaxAge, dixa.DefaultSignatureTolerance))
	})
	if err != nil {
		return "", false, err
	}
	event, err := dixa.ParseEvent(body)
	if err == nil && !claim.IsID(event.ID) {
		err = errors.New("the event_id is invalid")
	}
	if err != nil {
		return "", false, malformedEvent("The body is not a Dixa event.", fmt.Errorf("store an event of connection %s: %w", connection, err))
	}
	// In the metric, unknown names share one label, so that senders cannot create
	// metrics.
	label, name := "unknown", event.FQN[:min(len(event.FQN), maxEventName)]
	if event.Name != "" {
		label, name = string(event.Name), string(event.Name)
	}
	kept := store.DixaEvent{
		ID: event.ID, Name: name, HappenedAt: event.Timestamp.Time, Body: body,
		Organization: store.Organization{ID: event.Organization.ID, Name: event.Organization.Name},
	}
	if conversation, ok := event.Conversation(); ok {
		kept.ConversationID = conversation.ID
	}
	fresh, err = a.Store.Inbox.Receive(ctx, connection, kept)
	var foreign *store.ForeignEventError
	var conflict *store.ConflictError
	switch {
	case errors.As(err, &foreign):
		err = &eventRefusal{status: http.StatusForbidden, reason: "other_organization", err: err, words: "The event belongs to a different Dixa organization than this address."}
	case errors.As(err, &conflict):
		err = &eventRefusal{status: http.StatusConflict, reason: "organization_taken", err: err, words: "The event's Dixa organization already has another address."}
	case errors.Is(err, store.ErrNotFound):
		err = unverified("unknown_connection")
	}
	return label, fresh, err
}

// signatureScheme names the signature of an event in the OpenAPI document.
const signatureScheme = "dixaSignature"

// documentWebhooks describes the webhook route in the OpenAPI document.
func documentWebhooks(spec *huma.OpenAPI) {
	documentReceiver(spec, huma.Operation{
		OperationID: "receive-dixa-event", Path: subscription.Path + "{connection}", Summary: "Receive a Dixa event",
		Description: "Called by Dixa. The signature covers the body as sent. Events are deduplicated by event_id. Unknown events and members are stored, too.",
		Parameters: []*huma.Param{{
			Name: "connection", In: "path", Required: true, Description: "The id of the connection, as the integration shows it.", Schema: &huma.Schema{Type: "string", Format: "uuid"},
		}},
	}, "204", signatureScheme, map[string]string{
		"401": "The signature is missing, malformed, wrong or too old, or the address is unknown.",
		"403": "The event belongs to a different Dixa organization than the connection.",
		"409": "The event's Dixa organization already has another connection.",
	}, &huma.Schema{
		Type: "object", Required: []string{"event_id", "event_fqn", "organization"},
		Properties: map[string]*huma.Schema{
			"event_id":        {Type: "string", Format: "uuid"},
			"event_fqn":       {Type: "string", Examples: []any{"CONVERSATION_CLOSED"}},
			"event_version":   {Type: "string"},
			"event_timestamp": {Type: "string", Format: "date-time"},
			"organization":    {Type: "object"},
			"data":            {Type: "object"},
		},
	})
}
