package portal

import (
	"slices"
	"strings"
)

// drawn is the kind of a tile's chart.
type drawn string

const (
	drawnLine      drawn = "line"      // over time
	drawnBars      drawn = "bars"      // over time, stacked by the dimension
	drawnRanking   drawn = "ranking"   // one bar for each value of the dimension
	drawnHistogram drawn = "histogram" // how many values of the dimension have which value
	drawnHeat      drawn = "heat"      // by hour of week
)

// tile is a key figure on a board.
type tile struct {
	KPI   string
	Drawn drawn
	// By is the dimension that the chart splits the figure by; empty for none.
	By string
}

// ID identifies the tile on its board.
func (t tile) ID() string {
	if t.By == "" {
		return t.KPI
	}
	return t.KPI + "-by-" + t.By
}

// overTime reports whether the chart has the periods that the person chooses.
func (t tile) overTime() bool { return t.Drawn == drawnLine || t.Drawn == drawnBars }

// board is a page of tiles.
type board struct {
	ID string
	// Name is the name that the shop gave its own board; empty for the others.
	Name  string
	Tiles []tile
	// Filters are the dimensions that the person can filter by.
	Filters []string
	// Live says that the tiles renew themselves.
	Live bool
}

var (
	byConversation = []string{"queue", "team", "agent", "tag", "channel"}
	byClaim        = []string{"reason", "carrier", "phase", "status", "resolution"}
)

// boards are the dashboards, in the order of their menu.
var boards = []board{
	{"overview", "", []tile{
		{"conversation_volume", drawnBars, "channel"},
		{"closed_conversations", drawnBars, ""},
		{"backlog", drawnLine, ""},
		{"first_response_time", drawnLine, ""},
		{"full_resolution_time", drawnLine, ""},
		{"csat", drawnLine, ""},
	}, byConversation, false},
	{"backlog", "", []tile{
		{"backlog", drawnBars, "queue"},
		{"backlog_age", drawnLine, ""},
		{"sla_attainment", drawnLine, ""},
		{"sla_attainment", drawnRanking, "queue"},
		{"queue_time", drawnLine, ""},
		{"first_response_time", drawnRanking, "queue"},
	}, byConversation, true},
	{"agents", "", []tile{
		{"agent_replies", drawnRanking, "agent"},
		{"closed_conversations", drawnRanking, "agent"},
		{"first_response_time", drawnRanking, "team"},
		{"handling_time", drawnHistogram, "agent"},
		{"agent_load", drawnHistogram, "agent"},
		{"csat", drawnRanking, "agent"},
		{"replies_per_agent", drawnLine, ""},
		{"transfer_rate", drawnLine, ""},
	}, byConversation, false},
	{"claims", "", []tile{
		{"claim_volume", drawnBars, "reason"},
		{"claim_volume", drawnRanking, "carrier"},
		{"claim_time_to_first_reply", drawnLine, ""},
		{"claim_time_to_settle", drawnLine, ""},
		{"claim_accepted_share", drawnLine, ""},
		{"claim_refund_share", drawnLine, ""},
		{"claim_repeat_share", drawnLine, ""},
		{"claim_parkings", drawnBars, "cause"},
	}, byClaim, false},
	{"ratings", "", []tile{
		{"csat", drawnLine, ""},
		{"csat_response_rate", drawnLine, ""},
		{"csat", drawnRanking, "queue"},
		{"csat", drawnRanking, "tag"},
		{"nps", drawnLine, ""},
		{"thumbs", drawnLine, ""},
	}, byConversation, false},
	{"staffing", "", []tile{
		{"arrivals_per_hour", drawnHeat, ""},
		{"handling_time_by_hour", drawnHeat, ""},
		{"agent_presence", drawnHeat, ""},
		{"conversation_volume", drawnBars, ""},
	}, byConversation, false},
}

// aboutClaims reports whether the tile is about claims. Each shop sees its own, also if its
// Dixa is shared.
func (t tile) aboutClaims() bool { return strings.HasPrefix(t.KPI, "claim_") }

// optionsOf returns the figure whose groups are the values that a filter offers.
func optionsOf(dimension string) string {
	if slices.Contains(byClaim, dimension) {
		return "claim_volume"
	}
	return "conversation_volume"
}

// tileOf returns a tile of the board and whether there is one.
func (b board) tileOf(id string) (tile, bool) {
	i := slices.IndexFunc(b.Tiles, func(t tile) bool { return t.ID() == id })
	if i < 0 {
		return tile{}, false
	}
	return b.Tiles[i], true
}
