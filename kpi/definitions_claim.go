package kpi

import "github.com/claimflow/claimflow/claim"

var byClaim = []dimension{
	{ByShop, ClaimShop},
	{ByReason, ClaimReason},
	{ByCarrier, ClaimCarrier},
	{ByPhase, ClaimPhase},
	{ByStatus, ClaimStatus},
	{ByResolution, ClaimResolution},
}

var byParking = append([]dimension{{ByCause, ParkingCause}}, byClaim...)

var claimDefinitions = []Definition{
	{
		ID: "claim_volume", Title: "Claims", Unit: Count, Subject: "claims",
		Meaning:    "How many claims arrived.",
		Population: "All claims that Claimflow accepted for processing.",
		Missing:    "Never.",
		Aggregates: []Aggregate{AggregateCount},
		PlacedBy:   []Date{DateAccepted, DateClosed},
		Source:     ownDefinition,
		plan:       plan{shape: shapeTally, table: Claims, dims: byClaim},
	},
	claimTime("claim_time_to_conversation", "Time to conversation", DateOpened, ClaimOpenedAt,
		"How long it took until the claim's conversation was open in Dixa.",
		"The conversation is not open yet."),
	claimTime("claim_time_to_first_reply", "Time to first reply", DateFirstReply, ClaimFirstReplyAt,
		"How long the customer waited for the first reply of an agent to the claim.",
		"Nobody has replied yet, or the messages are incomplete."),
	claimTime("claim_time_to_close", "Time to close", DateClosed, ClaimClosedAt,
		"How long it took until the claim's conversation was last closed.",
		"The conversation is not closed."),
	claimTime("claim_time_to_settle", "Time to settle", DateSettled, ClaimSettledAt,
		"How long it took until the claim was settled: closed for the whole quiet period, which is included.",
		"The claim is not settled."),
	decided("claim_accepted_share", "Accepted share", claim.StatusAccepted),
	decided("claim_rejected_share", "Rejected share", claim.StatusRejected),
	resolved("claim_refund_share", "Refund share", "refund"),
	resolved("claim_reorder_share", "Reorder share", "reorder"),
	{
		ID: "claim_repeat_share", Title: "Repeat claims", Unit: Percent, Subject: "claims",
		Meaning: "The share of claims whose customer had made another claim in the within_days days before, of any reason. " +
			"The filters apply to the claims but not to the earlier ones.",
		Population: "All claims.",
		Missing:    "The customer is unknown.",
		Aggregates: []Aggregate{AggregateShare},
		PlacedBy:   []Date{DateAccepted},
		WithinDays: new(90),
		Source:     ownDefinition,
		plan:       plan{shape: shapeRepeated, table: Claims, dims: byClaim, key: ClaimCustomer},
	},
	{
		ID: "claim_parkings", Title: "Parked claims", Unit: Count, Subject: "claims",
		Meaning:    "How often claims were parked, because they needed a person. By cause it shows what to correct.",
		Population: "All times that a claim was parked.",
		Missing:    "Never.",
		Aggregates: []Aggregate{AggregateCount},
		PlacedBy:   []Date{DateEvent, DateAccepted},
		Distinct:   "different claims",
		Source:     ownDefinition,
		plan:       plan{shape: shapeTally, table: Parkings, dims: byParking},
	},
}

// claimTime is the time from accepting a claim for processing to a later instant.
func claimTime(id, title string, date Date, end Column, meaning, missing string) Definition {
	return Definition{
		ID: id, Title: title, Unit: Seconds, Subject: "claims",
		Meaning:    meaning + " It begins when Claimflow accepted the claim for processing.",
		Population: "All claims.",
		Missing:    missing,
		Aggregates: spreadOfDurations,
		PlacedBy:   []Date{date, DateAccepted},
		Source:     ownDefinition,
		plan:       plan{shape: shapeSpread, table: Claims, dims: byClaim, start: ClaimAcceptedAt, end: end},
	}
}

// decided is the share of claims that were decided in one way.
func decided(id, title, status string) Definition {
	return Definition{
		ID: id, Title: title, Unit: Percent, Subject: "claims",
		Meaning:    "The share of claims that the shop " + status + ", by the status reported to the claim's owner.",
		Population: "Claims with a status other than pending: accepted, rejected, closed without a decision, or one that the shop defines.",
		Missing:    "Never: a claim without a status is not decided.",
		Aggregates: []Aggregate{AggregateShare},
		PlacedBy:   []Date{DateAccepted, DateClosed},
		Source:     ownDefinition,
		plan: plan{
			shape: shapeShare, table: Claims, dims: byClaim, key: ClaimStatus,
			where: []Condition{{Column: ClaimStatus, Operator: NoneOf, Texts: []string{"", claim.StatusPending}}},
			part:  func(o *Observation) (int, bool) { return one(o.Key == status), true },
		},
	}
}

// resolved is the share of claims with a resolution.
func resolved(id, title, resolution string) Definition {
	return Definition{
		ID: id, Title: title, Unit: Percent, Subject: "claims",
		Meaning: "The share of claims whose resolution is a " + resolution + ": the customer's preference as last updated. " +
			"Filter by status for those that the shop accepted.",
		Population: "All claims.",
		Missing:    "The claim names no resolution.",
		Aggregates: []Aggregate{AggregateShare},
		PlacedBy:   []Date{DateAccepted, DateClosed},
		Source:     ownDefinition,
		plan: plan{
			shape: shapeShare, table: Claims, dims: byClaim, key: ClaimResolution,
			part: func(o *Observation) (int, bool) { return one(o.Key == resolution), o.Key != "" },
		},
	}
}
