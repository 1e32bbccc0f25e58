package claim

import (
	"encoding/json"
	"slices"
	"time"
)

// Types of events about records of the unified API. Endpoints receive them only if they
// name them.
const (
	RecordCreated = "record:created"
	RecordUpdated = "record:updated"
	RecordDeleted = "record:deleted"
)

// RecordTypes lists the types of events about records.
func RecordTypes() []string { return []string{RecordCreated, RecordUpdated, RecordDeleted} }

// WantsRecords reports whether any of the types of an endpoint is one of records.
func WantsRecords(types []string) bool {
	return slices.ContainsFunc(types, func(t string) bool { return slices.Contains(RecordTypes(), t) })
}

// RecordNotice is the event payload about a record of the unified API. It follows the
// Standard Webhooks format. It contains personal data.
type RecordNotice struct {
	Type string `json:"type"`
	// Timestamp is when the event was made from the change.
	Timestamp time.Time        `json:"timestamp"`
	Data      RecordNoticeData `json:"data"`
}

// RecordNoticeData is a record after a change.
type RecordNoticeData struct {
	// IntegratedAccountID is the account, which is a connection.
	IntegratedAccountID string `json:"integrated_account_id"`
	// Resource has the form "ticketing/tickets", and ID is that of the record.
	Resource string `json:"resource"`
	ID       string `json:"id"`
	// Change numbers the changes of the account. It rises with every event of a record.
	Change int64 `json:"change"`
	// Record is the unified object. That of a deleted record has its id only.
	Record json.RawMessage `json:"record"`
}
