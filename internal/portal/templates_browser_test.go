package portal_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
)

// A person changes a text, mends a fault in it, and returns to the inherited text.
func TestBrowserChangesAText(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		language                                     string
		width                                        int64
		script                                       bool
		inherits, fault, refused, saved, sure, again string
	}{
		{
			"en", 1400, true, "This text is inherited from", "Line 2, column 15: There is no placeholder .Order.Nummer", "Nothing was saved.",
			"Saved. New conversations use this text.", "Your own text cannot be brought back.", "The inherited text applies again.",
		},
		{
			"de", 360, false, "Dieser Text ist übernommen von", "Zeile 2, Spalte 15: Den Platzhalter .Order.Nummer gibt es nicht", "Es wurde nichts gespeichert.",
			"Gespeichert. Neue Konversationen verwenden diesen Text.", "Ihr eigener Text lässt sich nicht wiederherstellen.", "Der übernommene Text gilt wieder.",
		},
	} {
		t.Run(fmt.Sprint(test.language, test.width), func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			w := b.window(test.width, "light")
			if !test.script {
				w.withoutScript()
			}
			w.enter(client.NewPortalLink{Language: test.language, Pages: []claim.PortalPage{claim.PageTemplates}})
			w.press(`a[href="/portal/templates/defective?language=en"]`)
			w.see(test.inherits)
			save, try := `form[data-preview] button.primary`, `form[data-preview] button[formaction]`

			w.typeInto("#body", "Hello\nOrder {{.Order.Nummer}}")
			if test.script {
				w.shows("#preview", test.fault)
			}
			w.press(save)
			w.see(test.refused)
			w.shows("#body-fault", test.fault)
			require.Equal(t, "Hello\nOrder {{.Order.Nummer}}", evaluate[string](w, `document.querySelector("#body").value`))
			own, err := b.client.Template(t.Context(), shop, "defective", "en")
			require.NoError(t, err)
			require.Nil(t, own.Own)

			w.typeInto("#body", "It is broken.")
			w.typeInto("#subject", "Broken {{.Order.Number}}")
			if !test.script {
				w.press(try)
			}
			w.shows("#preview", "It is broken.")
			w.shows("#preview", "Broken ")
			w.press(save)
			w.see(test.saved)
			own, err = b.client.Template(t.Context(), shop, "defective", "en")
			require.NoError(t, err)
			require.Equal(t, client.TemplateSource{Subject: "Broken {{.Order.Number}}", Body: "It is broken.", Format: "html"}, *own.Own)

			w.press("details.sure summary")
			w.see(test.sure)
			w.press(`form[action*="/inherit"] button`)
			w.see(test.again)
			w.see(test.inherits)
			own, err = b.client.Template(t.Context(), shop, "defective", "en")
			require.NoError(t, err)
			require.Nil(t, own.Own)
		})
	}
}
