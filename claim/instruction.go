package claim

import (
	"encoding/json"
	"time"
)

// Kinds of instructions.
const (
	InstructReply  = "reply"  // write to the customer
	InstructNote   = "note"   // write an internal note
	InstructChange = "change" // apply the shop's rules to an owner's change
	// InstructShipment writes a note about the location of a parcel of the claim.
	InstructShipment = "shipment"
)

// MaxReply limits the text of a reply or note, in bytes. MaxReplyFiles limits its
// attachments.
const (
	MaxReply      = 200 << 10
	MaxReplyFiles = 20
)

// ReplyBody is the body of an [InstructReply]. It has either Text or HTML.
type ReplyBody struct {
	Text string `json:"text,omitempty"`
	HTML string `json:"html,omitempty"`
	// AgentID is the agent who writes; empty for the shop's default agent.
	AgentID string `json:"agent_id,omitempty"`
	// Attachments are URLs from which Dixa copies files.
	Attachments []string `json:"attachments,omitempty"`
}

// NoteBody is the body of an [InstructNote].
type NoteBody struct {
	Text string `json:"text"`
}

// InstructionState is the state of an instruction.
type InstructionState string

// States of an instruction.
const (
	InstructionWaiting InstructionState = "waiting"
	InstructionDone    InstructionState = "done"
	InstructionRefused InstructionState = "refused" // Why gives the reason
)

// Instruction is a task for a claim's conversation. The claim's workflow carries out
// instructions one at a time, in order of their numbers, each once.
type Instruction struct {
	Ref
	// ID identifies the instruction within its claim. Reusing an id means the same
	// instruction.
	ID     string `json:"id"`
	Number int64  `json:"number"`
	Kind   string `json:"kind"`
	// Body is the task, in a format that depends on Kind. It may contain personal
	// data.
	Body json.RawMessage `json:"-"`
	// By is the requester: the name of an API key, or "karla".
	By    string           `json:"by,omitempty"`
	State InstructionState `json:"state"`
	Why   string           `json:"why,omitempty"`
	// Wrote says that a change wrote the state that the shop's rules want to Dixa.
	Wrote bool `json:"-"`
	// Result is the outcome, without personal data.
	Result    json.RawMessage `json:"result,omitempty"`
	CreatedAt time.Time       `json:"created_at"`
	DoneAt    time.Time       `json:"done_at,omitzero"`
}

// Step returns the name of the intent that guards a write of the instruction. An
// instruction with several writes gives each a part.
func (i Instruction) Step(part string) string {
	step := StepInstruction + ":" + i.ID
	if part != "" {
		step += ":" + part
	}
	return step
}
