package mirror

import (
	"encoding/json"
	"time"
)

// DirectoryKind is a kind of directory entry.
type DirectoryKind string

// Kinds of directory entries.
const (
	KindAgent           DirectoryKind = "agent" // also admins
	KindTeam            DirectoryKind = "team"
	KindQueue           DirectoryKind = "queue"
	KindContactEndpoint DirectoryKind = "contact_endpoint"
	KindAttribute       DirectoryKind = "custom_attribute"
	KindTag             DirectoryKind = "tag"
	KindSchedule        DirectoryKind = "business_hours"
	KindEndUser         DirectoryKind = "end_user"
)

// DirectoryKinds returns all kinds, in the order in which an import reads them.
func DirectoryKinds() []DirectoryKind {
	return []DirectoryKind{KindAgent, KindTeam, KindQueue, KindContactEndpoint, KindAttribute, KindTag, KindSchedule, KindEndUser}
}

// DirectoryEntry is an agent, team, queue or other definition of an organization.
// Names and objects are personal data.
type DirectoryEntry struct {
	Kind DirectoryKind `json:"kind,omitempty"`
	ID   string        `json:"id,omitempty"`
	Name string        `json:"name,omitempty"`
	// MemberIDs are the agents of a team or queue.
	MemberIDs []string `json:"member_ids,omitempty"`
	// Object is the entry as Dixa returns it.
	Object json.RawMessage `json:"object,omitempty"`
	// CompleteAt is when the members of Object that Dixa's lists leave out, which are the
	// custom attributes of end users, were read; zero if they were not.
	CompleteAt time.Time `json:"complete_at,omitzero"`
}
