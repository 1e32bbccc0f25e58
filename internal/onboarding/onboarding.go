// Package onboarding sets up a shop's Dixa. It accepts a token only after Dixa
// accepted it, and settings only after finding what they name in Dixa. It enables
// the integration only when claims can become conversations.
package onboarding

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/internal/fromdixa/subscription"
	"github.com/claimflow/claimflow/internal/todixa/connection"
	"github.com/claimflow/claimflow/store"
)

// Dixa creates clients of the Dixa API.
type Dixa interface {
	// Client returns the client of a connection with its saved token and shared
	// budget.
	Client(ctx context.Context, connectionID string) (*dixa.Client, error)
	// For is like Client, on behalf of a shop: it writes nothing if the shop's
	// settings are read-only.
	For(ctx context.Context, connectionID string, settings claim.Settings) (*dixa.Client, error)
	// Probe returns a client for a token that is not saved yet.
	Probe(token string) (*dixa.Client, error)
}

// Options configure a Service.
type Options struct {
	Store *store.Store
	Dixa  Dixa
	// PublicURL is the address under which Dixa reaches the API's webhooks.
	PublicURL string
	// Log records failures that did not make a command fail. Defaults to discarding
	// them.
	Log *slog.Logger
	// AutoReplyWait is how long a test waits for an automatic reply from Dixa.
	// Defaults to 5 s; negative checks once.
	AutoReplyWait time.Duration
}

// Service sets up shops. Create one with [New].
type Service struct {
	store    *store.Store
	dixa     Dixa
	webhooks *subscription.Service
	log      *slog.Logger
	wait     time.Duration
}

// New returns a service.
func New(o Options) *Service {
	o.AutoReplyWait = cmp.Or(o.AutoReplyWait, 5*time.Second)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Service{
		store: o.Store, dixa: o.Dixa, webhooks: subscription.New(o.Store.Subscriptions, o.Dixa, o.PublicURL),
		log: o.Log, wait: o.AutoReplyWait,
	}
}

// Connect saves a shop's Dixa token after Dixa accepted it. If Dixa has no
// GET /v1/organization (404), the organization stays unknown. If the token is not
// accepted, nothing is saved and the error is a [*Refusal]: [TokenMalformed],
// [TokenRefused], [OtherOrganization] or [Unreachable]. An unknown shop is
// [store.ErrNotFound].
func (s *Service) Connect(ctx context.Context, shop, token string) (claim.Connection, error) {
	if _, err := s.store.Shops.Get(ctx, shop); err != nil {
		return claim.Connection{}, err
	}
	client, err := s.dixa.Probe(token)
	if errors.Is(err, dixa.ErrTokenFormat) {
		return claim.Connection{}, refuse(TokenMalformed, err, "%s; nothing was saved", sentence(err))
	}
	if err != nil {
		return claim.Connection{}, fmt.Errorf("create a Dixa client: %w", err)
	}
	org, err := organization(ctx, client)
	if err != nil {
		return claim.Connection{}, err
	}
	saved, err := s.store.Connections.SaveToken(ctx, shop, token, org)
	if other := (*store.OtherOrganizationError)(nil); errors.As(err, &other) {
		return claim.Connection{}, refuse(OtherOrganization, err,
			"The token belongs to the Dixa organization %s, but the shop is connected to %s; nothing was saved. Use a token of %[2]s. To move to another Dixa organization, add a new shop.",
			named(org, other.Got), other.Have)
	}
	return saved, err
}

func named(org store.Organization, id string) string {
	if org.Name == "" {
		return id
	}
	return fmt.Sprintf("%s (%s)", id, org.Name)
}

// organization queries the organization of a token, which also checks the token.
func organization(ctx context.Context, client *dixa.Client) (store.Organization, error) {
	org, err := connection.Call(ctx, func() (*dixa.Organization, error) { return client.Organization.Get(ctx) })
	if err == nil {
		return store.Organization{ID: org.ID, Name: org.Name}, nil
	}
	if dixa.IsNotFound(err) {
		// Some organizations lack this operation. Another read distinguishes a valid
		// token from an address that is no Dixa API at all.
		if _, err = newDirectory(client).mailboxes(ctx); err == nil {
			return store.Organization{}, nil
		}
	}
	if dixa.IsUnauthorized(err) {
		return store.Organization{}, refuse(TokenRefused, err,
			"Dixa rejected this token (%d): it is wrong, revoked or not a Dixa API token; nothing was saved. An administrator can create a token in Dixa under Settings > Integrations > API Tokens, version \"Dixa API\".", status(err))
	}
	return store.Organization{}, refuse(Unreachable, err,
		"The token could not be checked, so nothing was saved: %s. Try again when Dixa responds at %s.", describeError(err), client.BaseURL())
}

// UpdateSettings merges patch (RFC 7396) into the shop's own settings. It saves them
// if they are valid and everything that they name exists in the shop's Dixa. If a
// shop has no token yet, that check runs when it is enabled. Concurrent changes keep
// the members that the others set. The error is a [*claim.InvalidError] with every
// error, or a [*Refusal] if Dixa could not be queried; nothing is saved then.
func (s *Service) UpdateSettings(ctx context.Context, shop string, patch json.RawMessage) (claim.Integration, error) {
	before, err := s.store.Settings.Integration(ctx, shop)
	if err != nil {
		return claim.Integration{}, err
	}
	if err := s.validatePatch(ctx, before, patch); err != nil {
		return claim.Integration{}, err
	}
	// Others may have changed the settings since. The merged result is known only
	// under the store's lock.
	if _, err := s.store.Settings.Save(ctx, shop, patch, authored); err != nil {
		return claim.Integration{}, err
	}
	s.subscribeAllowed(ctx, before)
	return s.Integration(ctx, shop)
}

// authored rejects settings that open conversations with a message that has no
// author.
func authored(s claim.Settings) error {
	if s.Opening == "outbound" && s.DefaultAgentID == "" {
		return &claim.InvalidError{What: "settings", Errors: []claim.FieldError{{
			Field: "default_agent_id", Problem: "is required if opening is outbound: the agent is the author of the first message",
		}}}
	}
	return nil
}

// Merge returns the settings that a shop would have after a patch. It saves nothing and
// looks nothing up in Dixa. The error is a [*claim.InvalidError] with every error.
func (s *Service) Merge(ctx context.Context, before claim.Integration, patch json.RawMessage) (claim.Settings, error) {
	own, err := claim.MergeSettings(before.Own, patch)
	if err != nil {
		return claim.Settings{}, err
	}
	platform, _, err := s.store.Settings.Platform(ctx)
	if err != nil {
		return claim.Settings{}, err
	}
	after, err := claim.Resolve(platform, own)
	if err != nil {
		return claim.Settings{}, err
	}
	return after, authored(after)
}

// validatePatch validates the shop's settings after a patch. It looks up in Dixa only
// the references that changed: a language can be set while Dixa is down.
func (s *Service) validatePatch(ctx context.Context, before claim.Integration, patch json.RawMessage) error {
	after, err := s.Merge(ctx, before, patch)
	if err != nil {
		return err
	}
	known := references(before.Effective)
	changed := slices.DeleteFunc(references(after), func(r reference) bool { return slices.Contains(known, r) })
	if len(changed) == 0 || before.Connection == nil {
		return nil
	}
	client, err := s.client(ctx, before)
	if err != nil {
		return err
	}
	fieldErrors, err := newDirectory(client).check(ctx, changed)
	if err == nil && len(fieldErrors) > 0 {
		err = &claim.InvalidError{What: "settings", Errors: fieldErrors}
	}
	return err
}

// Enable makes the shop's claims become conversations. The error is a [*Refusal]
// unless the platform offers Dixa to the shop, a token is saved, the mailbox is a
// live contact endpoint, and everything else that the settings name exists in Dixa.
// Enable first ensures the webhook subscription for events of the shop's
// conversations. If Dixa rejects it, the error is a [*Refusal] too, unless a person
// saved the secret of a subscription or the settings are read-only.
func (s *Service) Enable(ctx context.Context, shop string) error {
	in, err := s.store.Settings.Integration(ctx, shop)
	if err != nil {
		return err
	}
	if !in.Feature {
		return refuse(FeatureOff, nil, "Dixa is not available to this shop. Set the shop's dixa_feature to true first (`starter shop update SHOP --dixa=true`).")
	}
	client, err := s.client(ctx, in)
	if err != nil {
		return err
	}
	if in.Effective.EmailIntegrationID == "" {
		return refuse(NotReady, nil, "No contact endpoint is set, so conversations have no mailbox. Set email_integration_id first; %s.", s.mailboxesInWords(ctx, client))
	}
	fieldErrors, err := newDirectory(client).check(ctx, references(in.Effective))
	if err != nil {
		return err
	}
	if len(fieldErrors) > 0 {
		r := refuse(NotReady, nil, "The settings refer to objects that do not exist in the shop's Dixa organization. Correct the settings, then enable the shop again.")
		r.Errors = fieldErrors
		return r
	}
	return s.withSubscription(ctx, in, func(ctx context.Context) error { return s.store.Shops.SetEnabled(ctx, shop, true) })
}

func (s *Service) mailboxesInWords(ctx context.Context, client *dixa.Client) string {
	boxes, err := newDirectory(client).mailboxes(ctx)
	if err != nil {
		return "the contact endpoints could not be read: " + describeError(err)
	}
	return "the Dixa organization has " + listed(boxes)
}

// CheckConversation checks that the shop's Dixa has a conversation (GET
// /v1/conversations/{conversationId}). If it does not, the error is a
// [*claim.InvalidError]. If Dixa cannot be queried, it is a [*Refusal]:
// [NotConnected] or [Unreachable].
func (s *Service) CheckConversation(ctx context.Context, shop string, id int64) error {
	in, err := s.store.Settings.Integration(ctx, shop)
	if err != nil {
		return err
	}
	client, err := s.client(ctx, in)
	if err != nil {
		return err
	}
	_, err = connection.Call(ctx, func() (*dixa.Conversation, error) { return client.Conversations.Get(ctx, id) })
	switch {
	case err == nil:
		return nil
	case dixa.IsNotFound(err):
		return &claim.InvalidError{What: "link", Errors: []claim.FieldError{{
			Field: "conversation_id", Problem: "is not a conversation in the shop's Dixa; the URL of a conversation in Dixa contains its number",
		}}}
	default:
		return dixaRefusal(err)
	}
}

// client returns the client of the shop's connection. If there is no usable token,
// the error is a [*Refusal].
func (s *Service) client(ctx context.Context, in claim.Integration) (*dixa.Client, error) {
	switch {
	case in.Connection == nil:
		return nil, refuse(NotConnected, nil, "The shop has no Dixa token. Save one with `starter shop connect %s`.", in.Slug)
	case in.Connection.State == claim.ConnectionNeedsToken:
		return nil, refuse(NotConnected, nil, "Dixa rejected the shop's token (%s). Save a new one with `starter shop connect %s`.", in.Connection.TokenInWords(), in.Slug)
	}
	client, err := s.dixa.For(ctx, in.Connection.ID, in.Effective)
	if err != nil {
		return nil, fmt.Errorf("create a Dixa client for shop %s: %w", in.Slug, err)
	}
	return client, nil
}

// dixaRefusal returns the refusal for a failed read.
func dixaRefusal(err error) *Refusal {
	if dixa.IsUnauthorized(err) {
		return refuse(NotConnected, err, "Dixa rejected the shop's token (%d): it is revoked or lacks the permission to read this. Save a new one with `starter shop connect`.", status(err))
	}
	return refuse(Unreachable, err, "Dixa could not be queried, so nothing was changed: %s. Try again when Dixa responds.", describeError(err))
}

func status(err error) int {
	if e, ok := dixa.AsError(err); ok {
		return e.Status
	}
	return 0
}

// describeError says briefly why Dixa gave no usable answer.
func describeError(err error) string {
	e, ok := dixa.AsError(err)
	switch {
	case !ok:
		return err.Error()
	case e.Status == http.StatusTooManyRequests:
		return "Dixa's request limit is exhausted"
	case e.Status >= http.StatusInternalServerError:
		return fmt.Sprintf("Dixa returned a server error (status %d)", e.Status)
	case e.Status == http.StatusNotFound:
		return "the address responds, but it is not a Dixa API (status 404)"
	case e.Status >= http.StatusBadRequest:
		return fmt.Sprintf("Dixa rejected the request (status %d: %q)", e.Status, e.Message)
	case e.Status != 0:
		return fmt.Sprintf("the response is not from Dixa (status %d)", e.Status)
	case errors.Is(err, context.DeadlineExceeded):
		return "Dixa did not respond in time"
	case errors.Is(err, dixa.ErrReadOnly):
		return "the shop's settings are read-only"
	case dixa.IsRateLimited(err):
		return "the token's request budget is exhausted"
	default:
		return "Dixa could not be reached"
	}
}

func sentence(err error) string {
	text := err.Error()
	return strings.ToUpper(text[:1]) + text[1:]
}
