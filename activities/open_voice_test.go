package activities_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/emulator/server"
	"github.com/claimflow/claimflow/templates"
)

// A claim whose conversation opens with the agent's message mails nothing internal to the
// customer, in one message or in parts, and nothing that is written as if by the customer.
// The note has what agents need.
func TestAgentsMessageIsForTheCustomer(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		switches server.Switches
		own      *templates.Source
		want     []string
	}{
		"standard text": {want: []string{"Hello Anna", "You wrote:", "The mug is broken.", "1 × Mug", "Kind regards", "Acme"}},
		"in parts":      {switches: server.Switches{MaxTextBytes: 600, MaxAttachments: 1}, want: []string{"Hello Anna", "Kind regards"}},
		"own text as if by the customer": {
			own: &templates.Source{Subject: "I am angry", Body: "I broke my mug", Note: "Note for {{.Internal.ClaimID}}"}, want: []string{"Hello Anna", "You wrote:"},
		},
		"own text of the agent": {
			own:  &templates.Source{Voice: claim.VoiceAgent, Body: "Dear {{.Customer.FirstName}}, sorry. {{.OtherClaimsLine}}", Note: "Note for {{.Internal.ClaimID}}"},
			want: []string{"Dear Anna, sorry."},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, test.switches, map[string]any{"opening": "outbound", "default_agent_id": server.SeedAgentAnna})
			if test.own != nil {
				doc, err := json.Marshal(test.own)
				require.NoError(t, err)
				require.NoError(t, b.store.Templates.Put(t.Context(), shop, "damaged", "en", doc))
			}
			other := b.sample("internal-number-1")
			_, err := b.store.Claims.Accept(t.Context(), other)
			require.NoError(t, err)
			c := b.sample("c-1")
			c.ImageURLs = append(c.ImageURLs, b.photos.URL+"/gone/lost.jpg")
			ref := b.accept(c)
			_, err = b.open(ref)
			require.NoError(t, err)
			_, err = b.complete(steps.SendSeparately, ref)
			require.NoError(t, err)
			require.NoError(t, runVoid(b, steps.AddNote, ref))

			opened, _ := b.conversation()
			mailed := opened.Subject + "\n" + strings.Join(texts(opened.Messages), "\n")
			for _, m := range opened.Messages {
				require.Equal(t, server.SeedAgentAnna, m.AuthorID)
			}
			for _, want := range test.want {
				require.Contains(t, mailed, want)
			}
			for _, internal := range []string{"Other claims", "internal-number-1", "lost.jpg", http.StatusText(http.StatusNotFound), "Note for", "Not attached", "I am angry", "I broke", "Something in my order"} {
				require.NotContains(t, mailed, internal)
			}
			var notes strings.Builder
			for _, n := range opened.Notes {
				notes.WriteString(n.Text)
			}
			require.Equal(t, 1, strings.Count(notes.String(), "Other claims about this order: internal-number-1"))
			require.Contains(t, notes.String(), "Not attached:")
			if test.own != nil {
				require.Contains(t, notes.String(), "Note for c-1", "a note has no voice")
			}
		})
	}
}
