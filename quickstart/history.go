package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/emulator/server"
)

const (
	// historyConversations and historySpan are the history of the emulated Dixa.
	historyConversations = 120
	historySpan          = 30 * 24 * time.Hour
	// exportsPace and exportsPerMinute are faster than Dixa's ten exports a minute, so
	// that nobody has to wait for the import.
	exportsPace      = 100 * time.Millisecond
	exportsPerMinute = 6000
	// followEvery is how often the import's progress is read.
	followEvery = 200 * time.Millisecond
)

// dixaPace is slower than the default, because a busy machine may send a request so late
// that it meets the next ones. 11 slots then span 200 ms more than the second in which
// Dixa admits 10 requests.
var dixaPace = 120 * time.Millisecond

// history is what the emulated Dixa had before the demo, and its import.
type history struct {
	// until is the end of the history: figures compare what happened before.
	until time.Time

	mu     sync.Mutex
	state  claim.Import
	lines  []string
	failed error
}

// fillDixa gives the emulated Dixa a history, unless it has one from an earlier run.
func (s *stack) fillDixa(ctx context.Context) error {
	s.history.until = time.Now()
	if s.dixa.Conversations() == 0 {
		err := s.dixa.Fill(ctx, server.FillOptions{Conversations: historyConversations, Seed: 1, Until: s.history.until, Span: historySpan})
		if err != nil {
			return fmt.Errorf("fill the emulated Dixa with a history: %w", err)
		}
	}
	return nil
}

// demoTotals counts the conversations after the history, and their customers.
func (s *stack) demoTotals() (conversations, people int) {
	all := s.dixa.Truth() // in the order of their ids
	all = all[min(historyConversations, len(all)):]
	customers := map[string]bool{}
	for _, c := range all {
		customers[c.RequesterID] = true
	}
	return len(all), len(customers)
}

// importHistory imports the organization as its platform does: it creates a data source
// and requests an import. It returns when the import has ended.
func (s *stack) importHistory(ctx context.Context) error {
	err := s.importAll(ctx)
	s.history.mu.Lock()
	defer s.history.mu.Unlock()
	s.history.failed = err
	return err
}

func (s *stack) importAll(ctx context.Context) error {
	connection, err := s.connection(ctx)
	if err != nil {
		return err
	}
	sources, err := s.api.DataSources(ctx, connection)
	if err == nil && len(sources) == 0 {
		_, err = s.api.CreateDataSource(ctx, connection, claim.DataSource{Title: "Everything", From: s.history.until.Add(-2 * historySpan)})
	}
	if err != nil {
		return fmt.Errorf("create a data source: %w", err)
	}
	asked, err := s.api.StartImport(ctx, connection, claim.ImportRequest{})
	if err != nil {
		return fmt.Errorf("start the import: %w", err)
	}
	for {
		all, err := s.api.Imports(ctx, connection, 1)
		if err != nil {
			return fmt.Errorf("follow the import: %w", err)
		}
		if len(all) > 0 && all[0].ID != asked.LastID {
			s.history.mu.Lock()
			s.history.state = all[0]
			s.history.mu.Unlock()
			if all[0].State != claim.ImportRunning && all[0].State != claim.ImportPaused {
				return s.readFigures(ctx, connection)
			}
		}
		if err := s.wait(ctx, followEvery); err != nil {
			return err
		}
	}
}

// connection returns the id of the demo shop's connection.
func (s *stack) connection(ctx context.Context) (string, error) {
	integration, err := s.api.Integration(ctx, demoShop)
	if err != nil {
		return "", fmt.Errorf("read the demo shop's connection: %w", err)
	}
	if integration.Connection == nil {
		return "", errors.New("the demo shop has no connection")
	}
	return integration.Connection.ID, nil
}

// shownFigures are the figures that the live view shows.
var shownFigures = []struct{ id, words string }{
	{"conversation_volume", "conversations a week"},
	{"first_response_time", "first response, mean"},
	{"one_touch_rate", "solved with one reply"},
	{"csat", "satisfied customers"},
	{"backlog", "open at the end of the week"},
}

// readFigures reads a handful of figures by week.
func (s *stack) readFigures(ctx context.Context, connection string) error {
	var lines []string
	for _, f := range shownFigures {
		result, err := s.api.KPI(ctx, connection, f.id, client.KPIQuery{Bucket: "week", From: s.history.until.Add(-historySpan).Format(time.DateOnly)})
		if err != nil {
			return fmt.Errorf("read figure %s: %w", f.id, err)
		}
		lines = append(lines, fmt.Sprintf("  %-28s %s", f.words, figures(result)))
	}
	s.history.mu.Lock()
	defer s.history.mu.Unlock()
	s.history.lines = lines
	return nil
}

// figures prints the values of a figure's first series in columns.
func figures(r client.KPIResult) string {
	var out strings.Builder
	if len(r.Series) == 0 {
		return ""
	}
	for _, b := range r.Series[0].Buckets {
		value, text := cmp.Or(b.Mean, b.Value), "-"
		switch {
		case value == nil:
		case r.Definition.Unit == "seconds":
			minutes := int(*value) / 60
			text = fmt.Sprintf("%dh%02dm", minutes/60, minutes%60)
		case r.Definition.Unit == "percent":
			text = fmt.Sprintf("%.0f %%", *value)
		default:
			text = fmt.Sprintf("%.0f", *value)
		}
		fmt.Fprintf(&out, "%8s", text)
	}
	return out.String()
}

// page returns the part of the live view about the import.
func (h *history) page(width int) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var b strings.Builder
	i := h.state
	switch {
	case h.failed != nil:
		b.WriteString(cut(fmt.Sprintf("The import of Dixa's history failed: %v", h.failed), width) + "\n")
	case len(h.lines) > 0:
		fmt.Fprintf(&b, "Imported from Dixa: %d rows in %d windows. By week, oldest first:\n", i.Read, i.WindowsDone)
		for _, line := range h.lines {
			b.WriteString(cut(line, width) + "\n")
		}
	case i.ID != "":
		fmt.Fprintf(&b, "Importing from Dixa: %d of %d windows, %d rows …\n", i.WindowsDone, i.WindowsTotal, i.Read)
	}
	return b.String()
}

// importReport is the part of the report about the import.
type importReport struct {
	RowsRead  int `json:"rows_read"`
	RowsAdded int `json:"rows_added"`
	Windows   int `json:"windows"`
	Rejected  int `json:"rows_rejected"`
	// Figures are compared with the emulated Dixa's own state.
	Figures []comparedFigure `json:"figures"`
}

// comparedFigure is a figure of the history beside its true value.
type comparedFigure struct {
	ID    string  `json:"id"`
	Value float64 `json:"value"`
	True  float64 `json:"true"`
}

// reportImport compares figures of the history with the emulated Dixa's state.
func (s *stack) reportImport(ctx context.Context) (importReport, error) {
	i := s.history.state
	r := importReport{RowsRead: i.Read, RowsAdded: i.Added, Windows: i.WindowsDone, Rejected: i.Rejected, Figures: []comparedFigure{}}
	connection, err := s.connection(ctx)
	if err != nil {
		return r, err
	}
	for _, f := range s.trueFigures() {
		result, err := s.api.KPI(ctx, connection, f.ID, client.KPIQuery{
			Bucket: "none", From: s.history.until.Add(-2 * historySpan).Format(time.RFC3339), To: s.history.until.UTC().Format(time.RFC3339Nano),
		})
		if err != nil {
			return r, fmt.Errorf("read figure %s: %w", f.ID, err)
		}
		if value := result.Series[0].Buckets[0].Value; value != nil {
			f.Value = *value
		}
		r.Figures = append(r.Figures, f)
		if math.Abs(f.Value-f.True) > 1e-9 {
			err = errors.Join(err, fmt.Errorf("figure %s is %v, but the emulated Dixa has %v", f.ID, f.Value, f.True))
		}
		if err != nil {
			return r, err
		}
	}
	return r, nil
}

// trueFigures computes figures of the history from the emulated Dixa's own state.
func (s *stack) trueFigures() []comparedFigure {
	var conversations, closes, satisfied, answered float64
	for _, c := range s.dixa.Truth() {
		if c.CreatedAt.Before(s.history.until) {
			conversations++
		}
		for _, a := range c.Activity {
			if a.Type == "ConversationClosed" && a.At.Before(s.history.until) {
				closes++
			}
		}
		for _, rating := range c.Ratings {
			if rating.Type == "Csat" && rating.Score != nil && rating.SubmittedAt.Before(s.history.until) {
				answered++
				if *rating.Score >= 4 {
					satisfied++
				}
			}
		}
	}
	return []comparedFigure{
		{ID: "conversation_volume", True: conversations},
		{ID: "closed_conversations", True: closes},
		{ID: "csat", True: 100 * satisfied / answered},
	}
}
