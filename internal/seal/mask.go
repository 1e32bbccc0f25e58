package seal

import "strings"

// Hidden stands for the characters of a token that [Mask] does not show.
const Hidden = "…"

const (
	// firstChars and lastChars are shown of a token that is long enough not to
	// be given away by them.
	firstChars, lastChars = 3, 4
	longForFirst          = 24
	longForLast           = 12
)

// Mask is the only form in which a token is ever shown: "dx_…4f2a", the first
// three characters of one of 24 and more and the last four of one of 12 and more;
// of a shorter one only "…". It is empty for an empty token. Two tokens can look
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
