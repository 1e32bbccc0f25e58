package claim_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
)

// fixtures returns the bodies in testdata/claims by name.
func fixtures(tb testing.TB) map[string][]byte {
	tb.Helper()
	paths, err := filepath.Glob("testdata/claims/*.json")
	require.NoError(tb, err)
	out := map[string][]byte{}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		require.NoError(tb, err)
		out[strings.TrimSuffix(filepath.Base(path), ".json")] = data
	}
	require.NotEmpty(tb, out)
	return out
}

func TestDecode(t *testing.T) {
	t.Parallel()
	bodies := fixtures(t)
	for name, data := range bodies {
		if strings.HasSuffix(name, ".want") {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := claim.Decode(data, "acme")
			require.NoError(t, err)
			c.Ignored = nil
			got, err := json.Marshal(c)
			require.NoError(t, err)
			require.JSONEq(t, string(bodies[name+".want"]), string(got))

			again, err := claim.Decode(got, "")
			require.NoError(t, err, "a marshaled claim must be the flat form")
			require.Equal(t, c, again)
			require.Empty(t, claim.Differences(c, again))
		})
	}
}

func TestDecodeUsesShopOfRoute(t *testing.T) {
	t.Parallel()
	c, err := claim.Decode([]byte(`{"claim_id":"1","reason":"x"}`), "acme")
	require.NoError(t, err)
	require.Equal(t, "acme", c.Shop)

	_, err = claim.Decode([]byte(`{"claim_id":"1","reason":"x","shop_slug":"other"}`), "acme")
	require.Equal(t, []claim.FieldError{{Field: "shop_slug", Problem: "must be the shop in the URL"}}, fieldErrorsOf(t, err))

	_, err = claim.Decode([]byte(`{"claim_id":"1","reason":"x"}`), "")
	require.Equal(t, []claim.FieldError{{Field: "shop_slug", Problem: "is required"}}, fieldErrorsOf(t, err))
}

func fieldErrorsOf(t *testing.T, err error) []claim.FieldError {
	t.Helper()
	var invalid *claim.InvalidError
	require.ErrorAs(t, err, &invalid)
	return invalid.Errors
}

func TestDecodeReportsEveryError(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		body string
		want map[string]string
	}{
		"flat": {
			`{
				"claim_id": "no spaces here", "reason": "", "created_at": "yesterday", "description": {"text": "x"},
				"selected_items": [7, {"title": "Cup", "quantity": 0}, {"sku": "A", "quantity": 1.5}, {"quantity": 1}, {"sku": "A", "net_price": "cheap"}],
				"image_urls": ["a", ["b"]], "optional_image_urls": "x",
				"answers": [{"answer": "yes"}],
				"customer": {"email": "not an address", "first_name": ["A"]},
				"order": {"currency": "euro", "total_order_price": {}, "order_placed_at": "31.12.2025"},
				"shipments": "S-1"
			}`,
			map[string]string{
				"claim_id": "must contain only letters", "reason": "is required", "created_at": "must be a time", "description": "must be a string",
				"selected_items[0]": "must be an object", "selected_items[1].quantity": "must be at least 1",
				"selected_items[2].quantity": "integer", "selected_items[3].sku": "is required if title is missing",
				"selected_items[3].title": "is required if sku is missing", "selected_items[4].net_price": "must be an amount",
				"image_urls[1]": "must be a string", "optional_image_urls": "must be a list of strings",
				"customer.email": "must be an email address", "customer.first_name": "must be a string",
				"order.currency": "must be a currency code", "order.total_order_price": "must be an amount", "order.order_placed_at": "must be a time",
				"shipments": "must be a list",
			},
		},
		"envelope": {
			`{
				"event_data": {"reason": 7, "selected_items": [{"sku": "A", "quantity": "many"}], "answers": {"How?": {"so": 1}}},
				"context": {"customer": {"email": "x"}, "order": [], "shipments": [{"tracking_number": []}]}
			}`,
			map[string]string{
				"event_data.claim_id": "is required", "event_data.selected_items[0].quantity": "integer",
				"context.customer.email": "must be an email", "context.order": "must be an object",
			},
		},
		"times that JSON cannot represent": {
			`{"claim_id": "1", "reason": "x", "created_at": "9999-12-31T23:59:59-01:00", "updated_at": "0000-05-05"}`,
			map[string]string{"created_at": "must be a time", "updated_at": "must be a time"},
		},
		"bounds": {
			`{"claim_id": "` + strings.Repeat("a", 129) + `", "reason": "x", "customer": {"email": "a@` + strings.Repeat("a", 320) + `.example"}}`,
			map[string]string{"claim_id": "at most 128 characters", "customer.email": "at most 320 characters"},
		},
		"event data is a string": {`{"event_data": "x"}`, map[string]string{"event_data": "must be an object"}},
		"empty":                  {``, map[string]string{"body": "it is empty"}},
		"truncated":              {`{"claim_id": "1"`, map[string]string{"body": "unexpected end of input"}},
		"not JSON":               {`claim=1`, map[string]string{"body": "at byte 1"}},
		"array":                  {`[]`, map[string]string{"body": "got a JSON array"}},
		"null":                   {`null`, map[string]string{"body": "null"}},
		"two":                    {`{}{}`, map[string]string{"body": "trailing data"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := claim.Decode([]byte(test.body), "acme")
			got := map[string]string{}
			for _, f := range fieldErrorsOf(t, err) {
				require.NotContains(t, got, f.Field, "a field must have one fieldError: %s, %s", got[f.Field], f.Problem)
				got[f.Field] = f.Problem
				require.ErrorContains(t, err, f.Field+": "+f.Problem)
			}
			for field, words := range test.want {
				require.Contains(t, got[field], words, field)
			}
			require.Len(t, got, len(test.want), "%v", got)
		})
	}
}

func TestErrorsOmitValues(t *testing.T) {
	t.Parallel()
	secret := "very-personal@"
	_, err := claim.Decode([]byte(`{"claim_id":"`+secret+`","reason":"x","created_at":"`+secret+`",
		"customer":{"email":"`+secret+`"},"order":{"currency":"`+secret+`"},"selected_items":[{"sku":"a","quantity":"`+secret+`","net_price":"`+secret+`"}]}`), "acme")
	require.Len(t, fieldErrorsOf(t, err), 6)
	require.NotContains(t, err.Error(), secret)
}

func TestValidate(t *testing.T) {
	t.Parallel()
	c := claim.Claim{ID: "1", Shop: "acme", Reason: "x"}
	require.NoError(t, c.Validate())
	c.Shop, c.Customer.Email = "Not A Slug", "x"
	require.Equal(t, []claim.FieldError{
		{Field: "shop_slug", Problem: "must contain only lowercase letters, digits, - and _, start with a letter or digit, and have at most 63 characters"},
		{Field: "customer.email", Problem: "must be an email address"},
	}, fieldErrorsOf(t, c.Validate()))
}

func FuzzDecode(f *testing.F) {
	for _, data := range fixtures(f) {
		f.Add(data)
	}
	for _, seed := range []string{
		``, `{}`, `{"event_data":{}}`, `{"claim_id":"1","shop_slug":"a","reason":"x","created_at":"9999-12-31T23:59:59-23:59"}`,
		`{"claim_id":"1","shop_slug":"a","reason":"x","answers":{" q ":"\u0000","":[]}}`,
		`{"claim_id":"1","shop_slug":"a","reason":"x","answers":[[{"a":[1,[{}]]}],{"label":"q","value":{"x":null}},7]}`,
		`{"claim_id":"1","shop_slug":"a","reason":"x","selected_items":[{"sku":"a","quantity":"1e3","net_price":1e-7}]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := claim.Decode(data, "")
		if err != nil {
			require.NotEmpty(t, fieldErrorsOf(t, err))
			return
		}
		c.Cut = nil // truncated values are not truncated again
		flat, err := json.Marshal(c)
		require.NoError(t, err)
		again, err := claim.Decode(flat, c.Shop)
		require.NoError(t, err, "%s", flat)
		twice, err := json.Marshal(again)
		require.NoError(t, err)
		require.Equal(t, string(flat), string(twice))
		require.Empty(t, claim.Differences(c, again))
		c.FlowKey()
		c.Value()
	})
}
