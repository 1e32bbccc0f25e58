package claim

import (
	"fmt"
	"strings"
)

// Fault is what is wrong with one field of what somebody sent.
type Fault struct {
	// Field is the field by its JSON path, such as "selected_items[0].quantity".
	Field string `json:"field"`
	// Problem says in words what is wrong and what would be right. It never
	// repeats the value: that may be personal.
	Problem string `json:"problem"`
}

// InvalidError says that what somebody sent cannot be taken, with every fault at
// once.
type InvalidError struct {
	// What was sent: "claim", "settings", "template".
	What   string
	Faults []Fault
}

func (e *InvalidError) Error() string {
	parts := make([]string, len(e.Faults))
	for i, f := range e.Faults {
		parts[i] = f.Field + ": " + f.Problem
	}
	return fmt.Sprintf("the %s cannot be taken: %s", e.What, strings.Join(parts, "; "))
}
