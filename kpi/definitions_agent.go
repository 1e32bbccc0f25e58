package kpi

import "github.com/claimflow/claimflow/mirror"

var agentDefinitions = []Definition{
	{
		ID: "agent_load", Title: "Agent load", Unit: Count, Subject: "conversations",
		Meaning: "How many open conversations were assigned to an agent at the end of the bucket, replayed from assignments, closes and reopens. Pending conversations are open. " +
			"A conversation that is reopened is with its last agent again, unless it was unassigned.",
		Population: "Conversations that were open and assigned at the end of the bucket. The queue is the current one.",
		Missing:    "Never: an assignment of which there is no record does not count.",
		Aggregates: []Aggregate{AggregateCount},
		PlacedBy:   []Date{DateMoment},
		Source:     ownDefinition,
		plan: plan{
			shape: shapeLoad, table: Conversations, key: EventAgent,
			kinds: []mirror.EventKind{mirror.KindAssigned, mirror.KindUnassigned, mirror.KindClosed, mirror.KindReopened},
			dims: []dimension{
				{ByChannel, FigureChannel},
				{ByDirection, FigureDirection},
				{ByQueue, FigureQueue},
				{ByAgent, EventAgent},
				{ByTag, TagName},
			},
		},
	},
	{
		ID: "replies_per_agent", Title: "Agent replies per agent", Unit: Ratio, Subject: "conversations",
		Meaning:    "How many messages an agent wrote to customers, on average over the agents who wrote any.",
		Population: "Messages to customers that are not automatic.",
		Missing:    "The agent who wrote it is unknown.",
		Aggregates: []Aggregate{AggregateRate},
		PlacedBy:   []Date{DateEvent, DateCreated},
		Distinct:   "different agents",
		Source:     ownDefinition,
		plan: plan{
			shape: shapePerKey, table: Events, dims: byEvent, key: EventAgent,
			kinds: []mirror.EventKind{mirror.KindReply},
		},
	},
	{
		ID: "assignments_per_agent", Title: "Assignments per agent", Unit: Ratio, Subject: "conversations",
		Meaning:    "How often a conversation was assigned to an agent, on average over the agents who were assigned any.",
		Population: "Assignments.",
		Missing:    "The assigned agent is unknown.",
		Aggregates: []Aggregate{AggregateRate},
		PlacedBy:   []Date{DateEvent, DateCreated},
		Distinct:   "different agents",
		Source:     "Dixa, metric \"conversation_assignments_per_agent\" (sum ÷ count)",
		Dixa:       "conversation_assignments_per_agent",
		plan: plan{
			shape: shapePerKey, table: Events, dims: byEvent, key: EventAgent,
			kinds: []mirror.EventKind{mirror.KindAssigned},
		},
	},
	{
		ID: "agent_presence", Title: "Agent presence", Unit: Percent, Subject: "samples",
		Meaning: "The share of the samples in which an agent was online and working. Claimflow samples all agents at every import of the directory, so it is as exact as imports are frequent. " +
			"By hour of week it shows when agents are there.",
		Population: "Samples of agents since the first import of the directory. Dixa does not tell earlier presence.",
		Missing:    "Never: a time without a sample does not count.",
		Aggregates: []Aggregate{AggregateShare},
		PlacedBy:   []Date{DateEvent},
		Source:     "Dixa, GET /agents/presence",
		plan: plan{
			shape: shapeShare, table: Presences, dims: []dimension{{ByAgent, PresenceAgent}}, values: []Column{PresenceWorking},
			part: func(o *Observation) (int, bool) { return one(o.Values[0].N == 1), o.Values[0].Known },
		},
	},
}
