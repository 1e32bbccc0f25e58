package claim

import (
	"strings"
	"time"
)

// ErasureState is the state of an erasure.
type ErasureState string

// States of an erasure.
const (
	ErasureRunning ErasureState = "running"
	ErasureDone    ErasureState = "done"
	// ErasureIncomplete: Claimflow has erased the customer, but Dixa has not confirmed
	// it. Why gives the reason.
	ErasureIncomplete ErasureState = "incomplete"
	// ErasureFailed: the last check found the customer in rows that should be blank.
	ErasureFailed ErasureState = "failed"
)

// Steps of an erasure, in order.
const (
	ErasureFind      = "find"      // find the customer's rows and end users
	ErasureStop      = "stop"      // abandon the claims that still run
	ErasureAnonymize = "anonymize" // let Dixa anonymize the end users
	ErasureErase     = "erase"     // blank and delete the rows
	ErasureVerify    = "verify"    // look for what is left
)

// ErasureRequest names a customer to erase, by exactly one member.
type ErasureRequest struct {
	Email      string `json:"email,omitempty" validate:"omitempty,email,max=320"`
	Phone      string `json:"phone,omitempty" validate:"max=50"`
	ExternalID string `json:"external_id,omitempty" validate:"max=200"`
	// EndUserID is the customer's id in Dixa.
	EndUserID string `json:"end_user_id,omitempty" validate:"max=100"`
	// DryRun only counts what would be erased.
	DryRun bool `json:"dry_run,omitempty"`
}

// By returns the name and the value of the member that names the customer. ok is false
// unless there is exactly one.
func (r ErasureRequest) By() (name, value string, ok bool) {
	for _, m := range []struct{ name, value string }{
		{"email", r.Email}, {"phone", r.Phone}, {"external_id", r.ExternalID}, {"end_user_id", r.EndUserID},
	} {
		if strings.TrimSpace(m.value) == "" {
			continue
		}
		if ok {
			return "", "", false
		}
		name, value, ok = m.name, strings.TrimSpace(m.value), true
	}
	return name, value, ok
}

// Erasure is the erasure of a customer and its progress. It does not say who the
// customer is.
type Erasure struct {
	ID   string `json:"id"`
	Shop string `json:"shop"`
	// DryRun says that nothing was changed: the report counts what would be.
	DryRun bool         `json:"dry_run,omitempty"`
	State  ErasureState `json:"state" enum:"running,done,incomplete,failed"`
	// Why says what an erasure waits for, or why it is incomplete or failed.
	Why        string        `json:"why,omitempty"`
	StartedAt  time.Time     `json:"started_at"`
	FinishedAt time.Time     `json:"finished_at,omitzero"`
	Steps      []ErasureStep `json:"steps"`
	Report     ErasureReport `json:"report"`
	// Key is a keyed hash of the customer and the mode. A shop has one running erasure
	// per key.
	Key string `json:"-"`
}

// ErasureStep is a step with its times.
type ErasureStep struct {
	Name       string    `json:"name" enum:"find,stop,anonymize,erase,verify"`
	StartedAt  time.Time `json:"started_at"`
	FinishedAt time.Time `json:"finished_at,omitzero"`
}

// ErasureReport says what was erased.
type ErasureReport struct {
	// Claims, Conversations and EndUsers are what was found of the customer, and
	// Stopped are the claims that still ran.
	Claims        int `json:"claims"`
	Conversations int `json:"conversations"`
	EndUsers      int `json:"end_users"`
	Stopped       int `json:"stopped"`
	// Rows counts, by table, the rows that were deleted or blanked.
	Rows map[string]int `json:"rows"`
	// Dixa is what Dixa answered, one entry per end user.
	Dixa []ErasureAnswer `json:"dixa"`
	// DixaTrouble says why Dixa was given up on.
	DixaTrouble string `json:"dixa_trouble,omitempty"`
	// Notes say what was left out, and why.
	Notes []string `json:"notes,omitempty"`
	// Leftovers counts, by table, the rows in which the last check found the customer.
	Leftovers map[string]int `json:"leftovers,omitempty"`
}

// Results of an anonymization in Dixa.
const (
	// AnswerAnonymized: Dixa has processed the request.
	AnswerAnonymized = "anonymized"
	// AnswerNotFound: Dixa has no such end user.
	AnswerNotFound = "not_found"
	// AnswerRefused: Dixa refused the request.
	AnswerRefused = "refused"
	// AnswerUnchanged: Dixa reports the request as processed, but shows the end user's
	// data.
	AnswerUnchanged = "unchanged"
	// AnswerUnfinished: Dixa did not finish in time.
	AnswerUnfinished = "unfinished"
)

// ErasureAnswer is what Dixa answered about an end user.
type ErasureAnswer struct {
	Result string `json:"result" enum:"anonymized,not_found,refused,unchanged,unfinished"`
	Detail string `json:"detail,omitempty"`
}

// Complete reports whether Dixa no longer has the end user's data.
func (a ErasureAnswer) Complete() bool {
	return a.Result == AnswerAnonymized || a.Result == AnswerNotFound
}

// ErasureWorkflowName is the registered name of the workflow that erases a customer.
const ErasureWorkflowName = "Erase"

const erasureWorkflowPrefix = "erase:"

// WorkflowID returns the id of the erasure's workflow.
func (e Erasure) WorkflowID() string { return erasureWorkflowPrefix + e.Shop + ":" + e.Key }

// Anonymized returns the claim without anything about its customer or purchase: the ids,
// the reason and what the customer wanted, the carriers and phases, the status and the
// times.
func (c *Claim) Anonymized() *Claim {
	out := &Claim{
		ID: c.ID, Shop: c.Shop, Reason: c.Reason, Flow: c.Flow, Preference: c.Preference, Phase: c.Phase, Status: c.Status,
		CreatedAt: c.CreatedAt, UpdatedAt: c.UpdatedAt,
	}
	for _, s := range c.Shipments {
		if s.Carrier != "" || s.Phase != "" {
			out.Shipments = append(out.Shipments, Shipment{Carrier: s.Carrier, Phase: s.Phase})
		}
	}
	return out
}
