package seal

import "strings"

// Hidden stands for the characters of a token that [Mask] does not show.
const Hidden = "…"

const (
	// firstChars and lastChars are how many characters to show of a token that is
	// long enough not to be revealed by them.
	firstChars, lastChars = 3, 4
	longForFirst          = 24
	longForLast           = 12
)

// Mask returns the only form in which a token is ever shown, such as "dx_…4f2a": the
// first three characters if it has 24 or more, and the last four if it has 12 or
// more. A shorter token is only "…", and an empty one is empty. Two tokens can look
// the same.
func Mask(token string) string {
	chars := []rune(strings.TrimSpace(token))
	n := len(chars)
	switch {
	case n == 0:
		return ""
	case n < longForLast:
		return Hidden
	case n < longForFirst:
		return Hidden + string(chars[n-lastChars:])
	default:
		return string(chars[:firstChars]) + Hidden + string(chars[n-lastChars:])
	}
}
