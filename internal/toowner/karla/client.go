// Package karla sends the status of a claim to Karla (gokarla.io).
package karla

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/claimflow/claimflow/internal/seal"
)

// Credentials authenticate to Karla's API with HTTP Basic.
type Credentials struct {
	User     string
	Password seal.Secret
}

// String hides the credentials.
func (Credentials) String() string { return "[secret]" }

// GoString hides the credentials from %#v.
func (Credentials) GoString() string { return "[secret]" }

// Update is a change to a claim. An empty member is omitted and stays unchanged at
// Karla.
type Update struct {
	// Status is pending, accepted, rejected or closed.
	Status string `json:"status,omitempty"`
	// ResolutionPreference is a value such as "refund". The set is open.
	ResolutionPreference string `json:"resolution_preference,omitempty"`
}

// StatusError means that Karla answered without success. It contains nothing of the
// answer's body.
type StatusError struct {
	Status int
	// RetryAfter is the raw Retry-After header.
	RetryAfter string
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("karla: update claim: Karla returned %d", e.Status)
}

// Final reports whether the same request can never succeed: every 4xx but 408, 425
// and 429.
func (e *StatusError) Final() bool {
	switch e.Status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return false
	}
	return e.Status >= 400 && e.Status < 500
}

// maxAnswer bounds how much of an answer is read so that the connection can be
// reused.
const maxAnswer = 64 << 10

// PutClaim changes the status and the preference of a claim (PUT
// /v1/shops/{slug}/claims/{uuid}). client should not follow redirects, which are not
// meant for a PUT. baseURL is the API's address without the /v1. PutClaim is
// idempotent. The error is a [*StatusError] if Karla answered; otherwise it is
// unknown whether Karla applied the change. It contains neither the credentials nor
// the address.
func PutClaim(ctx context.Context, client *http.Client, baseURL string, as Credentials, slug, claimUUID string, u Update) error {
	address, err := claimAddress(baseURL, slug, claimUUID)
	if err != nil {
		return err
	}
	body, err := json.Marshal(u)
	if err != nil {
		return fmt.Errorf("karla: update claim: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, address, bytes.NewReader(body))
	if err != nil {
		return errors.New("karla: update claim: the URL is not valid")
	}
	req.SetBasicAuth(as.User, as.Password.Reveal())
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "Claimflow")
	resp, err := client.Do(req)
	if err != nil {
		if e, ok := errors.AsType[*url.Error](err); ok {
			err = e.Err // its text without the address
		}
		return fmt.Errorf("karla: update claim: %w", err)
	}
	defer func() { _ = resp.Body.Close() }() // the body has been read as far as needed
	_, _ = io.CopyN(io.Discard, resp.Body, maxAnswer)
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return &StatusError{Status: resp.StatusCode, RetryAfter: resp.Header.Get("Retry-After")}
	}
	return nil
}

// claimAddress rejects parts that would change the path.
func claimAddress(baseURL, slug, claimUUID string) (string, error) {
	for name, part := range map[string]string{"shop": slug, "claim id": claimUUID} {
		if part == "" || part == "." || part == ".." {
			return "", fmt.Errorf("karla: update claim: %q is not a valid %s", part, name)
		}
	}
	return strings.TrimRight(baseURL, "/") + "/v1/shops/" + url.PathEscape(slug) + "/claims/" + url.PathEscape(claimUUID), nil
}
