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
		if strings.HasPrefix(t.KPI, claimFigure) {
			filters = byClaim
		}
		if !slices.Contains(b.Filters, filters[0]) {
			b.Filters = append(b.Filters, filters...)
		}
	}
	return b
}

// allBoards returns the boards for every shop and then those of this one.
func (v *visit) allBoards() ([]board, error) {
	own, err := v.api.Dashboards(v.r.Context(), v.session.Shop)
	all := slices.Clone(boards)
	for _, d := range own {
		all = append(all, ownBoard(d))
	}
	return all, err
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
	// Rows are the places of tiles.
	Rows    []tileRow
	Options []tileOption
}

// tileRow is a place, from 1, with its tile; empty for none.
type tileRow struct {
	Place int
	Value string
}

type tileOption struct{ Value, Label string }

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
	offered := catalogue()
	for i, t := range chosen {
		if i < len(d.Rows) {
			d.Rows[i].Value = t.value()
		}
		if !slices.Contains(offered, t) {
			offered = append(offered, t)
		}
	}
	for _, t := range offered {
		d.Options = append(d.Options, tileOption{t.value(), v.tileTitle(t) + " – " + v.words.say("own.chart."+string(t.Drawn))})
	}
	v.show(status, "ownboard", view{Title: title, Data: d})
	return nil
}

// newBoard shows the form of a new board.
func (v *visit) newBoard() error {
	return v.showOwn(http.StatusOK, "", form{}, nil)
}

// ownOfAddress returns the shop's board that the address names.
func (v *visit) ownOfAddress() (board, error) {
	b, err := v.board()
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
