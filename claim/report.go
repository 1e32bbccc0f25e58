package claim

// Report is the result of checks of a shop's Dixa.
type Report struct {
	// OK says that no check failed.
	OK     bool    `json:"ok" doc:"True if no check failed."`
	Checks []Check `json:"checks"`
	// ConversationID is the conversation that a test opened.
	ConversationID int64 `json:"conversation_id,omitempty" doc:"The conversation that a test opened."`
	// Warnings list possible problems that do not prevent claims from being opened.
	Warnings []string `json:"warnings,omitempty" doc:"Possible problems that do not prevent claims from being opened."`
}

// Check is the result of one check.
type Check struct {
	Name   string      `json:"check" doc:"What was checked." example:"contact endpoint"`
	Result CheckResult `json:"result" enum:"ok,warning,failed,skipped"`
	// Detail says what was found and, after a failure, what to do.
	Detail string `json:"detail" doc:"What was found and, after a failure, what to do."`
}

// CheckResult is the outcome of a check.
type CheckResult string

// The results of a check.
const (
	CheckOK      CheckResult = "ok"
	CheckFailed  CheckResult = "failed"
	CheckSkipped CheckResult = "skipped"
	CheckWarning CheckResult = "warning" // it works, but perhaps not as intended
)
