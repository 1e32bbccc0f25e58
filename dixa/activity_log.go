package dixa

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"time"
)

// Activity is one entry of the activity log.
type Activity struct {
	ID             string `json:"id"`
	ConversationID int64  `json:"conversationId"`
	At             Time   `json:"activityTimestamp,omitzero"`
	// Type is what happened, such as "ConversationClosed" or "TagAdded"; the set
	// is open.
	Type   string        `json:"_type"`
	Author *ActivityUser `json:"author,omitempty"`
	// Attributes depend on Type; they carry a _type of their own.
	Attributes json.RawMessage `json:"attributes,omitempty"`
	Extra      Extra           `json:"-"`
}

func (a *Activity) identified() bool { return a.ID != "" }

// UnmarshalJSON keeps unknown members in Extra.
func (a *Activity) UnmarshalJSON(b []byte) error {
	type plain Activity
	return decodeOpen(b, (*plain)(a), &a.Extra)
}

// MarshalJSON writes the members in Extra as well.
func (a Activity) MarshalJSON() ([]byte, error) {
	type plain Activity
	return encodeOpen(plain(a), a.Extra)
}

// ActivityUser is who an activity is about or by.
type ActivityUser struct {
	ID          string `json:"id"`
	Name        string `json:"name,omitempty"`
	Email       string `json:"email,omitempty"`
	PhoneNumber string `json:"phoneNumber,omitempty"`
	Extra       Extra  `json:"-"`
}

// UnmarshalJSON keeps unknown members in Extra.
func (u *ActivityUser) UnmarshalJSON(b []byte) error {
	type plain ActivityUser
	return decodeOpen(b, (*plain)(u), &u.Extra)
}

// MarshalJSON writes the members in Extra as well.
func (u ActivityUser) MarshalJSON() ([]byte, error) {
	type plain ActivityUser
	return encodeOpen(plain(u), u.Extra)
}

// ActivityLog returns all activities of a conversation. Their order is
// unknown.
//
// Dixa: GET /v1/conversations/{conversationId}/activitylog.
func (s *ConversationsService) ActivityLog(ctx context.Context, id int64) ([]*Activity, error) {
	op := Operation{"Conversations.ActivityLog", http.MethodGet, "/conversations/{conversationId}/activitylog"}
	return fetchAll[Activity](ctx, s.client, op, Params{Path: []any{id}})
}

// OrganizationActivityLog yields the activities of all conversations between
// two times, page after page; a zero time leaves that end open, a pageLimit of
// 0 leaves the page size to Dixa. Dixa's filter takes whole seconds, so the
// span is widened to them. The order is unknown, and whether the ends are
// included: overlap successive spans and drop repeats by id.
//
// Dixa: GET /v1/conversations/activitylog.
func (s *ConversationsService) OrganizationActivityLog(ctx context.Context, from, to time.Time, pageLimit int) iter.Seq2[*Activity, error] {
	op := Operation{"Conversations.OrganizationActivityLog", http.MethodGet, "/conversations/activitylog"}
	query := pageQuery(pageLimit)
	if !from.IsZero() {
		query.Set("fromDatetime", from.UTC().Truncate(time.Second).Format(filterTimeFormat))
	}
	if !to.IsZero() {
		end := to.UTC().Truncate(time.Second)
		if end.Before(to) {
			end = end.Add(time.Second)
		}
		query.Set("toDatetime", end.Format(filterTimeFormat))
	}
	return fetchPages[Activity](ctx, s.client, op, Params{Query: query})
}
