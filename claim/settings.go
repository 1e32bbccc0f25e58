package claim

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"github.com/shopspring/decimal"
)

// Settings control how the claims of a shop, or of all the platform's shops, become
// conversations. They inherit in the order built-in, platform, shop; see [Resolve].
// Enabling and pausing are properties of the shop, not settings.
type Settings struct {
	// EmailIntegrationID is the Dixa contact endpoint in which conversations are
	// opened, a mailbox address such as support@acme.email.dixa.io.
	EmailIntegrationID string `json:"email_integration_id" validate:"omitempty,email"`
	// DefaultAgentID is the agent to whom new conversations are assigned. If empty,
	// Dixa routes them.
	DefaultAgentID string `json:"default_agent_id" validate:"omitempty,uuid"`
	// DefaultQueueID is the queue for new conversations without an agent. If empty,
	// Dixa routes them.
	DefaultQueueID string `json:"default_queue_id" validate:"omitempty,uuid"`
	// Opening is "inbound" (the default) to open conversations with a message from
	// the customer, or "outbound" to open them with a message from the routed
	// or default agent, which emails the customer.
	Opening string `json:"opening" validate:"oneof=inbound outbound"`
	// Language is the fixed language of the shop's texts. If empty, the customer's
	// language applies.
	Language string `json:"language" validate:"omitempty,bcp47_language_tag"`
	// DefaultLanguage applies to customers whose language is unknown.
	DefaultLanguage string `json:"default_language" validate:"required,bcp47_language_tag"`
	// DefaultCountry is the ISO 3166-1 alpha-2 country for national phone numbers if
	// a claim names no country.
	DefaultCountry string `json:"default_country" validate:"omitempty,iso3166_1_alpha2"`
	// Tag is set on every conversation that Claimflow opens. It is also the prefix
	// of the other default tags.
	Tag string `json:"tag" validate:"required,max=50"`
	// ExtraTags are set on every conversation in addition to the default tags.
	ExtraTags []string `json:"extra_tags" validate:"max=20,dive,required,max=100"`
	// OrderNumberAttribute and ClaimIDAttribute are the ids of the custom
	// conversation attributes in Dixa that hold the order number and the claim's id.
	// An empty id means that the attribute is not written.
	OrderNumberAttribute string `json:"order_number_attribute" validate:"omitempty,uuid"`
	ClaimIDAttribute     string `json:"claim_id_attribute" validate:"omitempty,uuid"`
	// Routing are the rules that select mailbox, queue and agent. The first match
	// wins.
	Routing []RoutingRule `json:"routing" validate:"max=100,dive"`
	// StatusRules determine the status reported to the owner of the claims. The
	// first match wins. Empty means [DefaultStatusRules].
	StatusRules []StatusRule `json:"status_rules" validate:"max=50,dive"`
	// ChangeRules determine what happens in a conversation when the owner changes
	// its claim. Every match applies. Empty means [DefaultChangeRules].
	ChangeRules []ChangeRule `json:"change_rules" validate:"max=50,dive"`
	// ShipmentNotes are the shipment phases, in any spelling, that cause a note
	// while a claim is open.
	ShipmentNotes []string `json:"shipment_notes" validate:"max=50,dive,required,max=100"`
	// Evidence limits the files that are offered to Dixa.
	Evidence EvidenceSettings `json:"evidence"`
	// OpenWithin is the time from acceptance until a claim that is not open raises
	// its fallback: 1s to 30d.
	OpenWithin Duration `json:"open_within" validate:"shortest=1s,longest=30d"`
	// QuietPeriod is how long a closed conversation may still reopen before its
	// claim is settled: 1s to 365d. A claim that is already closed applies a new
	// value at its next event, or within a day.
	QuietPeriod Duration `json:"quiet_period" validate:"shortest=1s,longest=365d"`
	// The sum of CommitWindow and ListLag limits how long after an unanswered create
	// the conversation may still appear in Dixa. A second create is sent only if a
	// check after that time finds nothing. 0s to 24h each.
	CommitWindow Duration `json:"commit_window" validate:"shortest=0s,longest=24h"`
	ListLag      Duration `json:"list_lag" validate:"shortest=0s,longest=24h"`
	// ReplyToClosed is the effect of an API reply on a closed conversation:
	// [ReplyReopens] (the default) or [ReplyRefused].
	ReplyToClosed string `json:"reply_to_closed" validate:"oneof=reopen refuse"`
	// RetentionDays is how long the content of a claim is kept after the claim ended:
	// 30 days or more. 0 keeps it forever.
	RetentionDays int `json:"retention_days" validate:"omitempty,min=30,max=36500"`
	// ReadOnly blocks every write to Dixa.
	ReadOnly bool `json:"read_only"`
}

// EvidenceSettings limits the files that are offered to Dixa.
type EvidenceSettings struct {
	// MaxFiles is the maximum number of files offered per claim.
	MaxFiles int `json:"max_files" validate:"min=0,max=50"`
	// Types limits the file types that are offered.
	Types EvidenceTypes `json:"types"`
}

// EvidenceTypes sets the maximum file size per type in bytes, up to 100 MiB. 0
// excludes the type. The content of a file determines its type. SVG and HTML have no
// member because they can contain scripts.
type EvidenceTypes struct {
	// Image covers all image formats, including HEIC, WebP and AVIF.
	Image int `json:"image" validate:"min=0,max=104857600"`
	PDF   int `json:"pdf" validate:"min=0,max=104857600"`
	MP4   int `json:"mp4" validate:"min=0,max=104857600"`
	MOV   int `json:"mov" validate:"min=0,max=104857600"`
	WebM  int `json:"webm" validate:"min=0,max=104857600"`
}

// Effects of a reply on a closed conversation.
const (
	ReplyReopens = "reopen"
	ReplyRefused = "refuse"
)

// DefaultSettings returns the settings that apply if neither the platform nor the shop
// overrides them.
func DefaultSettings() Settings {
	return Settings{
		Opening:         "inbound",
		ReplyToClosed:   ReplyReopens,
		DefaultLanguage: "en",
		Tag:             "claim",
		ShipmentNotes:   []string{"delivered", "delivery_failed", "return_received"},
		Evidence: EvidenceSettings{
			MaxFiles: 20,
			Types:    EvidenceTypes{Image: 10 << 20, PDF: 10 << 20, MP4: 25 << 20, MOV: 25 << 20, WebM: 25 << 20},
		},
		OpenWithin:   Duration(4 * time.Hour),
		QuietPeriod:  Duration(30 * 24 * time.Hour),
		CommitWindow: Duration(time.Minute),
		ListLag:      Duration(time.Minute),
	}
}

// Resolve merges layers of settings over the built-in settings. Each layer is a JSON
// object with some of the members of [Settings]. Later layers win, member by member;
// lists are replaced as a whole. Unknown members are errors, so that a typo never
// passes for a setting. The error is an [*InvalidError].
func Resolve(layers ...json.RawMessage) (Settings, error) {
	merged := []byte("{}")
	for _, layer := range layers {
		if text := string(bytes.TrimSpace(layer)); text == "" || text == "null" {
			continue
		}
		notAnObject := &InvalidError{What: "settings", Errors: []FieldError{{Field: "body", Problem: "must be a JSON object"}}}
		if fields(layer) == nil {
			return Settings{}, notAnObject
		}
		// RFC 7396 replaces a list as a whole. Decoding the layers on top of each
		// other would mix the elements of two lists.
		next, err := jsonpatch.MergeMergePatches(merged, layer)
		if err != nil {
			return Settings{}, notAnObject
		}
		merged = next
	}
	s := DefaultSettings()
	fieldErrors := s.merge(merged)
	if len(fieldErrors) == 0 {
		fieldErrors = ValidateStruct(&s)
	}
	if len(fieldErrors) > 0 {
		return Settings{}, &InvalidError{What: "settings", Errors: fieldErrors}
	}
	return s, nil
}

// MergeSettings merges a patch into one layer of settings (RFC 7396: null removes a
// member, which is then inherited again). It does not validate the settings;
// [Resolve] does. The error is an [*InvalidError].
func MergeSettings(layer, patch json.RawMessage) (json.RawMessage, error) {
	if len(bytes.TrimSpace(layer)) == 0 {
		layer = json.RawMessage("{}")
	}
	notAnObject := &InvalidError{What: "settings", Errors: []FieldError{{Field: "body", Problem: "must be a JSON object"}}}
	if fields(layer) == nil || fields(patch) == nil {
		return nil, notAnObject
	}
	merged, err := jsonpatch.MergePatch(layer, patch)
	if err != nil {
		return nil, notAnObject
	}
	return merged, nil
}

// merge decodes a JSON object of settings into s. It decodes each member separately,
// so that every error names its member. Names are case-sensitive, which
// encoding/json alone does not enforce.
func (s *Settings) merge(object []byte) []FieldError {
	own, err := json.Marshal(s)
	if err != nil {
		panic("claim: cannot marshal the settings: " + err.Error())
	}
	known, members := fields(own), fields(object)
	var fieldErrors []FieldError
	for _, name := range slices.Sorted(maps.Keys(members)) {
		shape, ok := known[name]
		if !ok {
			fieldErrors = append(fieldErrors, FieldError{Field: name, Problem: unknownSetting(name, known)})
			continue
		}
		unknown := slices.Sorted(maps.Keys(fields(members[name])))
		unknown = slices.DeleteFunc(unknown, func(inner string) bool { return fields(shape) == nil || fields(shape)[inner] != nil })
		for _, inner := range unknown {
			fieldErrors = append(fieldErrors, FieldError{Field: name + "." + inner, Problem: unknownSetting(inner, fields(shape))})
		}
		if len(unknown) > 0 {
			continue
		}
		dec := json.NewDecoder(io.MultiReader(strings.NewReader(`{"`+name+`":`), bytes.NewReader(members[name]), strings.NewReader("}")))
		dec.DisallowUnknownFields()
		if err := dec.Decode(s); err != nil {
			fieldErrors = append(fieldErrors, settingsError(name, err))
		}
	}
	return fieldErrors
}

// fields returns the members of a JSON object; nil for anything else.
func fields(object []byte) map[string]json.RawMessage {
	var members map[string]json.RawMessage
	if json.Unmarshal(object, &members) != nil {
		return nil
	}
	return members
}

// Duration is a duration in Go's notation when encoded as JSON: "90s", "4h".
type Duration time.Duration

// MarshalText formats the duration, for example "4h0m0s".
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText accepts the format of [time.ParseDuration], and days such as "30d".
func (d *Duration) UnmarshalText(text []byte) error {
	if days, ok := strings.CutSuffix(string(text), "d"); ok {
		n, err := strconv.ParseFloat(days, 64)
		if length := n * 24 * float64(time.Hour); err == nil && math.Abs(length) < math.MaxInt64 {
			*d = Duration(length)
			return nil
		}
		return errDuration
	}
	v, err := time.ParseDuration(string(text))
	if err != nil {
		return errDuration
	}
	*d = Duration(v)
	return nil
}

var errDuration = errors.New("must be a duration such as 90s, 4h or 30d")

// RoutingRule sends matching claims to a mailbox, a queue or an agent.
type RoutingRule struct {
	// Name is the display name. It is recorded with the claims that the rule routes.
	Name string    `json:"name" validate:"required,max=100"`
	When RouteWhen `json:"when"`
	Then RouteThen `json:"then"`
}

// RouteWhen is the condition of a rule. Every member that is set must match. A list
// matches if one of its values matches, in any spelling.
type RouteWhen struct {
	Reason   []string `json:"reason,omitempty"`
	Flow     []string `json:"flow,omitempty"`
	Language []string `json:"language,omitempty"`
	Country  []string `json:"country,omitempty"`
	Phase    []string `json:"phase,omitempty"`
	// MinValue and MaxValue limit the net value of the affected items, or the value
	// of the whole order if no item has a price. A claim without any price matches
	// neither.
	MinValue Amount `json:"min_value,omitempty" validate:"omitempty,amount"`
	MaxValue Amount `json:"max_value,omitempty" validate:"omitempty,amount"`
}

// RouteThen is the destination that a rule sets. An empty member keeps the shop's
// default.
type RouteThen struct {
	EmailIntegrationID string `json:"email_integration_id,omitempty" validate:"omitempty,email"`
	QueueID            string `json:"queue_id,omitempty" validate:"omitempty,uuid"`
	AgentID            string `json:"agent_id,omitempty" validate:"omitempty,uuid"`
}

// Route is the destination of a claim.
type Route struct {
	// Rule is the name of the matching rule; empty for the shop's defaults.
	Rule               string
	EmailIntegrationID string
	QueueID            string
	AgentID            string
}

// RouteFor selects the route of a claim whose texts are in the given language. A
// rule that names a queue overrides the default agent and vice versa: a conversation
// has one or the other.
func (s *Settings) RouteFor(c *Claim, language string) Route {
	r := Route{EmailIntegrationID: s.EmailIntegrationID, QueueID: s.DefaultQueueID, AgentID: s.DefaultAgentID}
	for _, rule := range s.Routing {
		if !rule.When.matches(c, language) {
			continue
		}
		r.Rule = rule.Name
		if rule.Then.EmailIntegrationID != "" {
			r.EmailIntegrationID = rule.Then.EmailIntegrationID
		}
		if rule.Then.QueueID != "" || rule.Then.AgentID != "" {
			r.QueueID, r.AgentID = rule.Then.QueueID, rule.Then.AgentID
		}
		break
	}
	return r
}

func (w *RouteWhen) matches(c *Claim, language string) bool {
	base, _, _ := strings.Cut(language, "-")
	value, priced := c.Value()
	within := func(min, max Amount) bool {
		if min == "" && max == "" {
			return true
		}
		return priced && (min == "" || value.GreaterThanOrEqual(min.decimal())) && (max == "" || value.LessThanOrEqual(max.decimal()))
	}
	return oneOf(w.Reason, c.Reason) && (oneOf(w.Flow, c.FlowKey()) || oneOf(w.Flow, c.Flow)) &&
		(oneOf(w.Language, language) || oneOf(w.Language, base)) &&
		oneOf(w.Country, first(c.Order.Address.CountryCode, c.Order.Address.Country)) &&
		oneOf(w.Phase, c.ShipmentPhase()) && within(w.MinValue, w.MaxValue)
}

func oneOf(words []string, word string) bool {
	if len(words) == 0 {
		return true
	}
	for _, w := range words {
		if NormalizeKey(w) == NormalizeKey(word) {
			return true
		}
	}
	return false
}

// Value returns the net value of the affected items, or the value of the whole order
// if no item has a price. It returns false if there is no price at all.
func (c *Claim) Value() (decimal.Decimal, bool) {
	sum, priced := decimal.Zero, false
	for _, i := range c.Items {
		if i.NetPrice != "" {
			sum, priced = sum.Add(i.NetPrice.decimal().Mul(decimal.NewFromInt(int64(i.Quantity)))), true
		}
	}
	if !priced && c.Order.Total != "" {
		return c.Order.Total.decimal(), true
	}
	return sum, priced
}

// decimal returns the amount as a number, or zero if it is invalid. Validation
// rejects invalid amounts.
func (a Amount) decimal() decimal.Decimal {
	d, err := decimal.NewFromString(string(a))
	if err != nil {
		return decimal.Zero
	}
	return d
}

// Choice is an object in Dixa that a setting can name.
type Choice struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	// Email is the address of an agent.
	Email string `json:"email,omitempty"`
}

// Choices are the objects in a shop's Dixa that its settings can name.
type Choices struct {
	// Mailboxes are the email contact endpoints; their ids are addresses.
	Mailboxes []Choice `json:"mailboxes"`
	Agents    []Choice `json:"agents"`
	Queues    []Choice `json:"queues"`
	// Attributes are the text attributes of conversations.
	Attributes []Choice `json:"attributes"`
}
