package kpi

import "github.com/claimflow/claimflow/mirror"

var spreadOfNumbers = []Aggregate{AggregateMean, AggregateMedian, AggregateP90, AggregateSum}

var messageDefinitions = []Definition{
	{
		ID: "agent_replies", Title: "Agent replies", Unit: Count, Subject: "conversations",
		Meaning:    "How many messages agents wrote to customers. Automatic messages and internal notes do not count. The agent is the one who wrote it.",
		Population: "Messages to customers that are not automatic.",
		Missing:    "Never: a message of which there is no record does not count.",
		Aggregates: []Aggregate{AggregateCount},
		PlacedBy:   []Date{DateEvent, DateCreated},
		Distinct:   "different conversations",
		Source:     "Plecto's Dixa source, \"number of agents replies\"",
		plan:       plan{shape: shapeTally, table: Events, kinds: []mirror.EventKind{mirror.KindReply}, dims: byEvent},
	},
	{
		ID: "replies_per_conversation", Title: "Agent replies per conversation", Unit: Ratio, Subject: "conversations",
		Meaning:    "How many messages agents wrote to the customer in a conversation.",
		Population: "All conversations, including those without a reply.",
		Missing:    missingMessages,
		Aggregates: spreadOfNumbers,
		PlacedBy:   []Date{DateCreated, DateLastClosed},
		Source:     ownDefinition,
		plan:       plan{shape: shapeSpread, table: Conversations, dims: byConversation, values: []Column{FigureAgentReplies}},
	},
	{
		ID: "customer_messages", Title: "Customer messages per conversation", Unit: Ratio, Subject: "conversations",
		Meaning:    "How many messages the customer wrote in a conversation.",
		Population: "All conversations, including those without a message of the customer.",
		Missing:    missingMessages,
		Aggregates: spreadOfNumbers,
		PlacedBy:   []Date{DateCreated, DateLastClosed},
		Source:     ownDefinition,
		plan:       plan{shape: shapeSpread, table: Conversations, dims: byConversation, values: []Column{FigureCustomerMessages}},
	},
	{
		ID: "messages_per_conversation", Title: "Messages per conversation", Unit: Ratio, Subject: "conversations",
		Meaning:    "How many messages a conversation has: those of the customer and those of agents. Automatic messages and internal notes do not count.",
		Population: "All conversations.",
		Missing:    missingMessages,
		Aggregates: spreadOfNumbers,
		PlacedBy:   []Date{DateCreated, DateLastClosed},
		Source:     ownDefinition,
		plan: plan{
			shape: shapeSpread, table: Conversations, dims: byConversation,
			values: []Column{FigureAgentReplies, FigureCustomerMessages},
		},
	},
}
