package server

import (
	"cmp"
	"encoding/json"
	"fmt"
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
	// ExternalIDOrganization makes an externalId unique in the organisation.
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

// Switches select the emulator's behaviour if Dixa's is undocumented, and how much
// it misbehaves. The zero value selects every default. Each field's comment names
// its settings, the default first.
type Switches struct {
	// ExternalID is the reading of a message's externalId: organization,
	// conversation, stored or dropped.
	ExternalID string `json:"externalId,omitempty"`
	// FailedCreateBurnsExternalID makes a create or message that was refused because
	// of an attachment consume its externalId, so that the same key is refused
	// later.
	FailedCreateBurnsExternalID bool `json:"failedCreateBurnsExternalId"`

	// EmailFilter is how ?email= compares addresses: insensitive or exact.
	EmailFilter string `json:"emailFilter,omitempty"`
	// EmailFilterAdditional makes ?email= also match additionalEmails.
	EmailFilterAdditional bool `json:"emailFilterAdditional"`
	// EmailUniqueness is how EmailExists compares addresses: insensitive or exact.
	EmailUniqueness string `json:"emailUniqueness,omitempty"`
	// NoEndUser is the response of GET /endusers if a filter matches no end user:
	// empty (200 with []) or 404.
	NoEndUser string `json:"noEndUser,omitempty"`
	// DuplicatePhone is the response to a phone number that another user has:
	// rejected (PhoneNumberExists) or accepted.
	DuplicatePhone string `json:"duplicatePhone,omitempty"`
	// PhoneFormat is the accepted format of phone numbers: any or e164.
	PhoneFormat string `json:"phoneFormat,omitempty"`

	// AutoReply sends an automatic reply to the first inbound message of a mail
	// conversation.
	AutoReply bool `json:"autoReply"`
	// UnknownRequester is the status code of a create for an end user that does not
	// exist: 404 or 400.
	UnknownRequester string `json:"unknownRequester,omitempty"`
	// RequesterWithoutEmail is the response to creating or importing a mail
	// conversation whose requester has no email address: accepted (the customer's
	// address is then empty) or rejected.
	RequesterWithoutEmail string `json:"requesterWithoutEmail,omitempty"`
	// UnknownContactEndpoint is the status code of a create for a mailbox or number
	// that does not exist: 400 or 404.
	UnknownContactEndpoint string `json:"unknownContactEndpoint,omitempty"`
	// QueueOnCreate is the queue of a new inbound conversation: none or default (the
	// default queue).
	QueueOnCreate string `json:"queueOnCreate,omitempty"`
	// OutboundUnassigned does not assign a conversation that an agent started.
	OutboundUnassigned bool `json:"outboundUnassigned"`
	// MarkdownAnywhere accepts Markdown content outside WhatsApp.
	MarkdownAnywhere bool `json:"markdownAnywhere"`
	// CopyAddresses is the accepted content of cc and bcc: either, email or uuid.
	CopyAddresses string `json:"copyAddresses,omitempty"`
	// MaxTextBytes is the maximum size of a message, note or subject. A longer one
	// is refused with 400. 0 means no limit.
	MaxTextBytes int `json:"maxTextBytes"`
	// LargeContentBytes is the size above which a mail's body is listed as TooLarge
	// with a file. Defaults to 1 MiB.
	LargeContentBytes int `json:"largeContentBytes"`

	// CloseClosed is the response to closing a closed conversation: accepted
	// (nothing changes) or rejected.
	CloseClosed string `json:"closeClosed,omitempty"`
	// ReopenOpen is the response to reopening an open conversation: accepted
	// (nothing changes) or rejected.
	ReopenOpen string `json:"reopenOpen,omitempty"`
	// MessageOnClosed is the effect of a message on a closed conversation:
	// inbound-reopens, reopens, stays or rejected.
	MessageOnClosed string `json:"messageOnClosed,omitempty"`
	// MessageOnPending is the effect of a customer's message on a pending
	// conversation: stays or inbound-reopens, which removes its follow-up.
	MessageOnPending string `json:"messageOnPending,omitempty"`
	// TransferClosed is the effect of a transfer or claim on a closed conversation:
	// reopens, stays or rejected.
	TransferClosed string `json:"transferClosed,omitempty"`
	// ClaimForce is the value of an absent "force" in a claim: true or false.
	ClaimForce string `json:"claimForce,omitempty"`
	// FollowupExpiry is the state after a follow-up expires: Open or AwaitingPending.
	FollowupExpiry string `json:"followupExpiry,omitempty"`
	// TagTwice is the response to adding a tag that the conversation already has:
	// accepted or rejected.
	TagTwice string `json:"tagTwice,omitempty"`
	// InactiveTag is the status code of tagging with a deactivated tag: 400 or 404.
	InactiveTag string `json:"inactiveTag,omitempty"`
	// NoteFormat is the format of returned notes: as-sent, html (escaped, newlines
	// as <br>) or text (markup removed).
	NoteFormat string `json:"noteFormat,omitempty"`

	// BulkTagDelay is the delay between the 202 of a bulk tag and its effect. 0
	// means directly after the response.
	BulkTagDelay Duration `json:"bulkTagDelay"`
	// AnonymizationDelay is how long an anonymization request stays unprocessed.
	AnonymizationDelay Duration `json:"anonymizationDelay"`
	// ListLag is how long new conversations, messages, notes and activity entries
	// are missing from lists and search. GET of one conversation by id does not lag.
	ListLag Duration `json:"listLag"`
	// NewConversationLag is how long every operation on a new conversation's id
	// responds with 404. ListLag applies to lists and search.
	NewConversationLag Duration `json:"newConversationLag"`
	// EndUserListLag is how long a new end user is missing from GET /endusers.
	// Uniqueness does not lag.
	EndUserListLag Duration `json:"endUserListLag"`
	// ConversationOrder is the order of an end user's conversations and of search
	// hits: oldest or newest.
	ConversationOrder string `json:"conversationOrder,omitempty"`
	// ActivityShift is the offset added to the times of activity log entries. A
	// negative offset makes an entry earlier than its event.
	ActivityShift Duration `json:"activityShift"`
	// ActivityOrder is the order of activity logs: oldest or newest.
	ActivityOrder string `json:"activityOrder,omitempty"`
	// DefaultPageLimit is the page size without pageLimit. Defaults to 50.
	DefaultPageLimit int `json:"defaultPageLimit"`
	// MaxPageLimit is the largest page size. Defaults to 50 for search, 10,000 for
	// the activity log and 1000 elsewhere.
	MaxPageLimit int `json:"maxPageLimit"`
	// PageLimitTooLarge is the response to a larger pageLimit: capped or rejected.
	PageLimitTooLarge string `json:"pageLimitTooLarge,omitempty"`

	// TimePrecision is the precision of a conversation's times, such as
	// stateUpdatedAt: seconds or millis.
	TimePrecision string `json:"timePrecision,omitempty"`

	// ListOrder is the order of the lists of tags, queues, teams, agents, end users,
	// contact endpoints, attributes and subscriptions: oldest or newest.
	ListOrder string `json:"listOrder,omitempty"`
	// NextLinks is the form of meta.next and meta.previous: relative (to the root)
	// or absolute.
	NextLinks string `json:"nextLinks,omitempty"`
	// ZonedTimes is the format of times in messages, notes, the activity log,
	// anonymizations and attribute definitions: gmt (2021-12-01T12:46:36.581Z[GMT])
	// or plain (without [GMT]).
	ZonedTimes string `json:"zonedTimes,omitempty"`
	// ActivityEntries is the content of the activity log: all or no-messages (no
	// entries for messages and notes).
	ActivityEntries string `json:"activityEntries,omitempty"`

	// MaxNameChars is the maximum length of an end user's name. A longer one is
	// refused with 400. 0 means no limit.
	MaxNameChars int `json:"maxNameChars"`
	// MaxTagChars is the maximum length of a tag. A longer one is refused with 400.
	// 0 means no limit.
	MaxTagChars int `json:"maxTagChars"`
	// MaxAttributeChars is the maximum length of a custom attribute's text. A longer
	// one is refused with 400. 0 means no limit.
	MaxAttributeChars int `json:"maxAttributeChars"`
	// AgentRoles is the form of an agent's roles: as-documented (Agent), many
	// (Admin, TeamLead, SystemAdmin, Agent) or upper (AGENT).
	AgentRoles string `json:"agentRoles,omitempty"`

	// UnknownQuery is the treatment of a query parameter that the operation does not
	// have: ignored or rejected.
	UnknownQuery string `json:"unknownQuery,omitempty"`
	// UnknownFields is the treatment of a JSON field that the operation does not
	// have: ignored or rejected.
	UnknownFields string `json:"unknownFields,omitempty"`
	// OrganizationAbsent removes GET /organization, as before 2026.
	OrganizationAbsent bool `json:"organizationAbsent"`

	// RefusedToken is the status code for a token that is not accepted: 401 or 403.
	RefusedToken string `json:"refusedToken,omitempty"`
	// RequestsPerDay overrides Options.Limit.PerDay if set.
	RequestsPerDay int `json:"requestsPerDay"`
	// QuotaReset is when the daily count restarts: midnight (UTC) or rolling (24
	// hours after the first request).
	QuotaReset string `json:"quotaReset,omitempty"`
	// LimitReading overrides Options.Limit.Reading if set: both, bucket, window or
	// off.
	LimitReading string `json:"limitReading,omitempty"`
	// RetryAfter is the form of the Retry-After header of a 429: none, seconds or
	// date.
	RetryAfter string `json:"retryAfter,omitempty"`
	// LimitBody is the body of a 429: message, empty or html.
	LimitBody string `json:"limitBody,omitempty"`

	// MaxAttachmentBytes is the maximum size of a fetched file. Defaults to 25 MiB.
	MaxAttachmentBytes int64 `json:"maxAttachmentBytes"`
	// MaxAttachments is the maximum number of files per message. More are refused
	// with 400. 0 means no limit.
	MaxAttachments int `json:"maxAttachments"`
	// AttachmentTimeout limits the fetch of one file. Defaults to 10s.
	AttachmentTimeout Duration `json:"attachmentTimeout"`
	// AttachmentTypes is the set of accepted file types: any, images or images-pdf.
	AttachmentTypes string `json:"attachmentTypes,omitempty"`
	// AttachmentRedirects is the treatment of a redirect of a file's URL: followed
	// or refused.
	AttachmentRedirects string `json:"attachmentRedirects,omitempty"`

	// FileLinks is the form of links to Dixa's own files: mixed (URLs in the API,
	// paths without a host in webhooks), absolute (URLs in both) or path (paths in
	// both).
	FileLinks string `json:"fileLinks,omitempty"`

	// Webhooks controls deliveries.
	Webhooks WebhookSwitches `json:"webhooks"`
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
	// Success is the response that ends the attempts: 2xx, 200 or any.
	Success string `json:"success,omitempty"`
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
	// CustomAttributeItems is the shape of the conversation's custom_attributes:
	// full (id, name, identifier and value), pairs (name and value) or map (an
	// object of values by identifier).
	CustomAttributeItems string `json:"customAttributeItems,omitempty"`
	// UserRoles is the content of a user's roles: empty or filled (Enduser, or an
	// agent's roles).
	UserRoles string `json:"userRoles,omitempty"`
	// OtherEvents sends the events whose data is entirely undocumented to
	// subscriptions that name them: typing, message delivery, service levels and
	// bans. Their names and data are guesses.
	OtherEvents bool `json:"otherEvents"`
	// UnconfirmedNames is the event_fqn of events without a published one: snake
	// (CONVERSATION_END_USER_REPLACED) or api (ConversationEndUserReplaced).
	UnconfirmedNames string `json:"unconfirmedNames,omitempty"`
	// AttachmentItems is the shape of a message's attachments: snake (url and
	// pretty_name), camel (url and prettyName), strings (bare URLs) or empty (none,
	// even if the message has files).
	AttachmentItems string `json:"attachmentItems,omitempty"`
	// ExternalIDs is the external_id of a message: value (null for a message without
	// one), text (the text "null" for a message without one), null (always) or
	// absent.
	ExternalIDs string `json:"externalIds,omitempty"`
	// HTMLText is the text of an HTML message: as-sent or text (markup removed).
	HTMLText string `json:"htmlText,omitempty"`
	// FollowupRemoved is the event for a removed follow-up: none (only the activity
	// log) or open (ConversationOpen).
	FollowupRemoved string `json:"followupRemoved,omitempty"`
	// GuessedMembers adds plausible members to the events whose data beyond the
	// conversation is undocumented (assigned, unassigned, transferred, tag removed,
	// attributes, end user replaced).
	GuessedMembers bool `json:"guessedMembers"`
	// TransferredNames is the event_fqn of a transfer: one
	// (CONVERSATION_TRANSFERRED) or two (CONVERSATION_TRANSFERRED_TO_QUEUE and
	// CONVERSATION_TRANSFERRED_TO_AGENT, as Dixa's UI suggests).
	TransferredNames string `json:"transferredNames,omitempty"`
}

type setting struct {
	name    string
	value   *string
	allowed []string
}

func (s *Switches) settings() []setting {
	return []setting{
		{"externalId", &s.ExternalID, []string{ExternalIDOrganization, ExternalIDConversation, ExternalIDStored, ExternalIDDropped}},
		{"emailFilter", &s.EmailFilter, []string{CaseInsensitive, CaseExact}},
		{"emailUniqueness", &s.EmailUniqueness, []string{CaseInsensitive, CaseExact}},
		{"noEndUser", &s.NoEndUser, []string{"empty", "404"}},
		{"duplicatePhone", &s.DuplicatePhone, []string{Rejected, Accepted}},
		{"phoneFormat", &s.PhoneFormat, []string{"any", "e164"}},
		{"unknownRequester", &s.UnknownRequester, []string{"404", "400"}},
		{"requesterWithoutEmail", &s.RequesterWithoutEmail, []string{Accepted, Rejected}},
		{"unknownContactEndpoint", &s.UnknownContactEndpoint, []string{"400", "404"}},
		{"queueOnCreate", &s.QueueOnCreate, []string{"none", "default"}},
		{"copyAddresses", &s.CopyAddresses, []string{"either", "email", "uuid"}},
		{"closeClosed", &s.CloseClosed, []string{Accepted, Rejected}},
		{"reopenOpen", &s.ReopenOpen, []string{Accepted, Rejected}},
		{"messageOnClosed", &s.MessageOnClosed, []string{InboundReopens, Reopens, Stays, Rejected}},
		{"messageOnPending", &s.MessageOnPending, []string{Stays, InboundReopens}},
		{"transferClosed", &s.TransferClosed, []string{Reopens, Stays, Rejected}},
		{"claimForce", &s.ClaimForce, []string{"true", "false"}},
		{"followupExpiry", &s.FollowupExpiry, []string{StateOpen, StateAwaitingPending}},
		{"tagTwice", &s.TagTwice, []string{Accepted, Rejected}},
		{"inactiveTag", &s.InactiveTag, []string{"400", "404"}},
		{"noteFormat", &s.NoteFormat, []string{"as-sent", "html", "text"}},
		{"conversationOrder", &s.ConversationOrder, []string{OldestFirst, NewestFirst}},
		{"activityOrder", &s.ActivityOrder, []string{OldestFirst, NewestFirst}},
		{"pageLimitTooLarge", &s.PageLimitTooLarge, []string{"capped", Rejected}},
		{"timePrecision", &s.TimePrecision, []string{"seconds", "millis"}},
		{"listOrder", &s.ListOrder, []string{OldestFirst, NewestFirst}},
		{"nextLinks", &s.NextLinks, []string{"relative", "absolute"}},
		{"zonedTimes", &s.ZonedTimes, []string{"gmt", "plain"}},
		{"activityEntries", &s.ActivityEntries, []string{"all", "no-messages"}},
		{"agentRoles", &s.AgentRoles, []string{"as-documented", "many", "upper"}},
		{"refusedToken", &s.RefusedToken, []string{"401", "403"}},
		{"quotaReset", &s.QuotaReset, []string{"midnight", "rolling"}},
		{"attachmentTypes", &s.AttachmentTypes, []string{"any", "images", "images-pdf"}},
		{"unknownQuery", &s.UnknownQuery, []string{"ignored", Rejected}},
		{"unknownFields", &s.UnknownFields, []string{"ignored", Rejected}},
		{"retryAfter", &s.RetryAfter, []string{RetryAfterNone, RetryAfterSeconds, RetryAfterDate}},
		{"limitBody", &s.LimitBody, []string{"message", "empty", "html"}},
		{"attachmentRedirects", &s.AttachmentRedirects, []string{"followed", "refused"}},
		{"fileLinks", &s.FileLinks, []string{"mixed", "absolute", "path"}},
		{"webhooks.success", &s.Webhooks.Success, []string{"2xx", "200", "any"}},
		{"webhooks.customAttributeItems", &s.Webhooks.CustomAttributeItems, []string{"full", "pairs", "map"}},
		{"webhooks.userRoles", &s.Webhooks.UserRoles, []string{"empty", "filled"}},
		{"webhooks.unconfirmedNames", &s.Webhooks.UnconfirmedNames, []string{"snake", "api"}},
		{"webhooks.attachmentItems", &s.Webhooks.AttachmentItems, []string{"snake", "camel", "strings", "empty"}},
		{"webhooks.externalIds", &s.Webhooks.ExternalIDs, []string{"value", "text", "null", "absent"}},
		{"webhooks.htmlText", &s.Webhooks.HTMLText, []string{"as-sent", "text"}},
		{"webhooks.followupRemoved", &s.Webhooks.FollowupRemoved, []string{"none", "open"}},
		{"webhooks.transferredNames", &s.Webhooks.TransferredNames, []string{"one", "two"}},
	}
}

// NamedSettings lists the settings of every switch with named settings, the default
// first, keyed by the switch's name in JSON. The names of WebhookSwitches start with
// "webhooks.".
func NamedSettings() map[string][]string {
	named := map[string][]string{"limitReading": slices.Clone(limitReadings)}
	for _, setting := range new(Switches).settings() {
		named[setting.name] = setting.allowed
	}
	return named
}

// WithDefaults returns the switches with all defaults filled in.
func (s Switches) WithDefaults() Switches {
	for _, setting := range s.settings() {
		*setting.value = cmp.Or(*setting.value, setting.allowed[0])
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
	if s.LimitReading != "" && !slices.Contains(limitReadings, s.LimitReading) {
		return fmt.Errorf("invalid setting %q for switch limitReading: must be one of %s",
			s.LimitReading, strings.Join(limitReadings, ", "))
	}
	for name, share := range map[string]float64{
		"duplicate": s.Webhooks.Duplicate, "reorder": s.Webhooks.Reorder,
		"lose": s.Webhooks.Lose, "late": s.Webhooks.Late,
	} {
		if share < 0 || share > 1 {
			return fmt.Errorf("switch webhooks.%s must be between 0 and 1, got %v", name, share)
		}
	}
	if s.Webhooks.KeptDeliveries < 0 {
		return fmt.Errorf("switch webhooks.keptDeliveries must not be negative, got %d", s.Webhooks.KeptDeliveries)
	}
	return nil
}

// patched applies a JSON object that contains only the switches to change.
func (s Switches) patched(body []byte) (Switches, error) {
	decoder := json.NewDecoder(strings.NewReader(string(body)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&s); err != nil {
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
