package store

import (
	"errors"
	"fmt"

	"github.com/claimflow/claimflow/claim"
)

// ErrNotFound means that the requested object is not in the store. Use [errors.Is].
var ErrNotFound = errors.New("not found")

// ConflictError means that a write conflicts with stored data. Problem describes the
// conflict.
type ConflictError struct{ Problem string }

func (e *ConflictError) Error() string { return e.Problem }

// OtherOrganizationError means that a token belongs to a different Dixa organization
// than the shop's connection.
type OtherOrganizationError struct {
	// Have and Got are the ids of the two organizations.
	Have, Got string
}

func (e *OtherOrganizationError) Error() string {
	return fmt.Sprintf("the token belongs to Dixa organization %s, but the shop is connected to %s; use a token of that organization, or delete the shop and add it again", e.Got, e.Have)
}

func conflict(format string, args ...any) error {
	return &ConflictError{Problem: fmt.Sprintf(format, args...)}
}

func notFound(what string) error { return fmt.Errorf("%s: %w", what, ErrNotFound) }

func claimNotFound(ref claim.Ref) error { return notFound("claim " + ref.String()) }

func shopNotFound(slug string) error { return notFound("shop " + slug) }
