package kpi

import "github.com/claimflow/claimflow/mirror"

// firstClosed holds for conversations that were closed at least once.
var firstClosed = []Condition{{Column: FigureFirstClosedAt, Operator: AtLeast, Number: 1}}

var qualityDefinitions = []Definition{
	{
		ID: "one_touch_rate", Title: "One-touch rate", Unit: Percent, Subject: "conversations",
		Meaning: "The share of conversations that one reply resolved: exactly one agent reply and no reopening within within_days days of the first close. " +
			"In a conversation that was reopened later, the replies up to that day count.",
		Population: "Conversations that were closed at least once.",
		Missing:    "The messages or the activity log are incomplete.",
		Aggregates: []Aggregate{AggregateShare},
		PlacedBy:   []Date{DateFirstClosed, DateCreated},
		WithinDays: new(7),
		Source:     "Zendesk, \"one-touch tickets\", and Intercom, \"closed on first contact\"; the limit of days is Claimflow's",
		plan: plan{
			shape: shapeOneTouch, table: Conversations, dims: byConversation, where: firstClosed,
			values: []Column{FigureAgentReplies, FigureReopens},
		},
	},
	{
		ID: "reopen_rate", Title: "Reopen rate", Unit: Percent, Subject: "conversations",
		Meaning: "The share of the conversations first closed in the bucket that were reopened afterwards: ever, or within within_days days of the first close. " +
			"Without the limit, recent buckets are not comparable with old ones.",
		Population: "Conversations that were closed at least once, by the date of the first close.",
		Missing:    missingLog,
		Aggregates: []Aggregate{AggregateShare},
		PlacedBy:   []Date{DateFirstClosed, DateCreated},
		WithinDays: new(0),
		Source:     "Intercom, \"count_reopens\"; the cohort is Claimflow's",
		plan: plan{
			shape: shapeReopened, table: Conversations, dims: byConversation, where: firstClosed,
			values: []Column{FigureAgentReplies, FigureReopens},
		},
	},
	{
		ID: "transfer_rate", Title: "Transfer rate", Unit: Percent, Subject: "conversations",
		Meaning:    "The share of conversations that were transferred to another queue or agent at least once.",
		Population: "All conversations.",
		Missing:    missingLog,
		Aggregates: []Aggregate{AggregateShare},
		PlacedBy:   []Date{DateCreated, DateFirstClosed, DateLastClosed},
		Source:     ownDefinition,
		plan: plan{
			shape: shapeShare, table: Conversations, dims: byConversation, values: []Column{FigureTransfers},
			part: func(o *Observation) (int, bool) { return one(o.Values[0].N > 0), o.Values[0].Known },
		},
	},
	{
		ID: "sla_attainment", Title: "SLA attainment", Unit: Percent, Subject: "conversations",
		Meaning:    "The share of SLA evaluations that were achieved. Voided and pending ones do not count.",
		Population: "SLA evaluations that Dixa reports as achieved or breached.",
		Missing:    "Never: Dixa reports evaluations only by event, so one that was not received does not count.",
		Aggregates: []Aggregate{AggregateShare},
		PlacedBy:   []Date{DateEvent, DateCreated},
		Source:     "Dixa, webhook events SLAEvaluationAchieved and SLAEvaluationBreached",
		plan: plan{
			shape: shapeShare, table: Events, dims: byEvent,
			kinds: []mirror.EventKind{mirror.KindSLAAchieved, mirror.KindSLABreached},
			part:  kindIs(mirror.KindSLAAchieved),
		},
	},
}
