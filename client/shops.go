package client

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"time"

	"github.com/claimflow/claimflow/claim"
)

// NewShop is a shop to add.
type NewShop struct {
	Slug string `json:"slug" validate:"required,slug" doc:"The shop's name in addresses: small letters, digits, - and _."`
	Name string `json:"name,omitempty" validate:"max=200" doc:"The shop's name for people; templates use it."`
	// Feature says whether the platform offers Dixa to the shop; nil means yes.
	Feature *bool `json:"dixa_feature,omitempty" doc:"Whether the platform offers Dixa to the shop. Missing means yes."`
}

// ShopPatch changes a shop; nil members do not.
type ShopPatch struct {
	Name    *string `json:"name,omitempty" doc:"The shop's name for people."`
	Feature *bool   `json:"dixa_feature,omitempty" doc:"Whether the platform offers Dixa to the shop."`
}

// ShopList is the platform's shops.
type ShopList struct {
	Shops []claim.Shop `json:"data"`
}

// Shops lists the platform's shops by slug.
func (c *Client) Shops(ctx context.Context) ([]claim.Shop, error) {
	var out ShopList
	err := c.do(ctx, call{method: http.MethodGet, path: []string{"v1", "shops"}}, &out)
	return out.Shops, err
}

// Shop reads a shop with the counts of its claims by state.
func (c *Client) Shop(ctx context.Context, shop string) (claim.Shop, error) {
	var out claim.Shop
	err := c.do(ctx, call{method: http.MethodGet, path: shopPath(shop)}, &out)
	return out, err
}

// AddShop adds a shop. One that exists is an [*Error] with [CodeConflict]. It is
// not tried again where no answer came.
func (c *Client) AddShop(ctx context.Context, s NewShop) (claim.Shop, error) {
	var out claim.Shop
	err := c.do(ctx, call{method: http.MethodPost, path: []string{"v1", "shops"}, body: s, once: true}, &out)
	return out, err
}

// PatchShop changes a shop.
func (c *Client) PatchShop(ctx context.Context, shop string, p ShopPatch) (claim.Shop, error) {
	var out claim.Shop
	err := c.do(ctx, call{method: http.MethodPatch, path: shopPath(shop), body: p}, &out)
	return out, err
}

// DeleteShop removes a shop. Its claims are no longer reachable.
func (c *Client) DeleteShop(ctx context.Context, shop string) error {
	return c.do(ctx, call{method: http.MethodDelete, path: shopPath(shop)}, nil)
}

// Count is how many claims a command reached.
type Count struct {
	Claims int `json:"claims" doc:"How many claims the command reached."`
}

// RetryShopRequest narrows [Client.RetryShop].
type RetryShopRequest struct {
	Causes []claim.Cause `json:"causes,omitempty" doc:"Only claims parked for one of these causes. Missing means all."`
}

// RetryShop takes up again every parked claim of the shop, or those parked for
// one of the causes.
func (c *Client) RetryShop(ctx context.Context, shop string, causes ...claim.Cause) (int, error) {
	var out Count
	err := c.do(ctx, call{method: http.MethodPost, path: shopPath(shop, "retry"), body: RetryShopRequest{Causes: causes}}, &out)
	return out.Claims, err
}

// OpenSkippedRequest narrows [Client.OpenSkipped].
type OpenSkippedRequest struct {
	Since time.Time `json:"since,omitzero" doc:"Only claims accepted since then. Missing means all."`
}

// OpenSkipped opens the claims that came while the integration was off, since a
// time; the zero time means all.
func (c *Client) OpenSkipped(ctx context.Context, shop string, since time.Time) (int, error) {
	var out Count
	err := c.do(ctx, call{method: http.MethodPost, path: shopPath(shop, "open-skipped"), body: OpenSkippedRequest{Since: since}}, &out)
	return out.Claims, err
}

// Pause makes the shop's new claims wait.
func (c *Client) Pause(ctx context.Context, shop string) (claim.Shop, error) {
	return c.switched(ctx, shop, "pause")
}

// Resume lets the shop's waiting claims go on.
func (c *Client) Resume(ctx context.Context, shop string) (claim.Shop, error) {
	return c.switched(ctx, shop, "resume")
}

// Enable makes the shop's claims become conversations from now on. It is an
// [*Error] until a live contact endpoint is saved.
func (c *Client) Enable(ctx context.Context, shop string) (claim.Shop, error) {
	return c.switched(ctx, shop, "integrations", "dixa", "enable")
}

// Disable makes new claims be skipped.
func (c *Client) Disable(ctx context.Context, shop string) (claim.Shop, error) {
	return c.switched(ctx, shop, "integrations", "dixa", "disable")
}

func (c *Client) switched(ctx context.Context, shop string, tail ...string) (claim.Shop, error) {
	var out claim.Shop
	err := c.do(ctx, call{method: http.MethodPost, path: shopPath(shop, tail...), slow: true}, &out)
	return out, err
}

// Integration reads a shop's Dixa integration: its own settings and what they
// come to with those that it inherits.
func (c *Client) Integration(ctx context.Context, shop string) (claim.Integration, error) {
	var out claim.Integration
	err := c.do(ctx, call{method: http.MethodGet, path: dixaOf(shop)}, &out)
	return out, err
}

// SweepAsked is the answer to [Client.Sweep].
type SweepAsked struct {
	LastStartedAt time.Time `json:"last_started_at,omitzero" doc:"When the previous sweep began; missing where there was none. The sweep that was asked for has ended once the integration's last_sweep has a later started_at and a finished_at that is not before it."`
}

// EndedBy reports whether the sweep that was asked for has ended, by the last
// sweep of the integration.
func (a SweepAsked) EndedBy(last *claim.Sweep) bool {
	return last != nil && last.StartedAt.After(a.LastStartedAt) && !last.FinishedAt.Before(last.StartedAt)
}

// Sweep begins a search of the shop's Dixa organisation for what no webhook told.
// Its report is the LastSweep of [Client.Integration] once [SweepAsked.EndedBy]
// says so.
func (c *Client) Sweep(ctx context.Context, shop string) (SweepAsked, error) {
	var out SweepAsked
	err := c.do(ctx, call{method: http.MethodPost, path: dixaOf(shop, "sweep")}, &out)
	return out, err
}

// ChangeSettings merges a JSON object into the shop's own settings (RFC 7396: a
// null removes a member, so that it is inherited again). What names something in
// Dixa is checked there; faults are an [*Error] with [CodeInvalid].
func (c *Client) ChangeSettings(ctx context.Context, shop string, patch json.RawMessage) (claim.Integration, error) {
	var out claim.Integration
	err := c.do(ctx, call{method: http.MethodPut, path: dixaOf(shop), body: patch, slow: true}, &out)
	return out, err
}

// TokenRequest carries a Dixa API token.
type TokenRequest struct {
	Token string `json:"token" doc:"The Dixa API token as Dixa shows it, without space around it."`
}

// Connect saves a shop's Dixa API token after Dixa has taken it.
func (c *Client) Connect(ctx context.Context, shop, token string) (claim.Connection, error) {
	var out claim.Connection
	err := c.do(ctx, call{method: http.MethodPut, path: dixaOf(shop, "token"), body: TokenRequest{Token: token}, slow: true}, &out)
	return out, err
}

// TokenComparison asks whether a token is the saved one without sending it.
type TokenComparison struct {
	// Nonce is random, 32 bytes in hexadecimal.
	Nonce string `json:"nonce" minLength:"64" maxLength:"64" pattern:"^[0-9a-f]+$" doc:"Random, 32 bytes in hexadecimal."`
	// Fingerprint is [TokenFingerprint] of the token under the nonce.
	Fingerprint string `json:"fingerprint" minLength:"64" maxLength:"64" pattern:"^[0-9a-f]+$" doc:"HMAC-SHA-256 of the token under the nonce's text, in hexadecimal."`
}

// TokenCompared is the answer to a [TokenComparison].
type TokenCompared struct {
	Same bool `json:"same" doc:"The token is the saved one."`
}

// TokenFingerprint is the HMAC-SHA-256 of a token under a nonce's text, in
// hexadecimal. The nonce is new for each comparison, so a fingerprint that somebody
// reads on the way or in a log tells nothing about another one, and none is stored.
func TokenFingerprint(nonce, token string) string {
	mac := hmac.New(sha256.New, []byte(nonce))
	mac.Write([]byte(token))
	return hex.EncodeToString(mac.Sum(nil))
}

// HasToken reports whether a token is the one that is saved for a shop. The token is
// not sent: both sides compute its fingerprint under a nonce of this request.
func (c *Client) HasToken(ctx context.Context, shop, token string) (bool, error) {
	nonce := make([]byte, sha256.Size)
	rand.Read(nonce)
	ask := TokenComparison{Nonce: hex.EncodeToString(nonce)}
	ask.Fingerprint = TokenFingerprint(ask.Nonce, token)
	var out TokenCompared
	err := c.do(ctx, call{method: http.MethodPost, path: dixaOf(shop, "token", "compare"), body: ask}, &out)
	return out.Same, err
}

// WebhookSecretRequest carries the secret of a webhook subscription.
type WebhookSecretRequest struct {
	Secret string `json:"secret" doc:"The secret that Dixa shows for the subscription. Empty: Claimflow makes the subscription itself again."`
}

// SaveWebhookSecret saves the secret of a webhook subscription that a person made
// in the shop's Dixa; Claimflow leaves that subscription alone. An empty secret
// hands the subscription back to Claimflow, which makes it when the shop is
// enabled the next time. A secret that is replaced stays good for three days.
func (c *Client) SaveWebhookSecret(ctx context.Context, shop, secret string) (claim.Subscription, error) {
	var out claim.Subscription
	err := c.do(ctx, call{method: http.MethodPut, path: dixaOf(shop, "webhook-secret"), body: WebhookSecretRequest{Secret: secret}}, &out)
	return out, err
}

// Report is what a look at a shop's Dixa found.
type Report struct {
	// OK says that no check failed.
	OK     bool    `json:"ok" doc:"No check failed."`
	Checks []Check `json:"checks"`
	// ConversationID is the conversation that a test opened.
	ConversationID int64 `json:"conversation_id,omitempty" doc:"The conversation that a test opened."`
	// Warnings say what may be wrong but keeps no claim from being opened.
	Warnings []string `json:"warnings,omitempty" doc:"What may be wrong but keeps no claim from being opened."`
}

// Check is one thing that was looked at.
type Check struct {
	Name   string `json:"check" doc:"What was looked at." example:"contact endpoint"`
	Result string `json:"result" enum:"ok,warning,failed,skipped"`
	// Detail says what was found and, where it failed, what to do.
	Detail string `json:"detail" doc:"What was found and, where it failed, what to do."`
}

// Validate checks a shop's connection and settings against Dixa. It only reads.
func (c *Client) Validate(ctx context.Context, shop string) (Report, error) {
	var out Report
	err := c.do(ctx, call{method: http.MethodPost, path: dixaOf(shop, "validate"), slow: true}, &out)
	return out, err
}

// TestRequest names the customer of a test conversation.
type TestRequest struct {
	Email string `json:"email" format:"email" doc:"The address in whose name the test conversation is opened. Dixa writes to it."`
	// AgentID is the agent who replies; empty for the shop's default agent.
	AgentID string `json:"agent_id,omitempty" format:"uuid" doc:"The agent who replies in it. Without one, the shop's default_agent_id."`
}

// Test opens a conversation tagged claimflow-test in the name of an address,
// finds out what the token may do, replies in it and closes it. It is never tried
// again.
func (c *Client) Test(ctx context.Context, shop string, r TestRequest) (Report, error) {
	var out Report
	err := c.do(ctx, call{method: http.MethodPost, path: dixaOf(shop, "test"), body: r, once: true, slow: true}, &out)
	return out, err
}

// PlatformSettings is the layer of settings that all shops inherit.
type PlatformSettings struct {
	Own json.RawMessage `json:"own_settings" doc:"The platform's own layer: some of the members of the settings."`
	// Effective is what a shop without settings of its own has.
	Effective claim.Settings `json:"settings"`
}

// PlatformSettings reads the settings that all shops inherit.
func (c *Client) PlatformSettings(ctx context.Context) (PlatformSettings, error) {
	var out PlatformSettings
	err := c.do(ctx, call{method: http.MethodGet, path: []string{"v1", "settings"}}, &out)
	return out, err
}

// ChangePlatformSettings merges a JSON object into them, as
// [Client.ChangeSettings] does for a shop.
func (c *Client) ChangePlatformSettings(ctx context.Context, patch json.RawMessage) (PlatformSettings, error) {
	var out PlatformSettings
	err := c.do(ctx, call{method: http.MethodPut, path: []string{"v1", "settings"}, body: patch}, &out)
	return out, err
}

func shopPath(shop string, tail ...string) []string {
	return append([]string{"v1", "shops", shop}, tail...)
}

func dixaOf(shop string, tail ...string) []string {
	return shopPath(shop, append([]string{"integrations", "dixa"}, tail...)...)
}

// StatusRulesRequest are rules to try.
type StatusRulesRequest struct {
	// StatusRules are the rules; none means the built-in ones.
	StatusRules []claim.StatusRule `json:"status_rules" doc:"The rules to try; none means the built-in ones."`
	// Claims is how many of the newest claims to try them on. Defaults to 100.
	Claims int `json:"claims,omitempty" minimum:"0" maximum:"500" doc:"How many of the newest claims to try them on; 100 unless given."`
}

// StatusRulesPreview is what other rules would have said.
type StatusRulesPreview struct {
	// Claims is how many claims the rules were tried on.
	Claims int `json:"claims" doc:"How many claims the rules were tried on."`
	// Different are those whose owner would have been told otherwise.
	Different []StatusDifference `json:"different" doc:"The claims whose owner would have been told otherwise."`
}

// StatusDifference is a claim whose owner would have been told otherwise: the
// statuses one after another, by the rules that hold and by those tried.
type StatusDifference struct {
	ClaimID string      `json:"claim_id"`
	State   claim.State `json:"state"`
	Is      []string    `json:"is" doc:"The statuses one after another by the rules that hold."`
	Would   []string    `json:"would" doc:"The statuses one after another by the rules tried."`
}

// PreviewStatusRules tries status rules on what Dixa told of the shop's newest
// claims. Nothing is changed or sent.
func (c *Client) PreviewStatusRules(ctx context.Context, shop string, r StatusRulesRequest) (StatusRulesPreview, error) {
	var out StatusRulesPreview
	err := c.do(ctx, call{method: http.MethodPost, path: dixaOf(shop, "status-rules", "preview"), body: r}, &out)
	return out, err
}
