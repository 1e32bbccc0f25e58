package portal

import (
	"iter"
	"net/http"
	"regexp"
	"strings"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
)

// trial is a test that runs while its page is rendered.
type trial struct {
	v     *visit
	steps iter.Seq2[client.TestStep, error]
	// Report is the report, after the last check; nil if the test was cut off.
	Report *claim.Report
}

// Checks yields the checks as they end. What the page shows so far is sent before each.
func (t *trial) Checks() iter.Seq[claim.Check] {
	return func(yield func(claim.Check) bool) {
		t.v.flush()
		for step, err := range t.steps {
			switch {
			case err != nil:
				note(t.v.r.Context()).err = err
				return
			case step.Report != nil:
				t.Report = step.Report
			case !yield(t.v.inWords(step.Check)):
				return
			default:
				t.v.flush()
			}
		}
	}
}

// checkDetails are what checks find, in the words of the API, with the keys of the portal's
// own words.
var checkDetails = []wording{
	{regexp.MustCompile(`^allowed$`), "check.detail.allowed"},
	{regexp.MustCompile(`^the customer already exists$`), "check.detail.exists"},
	{regexp.MustCompile(`^created; the customer remains in Dixa$`), "check.detail.created"},
	{regexp.MustCompile(`^conversation (\d+) in (.*)$`), "check.detail.opened"},
	{regexp.MustCompile(`^tagged (.*)$`), "check.detail.tagged"},
	{regexp.MustCompile(`^written$`), "check.detail.written"},
	{regexp.MustCompile(`^no automatic reply(?: within .*)?$`), "check.detail.no_auto_reply"},
	{regexp.MustCompile(`^Dixa sends an automatic reply: .*$`), "check.detail.auto_reply"},
	{regexp.MustCompile(`^a reply requires an agent: .*$`), "check.detail.no_agent"},
	{sentAs, "check.detail.sent"},
	{regexp.MustCompile(`^conversation (\d+) lists the reply after the opening message$`), "check.detail.thread"},
	{regexp.MustCompile(`^closed$`), "check.detail.closed"},
	{regexp.MustCompile(`^customers could not be read$`), "check.detail.unread"},
	{regexp.MustCompile(`^no customer is available$`), "check.detail.no_customer"},
	{regexp.MustCompile(`^no conversation was opened$`), "check.detail.no_conversation"},
	{regexp.MustCompile(`^the reply was not confirmed$`), "check.detail.no_reply"},
}

// sentAs matches the detail that names the agent who replied by id.
var sentAs = regexp.MustCompile(`^sent as agent (.+)$`)

// inWords returns a check in the person's language, as far as the portal knows its words.
func (v *visit) inWords(c claim.Check) claim.Check {
	if m := sentAs.FindStringSubmatch(c.Detail); m != nil {
		if choices, err := v.choices(v.r.Context()); err == nil { // the id does without a name
			c.Detail = "sent as agent " + nameIn(choices.Agents, m[1])
		}
	}
	c.Name = v.words.sayOr("check.name."+claim.NormalizeKey(c.Name), c.Name)
	c.Detail, _ = v.words.reworded(checkDetails, c.Detail)
	return c
}

// testSetup tests the connection and shows each check as it ends.
func (v *visit) testSetup() error {
	steps, err := v.api.WatchTest(v.r.Context(), v.session.Shop, client.TestRequest{Email: strings.TrimSpace(v.r.PostFormValue("email"))})
	if err != nil {
		return v.refusedForm(err, []string{"email"}, func(f form) error {
			return v.showSetup(http.StatusUnprocessableEntity, func(d *setupData) { d.Test = f })
		})
	}
	v.showGrowing("setup-trial", view{Title: v.words.say("setup.test.page"), Data: &trial{v: v, steps: steps}})
	return nil
}
