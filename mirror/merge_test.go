package mirror_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/mirror"
)

func at(minute int, source mirror.Source, text string) mirror.Message {
	m := mirror.Message{Message: claim.Message{ID: "m-1", Kind: claim.MessageKind, Text: text}, Version: mirror.Version{Source: source, ReadAt: nine.Add(time.Duration(minute) * time.Minute)}}
	m.Listed = source == mirror.FromList
	if text == "" && source != mirror.FromEvent {
		m.BlankAt = m.ReadAt
	}
	return m
}

func TestMergeMessages(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		messages []mirror.Message
		text     string
		redacted bool
	}{
		"higher source":                   {[]mirror.Message{at(1, mirror.FromList, "list"), at(2, mirror.FromExport, "export"), at(3, mirror.FromEvent, "event")}, "list", false},
		"later read":                      {[]mirror.Message{at(1, mirror.FromList, "old"), at(2, mirror.FromList, "new")}, "new", false},
		"redacted in the list":            {[]mirror.Message{at(1, mirror.FromEvent, "event"), at(2, mirror.FromList, "")}, "", true},
		"redacted in the export":          {[]mirror.Message{at(1, mirror.FromList, "list"), at(2, mirror.FromExport, "")}, "", true},
		"never had text":                  {[]mirror.Message{at(1, mirror.FromList, ""), at(2, mirror.FromExport, "")}, "", false},
		"text after all":                  {[]mirror.Message{at(1, mirror.FromEvent, "event"), at(2, mirror.FromExport, ""), at(3, mirror.FromList, "list")}, "list", false},
		"an event of a redacted message":  {[]mirror.Message{at(2, mirror.FromList, ""), at(1, mirror.FromEvent, "event")}, "", true},
		"a lower source does not restore": {[]mirror.Message{at(1, mirror.FromList, "list"), at(2, mirror.FromList, ""), at(3, mirror.FromExport, "export")}, "", true},
	} {
		merged := test.messages[0]
		for _, m := range test.messages[1:] {
			merged = mirror.MergeMessages(merged, m)
		}
		require.Equal(t, test.text, merged.Text, name)
		require.Equal(t, test.redacted, merged.Redacted, name)
	}
}

// What only one source has is kept.
func TestMergeKeepsWhatOneSourceHas(t *testing.T) {
	t.Parallel()
	event, export, list := at(1, mirror.FromEvent, "event"), at(2, mirror.FromExport, "export"), at(3, mirror.FromList, "list")
	event.Author, event.AuthorEmail, event.ExternalID, event.Channel = &claim.Person{ID: "a-0", Name: "Old name"}, "old@shop.example", "cf-1", "Sms"
	export.Author, export.AuthorEmail, export.Channel = &claim.Person{Name: "Anna"}, "anna@shop.example", "Email"
	export.Automated, export.AutomatedKnown = true, true
	list.Author, list.From, list.To = &claim.Person{ID: "a-1"}, "shop@email.dixa.io", []string{"ada@customer.example"}
	m := mirror.MergeMessages(mirror.MergeMessages(list, event), export)
	require.Equal(t, &claim.Person{ID: "a-1", Name: "Anna"}, m.Author)
	require.Equal(t, "anna@shop.example", m.AuthorEmail)
	require.Equal(t, "cf-1", m.ExternalID)
	require.Equal(t, "Email", m.Channel)
	require.True(t, m.Automated)
	require.Equal(t, []string{"ada@customer.example"}, m.To)
	require.True(t, m.Listed)

	again := export
	again.ReadAt = nine.Add(time.Hour)
	require.True(t, m.Equal(mirror.MergeMessages(m, again)), "a repeated read is news")
	again.Author = &claim.Person{Name: "Anna B."}
	require.False(t, m.Equal(mirror.MergeMessages(m, again)))

	blank := m.Anonymized()
	require.Equal(t, &claim.Person{ID: "a-1"}, blank.Author)
	require.Empty(t, blank.Text+blank.AuthorEmail+blank.From)
	require.Equal(t, blank, mirror.MergeMessages(blank, event).Anonymized())
	require.NotEmpty(t, m.Parts, "the original changed")
}

// Any reads, also such as contradict each other, merge to the same message in any
// grouping.
func TestMergeOfMessagesIsIndependentOfOrder(t *testing.T) {
	t.Parallel()
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 3))
		pick := func(values ...string) string { return values[r.IntN(len(values))] }
		var all []mirror.Message
		for range 2 + r.IntN(5) {
			m := at(r.IntN(4), mirror.Source(r.IntN(3)), pick("", "a", "b"))
			m.Direction, m.Channel, m.ExternalID, m.AuthorEmail, m.From = pick("", "inbound", "outbound"), pick("", "Email"), pick("", "x", "y"), pick("", "e"), pick("", "f")
			if id, name := pick("", "a-1"), pick("", "Anna", "Ben"); id+name != "" {
				m.Author = &claim.Person{ID: id, Name: name}
			}
			m.AutomatedKnown = r.IntN(2) == 0
			m.Automated = m.AutomatedKnown && r.IntN(2) == 0
			if file := pick("", "1", "2"); file != "" {
				m.Attachments = []claim.MessageAttachment{{ID: file}}
			}
			all = append(all, m)
		}
		want := all[0]
		for _, m := range all {
			want = mirror.MergeMessages(want, m)
		}
		for range 10 {
			parts := make([]mirror.Message, 0, len(all))
			for _, i := range r.Perm(len(all)) {
				parts = append(parts, all[i])
			}
			for len(parts) > 1 { // merge any two
				i := r.IntN(len(parts) - 1)
				merged := mirror.MergeMessages(parts[i], parts[i+1])
				require.Equal(t, merged, mirror.MergeMessages(merged, parts[i]), fmt.Sprint(seed))
				parts = append(append(parts[:i:i], merged), parts[i+2:]...)
			}
			require.Equal(t, want, parts[0], "seed %d", seed)
		}
	}
}

func TestOriginIsMergedByPart(t *testing.T) {
	t.Parallel()
	origin := func(minute int, weight claim.Weight, o mirror.Origin) mirror.Fact {
		return mirror.Fact{Fact: claim.Fact{Stamp: claim.Stamp{At: nine.Add(time.Duration(minute) * time.Minute), Weight: weight, ID: fmt.Sprint("e-", minute)}}, Origin: &o}
	}
	facts := []mirror.Fact{
		origin(1, claim.WeightRefreshed, mirror.Origin{CreatedAt: nine, Subject: "first", Email: "old@x.example", Language: "en"}),
		origin(2, claim.WeightSnapshot, mirror.Origin{CreatedAt: nine.Add(time.Second), Email: "new@x.example"}),
		origin(3, claim.WeightSnapshot, mirror.Origin{Subject: "third", Channel: "Email"}),
	}
	want := mirror.Origin{CreatedAt: nine, Subject: "third", Email: "new@x.example", Language: "en", Channel: "Email"}
	for _, order := range [][]int{{0, 1, 2}, {2, 1, 0}, {1, 2, 0}, {2, 0, 1, 0, 2}} {
		var c mirror.Conversation
		for _, i := range order {
			c.Apply(facts[i])
		}
		require.Equal(t, want, c.Origin, order)
	}
}

// The number of notes is that of the newest export row, also if it is lower.
func TestReportedNotesAreThoseOfTheNewestRow(t *testing.T) {
	t.Parallel()
	row := func(hour, notes int) mirror.Fact {
		return mirror.ConversationFromExport(&dixa.ExportedConversation{
			ID: 1, UpdatedAt: dixa.NewTime(nine.Add(time.Duration(hour) * time.Hour)), WrapupNotes: make([]string, notes),
		}, nine.Add(24*time.Hour))
	}
	facts := []mirror.Fact{row(1, 2), row(2, 3), row(3, 1), {Fact: claim.Fact{Stamp: claim.Stamp{At: nine.Add(4 * time.Hour)}, Tags: []string{"a"}}}}
	for _, order := range [][]int{{0, 1, 2, 3}, {3, 2, 1, 0}, {1, 2, 0, 3, 1}} {
		var c mirror.Conversation
		for _, i := range order {
			c.Apply(facts[i])
		}
		require.Equal(t, 1, c.Reported.Notes, order)
		other := c
		other.Reported.Notes++
		require.False(t, c.Equal(other))
	}
}

// A copy of a conversation does not change with the original.
func TestConversationsShareNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 5)
	var c mirror.Conversation
	for _, n := range append(w.told, w.read(w.now)...) {
		for _, f := range n.facts {
			before := c
			encoded, err := json.Marshal(before)
			require.NoError(t, err)
			c.Apply(f)
			after, err := json.Marshal(before)
			require.NoError(t, err)
			require.JSONEq(t, string(encoded), string(after))
		}
	}
}

// A tag or rating after the close does not make the close later.
func TestExportTellsWhenTheConversationClosed(t *testing.T) {
	t.Parallel()
	closed := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	row := &dixa.ExportedConversation{
		ID: 1, CreatedAt: dixa.NewTime(closed.Add(-time.Hour)), ClosedAt: dixa.NewTime(closed), UpdatedAt: dixa.NewTime(closed.AddDate(0, 0, 3)), Status: "closed",
	}
	var c mirror.Conversation
	c.Apply(mirror.ConversationFromExport(row, closed.AddDate(0, 0, 4)))
	require.Equal(t, closed, c.ClosedSince().UTC())
}
