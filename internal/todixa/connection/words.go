package connection

import (
	"context"
	"regexp"
	"strings"
	"unicode"

	"github.com/claimflow/claimflow/dixa"
)

type wordsKey struct{}

// WithRedaction returns a context that removes certain words from Dixa's messages,
// such as those of the customer whose claim is sent: Dixa may repeat them, and its
// messages end up in histories and logs. words is called only for a message of
// unknown shape; if it returns nil, the message is withheld entirely.
func WithRedaction(ctx context.Context, words func() map[string]bool) context.Context {
	return context.WithValue(ctx, wordsKey{}, words)
}

const withheld = "(unknown message withheld)"

var addresses = regexp.MustCompile(`[a-zA-Z][a-zA-Z0-9+.-]*://\S+`)

// filter is the clients' message filter.
func filter(ctx context.Context, message string) string {
	words, ok := ctx.Value(wordsKey{}).(func() map[string]bool)
	if !ok || dixa.KnownMessage(message) {
		return message
	}
	personal := words()
	if personal == nil {
		return withheld
	}
	return redact(addresses.ReplaceAllString(message, "[address]"), personal)
}

// redact replaces every personal word with an ellipsis.
func redact(message string, personal map[string]bool) string {
	var b strings.Builder
	for message != "" {
		end := strings.IndexFunc(message, func(r rune) bool { return !isWord(r) })
		if end < 0 {
			end = len(message)
		}
		if word := message[:end]; personal[strings.ToLower(word)] {
			b.WriteString("…")
		} else {
			b.WriteString(word)
		}
		message = message[end:]
		next := strings.IndexFunc(message, isWord)
		if next < 0 {
			next = len(message)
		}
		b.WriteString(message[:next])
		message = message[next:]
	}
	return b.String()
}

// WordSet returns the words of some texts in lower case.
func WordSet(texts ...string) map[string]bool {
	words := map[string]bool{}
	for _, t := range texts {
		for _, w := range strings.FieldsFunc(t, func(r rune) bool { return !isWord(r) }) {
			words[strings.ToLower(w)] = true
		}
	}
	return words
}

func isWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) }
