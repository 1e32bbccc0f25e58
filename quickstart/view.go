package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/term"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
)

const (
	// redrawEvery is how often the live table checks for changes.
	redrawEvery = 300 * time.Millisecond
	// readWithin is how long the table waits for the claims before it reports an
	// error.
	readWithin = 2 * time.Second
	// shown is how many of the shop's newest claims the live table shows.
	shown = 15
	// plainWidth is the page width without a terminal.
	plainWidth = 80
)

// screen is the size of a terminal; the zero value means no terminal.
type screen struct{ width, height int }

func screenOf(out *os.File) screen {
	width, height, err := term.GetSize(int(out.Fd()))
	if err != nil {
		return screen{}
	}
	return screen{width: width, height: height}
}

// show draws the live table until ctx or a part of the stack ends. On a terminal it
// redraws in place; elsewhere it prints the table again whenever it changes.
func (s *stack) show(ctx context.Context, out *os.File) error {
	tick := time.NewTicker(redrawEvery)
	defer tick.Stop()
	var claims client.Page
	var drawn string
	for {
		latest, err := s.latest(ctx)
		if err == nil {
			claims = latest
		}
		at := screenOf(out)
		if page := s.page(claims, at.width, err); page != drawn && ctx.Err() == nil {
			if err := redraw(out, at, drawn, page); err != nil {
				return fmt.Errorf("draw the table: %w", err)
			}
			drawn = page
		}
		select {
		case <-ctx.Done():
			return nil
		case <-s.ended:
			return nil // stop returns the reason
		case <-tick.C:
		}
	}
}

// latest reads the newest claims. The client's own retries would freeze the view, so
// the call is bounded.
func (s *stack) latest(ctx context.Context) (client.Page, error) {
	ctx, cancel := context.WithTimeout(ctx, readWithin)
	defer cancel()
	return s.api.ClaimsPage(ctx, demoShop, client.Filter{PageSize: shown}, "")
}

// redraw writes a page. On a terminal it overwrites the previous page, unless either
// is taller than the screen: lines that scrolled away cannot be overwritten.
func redraw(out io.Writer, at screen, before, page string) error {
	if up := rows(before, at.width); before != "" && max(up, rows(page, at.width)) < at.height {
		// Moves up to the old page's first line, then clears to the end of the
		// screen.
		page = fmt.Sprintf("\x1b[%dA\x1b[J", up) + page
	}
	_, err := io.WriteString(out, page)
	return err
}

// rows returns how many terminal rows a page takes.
func rows(page string, width int) int {
	n := 0
	for line := range strings.Lines(page) {
		n += max(1, (utf8.RuneCountInString(strings.TrimSuffix(line, "\n"))+width-1)/max(1, width))
	}
	return n
}

// page renders the table of claims and the addresses. claims is newest first.
// trouble is why the claims are not the latest.
func (s *stack) page(claims client.Page, width int, trouble error) string {
	if width == 0 {
		width = plainWidth
	}
	lines := [][]string{{"CLAIM", "REASON", "STATE", "STATUS", "LAST", "IN DIXA"}}
	settled, parked := 0, ""
	for _, c := range slices.Backward(claims.Claims) {
		conversation := ""
		if c.ConversationID != 0 {
			conversation = strconv.FormatInt(c.ConversationID, 10)
		}
		switch c.State {
		case claim.StateSettled:
			settled++
		case claim.StateNeedsAttention:
			parked += cut(fmt.Sprintf("%s needs attention: %s", c.ID, c.Cause), width) + "\n"
		}
		lines = append(lines, []string{c.ID, c.Reason, string(c.State), c.Status, s.lastEvent(c.ID), conversation})
	}
	var b strings.Builder
	b.WriteString("\n" + table(lines, 2, width) + "\n" + parked)
	of := strconv.Itoa(len(claims.Claims))
	if claims.Next != "" {
		of = "the newest " + of
	}
	fmt.Fprintf(&b, "%d of %s claims are settled.\n", settled, of)
	if trouble != nil {
		b.WriteString(cut(fmt.Sprintf("Cannot read the claims: %v", trouble), width) + "\n")
	}
	if imported := s.history.page(width); imported != "" {
		b.WriteString("\n" + imported)
	}
	fmt.Fprintf(&b, "\n  Emulated Dixa     %s/_emulator/\n", s.dixaURL)
	fmt.Fprintf(&b, "  Portal: a shop    %s\n", s.portalURL())
	fmt.Fprintf(&b, "  Portal: all shops %s/portal/operators\n", s.apiURL)
	fmt.Fprintf(&b, "  Temporal UI       %s\n", s.engine.UIURL())
	fmt.Fprintf(&b, "  HTTP API          %s/docs\n", s.apiURL)
	if settled > 0 && settled == len(claims.Claims) || s.offered {
		s.offered = true
		b.WriteString(s.nextSteps())
	}
	b.WriteString("\nPress Ctrl-C to stop everything.\n")
	return b.String()
}

// nextSteps returns commands that a newcomer can paste once the samples have ended.
func (s *stack) nextSteps() string {
	return fmt.Sprintf(`
Try it yourself in a second terminal, in this directory:

  export CLAIMFLOW_URL=%s
  export CLAIMFLOW_API_KEY=%s
  go run ./starter claim submit --wait -f quickstart/claim.json
  go run ./emulator play -at %[3]s claim
  go run ./emulator play -at %[3]s reply "We'll send you new ones."
  go run ./emulator play -at %[3]s tag claim-accepted
  go run ./emulator play -at %[3]s close
  go run ./starter claim show demo-shop my-claim
  go run ./starter kpi show first_response_time --shop demo-shop --bucket week --by channel
  go run ./starter unified list tickets --shop demo-shop --limit 6
  go run ./examples/translation
`, s.apiURL, s.visitorKey, s.dixaURL)
}

// lastEvent returns the last event that a claim's owner received, in words.
func (s *stack) lastEvent(id string) string {
	return strings.ReplaceAll(strings.TrimPrefix(s.owner.last(id).Type, "claim."), "_", " ")
}

// table arranges rows of cells in columns, two spaces apart. If they exceed width,
// it shortens the widest of the first giving columns.
func table(lines [][]string, giving, width int) string {
	const gap = 2
	widths := make([]int, len(lines[0]))
	total := gap * (len(widths) - 1)
	for i := range widths {
		for _, l := range lines {
			widths[i] = max(widths[i], utf8.RuneCountInString(l[i]))
		}
		total += widths[i]
	}
	for ; total > width; total-- {
		widest := slices.Index(widths, slices.Max(widths[:giving]))
		if widths[widest] == 1 {
			break
		}
		widths[widest]--
	}
	var b strings.Builder
	for _, l := range lines {
		line := ""
		for i, cell := range l {
			line += fmt.Sprintf("%-*s", widths[i]+gap, cut(cell, widths[i]))
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	return b.String()
}

// cut fits untrusted text into one line of at most width characters.
func cut(text string, width int) string {
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '·'
		}
		return r
	}, text)
	if utf8.RuneCountInString(text) > width {
		text = string([]rune(text)[:width-1]) + "…"
	}
	return text
}
