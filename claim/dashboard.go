package claim

// Limits of dashboards.
const (
	// MaxDashboards is how many dashboards a shop may have.
	MaxDashboards = 20
	// MaxDashboardTiles is how many tiles a dashboard may have.
	MaxDashboardTiles = 12
)

// Dashboard is a page of key figures that a shop has put together.
type Dashboard struct {
	ID   string `json:"id" readOnly:"true"`
	Name string `json:"name" minLength:"1" maxLength:"80" doc:"The name that staff see."`
	// Tiles are in the order in which they are shown.
	Tiles []DashboardTile `json:"tiles" minItems:"1" maxItems:"12" doc:"The key figures, in the order in which they are shown. A figure can be there once for each dimension."`
}

// DashboardTile is a key figure on a dashboard.
type DashboardTile struct {
	KPI   string `json:"kpi" doc:"The id of the key figure." example:"backlog"`
	Chart string `json:"chart" enum:"line,bars,ranking,histogram,heat" doc:"line and bars show the figure over time, ranking and histogram one value for each group, heat the hours of the week."`
	// By is a dimension of the figure; empty for none.
	By string `json:"by,omitempty" doc:"The dimension that the chart groups by, one of the figure's dimensions. ranking and histogram need one; line and heat have none."`
}
