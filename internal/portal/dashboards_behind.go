package portal

import (
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
)

// conversationsPerPage is how many conversations a page lists.
const conversationsPerPage = 50

// listed are the figures whose conversations the unified API can list, with the time that
// selects them.
var listed = map[string]string{"conversation_volume": "created_at", "full_resolution_time": "closed_at"}

// listFilters are the names of the filters in the unified API. It knows no teams.
var listFilters = map[string]string{"queue": "collections.id", "agent": "assignees.id", "tag": "tags.name", "channel": "ticket_type.id"}

// behindQuery selects the conversations behind a tile. listable says whether the unified
// API can.
func behindQuery(t tile, s *selection) (q url.Values, listable bool) {
	at := listed[t.KPI]
	if at == "" {
		return nil, false
	}
	q = url.Values{at + "[gte]": {s.from.Format(time.RFC3339)}, at + "[lt]": {s.to.Format(time.RFC3339)}}
	for dimension, value := range s.By {
		name := listFilters[dimension]
		if name == "" {
			return nil, false
		}
		q.Set(name, value)
	}
	return q, true
}

// behind is the address of what is behind a tile; empty if it cannot be listed.
func (v *visit) behind(b board, t tile, s *selection) string {
	if _, listable := behindQuery(t, s); listable {
		return "/portal/dashboards/" + b.ID + "/" + t.ID() + "/conversations?" + s.query() + "&now=" + url.QueryEscape(s.now.UTC().Format(time.RFC3339))
	}
	// The page of claims has the same filters but two, and days in UTC.
	if t.KPI != "claim_volume" || !v.shows(claim.PageClaims) || s.zone.String() != "UTC" || s.By["status"]+s.By["resolution"] != "" {
		return ""
	}
	q := url.Values{"from": {s.from.Format(time.DateOnly)}, "to": {s.to.Add(-time.Second).Format(time.DateOnly)}}
	for dimension, value := range s.By {
		q.Set(dimension, value)
	}
	return "/portal/claims?" + q.Encode()
}

// behindData is the page of the conversations behind a tile.
type behindData struct {
	Title, Period string
	Conversations []listedConversation
	// Board leads back, Next to the next page.
	Board, Next string
}

// listedConversation is a conversation in the list.
type listedConversation struct {
	Number, Subject, Channel, Status, Queue, Agent string
	Created, Closed                                time.Time
}

// ticket is what the list shows of a ticket of the unified API.
type ticket struct {
	Number      string       `json:"number"`
	Name        *string      `json:"name"`
	Status      ticketPart   `json:"status"`
	Type        *ticketPart  `json:"ticket_type"`
	Assignees   []ticketPart `json:"assignees"`
	Collections []ticketPart `json:"collections"`
	CreatedAt   *time.Time   `json:"created_at"`
	ClosedAt    *time.Time   `json:"closed_at"`
}

type ticketPart struct {
	ID   string  `json:"id"`
	Name *string `json:"name"`
	Type string  `json:"type"`
}

// listedOf returns what the list shows of a ticket.
func listedOf(t *ticket) listedConversation {
	const none = "–"
	l := listedConversation{Number: t.Number, Subject: none, Channel: none, Status: t.Status.ID, Queue: none, Agent: none}
	set := func(to, name *string) {
		if name != nil && *name != "" {
			*to = *name
		}
	}
	set(&l.Subject, t.Name)
	if t.Type != nil {
		set(&l.Channel, &t.Type.ID)
	}
	for _, c := range t.Collections {
		if c.Type == "queue" {
			set(&l.Queue, c.Name)
		}
	}
	for _, a := range t.Assignees {
		set(&l.Agent, a.Name)
	}
	if t.CreatedAt != nil {
		l.Created = *t.CreatedAt
	}
	if t.ClosedAt != nil {
		l.Closed = *t.ClosedAt
	}
	return l
}

// conversations lists the conversations behind a tile.
func (v *visit) conversations() error {
	b, t, f, err := v.tileOfAddress()
	if err != nil {
		return err
	}
	// The period ends when the number was computed, also on further pages.
	now := time.Now()
	if at, err := time.Parse(time.RFC3339, v.r.URL.Query().Get("now")); err == nil && at.Before(now) {
		now = at
	}
	s := selectionOf(v.r.URL.Query(), b, now, v.words)
	q, listable := behindQuery(t, &s)
	if !listable {
		return errNotFound
	}
	q.Set("truto_ignore_remote_data", "true")
	q.Set("limit", strconv.Itoa(conversationsPerPage))
	if cursor := v.r.URL.Query().Get("cursor"); cursor != "" {
		q.Set("next_cursor", cursor)
	}
	page, err := client.ResourceOf[ticket](v.api, f.connection, client.ModelTicketing, "tickets").Page(v.r.Context(), q)
	if err != nil {
		return err
	}
	d := behindData{
		Title: v.words.say("kpi." + t.KPI), Period: s.text(v),
		Board: "/portal/dashboards/" + b.ID + "?" + s.query(),
	}
	for i := range page.Items {
		d.Conversations = append(d.Conversations, listedOf(&page.Items[i]))
	}
	if page.Next != nil {
		d.Next = v.behind(b, t, &s) + "&cursor=" + url.QueryEscape(*page.Next)
	}
	v.show(http.StatusOK, "behind", view{Title: v.words.say("behind.title", d.Title), Data: d})
	return nil
}
