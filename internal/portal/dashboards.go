package portal

import (
	"net/http"
	"net/url"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/internal/chart"
)

func (p *Portal) dashboardRoutes() {
	const page = claim.PageDashboards
	p.livePage(page, "dashboards", (*visit).dashboard)
	p.livePage(page, "dashboards/{board}", (*visit).dashboard)
	p.page(page, "GET dashboards/{board}/{tile}/csv", "", (*visit).tileCSV)
	p.page(page, "GET dashboards/{board}/{tile}/conversations", "", (*visit).conversations)
	p.page(page, "GET dashboards/{board}/behind", "", (*visit).behindPlace)

	const may = claim.MayConfigure
	p.page(page, "GET dashboards/new", may, (*visit).newBoard)
	p.page(page, "POST dashboards/new", may, (*visit).addBoard)
	p.page(page, "GET dashboards/{board}/edit", may, (*visit).editBoard)
	p.page(page, "POST dashboards/{board}/edit", may, (*visit).changeBoard)
	p.page(page, "POST dashboards/{board}/delete", may, (*visit).deleteBoard)
	p.page(page, "POST dashboards/{board}/walls", may, (*visit).addWall)
	p.page(page, "POST dashboards/{board}/walls/{wall}/revoke", may, (*visit).revokeWall)
}

// maxQuestions is how many questions about figures one page asks at once.
const maxQuestions = 4

// boardEvery is how many times less often than others a live board looks for news: it asks
// for many figures.
const boardEvery = 15

// maxOptions is how many values a filter offers.
const maxOptions = 300

// dashboardData is what a dashboard shows.
type dashboardData struct {
	Board string
	// Own says that the shop has put the board together.
	Own       bool
	Boards    []boardLink
	Selection selection
	// Period says which period is shown.
	Period string
	// Periods, Parts and Zones are what the form offers.
	Periods, Parts, Zones []string
	Filters               []filterData
	Tiles                 []tileData
	// Keep are the parameters that the addresses of what is behind a value keep.
	Keep url.Values
	Live bool
	// Missing is the key of what must be done before there are figures: connection, shared
	// or mirror.
	Missing string
	// Shared says that there are figures of the shop's own claims only, because other shops
	// use its Dixa organization or did before.
	Shared bool
	// MayFix says that the session shows the page on which it can be done.
	MayFix bool
	// fill sends what precedes the figures and adds them; nil if they are there.
	fill func()
	// Fresh says how complete the figures are.
	Fresh                  *client.KPIFreshness
	Incomplete, Importing  bool
	CompleteFrom, NewestAt time.Time
	// Walls are the links that show boards on screens. Wall is the form for another one of
	// this board, and Query the selection that it shows.
	Walls []wallRow
	Wall  form
	Query string
}

// Fill adds the figures, which take time, unless they are there. The page calls it where it
// needs them. It renders nothing.
func (d *dashboardData) Fill() string {
	if d.fill != nil {
		d.fill()
	}
	return ""
}

// boardLink leads to a board with the same selection.
type boardLink struct{ ID, Title, URL string }

// filterData is a filter of the form.
type filterData struct {
	Dimension, Value string
	Options          []filterOption
}

type filterOption struct{ Value, Label string }

// figures are the figures of the shop's connection.
type figures struct {
	connection  string
	definitions map[string]client.KPIDefinition
	shared      bool
}

// figures returns the figures that can be asked for. missing says why there are none.
func (v *visit) figures() (f figures, missing string, err error) {
	shop, err := v.api.PlainShop(v.r.Context(), v.session.Shop)
	if err != nil {
		return f, "", err
	}
	if shop.Connection == nil {
		return f, "connection", nil
	}
	list, err := v.api.KPIs(v.r.Context(), shop.Connection.ID)
	f = figures{shop.Connection.ID, map[string]client.KPIDefinition{}, shop.Connection.Shared}
	for i := range list {
		f.definitions[list[i].ID] = list[i]
	}
	return f, "", err
}

// board returns the board of the address; the first one with tiles if it names none.
func (v *visit) board() (board, error) {
	all, err := v.allBoards()
	if err != nil {
		return board{}, err
	}
	return boardIn(all, v.r.PathValue("board"))
}

func boardIn(all []board, id string) (board, error) {
	i := slices.IndexFunc(all, func(b board) bool { return b.ID == id || id == "" && len(b.Tiles) > 0 })
	if i < 0 {
		return board{}, errNotFound
	}
	return all[i], nil
}

func (v *visit) dashboard() error {
	if address, needed := withZone(v.r); needed && isFragment(v.r.Context()) == nil {
		http.Redirect(v.w, v.r, ownPath(address), http.StatusSeeOther)
		return nil
	}
	return v.showBoard(http.StatusOK, v.r.URL.Query(), form{})
}

// showBoard shows the board of the address with a selection. wall is the form of a wall link.
func (v *visit) showBoard(status int, q url.Values, wall form) error {
	all, err := v.allBoards()
	if err != nil {
		return err
	}
	b, err := boardIn(all, v.r.PathValue("board"))
	if err != nil {
		return err
	}
	f, missing, err := v.figures()
	if err != nil {
		return err
	}
	if len(b.Tiles) == 0 {
		missing = "shared"
	}
	d := dashboardData{
		Board: b.ID, Missing: missing, Shared: f.shared, Selection: selectionOf(q, b, time.Now(), v.words), Wall: wall,
		Zones: zones, Periods: []string{"7", "30", "90", periodMonth, periodLastMonth, periodCustom},
	}
	d.Query, d.Keep = d.Selection.query(), d.Selection.keep(b)
	for _, other := range all {
		if len(other.Tiles) > 0 || other.Name != "" {
			d.Boards = append(d.Boards, boardLink{other.ID, v.boardTitle(other), "/portal/dashboards/" + other.ID + "?" + d.Query})
		}
	}
	for _, part := range parts {
		d.Parts = append(d.Parts, part.name)
	}
	d.Period = d.Selection.text(v)
	filters := b.Filters
	if isFragment(v.r.Context()) != nil {
		filters = nil // the forms of an open page do not change
	} else if v.session.May(claim.MayConfigure) {
		if d.Walls, err = v.walls(all); err != nil {
			return err
		}
	}
	fill := func() {
		if missing == "" {
			v.fillBoard(&d, b, f, filters)
		}
		d.MayFix = d.Missing == "connection" && v.shows(claim.PageSetup) || d.Missing == "mirror" && v.shows(claim.PageData)
	}
	title := v.words.say("page.dashboards")
	if b.ID != boards[0].ID {
		title = v.boardTitle(b)
	}
	d.Live, d.Own = b.Live, b.Name != ""
	page := view{Title: title, Live: b.Live, Every: boardEvery * v.LiveEvery, Data: &d}
	if status != http.StatusOK || isFragment(v.r.Context()) != nil {
		fill()
		v.show(status, "dashboards", page)
		return nil
	}
	d.fill = func() {
		v.flush()
		fill()
	}
	v.showGrowing("dashboards", page)
	return nil
}

// shows reports whether the person can open a page.
func (v *visit) shows(page claim.PortalPage) bool { return v.session.Shows(page) && v.serves(page) }

// fillBoard asks for everything that a board shows, and for the values of filters. What
// fails shows its fault.
func (v *visit) fillBoard(d *dashboardData, b board, f figures, filters []string) {
	var asking errgroup.Group
	asking.SetLimit(maxQuestions)
	answers := make([]tileAnswer, len(b.Tiles))
	for i, t := range b.Tiles {
		asking.Go(func() error {
			answers[i] = v.askTile(f, t, &d.Selection)
			return nil
		})
	}
	options := make([]client.KPIResult, len(filters))
	faults := make([]error, len(filters))
	for i, dimension := range filters {
		asking.Go(func() error {
			q, _ := (&selection{from: d.Selection.from, to: d.Selection.to, zone: d.Selection.zone}).ask(f.definitions[optionsOf(dimension)])
			q.By = dimension
			options[i], faults[i] = v.api.KPI(v.r.Context(), f.connection, optionsOf(dimension), q)
			return nil
		})
	}
	_ = asking.Wait() // faults are shown where they belong
	for i, dimension := range filters {
		if faults[i] != nil {
			note(v.r.Context()).err = faults[i]
		}
		d.Filters = append(d.Filters, v.filterOf(dimension, d.Selection.By[dimension], options[i]))
	}
	for i := range b.Tiles {
		d.Tiles = append(d.Tiles, v.tile(b, i, &answers[i], d))
		if fresh := answers[i].total.Freshness; fresh != nil {
			d.Fresh = fresh
		}
	}
	if d.Fresh != nil {
		d.Importing = d.Fresh.Importing
		if d.Fresh.NewestAt.IsZero() && !f.shared {
			d.Missing = "mirror"
		}
		d.Incomplete = !d.Fresh.NewestAt.IsZero() && d.Fresh.CompleteFrom.After(d.Selection.from)
		d.CompleteFrom, d.NewestAt = d.Fresh.CompleteFrom, d.Fresh.NewestAt
	}
}

// filterOf offers the values of a dimension that occur. The chosen one is offered in any
// case.
func (v *visit) filterOf(dimension, chosen string, r client.KPIResult) filterData {
	out := filterData{Dimension: dimension, Value: chosen}
	known := chosen == ""
	for _, s := range r.Series {
		if s.Group != "" && (len(out.Options) < maxOptions || s.Group == chosen) {
			out.Options = append(out.Options, filterOption{s.Group, v.words.value(dimension, s.Group, s.Label)})
			known = known || s.Group == chosen
		}
	}
	if !known {
		out.Options = append(out.Options, filterOption{chosen, v.words.value(dimension, chosen, chosen)})
	}
	return out
}

// locale formats numbers and dates in the page's language.
func (v *visit) locale() chart.Locale { return chart.NewLocale(v.words.language) }

// tileOfAddress returns the tile that the address names, and the figures.
func (v *visit) tileOfAddress() (b board, t tile, f figures, err error) {
	if b, err = v.board(); err != nil {
		return b, t, f, err
	}
	t, found := b.tileOf(v.r.PathValue("tile"))
	if !found {
		return b, t, f, errNotFound
	}
	f, missing, err := v.figures()
	if err == nil && (missing != "" || f.definitions[t.KPI].ID == "") {
		err = errNotFound
	}
	return b, t, f, err
}

// tileCSV passes the API's CSV of a tile on.
func (v *visit) tileCSV() error {
	b, t, f, err := v.tileOfAddress()
	if err != nil {
		return err
	}
	s := selectionOf(v.r.URL.Query(), b, time.Now(), v.words)
	data, err := v.api.KPICSV(v.r.Context(), f.connection, t.KPI, t.question(&s, f.definitions[t.KPI]))
	if err != nil {
		return err
	}
	v.w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	v.w.Header().Set("Content-Disposition", `attachment; filename="`+t.ID()+`.csv"`)
	_, _ = v.w.Write(data) // the browser may have gone
	return nil
}

// question is what the chart of a tile asks.
func (t tile) question(s *selection, d client.KPIDefinition) client.KPIQuery {
	q, _ := s.ask(d)
	q.By = t.By
	switch {
	case t.Drawn == drawnHeat:
		q.Bucket = "hour_of_week"
	case t.overTime() && slices.Contains(d.Buckets, s.part):
		q.Bucket = s.part
	}
	return q
}
