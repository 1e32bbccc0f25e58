package dixa_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/dixa"
)

// The vector below was computed with OpenSSL:
//
//	printf '%s.%s' "$vectorStamp" "$vectorBody" | openssl dgst -sha256 -mac HMAC -macopt hexkey:"$vectorSecret"
const (
	vectorSecret    = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
	vectorStamp     = "1748264463123"
	vectorBody      = `{"event_id":"e-1","event_fqn":"CONVERSATION_CLOSED"}`
	vectorSignature = "bacce12602b9665b97b2bdf96a96e732aa72b53d0483b5dabb7383f96a0bd311"
)

var vectorTime = time.UnixMilli(1748264463123)

// sign computes a signature as Dixa documents it, with a decoded key.
func sign(key []byte, stamp, body string) string {
	mac := hmac.New(sha256.New, key)
	_, _ = mac.Write([]byte(stamp + "." + body))
	return hex.EncodeToString(mac.Sum(nil))
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	require.NoError(t, err)
	return b
}

func TestVerifySignature(t *testing.T) {
	t.Parallel()
	const (
		otherSecret = "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100"
		// Like Dixa's published sample: 64 characters, not hexadecimal.
		wordSecret = "4g4h988p468g785965b780684bde5546c52gge658d76b4q33fb69c526ea4bdbc"
	)
	right := vectorSignature
	other := sign(unhex(t, otherSecret), vectorStamp, vectorBody)
	word := sign([]byte(wordSecret), vectorStamp, vectorBody)
	rawHex := sign([]byte(vectorSecret), vectorStamp, vectorBody)
	noKey := sign(nil, vectorStamp, vectorBody)
	good := "t=" + vectorStamp + ",v1=" + right

	for name, tc := range map[string]struct {
		header    string
		body      string // defaults to vectorBody
		secrets   []dixa.Secret
		now       time.Time // defaults to vectorTime
		tolerance time.Duration
		want      error
	}{
		"good":                         {header: good},
		"reversed order":               {header: "v1=" + right + ",t=" + vectorStamp},
		"upper-case hexadecimal":       {header: "t=" + vectorStamp + ",v1=" + strings.ToUpper(right)},
		"space after the comma":        {header: " t=" + vectorStamp + " , v1=" + right + " "},
		"repeated v1, first valid":     {header: good + ",v1=" + other},
		"repeated v1, last valid":      {header: "t=" + vectorStamp + ",v1=" + other + ",v1=" + right},
		"repeated v1, one invalid":     {header: "t=" + vectorStamp + ",v1=zz,v1=" + right},
		"with unknown schemes":         {header: "v0=abc," + good + ",v2=" + other + ",flag"},
		"two secrets, signed with old": {header: good, secrets: []dixa.Secret{otherSecret, vectorSecret}},
		"two secrets, signed with new": {header: "t=" + vectorStamp + ",v1=" + other, secrets: []dixa.Secret{otherSecret, vectorSecret}},
		"signed with both":             {header: "t=" + vectorStamp + ",v1=" + other + ",v1=" + right, secrets: []dixa.Secret{otherSecret, vectorSecret}},
		"upper-case secret":            {header: good, secrets: []dixa.Secret{dixa.Secret(strings.ToUpper(vectorSecret))}},
		"a secret that is not hex":     {header: "t=" + vectorStamp + ",v1=" + word, secrets: []dixa.Secret{wordSecret}},
		"with an empty secret":         {header: good, secrets: []dixa.Secret{"", vectorSecret}},
		"an empty body":                {header: "t=1,v1=" + sign(unhex(t, vectorSecret), "1", ""), body: "-", now: time.UnixMilli(1)},

		"just within the tolerance": {header: good, now: vectorTime.Add(72 * time.Hour)},
		"ahead within tolerance":    {header: good, now: vectorTime.Add(-72 * time.Hour)},
		"a longer tolerance":        {header: good, now: vectorTime.Add(99 * time.Hour), tolerance: 100 * time.Hour},
		"old":                       {header: good, now: vectorTime.Add(72*time.Hour + time.Millisecond), want: dixa.ErrSignatureTooOld},
		"future":                    {header: good, now: vectorTime.Add(-72*time.Hour - time.Millisecond), want: dixa.ErrSignatureTooOld},
		"a shorter tolerance":       {header: good, now: vectorTime.Add(6 * time.Minute), tolerance: 5 * time.Minute, want: dixa.ErrSignatureTooOld},
		"the maximum timestamp": {
			header: "t=9223372036854775807,v1=" + sign(unhex(t, vectorSecret), "9223372036854775807", vectorBody),
			want:   dixa.ErrSignatureTooOld, tolerance: math.MaxInt64 - 1,
		},
		"timestamp in seconds": {
			header: "t=1748264463,v1=" + sign(unhex(t, vectorSecret), "1748264463", vectorBody), want: dixa.ErrSignatureTooOld,
		},

		"flipped bit in the body":       {header: good, body: strings.Replace(vectorBody, "e-1", "e-0", 1), want: dixa.ErrSignatureMismatch},
		"flipped bit in the signature":  {header: "t=" + vectorStamp + ",v1=" + flipBit(t, right), want: dixa.ErrSignatureMismatch},
		"flipped bit in the secret":     {header: good, secrets: []dixa.Secret{dixa.Secret(flipBit(t, vectorSecret))}, want: dixa.ErrSignatureMismatch},
		"different timestamp":           {header: "t=1748264463122,v1=" + right, want: dixa.ErrSignatureMismatch},
		"leading zero in the timestamp": {header: "t=0" + vectorStamp + ",v1=" + right, want: dixa.ErrSignatureMismatch},
		"another secret":                {header: good, secrets: []dixa.Secret{otherSecret}, want: dixa.ErrSignatureMismatch},
		"key not decoded from hex":      {header: "t=" + vectorStamp + ",v1=" + rawHex, want: dixa.ErrSignatureMismatch},
		"valid under another scheme":    {header: "t=" + vectorStamp + ",v2=" + right + ",v1=" + other, want: dixa.ErrSignatureMismatch},
		"old and invalid":               {header: "t=1,v1=" + right, want: dixa.ErrSignatureMismatch},
		"signed with an empty key":      {header: "t=" + vectorStamp + ",v1=" + noKey, secrets: []dixa.Secret{"", vectorSecret}, want: dixa.ErrSignatureMismatch},

		"no secret":              {header: good, secrets: []dixa.Secret{}, want: dixa.ErrInvalidArgument},
		"only an empty secret":   {header: "t=" + vectorStamp + ",v1=" + noKey, secrets: []dixa.Secret{""}, want: dixa.ErrInvalidArgument},
		"empty":                  {header: "", want: dixa.ErrSignatureMissing},
		"blank":                  {header: " \t", want: dixa.ErrSignatureMissing},
		"garbage":                {header: "\x00\xff;;==,,", want: dixa.ErrSignatureMalformed},
		"no t":                   {header: "v1=" + right, want: dixa.ErrSignatureMalformed},
		"an empty t":             {header: "t=,v1=" + right, want: dixa.ErrSignatureMalformed},
		"two t":                  {header: "t=1," + good, want: dixa.ErrSignatureMalformed},
		"a t with a sign":        {header: "t=+" + vectorStamp + ",v1=" + right, want: dixa.ErrSignatureMalformed},
		"a negative t":           {header: "t=-1,v1=" + right, want: dixa.ErrSignatureMalformed},
		"a t with a fraction":    {header: "t=1748264463.123,v1=" + right, want: dixa.ErrSignatureMalformed},
		"a t that overflows":     {header: "t=9223372036854775808,v1=" + right, want: dixa.ErrSignatureMalformed},
		"a t that is a date":     {header: "t=2025-05-26T13:01:03Z,v1=" + right, want: dixa.ErrSignatureMalformed},
		"no v1":                  {header: "t=" + vectorStamp, want: dixa.ErrSignatureMalformed},
		"an empty v1":            {header: "t=" + vectorStamp + ",v1=", want: dixa.ErrSignatureMalformed},
		"a v1 that is too short": {header: good[:len(good)-2], want: dixa.ErrSignatureMalformed},
		"a v1 that is too long":  {header: good + "00", want: dixa.ErrSignatureMalformed},
		"a v1 that is not hex":   {header: "t=" + vectorStamp + ",v1=" + strings.Repeat("g", 64), want: dixa.ErrSignatureMalformed},
		"names in another case":  {header: "T=" + vectorStamp + ",V1=" + right, want: dixa.ErrSignatureMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body, secrets, now := tc.body, tc.secrets, tc.now
			switch body {
			case "":
				body = vectorBody
			case "-":
				body = ""
			}
			if secrets == nil {
				secrets = []dixa.Secret{vectorSecret}
			}
			if now.IsZero() {
				now = vectorTime
			}
			err := dixa.VerifySignature(tc.header, []byte(body), secrets, now, tc.tolerance)
			require.ErrorIs(t, err, tc.want)
			requireDiscreet(t, err, body, secrets, right, other, word)
		})
	}
}

// flipBit flips the last bit of a hexadecimal value.
func flipBit(t *testing.T, s string) string {
	t.Helper()
	b := unhex(t, s)
	b[len(b)-1] ^= 1
	return hex.EncodeToString(b)
}

// requireDiscreet checks that an error's text contains no sensitive data.
func requireDiscreet(t *testing.T, err error, body string, secrets []dixa.Secret, signatures ...string) {
	t.Helper()
	if err == nil {
		return
	}
	text := strings.ToLower(fmt.Sprintf("%v %+v %#v", err, err, err))
	for _, secret := range secrets {
		if secret != "" {
			require.NotContains(t, text, strings.ToLower(secret.Reveal()))
		}
	}
	for _, signature := range signatures {
		require.NotContains(t, text, signature)
	}
	if len(body) > 8 {
		require.NotContains(t, text, strings.ToLower(body[:8]))
	}
}

// FuzzVerifySignature searches for a header that passes without the correct
// signature, or fails with it.
func FuzzVerifySignature(f *testing.F) {
	for _, header := range []string{
		"t=" + vectorStamp + ",v1=" + vectorSignature, "v1=" + vectorSignature + ",t=" + vectorStamp, "t=1,t=2,v1=00", "", ",,=", "t=+1,v1=zz",
	} {
		f.Add(header, []byte(vectorBody), vectorSecret)
	}
	f.Add("t=0,v1=", []byte{}, "not hexadecimal")
	f.Fuzz(func(t *testing.T, header string, body []byte, secret string) {
		key, err := hex.DecodeString(secret)
		if err != nil {
			key = []byte(secret)
		}
		stamp := "0"
		for member := range strings.SplitSeq(header, ",") {
			if value, found := strings.CutPrefix(strings.TrimSpace(member), "t="); found {
				stamp = value
				break
			}
		}
		right := sign(key, stamp, string(body))
		secrets := []dixa.Secret{dixa.Secret(secret)}

		err = dixa.VerifySignature(header, body, secrets, vectorTime, math.MaxInt64)
		if err == nil {
			require.Contains(t, strings.ToLower(header), "v1="+right)
		} else {
			require.True(t, errors.Is(err, dixa.ErrSignatureMissing) || errors.Is(err, dixa.ErrSignatureMalformed) ||
				errors.Is(err, dixa.ErrSignatureMismatch) || errors.Is(err, dixa.ErrInvalidArgument), "%v", err)
			require.NotContains(t, err.Error(), right)
		}

		if ms, err := strconv.ParseUint(stamp, 10, 63); err == nil && secret != "" {
			signed := "t=" + stamp + ",v1=" + right
			require.NoError(t, dixa.VerifySignature(signed, body, secrets, time.UnixMilli(int64(ms)), time.Nanosecond), signed)
		}
	})
}
