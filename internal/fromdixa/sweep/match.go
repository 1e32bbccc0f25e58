package sweep

import (
	"cmp"
	"slices"
	"time"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/internal/fromdixa/fold"
)

// Received is a received event.
type Received struct {
	ID   string
	Name dixa.EventName
	// Timeline is its content, with its time by Dixa's clock.
	Timeline claim.TimelineEntry
}

// MatchResult is what the log has and the events lack.
type MatchResult struct {
	// Missing are entries that the timeline lacks.
	Missing []Entry
	// Seen are the ids of the events that were compared with them.
	Seen []string
	// Parts are what may have changed without an event.
	Parts Parts
}

// Match compares the log entries of a conversation with its received events. Their
// ids have nothing in common, so each event matches one entry of its kind: the most
// alike pair first, see [fold.CompareEntries]. If two closes are logged and only one
// event arrived, one is reported as missing; which one does not matter.
func Match(entries []Entry, received []Received) MatchResult {
	matched := pair(entries, received)
	var v MatchResult
	for i, e := range entries {
		k := kindOf(e.Type)
		switch {
		case matched[i], e.Reported, k.companion && coveredByOther(i, entries, received):
		case k.what != "" && !k.companion:
			v.Missing = append(v.Missing, e)
			v.Parts |= k.parts
			for _, r := range received {
				if slices.Contains(k.events, r.Name) && !slices.Contains(v.Seen, r.ID) {
					v.Seen = append(v.Seen, r.ID)
				}
			}
		default:
			v.Parts |= k.parts
		}
	}
	return v
}

// pair returns the entries that have an event of their own.
func pair(entries []Entry, received []Received) map[int]bool {
	type couple struct {
		entry, event, rank int
		likeness           fold.Similarity
	}
	var couples []couple
	for i, e := range entries {
		k := kindOf(e.Type)
		if k.companion {
			continue
		}
		for j, r := range received {
			rank := slices.Index(k.events, r.Name)
			if l, ok := fold.CompareEntries(e.timeline(), r.Timeline); rank >= 0 && ok {
				couples = append(couples, couple{i, j, rank, l})
			}
		}
	}
	slices.SortFunc(couples, func(a, b couple) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), a.likeness.Compare(b.likeness), cmp.Compare(a.entry, b.entry), cmp.Compare(a.event, b.event))
	})
	matched, used := map[int]bool{}, map[int]bool{}
	for _, c := range couples {
		if !matched[c.entry] && !used[c.event] {
			matched[c.entry], used[c.event] = true, true
		}
	}
	return matched
}

// coveredByOther reports whether a companion's event arrived, or whether the entry that
// stands for it exists and can be reported missing.
func coveredByOther(i int, entries []Entry, received []Received) bool {
	name, at := kindOf(entries[i].Type).events[0], entries[i].At
	near := func(t time.Time) bool { return t.Sub(at).Abs() <= fold.MatchTolerance }
	return slices.ContainsFunc(received, func(r Received) bool { return r.Name == name && near(r.Timeline.At) }) ||
		slices.ContainsFunc(entries, func(e Entry) bool {
			k := kindOf(e.Type)
			return !k.companion && slices.Contains(k.events, name) && near(e.At)
		})
}

// Contradicts reports whether the newest entry about the status says something else
// than the known status, which is older. Then a change was missed, whichever events
// the entries were matched with.
func Contradicts(entries []Entry, known claim.Conversation) bool {
	var newest Entry
	var said claim.ConversationStatus
	for _, e := range entries {
		status, ok := statuses[e.Type]
		if ok && !e.At.Before(newest.At) {
			newest, said = e, status
		}
	}
	return said != "" && newest.At.After(known.StatusAt.At) && said != known.Status
}

// statuses are the statuses that entries leave a conversation in.
var statuses = map[string]claim.ConversationStatus{
	"ConversationReopened": claim.ConversationOpen,
	"ConversationPending":  claim.ConversationPending,
	"ConversationClosed":   claim.ConversationClosed,
}

// TiedParts are the parts that events of the same time wrote last. Each event shows the
// conversation mid-change, and their order is unknown.
func TiedParts(entries []Entry, known claim.Conversation) Parts {
	var tied Parts
	for part, stamp := range map[Parts]claim.Stamp{Conversation: known.PeopleAt, Tags: known.TagsAt} {
		if stamp.Weight < claim.WeightRefreshed && eventsAt(stamp.At, part, entries) > 1 {
			tied |= part
		}
	}
	return tied
}

// eventsAt counts the events about a part that the entries at a time stand for.
func eventsAt(at time.Time, part Parts, entries []Entry) int {
	n := 0
	seen := map[dixa.EventName]bool{}
	var beside []dixa.EventName
	for _, e := range entries {
		k := kindOf(e.Type)
		if len(k.events) == 0 || !k.parts.Has(part) || !e.At.Equal(at) {
			continue
		}
		if k.companion {
			beside = append(beside, k.events[0])
			continue
		}
		seen[k.events[0]] = true
		n++
	}
	for _, name := range beside {
		if !seen[name] {
			seen[name] = true
			n++
		}
	}
	return n
}
