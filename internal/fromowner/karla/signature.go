package karla

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/claimflow/claimflow/internal/seal"
)

// SignatureHeader carries the signature of a webhook: "t=<Unix seconds>,v1=<hex>".
const SignatureHeader = "Karla-Signature"

// Tolerance is how far a signature's time may be from now. Karla's own receiver uses
// the same value.
const Tolerance = 300 * time.Second

var (
	// ErrSignatureMalformed: the header is not "t=<Unix seconds>,v1=<hex>".
	ErrSignatureMalformed = errors.New("the webhook signature is malformed")

	// ErrSignatureMismatch: no signature in the header matches the body under any of
	// the secrets.
	ErrSignatureMismatch = errors.New("the webhook signature does not match")

	// ErrSignatureMissing: the header is empty.
	ErrSignatureMissing = errors.New("the webhook signature is missing")

	// ErrSignatureTooOld: the signature is valid, but its time is further from now,
	// in the past or in the future, than [Tolerance].
	ErrSignatureTooOld = errors.New("the webhook signature's timestamp is outside the tolerance")

	// ErrNoSecret: there is no secret to verify with.
	ErrNoSecret = errors.New("no secret is available to verify the webhook signature")
)

// VerifySignature checks that Karla signed a webhook. header is the value of
// [SignatureHeader] and body the request's body, byte for byte as received. It
// returns nil if a v1 of the header is the HMAC-SHA256 of "<t>." + body under one of
// the secrets, and t is within [Tolerance] of now. A secret is the key as written,
// never decoded.
//
// While a secret is being replaced, pass the old one as well. An empty secret is
// skipped, because anyone can sign with it. The members of the header may come in
// any order, v1 may be repeated, a v1 that is not 32 bytes in hexadecimal is no
// match, and members of other names are ignored.
//
// The error wraps [ErrSignatureMissing], [ErrSignatureMalformed],
// [ErrSignatureMismatch], [ErrSignatureTooOld], which is returned only for valid
// signatures, or [ErrNoSecret]. Its text never contains a signature, a secret or a
// part of the body. The comparison takes the same time wherever the signatures
// differ.
//
// Karla: "Webhooks" in its older documentation, and the receiver of its Shopware
// plugin.
func VerifySignature(header string, body []byte, secrets []seal.Secret, now time.Time) error {
	signed, err := parseSignature(header)
	if err != nil {
		return err
	}
	keys, matches := 0, 0
	for _, secret := range secrets {
		if secret == "" {
			continue
		}
		keys++
		want := digest(secret, signed.stamp, body)
		for _, signature := range signed.signatures {
			matches += subtle.ConstantTimeCompare(want, signature)
		}
	}
	if keys == 0 {
		return fmt.Errorf("karla: %w", ErrNoSecret)
	}
	if matches == 0 {
		return fmt.Errorf("karla: %w: check that Karla signs with this secret and that nothing modifies the body before verification", ErrSignatureMismatch)
	}
	if age := now.Sub(signed.at); age.Abs() > Tolerance {
		side := "ago"
		if age < 0 {
			side = "ahead of the local clock"
		}
		return fmt.Errorf("karla: %w: it was signed %s %s, and the tolerance is %s", ErrSignatureTooOld, age.Abs(), side, Tolerance)
	}
	return nil
}

// Sign returns the value of [SignatureHeader] for a body, as Karla computes it. It
// is for tests.
func Sign(body []byte, secret seal.Secret, at time.Time) string {
	stamp := strconv.FormatInt(at.Unix(), 10)
	return "t=" + stamp + ",v1=" + hex.EncodeToString(digest(secret, stamp, body))
}

func digest(secret seal.Secret, stamp string, body []byte) []byte {
	mac := hmac.New(sha256.New, []byte(secret.Reveal()))
	mac.Write([]byte(stamp + "."))
	mac.Write(body)
	return mac.Sum(nil)
}

// signatureParts are the relevant members of [SignatureHeader].
type signatureParts struct {
	stamp      string // t as written, which is the signed form
	at         time.Time
	signatures [][]byte
}

// maxSeconds is the last time whose distance from any other fits a [time.Duration]
// without overflow; it is in the year 2262.
const maxSeconds = math.MaxInt64 / int64(time.Second)

func parseSignature(header string) (signatureParts, error) {
	var parts signatureParts
	if strings.TrimSpace(header) == "" {
		return parts, fmt.Errorf("karla: %w: the request has no %s header", ErrSignatureMissing, SignatureHeader)
	}
	malformed := func(how string) (signatureParts, error) {
		return signatureParts{}, fmt.Errorf("karla: %w: %s %s", ErrSignatureMalformed, SignatureHeader, how)
	}
	for member := range strings.SplitSeq(header, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(member), "=")
		switch name {
		case "t":
			if parts.stamp != "" {
				return malformed("has more than one t")
			}
			// ParseUint accepts digits only.
			seconds, err := strconv.ParseUint(value, 10, 63)
			if err != nil || int64(seconds) > maxSeconds {
				return malformed("has a t that is not a Unix time in seconds")
			}
			parts.stamp, parts.at = value, time.Unix(int64(seconds), 0)
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
