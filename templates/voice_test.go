package templates_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/templates"
)

func TestChooseByVoice(t *testing.T) {
	t.Parallel()
	own := func(voice claim.Voice, scope, key, language string) templates.Candidate {
		return templates.Candidate{Scope: scope, Key: key, Language: language, Source: templates.Source{
			Voice: voice, Subject: "subject of " + scope, Body: "body of " + scope, Format: "text", Tags: []string{scope}, Note: "note of " + scope,
		}}
	}
	const customer, agent = claim.VoiceCustomer, claim.VoiceAgent
	tagged := templates.Candidate{Scope: "shop", Key: "damaged", Language: "en", Source: templates.Source{Tags: []string{"only tags"}}}
	for name, test := range map[string]struct {
		voice  claim.Voice
		stored []templates.Candidate
		want   string
		body   string // of the winner; that of the standard text if empty
		tags   []string
	}{
		"the standard text of the customer":      {customer, nil, "built-in/defective/en", "", nil},
		"the standard text of the agent":         {agent, nil, "built-in/defective/en", "", nil},
		"an own text of the voice":               {agent, []templates.Candidate{own(agent, "shop", "damaged", "en")}, "shop/damaged/en", "body of shop", []string{"shop"}},
		"the customer's text is not mailed":      {agent, []templates.Candidate{own(customer, "shop", "damaged", "en")}, "built-in/defective/en", "", []string{"shop"}},
		"without a voice it is the customer":     {agent, []templates.Candidate{own("", "shop", "damaged", "en")}, "built-in/defective/en", "", []string{"shop"}},
		"and is used for the customer":           {customer, []templates.Candidate{own("", "shop", "damaged", "en")}, "shop/damaged/en", "body of shop", []string{"shop"}},
		"the agent's text is not the customer's": {customer, []templates.Candidate{own(agent, "shop", "damaged", "en")}, "built-in/defective/en", "", []string{"shop"}},
		"the next layer in the voice": {
			agent, []templates.Candidate{own(customer, "shop", "damaged", "en"), own(agent, "platform", "damaged", "en")}, "platform/damaged/en", "body of platform", []string{"shop"},
		},
		"tags have no voice":                     {agent, []templates.Candidate{tagged}, "shop/damaged/en", "", []string{"only tags"}},
		"a language without a text of the voice": {agent, []templates.Candidate{own(customer, "shop", "damaged", "fr")}, "built-in/defective/en", "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			won := templates.Choose(&claim.Claim{Reason: "damaged"}, []string{"fr", "en"}, test.voice, test.stored)
			require.Equal(t, test.want, won.Name())
			standard, _ := templates.Default(claim.FlowDefective, "en", test.voice)
			if test.body == "" {
				test.body = standard.Body
				require.Equal(t, standard.Format, won.Source.Format)
				require.Equal(t, standard.Subject, won.Source.Subject)
			}
			require.Equal(t, test.body, won.Source.Body)
			require.Equal(t, test.tags, won.Source.Tags)
			require.NoError(t, templates.Check(won.Source))
		})
	}
}

// What the customer is mailed never names other claims, whatever the template says; the
// note does, once.
func TestAgentsMessageHasNoInternalLines(t *testing.T) {
	t.Parallel()
	const line = "Other claims about this order: conversation 4711 (open), m-2 (being opened)"
	names := "{{.OtherClaimsLine}}{{range .OtherClaims}}{{.ClaimID}} {{.Conversation}} {{.State.Text}}{{end}}"
	for name, test := range map[string]struct {
		source templates.Source
		note   string
	}{
		"no key":                 {templates.Source{Body: "Hello"}, line},
		"keys in the text":       {templates.Source{Subject: names, Body: "Hello " + names}, line},
		"plain text":             {templates.Source{Body: "Hello " + names, Format: "text"}, line},
		"a note":                 {templates.Source{Body: "Hello", Note: "Look at {{.Internal.ClaimID}}."}, line + "\n\nLook at c-1."},
		"a note that names them": {templates.Source{Body: "Hello", Note: "See {{range .OtherClaims}}{{.ClaimID}};{{end}}"}, "See m-1;m-2;"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test.source.Voice = claim.VoiceAgent
			compiled, err := templates.Compile(test.source)
			require.NoError(t, err)
			ticket, err := compiled.Render(templates.NewView(&claim.Claim{ID: "c-1", Shop: "acme", Reason: "damaged"}, templates.ViewInput{
				Language: "en", OtherClaims: []claim.OtherClaim{{ID: "m-1", State: claim.StateOpen, ConversationID: 4711}, {ID: "m-2", State: claim.StateOpening}},
			}))
			require.NoError(t, err)
			for _, internal := range []string{"4711", "m-1", "m-2", "Other claims"} {
				require.NotContains(t, ticket.Subject+ticket.Body, internal)
			}
			require.Contains(t, ticket.Body, "Hello")
			require.Equal(t, test.note, ticket.Note)
		})
	}
}

func TestVoiceIsChecked(t *testing.T) {
	t.Parallel()
	_, err := templates.Compile(templates.Source{Voice: "shouting", Body: "x"})
	require.ErrorContains(t, err, "voice")
}
