package fold

import (
	"encoding/json"
	"time"

	"github.com/claimflow/claimflow/claim"
)

// NameRefreshed is the name of an event of our own in the inbox: Dixa was asked
// how a conversation is. Its body is a [Refreshed].
const NameRefreshed = "Refreshed"

// Refreshed is how a conversation was when Dixa was asked. It goes the way of
// Dixa's events, so that there is one way to take in what is known.
type Refreshed struct {
	// Status, Assignee, Queue and Requester are as GET
	// /v1/conversations/{conversationId} has them.
	Status    claim.ConversationStatus `json:"status,omitempty"`
	Assignee  *claim.Person            `json:"assignee,omitempty"`
	Queue     *claim.Queue             `json:"queue,omitempty"`
	Requester *claim.Person            `json:"requester,omitempty"`
	// Tags is nil where they were not asked for.
	Tags []string `json:"tags"`
	// Rating is nil where it was not asked for, or none was given.
	Rating *claim.Rating `json:"rating,omitempty"`
	// CreatedAt is when the conversation began; zero where it was not asked for.
	CreatedAt time.Time `json:"created_at,omitzero"`
	// At is as new as the state that was found, and no older than what was known
	// before Dixa was asked: whatever was known then had happened by then.
	At time.Time `json:"at"`
	// Messages are those that Dixa lists; nil where they were not asked for.
	Messages []RefreshedMessage `json:"messages,omitempty"`
	// Happened are entries of the timeline of which no event came, by their ids
	// in Dixa's activity log.
	Happened map[string]claim.TimelineEntry `json:"happened,omitempty"`
	// Seen are the events, by their ids, that none of Happened stands for: they
	// had come when the log was compared with them.
	Seen []string `json:"seen,omitempty"`
}

// RefreshedMessage is a message with where its files are kept.
type RefreshedMessage struct {
	claim.Message
	Sources []string `json:"sources,omitempty"`
}

func readRefreshed(id string, body []byte) Reading {
	var f Refreshed
	r := Reading{Refreshed: true}
	if json.Unmarshal(body, &f) != nil {
		return r
	}
	r.Fact = claim.Fact{
		Stamp:  claim.Stamp{At: f.At, Weight: claim.WeightRefreshed, ID: id},
		Status: f.Status, People: f.Status != "", Assignee: f.Assignee, Queue: f.Queue, Requester: f.Requester, Tags: f.Tags,
		Rating: f.Rating,
	}
	r.CreatedAt = f.CreatedAt
	for _, m := range f.Messages {
		m.Listed = true
		for i := range m.Attachments {
			if i < len(m.Sources) {
				m.Attachments[i].Source = m.Sources[i]
			}
		}
		r.Messages = append(r.Messages, m.Message)
	}
	r.Log, r.Seen = f.Happened, f.Seen
	return r
}
