package claim_test

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
)

func decoded(t *testing.T, members string) *claim.Claim {
	t.Helper()
	c, err := claim.Decode([]byte(`{"claim_id": "c-1", "reason": "damaged", `+members+`}`), "acme")
	require.NoError(t, err)
	return c
}

func TestReadsAnswersOfAnyShape(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ answers, want string }{
		"object of questions":       {`{"Opened?": "yes", "Colour": "red"}`, "Colour=red|Opened?=yes"},
		"question and answer":       {`[{"question": "Opened?", "answer": "yes"}]`, "Opened?=yes"},
		"label and value":           {`[{"label": "Opened?", "value": "yes", "id": 7}]`, "Opened?=yes"},
		"list of strings":           {`{"Which?": ["lid", null, "handle", 3]}`, "Which?=lid, handle, 3"},
		"numbers and booleans":      {`{"A": 1.50, "B": true, "C": null}`, "A=1.50|B=true|C="},
		"nested":                    {`{"O": {"x": 1, "y": [{"z": null}]}}`, "O › x=1|O › y › 1 › z="},
		"list of objects":           {`{"O": [{"a": 1}, "text", {"b": [true, false]}]}`, "O=text|O › 1 › a=1|O › 3 › b=true, false"},
		"empty values":              {`{"A": {}, "B": [], "": "C"}`, "?=C|A=|B="},
		"nested answer":             {`[{"question": "Q", "answer": {"x": "1"}}]`, "Q › x=1"},
		"unknown element":           {`[{"id": "q-1", "response": "yes"}]`, "1 › id=q-1|1 › response=yes"},
		"answer without a question": {`[{"answer": "yes"}]`, "1 › answer=yes"},
		"nested question":           {`[{"question": {"de": "Offen?"}, "answer": "ja"}]`, "1 › answer=ja|1 › question › de=Offen?"},
		"bare strings":              {`["yes", ["a", "b"]]`, "1=yes|2=a, b"},
		"string":                    {`"all of it"`, "?=all of it"},
		"number":                    {`7`, "?=7"},
		"too many levels":           {`{"A": {"b": {"c": {"d": {"e": {"f": [1, {"g": "\u0000"}]}}}}}}`, `A › b › c › d › e › f=[1,{"g":""}]`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, a := range decoded(t, `"answers": `+tt.answers).Answers {
				got = append(got, a.Question+"="+a.Answer)
			}
			require.Equal(t, tt.want, strings.Join(got, "|"))
		})
	}
}

func TestLongValuesAreTruncated(t *testing.T) {
	t.Parallel()
	long := func(n int) string { return strings.Repeat("ü", n) }
	c := decoded(t, fmt.Sprintf(`"description": %q, "image_urls": [%s"u", %q], "customer": {"email": "a@example.org", "first_name": %q, "external_id": %q},
		"selected_items": [{"sku": "A", "title": %q}], "answers": {"Q": %q, "R": [%s"x"]}, "shipments": [{"tracking_url": %q}]`,
		long(200_001), strings.Repeat(`"u",`, 99), long(4097), long(500), long(201), long(501), long(20_001), strings.Repeat(`{},`, 120), long(4097)))
	require.NoError(t, c.Validate())
	require.Len(t, []rune(c.Customer.FirstName), 200)
	require.True(t, strings.HasSuffix(c.Customer.FirstName, "ü…"))
	require.True(t, utf8.ValidString(c.Description))
	require.Empty(t, c.Customer.ExternalID, "an id must be dropped, not shortened")
	require.Len(t, c.Answers, 100)
	require.Len(t, c.ImageURLs, 100)
	require.Equal(t, []claim.Truncation{
		{Field: "description", Given: 200_001, Kept: 199_999},
		{Field: "selected_items[0].title", Given: 501, Kept: 499},
		{Field: "image_urls", Given: 101, Kept: 100, List: true},
		{Field: "answers", Given: 122, Kept: 100, List: true},
		{Field: "answers[0].answer", Given: 20_001, Kept: 19_999},
		{Field: "customer.external_id", Given: 201},
		{Field: "customer.first_name", Given: 500, Kept: 199},
		{Field: "shipments[0].tracking_url", Given: 4097},
	}, c.Cut)
	require.Equal(t, "customer.first_name: truncated to the first 199 of 500 characters", c.Cut[6].String())
	require.Equal(t, "answers: truncated to the first 100 of 122 entries", c.Cut[3].String())
	require.Equal(t, "customer.external_id: omitted, because 201 characters exceed the limit", c.Cut[5].String())

	// A change keeps the truncations of the fields it does not touch.
	next, err := claim.DecodeUpdate([]byte(fmt.Sprintf(`{"customer": {"first_name": "Anna", "last_name": %q}, "answers": {"Q": "short"}}`, long(201))), c)
	require.NoError(t, err)
	require.Equal(t, []claim.Truncation{{Field: "customer.last_name", Given: 201, Kept: 199}}, next.Cut[:1])
	var fields []string
	for _, cut := range next.Cut {
		fields = append(fields, cut.Field)
	}
	require.Equal(t, []string{"customer.last_name", "description", "selected_items[0].title", "image_urls", "customer.external_id", "shipments[0].tracking_url"}, fields)
}

// Fields that a claim needs to be opened are rejected instead of truncated.
func TestRequiredValuesAreNotTruncated(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"claim_id":       `{"claim_id": "` + strings.Repeat("a", 129) + `", "reason": "x"}`,
		"customer.email": `{"claim_id": "1", "reason": "x", "customer": {"email": "` + strings.Repeat("a", 320) + `@example.org"}}`,
	} {
		_, err := claim.Decode([]byte(body), "acme")
		require.ErrorContains(t, err, name)
	}
}

func TestUnknownMembersAreListed(t *testing.T) {
	t.Parallel()
	c := decoded(t, `"statsu": "accepted", "order": {"number": "1", "order_number": "1", "address": {"zip": "1"}}, "order_number": "2", "address": {"street": "S"},
		"selected_items": [{"sku": "A", "colour": "red"}], "answers": {"anything": {"goes": 1}}, "cut": [], "locale": "de", "language": "de", "flowType": "x"`)
	require.Equal(t, []string{"order.address.zip", "order.number", "selected_items[0].colour", "statsu"}, c.Ignored)

	c, err := claim.Decode([]byte(`{"event_data": {"claim_id": "1", "reason": "x", "new": 1}, "context": {}, "newer": 2}`), "acme")
	require.NoError(t, err)
	require.Empty(t, c.Ignored, "unknown members of Karla's events must not be listed")

	many := make([]string, 100)
	for i := range many {
		many[i] = fmt.Sprintf(`"%s%d": 1`, strings.Repeat("ü", 200), i)
	}
	c = decoded(t, strings.Join(many, ", "))
	require.NotEmpty(t, c.Ignored)
	require.LessOrEqual(t, len(c.Ignored), 20)
	for _, name := range c.Ignored {
		require.LessOrEqual(t, len(name), 100)
		require.True(t, utf8.ValidString(name))
	}
}

func TestUpdateWithoutKnownMembersIsRejected(t *testing.T) {
	t.Parallel()
	for body, field := range map[string]string{
		`{"statsu": "accepted"}`:                                  "statsu",
		`{"claim_id": "c-1", "updated_at": "2026-03-02", "x": 1}`: "x",
		`{"customer": {"mail": "a@example.org"}}`:                 "customer.mail",
	} {
		_, err := claim.DecodeUpdate([]byte(body), known())
		require.Equal(t, []claim.FieldError{{Field: field, Problem: "is not a member of a claim, and the update changes nothing else"}}, fieldErrorsOf(t, err), body)
	}
	for _, body := range []string{`{}`, `{"claim_id": "c-1"}`, `{"status": "accepted", "x": 1}`, `{"event_data": {"claim_id": "c-1", "x": 1}}`} {
		_, err := claim.DecodeUpdate([]byte(body), known())
		require.NoError(t, err, body)
	}
}
