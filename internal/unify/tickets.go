package unify

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/internal/todixa/connection"
	"github.com/claimflow/claimflow/mirror"
	"github.com/claimflow/claimflow/store"
	"github.com/claimflow/claimflow/unified"
)

// tickets reads conversations.
type tickets struct{ *Service }

// liveTickets is how many tickets a page from Dixa has at most: each takes four requests.
const liveTickets = 20

// ticketCursor is a place in the list and the direction in which to read from it. A list
// from Dixa has Dixa's own key instead.
type ticketCursor struct {
	At       time.Time `json:"at,omitzero"`
	ID       int64     `json:"id,omitempty"`
	Backward bool      `json:"backward,omitempty"`
	Key      string    `json:"key,omitempty"`
}

func (t *tickets) list(ctx context.Context, r *Request, cursor string) (page unified.Page, source Source, err error) {
	source, mirrored, err := t.mirrored(ctx, r)
	if err != nil {
		return page, source, err
	}
	var from ticketCursor
	if cursor != "" {
		if err := json.Unmarshal([]byte(cursor), &from); err != nil {
			return page, source, fmt.Errorf("decode a cursor: %w", err)
		}
		mirrored = from.Key == "" // a list goes on where it began
	}
	if !mirrored {
		return t.search(ctx, r, from.Key)
	}
	q, err := t.ticketsQuery(ctx, r)
	if err != nil {
		return page, source, err
	}
	if from.ID != 0 {
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
	text, err := json.Marshal(ticketCursor{At: p.At, ID: p.ID, Backward: backward})
	return string(text), err
}

// ticketsQuery returns the query of the mirror for a request.
func (t *tickets) ticketsQuery(ctx context.Context, r *Request) (store.TicketsQuery, error) {
	out := store.TicketsQuery{Order: store.TicketOrder(r.SortBy), Descending: r.Descending}
	for _, c := range r.Where {
		switch c.Field {
		case "status.id":
			out.Statuses = c.Values
		case "assignees.id":
			out.Assignees = c.Values
		case "collections.id":
			out.Queues = c.Values
		case "contact.id":
			out.Requesters = c.Values
		case "ticket_type.id":
			out.Channels = c.Values
		case "tags.name":
			out.Tags = append(out.Tags, c.Values)
		case "tags.id":
			names, err := t.tagsBy(ctx, r.Account, func(e mirror.DirectoryEntry) string { return e.ID }, c.Values)
			if err != nil {
				return out, err
			}
			for i, n := range names {
				if n = cmp.Or(n, c.Values[i]); n != "" {
					names[i] = n // a tag that only its name identifies
				}
			}
			out.Tags = append(out.Tags, names)
		case "created_at":
			limitRange(&out.Created, c)
		case "updated_at":
			limitRange(&out.Updated, c)
		case "closed_at":
			limitRange(&out.Closed, c)
		}
	}
	return out, nil
}

// limitRange narrows a period to the times that fulfill a condition. Objects have times in
// whole seconds, and stored ones are finer: a second is all that begins with it.
func limitRange(r *store.TimeRange, c unified.Condition) {
	second := c.Time.Truncate(time.Second)
	next := second.Add(time.Second)
	if second.Before(c.Time) {
		second = next // the first whole one that is not before
	}
	var from, to time.Time
	switch c.Operator {
	case unified.AtLeast:
		from = second
	case unified.Above:
		from = next
	case unified.Below:
		to = second
	case unified.AtMost:
		to = next
	default:
		from, to = second, next
	}
	if from.After(r.From) {
		r.From = from
	}
	if !to.IsZero() && (r.To.IsZero() || to.Before(r.To)) {
		r.To = to
	}
}

func (t *tickets) get(ctx context.Context, r *Request, id string) (unified.Object, Source, error) {
	n, err := conversationID(id)
	if err != nil {
		return nil, Source{}, err
	}
	source, mirrored, err := t.mirrored(ctx, r)
	if err != nil {
		return nil, source, err
	}
	if !mirrored {
		return t.live(ctx, r.Account, n)
	}
	found, _, err := t.Store.Mirror.Tickets(ctx, r.Account, store.TicketsQuery{IDs: []int64{n}, Order: store.TicketsByCreation}, 1)
	if err != nil {
		return nil, source, err
	}
	if len(found) == 0 {
		return t.live(ctx, r.Account, n) // newer than the mirror, or older than it reaches
	}
	names, err := t.namesOf(ctx, r.Account, found)
	if err != nil {
		return nil, source, err
	}
	source.From = time.Time{}
	return unified.TicketOf(conversationOf(&found[0]), names), source, nil
}

// live reads a conversation from Dixa.
func (t *tickets) live(ctx context.Context, account string, id int64) (unified.Object, Source, error) {
	source := liveNow()
	client, err := t.Clients.Client(ctx, account)
	if err != nil {
		return nil, source, err
	}
	ctx, _ = connection.Count(ctx)
	c, err := readConversation(ctx, client, id)
	if err != nil {
		return nil, source, err
	}
	names, err := t.namesOf(ctx, account, []store.Ticket{{ID: id, Conversation: c.Conversation}})
	if err != nil {
		return nil, source, err
	}
	return unified.TicketOf(c, names), source, nil
}

// readConversation reads what a ticket is made of.
//
// Dixa: GET /v1/conversations/{conversationId}, …/tags, …/messages and …/activitylog.
func readConversation(ctx context.Context, client *dixa.Client, id int64) (*unified.Conversation, error) {
	readAt := time.Now()
	object, err := client.Conversations.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	tags, err := client.Conversations.Tags(ctx, id)
	if err != nil {
		return nil, err
	}
	messages, err := client.Conversations.Messages(ctx, id)
	if err != nil {
		return nil, err
	}
	log, err := client.Conversations.ActivityLog(ctx, id)
	if err != nil {
		return nil, err
	}
	return conversationFrom(object, tags, messages, log, readAt)
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
