package proxy

// ParseTarget returns the escaped path and the query that a request is passed on with.
func ParseTarget(escaped, query string) (path, kept string, err error) {
	t, err := parseTarget(escaped, query)
	return t.escaped(), t.query, err
}
