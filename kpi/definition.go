package kpi

import (
	"slices"

	"github.com/claimflow/claimflow/mirror"
)

// Unit is the unit of a value.
type Unit string

// Units.
const (
	// Count is a number of things.
	Count Unit = "count"
	// Seconds is a duration in seconds, with fractions.
	Seconds Unit = "seconds"
	// Percent is from 0 to 100.
	Percent Unit = "percent"
	// Score is a net promoter score from -100 to 100.
	Score Unit = "score"
	// Ratio is a number of things per other thing.
	Ratio Unit = "ratio"
)

// Aggregate is a way to turn the values of a bucket into one.
type Aggregate string

// Aggregates. A percentile is by nearest rank: the smallest value such that at least
// that share of all values is not greater. It is always a value that occurred.
const (
	AggregateCount  Aggregate = "count"  // how many
	AggregateSum    Aggregate = "sum"    // the total
	AggregateMean   Aggregate = "mean"   // the arithmetic mean
	AggregateMedian Aggregate = "median" // the 50th percentile
	AggregateP90    Aggregate = "p90"    // the 90th percentile
	AggregateShare  Aggregate = "share"  // 100 × part ÷ whole
	AggregateNet    Aggregate = "net"    // 100 × (part - opposite part) ÷ whole
	AggregateRate   Aggregate = "rate"   // number per hour or per agent
)

// Dimension is a property by which a figure can be grouped and filtered.
type Dimension string

// Dimensions.
const (
	ByChannel    Dimension = "channel"
	ByDirection  Dimension = "direction"
	ByQueue      Dimension = "queue"
	ByAgent      Dimension = "agent"
	ByTeam       Dimension = "team"
	ByTag        Dimension = "tag"
	ByShop       Dimension = "shop"
	ByReason     Dimension = "reason"
	ByCarrier    Dimension = "carrier"
	ByPhase      Dimension = "phase"
	ByStatus     Dimension = "status"
	ByResolution Dimension = "resolution"
	ByCause      Dimension = "cause"
)

// Date is the kind of date that places a conversation, event or claim in a period.
type Date string

// Dates.
const (
	DateEvent         Date = "event"          // when the occurrence happened
	DateMoment        Date = "moment"         // the end of the bucket
	DateCreated       Date = "created"        // when the conversation was created
	DateFirstInbound  Date = "first_inbound"  // when the customer first wrote
	DateFirstResponse Date = "first_response" // when an agent first replied
	DateFirstAssigned Date = "first_assigned" // when it was first assigned
	DateFirstClosed   Date = "first_closed"   // when it was first closed
	DateLastClosed    Date = "last_closed"    // when it was last closed
	DateAccepted      Date = "accepted"       // when Claimflow accepted the claim
	DateOpened        Date = "opened"         // when the claim's conversation opened
	DateFirstReply    Date = "first_reply"    // when an agent first replied to the claim
	DateClosed        Date = "closed"         // when the claim's conversation last closed
	DateSettled       Date = "settled"        // when the claim settled
)

// Hours is the clock by which durations are measured.
type Hours string

// Clocks.
const (
	// ClockHours counts all time.
	ClockHours Hours = "clock"
	// BusinessHours counts the time in which the schedule is open, see [History].
	BusinessHours Hours = "business"
)

// Definition says what a figure is. Its slices are shared and must not be changed.
type Definition struct {
	ID    string `json:"id"`
	Title string `json:"title"`
	// Meaning says in words what the value is.
	Meaning string `json:"meaning"`
	Unit    Unit   `json:"unit"`
	// Subject is what [BucketValue.Count] counts: conversations or claims.
	Subject string `json:"subject"`
	// Population says in words which of them the figure covers.
	Population string `json:"population"`
	// Missing says when the value of one of them is unknown. [BucketValue.Missing]
	// counts those.
	Missing string `json:"missing,omitempty"`
	// Aggregates are what a bucket has. The first is its value.
	Aggregates []Aggregate `json:"aggregates"`
	// PlacedBy are the dates that can place it in a period. The first is the default.
	PlacedBy []Date `json:"placed_by"`
	// Dimensions are what it can be grouped and filtered by.
	Dimensions []Dimension `json:"dimensions"`
	// Hours are the clocks that it can be measured by. The first is the default.
	Hours []Hours `json:"hours"`
	// Buckets are the buckets that it can be split into. The first is the default.
	Buckets []Bucket `json:"buckets"`
	// WithinDays is the default of the parameter within_days; nil if the figure has
	// no such parameter. 0 is no limit.
	WithinDays *int `json:"within_days,omitempty"`
	// Distinct says in words what [BucketValue.Distinct] counts.
	Distinct string `json:"distinct,omitempty"`
	// Source names the published definition that it follows.
	Source string `json:"source"`
	// Dixa is the id of Dixa's own metric of the same meaning, if one is published.
	Dixa string `json:"dixa_metric,omitempty"`

	plan plan
}

// AboutClaims reports whether the figure is computed from claims alone. Such figures can be
// limited to the claims of a shop.
func (d *Definition) AboutClaims() bool { return d.plan.table == Claims || d.plan.table == Parkings }

// plan says how a definition is computed.
type plan struct {
	shape shape
	table Table
	kinds []mirror.EventKind
	where []Condition
	// start and end are the instants of a duration.
	start, end Column
	// values are added up, except by functions in part.
	values []Column
	key    Column
	dims   []dimension
	// part says for a share whether an observation is a part of it: 1 if so, -1 if it
	// is of the opposite part, which only a net share has.
	part func(*Observation) (part int, known bool)
}

// dimension is a dimension of a definition with its column.
type dimension struct {
	dimension Dimension
	column    Column
}

// shape is the way in which a figure is computed from its observations.
type shape int

const (
	shapeTally    shape = iota // the number of observations
	shapePerHour               // the number of observations per hour of the bucket
	shapePerKey                // the number of observations per different key
	shapeSpread                // mean and percentiles of a duration or sum of values
	shapeShare                 // the share of observations that are part
	shapeOneTouch              // cohort.go
	shapeReopened              // cohort.go
	shapeAnswered              // cohort.go
	shapeRepeated              // cohort.go
	shapeBacklog               // level.go
	shapeAge                   // level.go
	shapeLoad                  // level.go
)

// level says that the shape is a state at the end of the bucket.
func (s shape) level() bool { return s == shapeBacklog || s == shapeAge || s == shapeLoad }

// All returns every definition, in the order of the documentation.
func All() []Definition { return slices.Clone(definitions) }

// ByID returns the definition with an id and whether there is one.
func ByID(id string) (Definition, bool) {
	i := slices.IndexFunc(definitions, func(d Definition) bool { return d.ID == id })
	if i < 0 {
		return Definition{}, false
	}
	return definitions[i], true
}

var definitions = complete(volumeDefinitions, durationDefinitions, messageDefinitions, qualityDefinitions,
	ratingDefinitions, agentDefinitions, claimDefinitions)

// complete joins tables of definitions and fills in what follows from the other
// fields.
func complete(tables ...[]Definition) []Definition {
	all := slices.Concat(tables...)
	for i := range all {
		d := &all[i]
		for _, dim := range d.plan.dims {
			d.Dimensions = append(d.Dimensions, dim.dimension)
			if dim.dimension == ByAgent {
				d.Dimensions = append(d.Dimensions, ByTeam)
			}
		}
		if d.Hours == nil {
			d.Hours = []Hours{ClockHours}
			if d.plan.end != "" && d.plan.shape == shapeSpread {
				d.Hours = append(d.Hours, BusinessHours)
			}
		}
		if d.Buckets == nil {
			d.Buckets = slices.Clone(buckets)
			if d.plan.shape.level() {
				d.Buckets = slices.DeleteFunc(d.Buckets, func(b Bucket) bool { return b == BucketHourOfWeek })
			}
		}
	}
	return all
}

// column returns the column of a dimension. That of a team is its agents' column.
func (d *Definition) column(by Dimension) (Column, bool) {
	if by == ByTeam {
		by = ByAgent
	}
	for _, dim := range d.plan.dims {
		if dim.dimension == by {
			return dim.column, true
		}
	}
	return "", false
}

// dateColumn returns the column of a date that the definition offers.
func (d *Definition) dateColumn(date Date) Column {
	switch {
	case date == DateEvent && d.plan.table == Parkings:
		return ParkingAt
	case date == DateEvent && d.plan.table == Presences:
		return PresenceAt
	}
	return dateColumns[date]
}

var dateColumns = map[Date]Column{
	DateEvent: EventAt, DateCreated: FigureCreatedAt, DateFirstInbound: FigureFirstInboundAt,
	DateFirstResponse: FigureFirstResponseAt, DateFirstAssigned: FigureFirstAssignedAt,
	DateFirstClosed: FigureFirstClosedAt, DateLastClosed: FigureLastClosedAt,
	DateAccepted: ClaimAcceptedAt, DateOpened: ClaimOpenedAt, DateFirstReply: ClaimFirstReplyAt,
	DateClosed: ClaimClosedAt, DateSettled: ClaimSettledAt,
}
