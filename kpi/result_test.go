package kpi_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/kpi"
)

func TestResultAsJSON(t *testing.T) {
	t.Parallel()
	result := ask(t, "first_response_time", func(r *kpi.Request) { r.By = kpi.ByQueue; r.From = at("03 00:00") })
	result.Freshness = &kpi.Freshness{NewestAt: at("05 00:00"), Importing: true}
	text, err := json.Marshal(result)
	require.NoError(t, err)
	var have struct {
		Definition map[string]any  `json:"definition"`
		Freshness  json.RawMessage `json:"freshness"`
		Series     json.RawMessage `json:"series"`
	}
	require.NoError(t, json.Unmarshal(text, &have))
	require.Equal(t, "first_response_time", have.Definition["dixa_metric"])
	require.JSONEq(t, `{"newest_at":"2026-03-05T00:00:00Z","importing":true}`, string(have.Freshness))
	// On Tuesday only 6 of q1 was answered; on Wednesday 8 and 10.
	require.JSONEq(t, `[{"group":"q1","label":"Returns","buckets":[
		{"start":"2026-03-03T00:00:00Z","end":"2026-03-04T00:00:00Z","open":false,"value":7200,"count":1,"missing":0,"mean":7200,"median":7200,"p90":7200},
		{"start":"2026-03-04T00:00:00Z","end":"2026-03-05T00:00:00Z","open":false,"value":300,"count":2,"missing":0,"mean":15450,"median":300,"p90":30600}]}]`,
		string(have.Series))

	text, err = json.Marshal(ask(t, "csat", func(r *kpi.Request) { r.From = at("04 00:00") }).Series)
	require.NoError(t, err)
	require.JSONEq(t, `[{"group":"","label":"all","buckets":[
		{"start":"2026-03-04T00:00:00Z","end":"2026-03-05T00:00:00Z","open":false,"value":null,"count":0,"missing":0,"part":0,"whole":0}]}]`, string(text))
}

func TestResultAsCSV(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	// q2 is named "=General": a spreadsheet must not take it for a formula.
	require.NoError(t, ask(t, "conversation_volume", by(kpi.ByQueue)).WriteCSV(&b))
	require.Equal(t, strings.Join([]string{
		"kpi,group,label,start,end,hour_of_week,open,value,count,missing,part,whole,distinct,sum,mean,median,p90",
		"conversation_volume,q2,'=General,2026-03-02T00:00:00Z,2026-03-05T00:00:00Z,,false,4,4,0,,,,,,,",
		"conversation_volume,q1,Returns,2026-03-02T00:00:00Z,2026-03-05T00:00:00Z,,false,6,6,0,,,,,,,",
		"conversation_volume,,none,2026-03-02T00:00:00Z,2026-03-05T00:00:00Z,,false,1,1,0,,,,,,,",
		"",
	}, "\n"), b.String())

	b.Reset()
	require.NoError(t, ask(t, "csat", nil).WriteCSV(&b))
	lines := strings.Split(b.String(), "\n")
	require.Equal(t, "csat,,all,2026-03-02T00:00:00Z,2026-03-03T00:00:00Z,,false,100,2,0,2,2,,,,,", lines[1])
	require.Equal(t, "csat,,all,2026-03-04T00:00:00Z,2026-03-05T00:00:00Z,,false,,0,0,0,0,,,,,", lines[3], "null is empty, not 0")

	b.Reset()
	require.NoError(t, ask(t, "handling_time_by_hour", byHourOfWeek).WriteCSV(&b))
	lines = strings.Split(b.String(), "\n")
	require.Len(t, lines, 1+168+1)
	require.Equal(t, "handling_time_by_hour,,all,2026-03-02T00:00:00Z,2026-03-05T00:00:00Z,9,false,3000,1,0,,,,,3000,3000,3000", lines[10])
}
