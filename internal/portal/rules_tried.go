package portal

import (
	"slices"
	"strings"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
)

// tried is what would be different for past claims.
type tried struct {
	// Kind is what was tried: "settings" or "status".
	Kind string
	// Claims is how many claims were tried, and Different how many would be different.
	Claims, Different int
	// Rows are the first of them.
	Rows []triedRow
	// Unused are the texts that would not be used.
	Unused []string
}

// triedRow is a claim that would be different.
type triedRow struct {
	ID      string
	State   string
	Changes []triedChange
}

// triedChange is one difference: what is different, as it is and as it would be.
type triedChange struct{ What, Is, Would string }

// maxTriedRows bounds the claims that a page lists.
const maxTriedRows = 50

// More is how many different claims the page does not list.
func (t *tried) More() int { return t.Different - len(t.Rows) }

func (v *visit) triedSettings(p client.SettingsPreview) *tried {
	t := &tried{Kind: "settings", Claims: p.Claims, Different: len(p.Different), Unused: v.origins(p.UnusedTexts)}
	var choices claim.Choices
	if slices.ContainsFunc(p.Different, func(d client.OpeningDifference) bool {
		return d.Is.QueueID != d.Would.QueueID || d.Is.AgentID != d.Would.AgentID
	}) {
		if found, err := v.choices(v.r.Context()); err == nil { // ids do without names
			choices = found
		}
	}
	for _, d := range p.Different[:min(len(p.Different), maxTriedRows)] {
		row := triedRow{ID: d.ClaimID, State: v.state(d.State)}
		compare := func(key, is, would string) {
			if is != would {
				row.Changes = append(row.Changes, triedChange{v.words.say("rules.tried." + key), v.orNone(is), v.orNone(would)})
			}
		}
		compare("rule", d.Is.Rule, d.Would.Rule)
		compare("mailbox", d.Is.EmailIntegrationID, d.Would.EmailIntegrationID)
		compare("target", v.target(&d.Is, &choices), v.target(&d.Would, &choices))
		compare("opening", v.words.say("rules.opening."+d.Is.Kind), v.words.say("rules.opening."+d.Would.Kind))
		compare("language", v.language(d.Is.Language).Name, v.language(d.Would.Language).Name)
		compare("template", v.origin(d.Is.Template), v.origin(d.Would.Template))
		compare("tags", strings.Join(d.Is.Tags, ", "), strings.Join(d.Would.Tags, ", "))
		compare("problem", d.Is.Problem, d.Would.Problem)
		t.Rows = append(t.Rows, row)
	}
	return t
}

// target says in words to whom a conversation goes.
func (v *visit) target(o *client.Opening, choices *claim.Choices) string {
	then := claim.RouteThen{QueueID: o.QueueID, AgentID: o.AgentID}
	return strings.Join(v.routeThen(&then, choices), ", ")
}

func (v *visit) orNone(text string) string {
	if text == "" {
		return v.words.say("rules.tried.none")
	}
	return text
}

func (v *visit) triedStatusRules(p client.StatusRulesPreview) *tried {
	t := &tried{Kind: "status", Claims: p.Claims, Different: len(p.Different)}
	inTurn := func(statuses []string) string {
		names := make([]string, len(statuses))
		for i, s := range statuses {
			names[i] = v.status(s)
		}
		return v.orNone(strings.Join(names, " → "))
	}
	for _, d := range p.Different[:min(len(p.Different), maxTriedRows)] {
		t.Rows = append(t.Rows, triedRow{d.ClaimID, v.state(d.State), []triedChange{{v.words.say("rules.tried.statuses"), inTurn(d.Is), inTurn(d.Would)}}})
	}
	return t
}
