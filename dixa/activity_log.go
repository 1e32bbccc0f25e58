package dixa

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"net/url"
	"time"
)

// Activity is one entry of the activity log.
type Activity struct {
	ID             string `json:"id"`
	ConversationID int64  `json:"conversationId"`
	At             Time   `json:"activityTimestamp,omitzero"`
	// Type is the kind of activity, such as "ConversationClosed" or "TagAdded". The
	// set is open.
	Type   string        `json:"_type"`
	Author *ActivityUser `json:"author,omitempty"`
	// Attributes depend on Type and have their own _type.
	Attributes json.RawMessage `json:"attributes,omitempty"`
	Extra      Extra           `json:"-"`
}

func (a *Activity) identified() bool { return a.ID != "" }

// UnmarshalJSON keeps unknown members in Extra.
func (a *Activity) UnmarshalJSON(b []byte) error { return decodeOpen(b, a) }

// MarshalJSON also writes the members in Extra.
func (a Activity) MarshalJSON() ([]byte, error) { return encodeOpen(a) }

// ActivityUser is the subject or author of an activity.
type ActivityUser struct {
	ID          string `json:"id"`
	Name        string `json:"name,omitempty"`
	Email       string `json:"email,omitempty"`
	PhoneNumber string `json:"phoneNumber,omitempty"`
	Extra       Extra  `json:"-"`
}

// UnmarshalJSON keeps unknown members in Extra.
func (u *ActivityUser) UnmarshalJSON(b []byte) error { return decodeOpen(b, u) }

// MarshalJSON also writes the members in Extra.
func (u ActivityUser) MarshalJSON() ([]byte, error) { return encodeOpen(u) }

// ActivityLog returns all activities of a conversation in an unspecified order.
//
// Dixa: GET /v1/conversations/{conversationId}/activitylog.
func (s *ConversationsService) ActivityLog(ctx context.Context, id int64) ([]*Activity, error) {
	op := Operation{"Conversations.ActivityLog", http.MethodGet, "/conversations/{conversationId}/activitylog"}
	return fetchAll[Activity](ctx, s.client, op, Params{Path: []any{id}})
}

// OrganizationActivityLog yields the activities of all conversations between two
// times, page by page. A zero time leaves that end open, and a pageLimit of 0 uses
// Dixa's default page size. Dixa's filter takes whole seconds, so the range is
// widened to them. The order is unspecified, and it is unknown whether the ends are
// inclusive: overlap successive ranges and deduplicate by id.
//
// Dixa: GET /v1/conversations/activitylog.
func (s *ConversationsService) OrganizationActivityLog(ctx context.Context, from, to time.Time, pageLimit int) iter.Seq2[*Activity, error] {
	return fetchPages[Activity](ctx, s.client, organizationActivityLog, Params{Query: activityQuery(from, to, pageLimit)})
}

// OrganizationActivityLogPage returns one page of OrganizationActivityLog, for
// callers that resume later. An empty after returns the first page. Otherwise after
// is the next value of the previous page, and the other arguments are ignored. next
// is empty after the last page. It is unknown how long Dixa accepts a next value.
//
// Dixa: GET /v1/conversations/activitylog.
func (s *ConversationsService) OrganizationActivityLogPage(ctx context.Context, from, to time.Time, pageLimit int, after string) (entries []*Activity, next string, err error) {
	params := Params{Query: activityQuery(from, to, pageLimit)}
	return fetchOnePage[Activity](ctx, s.client, organizationActivityLog, params, after)
}

var organizationActivityLog = Operation{"Conversations.OrganizationActivityLog", http.MethodGet, "/conversations/activitylog"}

func activityQuery(from, to time.Time, pageLimit int) url.Values {
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
	return query
}
