package charset_test

import (
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/internal/charset"
)

func TestUTF8(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ in, contentType, want, problem string }{
		"UTF-8":                      {in: "Größe", want: "Größe"},
		"UTF-8 by name":              {in: "Größe", contentType: "application/json; charset=UTF-8", want: "Größe"},
		"a byte order mark":          {in: "\xEF\xBB\xBF{}", want: "{}"},
		"a byte order mark and name": {in: "\xEF\xBB\xBF{}", contentType: "application/json; charset=utf-8", want: "{}"},
		"Latin-1":                    {in: "Gr\xF6\xDFe", contentType: "application/json; charset=ISO-8859-1", want: "Größe"},
		"windows-1252":               {in: "\x80 5", contentType: `application/json; charset="windows-1252"`, want: "€ 5"},
		"Shift JIS":                  {in: "\x93\xFA", contentType: "application/json; charset=Shift_JIS", want: "日"},
		"UTF-16 by its mark":         {in: "\xFF\xFE{\x00}\x00", want: "{}"},
		"UTF-16 by name":             {in: "\x00{\x00}", contentType: "application/json; charset=utf-16be", want: "{}"},
		"Latin-1 without a name":     {in: "Gr\xF6\xDFe", contentType: "application/json", problem: "is not UTF-8: byte 0xf6 at offset 2; encode it as UTF-8, or name its charset in the Content-Type"},
		"Latin-1 behind a mark":      {in: "\xEF\xBB\xBFGr\xF6", problem: "is not UTF-8: byte 0xf6 at offset 2; encode it as UTF-8, or name its charset in the Content-Type"},
		"truncated":                  {in: "Gr\xC3", problem: "is not UTF-8: byte 0xc3 at offset 2; encode it as UTF-8, or name its charset in the Content-Type"},
		"not Shift JIS":              {in: "\x93", contentType: "application/json; charset=Shift_JIS", problem: "is not shift_jis"},
		"half of UTF-16":             {in: "\xFF\xFE{", problem: "is not utf-16le"},
		"unknown charset":            {in: "{}", contentType: "application/json; charset=klingon", problem: `unknown charset: "klingon"`},
		"unsupported charset":        {in: "{}", contentType: "application/json; charset=hz-gb-2312", problem: `unknown charset: "hz-gb-2312"`},
		"invalid Content-Type":       {in: "Größe", contentType: ";;;", want: "Größe"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := charset.UTF8([]byte(tt.in), tt.contentType)
			if tt.problem != "" {
				require.EqualError(t, err, tt.problem)
				return
			}
			require.NoError(t, err)
			require.Equal(t, tt.want, string(got))
		})
	}
}

func FuzzUTF8(f *testing.F) {
	f.Add([]byte("Gr\xF6"), "application/json; charset=latin1")
	f.Add([]byte("\xFF\xFE{\x00}\x00"), "")
	f.Fuzz(func(t *testing.T, in []byte, contentType string) {
		out, err := charset.UTF8(in, contentType)
		if err == nil && !utf8.Valid(out) {
			t.Fatalf("%q of %q became %q", in, contentType, out)
		}
	})
}
