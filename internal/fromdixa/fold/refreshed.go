package fold

import (
	"encoding/json"
	"maps"
	"time"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/mirror"
)

// NameRefreshed is the inbox name of our own event for a conversation state queried
// from Dixa. Its body is a [Refreshed].
const NameRefreshed = "Refreshed"

// Refreshed is the state of a conversation when Dixa was queried. It takes the same
// path as Dixa's events, so that all facts are applied in one way.
type Refreshed struct {
	// Status, Assignee, Queue and Requester are as in GET
	// /v1/conversations/{conversationId}.
	Status    claim.ConversationStatus `json:"status,omitempty"`
	Assignee  *claim.Person            `json:"assignee,omitempty"`
	Queue     *claim.Queue             `json:"queue,omitempty"`
	Requester *claim.Person            `json:"requester,omitempty"`
	// Tags is nil if not queried.
	Tags []string `json:"tags"`
	// Rating is nil if not queried or if none was given.
	Rating *claim.Rating `json:"rating,omitempty"`
	// CreatedAt is when the conversation began; zero if not queried.
	CreatedAt time.Time `json:"created_at,omitzero"`
	// At is as new as the state that was found, and no older than anything known
	// before the query: all of that had happened by then.
	At time.Time `json:"at"`
	// Messages are those that Dixa lists; nil if not queried.
	Messages []RefreshedMessage `json:"messages,omitempty"`
	// Happened are timeline entries without an event, by their ids in Dixa's
	// activity log.
	Happened map[string]claim.TimelineEntry `json:"happened,omitempty"`
	// Seen are the ids of the events that no entry in Happened stands for: they had
	// arrived when the log was compared with them.
	Seen []string `json:"seen,omitempty"`
}

// RefreshedMessage is a message with the source URLs of its files.
type RefreshedMessage struct {
	mirror.Message
	Sources []string `json:"sources,omitempty"`
}

func readRefreshed(id string, body []byte) Reading {
	var f Refreshed
	var r Reading
	if json.Unmarshal(body, &f) != nil {
		return r
	}
	r.Fact.Fact = claim.Fact{
		Stamp:  claim.Stamp{At: f.At, Weight: claim.WeightRefreshed, ID: id},
		Status: f.Status, People: f.Status != "", Assignee: f.Assignee, Queue: f.Queue, Requester: f.Requester, Tags: f.Tags,
		Rating: f.Rating,
	}
	r.CreatedAt = f.CreatedAt
	for _, m := range f.Messages {
		if claim.IsID(m.ID) {
			r.Messages = append(r.Messages, m.message(f.At))
		}
	}
	r.Log, r.Seen = f.Happened, f.Seen
	maps.DeleteFunc(r.Log, func(id string, _ claim.TimelineEntry) bool { return !claim.IsID(id) })
	return r
}

// message returns the message as the mirror stores it.
func (m RefreshedMessage) message(readAt time.Time) mirror.Message {
	m.Listed, m.Version = true, mirror.Version{Source: mirror.FromList, ReadAt: readAt}
	for i := range m.Attachments {
		if i < len(m.Sources) {
			m.Attachments[i].Source = m.Sources[i]
		}
	}
	return m.Message
}
