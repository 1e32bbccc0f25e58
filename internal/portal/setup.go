package portal

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/claimflow/claimflow/claim"
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

func (v *visit) saveToken() error {
	_, err := v.api.Connect(v.r.Context(), v.session.Shop, v.r.PostFormValue("token"))
	if err == nil {
		v.kept.forget(v.session.Shop)
		return v.done("setup", "connected")
	}
	// A token is never shown again, not even the one that was refused.
	return v.refusedForm(err, nil, func(f form) error {
		return v.showSetup(http.StatusUnprocessableEntity, func(d *setupData) { d.Token = f })
	})
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
	body, err := json.Marshal(patch)
	if err != nil {
		return err
	}
	if _, err := v.api.UpdateSettings(v.r.Context(), v.session.Shop, body); err != nil {
		return v.refusedForm(err, fields, func(f form) error {
			return v.showSetup(http.StatusUnprocessableEntity, func(d *setupData) { d.Settings = f })
		})
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
