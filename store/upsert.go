package store

import (
	"context"
	"slices"
	"strings"
)

// maxArguments bounds the arguments of one statement. SQLite accepts 32,766.
const maxArguments = 30000

// minCopied is the number of new rows from which on they are copied. COPY takes more
// round trips than INSERT.
const minCopied = 50

// upsert is an INSERT of many rows that updates those that exist.
type upsert struct {
	table        string
	key, columns []string
	// keep has expressions for columns that are not simply replaced.
	keep map[string]string
	rows [][]any
	// fresh makes the rows that the table does not have.
	fresh []func() ([]any, error)
}

// newUpsert returns an upsert into a table. columns are those after the key.
func newUpsert(table string, key []string, columns ...string) *upsert {
	return &upsert{table: table, key: key, columns: columns, keep: map[string]string{}}
}

// add adds a row: the values of the key and of the columns.
func (u *upsert) add(values ...any) { u.rows = append(u.rows, values) }

// addNew is [upsert.add] for a row that the table certainly does not have: the caller
// looked it up in this transaction, and holds the lock that everyone takes who adds such
// rows. On PostgreSQL row is called while the rows before it are written.
func (u *upsert) addNew(row func() ([]any, error)) { u.fresh = append(u.fresh, row) }

// run inserts the rows. On SQLite it uses placeholders without numbers: SQLite takes
// quadratic time for many numbered ones.
func (u *upsert) run(ctx context.Context, q querier, d dialect) error {
	columns := slices.Concat(u.key, u.columns)
	if d == onPostgres && len(u.fresh) >= minCopied {
		if _, err := exec(ctx, q, "", copied{u.table, columns, u.fresh}); err != nil {
			return err
		}
	} else {
		for _, row := range u.fresh {
			values, err := row()
			if err != nil {
				return err
			}
			u.add(values...)
		}
	}
	insert := "INSERT INTO " + u.table + " (" + strings.Join(columns, ", ") + ") "
	conflict := " ON CONFLICT (" + strings.Join(u.key, ", ") + ") DO " + u.action()
	if d == onPostgres && len(u.rows) > 0 {
		var args arguments
		rows, err := unnested(&args, u.rows)
		if err == nil {
			_, err = exec(ctx, q, insert+"SELECT * FROM "+rows+conflict, args...)
		}
		return err
	}
	for rows := range slices.Chunk(u.rows, maxArguments/len(columns)) {
		var query strings.Builder
		args := make(arguments, 0, len(rows)*len(columns))
		query.WriteString(insert + "VALUES ")
		for i, row := range rows {
			if i > 0 {
				query.WriteString(", ")
			}
			args = append(args, row...)
			query.WriteString("(" + strings.Repeat("?, ", len(row)-1) + "?)")
		}
		query.WriteString(conflict)
		if _, err := exec(ctx, q, query.String(), args...); err != nil {
			return err
		}
	}
	return nil
}

// action says what happens to a row that exists.
func (u *upsert) action() string {
	if len(u.columns) == 0 {
		return "NOTHING"
	}
	set := make([]string, len(u.columns))
	for i, c := range u.columns {
		set[i] = c + " = excluded." + c
		if expression := u.keep[c]; expression != "" {
			set[i] = c + " = " + expression
		}
	}
	return "UPDATE SET " + strings.Join(set, ", ")
}
