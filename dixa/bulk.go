package dixa

import "fmt"

// bulkInput is the body of most bulk operations.
type bulkInput[T any] struct {
	Data []T `json:"data"`
}

func bulkOf[T any](items []T) bulkInput[T] { return bulkInput[T]{Data: orEmpty(items)} }

// BulkOutcome is the outcome of one item of a bulk operation. The operation succeeds
// even if items fail. Outcomes are in the order of the items.
type BulkOutcome[T any] struct {
	// Type is "BulkActionSuccess" or "BulkActionFailure".
	Type string `json:"_type"`
	// Data is set on success.
	Data *T `json:"data,omitempty"`
	// Error is set on failure.
	Error *BulkError `json:"error,omitempty"`
}

// Err returns the item's failure as an error for predicates such as IsEmailExists,
// or nil if it succeeded.
func (o *BulkOutcome[T]) Err() error {
	switch {
	case o.Error != nil:
		return o.Error
	case o.Data == nil:
		return &BulkError{Message: "Dixa gave no reason"}
	}
	return nil
}

// BulkError is the reason why an item of a bulk operation failed.
type BulkError struct {
	// Type is "EmptyPatchSet", "ErrorResponse", "Infrastructure", "Integrity",
	// "InvalidArgument", "NotFound", "Validation" or absent.
	Type string `json:"_type,omitempty"`
	// ID is the item's id, if it has one.
	ID      string `json:"id,omitempty"`
	Message string `json:"message"`
}

// Error returns Dixa's reason with personal data masked.
func (e *BulkError) Error() string {
	return fmt.Sprintf("dixa: bulk item failed: %s: %q", e.Type, redactPersonal(shorten(e.Message)))
}
