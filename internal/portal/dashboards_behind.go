package portal

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
)

// behindPerPage is how many conversations or claims a page lists.
const behindPerPage = 50

// subjectClaims is the subject of the figures that count claims.
const subjectClaims = "claims"

// listable reports whether a figure's values come from conversations or claims.
func listable(d client.KPIDefinition) bool {
	return d.Subject == subjectClaims || d.Subject == "conversations"
}

// place is a value that a tile shows.
type place struct {
	tile int
	// position is the place of the value's bucket; -1 for the whole period.
	position int
	// group is the value of the tile's dimension; meant only if grouped. In a part of the
	// period of a tile that has a dimension, no group stands for those that the chart adds up.
	group   string
	grouped bool
}

// rest reports whether the value is of the groups that the chart of a tile adds up.
func (p place) rest(t tile) bool { return !p.grouped && p.position >= 0 && t.By != "" }

// listsRest reports whether what is behind the groups that a chart adds up can be selected:
// no filter selects the agents without a team.
func listsRest(t tile) bool { return t.overTime() && t.By != "team" }

// String is the text of a place in an address: the tile, the bucket and the group.
func (p place) String() string {
	text := strconv.Itoa(p.tile) + "."
	if p.position >= 0 {
		text += strconv.Itoa(p.position)
	}
	if p.grouped {
		text += "." + p.group
	}
	return text
}

// placeOf reads a place of an address.
func placeOf(text string) (p place, ok bool) {
	tile, rest, _ := strings.Cut(text, ".")
	position, group, grouped := strings.Cut(rest, ".")
	p = place{position: -1, group: group, grouped: grouped}
	var err error
	if p.tile, err = strconv.Atoi(tile); err != nil {
		return p, false
	}
	if position != "" {
		p.position, err = strconv.Atoi(position)
	}
	return p, err == nil
}

// behind is the address of what is behind the value of a tile over the whole period.
func (v *visit) behind(b board, t tile, s *selection) string {
	return "/portal/dashboards/" + b.ID + "/" + t.ID() + "/conversations?" + s.keep(b).Encode()
}

// keep are the parameters that keep the selection and, unless the board is live, when its
// values were asked for.
func (s *selection) keep(b board) url.Values {
	if b.Live {
		return s.fields()
	}
	return s.dated()
}

// dated are the parameters that keep the selection and when its values were asked for.
func (s *selection) dated() url.Values {
	q := s.fields()
	q.Set(paramNow, s.now.UTC().Format(time.RFC3339))
	return q
}

// Parameters of the pages of what is behind a value.
const (
	paramNow    = "now"
	paramPlace  = "v"
	paramCursor = "cursor"
)

// behindData is the page of what is behind a value.
type behindData struct {
	Title, Period string
	// Of says of which part of the period and which group the value is, and by what it is
	// filtered.
	Of []string
	// Value is the figure, Behind how many are behind it, and Gone how many of them cannot be
	// listed; empty if all can.
	Value, Behind, Gone string
	// Claims says that claims are listed, and the following ones which columns there are.
	Claims, Values, Counts, Times bool
	// Date is the key of the words for what places them.
	Date string
	Rows []behindRow
	// Board leads back, Next to the next page, and First to the first one.
	Board, Next, First string
}

// behindRow is a conversation or claim in the list.
type behindRow struct {
	// Claim is the claim's id and ClaimURL leads to it; empty if there is none.
	Claim, ClaimURL string
	// Number is the conversation's.
	Number string
	At     time.Time

	Channel, Queue, Agent, Reason, Status string
	Value, Times, Counts                  string
}

// conversations lists what is behind the value of a tile.
func (v *visit) conversations() error {
	b, t, f, err := v.tileOfAddress()
	if err != nil {
		return err
	}
	return v.showBehind(b, t, f, place{position: -1})
}

// behindPlace lists what is behind a value of the table of a tile.
func (v *visit) behindPlace() error {
	b, err := v.board()
	if err != nil {
		return err
	}
	p, ok := placeOf(v.r.URL.Query().Get(paramPlace))
	if !ok || p.tile < 0 || p.tile >= len(b.Tiles) {
		return errNotFound
	}
	t := b.Tiles[p.tile]
	f, missing, err := v.figures()
	if err != nil {
		return err
	}
	if missing != "" || f.definitions[t.KPI].ID == "" || p.grouped && t.By == "" || p.rest(t) && !listsRest(t) {
		return errNotFound
	}
	return v.showBehind(b, t, f, p)
}

// showBehind shows a page of what is behind a value of a tile.
func (v *visit) showBehind(b board, t tile, f figures, p place) error {
	definition := f.definitions[t.KPI]
	if !listable(definition) {
		return errNotFound
	}
	// The period ends when the value was computed, also on further pages.
	query, now := v.r.URL.Query(), time.Now()
	if at, err := time.Parse(time.RFC3339, query.Get(paramNow)); err == nil && at.Before(now) {
		now = at
	}
	s := selectionOf(query, b, now, v.words)
	q := client.KPIBehindQuery{Limit: behindPerPage, Cursor: query.Get(paramCursor)}
	if q.KPIQuery, _ = s.ask(definition); p.position >= 0 || p.grouped {
		q.KPIQuery, q.Group = t.question(&s, definition), p.group
	}
	if p.position >= 0 {
		q.Position = &p.position
	}
	if p.rest(t) {
		if err := v.selectRest(f, t, &q); err != nil {
			return err
		}
	}
	page, err := v.api.KPIBehind(v.r.Context(), f.connection, t.KPI, q)
	if err != nil {
		return err
	}
	d := behindData{
		Title: v.kpiTitle(t.KPI), Period: s.text(v), Claims: page.Subject == subjectClaims, Date: "behind.date." + page.Request.Date,
		Value: v.amount(page.Unit, page.Bucket.Value), Behind: v.countBehind(page.Subject, page.Bucket),
		Board: "/portal/dashboards/" + b.ID + "?" + s.query() + "#" + t.ID(),
	}
	if page.Gone > 0 {
		d.Gone = v.words.say("behind.gone", v.locale().Number(float64(page.Gone)))
	}
	if p.position >= 0 {
		d.Of = append(d.Of, v.partBehind(&page, &s))
	}
	if p.grouped {
		d.Of = append(d.Of, v.words.say("dash.filter."+t.By)+": "+v.group(t.By, client.KPISeries{Group: page.Group, Label: page.Label}))
	}
	if p.rest(t) {
		d.Of = append(d.Of, v.words.say("dash.filter."+t.By)+": "+v.words.say("dash.rest"))
	}
	d.Of = append(d.Of, v.filtersBehind(&page, &s)...)
	for i := range page.Members {
		d.Rows = append(d.Rows, v.behindRow(&page, &page.Members[i]))
	}
	d.Values = slices.ContainsFunc(page.Members, func(m client.KPIMember) bool { return m.Value != nil })
	d.Counts = page.Bucket.Part != nil
	d.Times = slices.ContainsFunc(page.Members, func(m client.KPIMember) bool { return m.Times > 1 })
	here := s.dated()
	if text := query.Get(paramPlace); text != "" {
		here.Set(paramPlace, text)
	}
	if q.Cursor != "" {
		d.First = v.r.URL.Path + "?" + here.Encode()
	}
	if page.Next != "" {
		here.Set(paramCursor, page.Next)
		d.Next = v.r.URL.Path + "?" + here.Encode()
	}
	v.show(http.StatusOK, "behind", view{Title: v.words.say("behind.title", d.Title), Data: d})
	return nil
}

// selectRest makes a question select the groups that the chart of a tile adds up.
func (v *visit) selectRest(f figures, t tile, q *client.KPIBehindQuery) error {
	drawing, err := v.api.KPI(v.r.Context(), f.connection, t.KPI, q.KPIQuery)
	if err != nil {
		return err
	}
	drawn, _ := v.mostOf(drawing.Series, t, f.definitions[t.KPI])
	if !slices.ContainsFunc(drawn, func(s client.KPISeries) bool { return s.Group == restGroup }) {
		return errNotFound
	}
	var rest []string
	for _, s := range drawing.Series {
		if !slices.ContainsFunc(drawn, func(d client.KPISeries) bool { return d.Group == s.Group }) {
			rest = append(rest, filterValue.Replace(s.Group))
		}
	}
	// These groups are among those that a filter by the same dimension leaves.
	q.Filters = slices.DeleteFunc(q.Filters, func(filter string) bool { return strings.HasPrefix(filter, t.By+":") })
	q.By, q.Filters = "", append(q.Filters, t.By+":"+strings.Join(rest, ","))
	return nil
}

// partBehind names the part of the period that a value is of.
func (v *visit) partBehind(page *client.KPIBehind, s *selection) string {
	if hour := page.Bucket.HourOfWeek; hour != nil {
		return fmt.Sprintf("%s %02d:00", v.words.say("day."+strconv.Itoa(*hour/24+1)), *hour%24)
	}
	return v.part(page.Request.Bucket, page.Bucket.Start.In(s.zone))
}

// filtersBehind names the filters of a value.
func (v *visit) filtersBehind(page *client.KPIBehind, s *selection) (all []string) {
	for _, dimension := range slices.Sorted(maps.Keys(s.By)) {
		name := s.By[dimension]
		if _, applies := page.Request.Filters[dimension]; !applies {
			continue
		}
		for i := range page.Members {
			switch m := &page.Members[i]; {
			case dimension == "queue" && m.QueueID == name && m.Queue != "":
				name = m.Queue
			case dimension == "agent" && m.AgentID == name && m.Agent != "":
				name = m.Agent
			}
		}
		all = append(all, v.words.say("dash.filter."+dimension)+": "+v.words.value(dimension, name, name))
	}
	return all
}

// behindRow returns what the list shows of a conversation or claim.
func (v *visit) behindRow(page *client.KPIBehind, m *client.KPIMember) behindRow {
	const none = "–"
	text := func(s string) string {
		if s == "" {
			return none
		}
		return s
	}
	row := behindRow{
		Number: none, At: m.At, Channel: text(m.Channel), Queue: text(m.Queue), Agent: text(m.Agent), Reason: m.Reason, Status: text(v.words.value("status", m.Status, m.Status)),
		Value: none, Times: strconv.Itoa(m.Times),
	}
	if m.ConversationID != 0 {
		row.Number = strconv.FormatInt(m.ConversationID, 10)
	}
	if m.Claim != nil && m.Claim.Shop == v.session.Shop {
		row.Claim = m.Claim.ID
		if v.shows(claim.PageClaims) {
			row.ClaimURL = "/portal/claims/" + url.PathEscape(m.Claim.ID)
		}
	}
	if m.Value != nil {
		unit := ""
		if page.Unit == unitSeconds {
			unit = unitSeconds
		}
		row.Value = v.amount(unit, m.Value)
	}
	if m.Part != nil {
		row.Counts = v.counts(m)
	}
	return row
}

// counts says whether a conversation or claim counts as a part of a share.
func (v *visit) counts(m *client.KPIMember) string {
	switch {
	case *m.Part == m.Times:
		return v.words.say("behind.counts.yes")
	case m.Opposite != nil && *m.Opposite == m.Times:
		return v.words.say("behind.counts.against")
	case *m.Part == 0:
		return v.words.say("behind.counts.no")
	default:
		return v.words.say("behind.counts.some", strconv.Itoa(*m.Part), strconv.Itoa(m.Times))
	}
}

// countBehind says how many conversations or claims are behind a value.
func (v *visit) countBehind(subject string, b client.KPIBucket) string {
	if b.Count == 0 && b.Missing == 0 {
		return v.words.say("dash.nothing." + subject)
	}
	text := v.words.say("dash.behind."+subject, v.locale().Number(float64(b.Count)))
	if b.Missing > 0 {
		text += " " + v.words.say("dash.missing", v.locale().Number(float64(b.Missing)))
	}
	return text
}
