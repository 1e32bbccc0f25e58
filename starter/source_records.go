package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
)

func (a *app) sourceRecords() *cobra.Command {
	var o organization
	var q client.RecordsQuery
	var from, to string
	var limit int
	c := &cobra.Command{
		Use: "records ID", Short: "List the records of a data source",
		Long: "The table shows the first records. -o json prints every record as one line, and -o csv prints every record as CSV, as they arrive. " +
			"With --order change, each record has a cursor: pass the last one as --cursor to continue with what changed since.",
		Example: "  starter source records 7d1e… --shop acme\n  starter source records 7d1e… --shop acme --stream messages --from 30d -o csv > messages.csv\n" +
			"  starter source records 7d1e… --shop acme --order change -o json | tail -1 | jq -r .cursor",
		Args: arguments("ID"), Annotations: printsCSV,
	}
	c.RunE = a.callingIn(&o, func(ctx context.Context, api *client.Client, connection string, args []string) error {
		var err error
		now := time.Now()
		if q.From, err = instant("from", from, now); err != nil {
			return err
		}
		if q.To, err = instant("to", to, now); err != nil {
			return err
		}
		if c.Flags().Changed("limit") && limit < 1 {
			return usage("--limit %d: must be at least 1", limit)
		}
		switch a.output {
		case "csv", "json":
			if q.Limit = 0; c.Flags().Changed("limit") {
				q.Limit = limit
			}
			format := client.FormatNDJSON
			if a.output == "csv" {
				format = client.FormatCSV
			}
			return aboutSource(api.ExportRecords(ctx, connection, args[0], format, q, a.out), o)
		default:
			return aboutSource(a.recordTable(ctx, api, connection, args[0], q, limit), o)
		}
	})
	o.flags(c)
	c.Flags().StringVar((*string)(&q.Stream), "stream", string(claim.StreamConversations), "conversations, messages, activity_logs, ratings or directory")
	c.Flags().StringVar(&q.Order, "order", client.RecordsByDate, "date, or change to follow what changes")
	c.Flags().StringVar((*string)(&q.Date), "date", "", "the time that places conversations: created, closed, rated or last_activity (default: the source's)")
	c.Flags().StringVar(&from, "from", "", "only records since this time, day or age such as 30d")
	c.Flags().StringVar(&to, "to", "", "only records before this time, day or age")
	c.Flags().StringVar(&q.Cursor, "cursor", "", "continue after the record with this cursor")
	c.Flags().IntVar(&limit, "limit", 50, "maximum number of records; -o json and -o csv print all unless it is given")
	return c
}

// recordColumns are the columns of the table, by stream.
var recordColumns = map[claim.Stream][]string{
	claim.StreamConversations: {"id", "created_at", "status", "channel", "direction", "queue_name", "assignee_name", "agent_replies", "first_response_seconds", "last_closed_at"},
	claim.StreamMessages:      {"created_at", "conversation_id", "kind", "direction", "channel", "author_name", "text"},
	claim.StreamActivityLogs:  {"at", "conversation_id", "type", "author_name", "detail"},
	claim.StreamRatings:       {"conversation_id", "type", "status", "score", "rated_at", "comment"},
	claim.StreamDirectory:     {"kind", "id", "name", "gone_at"},
}

// maxCell bounds the text of a record in a table.
const maxCell = 60

func (a *app) recordTable(ctx context.Context, api *client.Client, connection, source string, q client.RecordsQuery, limit int) error {
	columns := recordColumns[q.Stream]
	if columns == nil {
		return usage("--stream %s: must be conversations, messages, activity_logs, ratings or directory", q.Stream)
	}
	var rows []map[string]any
	q.Limit = min(limit, 500)
	more := true
	for more && len(rows) < limit {
		page, err := api.RecordsPage(ctx, connection, source, q)
		if err != nil {
			return err
		}
		for _, data := range page.Records {
			var row map[string]any
			if err := json.Unmarshal(data, &row); err != nil {
				return fmt.Errorf("read a record: %w", err)
			}
			rows = append(rows, row)
		}
		q.Cursor, more = page.Next, page.More
	}
	shown := rows[:min(limit, len(rows))]
	err := a.print(nil, nil, func(w *tabwriter.Writer) {
		heads := make([]any, len(columns))
		for i, name := range columns {
			heads[i] = strings.ToUpper(strings.ReplaceAll(name, "_", " "))
		}
		line(w, heads...)
		for _, row := range shown {
			cells := make([]any, len(columns))
			for i, name := range columns {
				cells[i] = recordCell(row[name])
			}
			line(w, cells...)
		}
	})
	if err == nil && (more || len(rows) > limit) {
		say(a.err, "there are more than %d records; use --limit to show more, or -o csv for all of them\n", limit)
	}
	return err
}

// recordCell formats a member of a record.
func recordCell(v any) any {
	switch v := v.(type) {
	case nil:
		return ""
	case float64:
		return fmt.Sprintf("%.0f", v)
	case string:
		if t, err := time.Parse(time.RFC3339, v); err == nil {
			return t
		}
		if r := []rune(v); len(r) > maxCell {
			return string(r[:maxCell-1]) + "…"
		}
		return v
	default:
		return v
	}
}
