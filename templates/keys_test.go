package templates

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every key that Keys lists works in a note, and in a body unless it is internal.
func TestKeysWork(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join("..", "docs", "templates.md"))
	require.NoError(t, err)
	keys := Keys("en")
	require.Greater(t, len(keys), 40)
	for _, k := range keys {
		require.NotEmpty(t, k.Doc, k.Path)
		require.Contains(t, string(page), "`"+k.Path+"`")
		use := "{{" + k.Path + "}}"
		list, inner, in := strings.Cut(k.Path, "[]")
		switch {
		case k.List > 0:
			use = "{{len " + k.Path + "}}"
		case in:
			use = "{{range " + list + "}}{{" + inner + "}}{{end}}"
		default:
			require.NotEmpty(t, k.Example, k.Path)
		}
		_, err := Compile(Source{Body: "x", Note: use})
		require.NoError(t, err, use)
		_, err = Compile(Source{Body: use})
		if k.Internal {
			require.ErrorContains(t, err, "only in the internal note", use)
		} else {
			require.NoError(t, err, use)
		}
	}
	require.Contains(t, Keys("de")[3].Example, "beschädigt")
}
