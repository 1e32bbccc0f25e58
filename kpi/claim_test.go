package kpi_test

import (
	"testing"

	"github.com/claimflow/claimflow/kpi"
)

func TestClaims(t *testing.T) {
	t.Parallel()
	check(t, claimExpectations)
}

var claimExpectations = []expectation{
	// Monday c1 to c3; Tuesday c4 to c6; Wednesday c7, c8, c10, c12.
	{id: "claim_volume", want: []string{"3 n3 | 3 n3 | 4 n4"}},
	// damaged c1, c2, c4, c6, c8; the others one each.
	{
		id: "claim_volume", name: "by reason", change: by(kpi.ByReason),
		want: []string{
			"damaged: 5 n5", "missing_product: 1 n1", "not_received: 1 n1", "return: 1 n1", "support: 1 n1", "wrong_product: 1 n1",
		},
	},
	// damaged by DHL: c1; c4, c6; c8.
	{
		id: "claim_volume", name: "of a reason and a carrier",
		change: func(r *kpi.Request) {
			r.Filters = map[kpi.Dimension][]string{kpi.ByReason: {"damaged"}, kpi.ByCarrier: {"dhl"}}
		},
		want: []string{"1 n1 | 2 n2 | 1 n1"},
	},
	// Monday 1m, 2m, 3h; Tuesday twice 1m; Wednesday 1m, 1m, 30m, 2h, in total 152m.
	{
		id:   "claim_time_to_conversation",
		want: []string{"2m0s mean=1h1m0s p90=3h0m0s n3 | 1m0s mean=1m0s p90=1m0s n2 | 1m0s mean=38m0s p90=2h0m0s n4"},
	},
	// c5 is not open.
	{
		id: "claim_time_to_conversation", name: "by arrival", change: placedBy(kpi.DateAccepted),
		want: []string{"2m0s mean=1h1m0s p90=3h0m0s n3 | 1m0s mean=1m0s p90=1m0s n2 ?1 | 1m0s mean=38m0s p90=2h0m0s n4"},
	},
	// Nothing counts before 09:00: Monday c1 0, c2 2m, c3 3h, in total 182m; Tuesday c4 0,
	// c6 1m; Wednesday c8 1m, c10 1m, c12 30m, c7 1h instead of 2h.
	{
		id: "claim_time_to_conversation", name: "in business hours", change: business,
		want: []string{"2m0s mean=1h0m40s p90=3h0m0s n3 | 0s mean=30s p90=1m0s n2 | 1m0s mean=23m0s p90=1h0m0s n4"},
	},
	// Monday c1 and c2 1h; Tuesday c6 1h, c4 1h1m.
	{
		id:   "claim_time_to_first_reply",
		want: []string{"1h0m0s mean=1h0m0s p90=1h0m0s n2 | 1h0m0s mean=1h0m30s p90=1h1m0s n2 | null n0"},
	},
	// Monday c2 3h; Tuesday c1 24h; Wednesday c8 3h, c6 22h, c3 48h.
	{
		id:   "claim_time_to_close",
		want: []string{"3h0m0s mean=3h0m0s p90=3h0m0s n1 | 24h0m0s mean=24h0m0s p90=24h0m0s n1 | 22h0m0s mean=24h20m0s p90=48h0m0s n3"},
	},
	// None settled in these days.
	{id: "claim_time_to_settle", want: []string{"null n0 | null n0 | null n0"}},
	// c1 8 days, c2 7 days and 3h; c6 7 days and 22h. The others are not settled.
	{
		id: "claim_time_to_settle", name: "by arrival", change: placedBy(kpi.DateAccepted),
		want: []string{"171h0m0s mean=181h30m0s p90=192h0m0s n2 ?1 | 190h0m0s mean=190h0m0s p90=190h0m0s n1 ?2 | null n0 ?4"},
	},
	// Monday c1 and c2 of three; Tuesday c6 was closed without a decision, c4 is pending
	// and c5 has no status; Wednesday c8 and c10 of c8, c10, c12.
	{id: "claim_accepted_share", want: []string{"66.667 2/3 n3 | 0 0/1 n1 | 66.667 2/3 n3"}},
	// Monday c3.
	{id: "claim_rejected_share", want: []string{"33.333 1/3 n3 | 0 0/1 n1 | 0 0/3 n3"}},
	// Monday c1 and c3 of three; Tuesday c4 of c4 and c6, c5 is unknown; Wednesday c7 and
	// c8 of four.
	{id: "claim_refund_share", want: []string{"66.667 2/3 n3 | 50 1/2 n2 ?1 | 50 2/4 n4"}},
	// c1 and c8 of the accepted c1, c2, c8 and c10.
	{
		id: "claim_refund_share", name: "of accepted claims",
		change: func(r *kpi.Request) {
			r.Bucket, r.Filters = kpi.BucketNone, map[kpi.Dimension][]string{kpi.ByStatus: {"accepted"}}
		},
		want: []string{"50 2/4 n4"},
	},
	// Monday c2; Tuesday c6 of c4 and c6; Wednesday c10 of four.
	{id: "claim_reorder_share", want: []string{"33.333 1/3 n3 | 50 1/2 n2 ?1 | 25 1/4 n4"}},
	// Monday c3 after c1; Tuesday c6 after c2, c5 is unknown; Wednesday c10 after
	// February's c11. c9 is 123 days before c8.
	{id: "claim_repeat_share", want: []string{"33.333 1/3 n3 | 50 1/2 n2 ?1 | 25 1/4 n4"}},
	{
		id: "claim_repeat_share", name: "within 150 days", change: within(150),
		want: []string{"33.333 1/3 n3 | 50 1/2 n2 ?1 | 50 2/4 n4"},
	},
	// c4 is a first claim, c5 unknown; c10 of beta follows c11 of acme.
	{
		id: "claim_repeat_share", name: "of a shop", change: filtered(kpi.ByShop, "beta"),
		want: []string{"null 0/0 n0 | 0 0/1 n1 ?1 | 100 1/1 n1"},
	},
	// c3; c5; c7 twice.
	{id: "claim_parkings", want: []string{"1 n1 d1 | 1 n1 d1 | 2 n1 d1"}},
	{
		id: "claim_parkings", name: "by cause", change: by(kpi.ByCause),
		want: []string{"connection_needs_token: 2 n2 d2", "dixa_unavailable: 1 n1 d1", "no_contact: 1 n1 d1"},
	},
}
