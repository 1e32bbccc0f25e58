package dixa

import (
	"encoding/json"
	"strconv"
	"strings"

	jsonv1 "github.com/go-json-experiment/json/v1"
)

// AnalyticsRecord is one event, such as the closing of a conversation.
type AnalyticsRecord struct {
	// At is the time that puts the record into a period, with the name of its field.
	At RecordTime `json:"primaryTimestampField"`
	// Value is the number of the record, such as a score or a duration. Dixa does not
	// document its unit.
	Value  *FieldValue   `json:"value,omitempty"`
	Fields []RecordField `json:"fields,omitzero"`
	Extra  Extra         `json:"-"`
}

func (r *AnalyticsRecord) identified() bool { return !r.At.Timestamp.IsZero() }

// UnmarshalJSON keeps unknown members in Extra.
func (r *AnalyticsRecord) UnmarshalJSON(b []byte) error { return decodeOpen(b, r) }

// MarshalJSON also writes the members in Extra.
func (r AnalyticsRecord) MarshalJSON() ([]byte, error) { return encodeOpen(r) }

// Field returns the first of the named fields that has a value. The names in Dixa's
// catalogue and in its example data differ: conversation_id and csid, queue_id and
// queue.
func (r *AnalyticsRecord) Field(names ...string) (value *FieldValue, ok bool) {
	for _, name := range names {
		for _, field := range r.Fields {
			if field.Name == name && field.Value != nil {
				return field.Value, true
			}
		}
	}
	return nil, false
}

// ConversationID returns the id of the record's conversation.
func (r *AnalyticsRecord) ConversationID() (id int64, ok bool) {
	value, ok := r.Field("conversation_id", "csid")
	if !ok {
		return 0, false
	}
	return value.Int64()
}

// RecordTime is a named time.
type RecordTime struct {
	Name      string `json:"name"`
	Timestamp Time   `json:"timestamp"`
	Extra     Extra  `json:"-"`
}

// UnmarshalJSON keeps unknown members in Extra.
func (t *RecordTime) UnmarshalJSON(b []byte) error { return decodeOpen(b, t) }

// MarshalJSON also writes the members in Extra.
func (t RecordTime) MarshalJSON() ([]byte, error) { return encodeOpen(t) }

// RecordField is a field of a record.
type RecordField struct {
	Name string `json:"name"`
	// Value is nil if the field is empty. Dixa may omit an empty field altogether.
	Value *FieldValue `json:"field,omitempty"`
	Extra Extra       `json:"-"`
}

// UnmarshalJSON keeps unknown members in Extra.
func (f *RecordField) UnmarshalJSON(b []byte) error { return decodeOpen(b, f) }

// MarshalJSON also writes the members in Extra.
func (f RecordField) MarshalJSON() ([]byte, error) { return encodeOpen(f) }

// FieldValue is the value of a field. Use the method that fits its Type.
type FieldValue struct {
	// Type is "BooleanField", "DoubleField", "InstantField", "IntField", "ListField",
	// "LongField", "StringField", "TimestampField" or "UUIDField".
	Type string `json:"_type"`
	// Value is set except for a ListField and a TimestampField.
	Value json.RawMessage `json:"value,omitempty"`
	// Label is the name of a StringField or UUIDField for people.
	Label string `json:"label,omitempty"`
	// Values are those of a ListField.
	Values []FieldValue `json:"values,omitzero"`
	// Name and Timestamp belong to a TimestampField.
	Name      string `json:"name,omitempty"`
	Timestamp Time   `json:"timestamp,omitzero"`
	Extra     Extra  `json:"-"`
}

// UnmarshalJSON keeps unknown members in Extra.
func (v *FieldValue) UnmarshalJSON(b []byte) error { return decodeOpen(b, v) }

// MarshalJSON also writes the members in Extra.
func (v FieldValue) MarshalJSON() ([]byte, error) { return encodeOpen(v) }

// Text returns the value as text: a string without quotes, and a number or truth value
// as in JSON. It is empty for a list.
func (v FieldValue) Text() string {
	var text string
	if jsonv1.Unmarshal(v.Value, &text) == nil {
		return text
	}
	return string(v.Value)
}

// Int64 returns the value if it is a whole number.
func (v FieldValue) Int64() (value int64, ok bool) {
	value, err := strconv.ParseInt(string(v.Value), 10, 64)
	return value, err == nil
}

// Float64 returns the value if it is a number.
func (v FieldValue) Float64() (value float64, ok bool) { return rawNumber(v.Value) }

// Bool returns the value if it is a truth value.
func (v FieldValue) Bool() (value, ok bool) {
	value, err := strconv.ParseBool(string(v.Value))
	return value, err == nil && len(v.Value) > 1 // 1 and 0 are numbers
}

// Time returns the value if it is a time.
func (v FieldValue) Time() (value Time, ok bool) {
	if !v.Timestamp.IsZero() {
		return v.Timestamp, true
	}
	text := v.Text()
	if !strings.Contains(text, "-") {
		return Time{}, false // ParseTime would read a number as Unix milliseconds
	}
	value, err := ParseTime(text)
	return value, err == nil && !value.IsZero()
}
