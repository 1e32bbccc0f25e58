package dixa

import (
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
	// SignatureHeader has the signature: "t=<Unix milliseconds>,v1=<hex>".
	SignatureHeader = "X-DIXA-SIGNATURE"
	// SubscriptionHeader has the id of the subscription that the delivery is for.
	SubscriptionHeader = "X-DIXA-SUBSCRIPTION-ID"
)

// DefaultSignatureTolerance is how old a signature may be unless the caller of
// VerifySignature says otherwise. It is generous because Dixa's schedule of
// retries is unknown and deliveries have been seen to arrive half a minute
// after their signature's time. Whoever handles every event id once loses
// nothing by it: a replay has an id that was handled.
const DefaultSignatureTolerance = 72 * time.Hour

var (
	// ErrSignatureMalformed: the header is not "t=<Unix milliseconds>,v1=<hex>".
	ErrSignatureMalformed = errors.New("the webhook signature is malformed")

	// ErrSignatureMismatch: no signature in the header is that of the body under
	// one of the secrets.
	ErrSignatureMismatch = errors.New("the webhook signature is wrong")

	// ErrSignatureMissing: the header is empty.
	ErrSignatureMissing = errors.New("the webhook signature is missing")

	// ErrSignatureTooOld: the signature is right, but its time is further from
	// now, in the past or in the future, than the tolerance.
	ErrSignatureTooOld = errors.New("the webhook signature's time is too far from now")
)

// VerifySignature checks that Dixa signed a webhook delivery: header is the
// value of SignatureHeader and body the request's body, byte for byte as it
// came. It returns nil if a v1 of the header is the HMAC-SHA256 of
// "<t>." + body under one of the secrets, and t is within tolerance of now.
//
// While a subscription's secret is being replaced, pass the old one as well.
// An empty secret is passed over, because anyone can sign with it; where no
// other is given the error wraps ErrInvalidArgument. A secret is taken as
// hexadecimal, which is how Dixa documents it. One that is not hexadecimal is
// taken as the key itself: the sample that Dixa publishes is such a one, and
// what Dixa does with it is not documented, so this is this package's reading.
//
// The members of the header may come in any order, v1 may be repeated, a v1
// that is not 32 bytes in hexadecimal is no match, and members of other names
// are ignored. A tolerance of 0 means DefaultSignatureTolerance.
//
// Otherwise the error wraps ErrSignatureMissing, ErrSignatureMalformed,
// ErrSignatureMismatch or ErrSignatureTooOld. Its text never contains a
// signature, a secret or a part of the body. ErrSignatureTooOld is returned for
// right signatures only. The comparison takes the same time wherever the
// signatures differ.
//
// Dixa: "Webhooks security" in its documentation.
func VerifySignature(header string, body []byte, secrets []Secret, now time.Time, tolerance time.Duration) error {
	signed, err := parseSignature(header)
	if err != nil {
		return err
	}
	keys := signingKeys(secrets)
	if len(keys) == 0 {
		return fmt.Errorf("dixa: verify a webhook signature: %w: there is no secret to verify it with", ErrInvalidArgument)
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
		return fmt.Errorf("dixa: %w: check that the secret is that of the subscription in %s, and that the body is verified before anything changes it",
			ErrSignatureMismatch, SubscriptionHeader)
	}
	if tolerance == 0 {
		tolerance = DefaultSignatureTolerance
	}
	if age := now.Sub(signed.at); age.Abs() > tolerance {
		side := "ago"
		if age < 0 {
			side = "ahead of this machine's clock"
		}
		return fmt.Errorf("dixa: %w: it was signed %s %s, and %s are allowed", ErrSignatureTooOld, age.Abs().Round(time.Second), side, tolerance)
	}
	return nil
}

// signatureParts are the members of SignatureHeader that count.
type signatureParts struct {
	stamp      string // t as it was written, which is what was signed
	at         time.Time
	signatures [][]byte
}

func parseSignature(header string) (signatureParts, error) {
	var parts signatureParts
	if strings.TrimSpace(header) == "" {
		return parts, fmt.Errorf("dixa: %w: the delivery has no %s", ErrSignatureMissing, SignatureHeader)
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
			// ParseUint takes digits only, and what fits 63 bits fits an int64.
			ms, err := strconv.ParseUint(value, 10, 63)
			if err != nil {
				return malformed("has a t that is no number of milliseconds")
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
		return malformed("has no v1 of 32 bytes in hexadecimal")
	}
	return parts, nil
}

// signingKeys returns the keys that secrets stand for, without empty ones.
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
