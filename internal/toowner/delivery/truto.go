package delivery

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"time"

	"github.com/claimflow/claimflow/store"
)

// TrutoSignatureHeader has the signature of webhooks in Truto's form:
// "format=sha256,v=<hex>", the HMAC-SHA256 of the body with the endpoint's secret as it was
// shown.
const TrutoSignatureHeader = "X-Truto-Signature"

// trutoSender sends webhooks in Truto's form.
type trutoSender struct{ *webhookSender }

// trutoEvent is the body of a webhook in Truto's form.
type trutoEvent struct {
	// ID is the same for every attempt and replay.
	ID            string          `json:"id"`
	Event         string          `json:"event"`
	Payload       json.RawMessage `json:"payload"`
	EnvironmentID *string         `json:"environment_id"`
	// WebhookID is the id of the endpoint.
	WebhookID string    `json:"webhook_id"`
	CreatedAt time.Time `json:"created_at"`
}

func (s *trutoSender) send(ctx context.Context, p store.LeasedDelivery) attemptResult {
	var event struct {
		Type      string          `json:"type"`
		Timestamp time.Time       `json:"timestamp"`
		Data      json.RawMessage `json:"data"`
	}
	if json.Unmarshal(p.Body, &event) != nil {
		return attemptResult{problem: "the event cannot be decoded", final: true}
	}
	body, err := json.Marshal(trutoEvent{ID: p.ID, Event: event.Type, Payload: event.Data, WebhookID: p.EndpointID, CreatedAt: event.Timestamp})
	if err != nil {
		return attemptResult{problem: "the event cannot be encoded", final: true}
	}
	return s.post(ctx, p.URL, body, func(h http.Header, _ time.Time) error {
		mac := hmac.New(sha256.New, []byte(p.Secrets[0]))
		mac.Write(body)
		h.Set(TrutoSignatureHeader, "format=sha256,v="+hex.EncodeToString(mac.Sum(nil)))
		return nil
	})
}
