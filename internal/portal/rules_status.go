package portal

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
)

// statusFields are the fields of the editor for the members of a status rule.
var statusFields = map[string]string{
	"name": "name", "when.state": "state", "when.tags": "tags", "when.any_tag": "any_tag", "when.no_tag": "no_tag", "then.status": "status", "then.conflict": "conflict",
}

// statusData is what the page of status rules shows.
type statusData struct {
	settingsData
	ruleList
	States   []option
	Statuses []string
	// Conflict says that the rule in the editor reports a contradiction.
	Conflict bool
}

// ruleStates are the states that a status rule can name.
var ruleStates = []claim.State{claim.StateOpen, claim.StatePending, claim.StateClosed, claim.StateSettled}

func (v *visit) statusRules() error {
	settings, err := v.settings(v.r.Context())
	if err != nil {
		return err
	}
	return v.showStatusRules(http.StatusOK, settings, ruleDraft[claim.StatusRule]{Rules: v.savedStatusRules(settings), Open: -1}, func(*statusData) {})
}

// savedStatusRules returns the rules that apply. The standard ones have names in the
// person's language.
func (v *visit) savedStatusRules(s settingsData) []claim.StatusRule {
	if len(s.StatusRules) == 0 {
		rules := claim.DefaultStatusRules(s.Tag)
		for i := range rules {
			rules[i].Name = v.words.term("rules.standard", rules[i].Name)
		}
		return rules
	}
	return s.StatusRules
}

func (v *visit) editStatusRules() error {
	settings, err := v.settings(v.r.Context())
	if err != nil {
		return err
	}
	draft, ok := readDraft(v, v.typedStatusRule)
	if !ok {
		return v.lost()
	}
	do := v.r.PostFormValue("do")
	if draft.change(do) {
		return v.showStatusRules(http.StatusOK, settings, draft, func(*statusData) {})
	}
	rules := append([]claim.StatusRule{}, draft.Rules...)
	var result *tried
	if do == "try" {
		result, err = v.tryStatusRules(rules)
	} else {
		err = v.saveStatusRules(rules)
	}
	if err != nil {
		faults, err := v.ruleFaults(err, statusFields)
		if err != nil {
			return err
		}
		if first := faults.first(); first >= 0 {
			draft.Open = first
		}
		return v.showStatusRules(http.StatusUnprocessableEntity, settings, draft, func(d *statusData) {
			d.refused(v, faults)
		})
	}
	if result == nil {
		return v.done("rules/status", "status_rules_saved")
	}
	return v.showStatusRules(http.StatusOK, settings, draft, func(d *statusData) { d.Tried = result })
}

func (v *visit) tryStatusRules(rules []claim.StatusRule) (*tried, error) {
	preview, err := v.api.PreviewStatusRules(v.r.Context(), v.session.Shop, client.StatusRulesRequest{StatusRules: rules})
	if err != nil {
		return nil, err
	}
	return v.triedStatusRules(preview), nil
}

func (v *visit) saveStatusRules(rules []claim.StatusRule) error {
	patch, err := json.Marshal(map[string]any{"status_rules": rules})
	if err != nil {
		return err
	}
	_, err = v.api.UpdateSettings(v.r.Context(), v.session.Shop, patch)
	return err
}

func (v *visit) inheritStatusRules() error { return v.inheritSetting("status_rules", "rules/status") }

// typedStatusRule returns the rule in the editor.
func (v *visit) typedStatusRule() claim.StatusRule {
	r := claim.StatusRule{
		Name: strings.TrimSpace(v.text("name")),
		When: claim.StatusWhen{Tags: splitWords(v.text("tags")), AnyTag: splitWords(v.text("any_tag")), NoTag: splitWords(v.text("no_tag"))},
		Then: claim.StatusThen{Status: strings.TrimSpace(v.text("status")), Conflict: v.text("conflict") != ""},
	}
	for _, s := range v.list("state") {
		r.When.State = append(r.When.State, claim.State(s))
	}
	return r
}

func (v *visit) showStatusRules(status int, settings settingsData, draft ruleDraft[claim.StatusRule], change func(*statusData)) error {
	d := statusData{
		settingsData: settings, ruleList: ruleList{Tab: "status", Open: draft.Open, JSON: draft.JSON(), IsOwn: settings.Own("status_rules")},
		Statuses: []string{claim.StatusPending, claim.StatusAccepted, claim.StatusRejected, claim.StatusClosed},
	}
	for i := range draft.Rules {
		d.Rows = append(d.Rows, ruleRow{Name: draft.Rules[i].Name, When: v.statusWhen(&draft.Rules[i].When), Then: v.statusThen(draft.Rules[i].Then)})
	}
	if draft.Open >= 0 {
		r := draft.Rules[draft.Open]
		d.Form.Values = map[string]string{
			"name": r.Name, "tags": strings.Join(r.When.Tags, ", "), "any_tag": strings.Join(r.When.AnyTag, ", "), "no_tag": strings.Join(r.When.NoTag, ", "), "status": r.Then.Status,
		}
		d.Conflict = r.Then.Conflict
		for _, s := range ruleStates {
			d.States = append(d.States, option{named{string(s), v.state(s)}, slices.Contains(r.When.State, s)})
		}
	}
	d.Unsaved = !isSame(draft.Rules, v.savedStatusRules(settings))
	change(&d)
	v.show(status, "rules", view{Title: v.words.say("rules.status"), Data: d})
	return nil
}

// state says a claim's state in words.
func (v *visit) state(s claim.State) string { return v.words.say("state." + string(s)) }

// status says a status of the owner's system in words, with the system's own word unless
// that is the same.
func (v *visit) status(word string) string {
	name := v.words.term("status", word)
	if strings.EqualFold(name, word) {
		return name
	}
	return name + " (" + word + ")"
}

// statusWhen says in words when a rule applies.
func (v *visit) statusWhen(w *claim.StatusWhen) []string {
	var out []string
	if len(w.State) > 0 {
		states := make([]string, len(w.State))
		for i, s := range w.State {
			states[i] = v.state(s)
		}
		out = append(out, v.words.say("rules.when.state", strings.Join(states, ", ")))
	}
	for key, tags := range map[string][]string{"tags": w.Tags, "any_tag": w.AnyTag, "no_tag": w.NoTag} {
		if len(tags) > 0 {
			out = append(out, v.words.say("rules.when."+key, strings.Join(tags, ", ")))
		}
	}
	slices.Sort(out)
	return out
}

// statusThen says in words what a rule reports.
func (v *visit) statusThen(t claim.StatusThen) []string {
	out := []string{v.words.say("rules.then.status", v.status(t.Status))}
	if t.Conflict {
		out = append(out, v.words.say("rules.then.conflict"))
	}
	return out
}
