package mirror

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ratingTolerance is how far apart the times of one answer may be in an event, in the
// activity log and in a list of ratings.
const ratingTolerance = 5 * time.Minute

// Key identifies a rating among those of its conversation: its type and the second in
// which it was created or, if unknown, offered. Exports have no ids, and the questions
// of one survey share theirs. Without either time it is the id.
func (r Rating) Key() string {
	at := cmp.Or(r.CreatedAt, r.OfferedAt)
	if at.IsZero() {
		return r.Type + "#" + r.ID
	}
	return r.Type + "@" + strconv.FormatInt(at.Unix(), 10)
}

// keyed returns the ratings of a list by key. Ratings with the same key are numbered
// in the order of the list: the export and the API can be matched only if they list
// such ratings in the same order.
func keyed(list []Rating) map[string]Rating {
	out := make(map[string]Rating, len(list))
	for _, r := range list {
		key := r.Key()
		for n := 2; ; n++ {
			if _, taken := out[key]; !taken {
				break
			}
			key = r.Key() + "/" + strconv.Itoa(n)
		}
		out[key] = r
	}
	return out
}

// at is the newest time of a rating.
func (r Rating) at() time.Time { return newest(r.CreatedAt, r.OfferedAt, r.RatedAt) }

// KnownRatings returns all ratings of the conversation, oldest first: those of the
// newest complete list, with their ids as far as the API was asked for them, completed
// with what events and the activity log reported since.
//
// Those name neither the rating nor, in the log, its type. They are matched with
// ratings by type, score and time; the first known score counts. Two questions of the same type that are answered
// with the same score within five minutes count as one until the next complete list.
func (c *Conversation) KnownRatings() []Rating {
	var ratings []*Rating
	for _, key := range slices.Sorted(maps.Keys(c.Ratings)) {
		r := c.Ratings[key]
		r.ID, r.AgentID = c.RatingPeople[key].ID, c.RatingPeople[key].AgentID
		ratings = append(ratings, &r)
	}
	ids := slices.SortedFunc(maps.Keys(c.Answers), func(a, b string) int {
		return cmp.Or(c.Answers[a].at().Compare(c.Answers[b].at()), cmp.Compare(c.Answers[a].Status, c.Answers[b].Status), strings.Compare(a, b))
	})
	for _, id := range ids {
		answer := c.Answers[id]
		if r := answered(ratings, answer); r != nil {
			r.complete(answer)
		} else {
			ratings = append(ratings, &answer)
		}
	}
	out := make([]Rating, len(ratings))
	for i, r := range ratings {
		out[i] = *r
	}
	slices.SortStableFunc(out, func(a, b Rating) int {
		return cmp.Or(cmp.Or(a.CreatedAt, a.OfferedAt, a.RatedAt).Compare(cmp.Or(b.CreatedAt, b.OfferedAt, b.RatedAt)), strings.Compare(a.Type, b.Type))
	})
	return out
}

// answered returns the rating that an offer or answer is about; nil if none.
func answered(ratings []*Rating, answer Rating) *Rating {
	var best *Rating
	var closest [2]int64
	for _, r := range ratings {
		if r.Type != "" && answer.Type != "" && r.Type != answer.Type {
			continue
		}
		rank, ok := r.likeness(answer)
		if ok && (best == nil || cmp.Or(cmp.Compare(rank[0], closest[0]), cmp.Compare(rank[1], closest[1])) < 0) {
			best, closest = r, rank
		}
	}
	return best
}

// likeness ranks a rating as the one that an offer or answer is about, best first.
func (r *Rating) likeness(answer Rating) (rank [2]int64, ok bool) {
	offeredAt := cmp.Or(r.OfferedAt, r.CreatedAt)
	switch {
	case answer.RatedAt.IsZero(): // an offer
		apart := answer.OfferedAt.Sub(offeredAt).Abs()
		return [2]int64{0, int64(apart)}, !offeredAt.IsZero() && apart <= ratingTolerance
	case !r.RatedAt.IsZero():
		apart := answer.RatedAt.Sub(r.RatedAt).Abs()
		rank = [2]int64{0, int64(apart)}
		if r.Score != nil && answer.Score != nil && *r.Score != *answer.Score {
			// The customer changed the answer, unless these may be two questions.
			rank[0], ok = 1, r.Type != "" && r.Type == answer.Type
			return rank, ok && apart <= ratingTolerance
		}
		return rank, apart <= ratingTolerance
	case r.Score == nil && !offeredAt.After(answer.RatedAt.Add(ratingTolerance)):
		return [2]int64{2, int64(answer.RatedAt.Sub(offeredAt))}, true
	}
	return rank, false
}

// complete adds what an offer or answer says. It changes nothing that is known.
func (r *Rating) complete(answer Rating) {
	r.Type, r.Comment, r.AgentID = cmp.Or(r.Type, answer.Type), cmp.Or(r.Comment, answer.Comment), cmp.Or(r.AgentID, answer.AgentID)
	r.OfferedAt, r.RatedAt = cmp.Or(r.OfferedAt, answer.OfferedAt), cmp.Or(r.RatedAt, answer.RatedAt)
	if r.Score == nil {
		r.Score = answer.Score
	}
	if !answer.RatedAt.IsZero() {
		r.Status = answer.Status
	}
}
