package claim

import (
	"net/url"
	"slices"
	"strings"
	"time"
)

// MaxWalls is how many wall links a shop may have.
const MaxWalls = 50

// OwnBoardPrefix begins the ids of boards that a shop has put together. The id of the
// [Dashboard] follows.
const OwnBoardPrefix = "own-"

// PortalBoards lists the boards that the portal has for every shop.
func PortalBoards() []string {
	return []string{"overview", "backlog", "agents", "claims", "ratings", "staffing"}
}

// NewWall describes a wall link: an address that shows a board on a screen, to everyone who
// has it, until it is revoked.
type NewWall struct {
	Name string `json:"name" minLength:"1" maxLength:"80" doc:"Where the screen is, so that staff know which link to revoke." example:"Support room"`
	// Board is one of [PortalBoards], or [OwnBoardPrefix] and the id of a dashboard.
	Board string `json:"board" minLength:"1" maxLength:"60" doc:"overview, backlog, agents, claims, ratings or staffing; or own- and the id of a dashboard of the shop." example:"backlog"`
	// Query has the period and filters as the address of the board has them.
	Query    string `json:"query,omitempty" maxLength:"1000" doc:"The period, time zone, parts and filters, as they stand in the address of the board in the portal." example:"period=7&zone=Europe/Berlin&channel=Email"`
	Language string `json:"language,omitempty" enum:"en,de" doc:"The language of the screen. Defaults to that of its browser."`
}

// Wall is a wall link without its secret.
type Wall struct {
	ID   string `json:"id"`
	Shop string `json:"shop"`
	NewWall
	// CreatedBy is the name of the API key, or of the person in the portal.
	CreatedBy string    `json:"created_by"`
	CreatedAt time.Time `json:"created_at"`
	// LastUsedAt is accurate to a minute; zero if the link was never used.
	LastUsedAt time.Time `json:"last_used_at,omitzero" doc:"When a screen last showed the board, to the minute. The link does not expire by itself."`
}

// Validate lists everything that is wrong with a wall link. It does not know which
// dashboards the shop has.
func (w *NewWall) Validate() []FieldError {
	var all []FieldError
	add := func(field, problem string) { all = append(all, FieldError{Field: field, Problem: problem}) }
	if strings.TrimSpace(w.Name) == "" || len(w.Name) > 320 || !IsText(w.Name) {
		add("name", "must be text of 1 to 80 characters")
	}
	if !slices.Contains(PortalBoards(), w.Board) && !strings.HasPrefix(w.Board, OwnBoardPrefix) {
		add("board", "must be one of "+strings.Join(PortalBoards(), ", ")+", or own- and the id of a dashboard")
	}
	if _, err := url.ParseQuery(w.Query); err != nil || len(w.Query) > 1000 || !IsText(w.Query) {
		add("query", "must be the query of an address, such as period=7&channel=Email")
	}
	if w.Language != "" && !slices.Contains(PortalLanguages(), w.Language) {
		add("language", "must be one of "+strings.Join(PortalLanguages(), ", "))
	}
	return all
}
