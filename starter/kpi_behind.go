package main

import (
	"context"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/claimflow/claimflow/client"
)

func (a *app) kpiBehind() *cobra.Command {
	var o organization
	var q client.KPIBehindQuery
	var position, limit int
	c := &cobra.Command{
		Use: "behind ID", Short: "List the conversations or claims behind a value of a key figure",
		Long: "Without --position it is the value of the whole period. With --by, --group says of which group. " +
			"The newest are listed first, with what the value takes from each: its value, how often it is behind the figure and, of a share, how often it counts.",
		Example: "  starter kpi behind csat --shop acme --from 7d\n" +
			"  starter kpi behind first_response_time --shop acme --by queue --group 4f0c2e1a-0000-4000-8000-000000000000 --bucket day --position 3\n" +
			"  starter kpi behind backlog --shop acme -o json",
		Args: arguments("ID"),
	}
	c.RunE = a.callingIn(&o, func(ctx context.Context, api *client.Client, connection string, args []string) error {
		if limit < 1 {
			return usage("--limit %d: must be at least 1", limit)
		}
		if c.Flags().Changed("group") != (q.By != "") {
			return usage("--by and --group belong together: --group is empty for what has none")
		}
		if c.Flags().Changed("position") {
			q.Position = &position
		}
		if err := resolveAges(&q.KPIQuery); err != nil {
			return err
		}
		var all client.KPIBehind
		for {
			q.Limit = min(limit-len(all.Members), maxBehind)
			page, err := api.KPIBehind(ctx, connection, args[0], q)
			if err != nil {
				return aboutPart(err, "list the key figures with `starter kpi list "+o.arguments()+"`")
			}
			page.Members = append(all.Members, page.Members...)
			all, q.Cursor = page, page.Next
			if page.Next == "" || len(all.Members) >= limit {
				break
			}
		}
		err := a.print(all, nil, func(w *tabwriter.Writer) { behindTable(w, all) })
		if err == nil && all.Next != "" {
			say(a.err, "there are more than %d; see more with --limit\n", limit)
		}
		return err
	})
	o.flags(c)
	questionFlags(c, &q.KPIQuery)
	c.Flags().StringVar(&q.Group, "group", "", "the group of --by whose value it is, such as the id of a queue")
	c.Flags().IntVar(&position, "position", 0, "the place of the value's period in `starter kpi show`, from 0 (default: the whole period)")
	c.Flags().IntVar(&limit, "limit", 50, "how many to list")
	return c
}

// maxBehind is how many the API lists at once.
const maxBehind = 500

// behindTable prints the value and one line for each conversation or claim behind it.
func behindTable(w *tabwriter.Writer, all client.KPIBehind) {
	b := all.Bucket
	line(w, "Value", figure(b.Value, all.Unit))
	line(w, "Period", fmt.Sprintf("%s to %s, %s", moment(b.Start), moment(b.End), all.Request.Timezone))
	if all.Request.By != "" {
		line(w, "Group", all.Label)
	}
	line(w, "Behind it", fmt.Sprintf("%d %s, %d with an unknown value", b.Count, all.Subject, b.Missing))
	if all.Gone > 0 {
		line(w, "Not listed", fmt.Sprintf("%d, because their records were deleted and only their figures stay", all.Gone))
	}
	if len(all.Members) == 0 {
		return
	}
	say(w, "\n")
	heads := []any{"CONVERSATION", "CLAIM", "PLACED", "CHANNEL", "QUEUE", "AGENT", "VALUE", "TIMES"}
	if all.Subject == "claims" {
		heads = []any{"CLAIM", "CONVERSATION", "PLACED", "REASON", "STATUS", "RESOLUTION", "VALUE", "TIMES"}
	}
	if b.Part != nil {
		heads = append(heads, "COUNTS")
	}
	line(w, heads...)
	for _, m := range all.Members {
		id := ""
		if m.Claim != nil {
			id = m.Claim.ID
		}
		cells := []any{m.ConversationID, id, m.At, m.Channel, m.Queue, m.Agent, contribution(m, all.Unit), m.Times}
		if all.Subject == "claims" {
			cells = []any{id, m.ConversationID, m.At, m.Reason, m.Status, m.Resolution, contribution(m, all.Unit), m.Times}
		}
		if m.Part != nil {
			counts := fmt.Sprint(*m.Part)
			if m.Opposite != nil && *m.Opposite > 0 {
				counts += fmt.Sprintf(", against %d", *m.Opposite)
			}
			cells = append(cells, counts)
		}
		line(w, cells...)
	}
}

// contribution formats what a value takes from a conversation or claim.
func contribution(m client.KPIMember, unit string) string {
	switch {
	case m.Value == nil:
		return ""
	case unit == "seconds":
		return figure(m.Value, unit)
	default:
		return fmt.Sprint(*m.Value)
	}
}
