package portal

import (
	"iter"
	"net/http"
	"strings"
	"time"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
)

// trialPatience bounds a test of the set-up.
const trialPatience = 2 * time.Minute

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
			case !yield(step.Check):
				return
			default:
				t.v.flush()
			}
		}
	}
}

// testSetup tests the connection and shows each check as it ends.
func (v *visit) testSetup() error {
	steps, err := v.api.WatchTest(v.r.Context(), v.session.Shop, client.TestRequest{Email: strings.TrimSpace(v.r.PostFormValue("email"))})
	if err != nil {
		return v.refusedForm(err, []string{"email"}, func(f form) error {
			return v.showSetup(http.StatusUnprocessableEntity, func(d *setupData) { d.Test = f })
		})
	}
	v.showGrowing("setup-trial", view{Title: v.words.say("setup.test.page"), Data: &trial{v: v, steps: steps}}, trialPatience)
	return nil
}
