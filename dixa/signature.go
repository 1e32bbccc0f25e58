package dixa

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Headers of a webhook delivery.
const (
	// SignatureHeader carries the signature: "t=<Unix milliseconds>,v1=<hex>".
	SignatureHeader = "X-DIXA-SIGNATURE"
	// SubscriptionHeader carries the id of the delivery's subscription.
	SubscriptionHeader = "X-DIXA-SUBSCRIPTION-ID"
)

// DefaultSignatureTolerance is the default maximum age of a signature for
// VerifySignature. It is generous because Dixa's retry schedule is unknown and
// deliveries have arrived half a minute after the signature's time. It is safe for
// callers that deduplicate events by id: a replay has an id that was already
// handled.
const DefaultSignatureTolerance = 72 * time.Hour

var (
	// ErrSignatureMalformed means that the header is not "t=<Unix
	// milliseconds>,v1=<hex>".
	ErrSignatureMalformed = errors.New("the webhook signature is malformed")

	// ErrSignatureMismatch means that no signature in the header matches the body
	// under any of the secrets.
	ErrSignatureMismatch = errors.New("the webhook signature does not match")

	// ErrSignatureMissing means that the header is empty.
	ErrSignatureMissing = errors.New("the webhook signature is missing")

	// ErrSignatureTooOld means that the signature matches but its time is further
	// from now, in the past or in the future, than the tolerance.
	ErrSignatureTooOld = errors.New("the webhook signature's timestamp is outside the tolerance")
)

// VerifySignature verifies that Dixa signed a webhook delivery. header is the value
// of SignatureHeader and body is the exact request body. It returns nil if a v1 in
// the header is the HMAC-SHA256 of "<t>." + body under one of the secrets and t is
// within tolerance of now.
//
// During rotation of a subscription's secret, also pass the old secret. Empty
// secrets are ignored, because anyone can sign with them. If no other secret is
// given, the error wraps ErrInvalidArgument. Secrets are decoded as hexadecimal, as
// Dixa documents. A secret that is not hexadecimal is used directly as the key.
// Dixa's published sample is such a secret, but its handling is not documented, so
// this is an assumption of this package.
//
// The header members may come in any order and v1 may be repeated. A v1 that is not
// 32 bytes in hexadecimal does not match. Members with other names are ignored. A
// tolerance of 0 means DefaultSignatureTolerance.
//
// Otherwise, the error wraps ErrSignatureMissing, ErrSignatureMalformed,
// ErrSignatureMismatch or ErrSignatureTooOld. Its text never contains a signature, a
// secret or part of the body. ErrSignatureTooOld is returned only for valid
// signatures. Signatures are compared in constant time.
//
// Dixa: "Webhooks security" in its documentation.
func VerifySignature(header string, body []byte, secrets []Secret, now time.Time, tolerance time.Duration) error {
	signed, err := parseSignature(header)
	if err != nil {
		return err
	}
	keys := signingKeys(secrets)
	if len(keys) == 0 {
		return fmt.Errorf("dixa: verify a webhook signature: %w: at least one non-empty secret is required", ErrInvalidArgument)
	}
	matches := 0
	for _, key := range keys {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(signed.stamp + "."))
		mac.Write(body)
		want := mac.Sum(nil)
		for _, signature := range signed.signatures {
			matches += subtle.ConstantTimeCompare(want, signature)
		}
	}
	if matches == 0 {
		return fmt.Errorf("dixa: %w: check that the secret belongs to the subscription in %s and that nothing modifies the body before verification",
			ErrSignatureMismatch, SubscriptionHeader)
	}
	tolerance = cmp.Or(tolerance, DefaultSignatureTolerance)
	if age := now.Sub(signed.at); age.Abs() > tolerance {
		side := "ago"
		if age < 0 {
			side = "ahead of the local clock"
		}
		return fmt.Errorf("dixa: %w: it was signed %s %s, and the tolerance is %s", ErrSignatureTooOld, age.Abs().Round(time.Second), side, tolerance)
	}
	return nil
}

// signatureParts are the members of SignatureHeader used for verification.
type signatureParts struct {
	stamp      string // t as sent, because it is part of the signed text
	at         time.Time
	signatures [][]byte
}

func parseSignature(header string) (signatureParts, error) {
	var parts signatureParts
	if strings.TrimSpace(header) == "" {
		return parts, fmt.Errorf("dixa: %w: the delivery has no %s header", ErrSignatureMissing, SignatureHeader)
	}
	malformed := func(how string) (signatureParts, error) {
		return signatureParts{}, fmt.Errorf("dixa: %w: %s %s", ErrSignatureMalformed, SignatureHeader, how)
	}
	for member := range strings.SplitSeq(header, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(member), "=")
		switch name {
		case "t":
			if parts.stamp != "" {
				return malformed("has more than one t")
			}
			// ParseUint accepts digits only, and a 63-bit value fits an int64.
			ms, err := strconv.ParseUint(value, 10, 63)
			if err != nil {
				return malformed("has a t that is not a Unix time in milliseconds")
			}
			parts.stamp, parts.at = value, time.UnixMilli(int64(ms))
		case "v1":
			if signature, err := hex.DecodeString(value); err == nil && len(signature) == sha256.Size {
				parts.signatures = append(parts.signatures, signature)
			}
		}
	}
	switch {
	case parts.stamp == "":
		return malformed("has no t")
	case len(parts.signatures) == 0:
		return malformed("has no v1 with 32 hexadecimal-encoded bytes")
	}
	return parts, nil
}

// signingKeys returns the keys of the non-empty secrets.
func signingKeys(secrets []Secret) [][]byte {
	keys := make([][]byte, 0, len(secrets))
	for _, secret := range secrets {
		if secret == "" {
			continue
		}
		key, err := hex.DecodeString(secret.Reveal())
		if err != nil {
			key = []byte(secret.Reveal())
		}
		keys = append(keys, key)
	}
	return keys
}
