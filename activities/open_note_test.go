package activities

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/internal/todixa/evidence"
)

const noteSign = "Claimflow CF-7QK2M4XWZ3TA"

// leaving returns a draft that left out n files at the address.
func leaving(n int, address string) evidenceDraft {
	var d evidenceDraft
	for i := range n {
		d.LeftOut = append(d.LeftOut, evidence.LeftOut{
			File: evidence.File{URL: address, Name: fmt.Sprintf("photo-%d", i+1)}, Reason: "the server returned 404",
		})
	}
	return d
}

func TestNoteText(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		note  string
		files evidenceDraft
		want  string
	}{
		"empty": {"", evidenceDraft{}, noteSign},
		"note":  {" Check the value. \n", evidenceDraft{}, "Check the value.\n\n" + noteSign},
		"a file": {
			"Check the value.", leaving(1, "https://example.org/a%20b.jpg"),
			"Check the value.\n\nNot attached:\n- photo-1: the server returned 404 (https://example.org/a%20b.jpg)\n\n" + noteSign,
		},
		"URL with query and password": {
			"", leaving(1, "https://me:secret@example.org/a.jpg?signature=1#secret"),
			"Not attached:\n- photo-1: the server returned 404 (https://example.org/a.jpg?signature=1)\n\n" + noteSign,
		},
		"invalid URL": {
			"", leaving(1, "http://[secret"),
			"Not attached:\n- photo-1: the server returned 404 (invalid URL)\n\n" + noteSign,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tt.want, noteText(tt.note, tt.files, noteSign))
		})
	}
}

func TestNoteTextIsBounded(t *testing.T) {
	t.Parallel()
	far := "https://example.org/" + strings.Repeat("ä", 5000)
	wordy := leaving(5000, far)
	for i := range wordy.LeftOut {
		wordy.LeftOut[i].Name, wordy.LeftOut[i].Reason = strings.Repeat("ö", 5000), strings.Repeat("ü", 5000)
	}
	for name, tt := range map[string]struct {
		note  string
		files evidenceDraft
		holds []string
	}{
		"long note":                  {strings.Repeat("ß", 64<<10), leaving(1, far), []string{"ß…\n\nNot attached:\n- photo-1:"}},
		"many files":                 {"Look.", leaving(5000, far), []string{"Look.\n", "- photo-20:", "and 4980 more\n"}},
		"many files with long names": {strings.Repeat("ß", 64<<10), wordy, []string{"ß…\n\nNot attached:\n- ö", "and 4980 more\n"}},
		"as many files as listed":    {"", leaving(20, far), []string{"- photo-20:"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := noteText(tt.note, tt.files, noteSign)
			require.LessOrEqual(t, len(text), 16<<10)
			require.True(t, utf8.ValidString(text))
			require.True(t, strings.HasSuffix(text, "\n\n"+noteSign), "the signature must be on its own line")
			require.NotContains(t, text, "- photo-21:")
			for _, part := range tt.holds {
				require.Contains(t, text, part)
			}
			for line := range strings.Lines(text) {
				if _, address, ok := strings.Cut(line, "(https:"); ok {
					require.LessOrEqual(t, len(address), 450, "URLs in a note must be shortened")
				}
			}
		})
	}
	require.NotContains(t, noteText("", leaving(20, far), noteSign), "more\n")
}
