package kpi

import (
	"context"
	"iter"
	"strings"

	"github.com/claimflow/claimflow/mirror"
)

// Table is what a [Query] reads.
type Table string

// Tables of a [Source].
const (
	// Conversations has one row per conversation.
	Conversations Table = "figures"
	// Events has one row per dated occurrence, joined with the figures of its
	// conversation.
	Events Table = "figure_events"
	// Claims has one row per claim, see [ClaimFact].
	Claims Table = "claim_facts"
	// Parkings has one row per time that a claim was parked, joined with its claim.
	Parkings Table = "claim_parkings"
	// Presences has one row per agent and sample, see [PresenceSample].
	Presences Table = "presence_samples"
)

// Column is a column of a [Source], qualified by its table. Times are in microseconds
// since 1970, 0 if there is none; durations are in microseconds; counts and durations
// are NULL if they are unknown.
type Column string

// Columns of the figures of a conversation, see [mirror.Figures].
const (
	FigureID                Column = "figures.conversation_id"
	FigureCreatedAt         Column = "figures.created_at"
	FigureChannel           Column = "figures.channel"
	FigureDirection         Column = "figures.direction"
	FigureStatus            Column = "figures.status"
	FigureQueue             Column = "figures.queue_id"
	FigureAssignee          Column = "figures.assignee_id"
	FigureFirstInboundAt    Column = "figures.first_inbound_at"
	FigureFirstResponseAt   Column = "figures.first_response_at"
	FigureFirstResponseBy   Column = "figures.first_response_by"
	FigureAgentReplies      Column = "figures.agent_replies"
	FigureAutomatedMessages Column = "figures.automated_messages"
	FigureCustomerMessages  Column = "figures.customer_messages"
	FigureNotes             Column = "figures.notes"
	FigureQueueTime         Column = "figures.queue_time"
	FigureHandlingTime      Column = "figures.handling_time"
	FigureFirstAssignedAt   Column = "figures.first_assigned_at"
	FigureFirstClosedAt     Column = "figures.first_closed_at"
	FigureLastClosedAt      Column = "figures.last_closed_at"
	FigureCloses            Column = "figures.closes"
	FigureReopens           Column = "figures.reopens"
	FigureTransfers         Column = "figures.transfers"
	FigureAssignments       Column = "figures.assignments"
	FigureLastActivityAt    Column = "figures.last_activity_at"
	FigureAnonymizedAt      Column = "figures.anonymized_at"
)

// Columns of a dated occurrence, see [mirror.FigureEvent].
const (
	EventID    Column = "figure_events.conversation_id"
	EventAt    Column = "figure_events.at"
	EventKind  Column = "figure_events.kind"
	EventAgent Column = "figure_events.agent_id"
	EventQueue Column = "figure_events.queue_id"
	EventType  Column = "figure_events.type"
	EventValue Column = "figure_events.value"
)

// TagName is the name of a tag of the conversation. A conversation without tags has
// the one tag "". As [Query.Group], the row appears once per tag. In a [Condition],
// any of the tags can fulfill it, and the row appears once.
const TagName Column = "conversation_tags.tag"

// Columns of a claim, see [ClaimFact].
const (
	ClaimShop         Column = "claim_facts.shop"
	ClaimID           Column = "claim_facts.id"
	ClaimReason       Column = "claim_facts.reason"
	ClaimCarrier      Column = "claim_facts.carrier"
	ClaimPhase        Column = "claim_facts.phase"
	ClaimStatus       Column = "claim_facts.status"
	ClaimResolution   Column = "claim_facts.resolution"
	ClaimCustomer     Column = "claim_facts.customer"
	ClaimAcceptedAt   Column = "claim_facts.accepted_at"
	ClaimOpenedAt     Column = "claim_facts.opened_at"
	ClaimFirstReplyAt Column = "claim_facts.first_reply_at"
	ClaimClosedAt     Column = "claim_facts.closed_at"
	ClaimSettledAt    Column = "claim_facts.settled_at"
	ParkingCause      Column = "claim_parkings.cause"
	ParkingAt         Column = "claim_parkings.at"
)

// Columns of a sample of an agent's presence, see [PresenceSample]. PresenceWorking is
// 1 or 0.
const (
	PresenceAgent   Column = "presence_samples.agent_id"
	PresenceAt      Column = "presence_samples.at"
	PresenceWorking Column = "presence_samples.working"
)

// Table returns the name of the column's table.
func (c Column) Table() string {
	table, _, _ := strings.Cut(string(c), ".")
	return table
}

// Name returns the column's name without its table.
func (c Column) Name() string {
	_, name, _ := strings.Cut(string(c), ".")
	return name
}

// Operator compares a column with the values of a [Condition].
type Operator string

// Operators of a [Condition].
const (
	// OneOf holds if the text equals one of the condition's texts. With no texts it
	// never holds. A NULL text equals "".
	OneOf Operator = "one_of"
	// NoneOf holds if the text equals none of the condition's texts.
	NoneOf Operator = "none_of"
	// Equals holds if the number equals the condition's. NULL never does.
	Equals Operator = "equals"
	// AtLeast holds if the number is not less than the condition's. NULL never is.
	AtLeast Operator = "at_least"
	// Unknown holds if the number is NULL.
	Unknown Operator = "unknown"
)

// Condition restricts the rows of a [Query].
type Condition struct {
	Column   Column
	Operator Operator
	// Texts belong to [OneOf] and [NoneOf], Number to [Equals] and [AtLeast].
	Texts  []string
	Number int64
}

// Query asks a [Source] for rows. Columns that are empty are not asked for.
type Query struct {
	Table Table
	// Kinds are the kinds of events; only for [Events], where there is at least one.
	Kinds []mirror.EventKind
	// Date is the column of [Observation.At]. Rows whose date is before From, not
	// before To, or missing are left out. Both bounds are in microseconds since 1970;
	// 0 is no bound.
	Date     Column
	From, To int64
	// IDs restricts the rows to those of some conversations; nil for all. Only for
	// [Conversations] and [Events].
	IDs []int64
	// Where lists conditions that must all hold.
	Where []Condition
	// Group, Key, Start and End are the columns of the parts of an [Observation] with
	// the same names, and Values and Labels those of its values and labels, at most two
	// of each.
	Group, Key Column
	Start, End Column
	Values     []Column
	Labels     []Column
}

// Number is an integer that may be unknown.
type Number struct {
	N     int64
	Known bool
}

// Observation is a row of the answer to a [Query]. Times are in microseconds since
// 1970, 0 if there is none.
type Observation struct {
	// ID is the conversation's id. For claims and parkings it is [ClaimNumber], for
	// presences the time of the sample.
	ID int64
	At int64
	// Kind is the kind of the event; only for [Events].
	Kind       mirror.EventKind
	Group, Key string
	Start, End int64
	Values     [2]Number
	// Labels are texts that say more about the row.
	Labels [2]string
}

// Source answers queries. The rows are in any order. An error ends them.
type Source interface {
	Observe(ctx context.Context, q Query) iter.Seq2[Observation, error]
}
