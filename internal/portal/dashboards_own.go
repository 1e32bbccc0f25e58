package portal

import (
	"crypto/rand"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/claimflow/claimflow/claim"
)

// ownBoard returns the board of a dashboard of the shop.
func ownBoard(d claim.Dashboard) board {
	b := board{ID: claim.OwnBoardPrefix + d.ID, Name: d.Name}
	for _, t := range d.Tiles {
		b.Tiles = append(b.Tiles, tile{t.KPI, drawn(t.Chart), t.By})
		filters := byConversation
		if b.Tiles[len(b.Tiles)-1].aboutClaims() {
			filters = byClaim
		}
		if !slices.Contains(b.Filters, filters[0]) {
			b.Filters = append(b.Filters, filters...)
		}
	}
	return b
}

// allBoards returns the boards for every shop and then those of this one. If the shop's
// Dixa is shared, they have tiles about claims only, and some have none.
func (v *visit) allBoards() ([]board, error) {
	all, err := v.savedBoards()
	if err != nil {
		return nil, err
	}
	shared, err := v.sharesDixa()
	if shared {
		for i := range all {
			all[i].Tiles = slices.DeleteFunc(slices.Clone(all[i].Tiles), func(t tile) bool { return !t.aboutClaims() })
		}
	}
	return all, err
}

// savedBoards returns the boards with all of their tiles.
func (v *visit) savedBoards() ([]board, error) {
	own, err := v.api.Dashboards(v.r.Context(), v.session.Shop)
	all := slices.Clone(boards)
	for _, d := range own {
		all = append(all, ownBoard(d))
	}
	return all, err
}

// sharesDixa reports whether other shops use the shop's Dixa organization or did before.
func (v *visit) sharesDixa() (bool, error) {
	shop, err := v.api.PlainShop(v.r.Context(), v.session.Shop)
	return err == nil && shop.Connection != nil && shop.Connection.Shared, err
}

// boardTitle names a board.
func (v *visit) boardTitle(b board) string {
	if b.Name != "" {
		return b.Name
	}
	return v.words.say("board." + b.ID)
}

// catalogue are the tiles that a board can be put together from: those of the boards for
// every shop.
func catalogue() (all []tile) {
	for _, b := range boards {
		for _, t := range b.Tiles {
			if !slices.Contains(all, t) {
				all = append(all, t)
			}
		}
	}
	return all
}

// ownData is the form of a board.
type ownData struct {
	Form form
	// URL is where the form goes, Board the id of the board; empty for a new one.
	URL, Board string
	// Rows are the places of tiles that are shown, More those that are folded away.
	Rows, More []tileRow
	// Groups are the tiles to choose from.
	Groups []tileGroup
	// Shared says that only figures of claims are offered, because the Dixa is shared.
	Shared bool
}

// tileRow is a place, from 1, with its tile; empty for none.
type tileRow struct {
	Place int
	Value string
}

// tileGroup are the tiles of one subject, by name.
type tileGroup struct {
	Label   string
	Options []tileOption
}

type tileOption struct{ Value, Label string }

// shownPlaces is how many places for tiles the form shows at first.
const shownPlaces = 4

// value identifies a tile in the form.
func (t tile) value() string { return strings.Join([]string{t.KPI, string(t.Drawn), t.By}, " ") }

// showOwn shows the form of a board.
func (v *visit) showOwn(status int, id string, f form, chosen []tile) error {
	d := ownData{Form: f, Board: id, URL: "/portal/dashboards/new", Rows: make([]tileRow, claim.MaxDashboardTiles)}
	title := v.words.say("own.new")
	if id != "" {
		d.URL, title = "/portal/dashboards/"+id+"/edit", v.words.say("own.edit")
	}
	for i := range d.Rows {
		d.Rows[i].Place = i + 1
	}
	shared, err := v.sharesDixa()
	if err != nil {
		return err
	}
	d.Shared = shared
	offered := catalogue()
	if shared {
		offered = slices.DeleteFunc(offered, func(t tile) bool { return !t.aboutClaims() })
	}
	for i, t := range chosen {
		if i < len(d.Rows) {
			d.Rows[i].Value = t.value()
		}
		if !slices.Contains(offered, t) {
			offered = append(offered, t)
		}
	}
	shown := max(shownPlaces, min(len(chosen)+1, len(d.Rows)))
	d.Rows, d.More = d.Rows[:shown], d.Rows[shown:]
	d.Groups = v.tileGroups(offered)
	v.show(status, "ownboard", view{Title: title, Data: d})
	return nil
}

// tileGroups returns the tiles that the form offers, first those about conversations.
func (v *visit) tileGroups(offered []tile) (groups []tileGroup) {
	for _, claims := range []bool{false, true} {
		g := tileGroup{Label: v.words.say("dash.subject.conversations")}
		if claims {
			g.Label = v.words.say("dash.subject.claims")
		}
		for _, t := range offered {
			if t.aboutClaims() == claims {
				g.Options = append(g.Options, tileOption{t.value(), v.tileTitle(t) + " – " + v.words.say("own.chart."+string(t.Drawn))})
			}
		}
		if len(g.Options) == 0 {
			continue
		}
		slices.SortFunc(g.Options, func(a, b tileOption) int { return strings.Compare(strings.ToLower(a.Label), strings.ToLower(b.Label)) })
		groups = append(groups, g)
	}
	return groups
}

// newBoard shows the form of a new board.
func (v *visit) newBoard() error {
	return v.showOwn(http.StatusOK, "", form{}, nil)
}

// ownOfAddress returns the shop's board that the address names, with all of its tiles.
func (v *visit) ownOfAddress() (board, error) {
	all, err := v.savedBoards()
	if err != nil {
		return board{}, err
	}
	b, err := boardIn(all, v.r.PathValue("board"))
	if err == nil && b.Name == "" {
		err = errNotFound
	}
	return b, err
}

// editBoard shows the form of a board of the shop.
func (v *visit) editBoard() error {
	b, err := v.ownOfAddress()
	if err != nil {
		return err
	}
	return v.showOwn(http.StatusOK, b.ID, form{Values: map[string]string{"name": b.Name}}, b.Tiles)
}

// addBoard saves a new board.
func (v *visit) addBoard() error { return v.saveBoard("", strings.ToLower(rand.Text())) }

// changeBoard saves a board of the shop.
func (v *visit) changeBoard() error {
	b, err := v.ownOfAddress()
	if err != nil {
		return err
	}
	return v.saveBoard(b.ID, strings.TrimPrefix(b.ID, claim.OwnBoardPrefix))
}

// saveBoard saves the form. board is empty for a new one.
func (v *visit) saveBoard(board, id string) error {
	d := claim.Dashboard{ID: id, Name: strings.TrimSpace(v.r.PostFormValue("name"))}
	var chosen []tile
	for _, value := range v.list("tile") {
		words := strings.Split(value, " ")
		if len(words) != 3 || len(chosen) == claim.MaxDashboardTiles {
			continue // nothing is chosen for this place
		}
		t := tile{words[0], drawn(words[1]), words[2]}
		if !slices.ContainsFunc(chosen, func(other tile) bool { return other.ID() == t.ID() }) {
			chosen = append(chosen, t)
			d.Tiles = append(d.Tiles, claim.DashboardTile{KPI: t.KPI, Chart: string(t.Drawn), By: t.By})
		}
	}
	f := form{Values: map[string]string{"name": d.Name}, Faults: map[string]string{}}
	if d.Name == "" {
		f.Faults["name"] = v.words.say("own.fault.name")
	}
	if len(chosen) == 0 {
		f.Summary = v.words.say("own.fault.tiles")
	}
	if len(f.Faults) > 0 || f.Summary != "" {
		return v.showOwn(http.StatusUnprocessableEntity, board, f, chosen)
	}
	if _, err := v.api.SaveDashboard(v.r.Context(), v.session.Shop, d); err != nil {
		return v.refusedForm(err, []string{"name"}, func(f form) error {
			return v.showOwn(http.StatusUnprocessableEntity, board, f, chosen)
		})
	}
	return v.done("dashboards/"+url.PathEscape(claim.OwnBoardPrefix+id), "saved")
}

// deleteBoard deletes a board of the shop.
func (v *visit) deleteBoard() error {
	b, err := v.ownOfAddress()
	if err == nil {
		err = v.api.DeleteDashboard(v.r.Context(), v.session.Shop, strings.TrimPrefix(b.ID, claim.OwnBoardPrefix))
	}
	if err != nil && !errors.Is(err, errNotFound) {
		return err
	}
	return v.done("dashboards", "board-deleted")
}
