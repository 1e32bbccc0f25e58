package unify

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/mirror"
	"github.com/claimflow/claimflow/store"
	"github.com/claimflow/claimflow/unified"
)

// tickets reads conversations.
type tickets struct{ *Service }

func (tickets) filters() *unified.Filters {
	return &unified.Filters{
		Fields: map[string]unified.FilterKind{
			"status": unified.FilterText, "status.id": unified.FilterText, "assignees.id": unified.FilterText, "collections.id": unified.FilterText,
			"contact.id": unified.FilterText, "ticket_type.id": unified.FilterText, "tags": unified.FilterText, "tags.name": unified.FilterText,
			"created_at": unified.FilterTime, "updated_at": unified.FilterTime, "closed_at": unified.FilterTime,
		},
		Sort: []string{string(store.TicketsByCreation), string(store.TicketsByActivity)},
	}
}

// ticketCursor is a place in the list and the direction in which to read from it.
type ticketCursor struct {
	At       time.Time `json:"at"`
	ID       int64     `json:"id"`
	Backward bool      `json:"backward,omitempty"`
}

func (t *tickets) list(ctx context.Context, r *Request, cursor string) (page unified.Page[unified.Object], source Source, err error) {
	fresh, f, err := t.fresh(ctx, r.Account)
	if err != nil {
		return page, source, err
	}
	if r.Live || !fresh {
		return page, source, unified.NewError(501, "live lists are not built yet")
	}
	source.At = f.NewestAt
	q := ticketsQuery(r.Query)
	var from ticketCursor
	if cursor != "" {
		if err := json.Unmarshal([]byte(cursor), &from); err != nil {
			return page, source, fmt.Errorf("decode a cursor: %w", err)
		}
		q.From, q.Backward = &store.TicketPlace{At: from.At, ID: from.ID}, from.Backward
	}
	found, more, err := t.Store.Mirror.Tickets(ctx, r.Account, q, r.Limit)
	if err != nil || len(found) == 0 {
		return page, source, err
	}
	names, err := t.namesOf(ctx, r.Account, found)
	if err != nil {
		return page, source, err
	}
	for i := range found {
		page.Items = append(page.Items, unified.TicketOf(conversationOf(&found[i]), names))
	}
	// Reading backward came from a page that follows.
	if !q.Backward && more || q.Backward {
		page.Next, err = cursorText(found[len(found)-1].Place(q.Order), false)
	}
	if err == nil && (q.Backward && more || !q.Backward && q.From != nil) {
		page.Previous, err = cursorText(found[0].Place(q.Order), true)
	}
	return page, source, err
}

func cursorText(p store.TicketPlace, backward bool) (string, error) {
	text, err := json.Marshal(ticketCursor{p.At, p.ID, backward})
	return string(text), err
}

func ticketsQuery(q *unified.Query) store.TicketsQuery {
	out := store.TicketsQuery{Order: store.TicketOrder(q.SortBy), Descending: q.Descending}
	for _, c := range q.Where {
		switch c.Field {
		case "status", "status.id":
			out.Statuses = c.Values
		case "assignees.id":
			out.Assignees = c.Values
		case "collections.id":
			out.Queues = c.Values
		case "contact.id":
			out.Requesters = c.Values
		case "ticket_type.id":
			out.Channel = c.Values
		case "tags", "tags.name":
			out.Tags = c.Values
		case "created_at":
			limitRange(&out.Created, c)
		case "updated_at":
			limitRange(&out.Updated, c)
		case "closed_at":
			limitRange(&out.Closed, c)
		}
	}
	return out
}

// limitRange narrows a period to the times that fulfill a condition. Times are stored in
// microseconds.
func limitRange(r *store.TimeRange, c unified.Condition) {
	const step = time.Microsecond
	switch c.Operator {
	case unified.AtLeast:
		r.From = c.Time
	case unified.Above:
		r.From = c.Time.Add(step)
	case unified.Below:
		r.To = c.Time
	case unified.AtMost:
		r.To = c.Time.Add(step)
	default:
		r.From, r.To = c.Time, c.Time.Add(step)
	}
}

func (t *tickets) get(ctx context.Context, r *Request, id string) (unified.Object, Source, error) {
	n, err := conversationID(id)
	if err != nil {
		return nil, Source{}, err
	}
	fresh, f, err := t.fresh(ctx, r.Account)
	if err != nil {
		return nil, Source{}, err
	}
	if r.Live || !fresh {
		return t.live(ctx, r.Account, n)
	}
	found, _, err := t.Store.Mirror.Tickets(ctx, r.Account, store.TicketsQuery{IDs: []int64{n}, Order: store.TicketsByCreation}, 1)
	if err != nil {
		return nil, Source{}, err
	}
	if len(found) == 0 {
		return t.live(ctx, r.Account, n) // newer than the mirror, or not selected
	}
	names, err := t.namesOf(ctx, r.Account, found)
	if err != nil {
		return nil, Source{}, err
	}
	return unified.TicketOf(conversationOf(&found[0]), names), Source{At: f.NewestAt}, nil
}

// live reads a conversation from Dixa.
func (t *tickets) live(ctx context.Context, account string, id int64) (unified.Object, Source, error) {
	source := Source{Live: true, At: time.Now()}
	client, err := t.Clients.Client(ctx, account)
	if err != nil {
		return nil, source, err
	}
	readAt := time.Now()
	object, err := client.Conversations.Get(ctx, id)
	if err != nil {
		return nil, source, err
	}
	tags, err := client.Conversations.Tags(ctx, id)
	if err != nil {
		return nil, source, err
	}
	messages, err := client.Conversations.Messages(ctx, id)
	if err != nil {
		return nil, source, err
	}
	log, err := client.Conversations.ActivityLog(ctx, id)
	if err != nil {
		return nil, source, err
	}
	c, err := conversationFrom(object, tags, messages, log, readAt)
	if err != nil {
		return nil, source, err
	}
	names, err := t.namesOf(ctx, account, []store.Ticket{{ID: id, Conversation: c.Conversation}})
	if err != nil {
		return nil, source, err
	}
	return unified.TicketOf(c, names), source, nil
}

// conversationFrom returns what Dixa says of a conversation.
func conversationFrom(object *dixa.Conversation, tags []*dixa.Tag, messages []*dixa.Message, log []*dixa.Activity, readAt time.Time) (*unified.Conversation, error) {
	c := &unified.Conversation{ID: object.ID}
	c.Apply(mirror.ConversationFromObject(object, tags, nil, readAt))
	var parts []mirror.Message
	for _, m := range messages {
		parts = append(parts, mirror.MessageFromList(object.ID, m, readAt))
	}
	var entries []mirror.Activity
	for _, entry := range log {
		if a, ok := mirror.ActivityFromLog(entry); ok {
			entries = append(entries, a)
		}
	}
	figures := mirror.Derive(object.ID, c.Conversation, parts, entries)
	c.UpdatedAt, c.ClosedAt = figures.LastActivityAt, figures.LastClosedAt
	var err error
	if c.Object, err = json.Marshal(object); err != nil {
		return nil, fmt.Errorf("encode conversation %d: %w", object.ID, err)
	}
	return c, nil
}

func conversationOf(t *store.Ticket) *unified.Conversation {
	return &unified.Conversation{ID: t.ID, Conversation: t.Conversation, UpdatedAt: t.UpdatedAt, ClosedAt: t.ClosedAt}
}
