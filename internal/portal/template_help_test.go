package portal_test

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/templates"
)

func TestTemplateFaultsSayWhatWasMeant(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for language, tests := range map[string][]struct{ field, value, fault string }{
		"en": {
			{"body", "Your order {{Order Number}}", "Line 1, column 14: “Order” cannot be used here. Did you mean {{.Order.Number}}?"},
			{"body", "x\n{{.Order.Nummer}}", "There is no placeholder .Order.Nummer. Did you mean {{.Order.Number}}?"},
			{"body", "{{.OrderNumber}}", "There is no placeholder .OrderNumber. Did you mean {{.Order.Number}}?"},
			{"body", "{{Order.Number}}", "Did you mean {{.Order.Number}}?"},
			{"body", "{{first name}}", "Did you mean {{.Customer.FirstName}}?"},
			{"body", "{{range .Items}}{{.Titel}}{{end}}", "There is no placeholder .Titel. Did you mean {{.Title}}?"},
			{"body", "{{if signed}}x{{end}}", "Did you mean {{.Signed}}?"},
			{"subject", "  {{reason}}", "Line 1, column 3: “reason” cannot be used here. Did you mean {{.Reason.Text}}?"},
			{"tags", "fine\n{{Language}}", "Did you mean {{.Language}}?"},
			{"note", "{{.Internal.ClaimId}}", "Did you mean {{.Internal.ClaimID}}?"},
			{"body", "{{.Weather}}", "There is no placeholder .Weather. The list of placeholders shows all of them."},
		},
		"de": {
			{"body", "{{Bestellnummer}}", "„Bestellnummer“ lässt sich hier nicht verwenden. Meinten Sie {{.Order.Number}}?"},
			{"body", "{{.Vorname}}", "Den Platzhalter .Vorname gibt es nicht. Meinten Sie {{.Customer.FirstName}}?"},
		},
	} {
		p := b.enter(client.NewPortalLink{Language: language})
		for _, test := range tests {
			refused := p.post(textPath, typed(url.Values{"body": {"Fine"}, test.field: {test.value}}))
			require.Equal(t, http.StatusUnprocessableEntity, refused.status, test.value)
			_, faults, _ := strings.Cut(html.UnescapeString(refused.text), `id="`+test.field+`-fault">`)
			faults, _, _ = strings.Cut(faults, "</p>")
			require.Contains(t, faults, test.fault, test.value)
			require.Contains(t, refused.text, " data-unsaved", "the script asks before the form is left")
		}
	}
}

// Faults stand in the order in which a person reads the text.
func TestTemplateFaultsAreInOrder(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.enter(client.NewPortalLink{})
	refused := p.post(textPath, typed(url.Values{"body": {"{{upper nothing}} {{lower something}}\n{{sort this}}"}}))
	_, fault, _ := strings.Cut(refused.text, `id="body-fault">`)
	fault, _, _ = strings.Cut(fault, "</p>")
	places := regexp.MustCompile(`Line \d+, column \d+`).FindAllString(fault, -1)
	require.Equal(t, []string{"Line 1, column 9", "Line 1, column 27", "Line 2, column 3", "Line 2, column 8"}, places)

	one := p.post(textPath, typed(url.Values{"body": {"Your order {{Order Number}}"}}))
	_, fault, _ = strings.Cut(one.text, `id="body-fault">`)
	fault, _, _ = strings.Cut(fault, "</p>")
	require.Equal(t, 1, strings.Count(fault, "Line "), "two words of one placeholder are one fault: %s", fault)
}

var offered = regexp.MustCompile(`<li>([^<]+) <code( data-only="#note")?>([^<]+)</code></li>`)

// What the page offers can be used where it is offered.
func TestOfferedPlaceholdersCanBeUsed(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, language := range templates.DefaultLanguages() {
		page := b.enter(client.NewPortalLink{Language: language}).get(textPath)
		require.Less(t, len(page.text), 100_000)
		all := offered.FindAllStringSubmatch(page.text, -1)
		require.Greater(t, len(all), 20)
		var body, note []string
		for _, m := range all {
			require.NotContains(t, m[1], "key.")
			note = append(note, html.UnescapeString(m[3]))
			if m[2] == "" {
				body = append(body, html.UnescapeString(m[3]))
			}
		}
		require.Contains(t, body, "{{.Order.Number}}")
		require.NotContains(t, body, "{{.Internal.Value}}")
		require.Contains(t, note, "{{.Internal.Value}}")
		require.NoError(t, templates.Check(templates.Source{Subject: strings.Join(body, " "), Body: strings.Join(body, " "), Note: strings.Join(note, " ")}))
	}
	reader := b.enter(client.NewPortalLink{Capabilities: []claim.PortalCapability{}}).get(textPath)
	require.Empty(t, offered.FindAllString(reader.text, -1), "who cannot write needs none")
}

// A preview is in the language of its text, whatever the language of the page.
func TestPreviewIsInTheLanguageOfTheText(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.enter(client.NewPortalLink{Language: "en"})
	for path, words := range map[string][2]string{
		"damaged?language=en":      {"The parcel was dented", "Das Paket war"},
		"damaged?language=de":      {"Das Paket war", "The parcel was dented"},
		"not_received?language=en": {"nothing has arrived here", "nichts angekommen"},
		"not_received?language=de": {"nichts angekommen", "nothing has arrived here"},
		"lost?language=fr":         {"The parcel was dented", "Das Paket war"},
	} {
		page := p.get("/portal/templates/" + path)
		_, preview, _ := strings.Cut(page.text, `class="mail"`)
		preview, _, _ = strings.Cut(preview, "</dl>")
		require.Contains(t, preview, words[0], path)
		require.NotContains(t, preview, words[1], path)
		require.Equal(t, strings.HasSuffix(path, "de"), strings.Contains(page.text, `value="sample:sample-german-full"`), path)
	}
}
