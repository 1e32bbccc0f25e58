package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/kpi"
	"github.com/claimflow/claimflow/store"
)

// dashboardRoutes returns the routes of the dashboards that shops put together.
func (a *api) dashboardRoutes() []route {
	const all, one = shop + "/dashboards", shop + "/dashboards/{dashboard}"
	return []route{
		newRoute("GET "+all, "list-dashboards", "List the dashboards of a shop", tagPortal, client.ScopeShopsRead, a.listDashboards,
			withDescription("Those that the shop has put together; the portal has others for every shop.")),
		newRoute("PUT "+one, "save-dashboard", "Add or replace a dashboard", tagPortal, client.ScopeShopsWrite, a.saveDashboard, withErrors(http.StatusConflict, http.StatusUnprocessableEntity),
			withDescription("409: the shop has 20 dashboards already.")),
		newRoute("DELETE "+one, "delete-dashboard", "Delete a dashboard", tagPortal, client.ScopeShopsWrite, a.deleteDashboard),
	}
}

func (a *api) listDashboards(ctx context.Context, in *InShop) (*body[client.DashboardList], error) {
	all, err := a.Store.Dashboards.List(ctx, in.Shop)
	return ok(client.DashboardList{Dashboards: notNil(all)}, err)
}

// InDashboard is the part of an input that names a dashboard.
type InDashboard struct {
	InShop
	Dashboard string `path:"dashboard" pattern:"^[a-z0-9-]{1,40}$" doc:"The id of the dashboard, which the caller chooses: lower case letters, digits and hyphens."`
}

type saveDashboardInput struct {
	InDashboard
	Body claim.Dashboard
}

func (a *api) saveDashboard(ctx context.Context, in *saveDashboardInput) (*body[claim.Dashboard], error) {
	d := in.Body
	d.ID = in.Dashboard
	if errs := checkDashboard(d); len(errs) > 0 {
		return nil, &claim.InvalidError{What: "dashboard", Errors: errs}
	}
	err := a.Store.Dashboards.Save(ctx, in.Shop, d)
	if errors.Is(err, store.ErrDashboards) {
		return nil, newProblem(http.StatusConflict, "", fmt.Sprintf("The shop has %d dashboards, which is the most it may have. Delete one first.", claim.MaxDashboards))
	}
	recordChange(ctx, "id", d.ID)
	return ok(d, err)
}

func (a *api) deleteDashboard(ctx context.Context, in *InDashboard) (*struct{}, error) {
	recordChange(ctx, "id", in.Dashboard)
	return nil, a.Store.Dashboards.Delete(ctx, in.Shop, in.Dashboard)
}

// checkDashboard lists everything that is wrong with a dashboard beside what its schema
// says.
func checkDashboard(d claim.Dashboard) []claim.FieldError {
	var all []claim.FieldError
	add := func(field, problem string, args ...any) {
		all = append(all, claim.FieldError{Field: field, Problem: fmt.Sprintf(problem, args...)})
	}
	if !claim.IsText(d.Name) {
		add("name", "must be text")
	}
	for i, t := range d.Tiles {
		field := fmt.Sprintf("tiles[%d]", i)
		definition, known := kpi.ByID(t.KPI)
		switch {
		case !known:
			add(field+".kpi", "must be a key figure")
		case t.By == "" && (t.Chart == "ranking" || t.Chart == "histogram"):
			add(field+".by", "is needed for a %s", t.Chart)
		case t.By != "" && (t.Chart == "line" || t.Chart == "heat"):
			add(field+".by", "is not possible for %s", t.Chart)
		case t.By != "" && !slices.Contains(definition.Dimensions, kpi.Dimension(t.By)):
			add(field+".by", "must be one of the dimensions of %s", t.KPI)
		case t.Chart == "heat" && !slices.Contains(definition.Buckets, kpi.BucketHourOfWeek):
			add(field+".chart", "must not be heat, because %s has no hours of the week", t.KPI)
		}
		for _, other := range d.Tiles[:i] {
			if other.KPI == t.KPI && other.By == t.By {
				add(field, "is there twice")
				break
			}
		}
	}
	return all
}
