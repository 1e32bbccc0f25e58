package claim

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// StatusWithdrawn is the status that an owner sets to withdraw a claim. Before the
// conversation is created, it ends the claim. Afterwards, the shop's change rules
// decide what happens.
const StatusWithdrawn = "withdrawn"

// ChangeRule says what happens in a claim's conversation when its owner changes the
// claim. All matching rules apply, in order. If two conflict, the later rule wins.
type ChangeRule struct {
	// Name is the display name.
	Name string     `json:"name" validate:"required,max=100"`
	When ChangeWhen `json:"when"`
	Then ChangeThen `json:"then"`
}

// ChangeWhen is the condition of a rule. Every member that is set must match. A list
// matches if one of its values matches.
type ChangeWhen struct {
	// Changed lists fields by JSON name. At least one of them must have changed.
	// "customer" covers all its members, "customer.email" only that one.
	Changed []string `json:"changed,omitempty" validate:"max=50,dive,required,max=100"`
	// Status and Preference match the new values, in any spelling.
	Status     []string `json:"status,omitempty" validate:"max=20,dive,required,max=100"`
	Preference []string `json:"preference,omitempty" validate:"max=20,dive,required,max=100"`
}

// ChangeThen is the desired state that a rule sets. Anything already in that state
// is left alone.
type ChangeThen struct {
	// Note writes an internal note that lists the changes.
	Note bool `json:"note,omitempty"`
	// AddTags and RemoveTags name tags. Only Claimflow's own tags can be removed:
	// [Settings.Tag] itself and tags that start with it and a hyphen.
	AddTags    []string `json:"add_tags,omitempty" validate:"max=20,dive,required,max=100"`
	RemoveTags []string `json:"remove_tags,omitempty" validate:"max=20,dive,required,max=100"`
	// Close, Reopen and FollowUp are mutually exclusive. FollowUp snoozes the
	// conversation for the given duration.
	Close    bool     `json:"close,omitempty"`
	Reopen   bool     `json:"reopen,omitempty"`
	FollowUp Duration `json:"follow_up,omitempty" validate:"shortest=0s,longest=365d"`
	// QueueID and AgentID assign the conversation. They are mutually exclusive.
	QueueID string `json:"queue_id,omitempty" validate:"omitempty,uuid"`
	AgentID string `json:"agent_id,omitempty" validate:"omitempty,uuid"`
}

// DefaultChangeRules are the rules of a shop that sets none. tag is the prefix of
// the shop's tags.
func DefaultChangeRules(tag string) []ChangeRule {
	accepted, rejected := tag+"-accepted", tag+"-rejected"
	return []ChangeRule{
		{"note for agents", ChangeWhen{}, ChangeThen{Note: true}},
		{"accepted", ChangeWhen{Status: []string{StatusAccepted}}, ChangeThen{AddTags: []string{accepted}, RemoveTags: []string{rejected}}},
		{"rejected", ChangeWhen{Status: []string{StatusRejected}}, ChangeThen{AddTags: []string{rejected}, RemoveTags: []string{accepted}}},
		{"withdrawn", ChangeWhen{Status: []string{StatusWithdrawn}}, ChangeThen{AddTags: []string{tag + "-withdrawn"}, Close: true}},
	}
}

// FieldChange is a field of a claim with its old and new value in words. Both values
// may be personal data.
type FieldChange struct {
	Field string `json:"field"`
	Old   string `json:"old"`
	New   string `json:"new"`
}

// OwnerChange is a change that the owner makes to a claim after its conversation is
// created. It is the body of an [InstructChange].
type OwnerChange struct {
	Fields []FieldChange `json:"fields"`
	// Status and Preference are the new values; empty if unchanged.
	Status     string `json:"status,omitempty"`
	Preference string `json:"preference,omitempty"`
	// Said is the customer's new text, see [AddedText]. Added holds the files that came
	// with it, see [NewEvidence].
	Said  string `json:"said,omitempty"`
	Added *Claim `json:"added,omitempty"`
	// Cut lists the parts of the change that were too long.
	Cut []Truncation `json:"cut,omitempty"`
}

// DesiredState is the desired state of a conversation after a change.
type DesiredState struct {
	Note       bool     `json:"note,omitempty"`
	AddTags    []string `json:"add_tags,omitempty"`
	RemoveTags []string `json:"remove_tags,omitempty"`
	// At most one of Close, Reopen and FollowUp is set.
	Close    bool          `json:"close,omitempty"`
	Reopen   bool          `json:"reopen,omitempty"`
	FollowUp time.Duration `json:"follow_up,omitempty"`
	// At most one of QueueID and AgentID is set.
	QueueID string `json:"queue_id,omitempty"`
	AgentID string `json:"agent_id,omitempty"`
}

// EvaluateChange applies the shop's change rules to a change.
func (s *Settings) EvaluateChange(c *OwnerChange) DesiredState {
	rules := s.ChangeRules
	if len(rules) == 0 {
		rules = DefaultChangeRules(s.Tag)
	}
	var w DesiredState
	tags := map[string]bool{}
	for _, r := range rules {
		if r.When.matches(c) {
			w.apply(r.Then, tags)
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

// Owns reports whether Claimflow owns a tag and may therefore remove it.
func (s *Settings) Owns(tag string) bool {
	tag, stem := strings.ToLower(tag), strings.ToLower(s.Tag)
	return tag == stem || strings.HasPrefix(tag, stem+"-")
}

// UsesTag reports whether the settings use a tag: one of Claimflow's own tags, an
// extra tag, or a tag in the status or change rules.
func (s *Settings) UsesTag(tag string) bool {
	lists := [][]string{s.ExtraTags}
	for _, r := range s.StatusRules {
		lists = append(lists, r.When.Tags, r.When.AnyTag, r.When.NoTag)
	}
	for _, r := range s.ChangeRules {
		lists = append(lists, r.Then.AddTags, r.Then.RemoveTags)
	}
	return s.Owns(tag) || slices.ContainsFunc(slices.Concat(lists...), func(name string) bool { return strings.EqualFold(strings.TrimSpace(name), tag) })
}

func (w *DesiredState) apply(t ChangeThen, tags map[string]bool) {
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

// changeable lists the members of a claim that its owner can change.
var changeable = []string{
	"answers", "customer", "customer_signature_image_url", "description", "flow", "image_urls", "locale", "optional_image_urls",
	"order", "phase", "reason", "resolution_preference", "selected_items", "shipments", "status",
}

// CheckChangeRules finds errors in the change rules that depend on several settings.
// Call it only for settings that are about to be saved: saved settings must keep
// working when an inherited setting changes. The error is an [*InvalidError].
func (s *Settings) CheckChangeRules() error {
	var fieldErrors []FieldError
	for i, r := range s.ChangeRules {
		addError := func(member, problem string) {
			fieldErrors = append(fieldErrors, FieldError{Field: fmt.Sprintf("change_rules[%d].%s", i, member), Problem: problem})
		}
		for j, name := range r.When.Changed {
			top, _, _ := strings.Cut(name, ".")
			if !slices.Contains(changeable, top) {
				addError(fmt.Sprintf("when.changed[%d]", j), "is not a claim member that can change; valid members are "+strings.Join(changeable, ", "))
			}
		}
		for j, tag := range r.Then.RemoveTags {
			if !s.Owns(strings.TrimSpace(tag)) {
				addError(fmt.Sprintf("then.remove_tags[%d]", j), `must start with "`+s.Tag+`-": Claimflow removes only its own tags`)
			}
		}
		if then := r.Then; count(then.Close, then.Reopen, then.FollowUp > 0) > 1 {
			addError("then", "must have at most one of close, reopen and follow_up")
		}
		if r.Then.QueueID != "" && r.Then.AgentID != "" {
			addError("then", "must have at most one of queue_id and agent_id")
		}
	}
	if len(fieldErrors) > 0 {
		return &InvalidError{What: "settings", Errors: fieldErrors}
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

// Limits on the description of a change.
const (
	maxFieldChanges = 40
	maxChangeWords  = 500 // bytes per value
)

// FieldChanges lists the fields that differ between two versions of a claim, with
// both values in words. Long values are truncated. [Differences] says what does not
// count as a change.
func FieldChanges(before, after *Claim) []FieldChange {
	a, b := withoutDeliveries(before), withoutDeliveries(after)
	var out []FieldChange
	for _, path := range Differences(before, after) {
		if len(out) == maxFieldChanges {
			break
		}
		out = append(out, FieldChange{Field: path, Old: formatValue(lookupPath(a, path)), New: formatValue(lookupPath(b, path))})
	}
	return out
}

func lookupPath(m map[string]any, path string) any {
	head, rest, nested := strings.Cut(path, ".")
	if !nested {
		return m[head]
	}
	inner, _ := m[head].(map[string]any)
	return lookupPath(inner, rest)
}

// formatValue formats a value for people. It counts files, because their URLs are
// of no use to a reader.
func formatValue(v any) string {
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
			parts = append(parts, formatElement(m))
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

// formatElement formats an item, an answer or a shipment.
func formatElement(m map[string]any) string {
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
