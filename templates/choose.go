package templates

import (
	"slices"

	"golang.org/x/text/language"

	"github.com/claimflow/claimflow/claim"
)

// The scopes of templates, the strongest first.
const (
	ScopeShop     = "shop"
	ScopePlatform = "platform"
	ScopeBuiltIn  = "built-in"
)

// Candidate is a template with its place: who wrote it, for which reason or
// flow, in which language.
type Candidate struct {
	Scope    string // ScopeShop, ScopePlatform or ScopeBuiltIn
	Key      string // a reason or a flow, in the spelling of claim.Key
	Language string // a BCP 47 tag
	Source   Source
}

// Name is how the candidate is recorded, such as "shop/damaged/de".
func (c Candidate) Name() string { return c.Scope + "/" + c.Key + "/" + c.Language }

// Choose picks the template of a claim among those that the shop and the
// platform stored and the built-in ones. It always finds one.
//
// The wanted languages decide first, in their order: a customer is better
// served by a built-in template in the right language than by the shop's own in
// another. Within a language, scope decides (shop, platform, built-in), then the
// key: the claim's reason before its flow. A general template serves flows that
// nobody wrote one for in that language.
//
// Members that the winner leaves out come from the next candidates in the same
// language, at last from the built-in template.
func Choose(c *claim.Claim, languages []string, stored []Candidate) Candidate {
	keys := []string{c.ReasonKey(), c.FlowKey()}
	all := slices.Concat(stored, builtIn())
	all = slices.DeleteFunc(all, func(one Candidate) bool {
		return !slices.Contains(keys, claim.Key(one.Key)) && claim.Key(one.Key) != claim.FlowGeneral
	})
	slices.SortStableFunc(all, func(a, b Candidate) int { return rank(a, keys) - rank(b, keys) })

	for _, wanted := range slices.Concat(languages, []string{"en"}) {
		spoken := inLanguage(all, wanted)
		if len(spoken) == 0 {
			continue
		}
		winner := spoken[0]
		for _, beneath := range spoken[1:] {
			winner.Source = winner.Source.over(beneath.Source)
		}
		base := baseOf(winner.Language)
		last, ok := Default(c.FlowKey(), base)
		if !ok {
			last, _ = Default(c.FlowKey(), "en")
		}
		winner.Source = winner.Source.over(last)
		return winner
	}
	panic("templates: the built-in English templates cover every flow")
}

// rank orders candidates of one language: by scope and key, general ones last.
func rank(c Candidate, keys []string) int {
	scope := slices.Index([]string{ScopeShop, ScopePlatform, ScopeBuiltIn}, c.Scope)
	key := slices.Index(keys, claim.Key(c.Key))
	if key < 0 {
		return 100 + scope
	}
	return scope*10 + key
}

// inLanguage keeps the candidates of the language that serves a speaker of the
// wanted one best: the same, or one that such speakers read as their own.
func inLanguage(all []Candidate, wanted string) []Candidate {
	var offered []language.Tag
	for _, c := range all {
		if tag, err := language.Parse(c.Language); err == nil && !slices.Contains(offered, tag) {
			offered = append(offered, tag)
		}
	}
	want, err := language.Parse(wanted)
	if err != nil || len(offered) == 0 {
		return nil
	}
	_, i, confidence := language.NewMatcher(offered).Match(want)
	if confidence < language.High {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(all), func(c Candidate) bool {
		tag, err := language.Parse(c.Language)
		return err != nil || tag != offered[i]
	})
}
