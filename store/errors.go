package store

import (
	"errors"
	"fmt"

	"github.com/claimflow/claimflow/claim"
)

// ErrNotFound says that the requested object is not in the store. Use [errors.Is].
var ErrNotFound = errors.New("not found")

// ConflictError says that a write conflicts with stored data.
type ConflictError struct {
	// What is the object in conflict, such as "shop", "conversation" (another claim
	// has it) or "claim" (it has another conversation).
	What string
	// Problem describes the conflict in words.
	Problem string
	// Claim is the claim that has the conversation, if that is the conflict.
	Claim claim.Ref
	// ConversationID is the conversation in conflict, if there is one.
	ConversationID int64
}

func (e *ConflictError) Error() string { return e.Problem }

// OtherOrganizationError says that a token belongs to a different Dixa organisation
// than the shop's connection.
type OtherOrganizationError struct {
	// Have and Got are the ids of the two organisations.
	Have, Got string
}

func (e *OtherOrganizationError) Error() string {
	return fmt.Sprintf("the token belongs to Dixa organisation %s, but the shop is connected to %s; use a token of that organisation, or delete the shop and add it again", e.Got, e.Have)
}

func notFound(what string) error { return fmt.Errorf("%s: %w", what, ErrNotFound) }

func claimNotFound(ref claim.Ref) error { return notFound("claim " + ref.String()) }

func shopNotFound(slug string) error { return notFound("shop " + slug) }
