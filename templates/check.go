package templates

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"

	"golang.org/x/text/language"

	"github.com/claimflow/claimflow/claim"
)

// Check validates a template before it is saved. It compiles the template and
// renders every claim of [Samples], a claim with lists of maximum length, and an
// empty claim. Omitted members come from the built-in template, as in production
// rendering. The error is a [*claim.InvalidError] that lists every error.
func Check(s Source) error {
	beneath, _ := Default(claim.FlowGeneral, "en", cmp.Or(s.Voice, claim.VoiceCustomer))
	if s.Body == "" && s.Format != "" {
		return invalid(claim.FieldError{Field: "format", Problem: "requires a body"})
	}
	t, err := Compile(s.over(beneath))
	if err != nil {
		return err
	}
	for _, c := range append(Samples(), extremes()...) {
		for _, lang := range DefaultLanguages() {
			in := ViewInput{Language: lang}
			if c.ID == longest {
				for i := range 2 * maxOtherClaims {
					in.OtherClaims = append(in.OtherClaims, claim.OtherClaim{ID: fmt.Sprint(i), State: claim.StateOpen, ConversationID: int64(i)})
				}
			}
			if _, err := t.Render(NewView(c, in)); err != nil {
				return err
			}
		}
	}
	return nil
}

// Samples returns the claims that previews show and that every template must render:
// one with all fields and one about a parcel that did not arrive, each in every language
// of [DefaultLanguages], a guest's with few fields, and one with an unknown reason. Each
// call returns new claims.
func Samples() []*claim.Claim {
	var out []*claim.Claim
	for _, data := range sampleFiles() {
		c, err := claim.Decode(data, "")
		if err != nil {
			panic(err) // the files are embedded and tested
		}
		out = append(out, c)
	}
	return out
}

// SamplesIn returns the [Samples] for texts in a language, the one with all fields first:
// those in the language, or else in English, and those in none.
func SamplesIn(lang string) []*claim.Claim {
	base := func(tag string) string {
		parsed, err := language.Parse(tag)
		if err != nil {
			return ""
		}
		b, _ := parsed.Base()
		return b.String()
	}
	want := base(lang)
	if !slices.Contains(DefaultLanguages(), want) {
		want = "en"
	}
	out := slices.DeleteFunc(Samples(), func(c *claim.Claim) bool { return c.Locale != "" && base(c.Locale) != want })
	slices.SortStableFunc(out, func(a, b *claim.Claim) int { return len(b.Answers) - len(a.Answers) })
	return out
}

// SampleFor returns the sample that fits a text for a reason or flow in a language best.
func SampleFor(key, lang string) *claim.Claim {
	samples := SamplesIn(lang)
	for _, c := range samples {
		if c.ReasonKey() == key || c.FlowKey() == key {
			return c
		}
	}
	c := samples[0]
	c.Reason, c.Flow = key, ""
	return c
}

var sampleFiles = sync.OnceValue(func() [][]byte {
	entries, err := files.ReadDir("samples")
	if err != nil {
		panic(err) // the folder is embedded
	}
	out := make([][]byte, len(entries))
	for i, entry := range entries {
		if out[i], err = files.ReadFile("samples/" + entry.Name()); err != nil {
			panic(err) // as above
		}
	}
	return out
})

const longest = "longest"

// extremes returns an empty claim and one with a long description and lists of
// maximum length.
func extremes() []*claim.Claim {
	full := &claim.Claim{
		ID: longest, Shop: "sample", Reason: "damaged", Flow: "defective", Preference: "refund", Phase: "delivered",
		Description: strings.Repeat("A long story about a broken mug.\n", 6000),
		Customer:    claim.Customer{FirstName: "Kim", LastName: "Sample", Email: "kim@example.com"},
		Order:       claim.Order{Number: "10001", Total: "99.00", Currency: "EUR"},
	}
	for i := range maxItems {
		full.Items = append(full.Items, claim.Item{SKU: fmt.Sprintf("SKU-%d", i), Title: "A mug of stoneware", Quantity: 2, NetPrice: "12.50"})
	}
	for i := range maxAnswers {
		full.Answers = append(full.Answers, claim.Answer{Question: fmt.Sprintf("Question %d?", i), Answer: "Yes, both of them."})
	}
	for i := range maxShipments {
		full.Shipments = append(full.Shipments, claim.Shipment{
			Carrier: "dhl", TrackingNumber: fmt.Sprintf("0034%016d", i), Phase: "delivered",
			TrackingURL: fmt.Sprintf("https://example.com/track/%d", i),
		})
	}
	return []*claim.Claim{{ID: "empty", Shop: "sample"}, full}
}
