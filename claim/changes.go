package claim

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// StatusWithdrawn is what an owner sets to take a claim back. Before its
// conversation is created it ends the claim; afterwards the shop's change rules
// say what is done.
const StatusWithdrawn = "withdrawn"

// ChangeRule says what is done in a claim's conversation when the claim changes
// at its owner. Every rule that matches applies, in order; where two contradict
// each other the later one holds.
type ChangeRule struct {
	// Name is for people.
	Name string     `json:"name" validate:"required,max=100"`
	When ChangeWhen `json:"when"`
	Then ChangeThen `json:"then"`
}

// ChangeWhen is what a change must be for a rule to match. Every member that is
// given must match; a list matches where one of its words does.
type ChangeWhen struct {
	// Changed are the fields of which one must have changed, by their JSON names:
	// "customer" stands for everything within it, "customer.email" for that alone.
	Changed []string `json:"changed,omitempty" validate:"max=50,dive,required,max=100"`
	// Status and Preference are what the change sets them to, in any spelling.
	Status     []string `json:"status,omitempty" validate:"max=20,dive,required,max=100"`
	Preference []string `json:"preference,omitempty" validate:"max=20,dive,required,max=100"`
}

// ChangeThen is what a rule does. All of it are wanted states: what is so already
// is left alone.
type ChangeThen struct {
	// Note writes an internal note with what changed.
	Note bool `json:"note,omitempty"`
	// AddTags and RemoveTags name tags. Only tags of ours are removed: those that
	// begin with [Settings.Tag].
	AddTags    []string `json:"add_tags,omitempty" validate:"max=20,dive,required,max=100"`
	RemoveTags []string `json:"remove_tags,omitempty" validate:"max=20,dive,required,max=100"`
	// Close, Reopen and FollowUp, which sets the conversation aside for so long,
	// exclude each other.
	Close    bool     `json:"close,omitempty"`
	Reopen   bool     `json:"reopen,omitempty"`
	FollowUp Duration `json:"follow_up,omitempty" validate:"shortest=0s,longest=365d"`
	// QueueID and AgentID say who gets it. They exclude each other.
	QueueID string `json:"queue_id,omitempty" validate:"omitempty,uuid"`
	AgentID string `json:"agent_id,omitempty" validate:"omitempty,uuid"`
}

// DefaultChangeRules hold where a shop has none of its own. tag is the stem of the
// shop's tags.
func DefaultChangeRules(tag string) []ChangeRule {
	accepted, rejected := tag+"-accepted", tag+"-rejected"
	return []ChangeRule{
		{"tell the agents", ChangeWhen{}, ChangeThen{Note: true}},
		{"accepted", ChangeWhen{Status: []string{StatusAccepted}}, ChangeThen{AddTags: []string{accepted}, RemoveTags: []string{rejected}}},
		{"rejected", ChangeWhen{Status: []string{StatusRejected}}, ChangeThen{AddTags: []string{rejected}, RemoveTags: []string{accepted}}},
		{"withdrawn", ChangeWhen{Status: []string{StatusWithdrawn}}, ChangeThen{AddTags: []string{tag + "-withdrawn"}, Close: true}},
	}
}

// FieldChange is a field of a claim with what it was and is, in words. Both may be
// personal.
type FieldChange struct {
	Field string `json:"field"`
	Old   string `json:"old"`
	New   string `json:"new"`
}

// OwnerChange is what changed of a claim at its owner after its conversation was
// created: the body of an [InstructChange].
type OwnerChange struct {
	Fields []FieldChange `json:"fields"`
	// Status and Preference are what the change sets them to; empty where they
	// stay.
	Status     string `json:"status,omitempty"`
	Preference string `json:"preference,omitempty"`
	// Said are new words of the customer, see [Said], and Added the files that
	// came with them, see [NewEvidence].
	Said  string `json:"said,omitempty"`
	Added *Claim `json:"added,omitempty"`
	// Cut is what of the change was too long.
	Cut []Cut `json:"cut,omitempty"`
}

// Wanted is what is to be so in a conversation after a change.
type Wanted struct {
	Note       bool     `json:"note,omitempty"`
	AddTags    []string `json:"add_tags,omitempty"`
	RemoveTags []string `json:"remove_tags,omitempty"`
	// Close, Reopen and FollowUp: at most one is set.
	Close    bool          `json:"close,omitempty"`
	Reopen   bool          `json:"reopen,omitempty"`
	FollowUp time.Duration `json:"follow_up,omitempty"`
	// QueueID and AgentID: at most one is set.
	QueueID string `json:"queue_id,omitempty"`
	AgentID string `json:"agent_id,omitempty"`
}

// Wants is what the shop's change rules say of a change.
func (s *Settings) Wants(c *OwnerChange) Wanted {
	rules := s.ChangeRules
	if len(rules) == 0 {
		rules = DefaultChangeRules(s.Tag)
	}
	var w Wanted
	tags := map[string]bool{}
	for _, r := range rules {
		if r.When.matches(c) {
			w.take(r.Then, tags)
		}
	}
	for _, tag := range slices.Sorted(maps.Keys(tags)) {
		switch {
		case tags[tag]:
			w.AddTags = append(w.AddTags, tag)
		case s.Owns(tag):
			w.RemoveTags = append(w.RemoveTags, tag)
		}
	}
	return w
}

// Owns reports whether a tag is one of ours, which may be removed.
func (s *Settings) Owns(tag string) bool {
	tag, stem := strings.ToLower(tag), strings.ToLower(s.Tag)
	return tag == stem || strings.HasPrefix(tag, stem+"-")
}

// Names reports whether the settings make use of a tag: one of ours, an extra tag,
// or one of the status and change rules.
func (s *Settings) Names(tag string) bool {
	lists := [][]string{s.ExtraTags}
	for _, r := range s.StatusRules {
		lists = append(lists, r.When.Tags, r.When.AnyTag, r.When.NoTag)
	}
	for _, r := range s.ChangeRules {
		lists = append(lists, r.Then.AddTags, r.Then.RemoveTags)
	}
	return s.Owns(tag) || slices.ContainsFunc(slices.Concat(lists...), func(name string) bool { return strings.EqualFold(strings.TrimSpace(name), tag) })
}

func (w *Wanted) take(t ChangeThen, tags map[string]bool) {
	w.Note = w.Note || t.Note
	for _, tag := range t.AddTags {
		tags[strings.TrimSpace(tag)] = true
	}
	for _, tag := range t.RemoveTags {
		tags[strings.TrimSpace(tag)] = false
	}
	if t.Close || t.Reopen || t.FollowUp > 0 {
		w.Close, w.Reopen, w.FollowUp = t.Close, t.Reopen, time.Duration(t.FollowUp)
	}
	if t.QueueID != "" || t.AgentID != "" {
		w.QueueID, w.AgentID = t.QueueID, t.AgentID
	}
}

func (w *ChangeWhen) matches(c *OwnerChange) bool {
	given := func(words []string, word string) bool { return len(words) == 0 || word != "" && oneOf(words, word) }
	if !given(w.Status, c.Status) || !given(w.Preference, c.Preference) {
		return false
	}
	return len(w.Changed) == 0 || slices.ContainsFunc(c.Fields, func(f FieldChange) bool {
		return slices.ContainsFunc(w.Changed, func(name string) bool {
			return f.Field == name || strings.HasPrefix(f.Field, name+".")
		})
	})
}

// changeable are the members of a claim that its owner can change.
var changeable = []string{
	"answers", "customer", "customer_signature_image_url", "description", "flow", "image_urls", "locale", "optional_image_urls",
	"order", "phase", "reason", "resolution_preference", "selected_items", "shipments", "status",
}

// CheckChangeRules finds faults of the change rules that follow from several
// settings together. It is for settings that are about to be saved: what is saved
// already must not stop because a setting that it inherits changes. The error is
// an [*InvalidError].
func (s *Settings) CheckChangeRules() error {
	var faults []Fault
	for i, r := range s.ChangeRules {
		fault := func(member, problem string) {
			faults = append(faults, Fault{Field: fmt.Sprintf("change_rules[%d].%s", i, member), Problem: problem})
		}
		for j, name := range r.When.Changed {
			top, _, _ := strings.Cut(name, ".")
			if !slices.Contains(changeable, top) {
				fault(fmt.Sprintf("when.changed[%d]", j), "is no member of a claim that can change; there are "+strings.Join(changeable, ", "))
			}
		}
		for j, tag := range r.Then.RemoveTags {
			if !s.Owns(strings.TrimSpace(tag)) {
				fault(fmt.Sprintf("then.remove_tags[%d]", j), `must begin with "`+s.Tag+`-": only tags of ours are ever removed`)
			}
		}
		if then := r.Then; count(then.Close, then.Reopen, then.FollowUp > 0) > 1 {
			fault("then", "can have one of close, reopen and follow_up")
		}
		if r.Then.QueueID != "" && r.Then.AgentID != "" {
			fault("then", "can have one of queue_id and agent_id")
		}
	}
	if len(faults) > 0 {
		return &InvalidError{What: "settings", Faults: faults}
	}
	return nil
}

func count(of ...bool) int {
	n := 0
	for _, b := range of {
		if b {
			n++
		}
	}
	return n
}

// Bounds of what is told of a change.
const (
	maxFieldChanges = 40
	maxChangeWords  = 500 // bytes of a value
)

// FieldChanges are the fields in which a claim differs from what it was, each with
// both values in words, cut where they are long. See [Differences] for what does
// not count.
func FieldChanges(before, after *Claim) []FieldChange {
	a, b := withoutDeliveries(before), withoutDeliveries(after)
	var out []FieldChange
	for _, path := range Differences(before, after) {
		if len(out) == maxFieldChanges {
			break
		}
		out = append(out, FieldChange{Field: path, Old: valueInWords(at(a, path)), New: valueInWords(at(b, path))})
	}
	return out
}

func at(m map[string]any, path string) any {
	head, rest, nested := strings.Cut(path, ".")
	if !nested {
		return m[head]
	}
	inner, _ := m[head].(map[string]any)
	return at(inner, rest)
}

// valueInWords spells a value for people. Files are counted: their addresses are
// of no use to them.
func valueInWords(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case []any:
		if len(v) > 0 {
			if _, texts := v[0].(string); texts {
				return files(len(v))
			}
		}
		parts := make([]string, 0, len(v))
		for _, e := range v {
			m, _ := e.(map[string]any)
			parts = append(parts, elementInWords(m))
		}
		return shorten(strings.Join(parts, "; "))
	case string:
		if strings.HasPrefix(v, "https://") || strings.HasPrefix(v, "http://") {
			return files(1)
		}
		return shorten(v)
	default:
		return shorten(fmt.Sprint(v))
	}
}

func files(n int) string {
	if n == 1 {
		return "1 file"
	}
	return fmt.Sprintf("%d files", n)
}

// elementInWords spells an item, an answer or a shipment.
func elementInWords(m map[string]any) string {
	text := func(name string) string {
		if m[name] == nil {
			return ""
		}
		return fmt.Sprint(m[name])
	}
	switch {
	case m["quantity"] != nil:
		words := text("quantity") + " × " + first(text("title"), text("sku"))
		if photos, ok := m["image_urls"].([]any); ok {
			words += " (" + files(len(photos)) + ")"
		}
		return words
	case m["question"] != nil:
		return text("question") + " " + text("answer")
	}
	words := slices.DeleteFunc([]string{text("carrier_reference"), text("tracking_number"), text("phase")}, func(s string) bool { return s == "" })
	return strings.Join(words, " ")
}

func shorten(s string) string {
	if len(s) <= maxChangeWords {
		return s
	}
	return strings.ToValidUTF8(s[:maxChangeWords], "") + "…"
}
