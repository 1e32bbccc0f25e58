package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/claimflow/claimflow/mirror"
)

// TicketOrder is the time by which tickets are listed.
type TicketOrder string

// Orders of tickets. Those of the same time are in the order of their ids.
const (
	TicketsByCreation TicketOrder = "created_at"
	TicketsByActivity TicketOrder = "updated_at"
)

var ticketTimes = map[TicketOrder]string{TicketsByCreation: "f.created_at", TicketsByActivity: "f.last_activity_at"}

// TimeRange is a period: From is inclusive, To exclusive, and zero is no bound.
type TimeRange struct{ From, To time.Time }

// TicketPlace is a place in a list of tickets: the time and the id of the ticket before
// or after it.
type TicketPlace struct {
	At time.Time
	ID int64
}

// TicketsQuery selects conversations. A list of values selects those that have any of
// them; nil is no condition.
type TicketsQuery struct {
	IDs                                               []int64
	Statuses, Assignees, Queues, Requesters, Channels []string
	// Tags are names. A conversation has any of each list.
	Tags                     [][]string
	Created, Updated, Closed TimeRange

	Order      TicketOrder
	Descending bool
	// From is where the page begins; nil for the start of the list. Backward reads the
	// page before it.
	From     *TicketPlace
	Backward bool
}

// Ticket is a conversation with the times that place it in a list. They are zero if
// unknown.
type Ticket struct {
	ID int64
	mirror.Conversation
	CreatedAt, UpdatedAt, ClosedAt time.Time
}

// Place returns the place of the ticket in a list.
func (t *Ticket) Place(order TicketOrder) TicketPlace {
	if order == TicketsByActivity {
		return TicketPlace{t.UpdatedAt, t.ID}
	}
	return TicketPlace{t.CreatedAt, t.ID}
}

// Tickets lists up to limit conversations in the order of the query, also if it reads
// backward. more says whether others follow in the direction of reading.
func (s Mirror) Tickets(ctx context.Context, connectionID string, q TicketsQuery, limit int) (tickets []Ticket, more bool, err error) {
	query, args := q.sql(connectionID, limit+1)
	tickets, err = list(ctx, s.core, "list the tickets of connection "+connectionID, s.scanTicket(connectionID), query, args...)
	if more = len(tickets) > limit; more {
		tickets = tickets[:limit]
	}
	if q.Backward {
		slices.Reverse(tickets)
	}
	return tickets, more, err
}

// sql returns the query. It reads the keys first, so that only the page's
// conversations are opened.
func (q TicketsQuery) sql(connectionID string, limit int) (string, []any) {
	args := arguments{connectionID}
	at := ticketTimes[q.Order]
	where := []string{"f.connection_id = $1"}
	if q.IDs != nil {
		where = append(where, "f.conversation_id IN ("+orNothing(&args, q.IDs)+")")
	}
	for _, c := range []struct {
		column string
		values []string
	}{{"f.status", q.Statuses}, {"f.assignee_id", q.Assignees}, {"f.queue_id", q.Queues}, {"f.requester_id", q.Requesters}, {"f.channel", q.Channels}} {
		if c.values != nil {
			where = append(where, c.column+" IN ("+orNothing(&args, c.values)+")")
		}
	}
	for _, names := range q.Tags {
		where = append(where, `EXISTS (SELECT 1 FROM conversation_tags t WHERE t.connection_id = f.connection_id AND t.conversation_id = f.conversation_id
			AND t.tag IN (`+orNothing(&args, names)+`))`)
	}
	for _, c := range []struct {
		column string
		TimeRange
	}{{"f.created_at", q.Created}, {"f.last_activity_at", q.Updated}, {"f.last_closed_at", q.Closed}} {
		if !c.From.IsZero() {
			where = append(where, c.column+" >= "+args.add(micros(c.From)))
		}
		if !c.To.IsZero() {
			where = append(where, c.column+" > 0 AND "+c.column+" < "+args.add(micros(c.To))) // 0 is unknown
		}
	}
	direction, comparison := "ASC", ">"
	if q.Descending != q.Backward {
		direction, comparison = "DESC", "<"
	}
	if q.From != nil {
		where = append(where, fmt.Sprintf("(%s, f.conversation_id) %s (%s, %s)", at, comparison, args.add(micros(q.From.At)), args.add(q.From.ID)))
	}
	order := fmt.Sprintf("ORDER BY %s %s, f.conversation_id %s", at, direction, direction)
	return `SELECT f.conversation_id, f.created_at, f.last_activity_at, f.last_closed_at, c.body FROM figures f
		JOIN conversations c ON c.connection_id = f.connection_id AND c.conversation_id = f.conversation_id
		WHERE ` + strings.Join(where, " AND ") + " " + order + " LIMIT " + args.add(limit), args
}

// orNothing returns placeholders, or one that nothing equals if there are no values.
func orNothing[T any](args *arguments, values []T) string {
	if len(values) == 0 {
		return "NULL"
	}
	return placeholders(args, values)
}

func (s *core) scanTicket(connectionID string) func(scan func(...any) error) (Ticket, error) {
	return func(scan func(...any) error) (Ticket, error) {
		var t Ticket
		var created, updated, closed int64
		var body []byte
		if err := scan(&t.ID, &created, &updated, &closed, &body); err != nil {
			return t, err
		}
		t.CreatedAt, t.UpdatedAt, t.ClosedAt = timeOf(created), timeOf(updated), timeOf(closed)
		err := s.openJSON(conversationDoc, body, &t.Conversation, connectionID, number(t.ID))
		return t, err
	}
}
