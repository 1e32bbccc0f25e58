package server

import (
	"cmp"
	"math"
	"slices"
)

type aggregateBody struct {
	Value   any    `json:"value"`
	Measure string `json:"measure"`
	Type    string `json:"_type"`
}

// queryMetric serves POST /analytics/metrics.
func (s *Server) queryMetric(c *call, input analyticsInput) (reply, error) {
	m, err := catalogued(metrics(), input.ID, func(m metric) string { return m.ID })
	if err != nil {
		return reply{}, err
	}
	wanted, err := s.factTest(c, input, m.Filters)
	if err != nil {
		return reply{}, err
	}
	asked, err := m.asked(input.Aggregations, c.switches.Analytics)
	if err != nil {
		return reply{}, err
	}
	facts := slices.DeleteFunc(m.facts(s, c), func(f fact) bool { return !wanted(f) })
	aggregates := []aggregateBody{}
	for _, name := range asked {
		value, defined := m.aggregate(facts, name)
		switch {
		case name == "Count":
			aggregates = append(aggregates, aggregateBody{int64(value), name, "LongAggregateValue"})
		case defined || c.switches.Analytics.NoData == "zero":
			aggregates = append(aggregates, aggregateBody{value, name, "DoubleAggregateValue"})
		}
	}
	return ok(map[string]any{"id": m.ID, "aggregates": aggregates})
}

// asked returns the measures to compute.
func (m metric) asked(names []string, switches AnalyticsSwitches) ([]string, error) {
	available := each(m.Aggregations, func(a aggregationBody) string { return a.Measure })
	if len(names) == 0 {
		switch switches.NoAggregations {
		case Rejected:
			return nil, bad(messageInvalid)
		case "none":
			return nil, nil
		}
		return available, nil
	}
	var asked []string
	for _, name := range names {
		if slices.Contains(available, name) {
			asked = append(asked, name)
		} else if switches.UnavailableAggregation == Rejected {
			return nil, bad(messageInvalid)
		}
	}
	return asked, nil
}

// measure aggregates the values of facts. The standard deviation is that of the whole
// population. defined is false if there is no such value without facts.
func measure(facts []fact, name string) (value float64, defined bool) {
	var values []float64
	for _, f := range facts {
		if f.value != nil {
			values = append(values, float64(*f.value))
		}
	}
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	switch {
	case name == "Count":
		return float64(len(facts)), true
	case name == "Sum":
		return sum, true
	case len(values) == 0:
		return 0, false
	case name == "Min":
		return slices.Min(values), true
	case name == "Max":
		return slices.Max(values), true
	}
	average := sum / float64(len(values))
	if name == "Average" {
		return average, true
	}
	spread := 0.0
	for _, v := range values {
		spread += (v - average) * (v - average)
	}
	return math.Sqrt(spread / float64(len(values))), true
}

// satisfied returns the share of scores 4 and 5, in percent.
func satisfied(facts []fact, _ string) (value float64, defined bool) {
	if len(facts) == 0 {
		return 0, false
	}
	count := 0
	for _, f := range facts {
		if *f.value >= 4 {
			count++
		}
	}
	return 100 * float64(count) / float64(len(facts)), true
}

// perAgent groups facts by agent: Count is the number of agents, Sum that of facts.
func perAgent(facts []fact, name string) (value float64, defined bool) {
	if name == "Sum" {
		return float64(len(facts)), true
	}
	agents := map[string]bool{}
	for _, f := range facts {
		agents[f.agent] = true
	}
	return float64(len(agents)), true
}

type timestampBody struct {
	Name      string `json:"name"`
	Timestamp string `json:"timestamp"`
}

type valueBody struct {
	Value any    `json:"value"`
	Label string `json:"label,omitempty"`
	Type  string `json:"_type"`
}

type recordFieldBody struct {
	Name  string     `json:"name"`
	Field *valueBody `json:"field,omitempty"`
}

type recordBody struct {
	At     timestampBody     `json:"primaryTimestampField"`
	Value  *valueBody        `json:"value,omitempty"`
	Fields []recordFieldBody `json:"fields"`
}

// queryRecords serves POST /analytics/records. A later page has the same body as the
// first.
func (s *Server) queryRecords(c *call, input analyticsInput) (reply, error) {
	kind, err := catalogued(recordKinds(), input.ID, func(r recordKind) string { return r.ID })
	if err != nil {
		return reply{}, err
	}
	wanted, err := s.factTest(c, input, kind.Filters)
	if err != nil {
		return reply{}, err
	}
	facts := slices.DeleteFunc(kind.facts(s, c), func(f fact) bool { return !wanted(f) })
	slices.SortStableFunc(facts, func(a, b fact) int {
		return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.conversation.ID, b.conversation.ID))
	})
	if c.switches.Analytics.RecordOrder == NewestFirst {
		slices.Reverse(facts)
	}
	return pageOf(c, "/analytics/records", 300, facts, func(f fact) recordBody { return s.recordBody(c, kind, f) })
}

func (s *Server) recordBody(c *call, kind recordKind, f fact) recordBody {
	body := recordBody{At: timestampBody{"created_at", millis(f.at)}, Fields: []recordFieldBody{}}
	if f.value != nil {
		body.Value = &valueBody{Value: *f.value, Type: "LongField"}
	}
	add := func(name string, value *valueBody) {
		if value != nil || c.switches.Analytics.EmptyFields == "named" {
			body.Fields = append(body.Fields, recordFieldBody{name, value})
		}
	}
	if c.switches.Analytics.RecordFields == "examples" {
		add("csid", &valueBody{Value: f.conversation.ID, Type: "LongField"})
		channel := &valueBody{upperSnake(f.conversation.Channel), analyticsLabel(f.conversation.Channel), "StringField"}
		if f.value != nil {
			add("current_channel", channel)
			add("queue", s.queueField(f.queue))
			return body
		}
		add("initial_direction", &valueBody{upperSnake(f.conversation.Direction), f.conversation.Direction, "StringField"})
		add("initial_channel", channel)
		if point := f.conversation.ContactPoint; point != "" {
			add("contact_point", &valueBody{point, point, "StringField"})
		}
		return body
	}
	if kind.ID == closedConversations {
		body.At.Name = "closed_at"
		add("closed_at", &valueBody{Value: millis(f.at), Type: "InstantField"})
	}
	add("conversation_id", &valueBody{Value: f.conversation.ID, Type: "LongField"})
	add("agent_id", s.agentField(f.agent))
	add("queue_id", s.queueField(f.queue))
	if f.closedBy != "" {
		add("closed_by", &valueBody{Value: f.closedBy, Type: "StringField"})
	}
	return body
}

func (s *Server) agentField(id string) *valueBody {
	if id == "" {
		return nil
	}
	field := &valueBody{Value: id, Type: "UUIDField"}
	if agent := s.agent(id); agent != nil {
		field.Label = agent.DisplayName
	}
	return field
}

func (s *Server) queueField(id string) *valueBody {
	if id == "" {
		return nil
	}
	field := &valueBody{Value: id, Type: "UUIDField"}
	if queue := s.queue(id); queue != nil {
		field.Label = queue.Name
	}
	return field
}
