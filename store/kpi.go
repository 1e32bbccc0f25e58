package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/claimflow/claimflow/kpi"
	"github.com/claimflow/claimflow/mirror"
)

// Figures is a [kpi.Source] over the figures of a connection.
type Figures struct {
	store        *core
	connectionID string
	// shop limits claims to those of one shop; empty for all.
	shop string
	// within queries the snapshot that the figures belong to; nil for figures that do not
	// belong to one.
	within func(ctx context.Context, fn func(scan func(dest ...any) error) error, query string, args ...any) error
}

// Figures returns the figures of a connection. On PostgreSQL they are a [kpi.Counter].
func (s Mirror) Figures(connectionID string) kpi.Source { return s.FiguresFor(connectionID, "") }

// FiguresFor returns the figures of a connection with the claims of one shop only, whatever
// other shops use the connection or used it before. Conversations are those of all. An
// empty shop is no limit.
func (s Mirror) FiguresFor(connectionID, shop string) kpi.Source {
	return (&Figures{store: s.core, connectionID: connectionID, shop: shop}).source()
}

// source returns the figures with what the database can do.
func (f *Figures) source() keptFigures {
	if f.store.dialect == onPostgres {
		return countedFigures{f}
	}
	return f
}

// keptFigures are figures with values that are kept.
type keptFigures interface {
	kpi.Keeper
	kpi.Moment
}

// Observe implements [kpi.Source]. The rows are read in one transaction.
func (f *Figures) Observe(ctx context.Context, q kpi.Query) iter.Seq2[kpi.Observation, error] {
	return func(yield func(kpi.Observation, error) bool) {
		s := newSelection(q, f)
		stopped := false
		err := f.each(ctx, func(scan func(...any) error) error {
			o, err := s.scan(scan)
			if err == nil && !yield(o, nil) {
				stopped, err = true, errStop
			}
			return err
		}, s.sql(), s.args)
		if err != nil && !stopped {
			yield(kpi.Observation{}, fmt.Errorf("read the figures of connection %s: %w", f.connectionID, err))
		}
	}
}

// errStop ends a query whose caller wants no more rows.
var errStop = fmt.Errorf("no more rows are wanted")

// joins say how to reach a table from the one that a query reads.
var joins = map[kpi.Table]map[string]string{
	kpi.Events: {
		"figures":           " JOIN figures ON figures.connection_id = figure_events.connection_id AND figures.conversation_id = figure_events.conversation_id",
		"conversation_tags": " LEFT JOIN conversation_tags ON conversation_tags.connection_id = figure_events.connection_id AND conversation_tags.conversation_id = figure_events.conversation_id",
	},
	kpi.Conversations: {
		"conversation_tags": " LEFT JOIN conversation_tags ON conversation_tags.connection_id = figures.connection_id AND conversation_tags.conversation_id = figures.conversation_id",
	},
	kpi.Parkings: {
		"claim_facts": " JOIN claim_facts ON claim_facts.shop = claim_parkings.shop AND claim_facts.id = claim_parkings.claim_id",
	},
}

// figureEventColumns are columns of figures that their events have too.
var figureEventColumns = map[kpi.Column]string{
	kpi.FigureChannel: "figure_events.channel", kpi.FigureDirection: "figure_events.direction", kpi.FigureCreatedAt: "figure_events.created_at",
}

// selection is a query as SQL.
type selection struct {
	kpi.Query
	dialect dialect
	shop    string
	args    arguments
	joins   []string
}

func newSelection(q kpi.Query, f *Figures) *selection {
	return &selection{Query: q, dialect: f.store.dialect, shop: f.shop, args: arguments{f.connectionID}}
}

// column returns a column as SQL and joins its table.
func (s *selection) column(c kpi.Column) string {
	if own := figureEventColumns[c]; own != "" && s.Table == kpi.Events {
		return own
	}
	if c.Table() != string(s.Table) && !slices.Contains(s.joins, c.Table()) {
		s.joins = append(s.joins, c.Table())
	}
	return string(c)
}

// sql returns the query. Its columns are those that scan reads.
func (s *selection) sql() string {
	q := s.Query
	identity := string(s.Table) + ".conversation_id"
	if q.Table == kpi.Presences {
		identity = string(kpi.PresenceAt) // a sample of all agents
	}
	if q.Table == kpi.Claims || q.Table == kpi.Parkings {
		identity = s.column(kpi.ClaimShop) + ", " + map[kpi.Table]string{kpi.Claims: "claim_facts.id", kpi.Parkings: "claim_parkings.claim_id"}[q.Table]
	}
	columns := []string{identity, s.column(q.Date)}
	if q.Table == kpi.Events {
		columns = append(columns, string(kpi.EventKind))
	}
	for _, c := range slices.Concat([]kpi.Column{q.Group, q.Key}, q.Labels) {
		if c != "" {
			columns = append(columns, "COALESCE("+s.column(c)+", '')")
		}
	}
	for _, c := range append([]kpi.Column{q.Start, q.End}, q.Values...) {
		if c != "" {
			columns = append(columns, s.column(c))
		}
	}
	return "SELECT " + strings.Join(columns, ", ") + s.rows()
}

// rows returns the FROM and WHERE clauses, after the columns have joined their tables.
func (s *selection) rows() string {
	q := s.Query
	where := []string{s.connection() + " = $1", s.column(q.Date) + " > 0"}
	if q.From != 0 {
		where = append(where, s.column(q.Date)+" >= "+s.args.add(q.From))
	}
	if q.To != 0 {
		where = append(where, s.column(q.Date)+" < "+s.args.add(q.To))
	}
	if q.IDs != nil {
		where = append(where, string(q.Table)+".conversation_id IN ("+s.dialect.integers(&s.args, q.IDs)+")")
	}
	if q.Table == kpi.Events {
		where = append(where, string(kpi.EventKind)+" IN ("+placeholders(&s.args, q.Kinds)+")")
	}
	if s.shop != "" && (q.Table == kpi.Claims || q.Table == kpi.Parkings) {
		where = append(where, s.column(kpi.ClaimShop)+" = "+s.args.add(s.shop))
	}
	for _, c := range q.Where {
		where = append(where, s.condition(c))
	}
	from := s.from()
	for _, table := range s.joins {
		if table != "figures" || s.dialect != onSQLite {
			from += joins[q.Table][table]
		}
	}
	return " FROM " + from + " WHERE " + strings.Join(where, " AND ")
}

// from returns the first tables of the FROM clause. SQLite knows nothing about the rows,
// so it is told where to begin: it would read all events of a kind for each conversation.
func (s *selection) from() string {
	q := s.Query
	first := string(q.Table)
	if s.dialect != onSQLite {
		return first
	}
	byID := first + " INDEXED BY sqlite_autoindex_" + first + "_1"
	const on = " ON figures.connection_id = figure_events.connection_id AND figures.conversation_id = figure_events.conversation_id"
	switch joined := slices.Contains(s.joins, "figures"); {
	case joined && q.IDs != nil:
		return byID + " CROSS JOIN figures" + on
	case joined && q.From == 0:
		return "figures CROSS JOIN " + byID + on
	case joined:
		return first + " CROSS JOIN figures" + on
	case q.IDs != nil:
		return byID
	}
	return first
}

// integers returns a query of integers. They are one argument, however many they are.
func (d dialect) integers(args *arguments, list []int64) string {
	if d == onSQLite {
		text, _ := json.Marshal(list) //nolint:errchkjson // integers
		return "SELECT value FROM json_each(" + args.add(string(text)) + ")"
	}
	return "SELECT unnest(CAST(" + args.add(list) + " AS BIGINT[]))"
}

// connection returns the column with the connection.
func (s *selection) connection() string {
	if s.Table == kpi.Parkings {
		s.column(kpi.ClaimShop)
		return "claim_facts.connection_id"
	}
	return string(s.Table) + ".connection_id"
}

// condition returns a condition as SQL.
func (s *selection) condition(c kpi.Condition) string {
	if c.Column == kpi.TagName {
		return s.tagCondition(c)
	}
	column := s.column(c.Column)
	switch c.Operator {
	case kpi.OneOf:
		if len(c.Texts) == 0 {
			return "1 = 0"
		}
		return "COALESCE(" + column + ", '') IN (" + placeholders(&s.args, c.Texts) + ")"
	case kpi.NoneOf:
		if len(c.Texts) == 0 {
			return "1 = 1"
		}
		return "COALESCE(" + column + ", '') NOT IN (" + placeholders(&s.args, c.Texts) + ")"
	case kpi.Equals:
		return column + " = " + s.args.add(c.Number)
	case kpi.AtLeast:
		return column + " >= " + s.args.add(c.Number)
	case kpi.Unknown:
		return column + " IS NULL"
	}
	return "1 = 0"
}

// tagCondition returns a condition on any of the conversation's tags.
func (s *selection) tagCondition(c kpi.Condition) string {
	of := "FROM conversation_tags t WHERE t.connection_id = " + string(s.Table) + ".connection_id AND t.conversation_id = " + string(s.Table) + ".conversation_id"
	holds := "1 = 0"
	if len(c.Texts) > 0 {
		holds = "EXISTS (SELECT 1 " + of + " AND t.tag IN (" + placeholders(&s.args, c.Texts) + "))"
	}
	if slices.Contains(c.Texts, "") {
		holds = "(" + holds + " OR NOT EXISTS (SELECT 1 " + of + "))"
	}
	if c.Operator == kpi.NoneOf {
		return "NOT (" + holds + ")"
	}
	return holds
}

// scan reads a row of the query.
func (s *selection) scan(scan func(...any) error) (kpi.Observation, error) {
	var o kpi.Observation
	var shop, id, kind string
	var start, end sql.NullInt64
	var values [2]sql.NullInt64
	dest := []any{&o.ID, &o.At}
	if s.Table == kpi.Claims || s.Table == kpi.Parkings {
		dest = []any{&shop, &id, &o.At}
	}
	if s.Table == kpi.Events {
		dest = append(dest, &kind)
	}
	for _, part := range []struct {
		column kpi.Column
		dest   *string
	}{{s.Group, &o.Group}, {s.Key, &o.Key}} {
		if part.column != "" {
			dest = append(dest, part.dest)
		}
	}
	for i := range s.Labels {
		dest = append(dest, &o.Labels[i])
	}
	for _, part := range []struct {
		column kpi.Column
		dest   *sql.NullInt64
	}{{s.Start, &start}, {s.End, &end}} {
		if part.column != "" {
			dest = append(dest, part.dest)
		}
	}
	for i := range s.Values {
		dest = append(dest, &values[i])
	}
	err := scan(dest...)
	if shop != "" {
		o.ID = kpi.ClaimNumber(shop, id)
	}
	o.Kind, o.Start, o.End = mirror.EventKind(kind), start.Int64, end.Int64
	for i, v := range values {
		o.Values[i] = kpi.Number{N: v.Int64, Known: v.Valid}
	}
	return o, err
}
