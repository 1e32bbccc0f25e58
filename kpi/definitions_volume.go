package kpi

import (
	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/mirror"
)

// byConversation are the dimensions of a conversation. Its agent is the assigned one.
var byConversation = []dimension{
	{ByChannel, FigureChannel},
	{ByDirection, FigureDirection},
	{ByQueue, FigureQueue},
	{ByAgent, FigureAssignee},
	{ByTag, TagName},
}

// byEvent are the dimensions of an event: the agent and the queue are its own.
var byEvent = []dimension{
	{ByChannel, FigureChannel},
	{ByDirection, FigureDirection},
	{ByQueue, EventQueue},
	{ByAgent, EventAgent},
	{ByTag, TagName},
}

// byOpenConversation are the dimensions of a backlog.
var byOpenConversation = []dimension{
	{ByChannel, FigureChannel},
	{ByDirection, FigureDirection},
	{ByQueue, FigureQueue},
	{ByTag, TagName},
}

const (
	ownDefinition   = "Claimflow"
	missingMessages = "The messages are incomplete, so the figure cannot be known."
	missingLog      = "The activity log is incomplete, so the figure cannot be known."
)

var volumeDefinitions = []Definition{
	{
		ID: "conversation_volume", Title: "Conversations", Unit: Count, Subject: "conversations",
		Meaning:    "How many conversations began.",
		Population: "All conversations, in both directions.",
		Missing:    "Never: a conversation without the date is left out.",
		Aggregates: []Aggregate{AggregateCount},
		PlacedBy:   []Date{DateCreated, DateFirstInbound},
		Source:     "Applied Labs, \"conversation volume\"",
		plan:       plan{shape: shapeTally, table: Conversations, dims: byConversation},
	},
	{
		ID: "arrivals_per_hour", Title: "Arrivals per hour", Unit: Ratio, Subject: "conversations",
		Meaning: "How many inbound conversations arrive per hour, on average over the hours of the bucket that have passed. " +
			"By hour of week it is the demand that staff must meet: an hour that summer time skips or repeats counts as it happened.",
		Population: "Inbound conversations.",
		Missing:    "Never: a conversation without the date is left out.",
		Aggregates: []Aggregate{AggregateRate},
		PlacedBy:   []Date{DateCreated, DateFirstInbound},
		Buckets:    []Bucket{BucketHourOfWeek, BucketHour, BucketDay, BucketWeek, BucketMonth, BucketQuarter, BucketYear, BucketNone},
		Source:     ownDefinition,
		plan:       plan{shape: shapePerHour, table: Conversations, where: inbound, dims: byConversation},
	},
	{
		ID: "closed_conversations", Title: "Closed conversations", Unit: Count, Subject: "conversations",
		Meaning: "How often conversations were closed. A conversation that is closed again counts again; beside it stands the number of different conversations. " +
			"The agent is the one who closed it and the queue that at closing.",
		Population: "Close events.",
		Missing:    "Never: a close of which there is no record does not count.",
		Aggregates: []Aggregate{AggregateCount},
		PlacedBy:   []Date{DateEvent, DateCreated},
		Distinct:   "different conversations",
		Source:     "Dixa, record and metric \"closed_conversations\"; Intercom, \"closed conversations\"",
		Dixa:       "closed_conversations",
		plan:       plan{shape: shapeTally, table: Events, kinds: []mirror.EventKind{mirror.KindClosed}, dims: byEvent},
	},
	{
		ID: "backlog", Title: "Backlog", Unit: Count, Subject: "conversations",
		Meaning: "How many conversations were open at the end of the bucket. It is replayed from when each was created, closed and reopened, never taken from its current status. " +
			"Pending conversations are open. The queue is the current one.",
		Population: "Conversations that were created before the end of the bucket and not closed at it.",
		Missing:    "Never: if the activity log is incomplete, the closes and reopens that are known count, and the last close as Dixa reports it.",
		Aggregates: []Aggregate{AggregateCount},
		PlacedBy:   []Date{DateMoment},
		Source:     "Gorgias, Redo, \"open at the end of the period\"",
		plan: plan{
			shape: shapeBacklog, table: Conversations, dims: byOpenConversation,
			kinds: []mirror.EventKind{mirror.KindClosed, mirror.KindReopened},
		},
	},
	{
		ID: "backlog_age", Title: "Age of the backlog", Unit: Seconds, Subject: "conversations",
		Meaning:    "How long ago the conversations of the backlog were created, at the end of the bucket. Times in which they were closed are included.",
		Population: "As for the backlog.",
		Missing:    "Never, as for the backlog. There is no age if nothing is open.",
		Aggregates: []Aggregate{AggregateMedian, AggregateMean, AggregateP90},
		PlacedBy:   []Date{DateMoment},
		Source:     ownDefinition,
		plan: plan{
			shape: shapeAge, table: Conversations, dims: byOpenConversation,
			kinds: []mirror.EventKind{mirror.KindClosed, mirror.KindReopened},
		},
	},
}

// inbound holds for conversations that the shop did not begin, as far as known.
var inbound = []Condition{{Column: FigureDirection, Operator: NoneOf, Texts: []string{claim.DirectionOutbound}}}
