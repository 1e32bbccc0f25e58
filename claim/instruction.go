package claim

import (
	"encoding/json"
	"time"
)

// The kinds of instructions.
const (
	InstructReply  = "reply"  // write to the customer
	InstructNote   = "note"   // write an internal note
	InstructChange = "change" // do what the shop's rules say of a change at the owner
	// InstructShipment writes a note of where a parcel of the claim is.
	InstructShipment = "shipment"
)

// MaxReply bounds the words of a reply or note, in bytes, and MaxReplyFiles its
// attachments.
const (
	MaxReply      = 200 << 10
	MaxReplyFiles = 20
)

// ReplyBody is the body of an [InstructReply]. One of Text and HTML is given.
type ReplyBody struct {
	Text string `json:"text,omitempty"`
	HTML string `json:"html,omitempty"`
	// AgentID is the agent who writes; empty for the shop's default one.
	AgentID string `json:"agent_id,omitempty"`
	// Attachments are addresses that Dixa copies files from.
	Attachments []string `json:"attachments,omitempty"`
}

// NoteBody is the body of an [InstructNote].
type NoteBody struct {
	Text string `json:"text"`
}

// InstructionState is what became of an instruction.
type InstructionState string

// The states of an instruction.
const (
	InstructionWaiting InstructionState = "waiting"
	InstructionDone    InstructionState = "done"
	InstructionRefused InstructionState = "refused" // Why says the reason
)

// Instruction is something that is to be done in a claim's conversation. The
// claim's workflow carries instructions out one after another, in the order of
// their numbers, each once.
type Instruction struct {
	Ref
	// ID names it within its claim; the same id again is the same instruction.
	ID     string `json:"id"`
	Number int64  `json:"number"`
	Kind   string `json:"kind"`
	// Body is what is to be done, in the kind's own shape. It may be personal.
	Body json.RawMessage `json:"-"`
	// By is who asked for it: an API key's name, or "karla".
	By    string           `json:"by,omitempty"`
	State InstructionState `json:"state"`
	Why   string           `json:"why,omitempty"`
	// Wrote says that a change wrote to Dixa what the shop's rules want.
	Wrote bool `json:"-"`
	// Result is what came of it, without personal data.
	Result    json.RawMessage `json:"result,omitempty"`
	CreatedAt time.Time       `json:"created_at"`
	DoneAt    time.Time       `json:"done_at,omitzero"`
}

// Step is the name of the intent that guards a write of the instruction. An
// instruction with several writes names each.
func (i Instruction) Step(part string) string {
	step := StepInstruction + ":" + i.ID
	if part != "" {
		step += ":" + part
	}
	return step
}
