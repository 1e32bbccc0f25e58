package templates

import (
	"cmp"
	"slices"

	"golang.org/x/text/language"

	"github.com/claimflow/claimflow/claim"
)

// The scopes of templates, in order of precedence.
const (
	ScopeShop     = "shop"
	ScopePlatform = "platform"
	ScopeBuiltIn  = "built-in"
)

// Candidate is a template with its scope, its reason or flow, and its language.
type Candidate struct {
	Scope    string // ScopeShop, ScopePlatform or ScopeBuiltIn
	Key      string // a reason or a flow, as normalized by claim.NormalizeKey
	Language string // a BCP 47 tag
	Source   Source
}

// Name returns the name under which the candidate is recorded, such as
// "shop/damaged/de".
func (c Candidate) Name() string { return c.Scope + "/" + c.Key + "/" + c.Language }

// Choose selects the template of a claim from the stored templates of the shop and
// the platform and the built-in ones. It always finds one.
//
// The wanted languages decide first, in order: a built-in template in the right
// language serves a customer better than the shop's own in another. Within a
// language, the scope decides (shop, platform, built-in), then the key (the claim's
// reason before its flow), then how close the template's language is to the wanted
// one (de-CH, de, de-DE for de-CH). A general template serves flows that have no
// template in that language.
//
// Members that the selected template omits come from the next candidates in the same
// language and finally from the built-in template.
func Choose(c *claim.Claim, languages []string, stored []Candidate) Candidate {
	keys := []string{c.ReasonKey(), c.FlowKey()}
	all := slices.DeleteFunc(slices.Concat(stored, builtIn()), func(one Candidate) bool {
		return !slices.Contains(keys, claim.NormalizeKey(one.Key)) && claim.NormalizeKey(one.Key) != claim.FlowGeneral
	})
	for _, wanted := range slices.Concat(languages, []string{"en"}) {
		spoken := inLanguage(all, wanted)
		if len(spoken) == 0 {
			continue
		}
		slices.SortStableFunc(spoken, func(a, b Candidate) int {
			return cmp.Or(rank(a, keys)-rank(b, keys), distance(a.Language, wanted)-distance(b.Language, wanted))
		})
		winner := spoken[0]
		for _, beneath := range spoken[1:] {
			winner.Source = winner.Source.over(beneath.Source)
		}
		last, ok := Default(c.FlowKey(), baseOf(winner.Language))
		if !ok {
			last, _ = Default(c.FlowKey(), "en")
		}
		winner.Source = winner.Source.over(last)
		return winner
	}
	panic("templates: no built-in English template covers the flow")
}

// rank orders candidates of one language by scope and key, with general ones last.
func rank(c Candidate, keys []string) int {
	scope := slices.Index([]string{ScopeShop, ScopePlatform, ScopeBuiltIn}, c.Scope)
	key := slices.Index(keys, claim.NormalizeKey(c.Key))
	if key < 0 {
		return 100 + scope
	}
	return scope*10 + key
}

// distance orders the tags of one language: the wanted one, then its parents, then
// all others.
func distance(offered, wanted string) int {
	have := locale(offered)
	steps := 0
	for tag := locale(wanted); tag != language.Und; tag = tag.Parent() {
		if tag == have {
			return steps
		}
		steps++
	}
	return 100
}

// inLanguage returns the candidates in the wanted language, in any region. If there
// are none, it returns those in a language that speakers of the wanted one also
// read.
func inLanguage(all []Candidate, wanted string) []Candidate {
	want := locale(wanted)
	var same, near []Candidate
	for _, c := range all {
		have := locale(c.Language)
		if want == language.Und || have == language.Und {
			continue
		}
		_, _, confidence := language.NewMatcher([]language.Tag{have}).Match(want)
		switch {
		case confidence < language.High:
		case confidence == language.Exact || baseOf(c.Language) == baseOf(wanted):
			same = append(same, c)
		default:
			near = append(near, c)
		}
	}
	if len(same) > 0 {
		return same
	}
	return near
}
