// Package unified is the vocabulary of the unified API: its resources, how they follow
// from what Dixa knows, its parameters, envelopes, cursors and errors. The names and
// shapes are those of Truto's unified ticketing and user-directory APIs, so that their
// clients work. docs/unified.md documents them.
//
// The package is pure. [github.com/claimflow/claimflow/internal/unify] reads and
// writes.
package unified
