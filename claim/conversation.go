package claim

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// ConversationStatus is the state of a conversation as Dixa has it.
type ConversationStatus string

// The states of a conversation that mean something to a claim. Dixa's
// AwaitingPending counts as pending; the set is open.
const (
	ConversationOpen    ConversationStatus = "open"
	ConversationPending ConversationStatus = "pending"
	ConversationClosed  ConversationStatus = "closed"
)

// Person is an agent or customer in Dixa. The name is personal data.
type Person struct {
	ID   string `json:"id"`
	Name string `json:"name,omitempty"`
}

// Queue is a queue in Dixa.
type Queue struct {
	ID   string `json:"id"`
	Name string `json:"name,omitempty"`
}

// Rating is what the customer thought. The comment is personal data.
type Rating struct {
	Score   int       `json:"score"`
	Comment string    `json:"comment,omitempty"`
	At      time.Time `json:"at"`
}

// Conversation is what is known of a claim's conversation in Dixa: the newest
// word on each part of it, by Dixa's own clock. However the facts came, in
// whichever order and how often, the same facts make the same Conversation.
type Conversation struct {
	Status ConversationStatus `json:"status,omitempty"`
	// Assignee is the agent who has it and Queue the queue that it is in; nil
	// where nobody has it and outside of any queue.
	Assignee  *Person `json:"assignee,omitempty"`
	Queue     *Queue  `json:"queue,omitempty"`
	Requester *Person `json:"requester,omitempty"`
	// Tags are the names of its tags, sorted.
	Tags   []string `json:"tags,omitempty"`
	Rating *Rating  `json:"rating,omitempty"`

	// Newest is what later facts are compared with.
	Newest `json:"newest,omitzero"`
}

// Newest says which facts have the word in a [Conversation].
type Newest struct {
	StatusAt Stamp `json:"status_at,omitzero"`
	// DoubtAt is the moment of StatusAt where Dixa may have another status: facts
	// of that moment contradict each other, or the newest one has [Fact.Doubt].
	DoubtAt  time.Time `json:"doubt_at,omitzero"`
	PeopleAt Stamp     `json:"people_at,omitzero"`
	TagsAt   Stamp     `json:"tags_at,omitzero"`
	RatingAt Stamp     `json:"rating_at,omitzero"`
	// Comment is the newest one of a rating, which may be of an earlier rating
	// than the newest, or come before it.
	Comment   string `json:"comment,omitempty"`
	CommentAt Stamp  `json:"comment_at,omitzero"`
	// ClosedAt is when it was last known to become closed, OpenAt when it was
	// last known to be anything else.
	ClosedAt time.Time `json:"closed_at,omitzero"`
	OpenAt   time.Time `json:"open_at,omitzero"`
}

// Weight says how much a fact is worth beside another of the same moment.
type Weight int

// The weights of facts.
const (
	WeightSnapshot   Weight = iota // how the conversation was when something else happened to it
	WeightTransition               // it is what happened
	WeightRefreshed                // Dixa was asked after all of them
)

// Stamp orders facts: by Dixa's clock, then by weight, then by id, so that two
// facts are never equally new.
type Stamp struct {
	At     time.Time `json:"at"`
	Weight Weight    `json:"weight,omitempty"`
	ID     string    `json:"id,omitempty"`
}

// Compare is negative where s is older than other and positive where it is
// newer.
func (s Stamp) Compare(other Stamp) int {
	return cmp.Or(s.At.Compare(other.At), cmp.Compare(s.Weight, other.Weight), strings.Compare(s.ID, other.ID))
}

// Fact is what one event, or one look at Dixa, tells of a conversation. Parts
// that it does not tell of are left out.
type Fact struct {
	Stamp
	Status ConversationStatus
	// Doubt says that what happened may have changed the status after it was
	// told.
	Doubt bool
	// People says that Assignee, Queue and Requester are told; nil then means
	// that there is none.
	People    bool
	Assignee  *Person
	Queue     *Queue
	Requester *Person
	// Tags is nil where the fact does not tell of them, empty where there are
	// none.
	Tags   []string
	Rating *Rating
	// Comment is that of a rating whose score another fact tells.
	Comment string
}

// Apply takes a fact in. A fact that is older than what is known of a part does
// not change that part.
func (c *Conversation) Apply(f Fact) {
	if f.Status != "" {
		c.applyStatus(f)
		switch {
		case f.Status != ConversationClosed:
			c.OpenAt = latest(c.OpenAt, f.At)
		case f.Weight != WeightSnapshot:
			c.ClosedAt = latest(c.ClosedAt, f.At)
		}
	}
	if f.People && f.Stamp.Compare(c.PeopleAt) > 0 {
		c.Assignee, c.Queue, c.PeopleAt = f.Assignee, f.Queue, f.Stamp
		if f.Requester != nil {
			c.Requester = f.Requester
		}
	}
	if f.Tags != nil && f.Stamp.Compare(c.TagsAt) > 0 {
		c.Tags, c.TagsAt = slices.Clone(f.Tags), f.Stamp
		slices.Sort(c.Tags)
		c.Tags = slices.Compact(c.Tags)
	}
	c.rated(f)
}

// applyStatus takes in what a fact tells of the status. Of facts of one moment and
// weight nothing tells which was the last: where they differ there is doubt, until
// a newer fact or an answer of Dixa's.
func (c *Conversation) applyStatus(f Fact) {
	order := f.Stamp.Compare(c.StatusAt)
	tied := order != 0 && f.At.Equal(c.StatusAt.At) && f.Weight == c.StatusAt.Weight && f.Weight < WeightRefreshed
	doubt := f.Doubt || tied && (f.Status != c.Status || !c.DoubtAt.IsZero())
	if order > 0 {
		c.Status, c.StatusAt, c.DoubtAt = f.Status, f.Stamp, time.Time{}
	}
	if doubt && (order > 0 || tied) {
		c.DoubtAt = f.At
	}
}

// rated takes in what a fact tells of a rating. The score and the comment may come
// apart, the comment never before its score by Dixa's clock.
func (c *Conversation) rated(f Fact) {
	comment := f.Comment
	if f.Rating != nil {
		comment = f.Rating.Comment
		if f.Stamp.Compare(c.RatingAt) > 0 {
			c.Rating, c.RatingAt = &Rating{Score: f.Rating.Score, At: f.Rating.At}, f.Stamp
		}
	}
	if comment != "" && f.Stamp.Compare(c.CommentAt) > 0 {
		c.Comment, c.CommentAt = comment, f.Stamp
	}
	if c.Rating == nil {
		return
	}
	now := *c.Rating
	now.Comment = ""
	if !c.CommentAt.At.Before(c.RatingAt.At) {
		now.Comment = c.Comment
	}
	c.Rating = &now
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// Event is what moves a claim in a state to where its conversation is; empty
// where it is there already, where nothing is known of the conversation, and
// where the claim is not following it.
func (c *Conversation) Event(s State) Event {
	switch s {
	case StateOpen, StatePending, StateClosed, StateSettled:
	default:
		return ""
	}
	switch {
	case c.Status == ConversationOpen && s != StateOpen:
		return EventReopen
	case c.Status == ConversationPending && s != StatePending:
		return EventPending
	case c.Status == ConversationClosed && s != StateClosed && s != StateSettled:
		return EventClose
	}
	return ""
}

// ClosedSince is when the conversation was closed; zero where it is not.
func (c *Conversation) ClosedSince() time.Time {
	switch {
	case c.Status != ConversationClosed:
		return time.Time{}
	case c.ClosedAt.After(c.OpenAt):
		return c.ClosedAt
	}
	return c.StatusAt.At // nobody told when; it was closed by then
}

// HasTag reports whether the conversation has a tag, in any case of letters.
func (c *Conversation) HasTag(name string) bool {
	return slices.ContainsFunc(c.Tags, func(t string) bool { return strings.EqualFold(t, name) })
}
