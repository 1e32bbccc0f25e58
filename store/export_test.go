package store

import "database/sql"

// DB returns the database, for tests that read or prepare its tables.
func (s *Store) DB() *sql.DB { return s.reads }
