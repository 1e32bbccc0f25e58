package server

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Duration is a time.Duration that reads and writes JSON as "1.5s".
type Duration time.Duration

// MarshalText writes the duration in Go's notation.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads a duration in Go's notation, such as "250ms" or "2m".
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("invalid duration %q: use a format such as 250ms, 2s or 1m", text)
	}
	*d = Duration(parsed)
	return nil
}

// Settings of the switches, grouped by the switches that use them.
const (
	// ExternalIDOrganization makes an externalId unique in the organization.
	ExternalIDOrganization = "organization"
	// ExternalIDConversation makes an externalId unique in its conversation, so a
	// second create with it succeeds.
	ExternalIDConversation = "conversation"
	// ExternalIDStored stores and returns an externalId but never refuses it.
	ExternalIDStored = "stored"
	// ExternalIDDropped accepts an externalId and discards it.
	ExternalIDDropped = "dropped"

	// CaseInsensitive compares email addresses without regard to case.
	CaseInsensitive = "insensitive"
	// CaseExact compares email addresses byte by byte.
	CaseExact = "exact"

	// Accepted responds as if the request were valid.
	Accepted = "accepted"
	// Rejected responds with 400.
	Rejected = "rejected"

	// InboundReopens opens a closed conversation if its customer writes, but not if
	// an agent does.
	InboundReopens = "inbound-reopens"
	// Reopens opens a closed conversation.
	Reopens = "reopens"
	// Stays leaves a closed conversation closed.
	Stays = "stays"

	// RetryAfterNone sends no Retry-After with a 429.
	RetryAfterNone = "none"
	// RetryAfterSeconds sends Retry-After as whole seconds.
	RetryAfterSeconds = "seconds"
	// RetryAfterDate sends Retry-After as an HTTP date.
	RetryAfterDate = "date"

	// OldestFirst lists the oldest entry first.
	OldestFirst = "oldest"
	// NewestFirst lists the newest entry first.
	NewestFirst = "newest"
)

// Switches select the emulator's behavior if Dixa's is undocumented, and how much
// it misbehaves. The zero value selects every default. The tag "one" lists a switch's
// settings, the default first; the README in the parent directory says what each
// means.
type Switches struct {
	// ExternalID is the reading of a message's externalId.
	ExternalID string `json:"externalId,omitempty" one:"organization conversation stored dropped"`
	// FailedCreateBurnsExternalID makes a create or message that was refused because
	// of an attachment consume its externalId, so that the same key is refused
	// later.
	FailedCreateBurnsExternalID bool `json:"failedCreateBurnsExternalId"`

	// EmailFilter is how ?email= compares addresses.
	EmailFilter string `json:"emailFilter,omitempty" one:"insensitive exact"`
	// EmailFilterAdditional makes ?email= also match additionalEmails.
	EmailFilterAdditional bool `json:"emailFilterAdditional"`
	// EmailUniqueness is how EmailExists compares addresses.
	EmailUniqueness string `json:"emailUniqueness,omitempty" one:"insensitive exact"`
	// NoEndUser is the response of GET /endusers if a filter matches no end user: an
	// empty list or 404.
	NoEndUser string `json:"noEndUser,omitempty" one:"empty 404"`
	// DuplicatePhone is the response to a phone number that another user has.
	DuplicatePhone string `json:"duplicatePhone,omitempty" one:"rejected accepted"`
	// AgentOfEndUser is the response to creating an agent with the address of an end
	// user, such as a former agent. Promoted makes an agent of the end user.
	AgentOfEndUser string `json:"agentOfEndUser,omitempty" one:"rejected promoted"`
	// PhoneFormat is the accepted format of phone numbers.
	PhoneFormat string `json:"phoneFormat,omitempty" one:"any e164"`

	// AutoReply sends an automatic reply to the first inbound message of a mail
	// conversation.
	AutoReply bool `json:"autoReply"`
	// UnknownRequester is the status code of a create for an end user that does not
	// exist.
	UnknownRequester string `json:"unknownRequester,omitempty" one:"404 400"`
	// RequesterWithoutEmail is the response to creating or importing a mail
	// conversation whose requester has no email address. If accepted, the customer's
	// address is empty.
	RequesterWithoutEmail string `json:"requesterWithoutEmail,omitempty" one:"accepted rejected"`
	// UnknownContactEndpoint is the status code of a create for a mailbox or number
	// that does not exist.
	UnknownContactEndpoint string `json:"unknownContactEndpoint,omitempty" one:"400 404"`
	// QueueOnCreate is the queue of a new inbound conversation.
	QueueOnCreate string `json:"queueOnCreate,omitempty" one:"none default"`
	// OutboundUnassigned does not assign a conversation that an agent started.
	OutboundUnassigned bool `json:"outboundUnassigned"`
	// MarkdownAnywhere accepts Markdown content outside WhatsApp.
	MarkdownAnywhere bool `json:"markdownAnywhere"`
	// CopyAddresses is the accepted content of cc and bcc.
	CopyAddresses string `json:"copyAddresses,omitempty" one:"either email uuid"`
	// MaxTextBytes is the maximum size of a message, note or subject. A longer one
	// is refused with 400. 0 means no limit.
	MaxTextBytes int `json:"maxTextBytes"`
	// LargeContentBytes is the size above which a mail's body is listed as TooLarge
	// with a file. Defaults to 1 MiB.
	LargeContentBytes int `json:"largeContentBytes"`

	// CloseClosed and ReopenOpen are the responses to closing a closed and reopening
	// an open conversation. If accepted, nothing changes.
	CloseClosed string `json:"closeClosed,omitempty" one:"accepted rejected"`
	ReopenOpen  string `json:"reopenOpen,omitempty" one:"accepted rejected"`
	// MessageOnClosed is the effect of a message on a closed conversation.
	MessageOnClosed string `json:"messageOnClosed,omitempty" one:"inbound-reopens reopens stays rejected"`
	// MessageOnPending is the effect of a customer's message on a pending
	// conversation. If it reopens, its follow-up is removed.
	MessageOnPending string `json:"messageOnPending,omitempty" one:"stays inbound-reopens"`
	// TransferClosed is the effect of a transfer or claim on a closed conversation.
	TransferClosed string `json:"transferClosed,omitempty" one:"reopens stays rejected"`
	// ClaimForce is the value of an absent "force" in a claim.
	ClaimForce string `json:"claimForce,omitempty" one:"true false"`
	// FollowupExpiry is the state after a follow-up expires.
	FollowupExpiry string `json:"followupExpiry,omitempty" one:"Open AwaitingPending"`
	// TagTwice is the response to adding a tag that the conversation already has.
	TagTwice string `json:"tagTwice,omitempty" one:"accepted rejected"`
	// InactiveTag is the status code of tagging with a deactivated tag.
	InactiveTag string `json:"inactiveTag,omitempty" one:"400 404"`
	// NoteFormat is the format of returned notes.
	NoteFormat string `json:"noteFormat,omitempty" one:"as-sent html text"`

	// BulkTagDelay is the delay between the 202 of a bulk tag and its effect. 0
	// means directly after the response.
	BulkTagDelay Duration `json:"bulkTagDelay"`
	// AnonymizationDelay is how long an anonymization request stays unprocessed.
	AnonymizationDelay Duration `json:"anonymizationDelay"`
	// ListLag is how long new conversations, messages, notes and activity entries
	// are missing from lists, search and exports. GET of one conversation by id does not lag.
	ListLag Duration `json:"listLag"`
	// NewConversationLag is how long every operation on a new conversation's id
	// responds with 404. ListLag applies to lists and search.
	NewConversationLag Duration `json:"newConversationLag"`
	// EndUserListLag is how long a new end user is missing from GET /endusers.
	// Uniqueness does not lag.
	EndUserListLag Duration `json:"endUserListLag"`
	// ConversationOrder is the order of an end user's conversations and of search
	// hits.
	ConversationOrder string `json:"conversationOrder,omitempty" one:"oldest newest"`
	// ActivityShift is the offset added to the times of activity log entries. A
	// negative offset makes an entry earlier than its event.
	ActivityShift Duration `json:"activityShift"`
	// ActivityOrder is the order of activity logs.
	ActivityOrder string `json:"activityOrder,omitempty" one:"oldest newest"`
	// ActivityPeriod is the response to a request for more than 90 days of the
	// organization's activity log, or for a period without a start: accepted, or refused
	// with 400. One of Dixa's integrations asks for at most 90 days.
	ActivityPeriod string `json:"activityPeriod,omitempty" one:"accepted rejected"`
	// DefaultPageLimit is the page size without pageLimit. Defaults to 50.
	DefaultPageLimit int `json:"defaultPageLimit"`
	// MaxPageLimit is the largest page size. Defaults to 50 for search, 10,000 for
	// the activity log and 1000 elsewhere.
	MaxPageLimit int `json:"maxPageLimit"`
	// PageLimitTooLarge is the response to a larger pageLimit.
	PageLimitTooLarge string `json:"pageLimitTooLarge,omitempty" one:"capped rejected"`

	// TimePrecision is the precision of a conversation's times, such as
	// stateUpdatedAt.
	TimePrecision string `json:"timePrecision,omitempty" one:"seconds millis"`

	// ListOrder is the order of the lists of tags, queues, teams, agents, end users,
	// contact endpoints, attributes, subscriptions, templates and collections.
	ListOrder string `json:"listOrder,omitempty" one:"oldest newest"`
	// NextLinks is the form of meta.next and meta.previous: relative to the root, or
	// absolute.
	NextLinks string `json:"nextLinks,omitempty" one:"relative absolute"`
	// ZonedTimes is the format of times in messages, notes, the activity log,
	// anonymizations, attribute definitions and knowledge: with or without [GMT].
	ZonedTimes string `json:"zonedTimes,omitempty" one:"gmt plain"`
	// ActivityEntries is the content of the activity log.
	ActivityEntries string `json:"activityEntries,omitempty" one:"all no-messages"`

	// MaxNameChars, MaxTagChars and MaxAttributeChars are the maximum lengths of an
	// end user's name, a tag and a custom attribute's text. A longer one is refused
	// with 400. 0 means no limit.
	MaxNameChars      int `json:"maxNameChars"`
	MaxTagChars       int `json:"maxTagChars"`
	MaxAttributeChars int `json:"maxAttributeChars"`
	// AgentRoles is the form of an agent's roles.
	AgentRoles string `json:"agentRoles,omitempty" one:"as-documented many upper"`

	// UnknownQuery and UnknownFields are the treatment of query parameters and JSON
	// fields that the operation does not have.
	UnknownQuery  string `json:"unknownQuery,omitempty" one:"ignored rejected"`
	UnknownFields string `json:"unknownFields,omitempty" one:"ignored rejected"`
	// OrganizationAbsent removes GET /organization, as before 2026.
	OrganizationAbsent bool `json:"organizationAbsent"`

	// BasicAuth is the response to a token in Basic credentials, as the password of the
	// user "bearer". If rejected, it is 401. The Exports API and files accept them.
	BasicAuth string `json:"basicAuth,omitempty" one:"rejected accepted"`
	// RefusedToken is the status code for a token that is not accepted.
	RefusedToken string `json:"refusedToken,omitempty" one:"401 403"`
	// RequestsPerDay overrides Options.Limit.PerDay if set.
	RequestsPerDay int `json:"requestsPerDay"`
	// QuotaReset is when the daily count restarts: at midnight (UTC) or 24 hours
	// after the first request.
	QuotaReset string `json:"quotaReset,omitempty" one:"midnight rolling"`
	// LimitReading overrides Options.Limit.Reading if set; it has no default.
	LimitReading string `json:"limitReading,omitempty" one:"both bucket window off"`
	// RetryAfter is the form of the Retry-After header of a 429.
	RetryAfter string `json:"retryAfter,omitempty" one:"none seconds date"`
	// LimitBody is the body of a 429.
	LimitBody string `json:"limitBody,omitempty" one:"message empty html"`

	// MaxAttachmentBytes is the maximum size of a fetched file. Defaults to 25 MiB.
	MaxAttachmentBytes int64 `json:"maxAttachmentBytes"`
	// MaxAttachments is the maximum number of files per message. More are refused
	// with 400. 0 means no limit.
	MaxAttachments int `json:"maxAttachments"`
	// AttachmentTimeout limits the fetch of one file. Defaults to 10s.
	AttachmentTimeout Duration `json:"attachmentTimeout"`
	// AttachmentTypes is the set of accepted file types.
	AttachmentTypes string `json:"attachmentTypes,omitempty" one:"any images images-pdf"`
	// AttachmentRedirects is the treatment of a redirect of a file's URL.
	AttachmentRedirects string `json:"attachmentRedirects,omitempty" one:"followed refused"`

	// FileLinks is the form of links to Dixa's own files. Mixed means URLs in the API
	// and paths without a host in webhooks.
	FileLinks string `json:"fileLinks,omitempty" one:"mixed absolute path"`

	// Analytics controls the Analytics API.
	Analytics AnalyticsSwitches `json:"analytics"`
	// BusinessHours controls the business hours.
	BusinessHours BusinessHoursSwitches `json:"businessHours"`
	// Exports controls the Exports API.
	Exports ExportSwitches `json:"exports"`
	// Knowledge controls the knowledge base.
	Knowledge KnowledgeSwitches `json:"knowledge"`
	// Webhooks controls deliveries.
	Webhooks WebhookSwitches `json:"webhooks"`
}

// ExportSwitches select the behavior of the Exports API.
type ExportSwitches struct {
	// Lag is how long a change is missing from the exports. A conversation is missing
	// until its latest change is older than that, a message until it is older itself.
	Lag Duration `json:"lag"`
	// Credentials are the accepted forms of a token: a bearer token, the password of
	// Basic credentials, or the bare token.
	Credentials string `json:"credentials,omitempty" one:"bearer-basic bearer any"`
	// MessageLimit is the limit of message_export: 10 requests a minute together with
	// conversation_export, 10 of its own, or 3 of its own.
	MessageLimit string `json:"messageLimit,omitempty" one:"shared own three"`
	// Errors is the form of an error's body.
	Errors string `json:"errors,omitempty" one:"message text empty"`
	// Bounds says whether the two bounds of a range belong to it: both, only _after, or
	// neither.
	Bounds string `json:"bounds,omitempty" one:"inclusive half-open exclusive"`
	// BeforeDates is the moment that a date in a _before stands for: the start or the
	// end of the day in UTC.
	BeforeDates string `json:"beforeDates,omitempty" one:"start end"`
	// Ranges says whether the required _after and _before must be about the same time.
	Ranges string `json:"ranges,omitempty" one:"paired mixed"`
	// MessageFilters are the filters of message_export: only the time of creation, or
	// csids too.
	MessageFilters string `json:"messageFilters,omitempty" one:"created csids"`
	// Empty is the form of a field without a value.
	Empty string `json:"empty,omitempty" one:"null omitted"`
	// Enums is the notation of status, data_type, rating_type and rating_status: lower
	// case, as in the API, or as in webhooks.
	Enums string `json:"enums,omitempty" one:"lower api upper"`
	// RatingTypes is the rating_type of a Csat rating: stars, or as Enums says.
	RatingTypes string `json:"ratingTypes,omitempty" one:"stars enum"`
	// Durations is the unit of total_duration and handling_duration.
	Durations string `json:"durations,omitempty" one:"millis seconds"`
	// Reopened is the closed_at of a conversation that was reopened: that of its last
	// close, or none.
	Reopened string `json:"reopened,omitempty" one:"kept cleared"`
	// HTMLText is the text of an HTML message. Text removes the markup.
	HTMLText string `json:"htmlText,omitempty" one:"as-sent text"`
}

// WebhookSwitches control how deliveries are made and how they fail. Shares range
// from 0 (never, the default) to 1 (always) and are drawn from the seed.
type WebhookSwitches struct {
	// Off disables all deliveries. Events emitted in the meantime are lost.
	Off bool `json:"off"`
	// Duplicate is the share of events sent twice with the same event_id.
	Duplicate float64 `json:"duplicate"`
	// Reorder is the share of events held back and sent after the next one.
	Reorder float64 `json:"reorder"`
	// Lose is the share of events that are never sent.
	Lose float64 `json:"lose"`
	// Late is the share of events sent LateBy after they happen.
	Late float64 `json:"late"`
	// LateBy is the delay of late events. Defaults to 5s.
	LateBy Duration `json:"lateBy"`
	// Attempts is the maximum number of attempts until a delivery succeeds. Defaults
	// to 3.
	Attempts int `json:"attempts"`
	// RetryDelay is the delay between attempts. Defaults to 1s.
	RetryDelay Duration `json:"retryDelay"`
	// Timeout limits one attempt. Defaults to 10s.
	Timeout Duration `json:"timeout"`
	// Success is the response that ends the attempts.
	Success string `json:"success,omitempty" one:"2xx 200 any"`
	// DisableAfter disables a subscription after that many consecutive undeliverable
	// events. 0 means never.
	DisableAfter int `json:"disableAfter"`
	// LogLost shows lost events in the delivery logs, as failed attempts.
	LogLost bool `json:"logLost"`
	// LogRetention is how long the logs keep a delivery. 0 means forever.
	LogRetention Duration `json:"logRetention"`
	// KeptDeliveries is how many deliveries the logs of a subscription keep.
	// Defaults to 100.
	KeptDeliveries int `json:"keptDeliveries"`
	// CustomAttributesAbsent omits custom_attributes from the conversation, as
	// before October 2025.
	CustomAttributesAbsent bool `json:"customAttributesAbsent"`
	// CustomAttributeItems is the shape of the conversation's custom_attributes.
	CustomAttributeItems string `json:"customAttributeItems,omitempty" one:"full pairs map"`
	// UserRoles is the content of a user's roles.
	UserRoles string `json:"userRoles,omitempty" one:"empty filled"`
	// OtherEvents sends the events whose data is entirely undocumented to
	// subscriptions that name them: typing, message delivery, service levels and
	// bans. Their names and data are guesses.
	OtherEvents bool `json:"otherEvents"`
	// UnconfirmedNames is the event_fqn of events without a published one.
	UnconfirmedNames string `json:"unconfirmedNames,omitempty" one:"snake api"`
	// AttachmentItems is the shape of a message's attachments.
	AttachmentItems string `json:"attachmentItems,omitempty" one:"snake camel strings empty"`
	// ExternalIDs is the external_id of a message. Value writes null, and text writes
	// "null", for a message without one.
	ExternalIDs string `json:"externalIds,omitempty" one:"value text null absent"`
	// HTMLText is the text of an HTML message. Text removes the markup.
	HTMLText string `json:"htmlText,omitempty" one:"as-sent text"`
	// FollowupRemoved is the event for a removed follow-up: none (only the activity
	// log) or ConversationOpen.
	FollowupRemoved string `json:"followupRemoved,omitempty" one:"none open"`
	// GuessedMembers adds plausible members to the events whose data beyond the
	// conversation is undocumented (assigned, unassigned, transferred, tag removed,
	// attributes, end user replaced).
	GuessedMembers bool `json:"guessedMembers"`
	// TransferredNames is the event_fqn of a transfer: one, or two as Dixa's UI
	// suggests.
	TransferredNames string `json:"transferredNames,omitempty" one:"one two"`
}

type setting struct {
	name    string // in JSON; those of nested switches start with their group, such as "webhooks."
	value   *string
	allowed []string
}

// settings lists the switches with named settings.
func (s *Switches) settings() []setting {
	var all []setting
	add := func(prefix string, switches reflect.Value) {
		for field, value := range switches.Fields() {
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			if text, ok := value.Addr().Interface().(*string); ok {
				all = append(all, setting{prefix + name, text, strings.Fields(field.Tag.Get("one"))})
			}
		}
	}
	add("", reflect.ValueOf(s).Elem())
	add(analyticsSettings, reflect.ValueOf(&s.Analytics).Elem())
	add(businessHoursSettings, reflect.ValueOf(&s.BusinessHours).Elem())
	add(exportSettings, reflect.ValueOf(&s.Exports).Elem())
	add(knowledgeSettings, reflect.ValueOf(&s.Knowledge).Elem())
	add("webhooks.", reflect.ValueOf(&s.Webhooks).Elem())
	return all
}

// NamedSettings lists the settings of every switch with named settings, the default
// first, keyed by the switch's name in JSON. The names of WebhookSwitches start with
// "webhooks.". ExportSwitches, AnalyticsSwitches, BusinessHoursSwitches and
// KnowledgeSwitches are not included; they do not affect any other operation.
func NamedSettings() map[string][]string {
	named := allSettings()
	maps.DeleteFunc(named, func(name string, _ []string) bool {
		return strings.HasPrefix(name, exportSettings) || strings.HasPrefix(name, analyticsSettings) ||
			strings.HasPrefix(name, businessHoursSettings) || strings.HasPrefix(name, knowledgeSettings)
	})
	return named
}

// NamedExportSettings is NamedSettings for ExportSwitches. Their names start with
// "exports.".
func NamedExportSettings() map[string][]string { return settingsOf(exportSettings) }

const exportSettings = "exports."

func allSettings() map[string][]string {
	named := map[string][]string{}
	for _, setting := range new(Switches).settings() {
		named[setting.name] = setting.allowed
	}
	return named
}

// WithDefaults returns the switches with all defaults filled in.
func (s Switches) WithDefaults() Switches {
	for _, setting := range s.settings() {
		if setting.value != &s.LimitReading {
			*setting.value = cmp.Or(*setting.value, setting.allowed[0])
		}
	}
	s.LargeContentBytes = cmp.Or(s.LargeContentBytes, 1<<20)
	s.DefaultPageLimit = cmp.Or(s.DefaultPageLimit, 50)
	s.MaxAttachmentBytes = cmp.Or(s.MaxAttachmentBytes, 25<<20)
	s.AttachmentTimeout = cmp.Or(s.AttachmentTimeout, Duration(10*time.Second))
	s.Webhooks.LateBy = cmp.Or(s.Webhooks.LateBy, Duration(5*time.Second))
	s.Webhooks.Attempts = cmp.Or(s.Webhooks.Attempts, 3)
	s.Webhooks.RetryDelay = cmp.Or(s.Webhooks.RetryDelay, Duration(time.Second))
	s.Webhooks.KeptDeliveries = cmp.Or(s.Webhooks.KeptDeliveries, 100)
	s.Webhooks.Timeout = cmp.Or(s.Webhooks.Timeout, Duration(10*time.Second))
	return s
}

// Validate returns an error if a switch has an invalid value. For an unknown
// setting, the error lists the valid ones.
func (s Switches) Validate() error {
	for _, setting := range s.settings() {
		if *setting.value != "" && !slices.Contains(setting.allowed, *setting.value) {
			return fmt.Errorf("invalid setting %q for switch %s: must be one of %s",
				*setting.value, setting.name, strings.Join(setting.allowed, ", "))
		}
	}
	for name, share := range map[string]float64{
		"webhooks.duplicate": s.Webhooks.Duplicate, "webhooks.reorder": s.Webhooks.Reorder,
		"webhooks.lose": s.Webhooks.Lose, "webhooks.late": s.Webhooks.Late, "knowledge.failedUploads": s.Knowledge.FailedUploads,
	} {
		if share < 0 || share > 1 {
			return fmt.Errorf("switch %s must be between 0 and 1, got %v", name, share)
		}
	}
	if s.Webhooks.KeptDeliveries < 0 {
		return fmt.Errorf("switch webhooks.keptDeliveries must not be negative, got %d", s.Webhooks.KeptDeliveries)
	}
	return nil
}

// patched applies a JSON object that contains only the switches to change.
func (s Switches) patched(body []byte) (Switches, error) {
	if err := strict(body, &s); err != nil {
		return Switches{}, fmt.Errorf("parse switches: %w; GET /_emulator/switches lists all switches", err)
	}
	return s, s.Validate()
}

// SetSwitches replaces all switches. Unset fields get their defaults. It panics on
// an unknown setting, which is a mistake in the calling test.
func (s *Server) SetSwitches(switches Switches) {
	if err := switches.Validate(); err != nil {
		panic("emulator: " + err.Error())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.switches = switches.WithDefaults()
}

// Switches returns the current switches with all defaults filled in.
func (s *Server) Switches() Switches {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.switches
}
