package claim_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
)

func known() *claim.Claim {
	return &claim.Claim{
		ID: "c-1", Shop: "acme", Reason: "damaged", Preference: "refund", Status: "pending", Description: "The mug is broken.",
		Items:     []claim.Item{{SKU: "MUG", Quantity: 1, ImageURLs: []string{"https://img.example/a.jpg?sig=1"}}},
		Customer:  claim.Customer{Email: "ada@example.org", FirstName: "Ada"},
		Order:     claim.Order{Number: "10001", Address: claim.Address{City: "Berlin"}},
		Shipments: []claim.Shipment{{ID: "s-1", Phase: "delivered"}},
		CreatedAt: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), UpdatedAt: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC),
	}
}

func TestDecodeUpdate(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change string
		want   func(*claim.Claim)
	}{
		"nothing":                  {`{}`, func(*claim.Claim) {}},
		"unknown":                  {`{"colour": "blue", "reason": "late"}`, func(c *claim.Claim) { c.Reason, c.Ignored = "late", []string{"colour"} }},
		"one":                      {`{"flow_type": "return"}`, func(c *claim.Claim) { c.Flow = "return" }},
		"nested":                   {`{"customer": {"first_name": "Anna"}, "order": {"address": {"zip_code": 10115}}}`, func(c *claim.Claim) { c.Customer.FirstName, c.Order.Address.ZIPCode = "Anna", "10115" }},
		"null":                     {`{"description": null, "customer": {"first_name": null}, "status": null}`, func(c *claim.Claim) { c.Description, c.Customer.FirstName = "", "" }},
		"list":                     {`{"selected_items": [{"sku": "CUP", "quantity": 2}]}`, func(c *claim.Claim) { c.Items = []claim.Item{{SKU: "CUP", Quantity: 2}} }},
		"list removed":             {`{"selected_items": null, "shipments": []}`, func(c *claim.Claim) { c.Items, c.Shipments = nil, nil }},
		"time":                     {`{"updated_at": "2026-03-02T00:00:00Z", "created_at": "2020-01-01"}`, func(c *claim.Claim) { c.UpdatedAt = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC) }},
		"envelope":                 {`{"event_data": {"claim_id": "c-1", "status": "accepted"}, "context": {"customer": {"email": null, "first_name": "Anna"}, "order": {"order_number": "10001"}, "shipments": []}, "shop_slug": "elsewhere"}`, func(c *claim.Claim) { c.Status, c.Customer.FirstName = "accepted", "Anna" }},
		"number outside the order": {`{"order_number": "10002"}`, func(c *claim.Claim) { c.Order.Number = "10002" }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want, current := known(), known()
			want.UpdatedAt = time.Time{}
			test.want(want)
			got, err := claim.DecodeUpdate([]byte(test.change), current)
			require.NoError(t, err)
			require.Equal(t, want, got)
			require.Equal(t, known(), current, "the current claim must not change")
		})
	}
}

func TestAddedTextAndEvidence(t *testing.T) {
	t.Parallel()
	before, after := known(), known()
	after.Description += " So is the lid."
	after.Answers = []claim.Answer{{Question: "Opened?", Answer: "Yes"}}
	after.ImageURLs = []string{"https://img.example/b.jpg"}
	after.Items[0].ImageURLs = []string{"https://img.example/a.jpg?sig=2"}
	require.Equal(t, "So is the lid.\n\nOpened?\nYes", claim.AddedText(before, after))
	require.Equal(t, &claim.Claim{ImageURLs: []string{"https://img.example/b.jpg"}, OptionalImageURLs: claim.NewEvidence(before, after).OptionalImageURLs}, claim.NewEvidence(before, after))
	require.Nil(t, claim.NewEvidence(before, before))
	require.Empty(t, claim.AddedText(before, before))
	require.Equal(t, []claim.FieldChange{
		{Field: "answers", New: "Opened? Yes"},
		{Field: "description", Old: "The mug is broken.", New: "The mug is broken. So is the lid."},
		{Field: "image_urls", New: "1 file"},
	}, claim.FieldChanges(before, after))
}

func TestEveryMatchingChangeRuleApplies(t *testing.T) {
	t.Parallel()
	s := claim.DefaultSettings()
	require.Equal(t, claim.DesiredState{Note: true}, s.EvaluateChange(&claim.OwnerChange{Fields: []claim.FieldChange{{Field: "reason"}}}))
	require.Equal(t, claim.DesiredState{Note: true, AddTags: []string{"claim-accepted"}, RemoveTags: []string{"claim-rejected"}}, s.EvaluateChange(&claim.OwnerChange{Status: "Accepted"}))
	require.Equal(t, claim.DesiredState{Note: true, AddTags: []string{"claim-withdrawn"}, Close: true}, s.EvaluateChange(&claim.OwnerChange{Status: "withdrawn"}))

	s.ChangeRules = []claim.ChangeRule{
		{Name: "a", When: claim.ChangeWhen{Changed: []string{"customer"}}, Then: claim.ChangeThen{Close: true, AddTags: []string{"claim-x"}, RemoveTags: []string{"vip"}}},
		{Name: "b", When: claim.ChangeWhen{Preference: []string{"refund"}}, Then: claim.ChangeThen{Reopen: true, RemoveTags: []string{"claim-x"}}},
	}
	of := func(field, preference string) claim.DesiredState {
		return s.EvaluateChange(&claim.OwnerChange{Fields: []claim.FieldChange{{Field: field}}, Preference: preference})
	}
	require.Equal(t, claim.DesiredState{Close: true, AddTags: []string{"claim-x"}}, of("customer.email", ""), "only Claimflow's own tags may be removed")
	require.Equal(t, claim.DesiredState{Reopen: true, RemoveTags: []string{"claim-x"}}, of("customer.email", "Refund"), "the later rule must win")
	require.Zero(t, of("customers", "reorder"))
}

func FuzzDecodeUpdate(f *testing.F) {
	f.Add([]byte(`{"status": "accepted", "customer": {"email": "a@b.c"}, "selected_items": [{"sku": 1}]}`))
	f.Add([]byte(`{"event_data": {"claim_id": "c-1"}, "context": {"order": null}}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, change []byte) {
		got, err := claim.DecodeUpdate(change, known())
		if err != nil {
			var invalid *claim.InvalidError
			require.ErrorAs(t, err, &invalid)
			require.NotEmpty(t, invalid.Errors)
			return
		}
		require.NoError(t, got.Validate())
		require.Equal(t, "acme/c-1", got.Shop+"/"+got.ID)
		claim.FieldChanges(known(), got)
		// Applying the same update again changes nothing.
		again, err := claim.DecodeUpdate(change, got)
		require.NoError(t, err)
		require.Empty(t, claim.Differences(got, again))
		_, err = json.Marshal(again)
		require.NoError(t, err)
	})
}
