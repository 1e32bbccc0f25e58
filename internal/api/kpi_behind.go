package api

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"time"

	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/kpi"
)

type kpiBehindInput struct {
	InKPI
	Group    string `query:"group" doc:"The group of by whose value it is, empty for what has none. Needed with by."`
	Position string `query:"position" doc:"The place of the value's bucket among the buckets that the key figure has for this question, from 0. If omitted, it is the value of the whole period."`
	Limit    string `query:"limit" doc:"How many to list: 50 if omitted, 500 at most."`
	Cursor   string `query:"cursor" doc:"The cursor from the previous page of the same question."`
}

func (a *api) listKPIBehind(ctx context.Context, in *kpiBehindInput) (*body[client.KPIBehind], error) {
	if err := a.knownConnection(ctx, in.Connection); err != nil {
		return nil, err
	}
	definition, err := a.figure(in.KPI)
	if err != nil {
		return nil, err
	}
	now, after, err := a.openBehind(in)
	if err != nil {
		return nil, err
	}
	r, err := definition.ParseBehind(in.values, now)
	if err != nil {
		return nil, err
	}
	r.After = after
	page, next, err := a.KPIs.Behind(ctx, in.Connection, definition, r, in.Schedule)
	if err == nil && next != nil {
		page.Next, err = a.sealBehind(in, now, *next)
	}
	return ok(page, err)
}

// openBehind returns when the first page was asked for, so that all pages have the same
// period, and the place after which the page begins.
func (a *api) openBehind(in *kpiBehindInput) (now time.Time, after *kpi.Place, err error) {
	if in.Cursor == "" {
		return time.Now().Truncate(time.Microsecond), nil, nil
	}
	var asked int64
	var place kpi.Place
	text, sealed := a.Store.OpenCursor(in.Cursor, in.question()...)
	if n, err := fmt.Sscan(text, &asked, &place.At, &place.ID); !sealed || err != nil || n != 3 {
		return now, nil, invalid("query", "cursor", "must be a cursor from an earlier page of the same question")
	}
	return time.UnixMicro(asked), &place, nil
}

// sealBehind returns the cursor of a page.
func (a *api) sealBehind(in *kpiBehindInput, now time.Time, after kpi.Place) (string, error) {
	return a.Store.SealCursor(fmt.Sprint(now.UnixMicro(), after.At, after.ID), in.question()...)
}

// question is what a cursor is bound to. Pages may have other lengths.
func (in *kpiBehindInput) question() []string {
	values := url.Values{}
	maps.Copy(values, in.values)
	values.Del("cursor")
	values.Del("limit")
	return []string{"kpi behind", in.Connection, in.KPI, values.Encode()}
}
