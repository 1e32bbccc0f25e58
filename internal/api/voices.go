package api

import (
	"context"
	"fmt"
	"strings"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/templates"
)

// unusedTexts names the templates whose subject or body speaks in another voice than the
// one in which conversations open. They are not used, so that nobody is mailed what is
// written as if by the customer.
func unusedTexts(voice claim.Voice, all []templates.Candidate) []string {
	var names []string
	for i := range all {
		source := claim.TemplateSource(all[i].Source)
		if !source.SpeaksIn(voice) {
			names = append(names, all[i].Name())
		}
	}
	return names
}

// unusedWarning says that texts are not used; nil if there are none.
func unusedWarning(voice claim.Voice, names []string) []string {
	if len(names) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("The setting opening makes the first message speak as the %s. Subject and body of these texts speak as the other side, so standard texts are used instead: %s. Write them in that voice and set their voice to %q.",
		voice, strings.Join(names, ", "), voice)}
}

// withVoices adds to a shop's integration which texts its settings leave unused.
func (a *api) withVoices(ctx context.Context, in claim.Integration, err error) (claim.Integration, error) {
	if err != nil {
		return in, err
	}
	place, err := a.place(ctx, &InTemplate{InShop: InShop{Shop: in.Slug}})
	if err != nil {
		return in, err
	}
	in.UnusedTexts = unusedTexts(in.Effective.Voice(), place.candidates)
	in.Warnings = unusedWarning(in.Effective.Voice(), in.UnusedTexts)
	return in, nil
}
