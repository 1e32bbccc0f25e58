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

// Settings are what a shop (or the platform for all its shops) decides about how
// claims become conversations. They inherit: built-in, platform, shop; see
// [Resolve]. Whether the integration is on and whether the shop is paused are
// facts of the shop itself, not settings.
type Settings struct {
	// EmailIntegrationID is the Dixa contact endpoint, a mailbox address such as
	// support@acme.email.dixa.io, in which conversations are opened.
	EmailIntegrationID string `json:"email_integration_id" validate:"omitempty,email"`
	// DefaultAgentID is the agent that new conversations are given to. Empty
	// lets Dixa route them.
	DefaultAgentID string `json:"default_agent_id" validate:"omitempty,uuid"`
	// DefaultQueueID is the queue that new conversations are put into where no
	// agent takes them. Empty lets Dixa route them.
	DefaultQueueID string `json:"default_queue_id" validate:"omitempty,uuid"`
	// Opening is "inbound", as a message of the customer (the default), or
	// "outbound", as a message of the default agent, which e-mails the customer.
	Opening string `json:"opening" validate:"oneof=inbound outbound"`
	// Language is the fixed language of the shop's words; empty means that of
	// the customer.
	Language string `json:"language" validate:"omitempty,bcp47_language_tag"`
	// DefaultLanguage serves customers whose language is not known.
	DefaultLanguage string `json:"default_language" validate:"required,bcp47_language_tag"`
	// DefaultCountry is the country, as two letters of ISO 3166-1, by which phone
	// numbers in national form are read where a claim names none.
	DefaultCountry string `json:"default_country" validate:"omitempty,iso3166_1_alpha2"`
	// Tag is the tag that every conversation of ours carries and the stem of
	// the other default tags.
	Tag string `json:"tag" validate:"required,max=50"`
	// ExtraTags are put on every conversation beside the default ones.
	ExtraTags []string `json:"extra_tags" validate:"max=20,dive,required,max=100"`
	// OrderNumberAttribute and ClaimIDAttribute are the ids of Dixa custom
	// attributes of conversations that hold the order number and the claim's
	// id. Empty: not written.
	OrderNumberAttribute string `json:"order_number_attribute" validate:"omitempty,uuid"`
	ClaimIDAttribute     string `json:"claim_id_attribute" validate:"omitempty,uuid"`
	// Routing are the rules that choose mailbox, queue and agent; the first that
	// matches wins.
	Routing []RoutingRule `json:"routing" validate:"max=100,dive"`
	// StatusRules say what the claims' owner is told their status is; the first
	// that matches wins. Empty means [DefaultStatusRules].
	StatusRules []StatusRule `json:"status_rules" validate:"max=50,dive"`
	// ChangeRules say what is done in a conversation when its claim changes at
	// its owner; every one that matches applies. Empty means [DefaultChangeRules].
	ChangeRules []ChangeRule `json:"change_rules" validate:"max=50,dive"`
	// ShipmentNotes are the phases of which a note is written while a claim is
	// open, in any spelling.
	ShipmentNotes []string `json:"shipment_notes" validate:"max=50,dive,required,max=100"`
	// Evidence bounds the files that are offered to Dixa.
	Evidence EvidenceSettings `json:"evidence"`
	// OpenWithin is how long after its acceptance a claim may take to be
	// opened before its fallback is raised: 1s to 30d.
	OpenWithin Duration `json:"open_within" validate:"shortest=1s,longest=30d"`
	// QuietPeriod is how long a closed conversation may still reopen before its
	// claim is settled: 1s to 365d. A claim that is closed already learns of a
	// change with the next thing that happens to it, or within a day.
	QuietPeriod Duration `json:"quiet_period" validate:"shortest=1s,longest=365d"`
	// CommitWindow and ListLag bound, added up, how long after an unanswered
	// create Dixa may still show the conversation for the first time. A second
	// create is sent only after an empty look made later than that. 0s to 24h
	// each.
	CommitWindow Duration `json:"commit_window" validate:"shortest=0s,longest=24h"`
	ListLag      Duration `json:"list_lag" validate:"shortest=0s,longest=24h"`
	// ReplyToClosed is what a reply through the API does to a closed
	// conversation: [ReplyReopens] (the default) or [ReplyRefused].
	ReplyToClosed string `json:"reply_to_closed" validate:"oneof=reopen refuse"`
	// ReadOnly refuses every write to Dixa.
	ReadOnly bool `json:"read_only"`
}

// EvidenceSettings bounds the files that are offered to Dixa.
type EvidenceSettings struct {
	// MaxFiles is how many files of a claim are offered at most.
	MaxFiles int `json:"max_files" validate:"min=0,max=50"`
	// Types are the types of files that are offered.
	Types EvidenceTypes `json:"types"`
}

// EvidenceTypes says how large a file of each type may be, in bytes, to 100 MiB; 0
// leaves files of the type out. A file's type is told by its content. There is no
// member for SVG and HTML, which can carry script.
type EvidenceTypes struct {
	// Image is for pictures of every kind, HEIC, WebP and AVIF among them.
	Image int `json:"image" validate:"min=0,max=104857600"`
	PDF   int `json:"pdf" validate:"min=0,max=104857600"`
	MP4   int `json:"mp4" validate:"min=0,max=104857600"`
	MOV   int `json:"mov" validate:"min=0,max=104857600"`
	WebM  int `json:"webm" validate:"min=0,max=104857600"`
}

// What a reply does to a closed conversation.
const (
	ReplyReopens = "reopen"
	ReplyRefused = "refuse"
)

// BuiltIn is what holds where neither the platform nor the shop says otherwise.
func BuiltIn() Settings {
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

// Resolve lays layers of settings, each a JSON object with some of the members
// of [Settings], over the built-in ones; a later layer wins, member by member. A
// list is replaced as a whole. Unknown members are faults: a typing error must
// not pass for a setting. The error is an [*InvalidError].
func Resolve(layers ...json.RawMessage) (Settings, error) {
	merged := []byte("{}")
	for _, layer := range layers {
		if text := string(bytes.TrimSpace(layer)); text == "" || text == "null" {
			continue
		}
		notAnObject := &InvalidError{What: "settings", Faults: []Fault{{Field: "body", Problem: "is not a JSON object"}}}
		if fields(layer) == nil {
			return Settings{}, notAnObject
		}
		// RFC 7396 replaces a list as a whole; decoding one layer over the other
		// would let the elements of two lists run into each other.
		next, err := jsonpatch.MergeMergePatches(merged, layer)
		if err != nil {
			return Settings{}, notAnObject
		}
		merged = next
	}
	s := BuiltIn()
	faults := s.take(merged)
	if len(faults) == 0 {
		faults = Check(&s)
	}
	if len(faults) > 0 {
		return Settings{}, &InvalidError{What: "settings", Faults: faults}
	}
	return s, nil
}

// MergeSettings merges a patch into one layer of settings (RFC 7396: null removes
// a member, which is then inherited again). Whether the layer makes sense is for
// [Resolve] to say. The error is an [*InvalidError].
func MergeSettings(layer, patch json.RawMessage) (json.RawMessage, error) {
	if len(bytes.TrimSpace(layer)) == 0 {
		layer = json.RawMessage("{}")
	}
	notAnObject := &InvalidError{What: "settings", Faults: []Fault{{Field: "body", Problem: "is not a JSON object"}}}
	if fields(layer) == nil || fields(patch) == nil {
		return nil, notAnObject
	}
	merged, err := jsonpatch.MergePatch(layer, patch)
	if err != nil {
		return nil, notAnObject
	}
	return merged, nil
}

// take lays one JSON object of settings over s. It goes member by member, so
// that every fault has its name; names count by their exact letters, which
// encoding/json alone would not see to.
func (s *Settings) take(object []byte) []Fault {
	own, err := json.Marshal(s)
	if err != nil {
		panic("claim: settings of texts and numbers always marshal: " + err.Error())
	}
	known, members := fields(own), fields(object)
	var faults []Fault
	for _, name := range slices.Sorted(maps.Keys(members)) {
		shape, ok := known[name]
		if !ok {
			faults = append(faults, Fault{Field: name, Problem: notASetting(name, known)})
			continue
		}
		unknown := slices.Sorted(maps.Keys(fields(members[name])))
		unknown = slices.DeleteFunc(unknown, func(inner string) bool { return fields(shape) == nil || fields(shape)[inner] != nil })
		for _, inner := range unknown {
			faults = append(faults, Fault{Field: name + "." + inner, Problem: notASetting(inner, fields(shape))})
		}
		if len(unknown) > 0 {
			continue
		}
		dec := json.NewDecoder(io.MultiReader(strings.NewReader(`{"`+name+`":`), bytes.NewReader(members[name]), strings.NewReader("}")))
		dec.DisallowUnknownFields()
		if err := dec.Decode(s); err != nil {
			faults = append(faults, settingsFault(name, err))
		}
	}
	return faults
}

// fields are the members of a JSON object; nil for anything else.
func fields(object []byte) map[string]json.RawMessage {
	var members map[string]json.RawMessage
	if json.Unmarshal(object, &members) != nil {
		return nil
	}
	return members
}

// Duration is a length of time that JSON spells as Go does: "90s", "4h".
type Duration time.Duration

// MarshalText spells the duration, for example "4h0m0s".
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads what [time.ParseDuration] reads, and days as "30d".
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

var errDuration = errors.New("is not a length of time such as 90s, 4h or 30d")

// RoutingRule sends claims that match to a mailbox, a queue or an agent.
type RoutingRule struct {
	// Name is for people; it is recorded with the claims that the rule routed.
	Name string    `json:"name" validate:"required,max=100"`
	When RouteWhen `json:"when"`
	Then RouteThen `json:"then"`
}

// RouteWhen is what a claim must be for a rule to match. Every member that is
// given must match; a list matches where one of its words does, in any spelling.
type RouteWhen struct {
	Reason   []string `json:"reason,omitempty"`
	Flow     []string `json:"flow,omitempty"`
	Language []string `json:"language,omitempty"`
	Country  []string `json:"country,omitempty"`
	Phase    []string `json:"phase,omitempty"`
	// MinValue and MaxValue bound the value of the affected items, net, or of
	// the whole order where no item has a price. A claim without any price
	// matches neither.
	MinValue Amount `json:"min_value,omitempty" validate:"omitempty,amount"`
	MaxValue Amount `json:"max_value,omitempty" validate:"omitempty,amount"`
}

// RouteThen is where a rule sends a claim. An empty member leaves the shop's
// default.
type RouteThen struct {
	EmailIntegrationID string `json:"email_integration_id,omitempty" validate:"omitempty,email"`
	QueueID            string `json:"queue_id,omitempty" validate:"omitempty,uuid"`
	AgentID            string `json:"agent_id,omitempty" validate:"omitempty,uuid"`
}

// Route is where a claim goes.
type Route struct {
	// Rule is the name of the rule that matched; empty for the shop's defaults.
	Rule               string
	EmailIntegrationID string
	QueueID            string
	AgentID            string
}

// RouteFor chooses the route of a claim whose words are in the given language.
// A rule that names a queue overrides the default agent, and the other way
// round: a conversation has one or the other.
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
		if Key(w) == Key(word) {
			return true
		}
	}
	return false
}

// Value is the net value of the affected items, or of the whole order where no
// item has a price; false where nothing has.
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

// decimal is the amount as a number; zero for one that is none, which
// validation keeps out.
func (a Amount) decimal() decimal.Decimal {
	d, err := decimal.NewFromString(string(a))
	if err != nil {
		return decimal.Zero
	}
	return d
}
