package portal

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
)

func (p *Portal) setupRoutes() {
	const page, may = claim.PageSetup, claim.MayConfigure
	p.livePage(page, "setup", (*visit).setup)
	p.page(page, "POST setup/token", may, (*visit).saveToken)
	p.page(page, "POST setup/disconnect", may, (*visit).disconnect)
	p.page(page, "POST setup/settings", may, (*visit).saveSettings)
	p.page(page, "POST setup/enable", may, (*visit).enable)
	p.page(page, "POST setup/disable", may, (*visit).disable)
	p.page(page, "POST setup/test", may, (*visit).testSetup)
}

// setupData is what the page of the set-up shows.
type setupData struct {
	claim.Integration
	// Choices are what Dixa has. ChoicesFault says why they are unknown.
	Choices      claim.Choices
	ChoicesFault string
	// NotReady is the key of the reason why the integration cannot be turned on.
	NotReady  string
	Endpoints int
	// Token, Settings, Switch and Test are the forms.
	Token, Settings, Switch, Test form
}

// setup shows the connection to Dixa.
func (v *visit) setup() error { return v.showSetup(http.StatusOK, func(*setupData) {}) }

// showSetup shows the page with what change adds to it.
func (v *visit) showSetup(status int, change func(*setupData)) error {
	ctx := v.r.Context()
	integration, err := v.api.Integration(ctx, v.session.Shop)
	if err != nil {
		return err
	}
	d := setupData{Integration: integration}
	endpoints, err := v.api.Endpoints(ctx, v.session.Shop)
	if err != nil {
		return err
	}
	d.Endpoints = len(endpoints)
	d.NotReady = notReady(&integration)
	if integration.Connection != nil && integration.Connection.State == claim.ConnectionActive && isFragment(ctx) == nil {
		d.addChoices(ctx, v)
	}
	d.Settings = form{Values: map[string]string{
		"email_integration_id": integration.Effective.EmailIntegrationID, "default_agent_id": integration.Effective.DefaultAgentID,
	}}
	change(&d)
	v.show(status, "setup", view{Title: v.words.say("page.setup"), Live: true, Data: d})
	return nil
}

// addChoices reads what the forms offer. What is saved already is offered in any case.
func (d *setupData) addChoices(ctx context.Context, v *visit) {
	choices, err := v.choices(ctx)
	if err != nil {
		d.ChoicesFault = v.faultOf(err)
	}
	choices.Mailboxes = withChosen(choices.Mailboxes, d.Effective.EmailIntegrationID)
	choices.Agents = withChosen(choices.Agents, d.Effective.DefaultAgentID)
	d.Choices = choices
}

func withChosen(list []claim.Choice, id string) []claim.Choice {
	for _, c := range list {
		if strings.EqualFold(c.ID, id) {
			return list
		}
	}
	if id == "" {
		return list
	}
	return append(slices.Clip(list), claim.Choice{ID: id, Name: id})
}

// notReady returns the key of the reason why an integration cannot be turned on; empty if
// it can.
func notReady(in *claim.Integration) string {
	switch {
	case !in.Feature:
		return "setup.notready.feature"
	case in.Connection == nil:
		return "setup.notready.token"
	case in.Connection.State != claim.ConnectionActive:
		return "setup.notready.refused"
	case in.Effective.EmailIntegrationID == "":
		return "setup.notready.mailbox"
	default:
		return ""
	}
}

// saveToken saves a token. Blanks around it come from copying and are no part of it.
func (v *visit) saveToken() error {
	token := strings.TrimSpace(v.r.PostFormValue("token"))
	_, err := v.api.Connect(v.r.Context(), v.session.Shop, token)
	if err == nil {
		v.kept.forget(v.session.Shop)
		integration, err := v.api.Integration(v.r.Context(), v.session.Shop)
		if err != nil {
			return err
		}
		if integration.Effective.EmailIntegrationID != "" {
			return v.done("setup", "reconnected")
		}
		return v.done("setup", "connected")
	}
	// A token is never shown again, not even the one that was refused.
	return v.refusedForm(err, nil, func(f form) error {
		f.Summary = v.tokenFault(err, token, f.Summary)
		return v.showSetup(http.StatusUnprocessableEntity, func(d *setupData) { d.Token = f })
	})
}

// tokenFault says what was pasted instead of a token, as far as that can be seen without
// showing it. Other faults are said as they are.
func (v *visit) tokenFault(err error, pasted, fault string) string {
	malformed, refused := client.HasCode(err, client.CodeTokenMalformed), client.HasCode(err, client.CodeTokenRefused)
	switch {
	case malformed && pasted == "":
		return v.words.say("setup.token.empty")
	case malformed && len(strings.Fields(pasted)) > 1:
		return v.words.say("setup.token.blanks")
	case malformed:
		return v.words.say("setup.token.characters")
	case refused && (strings.HasPrefix(pasted, "https://") || strings.HasPrefix(pasted, "http://")):
		return v.words.say("setup.token.address")
	case refused && strings.Contains(pasted, "@"):
		return v.words.say("setup.token.email")
	case refused:
		return v.words.say("setup.token.refused", utf8.RuneCountInString(pasted))
	default:
		return fault
	}
}

func (v *visit) disconnect() error {
	if err := v.api.Disconnect(v.r.Context(), v.session.Shop); err != nil {
		return err
	}
	v.kept.forget(v.session.Shop)
	return v.done("setup", "disconnected")
}

func (v *visit) saveSettings() error {
	fields := []string{"email_integration_id", "default_agent_id"}
	if !v.filledIn(fields[0]) {
		return v.lost()
	}
	patch := map[string]any{}
	for _, name := range fields {
		if patch[name] = v.r.PostFormValue(name); patch[name] == "" {
			patch[name] = nil // inherited again
		}
	}
	before, err := v.api.Integration(v.r.Context(), v.session.Shop)
	if err != nil {
		return err
	}
	if patch[fields[0]] == nil && before.Effective.EmailIntegrationID == "" { // none would be inherited either
		return v.showSetup(http.StatusUnprocessableEntity, func(d *setupData) {
			d.Settings.Values["default_agent_id"] = v.r.PostFormValue("default_agent_id")
			d.Settings.Faults = map[string]string{fields[0]: v.words.say("setup.mailbox.missing")}
		})
	}
	body, err := json.Marshal(patch)
	if err != nil {
		return err
	}
	after, err := v.api.UpdateSettings(v.r.Context(), v.session.Shop, body)
	if err != nil {
		return v.refusedForm(err, fields, func(f form) error {
			return v.showSetup(http.StatusUnprocessableEntity, func(d *setupData) { d.Settings = f })
		})
	}
	if after.Effective.EmailIntegrationID == "" {
		return v.done("setup", "saved_without_mailbox")
	}
	return v.done("setup", "saved")
}

func (v *visit) enable() error {
	if _, err := v.api.Enable(v.r.Context(), v.session.Shop); err != nil {
		return v.refusedForm(err, nil, func(f form) error {
			return v.showSetup(http.StatusConflict, func(d *setupData) { d.Switch = f })
		})
	}
	return v.done("setup", "enabled")
}

func (v *visit) disable() error {
	if _, err := v.api.Disable(v.r.Context(), v.session.Shop); err != nil {
		return v.refusedForm(err, nil, func(f form) error {
			return v.showSetup(http.StatusConflict, func(d *setupData) { d.Switch = f })
		})
	}
	return v.done("setup", "disabled")
}
