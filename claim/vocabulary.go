package claim

import (
	"slices"
	"strings"
	"unicode"
)

// Flows for which templates exist. Karla defines seven. General serves every claim
// whose flow and reason are both unknown.
const (
	FlowDefective      = "defective"
	FlowNotReceived    = "not_received"
	FlowMissingProduct = "missing_product"
	FlowWrongProduct   = "wrong_product"
	FlowReturn         = "return"
	FlowDissatisfied   = "dissatisfied"
	FlowSupport        = "support"
	FlowGeneral        = "general"
)

// Flows lists the known flows in display order.
func Flows() []string {
	return []string{
		FlowDefective, FlowNotReceived, FlowMissingProduct, FlowWrongProduct,
		FlowReturn, FlowDissatisfied, FlowSupport, FlowGeneral,
	}
}

// flowOfReason maps a reason to its flow, for claims that name none. Karla's
// published reasons are partial_damage, damage, damaged, investigation, support and
// return. That an investigation is about a parcel that did not arrive is our
// interpretation.
var flowOfReason = map[string]string{
	"damage": FlowDefective, "damaged": FlowDefective, "partial_damage": FlowDefective, "defective": FlowDefective,
	"investigation": FlowNotReceived, "not_received": FlowNotReceived, "lost": FlowNotReceived,
	"missing_product": FlowMissingProduct, "missing_item": FlowMissingProduct, "missing": FlowMissingProduct,
	"wrong_product": FlowWrongProduct, "wrong_item": FlowWrongProduct,
	"return": FlowReturn, "dissatisfied": FlowDissatisfied, "support": FlowSupport,
}

// FlowKey returns the claim's flow in the spelling of [Flows]: the flow that the
// claim names, otherwise the flow of its reason, otherwise [FlowGeneral].
func (c *Claim) FlowKey() string {
	if c.Flow != "" {
		key := NormalizeKey(c.Flow)
		if f, ok := flowOfReason[key]; ok {
			return f
		}
		if key == FlowGeneral {
			return FlowGeneral
		}
	}
	if f, ok := flowOfReason[NormalizeKey(c.Reason)]; ok {
		return f
	}
	return FlowGeneral
}

// ReasonKey returns the reason in the spelling that templates, tags and rules use.
func (c *Claim) ReasonKey() string { return NormalizeKey(c.Reason) }

// NormalizeKey normalizes a word of an open vocabulary to lower case with underscores, so
// that "notReceived", "Not received" and "not-received" are equal. Characters other
// than letters and digits separate words.
func NormalizeKey(word string) string {
	var b strings.Builder
	var last rune
	for _, r := range strings.TrimSpace(word) {
		switch {
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			lower := unicode.ToLower(r)
			if lower != r && (unicode.IsLower(last) || unicode.IsDigit(last)) {
				b.WriteByte('_')
			}
			b.WriteRune(lower)
		default:
			if s := b.String(); s != "" && !strings.HasSuffix(s, "_") {
				b.WriteByte('_')
			}
		}
		last = r
	}
	return strings.Trim(b.String(), "_")
}

// The published values. They limit the set of tags that is created in a shop's Dixa and
// have no other effect.
var (
	publishedReasons = strings.Fields("damage damaged partial_damage defective investigation not_received missing_product " +
		"wrong_product return dissatisfied support")
	publishedPhases = strings.Fields("order_created order_processed in_transit in_delivery delivered delivery_failed collect " +
		"return_created return_transit return_received return_failed returned")

	knownReasons     = set(publishedReasons)
	knownPreferences = set(strings.Fields("refund reorder replacement repair store_credit none"))
	knownPhases      = set(publishedPhases)
)

func set(words []string) map[string]bool {
	m := map[string]bool{}
	for _, w := range words {
		m[w] = true
	}
	return m
}

// Reasons lists the published reasons.
func Reasons() []string { return slices.Clone(publishedReasons) }

// Phases lists the published shipment phases.
func Phases() []string { return slices.Clone(publishedPhases) }

// KnownReason reports whether a reason, in any spelling, is published.
func KnownReason(word string) bool { return knownReasons[NormalizeKey(word)] }

// KnownPreference reports whether a preference, in any spelling, is published.
func KnownPreference(word string) bool { return knownPreferences[NormalizeKey(word)] }

// KnownPhase reports whether a shipment phase, in any spelling, is published.
func KnownPhase(word string) bool { return knownPhases[NormalizeKey(word)] }
