package kpi

var spreadOfDurations = []Aggregate{AggregateMedian, AggregateMean, AggregateP90}

var durationDefinitions = []Definition{
	{
		ID: "first_response_time", Title: "First response time", Unit: Seconds, Subject: "conversations",
		Meaning: "How long a customer waited for the first human reply: from the first inbound message, or the creation if the conversation has none, to the first message to the customer that is not automatic. " +
			"The agent is the one who replied.",
		Population: "Inbound conversations. Those that the shop began are left out.",
		Missing:    "Nobody has replied yet, or the messages are incomplete.",
		Aggregates: spreadOfDurations,
		PlacedBy:   []Date{DateFirstResponse, DateCreated, DateFirstInbound},
		Source:     "Plain, \"first response time\" (start, human reply); Gorgias (period of the reply, no automatic messages); Intercom (median)",
		Dixa:       "first_response_time",
		plan: plan{
			shape: shapeSpread, table: Conversations, where: inbound,
			start: FigureFirstInboundAt, end: FigureFirstResponseAt,
			dims: []dimension{{ByChannel, FigureChannel}, {ByQueue, FigureQueue}, {ByAgent, FigureFirstResponseBy}, {ByTag, TagName}},
		},
	},
	{
		ID: "first_resolution_time", Title: "First resolution time", Unit: Seconds, Subject: "conversations",
		Meaning:    "How long it took to close a conversation for the first time, from its creation.",
		Population: "Conversations in both directions that were closed at least once.",
		Missing:    "It has not been closed, or the first close is unknown, because the activity log is incomplete.",
		Aggregates: spreadOfDurations,
		PlacedBy:   []Date{DateFirstClosed, DateCreated},
		Source:     "Zendesk, \"first resolution time\"; Intercom, \"time to first close\"",
		plan: plan{
			shape: shapeSpread, table: Conversations, dims: byConversation,
			start: FigureCreatedAt, end: FigureFirstClosedAt,
		},
	},
	{
		ID: "full_resolution_time", Title: "Full resolution time", Unit: Seconds, Subject: "conversations",
		Meaning:    "How long it took to close a conversation for the last time, from its creation. Times in which it was closed before a reopening are included.",
		Population: "Conversations in both directions that are closed.",
		Missing:    "It is not closed.",
		Aggregates: spreadOfDurations,
		PlacedBy:   []Date{DateLastClosed, DateCreated},
		Source:     "Zendesk, \"full resolution time\"; Intercom, \"time to last close\"; Redo (reopen cycles included)",
		plan: plan{
			shape: shapeSpread, table: Conversations, dims: byConversation,
			start: FigureCreatedAt, end: FigureLastClosedAt,
		},
	},
	{
		ID: "queue_time", Title: "Queue time", Unit: Seconds, Subject: "conversations",
		Meaning: "How long a conversation was open without an assigned agent, in total. Times in which it was pending or closed do not count. If the activity log is incomplete, it is the last time in a queue as Dixa reports it. " +
			"It is a sum of several times, so it is offered by the clock only.",
		Population: "Conversations that were assigned at least once.",
		Missing:    "The activity log is incomplete and Dixa does not report the times.",
		Aggregates: spreadOfDurations,
		PlacedBy:   []Date{DateFirstAssigned, DateCreated, DateLastClosed},
		Source:     ownDefinition + ", as the complement of the handling time",
		plan: plan{
			shape: shapeSpread, table: Conversations, dims: byConversation, values: []Column{FigureQueueTime},
			where: []Condition{{Column: FigureFirstAssignedAt, Operator: AtLeast, Number: 1}},
		},
	},
	{
		ID: "handling_time", Title: "Handling time", Unit: Seconds, Subject: "conversations",
		Meaning: "How long a conversation was open with an assigned agent, in total over all agents. Times in which it was pending or closed do not count. " +
			"It is a sum of several times, so it is offered by the clock only.",
		Population: "Closed conversations.",
		Missing:    missingLog,
		Aggregates: spreadOfDurations,
		PlacedBy:   []Date{DateLastClosed, DateCreated},
		Source:     "Intercom, \"handling time\" (open and assigned, counted at the close)",
		plan: plan{
			shape: shapeSpread, table: Conversations, dims: byConversation, values: []Column{FigureHandlingTime},
			where: closed,
		},
	},
	{
		ID: "handling_time_by_hour", Title: "Handling time by hour of week", Unit: Seconds, Subject: "conversations",
		Meaning: "How much work arrives in an hour of the week: the handling time of the conversations that were created in it. " +
			"With the arrivals per hour it gives the staff that is needed.",
		Population: "Closed inbound conversations.",
		Missing:    missingLog,
		Aggregates: []Aggregate{AggregateMean, AggregateMedian, AggregateP90},
		PlacedBy:   []Date{DateCreated, DateFirstInbound},
		Buckets:    []Bucket{BucketHourOfWeek, BucketHour, BucketDay, BucketWeek, BucketMonth, BucketQuarter, BucketYear, BucketNone},
		Source:     ownDefinition,
		plan: plan{
			shape: shapeSpread, table: Conversations, dims: byConversation, values: []Column{FigureHandlingTime},
			where: append(inbound[:1:1], closed...),
		},
	},
}

// closed holds for conversations that are closed.
var closed = []Condition{{Column: FigureLastClosedAt, Operator: AtLeast, Number: 1}}
