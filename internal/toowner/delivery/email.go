package delivery

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/claimflow/claimflow/internal/toowner/mail"
	"github.com/claimflow/claimflow/store"
)

// mailPatience multiplies the webhook timeout for emails: mail servers delay
// unknown senders.
const mailPatience = 3

// emailSender sends emails to staff.
type emailSender struct {
	server  *mail.Server // nil if none is configured
	timeout time.Duration
	now     func() time.Time
}

func (s *emailSender) send(ctx context.Context, p store.LeasedDelivery) attemptResult {
	if s.server == nil {
		return attemptResult{problem: "no mail server is configured; set CLAIMFLOW_SMTP_URL"}
	}
	subject, text, err := composeEmail(p)
	if err != nil {
		return attemptResult{problem: "the event cannot be decoded", final: true}
	}
	err = s.server.Send(ctx, mail.Message{
		ID: p.ID, To: strings.TrimPrefix(p.URL, mailto), Subject: subject, Text: text, At: s.now(),
	}, s.timeout)
	var refused *mail.Error
	switch {
	case err == nil:
		return attemptResult{accepted: true}
	case errors.As(err, &refused):
		return attemptResult{problem: refused.Error(), final: refused.Final}
	default:
		return attemptResult{problem: "the mail server did not accept the email"}
	}
}
