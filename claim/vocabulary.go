package claim

import (
	"strings"
	"unicode"
)

// The flows that templates are written for. Karla names seven; General serves
// every claim whose flow and reason nobody knows.
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

// Flows lists the known flows in the order in which people read them.
func Flows() []string {
	return []string{
		FlowDefective, FlowNotReceived, FlowMissingProduct, FlowWrongProduct,
		FlowReturn, FlowDissatisfied, FlowSupport, FlowGeneral,
	}
}

// flowOfReason says which flow a reason belongs to where the claim names none.
// Karla's published reasons are partial_damage, damage, damaged, investigation,
// support and return; that an investigation is about a parcel that did not
// arrive is our reading.
var flowOfReason = map[string]string{
	"damage": FlowDefective, "damaged": FlowDefective, "partial_damage": FlowDefective, "defective": FlowDefective,
	"investigation": FlowNotReceived, "not_received": FlowNotReceived, "lost": FlowNotReceived,
	"missing_product": FlowMissingProduct, "missing_item": FlowMissingProduct, "missing": FlowMissingProduct,
	"wrong_product": FlowWrongProduct, "wrong_item": FlowWrongProduct,
	"return": FlowReturn, "dissatisfied": FlowDissatisfied, "support": FlowSupport,
}

// FlowKey is the flow of the claim in the spelling of [Flows]: the one it
// names, else the one its reason belongs to, else [FlowGeneral].
func (c *Claim) FlowKey() string {
	if c.Flow != "" {
		key := Key(c.Flow)
		if f, ok := flowOfReason[key]; ok {
			return f
		}
		if key == FlowGeneral {
			return FlowGeneral
		}
	}
	if f, ok := flowOfReason[Key(c.Reason)]; ok {
		return f
	}
	return FlowGeneral
}

// ReasonKey is the reason in the spelling that templates, tags and rules use.
func (c *Claim) ReasonKey() string { return Key(c.Reason) }

// Key brings a word of an open vocabulary to one spelling: lower case with
// underscores, so that "notReceived", "Not received" and "not-received" are one.
// What is neither letter nor digit separates words.
func Key(word string) string {
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

// knownReasons, knownPreferences and knownPhases are the published values. They
// bound the tags that a shop's Dixa ends up with; nothing else depends on them.
var (
	knownReasons = words("damage damaged partial_damage defective investigation not_received missing_product " +
		"wrong_product return dissatisfied support")
	knownPreferences = words("refund reorder replacement repair store_credit none")
	knownPhases      = words("order_created order_processed in_transit in_delivery delivered delivery_failed collect " +
		"return_created return_transit return_received return_failed returned")
)

func words(s string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(s) {
		m[w] = true
	}
	return m
}

// KnownReason reports whether a reason, in any spelling, is a published one.
func KnownReason(word string) bool { return knownReasons[Key(word)] }

// KnownPreference reports whether a preference, in any spelling, is a published
// one.
func KnownPreference(word string) bool { return knownPreferences[Key(word)] }

// KnownPhase reports whether a shipment phase, in any spelling, is a published
// one.
func KnownPhase(word string) bool { return knownPhases[Key(word)] }
