package portal

import (
	"net/http"
	"slices"
	"strings"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/templates"
)

// routingFields are the fields of the editor for the members of a routing rule.
var routingFields = map[string]string{
	"name": "name", "when.reason": "reason", "when.flow": "flow", "when.phase": "phase", "when.language": "language", "when.country": "country",
	"when.min_value": "min_value", "when.max_value": "max_value", "then.email_integration_id": "mailbox", "then.queue_id": "target", "then.agent_id": "target",
}

// routingData is what the page of routing rules shows.
type routingData struct {
	settingsData
	ruleList
	Reasons, Flows, Phases []option
}

func (v *visit) routing() error {
	settings, err := v.settings(v.r.Context())
	if err != nil {
		return err
	}
	return v.showRouting(http.StatusOK, settings, ruleDraft[claim.RoutingRule]{Rules: settings.Routing, Open: -1}, func(*routingData) {})
}

func (v *visit) editRouting() error {
	settings, err := v.settings(v.r.Context())
	if err != nil {
		return err
	}
	draft, ok := readDraft(v, v.typedRoute)
	if !ok {
		return v.lost()
	}
	if draft.change(v.r.PostFormValue("do")) {
		return v.showRouting(http.StatusOK, settings, draft, func(*routingData) {})
	}
	result, err := v.tryOrSave(map[string]any{"routing": append([]claim.RoutingRule{}, draft.Rules...)})
	if err != nil {
		faults, err := v.ruleFaults(err, routingFields)
		if err != nil {
			return err
		}
		if first := faults.first(); first >= 0 {
			draft.Open = first
		}
		return v.showRouting(http.StatusUnprocessableEntity, settings, draft, func(d *routingData) {
			d.refused(v, faults)
		})
	}
	if result == nil {
		return v.done("rules/routing", "saved")
	}
	return v.showRouting(http.StatusOK, settings, draft, func(d *routingData) { d.Tried = result })
}

func (v *visit) inheritRouting() error { return v.inheritSetting("routing", "rules/routing") }

// refused marks the rules with faults and puts the faults of the open one at its fields.
func (l *ruleList) refused(v *visit, all ruleFaults) {
	l.Form.Faults, l.Form.Summary = all.at(l.Open), v.summary(all, l.Open)
	if l.Form.Summary == "" {
		l.Form.Summary = v.words.say("rules.refused")
	}
	for i := range l.Rows {
		l.Rows[i].Bad = len(all[i]) > 0
	}
}

// typedRoute returns the rule in the editor.
func (v *visit) typedRoute() claim.RoutingRule {
	value := func(name string) string { return strings.TrimSpace(v.text(name)) }
	r := claim.RoutingRule{
		Name: value("name"),
		When: claim.RouteWhen{
			Reason: append(untied(v.list("reason"), claim.Reasons()), splitWords(value("other_reason"))...),
			Flow:   v.list("flow"), Phase: v.list("phase"),
			Language: splitWords(value("language")), Country: splitWords(value("country")),
			MinValue: claim.Amount(amount(value("min_value"))), MaxValue: claim.Amount(amount(value("max_value"))),
		},
		Then: claim.RouteThen{EmailIntegrationID: value("mailbox")},
	}
	switch kind, id, _ := strings.Cut(value("target"), ":"); kind {
	case "queue":
		r.Then.QueueID = id
	case "agent":
		r.Then.AgentID = id
	}
	return r
}

// amount accepts a decimal comma.
func amount(text string) string { return strings.Replace(text, ",", ".", 1) }

func (v *visit) showRouting(status int, settings settingsData, draft ruleDraft[claim.RoutingRule], change func(*routingData)) error {
	if len(draft.Rules) > 0 {
		settings.addChoices(v.r.Context(), v)
	}
	d := routingData{settingsData: settings, ruleList: ruleList{Tab: "routing", Open: draft.Open, JSON: draft.JSON(), IsOwn: settings.Own("routing")}}
	for i := range draft.Rules {
		d.Rows = append(d.Rows, ruleRow{Name: draft.Rules[i].Name, When: v.routeWhen(&draft.Rules[i].When), Then: v.routeThen(&draft.Rules[i].Then, &settings.Choices)})
	}
	if draft.Open >= 0 {
		d.edit(v, draft.Rules[draft.Open])
	}
	d.Unsaved = !isSame(draft.Rules, settings.Routing)
	change(&d)
	v.show(status, "rules", view{Title: v.words.say("rules.routing"), Data: d})
	return nil
}

// edit puts a rule into the editor.
func (d *routingData) edit(v *visit, r claim.RoutingRule) {
	d.Form.Values = map[string]string{
		"name": r.Name, "language": strings.Join(r.When.Language, ", "), "country": strings.Join(r.When.Country, ", "),
		"min_value": string(r.When.MinValue), "max_value": string(r.When.MaxValue), "mailbox": r.Then.EmailIntegrationID,
	}
	switch {
	case r.Then.QueueID != "":
		d.Form.Values["target"] = "queue:" + r.Then.QueueID
	case r.Then.AgentID != "":
		d.Form.Values["target"] = "agent:" + r.Then.AgentID
	}
	d.Reasons = tickable(claim.Reasons(), r.When.Reason, v.singleReason)
	d.Flows = tickable(claim.Flows(), r.When.Flow, v.reason)
	d.Phases = tickable(claim.Phases(), r.When.Phase, v.phase)
	d.Choices.Mailboxes = withChosen(d.Choices.Mailboxes, r.Then.EmailIntegrationID)
	d.Choices.Queues = withChosen(d.Choices.Queues, r.Then.QueueID)
	d.Choices.Agents = withChosen(d.Choices.Agents, r.Then.AgentID)
}

// phase returns a shipment phase with its text in the person's language.
func (v *visit) phase(key string) named {
	return named{key, templates.NewView(&claim.Claim{Phase: key}, templates.ViewInput{Language: v.words.language}).Phase.Text}
}

// routeWhen says in words when a rule applies.
func (v *visit) routeWhen(w *claim.RouteWhen) []string {
	var out []string
	add := func(key string, words []string, name func(string) named) {
		if len(words) == 0 {
			return
		}
		names := make([]string, len(words))
		for i, word := range words {
			names[i] = name(word).Name
		}
		slices.Sort(names)
		out = append(out, v.words.say("rules.when."+key, strings.Join(slices.Compact(names), ", ")))
	}
	plain := func(s string) named { return named{s, s} }
	add("reason", w.Reason, v.singleReason)
	add("flow", w.Flow, v.reason)
	add("phase", w.Phase, v.phase)
	add("language", w.Language, v.language)
	add("country", w.Country, plain)
	if w.MinValue != "" {
		out = append(out, v.words.say("rules.when.min", w.MinValue))
	}
	if w.MaxValue != "" {
		out = append(out, v.words.say("rules.when.max", w.MaxValue))
	}
	return out
}

// routeThen says in words where a rule sends claims.
func (v *visit) routeThen(t *claim.RouteThen, choices *claim.Choices) []string {
	var out []string
	if t.EmailIntegrationID != "" {
		out = append(out, v.words.say("rules.then.mailbox", nameIn(choices.Mailboxes, t.EmailIntegrationID)))
	}
	if t.QueueID != "" {
		out = append(out, v.words.say("rules.then.queue", nameIn(choices.Queues, t.QueueID)))
	}
	if t.AgentID != "" {
		out = append(out, v.words.say("rules.then.agent", nameIn(choices.Agents, t.AgentID)))
	}
	return out
}
