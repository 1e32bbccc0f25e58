package karla_test

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/internal/fromowner/karla"
)

func parse(t *testing.T, body string) *karla.Event {
	t.Helper()
	e, err := karla.ParseEvent([]byte(body))
	require.NoError(t, err)
	require.Equal(t, body, string(e.Raw))
	sum := sha256.Sum256([]byte(body))
	require.Equal(t, hex.EncodeToString(sum[:]), e.ID)
	e.ID, e.Raw = "", nil
	return e
}

func TestParseEvent(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for name, tc := range map[string]struct {
		body string
		want karla.Event
	}{
		"claim created": {
			`{"source":"claims","ref":"claims/created","version":1,"triggered_at":"2026-03-01T12:00:00Z","event_group":"claim_created",
			"event_data":{"claim_id":"u-1","event_name":"created","updated_at":"2026-03-01T11:00:00Z","reason":"partial_damage"},
			"context":{"order":{"order_number":"10001"},"claims":[]},"shop_slug":"acme","shop_id":"7"}`,
			karla.Event{
				Kind: karla.ClaimCreated, Ref: "claims/created", Group: "claim_created", Shop: "acme", TriggeredAt: at, UpdatedAt: at.Add(-time.Hour),
				ClaimID: "u-1", OrderNumber: "10001",
			},
		},
		"claim updated, other id members": {
			`{"ref":"CLAIMS/updated","event_data":{"uuid":"u-2","order_number":10002},"shop_slug":" acme "}`,
			karla.Event{Kind: karla.ClaimUpdated, Ref: "claims/updated", Shop: "acme", ClaimID: "u-2", OrderNumber: "10002"},
		},
		"claim identified by its group": {
			`{"event_data":{"claim_id":"u-3","event_group":"claim_updated"}}`,
			karla.Event{Kind: karla.ClaimUpdated, Group: "claim_updated", ClaimID: "u-3"},
		},
		"claim event of another kind": {
			`{"ref":"claims/deleted","event_group":"return_claim","event_data":{"claim_id":"u-4"}}`,
			karla.Event{Kind: karla.Other, Ref: "claims/deleted", Group: "return_claim"},
		},
		"shipment": {
			`{"ref":"shipments/delivered","event_group":"shipment_delivered","triggered_at":"2026-03-01T13:00:00+01:00",
			"event_data":{"shipment_id":"s-1","carrier_reference":"dhl","phase":"Delivered","tracking_number":4711,"tracking_url":"https://dhl.example/4711",
			"updated_at":"2026-03-01 11:00:00"},"context":{"order":{"order_name":"#10001"},"claims":[{"uuid":"u-1"},{"claim_id":"u-2"},"u-3",{},null,5]},"shop_slug":"acme"}`,
			karla.Event{
				Kind: karla.ShipmentMoved, Ref: "shipments/delivered", Group: "shipment_delivered", Shop: "acme", TriggeredAt: at, UpdatedAt: at.Add(-time.Hour),
				OrderNumber: "#10001", Claims: []string{"u-1", "u-2", "u-3", "5"},
				Shipment: karla.Shipment{ID: "s-1", Phase: "delivered", TrackingNumber: "4711", TrackingURL: "https://dhl.example/4711", Carrier: "dhl"},
			},
		},
		"return identified by its group": {
			`{"ref":"","event_group":"return_shipment_received","event_data":{"shipment_id":"s-2","phase":"return_received"}}`,
			karla.Event{Kind: karla.ShipmentMoved, Group: "return_shipment_received", Shipment: karla.Shipment{ID: "s-2", Phase: "return_received"}},
		},
		"unknown":       {`{"ref":"campaigns/opened","new":{"a":[1]}}`, karla.Event{Kind: karla.Other, Ref: "campaigns/opened"}},
		"nothing":       {`{}`, karla.Event{Kind: karla.Other}},
		"wrong types":   {`{"ref":{"a":1},"event_data":[],"context":"x","shop_slug":true,"triggered_at":"soon"}`, karla.Event{Kind: karla.Other}},
		"nulls":         {`{"ref":"claims/created","event_data":null,"context":{"order":null,"claims":null}}`, karla.Event{Kind: karla.ClaimCreated, Ref: "claims/created"}},
		"NUL character": {`{"shop_slug":"ac\u0000me"}`, karla.Event{Kind: karla.Other, Shop: "acme"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, &tc.want, parse(t, tc.body))
		})
	}
}

func TestByteOrderMarkIsSkipped(t *testing.T) {
	t.Parallel()
	const body = "\uFEFF" + `{"ref":"claims/created","event_data":{"claim_id":"u-1"},"shop_slug":"acme"}`
	e, err := karla.ParseEvent([]byte(body))
	require.NoError(t, err)
	require.Equal(t, "u-1", e.ClaimID)
	require.Equal(t, byte('{'), e.Raw[0], "the byte order mark was not removed")
}

func TestParseEventRejectsInvalidBodies(t *testing.T) {
	t.Parallel()
	for _, body := range []string{"", "null", "[]", `"text"`, "7", "{", `{"ref":"claims/created"} {}`, `{"ref":"claims/cre`} {
		_, err := karla.ParseEvent([]byte(body))
		require.ErrorIs(t, err, karla.ErrNoEvent, body)
	}
}

// TestEventMatchesDecodedClaim reads the envelopes that also test the claim's own decoder.
// Both must decode the same claim.
func TestEventMatchesDecodedClaim(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"envelope-full", "envelope-guest"} {
		file := "../../../claim/testdata/claims/" + name + ".json"
		body, err := os.ReadFile(file)
		require.NoError(t, err)
		e, err := karla.ParseEvent(body)
		require.NoError(t, err, file)
		c, err := claim.Decode(e.Raw, e.Shop)
		require.NoError(t, err, file)
		require.Equal(t, karla.ClaimCreated, e.Kind, file)
		require.Equal(t, c.ID, e.ClaimID, file)
		require.Equal(t, c.Shop, e.Shop, file)
		require.Equal(t, c.UpdatedAt, e.UpdatedAt, file)
		require.Equal(t, c.Order.Number, e.OrderNumber, file)
	}
}

func FuzzParseEvent(f *testing.F) {
	f.Add([]byte(`{"ref":"claims/created","event_data":{"claim_id":"u-1"},"context":{"claims":[{"id":1},"x"]},"shop_slug":"acme"}`))
	f.Add([]byte(`{"ref":"shipments/delivered","triggered_at":17,"event_data":{"phase":[]}}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, body []byte) {
		e, err := karla.ParseEvent(body)
		if err != nil {
			require.ErrorIs(t, err, karla.ErrNoEvent)
			return
		}
		require.Len(t, e.ID, 64)
		require.Contains(t, []karla.Kind{karla.ClaimCreated, karla.ClaimUpdated, karla.ShipmentMoved, karla.Other}, e.Kind)
		for _, text := range append([]string{e.Ref, e.Shop, e.ClaimID, e.OrderNumber, e.Shipment.ID}, e.Claims...) {
			require.NotContains(t, text, "\x00")
		}
		if e.Kind != karla.ShipmentMoved {
			require.Zero(t, e.Shipment)
		}
	})
}
