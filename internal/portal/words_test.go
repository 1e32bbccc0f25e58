package portal

import (
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
)

// Every language has the same texts, with the same arguments, and every text that a page
// names exists.
func TestWordsAreComplete(t *testing.T) {
	t.Parallel()
	english, err := readWords("en")
	require.NoError(t, err)
	argument := regexp.MustCompile(`%(\[\d+\])?[sdqv]`)
	for _, language := range claim.PortalLanguages() {
		other, err := readWords(language)
		require.NoError(t, err)
		require.Equal(t, slices.Sorted(maps.Keys(english.texts)), slices.Sorted(maps.Keys(other.texts)), language)
		for key, text := range english.texts {
			require.NotEmpty(t, other.texts[key], "%s %s", language, key)
			require.Len(t, argument.FindAllString(other.texts[key], -1), len(argument.FindAllString(text, -1)), "%s %s", language, key)
		}
	}
	named := regexp.MustCompile(`say "([a-z_0-9.]+)"`)
	files, err := fs.Glob(pageFiles, "pages/*.html")
	require.NoError(t, err)
	for _, file := range files {
		page, err := pageFiles.ReadFile(file)
		require.NoError(t, err)
		for _, match := range named.FindAllStringSubmatch(string(page), -1) {
			require.True(t, english.has(match[1]) || strings.HasSuffix(match[1], "."), "%s names %q", file, match[1])
		}
	}
}
