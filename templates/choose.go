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

func (c *Candidate) speaksIn(v claim.Voice) bool {
	return (*claim.TemplateSource)(&c.Source).SpeaksIn(v)
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
// The subject and the body of a template that speaks in another voice than the wanted one
// are as if it omitted them, and its language then counts only if another template speaks
// it: what is written as if by the customer must not be mailed to the customer.
//
// Members that the selected template omits come from the next candidates in the same
// language and finally from the built-in template.
func Choose(c *claim.Claim, languages []string, voice claim.Voice, stored []Candidate) Candidate {
	keys := []string{c.ReasonKey(), c.FlowKey()}
	all := slices.DeleteFunc(slices.Concat(stored, builtIn(voice)), func(one Candidate) bool {
		return !slices.Contains(keys, claim.NormalizeKey(one.Key)) && claim.NormalizeKey(one.Key) != claim.FlowGeneral
	})
	for _, wanted := range slices.Concat(languages, []string{"en"}) {
		spoken := inLanguage(all, wanted)
		if !slices.ContainsFunc(spoken, func(one Candidate) bool { return one.speaksIn(voice) }) {
			continue
		}
		slices.SortStableFunc(spoken, func(a, b Candidate) int {
			return cmp.Or(rank(a, keys)-rank(b, keys), distance(a.Language, wanted)-distance(b.Language, wanted))
		})
		winner := spoken[slices.IndexFunc(spoken, func(one Candidate) bool { return one.speaksIn(voice) })]
		winner.Source = Source{}
		for _, one := range spoken {
			if !one.speaksIn(voice) {
				one.Source.Subject, one.Source.Body, one.Source.Format = "", "", ""
			}
			winner.Source = winner.Source.over(one.Source)
		}
		last, ok := Default(c.FlowKey(), baseOf(winner.Language), voice)
		if !ok {
			last, _ = Default(c.FlowKey(), "en", voice)
		}
		winner.Source = winner.Source.over(last)
		if winner.Source.Voice = voice; voice == claim.VoiceCustomer {
			winner.Source.Voice = "" // the default
		}
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
