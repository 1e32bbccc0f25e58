package templates

import (
	"slices"
	"strings"

	"github.com/claimflow/claimflow/claim"
)

const maxTagRunes = 100

// Tags returns the tags of a claim's conversation, in this order: the shop's tag and
// the default tags derived from it (claim, claim-reason-…, claim-wants-…,
// claim-phase-…, and claim-repeat if the order has another claim), the shop's extra
// tags, and extra, the template's tags.
//
// Only published reasons, preferences and phases become tags of their own. Others
// become …-other, so that customers cannot fill a shop's list of tags. Fields that
// the claim leaves empty have no tag.
func Tags(c *claim.Claim, s *claim.Settings, repeat bool, extra []string) []string {
	stem := s.Tag
	tags := []string{stem}
	add := func(kind, word string, known func(string) bool) {
		switch {
		case claim.NormalizeKey(word) == "":
		case known(word):
			tags = append(tags, stem+"-"+kind+"-"+strings.ReplaceAll(claim.NormalizeKey(word), "_", "-"))
		default:
			tags = append(tags, stem+"-"+kind+"-other")
		}
	}
	add("reason", c.Reason, claim.KnownReason)
	add("wants", c.Preference, claim.KnownPreference)
	add("phase", c.ShipmentPhase(), claim.KnownPhase)
	if repeat {
		tags = append(tags, stem+"-repeat")
	}
	return tidyTags(slices.Concat(tags, s.ExtraTags, extra))
}

// tidyTags trims and bounds tags and drops empty and duplicate ones. It keeps
// capital letters, because the tag may already exist in Dixa with that spelling, but
// compares tags case-insensitively.
func tidyTags(tags []string) []string {
	var out []string
	seen := map[string]bool{}
	for _, tag := range tags {
		tag = shorten(oneLine(tag), maxTagRunes, "")
		if folded := strings.ToLower(tag); tag != "" && !seen[folded] {
			seen[folded] = true
			out = append(out, tag)
		}
	}
	return out
}
