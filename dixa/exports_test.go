package dixa_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/dixa"
)

var (
	exportFrom = time.Date(2026, time.March, 1, 0, 0, 0, 0, time.UTC)
	exportTo   = exportFrom.Add(31 * 24 * time.Hour)
)

// exportServer answers every export with a status and a body. seen is the last request.
func exportServer(t *testing.T, status int, body string, opts ...dixa.Option) (exports *dixa.Exports, seen func() *http.Request) {
	t.Helper()
	requests := make(chan *http.Request, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests <- r
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body)) // a client may stop reading
	}))
	t.Cleanup(server.Close)
	exports, err := dixa.NewExports("demo-token", append([]dixa.Option{dixa.WithBaseURL(server.URL + "/exports/v1")}, opts...)...)
	require.NoError(t, err)
	return exports, func() *http.Request { return <-requests }
}

// rowsOf collects the rows and errors of an export.
func rowsOf[T any](rows iter.Seq2[*T, error]) (all []*T, errs []error) {
	for row, err := range rows {
		if err != nil {
			errs = append(errs, err)
			continue
		}
		all = append(all, row)
	}
	return all, errs
}

func TestExportsAreReadRowByRow(t *testing.T) {
	t.Parallel()
	row := `{"id":9456,"created_at":1600087304703,"initial_channel":"email","requester_name":null,"queued_at":"1600087305000","closed_at":null,
		"ratings":[{"rating_score":4,"rating_type":"stars","rating_status":"rated","rating_rated_timestamp":1600087400000,"rating_language":"en"}],
		"tags":["refund"],"tags_info":[{"id":"t-1","name":"refund","is_deactivated":true}],"widget_name":"Shop","status":"open",
		"custom_fields":[{"attribute_id":"a-1","identifier":"parcel_id","value":["0","1"],"data_type":"text","archived":false}]}`
	exports, seen := exportServer(t, http.StatusOK, "["+row+`,{"id":9457}]`)
	rows, errs := rowsOf(exports.Conversations(t.Context(), dixa.ExportQuery{By: dixa.ExportByUpdated, After: exportFrom, Before: exportTo, ConversationIDs: []int64{9456, 9457}}))
	require.Empty(t, errs)
	require.Len(t, rows, 2)
	c := rows[0]
	require.Equal(t, time.UnixMilli(1600087304703).UTC(), c.CreatedAt.Time)
	require.Equal(t, time.UnixMilli(1600087305000).UTC(), c.QueuedAt.Time)
	require.True(t, c.ClosedAt.IsZero())
	require.Equal(t, 4, *c.Ratings[0].Score)
	require.JSONEq(t, `"en"`, string(c.Ratings[0].Extra["rating_language"]))
	require.JSONEq(t, `"Shop"`, string(c.Extra["widget_name"]))
	require.True(t, c.TagsInfo[0].IsDeactivated)
	require.JSONEq(t, `["0","1"]`, string(c.CustomFields[0].Value))

	r := seen()
	require.Equal(t, "/exports/v1/conversation_export", r.URL.Path)
	require.Equal(t, "csids=9456%2C9457&updated_after=1772323200000&updated_before=1775001600000", r.URL.RawQuery)
	require.Equal(t, "Bearer demo-token", r.Header.Get("Authorization"))
}

func TestExportedMessages(t *testing.T) {
	t.Parallel()
	exports, seen := exportServer(t, http.StatusOK, `[{"id":"m-1","csid":7,"created_at":1600087304703,"text":"Hello","to":["a@example.org"],"is_automated_message":true,"duration":3}]`)
	rows, errs := rowsOf(exports.Messages(t.Context(), dixa.ExportQuery{After: exportFrom, Before: exportTo}))
	require.Empty(t, errs)
	require.Equal(t, int64(7), rows[0].ConversationID)
	require.True(t, rows[0].IsAutomatedMessage)
	require.Contains(t, rows[0].Extra, "duration")
	require.Equal(t, "/exports/v1/message_export", seen().URL.Path)
}

// One malformed row must not cost the others.
func TestMalformedExportRowIsSkipped(t *testing.T) {
	t.Parallel()
	exports, _ := exportServer(t, http.StatusOK, `[{"id":1},{"id":"two"},7,{"id":3}]`)
	rows, errs := rowsOf(exports.Conversations(t.Context(), dixa.ExportQuery{After: exportFrom, Before: exportTo}))
	require.Len(t, rows, 2)
	require.Len(t, errs, 2)
	var row *dixa.ExportRowError
	require.ErrorAs(t, errs[0], &row)
	require.Equal(t, 1, row.Row)
	require.NotContains(t, errs[0].Error(), "two", "a value may be personal")
}

func TestIncompleteExportIsAnError(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"cut in a row": `[{"id":1},{"id":2`, "cut after a row": `[{"id":1}`, "cut after a comma": `[{"id":1},`,
		"not an array": `{"id":1}`, "no JSON": `<html>`, "empty": ``, "a row that is too long": `[{"id":1},{"subject":"` + strings.Repeat("x", 10_000) + `"}]`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			exports, _ := exportServer(t, http.StatusOK, body, func(c *dixa.Client) error { c.SetMaxResponseBytes(4096); return nil })
			_, errs := rowsOf(exports.Conversations(t.Context(), dixa.ExportQuery{After: exportFrom, Before: exportTo}))
			require.Len(t, errs, 1)
			e, ok := dixa.AsError(errs[0])
			require.True(t, ok)
			require.Equal(t, name != "a row that is too long", e.Retryable)
		})
	}
}

func TestRejectedExport(t *testing.T) {
	t.Parallel()
	exports, _ := exportServer(t, http.StatusTooManyRequests, `{"message":"API limit has been reached"}`)
	_, errs := rowsOf(exports.Conversations(t.Context(), dixa.ExportQuery{After: exportFrom, Before: exportTo}))
	require.Len(t, errs, 1)
	require.True(t, dixa.IsRateLimited(errs[0]))
	e, _ := dixa.AsError(errs[0])
	require.Equal(t, 7*time.Second, e.RetryAfter)
}

func TestExportQueryIsValidatedBeforeItIsSent(t *testing.T) {
	t.Parallel()
	exports, err := dixa.NewExports("demo-token")
	require.NoError(t, err)
	for name, q := range map[string]dixa.ExportQuery{
		"no selection": {}, "one bound": {After: exportFrom}, "reversed": {After: exportTo, Before: exportFrom},
		"too long": {After: exportFrom, Before: exportTo.Add(time.Millisecond)}, "too many ids": {ConversationIDs: make([]int64, 11)},
	} {
		_, errs := rowsOf(exports.Messages(t.Context(), q))
		require.Len(t, errs, 1, name)
		require.ErrorIs(t, errs[0], dixa.ErrInvalidArgument, name)
	}
}

func TestCallerMayStopAnExport(t *testing.T) {
	t.Parallel()
	exports, _ := exportServer(t, http.StatusOK, `[{"id":1},{"id":2},`)
	for row, err := range exports.Conversations(t.Context(), dixa.ExportQuery{After: exportFrom, Before: exportTo}) {
		require.NoError(t, err)
		require.Equal(t, int64(1), row.ID)
		break
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, errs := rowsOf(exports.Conversations(ctx, dixa.ExportQuery{After: exportFrom, Before: exportTo}))
	require.Len(t, errs, 1)
	require.ErrorIs(t, errs[0], context.Canceled)
}

func FuzzExport(f *testing.F) {
	f.Add(`[{"id":1},{"id":2}]`)
	f.Add(`[{"created_at":"x"},null,[1]`)
	f.Fuzz(func(t *testing.T, body string) {
		exports, err := dixa.NewExports("demo-token", dixa.WithTransport(roundTripFunc(func(r *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
		})))
		require.NoError(t, err)
		rows, errs := rowsOf(exports.Messages(t.Context(), dixa.ExportQuery{After: exportFrom, Before: exportTo}))
		if json.Valid([]byte(body)) && strings.HasPrefix(strings.TrimSpace(body), "[") {
			var all []json.RawMessage
			require.NoError(t, json.Unmarshal([]byte(body), &all))
			require.Equal(t, len(all), len(rows)+len(errs), fmt.Sprint(errs))
		}
	})
}

// Rows are decoded as encoding/json decodes them.
func FuzzExportedRow(f *testing.F) {
	for _, row := range []string{
		`{"id":"m-1","csid":7,"created_at":1600087304703,"text":"Hi \"Ada\" \u00e9","to":["a@example.org", "b"],"is_automated_message":true,"duration":3.5,"x":{"y":["}"]}}`,
		` { "id" : "a\\" , "csid":-1 , "text":null,"created_at":null,"cc":null,"extra":"]" , "is_automated_message" : false } `, `{"ID":"a","Text":"b","csid":"7"}`,
		`{}`, `null`, `7`, `{"id":7}`, `{"csid":1e2}`, `{"csid":9223372036854775808}`, `{"created_at":"x"}`, `{"id":"a","id":"b"}`, "{\"id\":\"\xff\",\"\xff\":1}",
		`{"\u0069d":"a"}`, `{"":1}`, `{"-":1,"Extra":2}`,
	} {
		f.Add(row)
	}
	f.Fuzz(func(t *testing.T, row string) {
		type plain dixa.ExportedMessage
		var want plain
		var got dixa.ExportedMessage
		failed := json.Unmarshal([]byte(row), &want)
		err := json.Unmarshal([]byte(row), &got)
		require.Equal(t, failed == nil, err == nil, "%v, %v", failed, err)
		if failed != nil {
			return
		}
		for name := range got.Extra {
			member, err := json.Marshal(map[string]json.RawMessage{name: []byte("null")})
			require.NoError(t, err)
			decoder := json.NewDecoder(strings.NewReader(string(member)))
			decoder.DisallowUnknownFields()
			require.Error(t, decoder.Decode(new(plain)), "%q has a field", name)
		}
		got.Extra = nil
		require.Equal(t, want, plain(got))
	})
}
