package claim

import "time"

// ImportState is the state of an import.
type ImportState string

// States of an import.
const (
	ImportRunning   ImportState = "running"
	ImportPaused    ImportState = "paused"
	ImportDone      ImportState = "done"
	ImportCancelled ImportState = "cancelled"
)

// WindowState is the state of a window of an import.
type WindowState string

// States of a window.
const (
	WindowWaiting WindowState = "waiting"
	WindowDone    WindowState = "done"
	// WindowParked is a window that failed for good. The others continue.
	WindowParked WindowState = "parked"
)

// ImportAccess is how an import reads Dixa.
type ImportAccess string

// Ways to read Dixa.
const (
	// AccessExports reads the Exports API.
	AccessExports ImportAccess = "exports"
	// AccessSearch searches for conversations and reads each one, because the token
	// may not read exports.
	AccessSearch ImportAccess = "search"
)

// ImportRequest starts an import.
type ImportRequest struct {
	// Streams are what to read; empty means all that a source selects.
	Streams []Stream `json:"streams,omitempty" validate:"max=5,unique,dive,oneof=conversations messages activity_logs ratings directory"`
	// From and To are the period; zero means all that is missing.
	From time.Time `json:"from,omitzero"`
	To   time.Time `json:"to,omitzero"`
	// Retry reads the windows again that the last import parked.
	Retry bool `json:"retry,omitempty"`
}

// Import is an import and its progress.
type Import struct {
	ID           string       `json:"id"`
	ConnectionID string       `json:"connection_id"`
	State        ImportState  `json:"state"`
	Access       ImportAccess `json:"access,omitempty"`
	// Cause is what started it: "request" or "schedule".
	Cause string `json:"cause"`
	// Why explains the access, or why nothing moves.
	Why        string    `json:"why,omitempty"`
	StartedAt  time.Time `json:"started_at"`
	FinishedAt time.Time `json:"finished_at,omitzero"`
	ImportProgress
	// Windows are listed only for a single import.
	Windows []ImportWindow `json:"windows,omitempty"`
}

// ImportProgress is how far an import has come.
type ImportProgress struct {
	WindowsTotal  int `json:"windows_total"`
	WindowsDone   int `json:"windows_done"`
	WindowsParked int `json:"windows_parked"`
	ImportCounts
	// RowsPerSecond is the rate since the start.
	RowsPerSecond float64 `json:"rows_per_second"`
	// SecondsLeft estimates the time left from the windows done so far; 0 if unknown.
	SecondsLeft int `json:"seconds_left,omitempty"`
}

// ImportCounts counts the rows of an import or a window.
type ImportCounts struct {
	// Read are the rows that Dixa sent.
	Read    int `json:"rows_read"`
	Added   int `json:"rows_added"`
	Changed int `json:"rows_changed"`
	// Excluded are the rows that no source selects.
	Excluded int `json:"rows_excluded"`
	// Rejected are the rows that could not be read.
	Rejected int `json:"rows_rejected"`
	// Requests are the requests to Dixa.
	Requests int `json:"requests"`
}

// Add adds other to c.
func (c *ImportCounts) Add(other ImportCounts) {
	c.Read, c.Added, c.Changed = c.Read+other.Read, c.Added+other.Added, c.Changed+other.Changed
	c.Excluded, c.Rejected, c.Requests = c.Excluded+other.Excluded, c.Rejected+other.Rejected, c.Requests+other.Requests
}

// ImportWindow is a period of a stream. It is done when all its rows are stored.
type ImportWindow struct {
	N      int         `json:"n"`
	Stream Stream      `json:"stream"`
	From   time.Time   `json:"from,omitzero"`
	To     time.Time   `json:"to,omitzero"`
	State  WindowState `json:"state"`
	// Why is why the window is parked or was last postponed.
	Why string `json:"why,omitempty"`
	ImportCounts
	FinishedAt time.Time `json:"finished_at,omitzero"`
	// Rejects are the rows that could not be read, by their position in Dixa's answer.
	Rejects map[int]string `json:"rejects,omitempty"`
}

// What starts an import.
const (
	ImportRequested = "request"
	ImportScheduled = "schedule"
)

// ImportWorkflowName is the registered name of the import workflow.
const ImportWorkflowName = "Import"

// SignalImport makes a connection's import read its state in the store again: it was
// paused, resumed or cancelled, or the connection has a new token. It has no payload.
const SignalImport = "import"

// SignalImportRequest requests an import with an [ImportRequest]. It is sent with
// signal-with-start. If an import runs, another one follows it.
const SignalImportRequest = "import-request"

// ImportWorkflowID returns the id of a connection's import and of its schedule.
// Scheduled runs have a time appended, and start the import under this id.
func ImportWorkflowID(connectionID string) string { return "import:" + connectionID }
