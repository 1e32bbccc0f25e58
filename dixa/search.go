package dixa

import (
	"context"
	"iter"
)

const searchPath = "/search/conversations"

// SearchQuery selects conversations by text, by conditions, or both.
type SearchQuery struct {
	Text string
	// ExactMatch requires an exact match of Text.
	ExactMatch bool
	// MatchAny requires only one of the Conditions to match instead of all.
	MatchAny   bool
	Conditions []SearchCondition
	// PageLimit is the page size, at most 50; 0 uses Dixa's default.
	PageLimit int
}

// SearchCondition is a condition on one field.
type SearchCondition struct {
	// Field is one of AgentId, AssignedDate, Channel, ClosedDate, ContactId,
	// ConversationId, CreationDate, CustomAttribute, Direction, Duration,
	// LastActivity, LastMessage, QueueId, Status and TagId. Channel, Direction and
	// Status take lower-case values, such as "email" and "open".
	Field string `json:"_type"`
	// AttributeID is the definition's id if Field is CustomAttribute.
	AttributeID string         `json:"attributeId,omitempty"`
	Operator    SearchOperator `json:"operator"`
}

// SearchOperator compares a field. Create it with the functions below. Dixa's
// reference lists the operators that each field supports.
type SearchOperator struct {
	Type string `json:"_type"`
	// Values is a []string, or a [][]string of option paths for CustomAttribute.
	Values        any    `json:"values,omitempty"`
	Timestamp     Time   `json:"timestamp,omitzero"`
	TimestampFrom Time   `json:"timestampFrom,omitzero"`
	TimestampTo   Time   `json:"timestampTo,omitzero"`
	Duration      *int64 `json:"duration,omitempty"`
	Min           *int64 `json:"min,omitempty"`
	Max           *int64 `json:"max,omitempty"`
}

// Between matches a date between two times.
func Between(from, to Time) SearchOperator {
	return SearchOperator{Type: "Between", TimestampFrom: from, TimestampTo: to}
}

// IsEmpty matches a field without a value.
func IsEmpty() SearchOperator { return SearchOperator{Type: "IsEmpty"} }

// IsNotEmpty matches a field with a value.
func IsNotEmpty() SearchOperator { return SearchOperator{Type: "IsNotEmpty"} }

// IsOneOf matches any of the values.
func IsOneOf(values ...string) SearchOperator {
	return SearchOperator{Type: "IsOneOf", Values: orEmpty(values)}
}

// IsNotOneOf matches none of the values.
func IsNotOneOf(values ...string) SearchOperator {
	return SearchOperator{Type: "IsNotOneOf", Values: orEmpty(values)}
}

// IncludesAll matches all of the tags.
func IncludesAll(tagIDs ...string) SearchOperator {
	return SearchOperator{Type: "IncludesAll", Values: orEmpty(tagIDs)}
}

// IncludesOne matches any of the tags.
func IncludesOne(tagIDs ...string) SearchOperator {
	return SearchOperator{Type: "IncludesOne", Values: orEmpty(tagIDs)}
}

// Since matches a date at or after a time.
func Since(t Time) SearchOperator { return SearchOperator{Type: "Since", Timestamp: t} }

// Until matches a date up to a time.
func Until(t Time) SearchOperator { return SearchOperator{Type: "Until", Timestamp: t} }

// SearchHit is a matching conversation. Fetch it to get more than its id.
type SearchHit struct {
	ID int64 `json:"id"`
	// Highlights are HTML snippets, keyed by where the text matched.
	Highlights map[string][]string `json:"highlights"`
	Extra      Extra               `json:"-"`
}

func (h *SearchHit) identified() bool { return h.ID > 0 }

// UnmarshalJSON keeps unknown members in Extra.
func (h *SearchHit) UnmarshalJSON(b []byte) error { return decodeOpen(b, h) }

// MarshalJSON also writes the members in Extra.
func (h SearchHit) MarshalJSON() ([]byte, error) { return encodeOpen(h) }

// Search yields the matching conversations, page by page, in an unspecified order.
// It is unknown how long Dixa takes to index a new conversation. Search changes
// nothing, so read-only clients may use it.
//
// Dixa: POST /v1/search/conversations.
func (s *ConversationsService) Search(ctx context.Context, q SearchQuery) iter.Seq2[*SearchHit, error] {
	return fetchPages[SearchHit](ctx, s.client, searchOperation, Params{Query: pageQuery(q.PageLimit), Body: q.body()})
}

type searchBody struct {
	Query   *searchText    `json:"query,omitempty"`
	Filters *searchFilters `json:"filters,omitempty"`
}

type searchText struct {
	Value      string `json:"value"`
	ExactMatch bool   `json:"exactMatch,omitempty"`
}

type searchFilters struct {
	Strategy   string            `json:"strategy"`
	Conditions []searchCondition `json:"conditions"`
}

type searchCondition struct {
	Field SearchCondition `json:"field"`
}

func (q SearchQuery) body() searchBody {
	var body searchBody
	if q.Text != "" {
		body.Query = &searchText{Value: q.Text, ExactMatch: q.ExactMatch}
	}
	if len(q.Conditions) > 0 {
		body.Filters = &searchFilters{Strategy: "All"}
		if q.MatchAny {
			body.Filters.Strategy = "Any"
		}
		for _, condition := range q.Conditions {
			body.Filters.Conditions = append(body.Filters.Conditions, searchCondition{condition})
		}
	}
	return body
}
