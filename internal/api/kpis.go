package api

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/kpi"
)

// kpisAnswers documents the list of definitions.
func kpisAnswers(r *route) {
	r.document = func(spec huma.API, op *huma.Operation) {
		op.Responses["200"].Content = map[string]*huma.MediaType{
			"application/json": {Schema: spec.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[client.KPIDefinitionList](), true, "KPIDefinitionList")},
		}
	}
}

func (a *api) listKPIs(ctx context.Context, in *InConnection) (*streamOutput, error) {
	if err := a.knownConnection(ctx, in.Connection); err != nil {
		return nil, err
	}
	all := kpi.All()
	if key := of(ctx).key; key != nil && key.Shop != "" {
		shared, err := a.usesConnection(ctx, key, in.Connection)
		if err != nil {
			return nil, err
		}
		if shared {
			all = slices.DeleteFunc(all, func(d kpi.Definition) bool { return !d.AboutClaims() })
		}
	}
	return writeJSON(map[string]any{"data": all})
}

// writeJSON answers with a value whose type the document does not use.
func writeJSON(v any) (*streamOutput, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return &streamOutput{Body: func(out huma.Context) {
		out.SetHeader("Content-Type", "application/json")
		_, _ = out.BodyWriter().Write(append(data, '\n')) // the caller may have disconnected
	}}, nil
}

// InKPI is the part of an input that asks for the values of a key figure.
type InKPI struct {
	InConnection
	KPI        string   `path:"kpi" doc:"The id of the key figure."`
	From       string   `query:"from" doc:"The start of the period: a date in the time zone or an RFC 3339 time. 29 days before today if omitted."`
	To         string   `query:"to" doc:"The end of the period, which does not include it; now if omitted."`
	Timezone   string   `query:"timezone" doc:"The IANA time zone of dates and buckets; UTC if omitted." example:"Europe/Copenhagen"`
	Bucket     string   `query:"bucket" doc:"The length of the buckets, one of the figure's buckets."`
	By         string   `query:"by" doc:"One of the figure's dimensions: one series for each of its values."`
	Filter     []string `query:"filter,explode" doc:"A dimension, a colon and values separated by commas. Repeat it for more dimensions." example:"channel:Email,WidgetChat"`
	Date       string   `query:"date" doc:"The date that places a conversation, event or claim, one of the figure's placed_by."`
	Hours      string   `query:"hours" doc:"clock or business."`
	Schedule   string   `query:"schedule" doc:"The id of the business hours, if the organization has several."`
	WithinDays string   `query:"within_days" doc:"A limit of days, for figures that have it."`

	values url.Values
}

type kpiInput struct {
	InKPI
	Accept  string `header:"Accept" hidden:"true"`
	Cache   string `header:"Cache-Control" doc:"max-age=60 accepts an answer about claims that is up to a minute old, as RFC 9111 defines it. asked_at says when it was computed." example:"max-age=60"`
	Format  string `query:"format" enum:"json,csv" doc:"csv returns CSV regardless of the Accept header."`
	Compare string `query:"compare" enum:"dixa" doc:"dixa also asks Dixa's analytics for its own metric of the same meaning."`
}

// Resolve keeps the parameters for [kpi.Definition.ParseRequest].
func (in *InKPI) Resolve(ctx huma.Context) []error {
	address := ctx.URL()
	in.values = address.Query()
	return nil
}

// kpiAnswers documents both forms of a key figure.
func kpiAnswers(r *route) {
	r.document = func(spec huma.API, op *huma.Operation) {
		op.Responses["200"].Content = map[string]*huma.MediaType{
			"application/json": {Schema: spec.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[client.KPIResult](), true, "KPIResult")},
			typeCSV:            {Schema: &huma.Schema{Type: "string"}},
		}
	}
}

// kpiAnswer is a result, with Dixa's own if it was asked for.
type kpiAnswer struct {
	*kpi.Result
	Dixa *client.KPIComparison `json:"dixa,omitempty"`
}

func (a *api) getKPI(ctx context.Context, in *kpiInput) (*streamOutput, error) {
	if err := a.knownConnection(ctx, in.Connection); err != nil {
		return nil, err
	}
	definition, err := a.figure(in.KPI)
	if err != nil {
		return nil, err
	}
	request, err := definition.ParseRequest(in.values, time.Now())
	if err != nil {
		return nil, err
	}
	answer := kpiAnswer{}
	if answer.Result, err = a.KPIs.Evaluate(ctx, in.Connection, definition, request, in.Schedule, maxAge(in.Cache)); err != nil {
		return nil, err
	}
	if in.Compare != "" {
		if answer.Dixa, err = a.compareKPI(ctx, in.Connection, answer.Result); err != nil {
			return nil, err
		}
	}
	if format(in.Format, in.Accept) == client.FormatCSV {
		return &streamOutput{Body: func(out huma.Context) { writeKPICSV(ctx, out, answer.Result) }}, nil
	}
	return writeJSON(answer)
}

// maxAge returns the max-age of a Cache-Control header; 0 if there is none.
func maxAge(header string) time.Duration {
	for directive := range strings.SplitSeq(header, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(directive), "=")
		if seconds, err := strconv.ParseInt(value, 10, 32); strings.EqualFold(name, "max-age") && err == nil {
			return time.Duration(seconds) * time.Second
		}
	}
	return 0
}

// figure returns the definition of a key figure that can be evaluated.
func (a *api) figure(id string) (kpi.Definition, error) {
	definition, found := kpi.ByID(id)
	if !found {
		return definition, newProblem(http.StatusNotFound, "", "There is no key figure "+id+". GET /v1/connections/{connection}/kpis lists all.")
	}
	if a.KPIs == nil {
		return definition, newProblem(http.StatusServiceUnavailable, "", "This service computes no key figures.")
	}
	return definition, nil
}

type kpiVerificationInput struct {
	InConnection
	KPI string `path:"kpi" doc:"The id of the key figure."`
}

func (a *api) verifyKPI(ctx context.Context, in *kpiVerificationInput) (*body[client.KPIVerification], error) {
	if err := a.knownConnection(ctx, in.Connection); err != nil {
		return nil, err
	}
	definition, err := a.figure(in.KPI)
	if err != nil {
		return nil, err
	}
	v, err := a.KPIs.Verify(ctx, in.Connection, definition)
	if err != nil {
		return nil, err
	}
	out := client.KPIVerification{KPI: definition.ID, Buckets: v.Buckets, Values: v.Values, Stale: v.Stale, Differences: []client.KPIDifference{}}
	for i := range v.Differences {
		d := &v.Differences[i]
		one := client.KPIDifference{
			Date: string(d.Series.PlacedBy), Bucket: string(d.Series.Bucket), Timezone: d.Series.Zone, By: string(d.Series.By), WithinDays: d.Series.WithinDays,
			Start: d.Start, End: d.End, Group: d.Group, Kept: kpiValue(d.Kept), Computed: kpiValue(d.Computed),
		}
		if d.Series.Bucket == kpi.BucketHourOfWeek {
			one.HourOfWeek = &d.Hour
		}
		out.Differences = append(out.Differences, one)
	}
	return ok(out, nil)
}

func kpiValue(v *kpi.KeptValue) *client.KPIValue {
	if v == nil {
		return nil
	}
	return &client.KPIValue{
		Value: v.Value, Count: v.Count, Missing: v.Missing, Part: v.Part, Whole: v.Whole, Distinct: v.Distinct, Sum: v.Sum, Mean: v.Mean, Median: v.Median, P90: v.P90,
	}
}

func writeKPICSV(ctx context.Context, out huma.Context, result *kpi.Result) {
	out.SetHeader("Content-Type", typeCSV+"; charset=utf-8")
	out.SetHeader("Content-Disposition", `attachment; filename="`+result.Definition.ID+`.csv"`)
	if at := result.Freshness.NewestAt; !at.IsZero() {
		out.SetHeader("Last-Modified", at.UTC().Format(http.TimeFormat))
	}
	if err := result.WriteCSV(out.BodyWriter()); err != nil {
		note(ctx, err)
		panic(http.ErrAbortHandler)
	}
}

// compareKPI asks Dixa for its own metric.
func (a *api) compareKPI(ctx context.Context, connectionID string, result *kpi.Result) (*client.KPIComparison, error) {
	answer, err := a.KPIs.Compare(ctx, connectionID, result)
	if err == nil || known(err) != nil {
		return answer, err
	}
	note(ctx, err)
	return nil, newProblem(http.StatusBadGateway, client.CodeDixaUnreachable, "Dixa did not answer the question. Ask without compare for Claimflow's own value.")
}
