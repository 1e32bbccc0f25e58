package templates

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func TestClean(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ in, want string }{
		"plain":                  {"Hello, world", "Hello, world"},
		"line breaks":            {"a\r\nb\rc\nd\u2028e\vf", "a\nb\nc\nd\ne\nf"},
		"control":                {"a\x00b\x1bc\u009dd\te", "abcd\te"},
		"override":               {"a\u202Eb\u202C", "ab"},
		"isolate":                {"\u2066a\u2069", "a"},
		"right-to-left text":     {"שלום\u200F, עולם", "שלום\u200F, עולם"},
		"arabic letter mark":     {"\u061C123", "\u061C123"},
		"arabic number sign":     {"\u0600123", "\u0600123"},
		"zero-width space":       {"a\u200Bb\uFEFFc\u00ADd\u2060e", "abcde"},
		"persian non-joiner":     {"می\u200Cخواهم", "می\u200Cخواهم"},
		"devanagari joiner":      {"क्\u200Dष", "क्\u200Dष"},
		"family":                 {"👨\u200D👩\u200D👧", "👨\u200D👩\u200D👧"},
		"flag with joiner":       {"🏳\uFE0F\u200D🌈", "🏳\uFE0F\u200D🌈"},
		"skin tone":              {"👩🏽\u200D🚀", "👩🏽\u200D🚀"},
		"joiner in latin":        {"pay\u200Dpal", "paypal"},
		"joiner at the edges":    {"\u200Dی\u200C", "ی"},
		"many joiners":           {"ی\u200C\u200C\u200Cخ", "ی\u200Cخ"},
		"tags":                   {"🏴\U000E0067\U000E0062\U000E007F", "🏴"},
		"variation selectors":    {"❤\uFE0F\uFE0F\uFE0E \uFE0F", "❤\uFE0F "},
		"fillers":                {"a\u3164\u115Fb", "ab"},
		"marks of a language":    {"ế", "ế"},
		"too many marks":         {"z" + strings.Repeat("\u0335", 99), "z" + strings.Repeat("\u0335", maxMarks)},
		"broken utf-8":           {"a\xffb", "a\uFFFDb"},
		"noncharacter":           {"a\uFFFEb\U0010FFFFc", "abc"},
		"surrogates in utf-8":    {"a\xed\xa0\x80b", "a\uFFFDb"},
		"emoji that stand alone": {"😀😀", "😀😀"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, test.want, clean(test.in))
			require.Equal(t, test.want, clean(test.want), "clean is idempotent")
		})
	}
}

func FuzzClean(f *testing.F) {
	for _, seed := range []string{"", "plain", "a\u200Db", "👨\u200D👩", "\xff\u202E", "z\u0335\u0335", "\u0600\u200C\uFE0F"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		once := clean(s)
		require.True(t, utf8.ValidString(once))
		require.Equal(t, once, clean(once), "clean is idempotent")
		require.NotContains(t, oneLine(s), "\n")
		require.LessOrEqual(t, utf8.RuneCountInString(shorten(once, 10, "…")), 11)
	})
}

func TestShorten(t *testing.T) {
	t.Parallel()
	require.Equal(t, "äöü", shorten("äöü", 3, "…"))
	require.Equal(t, "äö…", shorten("äöü", 2, "…"))
	require.Equal(t, "a…", shorten("a  b", 3, "…"), "no space before the mark")
	require.Empty(t, shorten("abc", 0, ""))
}
