package evidence

import (
	"fmt"
	"strings"
	"unicode"
)

// The kinds of evidence, in the order in which they are offered.
const (
	KindItem      = "item"
	KindClaim     = "claim"
	KindOptional  = "optional"
	KindSignature = "signature"
)

// Photos are the addresses of one kind, or of one item.
type Photos struct {
	Kind string
	// SKU names the item, for [KindItem].
	SKU  string
	URLs []string
}

// Candidates names the files of the photos, in their order: "SKU-photo-1",
// "photo-1", "extra-photo-1", "signature". A repeated address is one file. Addresses
// that differ only in their query are separate files, because a query can name the
// file.
func Candidates(photos []Photos) []File {
	var files []File
	seen := map[string]bool{}
	count := map[string]int{}
	for _, p := range photos {
		stem := stemOf(p)
		for _, u := range p.URLs {
			if u == "" || seen[u] {
				continue
			}
			seen[u] = true
			count[stem]++
			name := fmt.Sprintf("%s-%d", stem, count[stem])
			if p.Kind == KindSignature {
				name = stem
			}
			files = append(files, File{URL: u, Name: name})
		}
	}
	return files
}

func stemOf(p Photos) string {
	switch p.Kind {
	case KindItem:
		return fileWord(p.SKU) + "-photo"
	case KindOptional:
		return "extra-photo"
	case KindSignature:
		return "signature"
	default:
		return "photo"
	}
}

// fileWord converts a string into a word that is safe in a file name everywhere.
func fileWord(s string) string {
	word := strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) || r == '-' || r == '_' || r == '.' {
			return r
		}
		return '-'
	}, s)
	word = strings.Trim(word, "-.")
	if runes := []rune(word); len(runes) > 60 {
		word = string(runes[:60])
	}
	if word == "" {
		return "item"
	}
	return word
}
