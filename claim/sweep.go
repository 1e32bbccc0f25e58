package claim

import "time"

// SweepWorkflowName is the name under which the sweep's workflow is registered.
const SweepWorkflowName = "Sweep"

// SignalSweep asks for a sweep. It is sent with start: a run that is under way
// when it arrives is followed by another, since it may have read past what the
// asker wants found.
const SignalSweep = "sweep"

// SweepWorkflowID is the id of a connection's sweep: of its schedule, and of a
// run that a person asked for. The runs of the schedule have a time behind it.
func SweepWorkflowID(connectionID string) string { return "sweep:" + connectionID }

// Sweep is how the last look for what no webhook told of a connection's
// conversations went.
type Sweep struct {
	StartedAt time.Time `json:"started_at,omitzero" doc:"When the last sweep began."`
	// FinishedAt is older than StartedAt, or zero, while a sweep runs.
	FinishedAt time.Time `json:"finished_at,omitzero" doc:"When a sweep last ended. Older than started_at, or missing, while one runs."`
	// Watermark is the time up to which everything that Dixa logged is kept.
	Watermark time.Time `json:"watermark,omitzero" doc:"Everything that Dixa's activity log had up to then is known here."`
	// LagSeconds is how far the watermark is behind.
	LagSeconds int64 `json:"lag_seconds" doc:"How far the watermark is behind."`
	// Report is of the last sweep that ended.
	Report SweepReport `json:"report" doc:"What the last sweep that ended found and repaired."`
}

// SweepReport counts what a sweep found and repaired. It holds nothing of any
// customer.
type SweepReport struct {
	// Requests are the requests to Dixa that it cost.
	Requests int `json:"requests"`
	// Subscriptions are webhook subscriptions that were made again or corrected.
	Subscriptions int `json:"subscriptions"`
	// Events are those that Dixa's delivery logs had and that had not arrived.
	Events int `json:"events"`
	// Entries are the entries of Dixa's activity log that were read, Touched the
	// conversations of claims that they name.
	Entries int `json:"entries"`
	Touched int `json:"touched"`
	// Looked are the conversations that Dixa was asked about, Conversations those
	// of which something was not known here.
	Looked        int `json:"looked"`
	Conversations int `json:"conversations"`
	// Messages are messages and notes that were not known here.
	Messages int `json:"messages"`
	// Happenings are entries of timelines of which no event had come.
	Happenings int `json:"happenings"`
	// Gone are conversations that Dixa does not have any more, or only without
	// its persons.
	Gone int `json:"gone"`
	// Failed are conversations that could not be read; the next sweep tries again.
	Failed int `json:"failed"`
	// Trouble says why the sweep left something out or ended early; empty where
	// it did all.
	Trouble string `json:"trouble,omitempty"`
}

// Repaired are the counts of what was not known or not right before, by kind.
func (r SweepReport) Repaired() map[string]int {
	return map[string]int{
		"subscription": r.Subscriptions, "event": r.Events, "conversation": r.Conversations,
		"message": r.Messages, "happening": r.Happenings,
	}
}

// Add puts what a step found to what the steps before it found. The first trouble
// is the one that is told.
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
