package store

import (
	"errors"
	"fmt"

	"github.com/claimflow/claimflow/claim"
)

// ErrNotFound says that what was asked for is not in the store. Use [errors.Is].
var ErrNotFound = errors.New("not found")

// ConflictError says that what was to be written stands against what is there.
type ConflictError struct {
	// What is in the way: "shop", "conversation" (another claim has it) or
	// "claim" (it has another conversation).
	What string
	// Problem says in words what is in the way.
	Problem string
	// Claim is the claim that has the conversation, where that is the conflict.
	Claim claim.Ref
	// ConversationID is the conversation that is in the way, where there is one.
	ConversationID int64
}

func (e *ConflictError) Error() string { return e.Problem }

// OtherOrganizationError says that a token belongs to another Dixa organisation
// than the one that the shop is connected to.
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
