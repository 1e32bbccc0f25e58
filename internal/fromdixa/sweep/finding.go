package sweep

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/internal/fromdixa/fold"
	"github.com/claimflow/claimflow/mirror"
)

// Known is the known state of a conversation before Dixa was queried.
type Known struct {
	claim.Conversation
	// Messages are its messages and notes by their ids; nil if not loaded.
	Messages map[string]claim.Message
}

// Answer is Dixa's answer.
type Answer struct {
	// Asked are the parts that were queried.
	Asked        Parts
	Conversation *dixa.Conversation
	Tags         []*dixa.Tag
	Messages     []*dixa.Message
	Notes        []*dixa.Note
	Ratings      []*dixa.Rating
}

// Finding is an answer as an event of our own.
type Finding struct {
	// ID derives from the content: identical findings are one event.
	ID   string
	At   time.Time
	Body []byte
	// Report counts what it repairs.
	Report claim.SweepReport
}

// Find combines an answer with the missing entries. ok is false if it has no news.
// entries are all entries that led to the query, as read before it.
func Find(conversationID int64, known Known, answer Answer, entries []Entry, match MatchResult) (f Finding, ok bool, err error) {
	n, missing := names(known, entries), match.Missing
	r := fold.Refreshed{At: moment(known.Conversation, answer.Conversation, entries)}
	changed := false
	if c := answer.Conversation; c != nil {
		r.Status, r.CreatedAt = mirror.Status(c.State), c.CreatedAt.Time
		if r.Status != "" {
			r.Requester = n.person(c.RequesterID)
			if c.Assignment != nil {
				r.Assignee = n.person(c.Assignment.AgentID)
			}
			if c.Queue != nil {
				r.Queue = n.queue(c.Queue.ID)
			}
			changed = r.Status != known.Status || !same(r.Requester, known.Requester) || !same(r.Assignee, known.Assignee) || !sameQueue(r.Queue, known.Queue)
		}
	}
	if answer.Asked.Has(Tags) {
		r.Tags = tagNames(answer.Tags)
		changed = changed || !slices.Equal(r.Tags, known.Tags)
	}
	if r.Rating = newestRating(answer.Ratings); r.Rating != nil {
		changed = changed || known.Rating == nil || known.Rating.Score != r.Rating.Score || known.Rating.Comment != r.Rating.Comment
	}
	rewritten := slices.ContainsFunc(missing, func(e Entry) bool { return e.Type == redacted })
	r.Messages = news(known, answer, n, rewritten, r.At)
	for _, e := range missing {
		if r.Happened == nil {
			r.Happened = map[string]claim.TimelineEntry{}
		}
		r.Happened[e.ID] = e.timeline()
	}
	r.Seen = match.Seen
	f.Report = claim.SweepReport{Messages: len(r.Messages), Happenings: len(missing)}
	if !changed && len(r.Messages) == 0 && len(missing) == 0 {
		return f, false, nil
	}
	f.Report.Conversations = 1
	f.At = r.At
	if f.Body, err = json.Marshal(r); err != nil {
		return f, false, fmt.Errorf("encode the findings about conversation %d: %w", conversationID, err)
	}
	sum := sha256.Sum256(f.Body)
	f.ID = fmt.Sprintf("refreshed:%d:%s", conversationID, hex.EncodeToString(sum[:12]))
	return f, true, nil
}

// moment is when an answer holds, by Dixa's clock: the newest moment that was
// certainly before Dixa was queried.
//
// Dixa reports only when the state last changed, while people and tags are as of the
// answer. So the moment must be
//
//   - no later than the answer, or a change that came after it would lose;
//   - no earlier than any change that the answer already shows, or a late event
//     for such a change would restore what was before the changes after it.
//
// The known state, and every log entry that was read, had happened before Dixa was
// queried. The newest of them all meets the first condition, and the second as far
// as the log does not lag. A late event older than the moment loses; a newer one
// wins. If the log lagged behind the answer, its entry makes the next sweep check
// again.
//
// An older answer with the same moment must lose, so its successor is a microsecond
// newer. For the first condition, times in whole seconds are taken as is, at the
// start of their second.
func moment(known claim.Conversation, c *dixa.Conversation, entries []Entry) time.Time {
	var at time.Time
	newer := func(t time.Time) {
		if t.After(at) {
			at = t
		}
	}
	if c != nil {
		newer(c.StateUpdatedAt.Time)
		if c.Assignment != nil {
			newer(c.Assignment.AssignedAt.Time)
		}
		if c.Queue != nil {
			newer(c.Queue.QueuedAt.Time)
		}
	}
	for _, e := range entries {
		newer(e.At)
	}
	stamps := []claim.Stamp{known.StatusAt, known.PeopleAt, known.TagsAt, known.RatingAt, known.CommentAt}
	for _, s := range stamps {
		newer(s.At)
	}
	if slices.ContainsFunc(stamps, func(s claim.Stamp) bool { return s.Weight == claim.WeightRefreshed && s.At.Equal(at) }) {
		at = at.Add(time.Microsecond)
	}
	return at.UTC()
}

func (e Entry) timeline() claim.TimelineEntry {
	t := claim.TimelineEntry{At: e.At, What: kindOf(e.Type).what, Detail: e.Detail}
	if e.Author != nil {
		t.By = cmp.Or(e.Author.Name, e.Author.ID)
	}
	return t
}

func tagNames(tags []*dixa.Tag) []string {
	out := []string{}
	for _, t := range tags {
		if t.Name != "" {
			out = append(out, t.Name)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// newestRating is the newest rating with a score.
func newestRating(ratings []*dixa.Rating) *claim.Rating {
	var newest *claim.Rating
	for _, r := range ratings {
		if r.Score == nil || r.Status != "Rated" {
			continue
		}
		at := cmp.Or(r.Timestamps["rated_at"].Time, r.Timestamps["modified_at"].Time)
		if newest == nil || !at.Before(newest.At) { // times may have whole seconds only
			newest = &claim.Rating{Score: *r.Score, Comment: r.Comment, At: at}
		}
	}
	return newest
}

// news returns the unknown messages and notes and, if one was redacted, those that
// changed, as read at a time.
func news(known Known, answer Answer, n namesOf, rewritten bool, at time.Time) []fold.RefreshedMessage {
	var channel dixa.Channel
	if answer.Conversation != nil {
		channel = answer.Conversation.Channel
	}
	for _, m := range known.Messages {
		channel = cmp.Or(channel, dixa.Channel(m.Channel))
	}
	var out []fold.RefreshedMessage
	add := func(m fold.RefreshedMessage) {
		old, ok := known.Messages[m.ID]
		if !ok || rewritten && old.Listed && (old.Text != m.Text || old.HTML != m.HTML || len(old.Attachments) != len(m.Attachments)) || rewritten && !old.Listed {
			out = append(out, m)
		}
	}
	for _, m := range answer.Messages {
		add(fold.ConvertMessage(m, channel, n.name, at))
	}
	for _, m := range answer.Notes {
		add(fold.ConvertNote(m, n.name, at))
	}
	return out
}

// namesOf maps ids to names: Dixa's answers have only ids.
type namesOf map[string]string

func names(known Known, entries []Entry) namesOf {
	n := namesOf{}
	learn := func(people ...*claim.Person) {
		for _, p := range people {
			if p != nil && p.Name != "" {
				n[p.ID] = p.Name
			}
		}
	}
	learnQueue := func(q *claim.Queue) {
		if q != nil && q.Name != "" {
			n[q.ID] = q.Name
		}
	}
	for _, m := range known.Messages {
		learn(m.Author)
	}
	learn(known.Assignee, known.Requester)
	learnQueue(known.Queue)
	for _, e := range entries {
		learn(e.Author)
		for _, p := range e.Persons {
			learn(&p)
		}
		learnQueue(e.Queue)
	}
	return n
}

func (n namesOf) name(id string) string { return n[id] }

func (n namesOf) person(id string) *claim.Person {
	if id == "" {
		return nil
	}
	return &claim.Person{ID: id, Name: n[id]}
}

func (n namesOf) queue(id string) *claim.Queue {
	if id == "" {
		return nil
	}
	return &claim.Queue{ID: id, Name: n[id]}
}

func same(a, b *claim.Person) bool {
	return a == nil && b == nil || a != nil && b != nil && a.ID == b.ID
}

func sameQueue(a, b *claim.Queue) bool {
	return a == nil && b == nil || a != nil && b != nil && a.ID == b.ID
}
