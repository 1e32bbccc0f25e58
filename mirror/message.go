package mirror

import (
	"cmp"
	"time"

	"github.com/claimflow/claimflow/claim"
)

// Source is where a message was read. A higher source outranks a lower one.
type Source int

// Sources of messages, least complete first.
const (
	FromEvent  Source = iota // a webhook event
	FromExport               // the message export: plain text, no author id
	FromList                 // the API's list: everything but, outside email, whether it is automatic
)

// Message is a message or internal note of a conversation.
type Message struct {
	claim.Message
	ConversationID int64 `json:"-"`
	// AuthorEmail, From, To, CC and BCC are addresses or numbers, as far as known.
	AuthorEmail string   `json:"author_email,omitempty"`
	From        string   `json:"from,omitempty"`
	To          []string `json:"to,omitempty"`
	CC          []string `json:"cc,omitempty"`
	BCC         []string `json:"bcc,omitempty"`
	// AutomatedKnown says that a source stated whether the message is automatic.
	AutomatedKnown bool `json:"automated_known,omitempty"`
	// Redacted says that Dixa no longer has the text.
	Redacted bool `json:"redacted,omitempty"`
	// Version is the highest version that was merged. Parts of lower versions are in
	// Parts.
	Version
	Parts map[string]Version `json:"parts,omitempty"`
	// BlankAt is when the list or the export last showed the message without text.
	BlankAt time.Time `json:"blank_at,omitzero"`
}

// Version orders what is known of a message: by source, then by the time of the read.
type Version struct {
	Source Source `json:"source,omitempty"`
	// ReadAt is when the source was read. For an event it is the event's time.
	ReadAt time.Time `json:"read_at,omitzero"`
}

// Compare is negative if v ranks below other and positive if it ranks above.
func (v Version) Compare(other Version) int {
	return cmp.Or(cmp.Compare(v.Source, other.Source), v.ReadAt.Compare(other.ReadAt))
}
