package dixa

import (
	"context"
	"iter"
	"net/http"
)

const searchPath = "/search/conversations"

// SearchQuery says which conversations to find: by text, by conditions, or
// both.
type SearchQuery struct {
	Text string
	// ExactMatch wants Text as it stands.
	ExactMatch bool
	// MatchAny lets one of several Conditions suffice; otherwise all must hold.
	MatchAny   bool
	Conditions []SearchCondition
	// PageLimit is the size of a page, at most 50; 0 leaves it to Dixa.
	PageLimit int
}

// SearchCondition is a condition on one field.
type SearchCondition struct {
	// Field is one of AgentId, AssignedDate, Channel, ClosedDate, ContactId,
	// ConversationId, CreationDate, CustomAttribute, Direction, Duration,
	// LastActivity, LastMessage, QueueId, Status and TagId. Channel, Direction and
	// Status have lower-case values here, such as "email" and "open".
	Field string `json:"_type"`
	// AttributeID is the definition's id for the field CustomAttribute.
	AttributeID string         `json:"attributeId,omitempty"`
	Operator    SearchOperator `json:"operator"`
}

// SearchOperator compares a field. The functions below make them; which fields
// take which is in Dixa's reference.
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

// Between wants a date between two times.
func Between(from, to Time) SearchOperator {
	return SearchOperator{Type: "Between", TimestampFrom: from, TimestampTo: to}
}

// IsEmpty wants a field without a value.
func IsEmpty() SearchOperator { return SearchOperator{Type: "IsEmpty"} }

// IsNotEmpty wants a field with a value.
func IsNotEmpty() SearchOperator { return SearchOperator{Type: "IsNotEmpty"} }

// IsOneOf wants one of the values.
func IsOneOf(values ...string) SearchOperator {
	return SearchOperator{Type: "IsOneOf", Values: orEmpty(values)}
}

// IsNotOneOf wants none of the values.
func IsNotOneOf(values ...string) SearchOperator {
	return SearchOperator{Type: "IsNotOneOf", Values: orEmpty(values)}
}

// IncludesAll wants all of the tags.
func IncludesAll(tagIDs ...string) SearchOperator {
	return SearchOperator{Type: "IncludesAll", Values: orEmpty(tagIDs)}
}

// IncludesOne wants one of the tags.
func IncludesOne(tagIDs ...string) SearchOperator {
	return SearchOperator{Type: "IncludesOne", Values: orEmpty(tagIDs)}
}

// Since wants a date at or after a time.
func Since(t Time) SearchOperator { return SearchOperator{Type: "Since", Timestamp: t} }

// Until wants a date up to a time.
func Until(t Time) SearchOperator { return SearchOperator{Type: "Until", Timestamp: t} }

// SearchHit is a conversation that was found. Fetch it for more than its id.
type SearchHit struct {
	ID int64 `json:"id"`
	// Highlights are HTML snippets by where the text was found.
	Highlights map[string][]string `json:"highlights"`
	Extra      Extra               `json:"-"`
}

func (h *SearchHit) identified() bool { return h.ID > 0 }

// UnmarshalJSON keeps unknown members in Extra.
func (h *SearchHit) UnmarshalJSON(b []byte) error {
	type plain SearchHit
	return decodeOpen(b, (*plain)(h), &h.Extra)
}

// MarshalJSON writes the members in Extra as well.
func (h SearchHit) MarshalJSON() ([]byte, error) {
	type plain SearchHit
	return encodeOpen(plain(h), h.Extra)
}

// Search yields the conversations that match, page after page. Their order,
// and how long a new conversation takes to be found, are unknown. It changes
// nothing, so read-only clients may use it.
//
// Dixa: POST /v1/search/conversations.
func (s *ConversationsService) Search(ctx context.Context, q SearchQuery) iter.Seq2[*SearchHit, error] {
	op := Operation{"Conversations.Search", http.MethodPost, searchPath}
	return fetchPages[SearchHit](ctx, s.client, op, Params{Query: pageQuery(q.PageLimit), Body: q.body()})
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
