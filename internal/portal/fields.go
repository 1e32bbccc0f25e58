package portal

import (
	"bytes"
	"encoding/json"
	"time"
	"unicode/utf8"
)

// refusedFields is [visit.refusedForm] with the portal's words for faults of fields: those
// of the key prefix and field, if there are any, instead of the API's.
func (v *visit) refusedFields(err error, prefix string, fields []string, show func(form) error) error {
	return v.refusedForm(err, fields, func(f form) error {
		for field := range f.Faults {
			if v.words.has(prefix + field) {
				f.Faults[field] = v.words.say(prefix + field)
			}
		}
		return show(f)
	})
}

// sayOr returns the text of a key, or else another text.
func (w words) sayOr(key, other string) string {
	if w.has(key) {
		return w.say(key)
	}
	return other
}

// list returns the values of a field that may have several, such as checkboxes; never
// nil.
func (v *visit) list(field string) []string {
	_ = v.r.PostFormValue(field)                      // parses the form
	return append([]string{}, v.r.PostForm[field]...) //nolint:forbidigo // a form of a request, not http.PostForm
}

// zoneOfForm returns the time zone in which the person filled in a form, which the script
// sends; otherwise UTC.
func (v *visit) zoneOfForm() *time.Location {
	name := v.r.FormValue("zone")
	zone, err := time.LoadLocation(name)
	if err != nil || name == "Local" {
		return time.UTC
	}
	return zone
}

// lastYear is the last year that a form takes. JSON has no years after 9999, and some
// periods end a day after the last one.
const lastYear = 9998

// timeOfForm reads a field of a date, or of a date and time. An empty field is the zero
// time.
func timeOfForm(text string, zone *time.Location) (t time.Time, ok bool) {
	if text == "" {
		return time.Time{}, true
	}
	for _, layout := range []string{"2006-01-02T15:04", "2006-01-02T15:04:05", time.DateOnly} {
		if t, err := time.ParseInLocation(layout, text, zone); err == nil {
			return t, t.Year() > 0 && t.Year() <= lastYear
		}
	}
	return time.Time{}, false
}

// shownText bounds a text on a page.
const shownText = 40 << 10

// indented returns JSON for people. It is empty for null.
func indented(data json.RawMessage) string {
	var b bytes.Buffer
	if string(data) == "null" || json.Indent(&b, data, "", "  ") != nil {
		return ""
	}
	return shortened(b.String(), shownText)
}

// shortened cuts a text to at most n bytes and a mark.
func shortened(text string, n int) string {
	if len(text) <= n {
		return text
	}
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n] + "…"
}
