package karla_test

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/internal/fromowner/karla"
	"github.com/claimflow/claimflow/internal/seal"
)

// The vector below was computed with OpenSSL:
//
//	printf '%s.%s' "$vectorStamp" "$vectorBody" | openssl dgst -sha256 -mac HMAC -macopt key:"$vectorSecret"
const (
	vectorSecret    = seal.Secret("whk_0123456789abcdef")
	vectorStamp     = "1772366400"
	vectorBody      = `{"ref":"claims/created"}`
	vectorSignature = "93491c054622dbc8d2821b725c068e4164488ea9aefcadeb272b02b4a949ad1e"
)

var vectorTime = time.Unix(1772366400, 0)

// signed returns the hexadecimal part of a signature.
func signed(secret seal.Secret, stamp int64, body string) string {
	_, signature, _ := strings.Cut(karla.Sign([]byte(body), secret, time.Unix(stamp, 0)), "v1=")
	return signature
}

func TestSignMatchesVector(t *testing.T) {
	t.Parallel()
	require.Equal(t, "t="+vectorStamp+",v1="+vectorSignature, karla.Sign([]byte(vectorBody), vectorSecret, vectorTime))
}

func TestVerifySignature(t *testing.T) {
	t.Parallel()
	// A hexadecimal secret is not decoded.
	const otherSecret = seal.Secret("00112233445566778899aabbccddeeff")
	right, other := vectorSignature, signed(otherSecret, vectorTime.Unix(), vectorBody)
	good := "t=" + vectorStamp + ",v1=" + right
	both := []seal.Secret{otherSecret, vectorSecret}

	for name, tc := range map[string]struct {
		header  string
		body    string // defaults to vectorBody
		secrets []seal.Secret
		now     time.Time // defaults to vectorTime
		want    error
	}{
		"good":                         {header: good},
		"reversed order":               {header: "v1=" + right + ",t=" + vectorStamp},
		"upper-case hexadecimal":       {header: "t=" + vectorStamp + ",v1=" + strings.ToUpper(right)},
		"space after the comma":        {header: " t=" + vectorStamp + " , v1=" + right + " "},
		"repeated v1, first valid":     {header: good + ",v1=" + other},
		"repeated v1, last valid":      {header: "t=" + vectorStamp + ",v1=" + other + ",v1=" + right},
		"repeated v1, one invalid":     {header: "t=" + vectorStamp + ",v1=zz,v1=" + right},
		"unknown members":              {header: "v0=abc," + good + ",v2=" + other + ",flag,=,"},
		"two secrets, signed with old": {header: good, secrets: both},
		"two secrets, signed with new": {header: "t=" + vectorStamp + ",v1=" + other, secrets: both},
		"two secrets, signed with both": {
			header: "t=" + vectorStamp + ",v1=" + other + ",v1=" + right, secrets: both,
		},
		"with an empty secret": {header: good, secrets: []seal.Secret{"", vectorSecret}},
		"an empty body":        {header: karla.Sign(nil, vectorSecret, vectorTime), body: "-"},

		"just within the tolerance": {header: good, now: vectorTime.Add(karla.Tolerance)},
		"ahead within tolerance":    {header: good, now: vectorTime.Add(-karla.Tolerance)},
		"old":                       {header: good, now: vectorTime.Add(karla.Tolerance + time.Millisecond), want: karla.ErrSignatureTooOld},
		"from the future":           {header: good, now: vectorTime.Add(-karla.Tolerance - time.Millisecond), want: karla.ErrSignatureTooOld},
		"the maximum timestamp": {
			header: "t=9223372036,v1=" + signed(vectorSecret, 9223372036, vectorBody), want: karla.ErrSignatureTooOld,
		},
		"timestamp in milliseconds": {header: "t=1772366400000,v1=" + signed(vectorSecret, 1772366400000, vectorBody), want: karla.ErrSignatureMalformed},

		"modified body":                 {header: good, body: strings.Replace(vectorBody, "created", "creatdd", 1), want: karla.ErrSignatureMismatch},
		"flipped bit in the signature":  {header: "t=" + vectorStamp + ",v1=" + flipBit(t, right), want: karla.ErrSignatureMismatch},
		"modified secret":               {header: good, secrets: []seal.Secret{"whk_0123456789abcdeg"}, want: karla.ErrSignatureMismatch},
		"different timestamp":           {header: "t=1772366401,v1=" + right, want: karla.ErrSignatureMismatch},
		"leading zero in the timestamp": {header: "t=0" + vectorStamp + ",v1=" + right, want: karla.ErrSignatureMismatch},
		"another secret":                {header: good, secrets: []seal.Secret{otherSecret}, want: karla.ErrSignatureMismatch},
		"valid under another scheme":    {header: "t=" + vectorStamp + ",v2=" + right + ",v1=" + other, want: karla.ErrSignatureMismatch},
		"old and invalid":               {header: "t=1,v1=" + right, want: karla.ErrSignatureMismatch},
		"signed with an empty key": {
			header: karla.Sign([]byte(vectorBody), "", vectorTime), secrets: []seal.Secret{"", vectorSecret}, want: karla.ErrSignatureMismatch,
		},

		"no secret":              {header: good, secrets: []seal.Secret{}, want: karla.ErrNoSecret},
		"only an empty secret":   {header: karla.Sign([]byte(vectorBody), "", vectorTime), secrets: []seal.Secret{""}, want: karla.ErrNoSecret},
		"missing":                {header: "", want: karla.ErrSignatureMissing},
		"blank":                  {header: " \t", want: karla.ErrSignatureMissing},
		"garbage":                {header: "\x00\xff;;==,,", want: karla.ErrSignatureMalformed},
		"no t":                   {header: "v1=" + right, want: karla.ErrSignatureMalformed},
		"an empty t":             {header: "t=,v1=" + right, want: karla.ErrSignatureMalformed},
		"two t":                  {header: "t=1," + good, want: karla.ErrSignatureMalformed},
		"a t with a sign":        {header: "t=+" + vectorStamp + ",v1=" + right, want: karla.ErrSignatureMalformed},
		"a negative t":           {header: "t=-1,v1=" + right, want: karla.ErrSignatureMalformed},
		"a t with a fraction":    {header: "t=1772366400.5,v1=" + right, want: karla.ErrSignatureMalformed},
		"a t that overflows":     {header: "t=9223372036854775808,v1=" + right, want: karla.ErrSignatureMalformed},
		"no v1":                  {header: "t=" + vectorStamp, want: karla.ErrSignatureMalformed},
		"an empty v1":            {header: "t=" + vectorStamp + ",v1=", want: karla.ErrSignatureMalformed},
		"a v1 that is too short": {header: good[:len(good)-2], want: karla.ErrSignatureMalformed},
		"a v1 that is too long":  {header: good + "00", want: karla.ErrSignatureMalformed},
		"names in another case":  {header: "T=" + vectorStamp + ",V1=" + right, want: karla.ErrSignatureMalformed},
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
				secrets = []seal.Secret{vectorSecret}
			}
			if now.IsZero() {
				now = vectorTime
			}
			err := karla.VerifySignature(tc.header, []byte(body), secrets, now)
			require.ErrorIs(t, err, tc.want)
			if err == nil {
				return
			}
			text := strings.ToLower(fmt.Sprintf("%v %+v %#v", err, err, err))
			for _, secret := range []string{vectorSecret.Reveal(), otherSecret.Reveal(), right, other, "claims/"} {
				require.NotContains(t, text, secret)
			}
		})
	}
}

// flipBit flips the last bit of a hexadecimal value.
func flipBit(t *testing.T, s string) string {
	t.Helper()
	b, err := hex.DecodeString(s)
	require.NoError(t, err)
	b[len(b)-1] ^= 1
	return hex.EncodeToString(b)
}

// FuzzVerifySignature searches for a header that passes without the correct
// signature, or fails with it.
func FuzzVerifySignature(f *testing.F) {
	for _, header := range []string{
		"t=" + vectorStamp + ",v1=" + vectorSignature, "v1=" + vectorSignature + ",t=" + vectorStamp, "t=1,t=2,v1=00", "", ",,=", "t=+1,v1=zz",
	} {
		f.Add(header, []byte(vectorBody), vectorSecret.Reveal(), int64(1772366400))
	}
	f.Fuzz(func(t *testing.T, header string, body []byte, secret string, at int64) {
		secrets := []seal.Secret{seal.Secret(secret)}
		if karla.VerifySignature(header, body, secrets, vectorTime) == nil {
			var stamp int64
			for member := range strings.SplitSeq(header, ",") {
				if value, found := strings.CutPrefix(strings.TrimSpace(member), "t="); found {
					var err error
					stamp, err = strconv.ParseInt(value, 10, 64)
					require.NoError(t, err)
				}
			}
			if !strings.Contains(header, "t=0") { // the signature covers the timestamp as written
				require.Contains(t, strings.ToLower(header), signed(secrets[0], stamp, string(body)))
			}
		}
		if at >= 0 && at <= 9223372036 && secret != "" {
			right := karla.Sign(body, secrets[0], time.Unix(at, 0))
			require.NoError(t, karla.VerifySignature(right, body, secrets, time.Unix(at, 0)), right)
		}
	})
}
