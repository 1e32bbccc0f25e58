package dixa

import (
	"encoding/json"
	"strconv"

	jsonv1 "github.com/go-json-experiment/json/v1"
)

// Measure is a way to aggregate a metric. The set is open.
type Measure string

// Measures that Dixa documents.
const (
	MeasureMin        Measure = "Min"
	MeasureMax        Measure = "Max"
	MeasureSum        Measure = "Sum"
	MeasureCount      Measure = "Count"
	MeasurePercentage Measure = "Percentage"
	MeasureStdDev     Measure = "StdDev"
	MeasureAverage    Measure = "Average"
	// MeasureAgentPresenceDuration has a list of durations instead of a number.
	MeasureAgentPresenceDuration Measure = "AgentPresenceDuration"
)

// Metric describes a metric.
type Metric struct {
	ID          string `json:"id"`
	Description string `json:"description,omitempty"`
	// Filters are the attributes by which the metric can be filtered.
	Filters []FilterDefinition `json:"filters,omitzero"`
	// Aggregations are the measures of the metric.
	Aggregations []MeasureDefinition `json:"aggregations,omitzero"`
	// RelatedRecordIDs are the records that the metric is computed from.
	RelatedRecordIDs []string `json:"relatedRecordIds,omitzero"`
	Extra            Extra    `json:"-"`
}

func (m *Metric) identified() bool { return m.ID != "" }

// UnmarshalJSON keeps unknown members in Extra.
func (m *Metric) UnmarshalJSON(b []byte) error { return decodeOpen(b, m) }

// MarshalJSON also writes the members in Extra.
func (m Metric) MarshalJSON() ([]byte, error) { return encodeOpen(m) }

// FilterDefinition is an attribute by which a metric or record can be filtered, such as
// "agent_id", "queue_id", "channel", "initial_direction", "tag_id" or "contact_point".
type FilterDefinition struct {
	Attribute   string `json:"filterAttribute"`
	Description string `json:"description,omitempty"`
	Extra       Extra  `json:"-"`
}

// UnmarshalJSON keeps unknown members in Extra.
func (d *FilterDefinition) UnmarshalJSON(b []byte) error { return decodeOpen(b, d) }

// MarshalJSON also writes the members in Extra.
func (d FilterDefinition) MarshalJSON() ([]byte, error) { return encodeOpen(d) }

// MeasureDefinition is a measure of a metric.
type MeasureDefinition struct {
	Measure     Measure `json:"measure"`
	Description string  `json:"description,omitempty"`
	Extra       Extra   `json:"-"`
}

// UnmarshalJSON keeps unknown members in Extra.
func (d *MeasureDefinition) UnmarshalJSON(b []byte) error { return decodeOpen(b, d) }

// MarshalJSON also writes the members in Extra.
func (d MeasureDefinition) MarshalJSON() ([]byte, error) { return encodeOpen(d) }

// RecordDefinition describes a kind of record.
type RecordDefinition struct {
	ID          string `json:"id"`
	Description string `json:"description"`
	// Filters are the attributes by which the records can be filtered.
	Filters []FilterDefinition `json:"filters,omitzero"`
	// RelatedMetricIDs are the metrics that are computed from the records.
	RelatedMetricIDs []string          `json:"relatedMetricIds,omitzero"`
	Fields           []FieldDefinition `json:"fieldsMetadata,omitzero"`
	Extra            Extra             `json:"-"`
}

func (d *RecordDefinition) identified() bool { return d.ID != "" }

// UnmarshalJSON keeps unknown members in Extra.
func (d *RecordDefinition) UnmarshalJSON(b []byte) error { return decodeOpen(b, d) }

// MarshalJSON also writes the members in Extra.
func (d RecordDefinition) MarshalJSON() ([]byte, error) { return encodeOpen(d) }

// FieldDefinition is a field of a kind of record.
type FieldDefinition struct {
	Field       string `json:"field"`
	Description string `json:"description"`
	Nullable    bool   `json:"nullable"`
	Extra       Extra  `json:"-"`
}

// UnmarshalJSON keeps unknown members in Extra.
func (d *FieldDefinition) UnmarshalJSON(b []byte) error { return decodeOpen(b, d) }

// MarshalJSON also writes the members in Extra.
func (d FieldDefinition) MarshalJSON() ([]byte, error) { return encodeOpen(d) }

// FilterValue is a value of a filter's attribute.
type FilterValue struct {
	Value string `json:"value"`
	// Label is the value's name for people.
	Label string `json:"label,omitempty"`
	Extra Extra  `json:"-"`
}

func (v *FilterValue) identified() bool { return v.Value != "" }

// UnmarshalJSON keeps unknown members in Extra.
func (v *FilterValue) UnmarshalJSON(b []byte) error { return decodeOpen(b, v) }

// MarshalJSON also writes the members in Extra.
func (v FilterValue) MarshalJSON() ([]byte, error) { return encodeOpen(v) }

// MetricData is the result of a query of a metric.
type MetricData struct {
	ID         string      `json:"id"`
	Aggregates []Aggregate `json:"aggregates,omitzero"`
	Extra      Extra       `json:"-"`
}

func (d *MetricData) identified() bool { return d.ID != "" }

// UnmarshalJSON keeps unknown members in Extra.
func (d *MetricData) UnmarshalJSON(b []byte) error { return decodeOpen(b, d) }

// MarshalJSON also writes the members in Extra.
func (d MetricData) MarshalJSON() ([]byte, error) { return encodeOpen(d) }

// Number returns the value of a measure. ok is false if the result does not have it;
// whether it does without events, such as a percentage of nothing, is undocumented.
func (d *MetricData) Number(m Measure) (value float64, ok bool) {
	for _, aggregate := range d.Aggregates {
		if aggregate.Measure == m {
			return aggregate.Number()
		}
	}
	return 0, false
}

// Aggregate is the value of one measure.
type Aggregate struct {
	// Type is "LongAggregateValue", "DoubleAggregateValue" or
	// "AgentPresenceDurationValue".
	Type string `json:"_type"`
	// Measure is empty for an AgentPresenceDurationValue.
	Measure Measure `json:"measure,omitempty"`
	// Value is a number, or a list of PresenceDurations.
	Value       json.RawMessage `json:"value,omitempty"`
	Description string          `json:"description,omitempty"`
	Extra       Extra           `json:"-"`
}

// UnmarshalJSON keeps unknown members in Extra.
func (a *Aggregate) UnmarshalJSON(b []byte) error { return decodeOpen(b, a) }

// MarshalJSON also writes the members in Extra.
func (a Aggregate) MarshalJSON() ([]byte, error) { return encodeOpen(a) }

// Number returns the value if it is a number.
func (a Aggregate) Number() (value float64, ok bool) { return rawNumber(a.Value) }

// PresenceDurations returns the value if it is a list of durations.
func (a Aggregate) PresenceDurations() (durations []PresenceDuration, ok bool) {
	ok = jsonv1.Unmarshal(a.Value, &durations) == nil && durations != nil
	return durations, ok
}

// PresenceDuration is how long agents had a presence status. Dixa does not document the
// unit.
type PresenceDuration struct {
	Value  float64        `json:"value"`
	Status PresenceStatus `json:"status"`
	Extra  Extra          `json:"-"`
}

// UnmarshalJSON keeps unknown members in Extra.
func (d *PresenceDuration) UnmarshalJSON(b []byte) error { return decodeOpen(b, d) }

// MarshalJSON also writes the members in Extra.
func (d PresenceDuration) MarshalJSON() ([]byte, error) { return encodeOpen(d) }

// PresenceStatus is a presence status of agents.
type PresenceStatus struct {
	Status      string `json:"status"`
	Description string `json:"description,omitempty"`
	Extra       Extra  `json:"-"`
}

// UnmarshalJSON keeps unknown members in Extra.
func (s *PresenceStatus) UnmarshalJSON(b []byte) error { return decodeOpen(b, s) }

// MarshalJSON also writes the members in Extra.
func (s PresenceStatus) MarshalJSON() ([]byte, error) { return encodeOpen(s) }

func rawNumber(raw json.RawMessage) (value float64, ok bool) {
	value, err := strconv.ParseFloat(string(raw), 64)
	return value, err == nil
}
