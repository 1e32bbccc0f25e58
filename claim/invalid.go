package claim

import (
	"fmt"
	"strings"
)

// FieldError describes a problem with one field of the input.
type FieldError struct {
	// Field is the JSON path of the field, such as "selected_items[0].quantity".
	Field string `json:"field"`
	// Problem says what is wrong and what is valid. It never repeats the value,
	// which may be personal data.
	Problem string `json:"problem"`
}

// InvalidError rejects an input and lists all its errors.
type InvalidError struct {
	// What is the kind of input, such as "claim", "settings" or "template".
	What   string
	Errors []FieldError
}

func (e *InvalidError) Error() string {
	parts := make([]string, len(e.Errors))
	for i, f := range e.Errors {
		parts[i] = f.Field + ": " + f.Problem
	}
	return fmt.Sprintf("invalid %s: %s", e.What, strings.Join(parts, "; "))
}
