package portal

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/store"
)

// wallRefresh is how many seconds a screen waits before it loads a wall again, if it has
// no script or the wall could not be shown.
const wallRefresh = 60

// showWall shows a board on a screen that has its link, without a session.
func (p *Portal) showWall(w http.ResponseWriter, r *http.Request) {
	v, wall, err := p.wallOf(w, r)
	if errors.Is(err, store.ErrWall) {
		if !p.overTried(w, r) {
			p.notice(w, r, notice{status: http.StatusNotFound, key: "wall.unknown"})
		}
		return
	}
	if err == nil {
		err = v.wall(wall)
	}
	if err == nil {
		return
	}
	w.Header().Set("Refresh", fmt.Sprint(wallRefresh))
	if errors.Is(err, errNotFound) {
		p.notice(w, r, notice{status: http.StatusNotFound, key: "missing"})
		return
	}
	note(r.Context()).err = err
	p.notice(w, r, notice{status: http.StatusServiceUnavailable, key: "unavailable"})
}

// wallNews streams the tiles of a wall whenever they change, until its link is revoked.
func (p *Portal) wallNews(w http.ResponseWriter, r *http.Request) {
	v, wall, err := p.wallOf(w, r)
	if errors.Is(err, store.ErrWall) && p.overTried(w, r) {
		return
	}
	if err != nil && !errors.Is(err, store.ErrWall) {
		note(r.Context()).err = err
		p.notice(w, r, notice{status: http.StatusServiceUnavailable, key: "unavailable"})
		return
	}
	admit := func() error {
		_, err := p.Store.Walls.BySecret(r.Context(), r.PathValue("secret"))
		return err
	}
	err = v.stream("wall:"+wall.ID, admit, func() (*fragment, error) {
		part := &fragment{}
		discarded := &pipedResponse{header: http.Header{}, begun: make(chan struct{})}
		v, wall, err := p.wallOf(discarded, r.WithContext(context.WithValue(r.Context(), fragmentKey{}, part)))
		if err == nil {
			err = v.wall(wall)
		}
		if err == nil && discarded.status != 0 {
			err = errNotFound
		}
		return part, err
	})
	if err != nil {
		sendOnly(w, endedEvent)
	}
}

// wallOf returns the wall of the address's secret and a visit that may read what the wall
// shows.
func (p *Portal) wallOf(w http.ResponseWriter, r *http.Request) (*visit, claim.Wall, error) {
	v := &visit{Portal: p, w: w, r: r}
	wall, err := p.Store.Walls.BySecret(r.Context(), r.PathValue("secret"))
	if err != nil {
		return v, wall, err
	}
	note(r.Context()).session = wall.ID
	// The session has no page and no capability; it only names the shop.
	v.session, v.words = claim.PortalSession{Shop: wall.Shop, Language: wall.Language}, p.wordsFor(r, wall.Language)
	v.api, err = p.apiFor(claim.Key{ID: "wall:" + wall.ID, Name: "portal wall", Shop: wall.Shop, Scopes: p.WallScopes})
	if err == nil {
		if err := p.Store.Walls.Used(r.Context(), wall); err != nil && !errors.Is(err, store.ErrWall) {
			note(r.Context()).err = err // the wall works all the same
		}
	}
	return v, wall, err
}

// wall shows the tiles of a wall, without anything that leads elsewhere.
func (v *visit) wall(wall claim.Wall) error {
	all, err := v.allBoards()
	if err != nil {
		return err
	}
	b, err := boardIn(all, wall.Board)
	if err != nil {
		return err
	}
	q, err := url.ParseQuery(wall.Query)
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
	d := dashboardData{Missing: missing, Selection: selectionOf(q, b, time.Now(), v.words)}
	d.Period = d.Selection.text(v)
	if missing == "" {
		// The screen names the values that it filters by.
		v.fillBoard(&d, b, f, slices.Sorted(maps.Keys(d.Selection.By)))
	}
	// Unlike a board, a wall is sent as a whole: nobody would load one again that was cut off.
	v.show(http.StatusOK, "wall", view{Title: v.boardTitle(b), Every: boardEvery * v.LiveEvery, Data: d})
	return nil
}

// Label returns the label of the chosen value.
func (f filterData) Label() string {
	for _, o := range f.Options {
		if o.Value == f.Value {
			return o.Label
		}
	}
	return f.Value
}

// wallRow is a wall link in the list. URL leads to the board as the screen shows it.
type wallRow struct {
	claim.Wall
	Title, URL string
}

// walls lists the wall links of the shop.
func (v *visit) walls(all []board) ([]wallRow, error) {
	walls, err := v.api.Walls(v.r.Context(), v.session.Shop)
	rows := make([]wallRow, len(walls))
	for i, w := range walls {
		rows[i] = wallRow{w, w.Board, "/portal/dashboards/" + url.PathEscape(w.Board) + "?" + w.Query}
		if b, err := boardIn(all, w.Board); err == nil {
			rows[i].Title = v.boardTitle(b)
		}
	}
	return rows, err
}

// addWall creates a wall link for a board as the person sees it. Its address is shown in
// this answer only.
func (v *visit) addWall() error {
	b, err := v.board()
	if err != nil {
		return err
	}
	q, err := url.ParseQuery(v.r.PostFormValue("query"))
	if err != nil {
		q = nil
	}
	s := selectionOf(q, b, time.Now(), v.words)
	wall, err := v.api.CreateWall(v.r.Context(), v.session.Shop, claim.NewWall{
		Name: v.r.PostFormValue("name"), Board: b.ID, Query: s.query(), Language: v.words.language,
	})
	if err != nil {
		return v.refusedForm(err, []string{"name"}, func(f form) error {
			if _, wrong := f.Faults["name"]; wrong {
				f.Faults["name"] = v.words.say("wall.fault.name")
			}
			return v.showBoard(http.StatusUnprocessableEntity, q, f)
		})
	}
	v.show(http.StatusOK, "wall-secret", view{Title: v.words.say("wall.secret.title"), Data: map[string]string{
		"URL": wall.URL, "Board": "/portal/dashboards/" + b.ID + "?" + s.query(),
	}})
	return nil
}

// revokeWall revokes a wall link.
func (v *visit) revokeWall() error {
	if err := v.api.RevokeWall(v.r.Context(), v.session.Shop, v.r.PathValue("wall")); err != nil {
		return err
	}
	return v.done("dashboards/"+url.PathEscape(v.r.PathValue("board")), "wall-revoked")
}
