package portal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
)

func (p *Portal) ruleRoutes() {
	const page, may = claim.PageRules, claim.MayConfigure
	p.page(page, "GET rules", "", (*visit).rules)
	p.page(page, "POST rules/voice", may, (*visit).voice)
	p.page(page, "POST rules/tags", may, (*visit).tags)
	p.page(page, "GET rules/routing", "", (*visit).routing)
	p.page(page, "POST rules/routing", may, (*visit).editRouting)
	p.page(page, "POST rules/routing/inherit", may, (*visit).inheritRouting)
	p.page(page, "GET rules/status", "", (*visit).statusRules)
	p.page(page, "POST rules/status", may, (*visit).editStatusRules)
	p.page(page, "POST rules/status/inherit", may, (*visit).inheritStatusRules)
}

// The forms of settings, with their fields.
var (
	voiceFields = []string{"opening", "language", "default_language", "default_country"}
	tagFields   = []string{"tag", "extra_tags", "order_number_attribute", "claim_id_attribute"}
)

// settingsData is what the pages of rules know of the shop's settings.
type settingsData struct {
	claim.Settings
	own map[string]json.RawMessage
	// Speaks is who speaks in the first message. Unused are the texts that speak as the other
	// side.
	Speaks claim.Voice
	Unused []string
	// Choices are what Dixa has. ChoicesFault says why they are unknown.
	Choices      claim.Choices
	ChoicesFault string
}

// Own reports whether the shop has set a member itself.
func (d settingsData) Own(member string) bool { return d.own[member] != nil }

func (v *visit) settings(ctx context.Context) (settingsData, error) {
	integration, err := v.api.Integration(ctx, v.session.Shop)
	d := settingsData{Settings: integration.Effective, own: map[string]json.RawMessage{}, Speaks: integration.Effective.Voice(), Unused: v.origins(integration.UnusedTexts)}
	if err == nil && len(integration.Own) > 0 {
		err = json.Unmarshal(integration.Own, &d.own)
	}
	return d, err
}

// addChoices reads what the settings can name in Dixa.
func (d *settingsData) addChoices(ctx context.Context, v *visit) {
	choices, err := v.choices(ctx)
	if err != nil {
		d.ChoicesFault = v.faultOf(err)
	}
	d.Choices = choices
}

// rulesData is what the first page of rules shows.
type rulesData struct {
	settingsData
	Tab string
	// Inherited are the values that apply because the shop sets none.
	Inherited map[string]string
	Languages []named
	// Attributes are the choices of the two attributes.
	Attributes           map[string][]claim.Choice
	Voice, Tags          form
	VoiceTried, TagTried *tried
}

func (v *visit) rules() error { return v.showRules(http.StatusOK, func(*rulesData) {}) }

func (v *visit) showRules(status int, change func(*rulesData)) error {
	settings, err := v.settings(v.r.Context())
	if err != nil {
		return err
	}
	d := rulesData{settingsData: settings}
	if len(settings.Routing) > 0 || settings.OrderNumberAttribute != "" || settings.ClaimIDAttribute != "" || v.session.May(claim.MayConfigure) {
		d.addChoices(v.r.Context(), v)
	}
	effective := map[string]string{
		"opening": v.words.say("rules.opening." + d.Opening), "language": v.words.say("rules.language.customer"), "default_language": v.language(d.DefaultLanguage).Name,
		"default_country": d.DefaultCountry, "tag": d.Tag, "extra_tags": strings.Join(d.ExtraTags, ", "),
		"order_number_attribute": nameIn(d.Choices.Attributes, d.OrderNumberAttribute), "claim_id_attribute": nameIn(d.Choices.Attributes, d.ClaimIDAttribute),
	}
	if d.Language != "" {
		effective["language"] = v.language(d.Language).Name
	}
	saved := map[string]string{
		"opening": d.Opening, "language": d.Language, "default_language": d.DefaultLanguage, "default_country": d.DefaultCountry,
		"tag": d.Tag, "extra_tags": strings.Join(d.ExtraTags, "\n"), "order_number_attribute": d.OrderNumberAttribute, "claim_id_attribute": d.ClaimIDAttribute,
	}
	d.Inherited = map[string]string{}
	for member := range saved {
		if !d.Own(member) {
			d.Inherited[member] = effective[member]
			saved[member] = ""
		}
	}
	d.Voice, d.Tags = form{Values: saved}, form{Values: saved}
	change(&d)
	d.Languages = v.languages(d.Voice.Value("language"))
	if other := d.Voice.Value("default_language"); other != "" && nameOfNamed(d.Languages, other) == "" {
		d.Languages = append(d.Languages, v.language(other))
	}
	d.Attributes = map[string][]claim.Choice{}
	for _, member := range []string{"order_number_attribute", "claim_id_attribute"} {
		d.Attributes[member] = withChosen(d.Choices.Attributes, d.Tags.Value(member))
	}
	v.show(status, "rules", view{Title: v.words.say("page.rules"), Data: d})
	return nil
}

func nameOfNamed(list []named, id string) string {
	for _, n := range list {
		if n.ID == id {
			return n.Name
		}
	}
	return ""
}

// nameIn returns the name of an object in Dixa, or its id if it is not known.
func nameIn(choices []claim.Choice, id string) string {
	for _, c := range choices {
		if strings.EqualFold(c.ID, id) {
			return c.Name
		}
	}
	return id
}

func (v *visit) voice() error {
	patch := map[string]any{}
	for _, member := range voiceFields {
		patch[member] = orInherited(strings.TrimSpace(v.text(member)))
	}
	if country, ok := patch["default_country"].(string); ok {
		patch["default_country"] = strings.ToUpper(country)
	}
	return v.changeSettings(patch, voiceFields, func(d *rulesData, f form, t *tried) { d.Voice, d.VoiceTried = f, t })
}

func (v *visit) tags() error {
	patch := map[string]any{}
	for _, member := range tagFields {
		patch[member] = orInherited(strings.TrimSpace(v.text(member)))
	}
	if patch["extra_tags"] != nil {
		patch["extra_tags"] = lines(v.text("extra_tags"))
	}
	return v.changeSettings(patch, tagFields, func(d *rulesData, f form, t *tried) { d.Tags, d.TagTried = f, t })
}

// orInherited returns the value of a merge patch: an empty one inherits again.
func orInherited(value string) any {
	if value == "" {
		return nil
	}
	return value
}

// changeSettings tries or saves what was typed into a form. put puts the form and its
// result on the page.
func (v *visit) changeSettings(patch map[string]any, fields []string, put func(*rulesData, form, *tried)) error {
	if !v.filledIn(fields[0]) {
		return v.lost()
	}
	typed := form{Values: map[string]string{}}
	for _, name := range fields {
		typed.Values[name] = v.text(name)
	}
	result, err := v.tryOrSave(patch)
	if err != nil {
		faults, err := v.faultsOf(err)
		if err != nil {
			return err
		}
		typed.Faults = map[string]string{}
		var others []string
		for _, f := range faults {
			if _, shown := typed.Values[f.Field]; shown {
				typed.Faults[f.Field] = strings.TrimSpace(typed.Faults[f.Field] + "\n" + f.Text)
			} else {
				others = append(others, f.Text)
			}
		}
		if typed.Summary = strings.Join(others, " "); typed.Summary == "" {
			typed.Summary = v.words.say("rules.refused")
		}
		return v.showRules(http.StatusUnprocessableEntity, func(d *rulesData) { put(d, typed, nil) })
	}
	if result == nil {
		return v.done("rules", "saved")
	}
	return v.showRules(http.StatusOK, func(d *rulesData) { put(d, typed, result) })
}

// tryOrSave saves a change of the settings, or, if that is what was pressed, tries it on
// past claims and returns the result.
func (v *visit) tryOrSave(patch map[string]any) (*tried, error) {
	body, err := json.Marshal(patch)
	if err != nil {
		return nil, err
	}
	if v.r.PostFormValue("do") != "try" {
		_, err = v.api.UpdateSettings(v.r.Context(), v.session.Shop, body)
		return nil, err
	}
	preview, err := v.api.PreviewSettings(v.r.Context(), v.session.Shop, client.SettingsPreviewRequest{Settings: body})
	if err != nil {
		return nil, err
	}
	return v.triedSettings(preview), nil
}

// settingPath is the path of a setting: "tag", "extra_tags[0]", "routing[2].then.queue_id"
// or "status_rules[2].when.tags[0]".
var settingPath = regexp.MustCompile(`^([a-z_]+)(?:\[(\d+)\])?(?:\.([a-z_.]+))?(?:\[(\d+)\])?$`)

// faultsOf returns the faults that a person can mend in a form, with the fields as the
// API names them: "extra_tags[0]" is "extra_tags". Other errors are returned.
func (v *visit) faultsOf(err error) ([]fieldFault, error) {
	var refused *client.Error
	if !errors.As(err, &refused) || refused.Status == http.StatusForbidden || refused.Status == http.StatusNotFound {
		return nil, err
	}
	var out []fieldFault
	for _, e := range refused.Errors {
		f := fieldFault{Field: e.Field, Text: v.words.problem(e.Message)}
		if m := settingPath.FindStringSubmatch(e.Field); m != nil {
			f.Field, f.Rule, f.Member = m[1], m[2], m[3]
			entry := m[4]
			if f.Member == "" {
				f.Rule, entry = "", m[2]
			}
			if entry != "" {
				f.Text = v.words.say("problem.entry", following(entry), f.Text)
			}
		}
		out = append(out, f)
	}
	if len(out) == 0 {
		out = append(out, fieldFault{Text: v.faultOf(err)})
	}
	return out, nil
}

// inheritSetting removes a member of the shop's own settings.
func (v *visit) inheritSetting(member, path string) error {
	if _, err := v.api.UpdateSettings(v.r.Context(), v.session.Shop, fmt.Appendf(nil, `{%q: null}`, member)); err != nil {
		return err
	}
	return v.done(path, "rules_inherited")
}
