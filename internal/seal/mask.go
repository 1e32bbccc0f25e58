package seal

import "strings"

const (
	maskPrefix = "dx_…"
	shownChars = 4
	// shortToken is the length below which four characters would give away too
	// much.
	shortToken = 16
)

// Mask is the only form in which a token is ever shown: "dx_…4f2a", the last
// four characters of it, and none of a token shorter than 16. It is empty for an
// empty token.
func Mask(token string) string {
	chars := []rune(strings.TrimSpace(token))
	switch {
	case len(chars) == 0:
		return ""
	case len(chars) < shortToken:
		return maskPrefix
	default:
		return maskPrefix + string(chars[len(chars)-shownChars:])
	}
}
