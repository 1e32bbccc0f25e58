package fold

import (
	"cmp"
	"time"

	"github.com/claimflow/claimflow/claim"
)

// MatchTolerance is how far apart Dixa's times may be in an event and in the activity log
// entry that describe the same occurrence. The contract does not say that they are equal. A sweep reads the
// log further back than that.
const MatchTolerance = 5 * time.Minute

// Similarity measures how closely an activity log entry and an event resemble one
// occurrence. Less is more alike.
type Similarity struct {
	detail, author int
	apart          time.Duration
}

// Compare is negative if l is more alike than other: by what happened, then by who
// did it, then by when.
func (l Similarity) Compare(other Similarity) int {
	return cmp.Or(cmp.Compare(l.detail, other.detail), cmp.Compare(l.author, other.author), cmp.Compare(l.apart, other.apart))
}

// CompareEntries measures how closely two timeline entries of the same kind resemble one
// occurrence. ok is false if they cannot be one: their tags differ, or their times
// are further apart than [MatchTolerance].
func CompareEntries(a, b claim.TimelineEntry) (l Similarity, ok bool) {
	l = Similarity{detail: alike(a.Detail, b.Detail), author: alike(a.By, b.By), apart: a.At.Sub(b.At).Abs()}
	tag := a.What == tagAdded || a.What == tagRemoved
	return l, l.apart <= MatchTolerance && (l.detail < 2 || !tag)
}

// alike is 0 for equal, 1 for unknown and 2 for different.
func alike(a, b string) int {
	switch {
	case a == "" || b == "":
		return 1
	case a == b:
		return 0
	default:
		return 2
	}
}

// BestMatch returns the id of the entry in among that is most like the given one and has
// the same words; empty if none is.
func BestMatch(entry claim.TimelineEntry, among map[string]claim.TimelineEntry) string {
	best, closest := "", Similarity{}
	for id, other := range among {
		if other.What != entry.What {
			continue
		}
		l, ok := CompareEntries(entry, other)
		if !ok {
			continue
		}
		if best == "" || cmp.Or(l.Compare(closest), cmp.Compare(id, best)) < 0 {
			best, closest = id, l
		}
	}
	return best
}
