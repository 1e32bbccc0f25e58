package templates_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/templates"
)

// minimal returns a claim with only the required data.
func minimal() *claim.Claim {
	return &claim.Claim{ID: "m-1", Shop: "sample", Reason: "x", Customer: claim.Customer{Email: "guest@example.com"}}
}

func TestDefaultTemplates(t *testing.T) {
	t.Parallel()
	others := []claim.OtherClaim{{ID: "m-1", State: claim.StateOpen, ConversationID: 4711}, {ID: "m-2", State: claim.StateOpening}}
	for voice, folder := range map[claim.Voice]string{claim.VoiceCustomer: "", claim.VoiceAgent: "agent"} {
		for _, language := range templates.DefaultLanguages() {
			for _, flow := range claim.Flows() {
				full := templates.Samples()[0]
				full.Flow = flow
				bare := minimal()
				bare.Reason = flow
				for name, c := range map[string]*claim.Claim{"full": full, "minimal": bare} {
					t.Run(string(voice)+"/"+language+"/"+flow+"/"+name, func(t *testing.T) {
						t.Parallel()
						source, ok := templates.Default(flow, language, voice)
						require.True(t, ok, "every flow has a default template in each voice")
						template, err := templates.Compile(source)
						require.NoError(t, err)
						in := templates.ViewInput{ShopName: "Sample Shop", Language: language}
						if name == "full" {
							in.OtherClaims = others
						}
						view := templates.NewView(c, in)
						ticket, err := template.Render(view)
						require.NoError(t, err)
						if voice == claim.VoiceAgent {
							require.Equal(t, view.OtherClaimsLine, ticket.Note, "only agents see the other claims")
							require.NotContains(t, ticket.Body+ticket.Subject, "4711")
							require.NotContains(t, ticket.Body+ticket.Subject, "m-2")
						} else {
							require.Empty(t, ticket.Note, "the note costs a request")
						}
						require.NotContains(t, ticket.Body+ticket.Subject, "12.50", "net prices are internal")
						require.NotContains(t, ticket.Body+ticket.Subject, "44.90", "the order's total is internal")
						require.Contains(t, ticket.Body, claim.Ref{Shop: c.Shop, ID: c.ID}.Reference())
						templates.RequireGolden(t, filepath.Join("testdata", "golden", folder, language, flow+"."+name+".txt"), spell(ticket))
					})
				}
			}
		}
	}
}

func spell(ticket templates.Ticket) string {
	text := fmt.Sprintf("Subject: %s\nTags: %s\nEvidence: %s\nFormat: %s\n\n%s\n", ticket.Subject,
		strings.Join(ticket.Tags, ", "), strings.Join(ticket.Evidence, ", "), ticket.Format, ticket.Body)
	if ticket.Note != "" {
		text += "\nNote:\n" + ticket.Note + "\n"
	}
	return text
}

func TestDefaultTemplatesPassCheck(t *testing.T) {
	t.Parallel()
	for _, voice := range []claim.Voice{claim.VoiceCustomer, claim.VoiceAgent} {
		for _, language := range templates.DefaultLanguages() {
			for _, flow := range claim.Flows() {
				source, _ := templates.Default(flow, language, voice)
				require.NoError(t, templates.Check(source), "%s/%s/%s", voice, language, flow)
			}
		}
	}
}

func TestSubjectOmitsMissingParts(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		order, preference, want string
	}{
		"all":           {"10001", "refund", "#10001 · Damaged · refund"},
		"own hash":      {"#10001", "refund", "#10001 · Damaged · refund"},
		"no order":      {"", "refund", "Damaged · refund"},
		"no preference": {"10001", "", "#10001 · Damaged"},
		"wants nothing": {"10001", "none", "#10001 · Damaged"},
		"nothing":       {"", "", "Damaged"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := minimal()
			c.Reason, c.Order.Number, c.Preference = "damaged", test.order, test.preference
			for _, subject := range []string{"", defaultOf(t, "en").Subject} {
				source := defaultOf(t, "en")
				source.Subject = subject
				require.Equal(t, test.want, render(t, source, c).Subject)
			}
		})
	}
}

func defaultOf(t *testing.T, language string) templates.Source {
	t.Helper()
	source, ok := templates.Default(claim.FlowGeneral, language, claim.VoiceCustomer)
	require.True(t, ok)
	return source
}

// render renders the claim's English ticket with the template.
func render(t *testing.T, source templates.Source, c *claim.Claim) templates.Ticket {
	t.Helper()
	template, err := templates.Compile(source)
	require.NoError(t, err)
	ticket, err := template.Render(templates.NewView(c, templates.ViewInput{Language: "en"}))
	require.NoError(t, err)
	return ticket
}

func TestTemplateIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	template, err := templates.Compile(defaultOf(t, "en"))
	require.NoError(t, err)
	view := templates.NewView(templates.Samples()[0], templates.ViewInput{Language: "en"})
	want, err := template.Render(view)
	require.NoError(t, err)
	var group sync.WaitGroup
	got := make([]templates.Ticket, 8)
	for i := range got {
		group.Go(func() { got[i], _ = template.Render(view) })
	}
	group.Wait()
	for _, ticket := range got {
		require.Equal(t, want, ticket)
	}
}
