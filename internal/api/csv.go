package api

import (
	"context"
	"encoding/csv"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/store"
)

// csvColumns are the columns of the CSV list, in order.
var csvColumns = []struct {
	name  string
	value func(*claim.Record) string
}{
	{"shop", func(r *claim.Record) string { return r.Shop }},
	{"claim_id", func(r *claim.Record) string { return r.ID }},
	{"state", func(r *claim.Record) string { return string(r.State) }},
	{"cause", func(r *claim.Record) string { return string(r.Cause) }},
	{"last_error", func(r *claim.Record) string { return r.LastError }},
	{"reason", func(r *claim.Record) string { return r.Reason }},
	{"flow", func(r *claim.Record) string { return r.Flow }},
	{"resolution_preference", func(r *claim.Record) string { return r.Preference }},
	{"phase", func(r *claim.Record) string { return r.Phase }},
	{"order_number", func(r *claim.Record) string { return r.OrderNumber }},
	{"organization_id", func(r *claim.Record) string { return r.OrganizationID }},
	{"conversation_id", func(r *claim.Record) string { return number(r.ConversationID) }},
	{"template", func(r *claim.Record) string { return r.Template }},
	{"language", func(r *claim.Record) string { return r.Language }},
	{"route", func(r *claim.Record) string { return r.Route }},
	{"attached", func(r *claim.Record) string { return strconv.Itoa(r.Attached) }},
	{"left_out", func(r *claim.Record) string { return strconv.Itoa(r.LeftOut) }},
	{"dixa_requests", func(r *claim.Record) string { return strconv.Itoa(r.DixaRequests) }},
	{"fallback_used", func(r *claim.Record) string { return strconv.FormatBool(r.FallbackUsed) }},
	{"accepted_at", func(r *claim.Record) string { return instant(r.AcceptedAt) }},
	{"opened_at", func(r *claim.Record) string { return instant(r.OpenedAt) }},
	{"updated_at", func(r *claim.Record) string { return instant(r.UpdatedAt) }},
}

// writeCSV writes the records and those of all further pages. An error after the
// first byte aborts the connection, so that a partial list never passes for a
// complete one.
func (a *api) writeCSV(ctx context.Context, out huma.Context, f store.ClaimFilter, records []claim.Record, next string) {
	out.SetHeader("Content-Type", "text/csv; charset=utf-8")
	out.SetHeader("Content-Disposition", `attachment; filename="claims-`+f.Shop+`.csv"`)
	w := csv.NewWriter(out.BodyWriter())
	row := make([]string, len(csvColumns))
	for i, c := range csvColumns {
		row[i] = c.name
	}
	err := w.Write(row)
	for err == nil {
		for i := range records {
			for n, c := range csvColumns {
				row[n] = inert(c.value(&records[i]))
			}
			if err = w.Write(row); err != nil {
				break
			}
		}
		w.Flush()
		if err == nil {
			err = w.Error()
		}
		if next == "" || err != nil {
			break
		}
		f.Cursor = next
		records, next, err = a.Store.Claims.List(ctx, f)
	}
	if err != nil {
		note(ctx, err)
		panic(http.ErrAbortHandler)
	}
}

// inert keeps a spreadsheet from evaluating a cell as a formula (OWASP, CSV
// injection), because claim ids and order numbers are untrusted.
func inert(cell string) string {
	if cell != "" && strings.ContainsRune("=+-@\t\r\n", rune(cell[0])) {
		return "'" + cell
	}
	return cell
}

func number(n int64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}

func instant(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
