package unified_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/unified"
)

// filtersOf returns the parameters of a method.
func filtersOf(t *testing.T, resource, method string) *unified.Filters {
	t.Helper()
	r, err := unified.ResourceOf(unified.ModelTicketing, resource)
	require.NoError(t, err)
	m, ok := r.Method(method)
	require.True(t, ok)
	return m.Filters()
}

func TestQueriesAsClientsSendThem(t *testing.T) {
	t.Parallel()
	march := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	tags := []unified.Condition{{Field: "tags.name", Operator: unified.In, Values: []string{"a", "b"}}}
	created := func(o unified.Operator) []unified.Condition {
		return []unified.Condition{{Field: "created_at", Kind: unified.FilterTime, Operator: o, Time: march}}
	}
	for query, want := range map[string]unified.Query{
		"next_cursor=&n=&limit=":                                   {},
		"tags[0]=a&tags[1]=b":                                      {Where: tags},
		"tags%5B%5D=a&tags%5B%5D=b":                                {Where: tags},
		"tags=a,b":                                                 {Where: tags},
		"tags[name]=a&tags[name][in]=b":                            {Where: tags},
		"tags=,a,,b,&status=,":                                     {Where: tags},
		"tags[]=a&tags[]=&tags[]=,&tags[]=b":                       {Where: tags},
		"tags[]=,&tags=":                                           {},
		"truto_exclude_fields=id,,name,":                           {Exclude: []string{"id", "name"}},
		"created_at=2026-03-01":                                    {Where: created(unified.AtLeast)},
		"created_at[gt]=2026-03-01T00%3A00%3A00Z":                  {Where: created(unified.Above)},
		"created_at[eq]=2026-03-01T01:00:00%2B01:00":               {Where: created(unified.Equal)},
		"status=open":                                              {Where: []unified.Condition{{Field: "status.id", Operator: unified.In, Values: []string{"open"}}}},
		"truto_exclude_fields[0]=id&truto_exclude_fields=name":     {Exclude: []string{"id", "name"}},
		"truto_exclude_fields=id,name&truto_key_by=number":         {Exclude: []string{"id", "name"}, KeyBy: "number"},
		"live=true&truto_ignore_remote_data=1&prev_cursor=x":       {Live: true, IgnoreRemoteData: true, Cursor: "x"},
		"truto_response_format=normalized&integrated_account_id=a": {Account: "a", Format: unified.FormatNormalized, IgnoreRemoteData: true},
	} {
		q, err := unified.ParseQuery(query, filtersOf(t, "tickets", unified.MethodList))
		require.NoError(t, err, query)
		want.Limit, want.SortBy, want.Descending, want.Remote = unified.DefaultLimit, "created_at", true, q.Remote
		if want.Format == "" {
			want.Format = unified.FormatUnified
		}
		require.Equal(t, &want, q, query)
	}
	q, err := unified.ParseQuery("sort_by[updated_at]=asc&limit=7&remote_query[query]=b%20r", filtersOf(t, "tickets", unified.MethodList))
	require.NoError(t, err)
	require.Equal(t, []any{"updated_at", false, true, 7, "b r"}, []any{q.SortBy, q.Descending, q.Sorted, q.Limit, q.Remote.Get("query")})
}

func TestQueriesThatAreRefused(t *testing.T) {
	t.Parallel()
	for query, fields := range map[string][]string{
		"is_x=true&remote_query[foo]=1":                       {"is_x", "remote_query[foo]"},
		"limit=0&limit=501&limit=x":                           {"limit", "limit", "limit"},
		"truto_response_format=stream":                        {"truto_response_format"},
		"truto_response_format=debug":                         {"truto_response_format"},
		"truto_response_format=raw&truto_exclude_fields=id":   {"truto_response_format"},
		"truto_ignore_limit=true":                             {"truto_ignore_limit"},
		"truto_super_query=wnam":                              {"truto_super_query"},
		"truto_exclude_fields=id,nothing":                     {"truto_exclude_fields"},
		"truto_key_by=nothing":                                {"truto_key_by"},
		"sort_by[name]=asc":                                   {"sort_by[name]"},
		"sort_by[created_at]=up":                              {"sort_by[created_at]"},
		"sort_by=created_at":                                  {"sort_by"},
		"status=solved":                                       {"status"},
		"created_at[in]=2026-03-01":                           {"created_at[in]"},
		"created_at=soon":                                     {"created_at"},
		"status[gt]=open":                                     {"status[gt]"},
		"created_at[gt]=2026-03-01&created_at[gt]=2026-03-02": {"created_at[gt]"},
		"next_cursor=a&prev_cursor=b":                         {"prev_cursor"},
		"a[b]c=1&[x]=1&live=perhaps&%zz=1":                    {"a[b]c", "[x]", "%zz", "live"},
	} {
		_, err := unified.ParseQuery(query, filtersOf(t, "tickets", unified.MethodList))
		var e *unified.Error
		require.ErrorAs(t, err, &e, query)
		require.Equal(t, http.StatusBadRequest, e.StatusCode)
		var named []string
		for _, f := range e.Details.Failures {
			named = append(named, f.Field)
		}
		require.ElementsMatch(t, fields, named, query)
	}
	_, err := unified.ParseQuery("limit=1&next_cursor=x&sort_by[created_at]=asc", filtersOf(t, "tickets", unified.MethodGet))
	var e *unified.Error
	require.ErrorAs(t, err, &e)
	require.Len(t, e.Details.Failures, 3, "an object has no pages")
	_, err = unified.ParseQuery("ticket_id=,", filtersOf(t, "comments", unified.MethodList))
	require.ErrorAs(t, err, &e)
	require.NotNil(t, e.Insight.MissingQuery, "a filter without a value is absent")
	_, err = unified.ParseQuery("foo=1", filtersOf(t, "comments", unified.MethodList))
	require.ErrorAs(t, err, &e)
	require.NotNil(t, e.Insight.MissingQuery)
	require.Len(t, e.Details.Failures, 1, "every fault at once")
}

// FuzzParseQuery checks that any query string is parsed or refused with its faults, and
// that what was parsed can be asked again.
func FuzzParseQuery(f *testing.F) {
	for _, seed := range []string{
		"integrated_account_id=ia&limit=2&created_at%5Bgt%5D=2026-01-01T00%3A00%3A00Z&tags%5B0%5D=a&tags%5B1%5D=b&truto_exclude_fields%5B0%5D=id&remote_query%5Bfoo%5D=b%20r&is_x=true&n=&next_cursor=",
		"sort_by[updated_at]=asc&status[id][in]=open,closed", "a[][k]=v", "[=]&&=", "tags[=x", "live=true&live=false", "truto_key_by=id",
	} {
		f.Add(seed)
	}
	r, err := unified.ResourceOf(unified.ModelTicketing, "tickets")
	require.NoError(f, err)
	m, _ := r.Method(unified.MethodList)
	f.Fuzz(func(t *testing.T, raw string) {
		q, err := unified.ParseQuery(raw, m.Filters())
		if err != nil {
			var e *unified.Error
			if !errors.As(err, &e) || e.StatusCode != http.StatusBadRequest || e.Details == nil || len(e.Details.Failures) == 0 {
				t.Fatalf("%q: %v is not an error with faults", raw, err)
			}
			if _, err := json.Marshal(e); err != nil {
				t.Fatalf("%q: %v", raw, err)
			}
			return
		}
		if q.Limit < 1 || q.Limit > unified.MaxLimit {
			t.Fatalf("%q: a limit of %d", raw, q.Limit)
		}
		again, err := unified.ParseQuery(raw, m.Filters())
		if err != nil || again.Signature() != q.Signature() {
			t.Fatalf("%q: parsed differently: %v", raw, err)
		}
		for _, c := range q.Where {
			q.Matches(unified.Document{"status": map[string]any{"id": "open"}, "tags": []any{map[string]any{"name": "a"}}, "created_at": "2026-01-01T00:00:00Z"})
			if c.Kind == unified.FilterTime && c.Time.IsZero() && c.Time.Year() != 1 {
				t.Fatalf("%q: a condition without a time", raw)
			}
		}
	})
}
