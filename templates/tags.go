package templates

import (
	"slices"
	"strings"

	"github.com/claimflow/claimflow/claim"
)

const maxTagRunes = 100

// Tags are the tags of a claim's conversation: the shop's tag, which is the stem
// of the default ones (claim, claim-reason-…, claim-wants-…, claim-phase-…, and
// claim-repeat where the order has another claim), then the shop's extra tags,
// then extra, which is what the template adds.
//
// Only published reasons, preferences and phases become tags of their own;
// others become …-other, so that customers cannot fill a shop's list of tags.
// What the claim does not say has no tag.
func Tags(c *claim.Claim, s *claim.Settings, repeat bool, extra []string) []string {
	stem := s.Tag
	tags := []string{stem}
	add := func(kind, word string, known func(string) bool) {
		switch {
		case claim.Key(word) == "":
		case known(word):
			tags = append(tags, stem+"-"+kind+"-"+strings.ReplaceAll(claim.Key(word), "_", "-"))
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

// tidyTags trims and bounds tags and drops empty and repeated ones. Capital
// letters stay, since the tag may exist in Dixa as it is written, but do not
// make two tags of one.
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
