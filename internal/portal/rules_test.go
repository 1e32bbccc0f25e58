package portal_test

import (
	"encoding/json"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/emulator/server"
	"github.com/claimflow/claimflow/store"
)

const (
	routingPath = "/portal/rules/routing"
	statusPath  = "/portal/rules/status"
)

// submitFor submits a claim of the shop for a reason.
func (b *bench) submitFor(id, reason string) {
	b.Helper()
	_, err := b.client.Submit(b.Context(), &claim.Claim{
		ID: id, Shop: shop, Reason: reason, Locale: "en", Customer: claim.Customer{Email: "ada@customer.example"}, Order: claim.Order{Number: "10001"},
	})
	require.NoError(b, err)
}

func (b *bench) effective() claim.Settings {
	b.Helper()
	in, err := b.client.Integration(b.Context(), shop)
	require.NoError(b, err)
	return in.Effective
}

// own returns the members that the shop has set itself.
func (b *bench) own() string {
	b.Helper()
	in, err := b.client.Integration(b.Context(), shop)
	require.NoError(b, err)
	return string(in.Own)
}

var hidden = regexp.MustCompile(`<input type="hidden" name="(rules|open)" value="([^"]*)">`)

// pressed returns the form of a page of rules with a pressed button and what is typed.
func pressed(a answer, do string, typed url.Values) url.Values {
	form := url.Values{"do": {do}}
	for _, m := range hidden.FindAllStringSubmatch(a.text, -1) {
		form.Set(m[1], html.UnescapeString(m[2]))
	}
	for name, values := range typed {
		form[name] = values
	}
	return form
}

func TestVoiceAndTags(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connect()
	b.submitFor("c-1", "damaged")
	p := b.enter(client.NewPortalLink{})
	page := p.get("/portal/rules")
	require.Equal(t, http.StatusOK, page.status)
	require.Contains(t, page.text, "Inherited: English")
	require.Contains(t, page.text, "If empty: claim.")
	require.Less(t, len(page.text), 100_000)

	voice := url.Values{"do": {"try"}, "opening": {""}, "language": {"de"}, "default_language": {""}, "default_country": {"at"}}
	tried := p.post("/portal/rules/voice", voice)
	require.Equal(t, http.StatusOK, tried.status)
	require.Contains(t, tried.text, "Of your newest claims (1), 1 would be different")
	require.Contains(t, tried.text, "German")
	require.Contains(t, tried.text, `value="at"`, "what was typed stays")
	require.Empty(t, b.effective().Language, "trying saves nothing")
	voice.Set("do", "save")
	saved := p.post("/portal/rules/voice", voice)
	require.Contains(t, saved.text, "Saved.")
	require.Contains(t, saved.text, `<option value="de" selected>`)
	require.JSONEq(t, `{"language": "de", "default_country": "AT"}`, b.own())

	tags := url.Values{"do": {"try"}, "tag": {"karla"}, "extra_tags": {"vip\r\n<b>bold</b>"}, "order_number_attribute": {server.SeedAttrOrderNumber}, "claim_id_attribute": {""}}
	tried = p.post("/portal/rules/tags", tags)
	require.Contains(t, tried.text, "karla, karla-reason-damaged, vip, &lt;b&gt;bold&lt;/b&gt;")
	tags.Set("do", "save")
	require.Contains(t, p.post("/portal/rules/tags", tags).text, "Saved.")
	require.Equal(t, []string{"vip", "<b>bold</b>"}, b.effective().ExtraTags)
	require.Equal(t, server.SeedAttrOrderNumber, b.effective().OrderNumberAttribute)

	require.Contains(t, p.post("/portal/rules/tags", url.Values{"tag": {""}}).text, "Saved.")
	require.JSONEq(t, `{"language": "de", "default_country": "AT"}`, b.own(), "an empty field inherits again")
}

func TestVoiceAndTagFaults(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connect()
	p := b.enter(client.NewPortalLink{})
	for _, test := range []struct{ form, field, value, fault string }{
		{"voice", "opening", "sideways", `id="opening-fault"`},
		{"voice", "opening", "outbound", "Choose a default agent"},
		{"voice", "language", "klingon language", `id="language-fault"`},
		{"voice", "default_language", "??", `id="default_language-fault"`},
		{"voice", "default_country", "Atlantis", `id="default_country-fault"`},
		{"tags", "tag", strings.Repeat("x", 60), `id="tag-fault">At most 50 characters`},
		{"tags", "extra_tags", "fine\n" + strings.Repeat("x", 101), "Entry 2: At most 100 characters"},
		{"tags", "extra_tags", strings.Repeat("a\n", 30), "At most 20 entries"},
		{"tags", "order_number_attribute", "nonsense", `id="order_number_attribute-fault">Choose an entry`},
		{"tags", "claim_id_attribute", server.SeedQueueClaims, `id="claim_id_attribute-fault">This does not exist in Dixa`},
	} {
		for _, do := range []string{"save", "try"} {
			if do == "try" && test.field == "claim_id_attribute" {
				continue // Dixa is asked when it is saved
			}
			refused := p.post("/portal/rules/"+test.form, url.Values{"do": {do}, "opening": {""}, "tag": {""}, test.field: {test.value}})
			require.Equal(t, http.StatusUnprocessableEntity, refused.status, test.value)
			require.Contains(t, refused.text, test.fault, "%s %s", do, test.value)
			if test.value != "sideways" { // no browser sends it
				require.Contains(t, refused.text, html.EscapeString(test.value), "what was typed stays")
			}
		}
	}
	require.JSONEq(t, `{}`, b.own())
}

func TestRoutingRules(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connect()
	b.submitFor("c-1", "damaged")
	b.submitFor("c-2", "support")
	p := b.enter(client.NewPortalLink{})
	page := p.get(routingPath)
	require.Contains(t, page.text, "There are no rules yet")
	press := func(do string, typed url.Values) answer {
		t.Helper()
		page = p.post(routingPath, pressed(page, do, typed))
		return page
	}
	press("add", nil)
	require.Contains(t, page.text, `id="editor"`)
	require.Contains(t, page.text, `<option value="queue:`+server.SeedQueueClaims+`">`)
	press("add", url.Values{"name": {"Broken <b>"}, "reason": {"damaged", "damage"}, "other_reason": {"zerbrochen, kaputt"}, "min_value": {"10,50"}, "target": {"queue:" + server.SeedQueueClaims}})
	require.Contains(t, page.text, "Broken &lt;b&gt;")
	require.Contains(t, page.text, "Reason: Damaged, Kaputt, Zerbrochen")
	require.Contains(t, page.text, "Your changes are not saved yet")
	press("up:1", url.Values{"name": {"Rest"}, "country": {"de; at"}, "mailbox": {server.SeedReturnsMailbox}})
	press("edit:1", nil)
	require.Contains(t, page.text, `value="Broken &lt;b&gt;"`, "the order has changed")
	require.Contains(t, page.text, `name="reason" value="zerbrochen" checked`)
	require.Contains(t, page.text, `value="queue:`+server.SeedQueueClaims+`" selected`)
	press("remove:0", url.Values{"name": {"Broken"}, "reason": {"damaged"}, "target": {"queue:" + server.SeedQueueClaims}})
	require.Empty(t, b.effective().Routing, "nothing is saved yet")

	press("try", nil)
	require.Contains(t, page.text, "Of your newest claims (2), 1 would be different")
	require.Contains(t, page.text, "Broken")
	require.Contains(t, page.text, "Queue: ")
	require.NotContains(t, page.text, "Queue: "+server.SeedQueueClaims, "people see names")
	require.Empty(t, b.effective().Routing)
	saved := press("save", nil)
	require.Contains(t, saved.text, "Saved.")
	require.Equal(t, []claim.RoutingRule{{Name: "Broken", When: claim.RouteWhen{Reason: []string{"damaged"}}, Then: claim.RouteThen{QueueID: server.SeedQueueClaims}}}, b.effective().Routing)

	inherited := p.post(routingPath+"/inherit", nil)
	require.Contains(t, inherited.text, "The inherited rules apply again")
	require.JSONEq(t, `{}`, b.own())
}

func TestRoutingFaultsStandAtTheirFields(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connect()
	p := b.enter(client.NewPortalLink{})
	good := claim.RoutingRule{Name: "good"}
	for name, test := range map[string]struct {
		rules []claim.RoutingRule
		typed url.Values
		field string
		fault string
		kept  string
	}{
		"no name":         {[]claim.RoutingRule{good, {}}, url.Values{"country": {"XYZ"}}, "name", "Please fill this in", `value="XYZ"`},
		"amount":          {[]claim.RoutingRule{good, {}}, url.Values{"name": {"x"}, "min_value": {"much"}}, "min_value", "Enter an amount", `value="much"`},
		"queue":           {[]claim.RoutingRule{good, {}}, url.Values{"name": {"x"}, "target": {"queue:" + server.SeedAgentAnna}}, "target", "This does not exist in Dixa", "selected"},
		"agent":           {[]claim.RoutingRule{good, {}}, url.Values{"name": {"x"}, "target": {"agent:nobody"}}, "target", "Choose an entry", `value="agent:nobody" selected`},
		"mailbox":         {[]claim.RoutingRule{good, {}}, url.Values{"name": {"x"}, "mailbox": {"nobody@acme.example"}}, "mailbox", "This does not exist in Dixa", "selected"},
		"another is open": {[]claim.RoutingRule{{Name: ""}, good, good}, url.Values{"name": {"x"}}, "name", "Please fill this in", "Rule 1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text, err := json.Marshal(test.rules)
			require.NoError(t, err)
			form := url.Values{"rules": {string(text)}, "open": {"1"}, "do": {"save"}}
			for field, values := range test.typed {
				form[field] = values
			}
			refused := p.post(routingPath, form)
			require.Equal(t, http.StatusUnprocessableEntity, refused.status, refused.text)
			require.Contains(t, refused.text, `id="`+test.field+`-fault">`+test.fault)
			require.Contains(t, refused.text, test.kept)
			require.Contains(t, refused.text, "To be corrected")
			require.Empty(t, b.effective().Routing)
		})
	}
}

func TestRuleFormsSurviveNonsense(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connect()
	p := b.enter(client.NewPortalLink{})
	many, err := json.Marshal(make([]claim.RoutingRule, 101))
	require.NoError(t, err)
	for _, path := range []string{routingPath, statusPath} {
		for _, rules := range []string{"", "{", `{"a": 1}`, `["x"]`, string(many), `[{"name": "` + strings.Repeat("x", 300<<10) + `"}]`} {
			lost := p.post(path, url.Values{"rules": {rules}, "do": {"save"}})
			require.Equal(t, http.StatusUnprocessableEntity, lost.status)
			require.Contains(t, lost.text, "Your changes were lost")
		}
		for _, do := range []string{"up:0", "up:9", "down:1", "down:-1", "remove:7", "edit:x", "edit:9", "fly", ""} {
			kept := p.post(path, url.Values{"rules": {`[{"name": "one"}, {"name": "two"}]`}, "open": {"99"}, "do": {do}})
			require.Equal(t, http.StatusOK, kept.status, do)
			require.Contains(t, kept.text, `[{&#34;name&#34;:&#34;one&#34;`, do)
			require.Contains(t, kept.text, "two")
		}
	}
	require.JSONEq(t, `{}`, b.own(), "none of it saves anything")
}

// A form that was cut off must not count as one with empty fields, which inherit.
func TestCutFormsChangeNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	_, err := b.client.SetTemplate(t.Context(), shop, "damaged", "en", client.TemplateSource{Subject: "Ours"})
	require.NoError(t, err)
	_, err = b.client.UpdateSettings(t.Context(), shop, []byte(`{"tag": "ours", "language": "de", "routing": [{"name": "ours", "when": {}, "then": {}}]}`))
	require.NoError(t, err)
	before := b.own()
	p := b.enter(client.NewPortalLink{})
	for _, form := range []url.Values{nil, {"do": {"save"}}, {"opening": {""}, "tag": {""}, "body": {strings.Repeat("x", 3<<20)}, "rules": {"[]"}}} {
		for _, path := range []string{textPath, "/portal/templates/damaged/try?language=en", "/portal/rules/voice", "/portal/rules/tags", routingPath, statusPath} {
			lost := p.post(path, form)
			require.Equal(t, http.StatusUnprocessableEntity, lost.status, path)
			require.Contains(t, lost.text, "Your changes were lost")
		}
	}
	require.JSONEq(t, before, b.own())
	current, err := b.client.Template(t.Context(), shop, "damaged", "en")
	require.NoError(t, err)
	require.NotNil(t, current.Own)
}

func TestStatusRules(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connect()
	p := b.enter(client.NewPortalLink{})
	page := p.get(statusPath)
	require.Contains(t, page.text, "The standard rules apply")
	require.Contains(t, page.text, "All of the tags: claim-accepted, claim-rejected")
	press := func(do string, typed url.Values) answer {
		t.Helper()
		page = p.post(statusPath, pressed(page, do, typed))
		return page
	}
	press("remove:0", nil)
	press("edit:0", nil)
	require.Contains(t, page.text, `value="claim-accepted"`)
	refused := press("save", url.Values{"name": {"accepted"}, "state": {"sleeping"}, "tags": {"refunded"}})
	require.Equal(t, http.StatusUnprocessableEntity, refused.status)
	require.Contains(t, refused.text, `id="status-fault">Please fill this in`)
	require.Contains(t, refused.text, `id="state-fault">Entry 1: Only these are possible`)
	require.Contains(t, refused.text, `value="refunded"`)
	press("try", url.Values{"name": {"accepted"}, "state": {"closed", "settled"}, "tags": {"refunded, voucher"}, "no_tag": {"fraud"}, "status": {"accepted"}, "conflict": {"1"}})
	require.Equal(t, http.StatusOK, page.status, page.text)
	require.Contains(t, page.text, "There are no claims yet")
	require.JSONEq(t, `{}`, b.own())
	saved := press("save", url.Values{"name": {"accepted"}, "state": {"closed", "settled"}, "tags": {"refunded, voucher"}, "no_tag": {"fraud"}, "status": {"accepted"}, "conflict": {"1"}})
	require.Contains(t, saved.text, "Saved.")
	rules := b.effective().StatusRules
	require.Len(t, rules, 4)
	require.Equal(t, claim.StatusRule{
		Name: "accepted", When: claim.StatusWhen{State: []claim.State{claim.StateClosed, claim.StateSettled}, Tags: []string{"refunded", "voucher"}, NoTag: []string{"fraud"}},
		Then: claim.StatusThen{Status: "accepted", Conflict: true},
	}, rules[0])
	require.Contains(t, p.post(statusPath+"/inherit", nil).text, "The inherited rules apply again")
	require.Empty(t, b.effective().StatusRules)
}

func TestRulesNeedTheCapability(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connect()
	_, err := b.client.UpdateSettings(t.Context(), shop, []byte(`{"routing": [{"name": "ours", "when": {}, "then": {}}]}`))
	require.NoError(t, err)
	reader := b.enter(client.NewPortalLink{Capabilities: []claim.PortalCapability{}, Language: "de"})
	for path, words := range map[string]string{"/portal/rules": "Sprache und Ansprache", routingPath: "ours", statusPath: "Standardregeln"} {
		seen := reader.get(path)
		require.Equal(t, http.StatusOK, seen.status)
		require.Contains(t, seen.text, words)
		require.NotContains(t, seen.text, `name="rules"`)
		require.NotContains(t, seen.text, "inherit\"")
	}
	for _, path := range []string{"/portal/rules/voice", "/portal/rules/tags", routingPath, routingPath + "/inherit", statusPath, statusPath + "/inherit"} {
		require.Equal(t, http.StatusForbidden, reader.post(path, url.Values{"rules": {"[]"}, "do": {"save"}}).status, path)
	}
	require.Len(t, b.effective().Routing, 1)
}

func TestRulesWithoutDixa(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.enter(client.NewPortalLink{})
	for _, path := range []string{"/portal/rules", routingPath, statusPath} {
		require.Equal(t, http.StatusOK, p.get(path).status, "a shop without a token can prepare its rules")
	}
	saved := p.post(routingPath, url.Values{"rules": {`[{"name": "later"}]`}, "open": {"-1"}, "do": {"save"}})
	require.Contains(t, saved.text, "Saved.")
	require.Contains(t, saved.text, "The lists from Dixa cannot be shown")
}

func TestStatusRulesAreTriedOnPastClaims(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connect()
	b.submitFor("c-1", "damaged")
	b.submitFor("c-2", "damaged")
	for _, event := range []claim.Event{claim.EventStart, claim.EventOpened} {
		_, err := b.store.Claims.Change(t.Context(), claim.Ref{Shop: shop, ID: "c-1"}, event, store.ClaimUpdate{})
		require.NoError(t, err)
	}
	p := b.enter(client.NewPortalLink{Language: "de"})
	tried := p.post(statusPath, url.Values{"rules": {`[{"name": "alle", "when": {}, "then": {"status": "in <Arbeit>"}}]`}, "open": {"-1"}, "do": {"try"}})
	require.Equal(t, http.StatusOK, tried.status)
	require.Contains(t, tried.text, "Von Ihren neuesten Reklamationen (1) wäre es bei 1 anders.")
	require.Contains(t, tried.text, "in &lt;Arbeit&gt;")
	require.Contains(t, tried.text, "pending")
	require.Empty(t, b.effective().StatusRules)
}
