package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/mattn/go-isatty"

	"github.com/claimflow/claimflow/claim"
)

// redrawEvery is how often the live table is looked at.
const redrawEvery = 300 * time.Millisecond

// show draws the live table until ctx ends: over itself on a terminal, anew
// whenever something changed elsewhere.
func (s *stack) show(ctx context.Context, out *os.File) error {
	live := isatty.IsTerminal(out.Fd())
	tick := time.NewTicker(redrawEvery)
	defer tick.Stop()
	var drawn string
	for {
		if claims, err := s.claims(ctx); err == nil {
			if page := s.page(claims); page != drawn {
				if err := redraw(out, live, drawn, page); err != nil {
					return fmt.Errorf("draw the table: %w", err)
				}
				drawn = page
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// redraw writes a page; on a terminal over the one before.
func redraw(out io.Writer, live bool, before, page string) error {
	if live && before != "" {
		// Up to the old page's first line, then clear to the end of the screen.
		page = fmt.Sprintf("\x1b[%dA\x1b[J", strings.Count(before, "\n")) + page
	}
	_, err := io.WriteString(out, page)
	return err
}

// page is the table and the addresses.
func (s *stack) page(claims []claim.Record) string {
	rows := "\nCLAIM\tREASON\tORDER\tSTATE\tCONVERSATION\tFILES\tREQUESTS TO DIXA\n"
	open := 0
	for _, c := range claims {
		conversation, state := "", string(c.State)
		if c.ConversationID != 0 {
			conversation = strconv.FormatInt(c.ConversationID, 10)
		}
		if c.Cause != "" {
			state += " (" + string(c.Cause) + ")"
		}
		if c.State == claim.StateOpen {
			open++
		}
		files := strconv.Itoa(c.Attached)
		if c.LeftOut > 0 {
			files += fmt.Sprintf(", %d left out", c.LeftOut)
		}
		rows += fmt.Sprintf("%s\t%s\t%s\t%s\t%s\t%s\t%d\n", c.ID, c.Reason, c.OrderNumber, state, conversation, files, c.DixaRequests)
	}
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 3, ' ', 0)
	if _, err := io.WriteString(w, rows); err != nil {
		return err.Error()
	}
	if err := w.Flush(); err != nil {
		return err.Error()
	}
	fmt.Fprintf(&b, "\n%d of %d claims are open.\n\n", open, len(claims))
	fmt.Fprintf(&b, "  What agents see   %s/_emulator/\n", s.dixaURL)
	fmt.Fprintf(&b, "  Temporal UI       %s\n", s.engine.UIURL())
	fmt.Fprintf(&b, "  HTTP API          %s/docs\n\nCtrl-C stops everything.\n", s.apiURL)
	return b.String()
}
