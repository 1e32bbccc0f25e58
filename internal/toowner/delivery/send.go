package delivery

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/store"
)

// maxAnswer bounds how much of an answer is read so that the connection can be
// reused. None of it is stored.
const maxAnswer = 64 << 10

// sender makes attempts at the endpoints of one kind.
type sender interface {
	send(ctx context.Context, p store.LeasedDelivery) attemptResult
}

// newSenders returns the sender of every kind of endpoint.
func newSenders(s *store.Store, o Options) map[claim.EndpointKind]sender {
	webhooks := newWebhookSender(o)
	return map[claim.EndpointKind]sender{
		claim.EndpointWebhook: webhooks,
		claim.EndpointTruto:   &trutoSender{webhooks},
		claim.EndpointKarla:   &karlaSender{webhooks, s},
		claim.EndpointEmail:   &emailSender{server: o.Mail, timeout: mailPatience * o.Timeout, now: o.Now},
	}
}

// webhookSender sends Standard Webhooks.
type webhookSender struct {
	client  *http.Client
	timeout time.Duration
	now     func() time.Time
}

func newWebhookSender(o Options) *webhookSender {
	// The guard checks the resolved address that is connected to.
	dialer := &net.Dialer{Timeout: o.Timeout, Control: NewGuard(o.AllowPrivate).guardian.Safe}
	return &webhookSender{
		timeout: o.Timeout, now: o.Now,
		client: &http.Client{
			Transport: &http.Transport{
				DialContext:            dialer.DialContext,
				TLSHandshakeTimeout:    o.Timeout,
				ResponseHeaderTimeout:  o.Timeout,
				MaxResponseHeaderBytes: 64 << 10,
				MaxIdleConns:           inAll,
				MaxIdleConnsPerHost:    perEndpoint,
				IdleConnTimeout:        30 * time.Second,
				DisableCompression:     true,
				Proxy:                  nil, // a proxy would connect where the guard cannot see
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// send makes one attempt.
func (s *webhookSender) send(ctx context.Context, p store.LeasedDelivery) attemptResult {
	return s.post(ctx, p.URL, p.Body, func(h http.Header, now time.Time) error {
		signature, err := sign(p.Secrets, p.ID, now, p.Body)
		h.Set(standardwebhooks.HeaderWebhookID, p.ID)
		h.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(now.Unix(), 10))
		h.Set(standardwebhooks.HeaderWebhookSignature, signature)
		return err
	})
}

// post sends a body. sign adds the headers that sign it at a time.
func (s *webhookSender) post(ctx context.Context, url string, body []byte, sign func(h http.Header, now time.Time) error) attemptResult {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return attemptResult{problem: "the endpoint's URL is not valid"}
	}
	now := s.now()
	if err := sign(req.Header, now); err != nil {
		return attemptResult{problem: "the endpoint's secret is not valid; rotate it"}
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "Claimflow")
	resp, err := s.client.Do(req)
	if err != nil {
		return attemptResult{problem: s.inWords(err)}
	}
	defer func() { _ = resp.Body.Close() }() // the body has been read as far as needed
	// An answer that breaks off after its status still counts.
	_, _ = io.CopyN(io.Discard, resp.Body, maxAnswer)
	return attemptResult{status: resp.StatusCode, retryAfter: retryAfter(resp.Header.Get("Retry-After"), now)}
}

// sign signs with every secret: during a rotation, either signature verifies.
func sign(secrets []string, id string, at time.Time, body []byte) (string, error) {
	signatures := make([]string, len(secrets))
	for i, secret := range secrets {
		webhook, err := standardwebhooks.NewWebhook(secret)
		if err != nil {
			return "", err
		}
		if signatures[i], err = webhook.Sign(id, at, body); err != nil {
			return "", err
		}
	}
	return strings.Join(signatures, " "), nil
}

// inWords says why no answer came. It leaves out the error's own text, which
// contains the address and may thus reveal a secret.
func (s *webhookSender) inWords(err error) string {
	var dns *net.DNSError
	var network net.Error
	var certificate *tls.CertificateVerificationError
	switch {
	case refused(err):
		return "the host name resolves to a non-public address"
	case errors.As(err, &dns):
		return "the host name cannot be resolved"
	case errors.As(err, &network) && network.Timeout():
		return "the endpoint did not respond within " + s.timeout.String()
	case errors.As(err, &certificate):
		return "the TLS certificate is not valid"
	default:
		return "the endpoint could not be reached or did not return a valid HTTP response"
	}
}
