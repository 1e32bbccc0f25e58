package portal

import (
	"errors"
	"net/http"
	"strings"

	"github.com/claimflow/claimflow/client"
)

// form is a form as a person filled it in, with what is wrong with it.
type form struct {
	Values map[string]string
	// Faults are by field. Summary is what concerns the whole form.
	Faults  map[string]string
	Summary string
}

// Value returns what a field shows.
func (f form) Value(field string) string { return f.Values[field] }

// Fault returns what is wrong with a field.
func (f form) Fault(field string) string { return f.Faults[field] }

// refusedForm shows a form again after the API refused it. What was typed into the fields
// is kept. An error that the person cannot mend in the form is returned.
func (v *visit) refusedForm(err error, fields []string, show func(form) error) error {
	var refused *client.Error
	if !errors.As(err, &refused) || refused.Status == http.StatusForbidden || refused.Status == http.StatusNotFound {
		return err
	}
	f := form{Values: map[string]string{}, Faults: map[string]string{}}
	for _, name := range fields {
		f.Values[name] = v.r.PostFormValue(name)
	}
	var others []string
	for _, e := range refused.Errors {
		field := e.Field
		if _, shown := f.Values[field]; !shown {
			field, _, _ = strings.Cut(field, "[") // an item of a list is wrong
		}
		if _, shown := f.Values[field]; shown {
			f.Faults[field] = v.words.problem(e.Message)
		} else {
			others = append(others, e.Field+" "+e.Message)
		}
	}
	switch {
	case len(others) > 0:
		f.Summary = strings.Join(others, "; ")
	case len(f.Faults) == 0:
		f.Summary = v.faultOf(err)
	}
	return show(f)
}

// faultOf returns the portal's words for an error of the API, or else the API's own.
func (v *visit) faultOf(err error) string {
	var refused *client.Error
	if !errors.As(err, &refused) {
		note(v.r.Context()).err = err
		return v.words.say("broken.text")
	}
	if refused.Status >= http.StatusInternalServerError {
		note(v.r.Context()).err = err
	}
	if key := "fault." + refused.Code; v.words.has(key) {
		return v.words.say(key)
	}
	return refused.Detail
}

// filledIn reports whether the form of a request arrived: an empty field inherits, so a form
// that was cut off must not count as an empty one.
func (v *visit) filledIn(field string) bool {
	return v.r.ParseForm() == nil && v.r.PostForm.Has(field) //nolint:forbidigo // a form of a request, not http.PostForm
}

// lost answers a form that did not arrive as a whole.
func (v *visit) lost() error {
	v.show(http.StatusUnprocessableEntity, "message", view{Title: v.words.say("form.lost.title"), Data: v.words.say("form.lost.text")})
	return nil
}
