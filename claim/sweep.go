package claim

import "time"

// SweepWorkflowName is the registered name of the sweep workflow.
const SweepWorkflowName = "Sweep"

// SignalSweep requests a sweep. It is sent with signal-with-start. If a run is in
// progress, another run follows it, because the current run may already have read
// past what the requester is looking for.
const SignalSweep = "sweep"

// SweepWorkflowID returns the id of a connection's sweep schedule and of runs that a
// person requests. Scheduled runs have a time appended.
func SweepWorkflowID(connectionID string) string { return "sweep:" + connectionID }

// Sweep is the state of a connection's last sweep: a search for what no webhook
// delivered about its conversations.
type Sweep struct {
	StartedAt time.Time `json:"started_at,omitzero" doc:"When the last sweep started."`
	// FinishedAt is zero or earlier than StartedAt while a sweep runs.
	FinishedAt time.Time `json:"finished_at,omitzero" doc:"When the last completed sweep ended. While a sweep runs, it is older than started_at or omitted."`
	// Watermark is the time up to which all entries of Dixa's activity log are
	// stored.
	Watermark time.Time `json:"watermark,omitzero" doc:"The time up to which Dixa's activity log is reconciled."`
	// LagSeconds is the age of the watermark.
	LagSeconds int64 `json:"lag_seconds" doc:"How far the watermark lags behind, in seconds."`
	// Report is the report of the last finished sweep.
	Report SweepReport `json:"report" doc:"What the last completed sweep found and repaired."`
}

// SweepReport counts what a sweep found and repaired. It contains no customer data.
type SweepReport struct {
	// Requests counts the requests to Dixa.
	Requests int `json:"requests"`
	// Subscriptions counts the webhook subscriptions that were recreated or
	// corrected.
	Subscriptions int `json:"subscriptions"`
	// Events counts the events in Dixa's delivery logs that had not arrived.
	Events int `json:"events"`
	// Entries counts the entries read from Dixa's activity log, Touched the
	// conversations of claims that they name.
	Entries int `json:"entries"`
	Touched int `json:"touched"`
	// Looked counts the conversations that were queried in Dixa, Conversations those
	// with data that was missing here.
	Looked        int `json:"looked"`
	Conversations int `json:"conversations"`
	// Messages counts the messages and notes that were missing here.
	Messages int `json:"messages"`
	// Happenings counts the timeline entries for which no event had arrived.
	Happenings int `json:"happenings"`
	// Gone counts the conversations that are deleted or anonymized in Dixa.
	Gone int `json:"gone"`
	// Failed counts the conversations that could not be read. The next sweep retries
	// them.
	Failed int `json:"failed"`
	// Trouble says why the sweep skipped something or ended early; empty if it was
	// complete.
	Trouble string `json:"trouble,omitempty"`
}

// Repaired returns, by kind, how many things were missing or wrong.
func (r SweepReport) Repaired() map[string]int {
	return map[string]int{
		"subscription": r.Subscriptions, "event": r.Events, "conversation": r.Conversations,
		"message": r.Messages, "happening": r.Happenings,
	}
}

// Add adds the findings of a later step. The first trouble is kept.
func (r *SweepReport) Add(more SweepReport) {
	r.Requests += more.Requests
	r.Subscriptions += more.Subscriptions
	r.Events += more.Events
	r.Entries += more.Entries
	r.Touched += more.Touched
	r.Looked += more.Looked
	r.Conversations += more.Conversations
	r.Messages += more.Messages
	r.Happenings += more.Happenings
	r.Gone += more.Gone
	r.Failed += more.Failed
	if r.Trouble == "" {
		r.Trouble = more.Trouble
	}
}
