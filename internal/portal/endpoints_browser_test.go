package portal_test

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/client"
)

// A secret that is shown once can be copied with one press. Without a script there is no
// button that does nothing.
func TestBrowserCopiesASecret(t *testing.T) {
	t.Parallel()
	for _, script := range []bool{true, false} {
		t.Run(fmt.Sprint(script), func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			w := b.window(360, "dark")
			if !script {
				w.withoutScript()
			}
			w.enter(client.NewPortalLink{Language: "de"})
			w.open("/portal/endpoints/new?kind=webhook")
			w.typeInto("#url", hook)
			w.press("main form button.primary")
			w.see("whsec_")
			require.Equal(t, !script, evaluate[bool](w, `document.querySelector("[data-copy]").hidden`))
			if !script {
				return
			}
			evaluate[chromedp.Void](w, `navigator.clipboard.writeText = (text) => { window.copied = text; return Promise.resolve(); }`)
			w.press("[data-copy]")
			w.shows("[data-copied]", "Kopiert.")
			require.Equal(t, evaluate[string](w, `document.querySelector("#secret").textContent`), evaluate[string](w, "window.copied"))
			w.inspect("secret-dark-360")
		})
	}
}
