package claim

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// ConversationStatus is the state of a conversation in Dixa.
type ConversationStatus string

// Conversation states that matter to a claim. Dixa's AwaitingPending counts as
// pending. The set is open.
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

// Rating is the customer's rating. The comment is personal data.
type Rating struct {
	Score   int       `json:"score"`
	Comment string    `json:"comment,omitempty"`
	At      time.Time `json:"at"`
}

// Conversation is what Claimflow knows about a claim's conversation in Dixa: the
// newest known value of each part, by Dixa's clock. The same facts produce the same
// Conversation, in any order and with any repetition.
type Conversation struct {
	Status ConversationStatus `json:"status,omitempty"`
	// Assignee is the assigned agent and Queue the current queue. Each is nil if
	// there is none.
	Assignee  *Person `json:"assignee,omitempty"`
	Queue     *Queue  `json:"queue,omitempty"`
	Requester *Person `json:"requester,omitempty"`
	// Tags are the sorted names of the conversation's tags.
	Tags   []string `json:"tags,omitempty"`
	Rating *Rating  `json:"rating,omitempty"`

	// Versions is compared with later facts.
	Versions `json:"newest,omitzero"`
}

// Versions records which facts determine the parts of a [Conversation].
type Versions struct {
	StatusAt Stamp `json:"status_at,omitzero"`
	// DoubtAt is the time of StatusAt if Dixa may have another status: facts of that
	// time contradict each other, or the newest fact has [Fact.Doubt].
	DoubtAt  time.Time `json:"doubt_at,omitzero"`
	PeopleAt Stamp     `json:"people_at,omitzero"`
	TagsAt   Stamp     `json:"tags_at,omitzero"`
	// TagsDiffer says that facts of the time of TagsAt name different tags, and
	// TagsRemoved that one of them reports a removed tag.
	TagsDiffer  bool  `json:"tags_differ,omitempty"`
	TagsRemoved bool  `json:"tags_removed,omitempty"`
	RatingAt    Stamp `json:"rating_at,omitzero"`
	// Comment is the newest rating comment. It may belong to an earlier rating or
	// arrive before its own.
	Comment   string `json:"comment,omitempty"`
	CommentAt Stamp  `json:"comment_at,omitzero"`
	// ClosedAt is the last time the conversation is known to have become closed.
	// OpenAt is the last time it is known to have had any other status.
	ClosedAt time.Time `json:"closed_at,omitzero"`
	OpenAt   time.Time `json:"open_at,omitzero"`
}

// TagsDoubtAt returns the time of TagsAt if Dixa may have other tags: a tag was removed
// at that time, and facts of that time name different tags. Otherwise it is zero.
func (v *Versions) TagsDoubtAt() time.Time {
	if v.TagsDiffer && v.TagsRemoved {
		return v.TagsAt.At
	}
	return time.Time{}
}

// AnyDoubtAt returns the newest time of a part that may be different in Dixa; zero if
// there is none.
func (v *Versions) AnyDoubtAt() time.Time { return latest(v.DoubtAt, v.TagsDoubtAt()) }

// TagsTie reports whether a fact's tags are of the same time as the known ones, from
// another event. The order of such events is unknown, whatever their weight: each names
// the tags in the middle of a change.
func (v *Versions) TagsTie(f Fact) bool {
	return f.Tags != nil && v.TagsAt != (Stamp{}) && f.Stamp != v.TagsAt && f.At.Equal(v.TagsAt.At) && max(f.Weight, v.TagsAt.Weight) < WeightRefreshed
}

// Weight ranks facts of the same time.
type Weight int

// Weights of facts, lowest first.
const (
	WeightSnapshot   Weight = iota // the state at the time of another event
	WeightTransition               // the change itself
	WeightRefreshed                // read from Dixa after all of them
)

// Stamp orders facts by Dixa's clock, then weight, then id, so no two facts are
// equally new.
type Stamp struct {
	At     time.Time `json:"at"`
	Weight Weight    `json:"weight,omitempty"`
	ID     string    `json:"id,omitempty"`
}

// Compare is negative if s is older than other and positive if s is newer.
func (s Stamp) Compare(other Stamp) int {
	return cmp.Or(s.At.Compare(other.At), cmp.Compare(s.Weight, other.Weight), strings.Compare(s.ID, other.ID))
}

// Fact is what one event or one read from Dixa says about a conversation. Parts that
// it says nothing about are empty.
type Fact struct {
	Stamp
	Status ConversationStatus
	// Doubt says that the event may have changed the status after Status was captured.
	Doubt bool
	// People says that the fact includes Assignee, Queue and Requester; nil then
	// means that there is none.
	People    bool
	Assignee  *Person
	Queue     *Queue
	Requester *Person
	// Tags is nil if the fact does not include tags, and empty if there are none.
	Tags []string
	// Untagged says that the fact reports the removal of a tag.
	Untagged bool
	Rating   *Rating
	// Comment is the comment of a rating whose score is in another fact.
	Comment string
}

// Apply merges a fact into the conversation. A part keeps its value if the fact is
// older than the part's newest fact.
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
	c.applyTags(f)
	c.rated(f)
}

// applyTags merges the tags of a fact. Several tags that are added in one moment have an
// event each, so together these name all of them. If one was removed in that moment, only
// Dixa knows which are left.
func (c *Conversation) applyTags(f Fact) {
	newer := f.Tags != nil && f.Stamp.Compare(c.TagsAt) > 0
	tags := slices.Compact(slices.Sorted(slices.Values(f.Tags)))
	switch {
	case c.TagsTie(f):
		c.TagsDiffer = c.TagsDiffer || !slices.Equal(tags, c.Tags)
		c.TagsRemoved = c.TagsRemoved || f.Untagged
		tags = append(tags, c.Tags...)
		slices.Sort(tags)
		c.Tags = slices.Compact(tags)
	case newer:
		c.Tags, c.TagsDiffer, c.TagsRemoved = tags, false, f.Untagged
	}
	if newer {
		c.TagsAt = f.Stamp
	}
}

// applyStatus merges the status of a fact. Facts with the same time and weight have
// no known order. If their statuses differ, the status is in doubt until a newer
// fact or a read from Dixa.
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

// rated merges the rating of a fact. The score and the comment may arrive
// separately. By Dixa's clock, the comment never precedes its score.
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

// NextEvent returns the event that moves a claim from state s to the state of its
// conversation. It is empty if the claim is already there, if the status of the
// conversation is unknown, or if the claim does not follow its conversation in s.
func (c *Conversation) NextEvent(s State) Event {
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

// ClosedSince returns when the conversation was closed, or zero if it is not closed.
func (c *Conversation) ClosedSince() time.Time {
	switch {
	case c.Status != ConversationClosed:
		return time.Time{}
	case c.ClosedAt.After(c.OpenAt):
		return c.ClosedAt
	}
	return c.StatusAt.At // the exact time is unknown; the conversation was closed by then
}

// HasTag reports whether the conversation has a tag, ignoring case.
func (c *Conversation) HasTag(name string) bool {
	return slices.ContainsFunc(c.Tags, func(t string) bool { return strings.EqualFold(t, name) })
}
