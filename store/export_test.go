package store

import "database/sql"

// DB returns the database, for tests that read or prepare its tables.
func (s *Store) DB() *sql.DB { return s.reads }

// SQL returns the query of a list of tickets.
func (q TicketsQuery) SQL(connectionID string, limit int) (string, []any) {
	return q.sql(connectionID, limit)
}
