package activities_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/activities"
	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/emulator/server"
)

// story returns a text of numbered words.
func story(words int) string {
	var b strings.Builder
	for i := range words {
		fmt.Fprintf(&b, "wörd-%d ", i)
		if i%40 == 39 {
			b.WriteString("\n\n")
		}
	}
	return strings.TrimSpace(b.String())
}

var storyWord = regexp.MustCompile(`wörd-\d+`)

// requireStory checks that texts contain the whole story once and in order.
func requireStory(t *testing.T, words int, texts ...string) {
	t.Helper()
	require.Equal(t, storyWord.FindAllString(story(words), -1), storyWord.FindAllString(strings.Join(texts, "\n"), -1))
}

func texts(messages []*server.Message) []string {
	out := make([]string, len(messages))
	for i, m := range messages {
		out[i] = m.Content.Value
	}
	return out
}

// Dixa does not document its limits on files and text length. Neither limit parks a
// claim, and each piece is sent once.
func TestRejectedMessageIsSplit(t *testing.T) {
	t.Parallel()
	const words = 2200 // about 22,000 bytes
	for name, test := range map[string]struct {
		switches server.Switches
		outbound bool
	}{
		"at most two files":              {switches: server.Switches{MaxAttachments: 2}},
		"at most 8,000 bytes":            {switches: server.Switches{MaxTextBytes: 8000}},
		"at most 2,000 bytes":            {switches: server.Switches{MaxTextBytes: 2000}},
		"at most 600 bytes and one file": {switches: server.Switches{MaxTextBytes: 600, MaxAttachments: 1}},
		"outbound":                       {switches: server.Switches{MaxTextBytes: 2000, MaxAttachments: 1}, outbound: true},
	} {
		for _, reading := range readings {
			t.Run(name+", "+reading, func(t *testing.T) {
				t.Parallel()
				test.switches.ExternalID = reading
				layer := map[string]any{}
				if test.outbound {
					layer = map[string]any{"opening": "outbound", "default_agent_id": server.SeedAgentAnna}
				}
				b := setup(t, test.switches, layer)
				c := b.sample("c-1")
				c.Description = story(words)
				ref := b.accept(c)
				b.dixa.Inject(server.Fault{Operation: "POST /conversations", Kind: server.FaultDropAfter, Times: 1, Containing: "externalId"})
				made, err := b.open(ref)
				if err != nil { // the response to a successful create was lost
					require.Equal(t, claim.ErrorAmbiguous, failure(t, err).Type())
					made, err = b.open(ref)
				}
				require.NoError(t, err)
				require.Equal(t, 3, made.Attached)

				lost := server.Fault{Operation: "POST /conversations/{conversationId}/messages", Kind: server.FaultDropAfter, Times: 1}
				b.dixa.Inject(lost)
				_, err = b.complete(steps.SendSeparately, ref)
				require.Equal(t, claim.ErrorAmbiguous, failure(t, err).Type())
				sent, err := b.complete(steps.SendSeparately, ref)
				require.NoError(t, err)
				require.Equal(t, activities.Completed{Attached: 3}, sent)

				lost.Operation = "POST /conversations/{conversationId}/notes"
				b.dixa.Inject(lost)
				require.Error(t, runVoid(b, steps.AddNote, ref))
				require.NoError(t, runVoid(b, steps.AddNote, ref))

				opened, _ := b.conversation()
				requireStory(t, words, texts(opened.Messages)...)
				files := map[string]int{}
				for _, m := range opened.Messages {
					for _, f := range m.Attachments {
						files[f.PrettyName]++
					}
					if test.outbound {
						require.Equal(t, server.SeedAgentAnna, m.AuthorID)
					}
				}
				require.Len(t, files, 3)
				for name, n := range files {
					require.Equal(t, 1, n, name)
				}
				sum := 0
				for _, n := range opened.Notes {
					sum += strings.Count(n.Text, "Claimflow "+ref.Reference())
				}
				require.Equal(t, len(opened.Notes), sum, "each note must be signed once")
			})
		}
	}
}

func TestRejectedPartIsListedInNote(t *testing.T) {
	t.Parallel()
	b := setup(t, server.Switches{MaxTextBytes: 2000}, nil)
	c := b.sample("c-1")
	c.Description = story(500)
	ref := b.accept(c)
	_, err := b.open(ref)
	require.NoError(t, err)
	b.dixa.Inject(server.Fault{
		Operation: "POST /conversations/{conversationId}/messages", Kind: server.FaultStatus, Status: 400,
		Body: `{"message":"Invalid input for Message"}`, Containing: "wörd-300 ",
	})
	_, err = b.complete(steps.SendSeparately, ref)
	require.NoError(t, err)
	require.NoError(t, runVoid(b, steps.AddNote, ref))
	opened, _ := b.conversation()
	require.Contains(t, strings.Join(texts(opened.Messages), "\n"), "wörd-499")
	require.Regexp(t, `Missing from the customer's text in this conversation: part \d of \d \(rejected by Dixa\)`, opened.Notes[0].Text)
}

func TestTextIsLimitedToSixtyParts(t *testing.T) {
	t.Parallel()
	b := setup(t, server.Switches{MaxTextBytes: 600}, nil)
	c := b.sample("c-1")
	c.Description = strings.Repeat("ü", 20_000) // has no break point
	ref := b.accept(c)
	_, err := b.open(ref)
	require.NoError(t, err)
	_, err = b.complete(steps.SendSeparately, ref)
	require.NoError(t, err)
	require.NoError(t, runVoid(b, steps.AddNote, ref))
	opened, _ := b.conversation()
	require.Len(t, opened.Messages, 60+3)
	require.NotContains(t, strings.Join(texts(opened.Messages), ""), "\uFFFD")
	require.Regexp(t, `the last \d+ bytes \(too long\)`, opened.Notes[0].Text)
}

func TestRejectedCustomerMessageIsSplit(t *testing.T) {
	t.Parallel()
	for _, reading := range readings {
		t.Run(reading, func(t *testing.T) {
			t.Parallel()
			b := setup(t, server.Switches{ExternalID: reading, MaxTextBytes: 2000, MaxAttachments: 1}, nil)
			ref := b.opened("c-1")
			before := len(b.conversations()[0].Messages)
			b.dixa.Inject(server.Fault{Operation: "POST /conversations/{conversationId}/messages", Kind: server.FaultDropAfter, Times: 1, Containing: " 2/"})
			b.patch(ref, fmt.Sprintf(`{"description": %q, "image_urls": [%q, %q, %q]}`, story(700), b.photos.URL+"/b", b.photos.URL+"/c", b.photos.URL+"/d"))
			b.carryOut(ref)
			c, _ := b.conversation()
			added := c.Messages[before:]
			requireStory(t, 700, texts(added)...)
			names := []string{}
			for _, m := range added {
				for _, f := range m.Attachments {
					names = append(names, f.PrettyName)
				}
			}
			require.Len(t, names, 2)
			require.NotEqual(t, names[0], names[1])
		})
	}
}

func TestRejectedNoteIsSplit(t *testing.T) {
	t.Parallel()
	b := setup(t, server.Switches{MaxTextBytes: 2000}, nil)
	c := b.sample("c-1")
	ref := b.accept(c)
	_, err := b.open(ref)
	require.NoError(t, err)
	b.sync(activities.StatusChange{Ref: ref, Event: claim.EventOpened})
	b.dixa.Inject(server.Fault{Operation: "POST /conversations/{conversationId}/notes", Kind: server.FaultDropAfter, Times: 1, Containing: " 2/"})
	b.ask(ref, "n-1", claim.InstructNote, claim.NoteBody{Text: story(900)})
	b.carryOut(ref)
	opened, _ := b.conversation()
	var notes []string
	for _, n := range opened.Notes {
		notes = append(notes, n.Text)
	}
	require.Greater(t, len(notes), 4)
	requireStory(t, 900, notes...)
	in := b.instruction(ref, "n-1")
	require.Equal(t, claim.InstructionDone, in.State)
	require.Contains(t, string(in.Result), opened.Notes[0].ID)
}
