package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFilesAreReadAsUTF8(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ in, want, problem string }{
		"UTF-8":             {in: `{"x": "Größe"}`, want: `{"x": "Größe"}`},
		"a byte order mark": {in: "\uFEFF{}", want: "{}"},
		"UTF-16":            {in: "\xFF\xFE{\x00}\x00", want: "{}"},
		"Latin-1":           {in: "{\"x\": \"Gr\xF6\xDFe\"}", problem: "claim.json is not UTF-8: byte 0xf6 at offset 9; save it as UTF-8"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "claim.json")
			require.NoError(t, os.WriteFile(path, []byte(tt.in), 0o600))
			got, err := (&app{}).read(path)
			if tt.problem != "" {
				require.ErrorContains(t, err, tt.problem)
				return
			}
			require.NoError(t, err)
			require.Equal(t, tt.want, string(got))
		})
	}
}
