package unify

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/internal/fromdixa/directory"
	"github.com/claimflow/claimflow/mirror"
	"github.com/claimflow/claimflow/store"
	"github.com/claimflow/claimflow/unified"
)

// search lists tickets by Dixa's search, in Dixa's order, and reads each. key continues
// an earlier page. Pages are as large as the first one. Without sort_by only: Dixa's
// search has no order.
//
// Dixa: POST /v1/search/conversations.
func (t *tickets) search(ctx context.Context, r *Request, key string) (page unified.Page, source Source, err error) {
	source = liveNow()
	if r.Sorted {
		return page, source, unified.Invalid("sort_by["+r.SortBy+"]", "cannot be used here: Dixa's search has no order, and the mirror does not answer this request")
	}
	query, matches, err := t.searchQuery(ctx, r)
	if err != nil || !matches {
		return page, source, err
	}
	client, err := t.Clients.Client(ctx, r.Account)
	if err != nil {
		return page, source, err
	}
	for {
		hits, next, err := client.Conversations.SearchPage(ctx, query, key)
		if err != nil {
			return page, source, err
		}
		if page.Items, err = t.readHits(ctx, r, client, hits); err != nil {
			return page, source, err
		}
		key = next
		if next == "" || len(page.Items) > 0 {
			break // an empty page with a cursor would end some clients' lists
		}
	}
	if key != "" {
		text, err := json.Marshal(ticketCursor{Key: key})
		if err != nil {
			return page, source, fmt.Errorf("encode a cursor: %w", err)
		}
		page.Next = string(text)
	}
	return page, source, nil
}

// readHits reads the conversations that a search found. It leaves out those that Dixa no
// longer has, and those that only the wider bounds of the search include.
func (t *tickets) readHits(ctx context.Context, r *Request, client *dixa.Client, hits []*dixa.SearchHit) ([]unified.Object, error) {
	read := make([]*unified.Conversation, len(hits))
	err := each(ctx, len(hits), func(ctx context.Context, i int) (err error) {
		read[i], err = readConversation(ctx, client, hits[i].ID)
		if dixa.IsNotFound(err) {
			return nil
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	read = slices.DeleteFunc(read, func(c *unified.Conversation) bool { return c == nil })
	known := make([]store.Ticket, len(read))
	for i, c := range read {
		known[i] = store.Ticket{ID: c.ID, Conversation: c.Conversation}
	}
	names, err := t.namesOf(ctx, r.Account, known)
	if err != nil {
		return nil, err
	}
	var all []unified.Object
	for _, c := range read {
		ticket := unified.TicketOf(c, names)
		d, err := unified.DocumentOf(ticket)
		if err != nil {
			return nil, err
		}
		if r.Matches(d) {
			all = append(all, ticket)
		}
	}
	return all, nil
}

// searchChannels are channels whose names in search are not their own in lower case.
var searchChannels = map[string]string{
	string(dixa.ChannelWidgetChat): "chat", string(dixa.ChannelMessenger): "dixamessenger", string(dixa.ChannelPstnPhone): "phone",
}

var searchDates = map[string]string{"created_at": "CreationDate", "updated_at": "LastActivity", "closed_at": "ClosedDate"}

// searchQuery returns Dixa's search for a request. matches is false if nothing can match.
func (t *tickets) searchQuery(ctx context.Context, r *Request) (q dixa.SearchQuery, matches bool, err error) {
	q = dixa.SearchQuery{PageLimit: min(r.Limit, liveTickets), Text: r.Remote.Get("query")}
	if exact := r.Remote.Get("exactMatch"); exact != "" {
		if q.ExactMatch, err = strconv.ParseBool(exact); err != nil {
			return q, false, unified.Invalid("remote_query[exactMatch]", "must be true or false")
		}
	}
	for _, c := range r.Where {
		var field string
		operator := dixa.IsOneOf(c.Values...)
		switch c.Field {
		case "status.id":
			field = "Status"
		case "assignees.id":
			field = "AgentId"
		case "collections.id":
			field = "QueueId"
			if slices.ContainsFunc(c.Values, func(v string) bool { return strings.ContainsAny(v, "@+") }) {
				return q, false, unified.Invalid("collections[id]", "can be queues only")
			}
		case "contact.id":
			field = "ContactId"
		case "ticket_type.id":
			field = "Channel"
			channels := make([]string, len(c.Values))
			for i, v := range c.Values {
				if channels[i] = searchChannels[v]; channels[i] == "" {
					channels[i] = strings.ToLower(v)
				}
			}
			operator = dixa.IsOneOf(channels...)
		case "tags.id":
			field, operator = "TagId", dixa.IncludesOne(c.Values...)
		case "tags.name":
			ids, err := t.tagsBy(ctx, r.Account, func(e mirror.DirectoryEntry) string { return e.Name }, c.Values)
			if err != nil {
				return q, false, err
			}
			if ids = slices.DeleteFunc(ids, func(id string) bool { return id == "" }); len(ids) == 0 {
				return q, false, nil
			}
			field, operator = "TagId", dixa.IncludesOne(ids...)
		default:
			field, operator = searchDates[c.Field], searchTime(c)
		}
		q.Conditions = append(q.Conditions, dixa.SearchCondition{Field: field, Operator: operator})
	}
	return q, true, nil
}

// searchTime returns the condition on a time, a second wider on both sides: whether
// Dixa's bounds belong to the period is unknown.
func searchTime(c unified.Condition) dixa.SearchOperator {
	from, to := dixa.NewTime(c.Time.Add(-time.Second)), dixa.NewTime(c.Time.Add(time.Second))
	switch c.Operator {
	case unified.Above, unified.AtLeast:
		return dixa.Since(from)
	case unified.Below, unified.AtMost:
		return dixa.Until(to)
	default:
		return dixa.Between(from, to)
	}
}

// tagsBy returns, for each value, the other identity of the tag of which it is one: the
// name of a tag by its id, or the id by its name. It is empty if there is no such tag.
func (t *tickets) tagsBy(ctx context.Context, account string, of func(mirror.DirectoryEntry) string, values []string) ([]string, error) {
	_, mirrored, err := t.directoryRead(ctx, account)
	if err != nil {
		return nil, err
	}
	var all []mirror.DirectoryEntry
	if mirrored {
		all, err = t.Store.Mirror.Directory(ctx, account, mirror.KindTag)
	} else {
		all, _, err = t.listed(ctx, account, mirror.KindTag, directory.Listed, cacheFor)
	}
	if err != nil {
		return nil, err
	}
	found := make([]string, len(values))
	for i, v := range values {
		for _, e := range all {
			switch {
			case of(e) != v:
			case v == e.ID:
				found[i] = e.Name
			default:
				found[i] = e.ID
			}
		}
	}
	return found, nil
}
