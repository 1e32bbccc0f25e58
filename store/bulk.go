package store

import (
	"context"
	"database/sql"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// arrayColumn is a column of rows as one argument: a PostgreSQL array. A statement then
// has an argument per column instead of one per value, and its text does not depend on
// the number of rows.
type arrayColumn struct {
	rows [][]any
	i    int
}

var _ pgtype.ArrayGetter = arrayColumn{}

// Dimensions implements [pgtype.ArrayGetter].
func (c arrayColumn) Dimensions() []pgtype.ArrayDimension {
	return []pgtype.ArrayDimension{{Length: int32(len(c.rows)), LowerBound: 1}}
}

// Index implements [pgtype.ArrayGetter].
func (c arrayColumn) Index(i int) any { return c.rows[i][c.i] }

// IndexType implements [pgtype.ArrayGetter].
func (c arrayColumn) IndexType() any { return c.rows[0][c.i] }

// unnested returns rows as a function for a FROM clause on PostgreSQL.
func unnested(args *arguments, rows [][]any) (string, error) {
	columns := make([]string, len(rows[0]))
	for i, value := range rows[0] {
		element, err := arrayType(value)
		if err != nil {
			return "", err
		}
		columns[i] = "CAST(" + args.add(arrayColumn{rows, i}) + " AS " + element + "[])"
	}
	return "unnest(" + strings.Join(columns, ", ") + ")", nil
}

// arrayType returns the type of a column with values like the given one.
func arrayType(value any) (string, error) {
	t := reflect.TypeOf(value)
	if t == reflect.TypeFor[[]byte]() {
		return "BYTEA", nil
	}
	if t == reflect.TypeFor[sql.NullBool]() {
		return "BOOLEAN", nil
	}
	if t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t == nil:
	case t.Kind() == reflect.String:
		return "TEXT", nil
	case t.Kind() == reflect.Bool:
		return "BOOLEAN", nil
	case t.Kind() == reflect.Int, t.Kind() == reflect.Int64:
		return "BIGINT", nil
	case t.Kind() == reflect.Float64:
		return "DOUBLE PRECISION", nil
	}
	return "", fmt.Errorf("no column has values of type %T", value)
}

// copied writes rows into a table with COPY. It is the only argument of an empty
// statement: database/sql gives a transaction no other access to pgx.
type copied struct {
	table   string
	columns []string
	rows    []func() ([]any, error)
}

// RewriteQuery implements [pgx.QueryRewriter].
func (c copied) RewriteQuery(ctx context.Context, conn *pgx.Conn, query string, _ []any) (string, []any, error) {
	_, err := conn.CopyFrom(ctx, pgx.Identifier{c.table}, c.columns, pgx.CopyFromSlice(len(c.rows), func(i int) ([]any, error) { return c.rows[i]() }))
	return query, nil, err
}

// rowsOf returns a FROM and a WHERE clause with the rows of a table that belong to the
// connection $1 and to one of the conversations. On PostgreSQL each conversation is
// looked up by itself: a join could read all rows of the connection until the table's
// statistics are up to date, which they are not during a first import. Use it with
// [core.lookUp].
func (s *core) rowsOf(table string, args *arguments, ids []int64) string {
	if s.dialect == onSQLite {
		return table + " AS found WHERE connection_id = $1 AND conversation_id IN (" + placeholders(args, ids) + ")"
	}
	return "unnest(CAST(" + args.add(ids) + " AS BIGINT[])) AS wanted (id_wanted) CROSS JOIN LATERAL (SELECT * FROM " + table +
		" WHERE connection_id = $1 AND conversation_id = id_wanted OFFSET 0) AS found WHERE TRUE"
}

// conversationsIn returns a condition that holds for rows of the conversations.
func (s *core) conversationsIn(args *arguments, ids []int64) string {
	if s.dialect == onSQLite {
		return "conversation_id IN (" + placeholders(args, ids) + ")"
	}
	return "conversation_id = ANY (CAST(" + args.add(ids) + " AS BIGINT[]))"
}

// lookUp is [queryEach] for a query of many keys.
func (s *core) lookUp(ctx context.Context, q querier, fn func(scan func(dest ...any) error) error, query string, args arguments) error {
	return queryEach(ctx, q, fn, query, s.planned(args)...)
}

// planned returns arguments with which PostgreSQL plans a statement each time. A plan
// that was made while a table was almost empty may use any index, and would be kept
// until the table is analyzed.
func (s *core) planned(args arguments) []any {
	if s.dialect == onSQLite {
		return args
	}
	return slices.Concat([]any{pgx.QueryExecModeCacheDescribe}, args)
}

// batchSize returns how many records a statement takes. On SQLite each has arguments of
// its own.
func (s *core) batchSize() int {
	if s.dialect == onSQLite {
		return mirrorBatchSize
	}
	return 10 * mirrorBatchSize
}
