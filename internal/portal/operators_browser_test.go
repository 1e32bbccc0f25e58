package portal_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// An operator signs in with the provider, opens a shop and works in it.
func TestBrowserOperatorOpensAShop(t *testing.T) {
	t.Parallel()
	for _, width := range []int64{360, 1400} {
		t.Run(fmt.Sprint(width), func(t *testing.T) {
			t.Parallel()
			b, _, _ := newOperatorBench(t)
			w := b.window(width, "light")
			w.open("/portal/operators")
			w.press(`form[action="/portal/operators/sign-in"] button`)
			w.see("Acme & Sons")
			w.typeInto("#q", "ACM")
			w.press(`form[action="/portal/operators"] button`)
			w.until("location.search", "search", func(query string) bool { return query == "?q=ACM" })
			w.press(`form[action="/portal/operators/shops/acme"] button`)
			w.leaves("/portal/operators")
			w.typeInto("#token", token)
			w.press(`form[action$="/token"] button`)
			w.see("The token works")
			w.open("/portal/operators")
			w.press(`form[action="/portal/operators/leave"] button`)
			w.until("location.pathname", "sign out", func(path string) bool { return path == "/portal/operators/leave" })
			w.open("/portal/operators")
			require.NotContains(t, evaluate[string](w, "document.body.innerText"), "Acme")
		})
	}
}
