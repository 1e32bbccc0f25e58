package portal

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/claimflow/claimflow/claim"
)

// maxRules bounds the rules of a draft, which the person cannot save beyond it.
const maxRules = 100

// maxDraftBytes bounds the text of a draft: settings that are larger cannot be saved.
const maxDraftBytes = 256 << 10

// ruleDraft is a list of rules that a person changes before it is tried and saved. The
// form carries it, so that nothing is stored until the person saves it.
type ruleDraft[R any] struct {
	Rules []R
	// Open is the rule in the editor, or -1.
	Open int
}

// readDraft returns the draft of a form, with the open rule as typed.
func readDraft[R any](v *visit, typed func() R) (d ruleDraft[R], ok bool) {
	text := v.r.PostFormValue("rules")
	if len(text) > maxDraftBytes || json.Unmarshal([]byte(text), &d.Rules) != nil || len(d.Rules) > maxRules {
		return d, false
	}
	d.Open = -1
	if open, err := strconv.Atoi(v.r.PostFormValue("open")); err == nil && open >= 0 && open < len(d.Rules) {
		d.Open, d.Rules[open] = open, typed()
	}
	return d, true
}

// change carries out a button of the list: "up:2", "down:2", "remove:2", "edit:2", "add"
// or "close". It reports whether it was one.
func (d *ruleDraft[R]) change(do string) bool {
	verb, index, _ := strings.Cut(do, ":")
	i, err := strconv.Atoi(index)
	named := err == nil && i >= 0 && i < len(d.Rules)
	switch {
	case verb == "try" || verb == "save":
		return false
	case verb == "add" && len(d.Rules) < maxRules:
		var empty R
		d.Rules = append(d.Rules, empty)
		d.Open = len(d.Rules) - 1
		return true
	case verb == "edit" && named:
		d.Open = i
		return true
	case verb == "up" && named && i > 0:
		d.Rules[i-1], d.Rules[i] = d.Rules[i], d.Rules[i-1]
	case verb == "down" && named && i+1 < len(d.Rules):
		d.Rules[i+1], d.Rules[i] = d.Rules[i], d.Rules[i+1]
	case verb == "remove" && named:
		d.Rules = slices.Delete(d.Rules, i, i+1)
	}
	d.Open = -1
	return true
}

// JSON is the draft as the form carries it.
func (d *ruleDraft[R]) JSON() string { return rulesJSON(d.Rules) }

func rulesJSON[R any](rules []R) string {
	text, err := json.Marshal(append([]R{}, rules...))
	if err != nil {
		return "[]" // rules are texts and lists
	}
	return string(text)
}

// isSame reports whether a draft is what is saved.
func isSame[R any](draft, saved []R) bool { return rulesJSON(draft) == rulesJSON(saved) }

// ruleFaults are the faults of rules by number, each with its field in the editor. Faults
// of none are under -1.
type ruleFaults map[int][]fieldFault

// ruleFaults groups the faults of rules. fields names the field of the editor for a
// member of a rule.
func (v *visit) ruleFaults(err error, fields map[string]string) (ruleFaults, error) {
	faults, err := v.faultsOf(err)
	if err != nil {
		return nil, err
	}
	all := ruleFaults{}
	for _, f := range faults {
		number := -1
		if n, err := strconv.Atoi(f.Rule); err == nil {
			number, f.Field = n, fields[f.Member]
		}
		all[number] = append(all[number], f)
	}
	return all, nil
}

// summary says what is wrong with the rules that are not open.
func (v *visit) summary(all ruleFaults, open int) string {
	var out []string
	for number := -1; number < maxRules; number++ {
		for _, f := range all[number] {
			switch {
			case number < 0:
				out = append(out, f.Text)
			case number != open || f.Field == "":
				out = append(out, v.words.say("rules.fault", number+1, f.Text))
			}
		}
	}
	return strings.Join(out, "\n")
}

// first returns the first rule with a fault, or -1.
func (all ruleFaults) first() int {
	for number := range maxRules {
		if len(all[number]) > 0 {
			return number
		}
	}
	return -1
}

// at returns the faults of a rule by field.
func (all ruleFaults) at(number int) map[string]string {
	out := map[string]string{}
	for _, f := range all[number] {
		if f.Field != "" {
			out[f.Field] = strings.TrimSpace(out[f.Field] + "\n" + f.Text)
		}
	}
	return out
}

// ruleRow is a rule in words.
type ruleRow struct {
	Name       string
	When, Then []string
	Bad        bool
}

// ruleList is the list of rules and the state of its form.
type ruleList struct {
	Tab  string
	Rows []ruleRow
	JSON string
	// Open is the rule in the editor, or -1; its form is Form.
	Open int
	Form form
	// IsOwn says that the shop has rules of its own.
	IsOwn bool
	// Unsaved says that the list differs from what is saved.
	Unsaved bool
	Tried   *tried
}

// Last is the number of the last rule.
func (l ruleList) Last() int { return len(l.Rows) - 1 }

// splitWords splits a field with words between commas or on lines of their own.
func splitWords(text string) []string {
	var out []string
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == '\n' || r == ';' }) {
		if word = strings.TrimSpace(word); word != "" {
			out = append(out, word)
		}
	}
	return out
}

// tickable lists known words with those that are chosen ticked, and other chosen words
// after them. Words with the same name are one choice, unless only some of them are chosen:
// then each is one, with the word itself.
func tickable(known, chosen []string, name func(string) named) []option {
	is := func(key string) bool {
		return slices.ContainsFunc(chosen, func(c string) bool { return claim.NormalizeKey(c) == key })
	}
	same := map[string][]string{}
	for _, key := range known {
		same[name(key).Name] = append(same[name(key).Name], key)
	}
	var out []option
	for _, key := range known {
		n := name(key)
		keys := same[n.Name]
		ticked := len(slices.DeleteFunc(slices.Clone(keys), func(k string) bool { return !is(k) }))
		switch {
		case ticked != 0 && ticked != len(keys):
			out = append(out, option{named{key, n.Name + " (" + key + ")"}, is(key)})
		case key == keys[0]:
			out = append(out, option{named{strings.Join(keys, ","), n.Name}, ticked > 0})
		}
	}
	for _, other := range chosen {
		if key := claim.NormalizeKey(other); !slices.Contains(known, key) {
			out = append(out, option{named{other, name(key).Name}, true})
		}
	}
	return out
}

// untied returns the words of choices that stand for several known words each.
func untied(choices, known []string) []string {
	out := []string{}
	for _, choice := range choices {
		words := strings.Split(choice, ",")
		if slices.ContainsFunc(words, func(w string) bool { return !slices.Contains(known, w) }) {
			words = []string{choice}
		}
		out = append(out, words...)
	}
	return out
}
