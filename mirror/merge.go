package mirror

import (
	"cmp"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/claimflow/claimflow/claim"
)

// Apply merges a fact. The same facts give the same conversation, in any order and
// with any repetition. A part keeps its value if the fact is older than the part's
// newest fact. If Dixa anonymized the conversation, its personal parts stay empty.
func (c *Conversation) Apply(f Fact) {
	switch {
	case c.TagsTie(f.Fact):
		for name, info := range f.TagInfo {
			if known, ok := c.TagInfo[name]; !ok || info.compare(known) > 0 {
				c.TagInfo = with(c.TagInfo, name, info)
			}
		}
	case f.Tags != nil && f.Stamp.Compare(c.TagsAt) > 0:
		c.TagInfo = nonEmpty(maps.Clone(f.TagInfo))
	}
	// A fact without a requester says nothing about it, so it needs a stamp of its own.
	followed := f.Fact
	followed.Requester = nil
	closedAt := c.ClosedAt
	c.Conversation.Apply(followed)
	if f.Status == claim.ConversationClosed && f.Reported != nil && !f.Reported.ClosedAt.IsZero() {
		// A row is as new as its newest change, which may be long after the close.
		c.ClosedAt = newest(closedAt, f.Reported.ClosedAt)
	}
	if len(c.Tags) == 0 {
		c.Tags = nil // as it will be loaded
	}
	if f.Requester != nil && f.Stamp.Compare(c.RequesterAt) > 0 {
		requester := *f.Requester
		c.Requester, c.RequesterAt = &requester, f.Stamp
	}
	anonymizedAt := newest(c.Reported.AnonymizedAt, f.AnonymizedAt)
	if f.Reported != nil && f.Stamp.Compare(c.ReportedAt) > 0 {
		c.Reported, c.ReportedAt = *f.Reported, f.Stamp
	}
	c.Reported.AnonymizedAt = newest(anonymizedAt, c.Reported.AnonymizedAt)
	if f.Attributes != nil && f.Stamp.Compare(c.AttributesAt) > 0 {
		c.Attributes, c.AttributesAt = nonEmpty(maps.Clone(f.Attributes)), f.Stamp
	}
	c.applyRatings(f)
	if f.Change != nil {
		c.Changes = with(c.Changes, f.ID, *f.Change)
	}
	if f.LoggedAt.After(c.LoggedAt) {
		c.LoggedAt = f.LoggedAt
	}
	c.Changes = without(c.Changes, func(change StateChange) bool { return !change.At.After(c.LoggedAt) && !onlyEvent(change.Kind) })
	c.applyOrigin(f)
	if !c.Reported.AnonymizedAt.IsZero() {
		c.blank()
	}
}

// compare orders descriptions of one tag that contradict each other, so that the order of
// facts does not matter.
func (t TagInfo) compare(other TagInfo) int {
	return cmp.Or(strings.Compare(t.ID, other.ID), strings.Compare(strconv.FormatBool(t.Deactivated), strconv.FormatBool(other.Deactivated)))
}

// onlyEvent reports whether the activity log has no entries of a kind.
func onlyEvent(kind string) bool { return kind == slaAchieved || kind == slaBreached }

func (c *Conversation) applyRatings(f Fact) {
	if f.Ratings != nil && f.Stamp.Compare(c.RatingsAt) > 0 {
		c.Ratings, c.RatingsAt = nil, f.Stamp
		for key, r := range keyed(f.Ratings) {
			r.ID, r.AgentID = "", ""
			c.Ratings = with(c.Ratings, key, r)
		}
	}
	if f.RatingPeople && f.Stamp.Compare(c.RatingPeopleAt) > 0 {
		c.RatingPeople, c.RatingPeopleAt = nil, f.Stamp
		for key, r := range keyed(f.Ratings) {
			c.RatingPeople = with(c.RatingPeople, key, RatingPerson{ID: r.ID, AgentID: r.AgentID})
		}
	}
	if f.Answer != nil {
		c.Answers = with(c.Answers, f.ID, *f.Answer)
	}
	c.Answers = without(c.Answers, func(r Rating) bool { return !r.at().After(c.RatingsAt.At) })
}

// blank removes personal data. The stamps of the parts stay, so that nothing older
// comes back; newer parts are removed again.
func (c *Conversation) blank() {
	c.Requester, c.Attributes = nil, nil
	if c.Rating != nil {
		c.Rating = &claim.Rating{Score: c.Rating.Score, At: c.Rating.At}
	}
	c.Comment = ""
	for _, ratings := range []*map[string]Rating{&c.Ratings, &c.Answers} {
		for key, r := range *ratings {
			if r.Comment != "" {
				r.Comment = ""
				*ratings = with(*ratings, key, r)
			}
		}
	}
}

// originPart is a part of [Origin] with a stamp of its own.
type originPart struct {
	name     string
	personal bool
	text     func(o *Origin) *string
}

var originParts = []originPart{
	{"channel", false, func(o *Origin) *string { return &o.Channel }},
	{"direction", false, func(o *Origin) *string { return &o.Direction }},
	{"contact_point", false, func(o *Origin) *string { return &o.ContactPoint }},
	{"subject", true, func(o *Origin) *string { return &o.Subject }},
	{"language", false, func(o *Origin) *string { return &o.Language }},
	{"email", true, func(o *Origin) *string { return &o.Email }},
	{"phone", true, func(o *Origin) *string { return &o.Phone }},
}

const originCreatedAt = "created_at"

// applyOrigin merges the origin part by part. An empty part says nothing.
func (c *Conversation) applyOrigin(f Fact) {
	if f.Origin == nil && c.Reported.AnonymizedAt.IsZero() {
		return
	}
	from := Origin{}
	if f.Origin != nil {
		from = *f.Origin
	}
	stamps := make([]claim.Stamp, len(originParts)+1)
	for i, part := range originParts {
		now := part.text(&c.Origin)
		if *now != "" {
			stamps[i] = c.originStamp(part.name)
		}
		if text := *part.text(&from); text != "" && f.Stamp.Compare(stamps[i]) > 0 {
			*now, stamps[i] = text, f.Stamp
		}
		if part.personal && !c.Reported.AnonymizedAt.IsZero() {
			*now, stamps[i] = "", claim.Stamp{}
		}
	}
	created := &stamps[len(originParts)]
	if !c.Origin.CreatedAt.IsZero() {
		*created = c.originStamp(originCreatedAt)
	}
	if !from.CreatedAt.IsZero() && createdRank(f.Stamp, *created) {
		c.Origin.CreatedAt, *created = from.CreatedAt, f.Stamp
	}
	c.storeOriginStamps(stamps)
}

// createdRank reports whether a creation time replaces another: one that Dixa was
// asked for outranks those of events, then the newest wins.
func createdRank(stamp, known claim.Stamp) bool {
	asked, knownAsked := stamp.Weight == claim.WeightRefreshed, known.Weight == claim.WeightRefreshed
	if asked != knownAsked {
		return asked
	}
	return stamp.Compare(known) > 0
}

func (c *Conversation) originStamp(part string) claim.Stamp {
	if s, ok := c.OriginParts[part]; ok {
		return s
	}
	return c.OriginAt
}

func (c *Conversation) storeOriginStamps(stamps []claim.Stamp) {
	c.OriginAt = slices.MaxFunc(stamps, claim.Stamp.Compare)
	older := map[string]claim.Stamp{}
	for i, s := range stamps {
		name := originCreatedAt
		if i < len(originParts) {
			name = originParts[i].name
		}
		if s != (claim.Stamp{}) && s.Compare(c.OriginAt) != 0 {
			older[name] = s
		}
	}
	c.OriginParts = nonEmpty(older)
}

// stamps are the stamps of all parts that facts read from Dixa contend for.
func (c *Conversation) stamps() []*claim.Stamp {
	return []*claim.Stamp{
		&c.StatusAt, &c.PeopleAt, &c.TagsAt, &c.RatingAt, &c.CommentAt, &c.OriginAt, &c.RequesterAt, &c.ReportedAt, &c.RatingsAt,
		&c.RatingPeopleAt, &c.AttributesAt,
	}
}

// Equal reports whether both are the same, apart from LoggedAt and which of several reads
// with the same times found it. Then the other need not be stored: a repeated import
// stores nothing.
func (c Conversation) Equal(other Conversation) bool {
	a, b := c.withoutReads(), other.withoutReads()
	return reflect.DeepEqual(a, b)
}

// withoutReads removes the ids of stamps, and what distinguishes equal values for
// reflection: locations of times, and empty from nil.
func (c Conversation) withoutReads() Conversation {
	for _, s := range c.stamps() {
		*s = claim.Stamp{At: s.At.UTC(), Weight: s.Weight}
	}
	c.DoubtAt, c.ClosedAt, c.OpenAt, c.LoggedAt = c.DoubtAt.UTC(), c.ClosedAt.UTC(), c.OpenAt.UTC(), time.Time{}
	c.Origin.CreatedAt = c.Origin.CreatedAt.UTC()
	r := &c.Reported
	for _, t := range []*time.Time{&r.UpdatedAt, &r.QueuedAt, &r.AssignedAt, &r.ClosedAt, &r.LastMessageAt, &r.AnonymizedAt} {
		*t = t.UTC()
	}
	if c.Rating != nil {
		rating := *c.Rating
		rating.At = rating.At.UTC()
		c.Rating = &rating
	}
	c.Tags = slices.DeleteFunc(slices.Clone(c.Tags), func(s string) bool { return s == "" })
	if len(c.Tags) == 0 {
		c.Tags = nil
	}
	c.TagInfo, c.Attributes, c.RatingPeople = nonEmpty(c.TagInfo), nonEmpty(c.Attributes), nonEmpty(c.RatingPeople)
	c.Ratings, c.Answers = utcRatings(c.Ratings), utcRatings(c.Answers)
	changes := maps.Clone(c.Changes)
	for id, change := range changes {
		change.At = change.At.UTC()
		changes[id] = change
	}
	c.Changes = nonEmpty(changes)
	parts := maps.Clone(c.OriginParts)
	for part, s := range parts {
		parts[part] = claim.Stamp{At: s.At.UTC(), Weight: s.Weight}
	}
	c.OriginParts = nonEmpty(parts)
	return c
}

func utcRatings(ratings map[string]Rating) map[string]Rating {
	out := map[string]Rating{}
	for key, r := range ratings {
		r.CreatedAt, r.OfferedAt, r.RatedAt = r.CreatedAt.UTC(), r.OfferedAt.UTC(), r.RatedAt.UTC()
		out[key] = r
	}
	return nonEmpty(out)
}

// with returns a copy of a map with one more entry. Conversations are copied by
// value, so their maps must not change.
func with[V any](m map[string]V, key string, value V) map[string]V {
	out := make(map[string]V, len(m)+1)
	maps.Copy(out, m)
	out[key] = value
	return out
}

// without returns a map without some entries; nil if none is left.
func without[V any](m map[string]V, remove func(V) bool) map[string]V {
	var out map[string]V
	for key, value := range m {
		if !remove(value) {
			continue
		}
		if out == nil {
			out = maps.Clone(m)
		}
		delete(out, key)
	}
	if out == nil {
		out = m
	}
	return nonEmpty(out)
}

func nonEmpty[V any](m map[string]V) map[string]V {
	if len(m) == 0 {
		return nil
	}
	return m
}
