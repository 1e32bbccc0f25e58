package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
)

func (a *app) importWatch() *cobra.Command {
	var o organization
	c := &cobra.Command{
		Use: "watch [ID]", Short: "Watch an import until it ends",
		Long: "On a terminal it shows a progress bar, elsewhere one line per finished window. Ctrl-C stops watching; the import continues. " +
			"With -o json it prints the import once per line whenever it moves. Exits with 1 if a period failed for good.",
		Example: "  starter import watch --shop acme\n  starter import watch --shop acme -o json | jq .rows_read", Args: optional("ID"),
		RunE: a.callingIn(&o, func(ctx context.Context, api *client.Client, connection string, args []string) error {
			id, err := a.newestImport(ctx, api, connection, o, args)
			if err != nil {
				return err
			}
			return a.watchImport(ctx, api, connection, id, o)
		}),
	}
	o.flags(c)
	return c
}

// watchImport shows the progress of an import until it ends or a person stops
// watching.
func (a *app) watchImport(ctx context.Context, api *client.Client, connection, id string, o organization) error {
	shown := ""
	var last claim.Import
	for i, err := range api.FollowImport(ctx, connection, id, lookEvery) {
		if ctx.Err() != nil {
			a.endBar()
			a.stoppedWatching(o)
			return nil
		}
		if err != nil {
			a.endBar()
			return aboutImport(err, o)
		}
		last = i
		if err := a.showProgress(i, &shown); err != nil {
			return err
		}
	}
	a.endBar()
	if a.output != "json" {
		if err := a.print(last, nil, func(w *tabwriter.Writer) { importLines(w, last) }); err != nil {
			return err
		}
	}
	if last.WindowsParked > 0 && last.State == claim.ImportDone {
		say(a.err, "%d windows failed for good: see why with `starter import show %s`, read them again with `starter import retry %[2]s`\n", last.WindowsParked, o.arguments())
		return errReported
	}
	return nil
}

// stoppedWatching says that an import continues although a person stopped watching.
func (a *app) stoppedWatching(o organization) {
	say(a.err, "the import continues; watch it with `starter import watch %s`, end it with `starter import cancel %[1]s`\n", o.arguments())
}

// showProgress shows how far an import is. shown is what it last showed of it.
func (a *app) showProgress(i claim.Import, shown *string) error {
	moved := fmt.Sprint(i.State, i.WindowsDone, i.WindowsParked, i.WindowsTotal, i.Why)
	switch {
	case a.output == "json":
		moved += fmt.Sprint(i.Read)
		if moved == *shown {
			return nil
		}
		*shown = moved
		i.Windows = nil
		return json.NewEncoder(a.out).Encode(i)
	case a.terminal:
		say(a.out, "\r%s\x1b[K", a.progressBar(i))
		return nil
	case moved == *shown:
		return nil
	}
	*shown = moved
	_, err := fmt.Fprintf(a.out, "%s  %s\n", time.Now().Format(time.DateTime), strings.Map(printable, progress(i)))
	return err
}

// endBar ends the line of a progress bar.
func (a *app) endBar() {
	if a.terminal && a.output != "json" {
		say(a.out, "\r\x1b[K")
	}
}

// barWidth is the number of characters of a progress bar.
const barWidth = 24

func (a *app) progressBar(i claim.Import) string {
	done := 0
	if i.WindowsTotal > 0 {
		done = barWidth * (i.WindowsDone + i.WindowsParked) / i.WindowsTotal
	}
	text := []rune(strings.Repeat("█", done) + strings.Repeat("░", barWidth-done) + " " + strings.Map(printable, progress(i)))
	width := a.columns
	if width <= 0 {
		width = 80
	}
	// A longer line would wrap and could not be drawn again.
	return string(text[:min(len(text), width-1)])
}

// progress describes how far an import is.
func progress(i claim.Import) string {
	parts := []string{string(i.State)}
	if i.WindowsTotal > 0 {
		parts = append(parts, fmt.Sprintf("%d of %d windows", i.WindowsDone, i.WindowsTotal))
	}
	if i.WindowsParked > 0 {
		parts = append(parts, fmt.Sprintf("%d failed", i.WindowsParked))
	}
	for _, w := range i.Windows {
		if w.State != claim.WindowWaiting {
			continue
		}
		current := string(w.Stream)
		if !w.From.IsZero() {
			current += " " + w.From.UTC().Format(time.DateOnly) + " to " + w.To.UTC().Format(time.DateOnly)
		}
		parts = append(parts, current)
		break
	}
	parts = append(parts, grouped(i.Read)+" rows", fmt.Sprintf("%.0f/s", i.RowsPerSecond))
	if i.SecondsLeft > 0 && i.State == claim.ImportRunning {
		parts = append(parts, rounded(time.Duration(i.SecondsLeft)*time.Second)+" left")
	}
	if i.State == claim.ImportPaused && i.Why != "" {
		parts = append(parts, i.Why)
	}
	return strings.Join(parts, ", ")
}

// grouped formats a number with separators.
func grouped(n int) string {
	text := strconv.Itoa(n)
	for at := len(text) - 3; at > 0 && text[at-1] != '-'; at -= 3 {
		text = text[:at] + "," + text[at:]
	}
	return text
}

// rounded formats a duration with its two largest units.
func rounded(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d < 0:
		return "-" + rounded(-d)
	case d < time.Minute:
		return strconv.FormatFloat(d.Round(100*time.Millisecond).Seconds(), 'f', -1, 64) + "s"
	case d < time.Hour:
		d = d.Round(time.Second)
		return fmt.Sprintf("%dm %ds", d/time.Minute, d%time.Minute/time.Second)
	case d < day:
		d = d.Round(time.Minute)
		return fmt.Sprintf("%dh %dm", d/time.Hour, d%time.Hour/time.Minute)
	default:
		d = d.Round(time.Hour)
		return fmt.Sprintf("%dd %dh", d/day, d%day/time.Hour)
	}
}
