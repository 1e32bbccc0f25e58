package templates

import (
	"slices"
	"strings"

	"golang.org/x/text/language"

	"github.com/claimflow/claimflow/claim"
)

// Languages returns the wanted languages of a claim's text as BCP 47 tags, in order
// of preference. Each is followed by its parents: de-CH, de, en.
//
// The shop's fixed language decides. If there is none, the first valid one of these
// decides: the claim's locale, the customer's, the order's, and the most likely
// language of the order's country. The shop's default language and English follow.
func Languages(c *claim.Claim, s *claim.Settings) []string {
	var out []string
	add := func(tag language.Tag) {
		for ; tag != language.Und; tag = tag.Parent() {
			if base, _, _ := tag.Raw(); base == unknownBase {
				return
			}
			if word := tag.String(); !slices.Contains(out, word) {
				out = append(out, word)
			}
		}
	}
	add(wanted(c, s))
	add(locale(s.DefaultLanguage))
	add(language.English)
	return out
}

var unknownBase, _, _ = language.Und.Raw()

func wanted(c *claim.Claim, s *claim.Settings) language.Tag {
	for _, word := range []string{s.Language, c.Locale, c.Customer.Locale, c.Order.Locale} {
		if tag := locale(word); tag != language.Und {
			return tag
		}
	}
	for _, word := range []string{c.Order.Address.CountryCode, c.Order.Address.Country} {
		if tag := spokenIn(word); tag != language.Und {
			return tag
		}
	}
	return language.Und
}

// locale parses a language as shops spell it: "de", "de-CH", "de_CH.UTF-8". It
// returns language.Und for an invalid one.
func locale(word string) language.Tag {
	word, _, _ = strings.Cut(strings.TrimSpace(word), ".")
	word, _, _ = strings.Cut(word, "@")
	tag, err := language.Parse(word)
	if err != nil {
		return language.Und
	}
	base, script, region := tag.Raw()
	if base == unknownBase {
		return language.Und
	}
	// Extensions such as -u-co-phonebk do not affect wording.
	plain, err := language.Compose(base, script, region)
	if err != nil {
		return language.Und
	}
	return plain
}

// spokenIn returns the language for a country code from CLDR's likely subtags.
func spokenIn(country string) language.Tag {
	region, err := language.ParseRegion(strings.TrimSpace(country))
	if err != nil || !region.IsCountry() {
		return language.Und
	}
	somebody, err := language.Compose(region)
	if err != nil {
		return language.Und
	}
	base, confidence := somebody.Base()
	if confidence == language.No || base == unknownBase {
		return language.Und
	}
	spoken, err := language.Compose(base, region)
	if err != nil {
		return language.Und
	}
	return spoken
}

// baseOf returns the language of a tag without script and region, such as "de".
func baseOf(word string) string {
	base, _ := locale(word).Base()
	return base.String()
}
