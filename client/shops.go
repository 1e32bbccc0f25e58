package client

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"time"

	"github.com/claimflow/claimflow/claim"
)

// NewShop describes a shop to add.
type NewShop struct {
	Slug string `json:"slug" validate:"required,slug" doc:"The shop's name in URLs: lowercase letters, digits, - and _."`
	Name string `json:"name,omitempty" validate:"max=200" doc:"The display name of the shop; templates use it."`
	// Feature says whether the platform offers Dixa to the shop; nil means yes.
	Feature *bool `json:"dixa_feature,omitempty" doc:"Whether the platform offers Dixa to the shop. The default is true."`
}

// ShopPatch is a change to a shop; nil members stay unchanged.
type ShopPatch = claim.ShopPatch

// ShopList is the list of the platform's shops.
type ShopList struct {
	Shops []claim.Shop `json:"data"`
}

// Shops lists the platform's shops by slug.
func (c *Client) Shops(ctx context.Context) ([]claim.Shop, error) {
	out, err := ask[ShopList](ctx, c, call{method: http.MethodGet, path: []string{"v1", "shops"}})
	return out.Shops, err
}

// Shop returns a shop with the counts of its claims by state.
func (c *Client) Shop(ctx context.Context, shop string) (claim.Shop, error) {
	return ask[claim.Shop](ctx, c, call{method: http.MethodGet, path: shopPath(shop)})
}

// PlainShop returns a shop without the counts of its claims, which takes less time.
func (c *Client) PlainShop(ctx context.Context, shop string) (claim.Shop, error) {
	return ask[claim.Shop](ctx, c, call{method: http.MethodGet, path: shopPath(shop), query: query("counts", "false")})
}

// AddShop adds a shop. If the shop exists, it returns an [*Error] with
// [CodeConflict]. It is not retried if no response arrives.
func (c *Client) AddShop(ctx context.Context, s NewShop) (claim.Shop, error) {
	return ask[claim.Shop](ctx, c, call{method: http.MethodPost, path: []string{"v1", "shops"}, body: s, once: true})
}

// UpdateShop changes a shop.
func (c *Client) UpdateShop(ctx context.Context, shop string, p ShopPatch) (claim.Shop, error) {
	return ask[claim.Shop](ctx, c, call{method: http.MethodPatch, path: shopPath(shop), body: p})
}

// DeleteShop deletes a shop. Its claims become unreachable.
func (c *Client) DeleteShop(ctx context.Context, shop string) error {
	_, err := c.send(ctx, call{method: http.MethodDelete, path: shopPath(shop)})
	return err
}

// Count is the number of claims that a command affected.
type Count struct {
	Claims int `json:"claims" doc:"The number of claims that the command affected."`
}

// Attention counts the claims of a shop that wait for a person.
func (c *Client) Attention(ctx context.Context, shop string) (claim.Attention, error) {
	return ask[claim.Attention](ctx, c, call{method: http.MethodGet, path: shopPath(shop, "attention")})
}

// RetryShopRequest narrows [Client.RetryShop].
type RetryShopRequest struct {
	Causes []claim.Cause `json:"causes,omitempty" doc:"Only claims parked for one of these causes; all if omitted."`
}

// RetryShop retries every parked claim of the shop, or those parked for one of the
// causes.
func (c *Client) RetryShop(ctx context.Context, shop string, causes ...claim.Cause) (int, error) {
	out, err := ask[Count](ctx, c, call{method: http.MethodPost, path: shopPath(shop, "retry"), body: RetryShopRequest{Causes: causes}})
	return out.Claims, err
}

// OpenSkippedRequest narrows [Client.OpenSkipped].
type OpenSkippedRequest struct {
	Since time.Time `json:"since,omitzero" doc:"Only claims accepted at or after this time; all if omitted."`
}

// OpenSkipped opens the claims that arrived while the integration was off, from
// since on; a zero time means all.
func (c *Client) OpenSkipped(ctx context.Context, shop string, since time.Time) (int, error) {
	out, err := ask[Count](ctx, c, call{method: http.MethodPost, path: shopPath(shop, "open-skipped"), body: OpenSkippedRequest{Since: since}})
	return out.Claims, err
}

// Pause makes the shop's new claims wait.
func (c *Client) Pause(ctx context.Context, shop string) (claim.Shop, error) {
	return c.switched(ctx, shop, "pause")
}

// Resume lets the shop's waiting claims proceed.
func (c *Client) Resume(ctx context.Context, shop string) (claim.Shop, error) {
	return c.switched(ctx, shop, "resume")
}

// Enable turns the shop's new claims into conversations. It returns an [*Error]
// until a live contact endpoint is saved.
func (c *Client) Enable(ctx context.Context, shop string) (claim.Shop, error) {
	return c.switched(ctx, shop, "integrations", "dixa", "enable")
}

// Disable makes the shop skip new claims.
func (c *Client) Disable(ctx context.Context, shop string) (claim.Shop, error) {
	return c.switched(ctx, shop, "integrations", "dixa", "disable")
}

func (c *Client) switched(ctx context.Context, shop string, tail ...string) (claim.Shop, error) {
	return ask[claim.Shop](ctx, c, call{method: http.MethodPost, path: shopPath(shop, tail...), slow: true})
}

// Integration returns a shop's Dixa integration: its own settings and the settings
// that result from inheritance.
func (c *Client) Integration(ctx context.Context, shop string) (claim.Integration, error) {
	return ask[claim.Integration](ctx, c, call{method: http.MethodGet, path: dixaOf(shop)})
}

// SweepRequested is the response to [Client.Sweep].
type SweepRequested struct {
	LastStartedAt time.Time `json:"last_started_at,omitzero" doc:"When the previous sweep started; omitted if there was none. The requested sweep has ended once the integration's last_sweep has a started_at after this time and a finished_at at or after its started_at."`
}

// EndedBy reports whether the requested sweep has ended, given the last sweep of the
// integration.
func (a SweepRequested) EndedBy(last *claim.Sweep) bool {
	return last != nil && last.StartedAt.After(a.LastStartedAt) && !last.FinishedAt.Before(last.StartedAt)
}

// Sweep starts a search of the shop's Dixa organization for what no webhook
// delivered. Once [SweepRequested.EndedBy] reports true, LastSweep of
// [Client.Integration] has the report.
func (c *Client) Sweep(ctx context.Context, shop string) (SweepRequested, error) {
	return ask[SweepRequested](ctx, c, call{method: http.MethodPost, path: dixaOf(shop, "sweep")})
}

// UpdateSettings merges a JSON object into the shop's own settings (RFC 7396: null
// removes a member, which is then inherited again). References to Dixa objects are
// checked in Dixa. Invalid settings are an [*Error] with [CodeInvalid].
func (c *Client) UpdateSettings(ctx context.Context, shop string, patch json.RawMessage) (claim.Integration, error) {
	return ask[claim.Integration](ctx, c, call{method: http.MethodPut, path: dixaOf(shop), body: patch, slow: true})
}

// TokenRequest contains a Dixa API token.
type TokenRequest struct {
	Token string `json:"token" doc:"The Dixa API token, without surrounding whitespace."`
}

// Connect saves a shop's Dixa API token after Dixa accepts it.
func (c *Client) Connect(ctx context.Context, shop, token string) (claim.Connection, error) {
	return ask[claim.Connection](ctx, c, call{method: http.MethodPut, path: dixaOf(shop, "token"), body: TokenRequest{Token: token}, slow: true})
}

// TokenComparison asks whether a token is the saved one, without sending it.
type TokenComparison struct {
	// Nonce is 32 random bytes in hexadecimal.
	Nonce string `json:"nonce" minLength:"64" maxLength:"64" pattern:"^[0-9a-f]+$" doc:"32 random bytes in hexadecimal."`
	// Fingerprint is the [TokenFingerprint] of the token under the nonce.
	Fingerprint string `json:"fingerprint" minLength:"64" maxLength:"64" pattern:"^[0-9a-f]+$" doc:"HMAC-SHA-256 of the token, keyed with the text of the nonce, in hexadecimal."`
}

// TokenComparisonResult is the response to a [TokenComparison].
type TokenComparisonResult struct {
	Same bool `json:"same" doc:"Whether the token is the saved one."`
}

// Disconnect disables a shop and removes its Dixa token. The settings stay.
func (c *Client) Disconnect(ctx context.Context, shop string) error {
	_, err := c.send(ctx, call{method: http.MethodDelete, path: dixaOf(shop, "token"), slow: true})
	return err
}

// TokenFingerprint returns the HMAC-SHA-256 of a token, keyed with the text of a
// nonce, in hexadecimal. Each comparison uses a new nonce, so a fingerprint that
// leaks in transit or through a log reveals nothing about another one. No
// fingerprint is stored.
func TokenFingerprint(nonce, token string) string {
	mac := hmac.New(sha256.New, []byte(nonce))
	mac.Write([]byte(token))
	return hex.EncodeToString(mac.Sum(nil))
}

// HasToken reports whether a token is the one saved for a shop. It does not send the
// token: both sides compute its fingerprint under a nonce of this request.
func (c *Client) HasToken(ctx context.Context, shop, token string) (bool, error) {
	nonce := make([]byte, sha256.Size)
	rand.Read(nonce)
	compare := TokenComparison{Nonce: hex.EncodeToString(nonce)}
	compare.Fingerprint = TokenFingerprint(compare.Nonce, token)
	out, err := ask[TokenComparisonResult](ctx, c, call{method: http.MethodPost, path: dixaOf(shop, "token", "compare"), body: compare})
	return out.Same, err
}

// WebhookSecretRequest contains the secret of a webhook subscription.
type WebhookSecretRequest struct {
	Secret string `json:"secret" doc:"The secret that Dixa shows for the subscription. If empty, Claimflow creates the subscription again."`
}

// SaveWebhookSecret saves the secret of a webhook subscription that a person created
// in the shop's Dixa. Claimflow does not change that subscription. An empty secret
// returns the subscription to Claimflow, which creates it when the shop is next
// enabled. A replaced secret stays valid for three days.
func (c *Client) SaveWebhookSecret(ctx context.Context, shop, secret string) (claim.Subscription, error) {
	return ask[claim.Subscription](ctx, c, call{method: http.MethodPut, path: dixaOf(shop, "webhook-secret"), body: WebhookSecretRequest{Secret: secret}})
}

// Choices asks the shop's Dixa for what its settings can name.
func (c *Client) Choices(ctx context.Context, shop string) (claim.Choices, error) {
	return ask[claim.Choices](ctx, c, call{method: http.MethodGet, path: dixaOf(shop, "choices"), slow: true})
}

// Validate checks a shop's connection and settings against Dixa. It is read-only.
func (c *Client) Validate(ctx context.Context, shop string) (claim.Report, error) {
	return ask[claim.Report](ctx, c, call{method: http.MethodPost, path: dixaOf(shop, "validate"), slow: true})
}

// TestRequest names the customer of a test conversation.
type TestRequest struct {
	Email string `json:"email" format:"email" doc:"The address of the customer of the test conversation. Dixa sends email to it."`
	// AgentID is the agent who replies; empty for the shop's default agent.
	AgentID string `json:"agent_id,omitempty" format:"uuid" doc:"The agent who replies; the shop's default_agent_id if omitted."`
}

// Test opens a conversation tagged claimflow-test for a customer with the given address,
// determines what the token may do, replies in the conversation and closes it. It is
// not retried once it may have started.
func (c *Client) Test(ctx context.Context, shop string, r TestRequest) (claim.Report, error) {
	return ask[claim.Report](ctx, c, call{method: http.MethodPost, path: dixaOf(shop, "test"), body: r, once: true, slow: true})
}

// TestStep is what a test has come to.
type TestStep struct {
	// Check is a check that has ended; empty in the last step.
	Check claim.Check
	// Report is the whole report, in the last step; nil before.
	Report *claim.Report
}

// WatchTest does what [Client.Test] does and yields each check as soon as it ends. The last
// step has the report; without it, the last one is an error. Range over the steps once, to
// the end or with a context that ends. It is bounded by ctx only, and not retried.
func (c *Client) WatchTest(ctx context.Context, shop string, r TestRequest) (iter.Seq2[TestStep, error], error) {
	k := call{method: http.MethodPost, path: dixaOf(shop, "test"), body: r, accept: "application/x-ndjson"}
	resp, err := c.stream(ctx, k) //nolint:bodyclose // the steps close it
	if err != nil {
		return nil, err
	}
	return func(yield func(TestStep, error) bool) {
		defer func() { _ = resp.Body.Close() }() // read to the end or abandoned
		lines := json.NewDecoder(resp.Body)
		for reported := false; ; {
			var line struct {
				claim.Check
				claim.Report
			}
			err := lines.Decode(&line)
			if errors.Is(err, io.EOF) && reported {
				return
			}
			if err != nil {
				yield(TestStep{}, fmt.Errorf("claimflow: %s %s: %w: the response was cut off: %w", k.method, k.route(), ErrNoAnswer, err))
				return
			}
			step := TestStep{Check: line.Check}
			if line.Name == "" {
				step.Report, reported = &line.Report, true
			}
			if !yield(step, nil) {
				return
			}
		}
	}, nil
}

// PlatformSettings is the layer of settings that all shops inherit.
type PlatformSettings struct {
	Own json.RawMessage `json:"own_settings" doc:"The platform's own layer of settings, with the members that it sets."`
	// Effective are the settings of a shop that sets none of its own.
	Effective claim.Settings `json:"settings"`
}

// PlatformSettings returns the settings that all shops inherit.
func (c *Client) PlatformSettings(ctx context.Context) (PlatformSettings, error) {
	return ask[PlatformSettings](ctx, c, call{method: http.MethodGet, path: []string{"v1", "settings"}})
}

// UpdatePlatformSettings merges a JSON object into the platform's settings, as
// [Client.UpdateSettings] does for a shop.
func (c *Client) UpdatePlatformSettings(ctx context.Context, patch json.RawMessage) (PlatformSettings, error) {
	return ask[PlatformSettings](ctx, c, call{method: http.MethodPut, path: []string{"v1", "settings"}, body: patch})
}

func dixaOf(shop string, tail ...string) []string {
	return append(shopPath(shop, "integrations", "dixa"), tail...)
}

// StatusRulesRequest contains the rules to try.
type StatusRulesRequest struct {
	// StatusRules are the rules; empty means the built-in rules.
	StatusRules []claim.StatusRule `json:"status_rules" doc:"The rules to try; the built-in rules if empty."`
	// Claims is the number of newest claims to try the rules on. The default is 100.
	Claims int `json:"claims,omitempty" minimum:"0" maximum:"500" doc:"The number of newest claims to try the rules on. The default is 100."`
}

// StatusRulesPreview is the effect of other rules.
type StatusRulesPreview struct {
	// Claims is the number of claims that the rules were tried on.
	Claims int `json:"claims" doc:"The number of claims that the rules were tried on."`
	// Different lists the claims for which the owner would have received different statuses.
	Different []StatusDifference `json:"different" doc:"The claims for which the owner would have received different statuses."`
}

// StatusDifference is a claim for which the owner would have received different
// statuses. It lists the statuses in sequence, under the current rules and under the tried rules.
type StatusDifference struct {
	ClaimID string      `json:"claim_id"`
	State   claim.State `json:"state"`
	Is      []string    `json:"is" doc:"The sequence of statuses under the current rules."`
	Would   []string    `json:"would" doc:"The sequence of statuses under the tried rules."`
}

// PreviewStatusRules tries status rules on the events from Dixa about the shop's
// newest claims. It changes and sends nothing.
func (c *Client) PreviewStatusRules(ctx context.Context, shop string, r StatusRulesRequest) (StatusRulesPreview, error) {
	return ask[StatusRulesPreview](ctx, c, call{method: http.MethodPost, path: dixaOf(shop, "status-rules", "preview"), body: r})
}

// SettingsPreviewRequest contains the settings to try.
type SettingsPreviewRequest struct {
	// Settings is a JSON merge patch, as for [Client.UpdateSettings].
	Settings json.RawMessage `json:"settings" doc:"The change to try: a JSON merge patch, as for saving settings."`
	// Claims is the number of newest claims to try the settings on. The default is 100.
	Claims int `json:"claims,omitempty" minimum:"0" maximum:"500" doc:"The number of newest claims to try the settings on. The default is 100."`
}

// SettingsPreview is the effect of other settings.
type SettingsPreview struct {
	// Claims is the number of claims that the settings were tried on.
	Claims int `json:"claims" doc:"The number of claims that the settings were tried on."`
	// Different lists the claims that would be opened differently.
	Different []OpeningDifference `json:"different" doc:"The claims that would be opened differently."`
	// UnusedTexts is as in [claim.Integration], for the tried settings.
	UnusedTexts []string `json:"unused_texts,omitempty" doc:"The texts of the shop and the platform that would not be used, because their subject or body speaks in another voice."`
}

// OpeningDifference is a claim whose conversation would be opened differently.
type OpeningDifference struct {
	ClaimID string      `json:"claim_id"`
	State   claim.State `json:"state"`
	Is      Opening     `json:"is" doc:"How the current settings open it."`
	Would   Opening     `json:"would" doc:"How the tried settings would open it."`
}

// Opening is how the conversation of a claim is opened.
type Opening struct {
	// Kind is the setting opening: "inbound" or "outbound".
	Kind string `json:"opening" doc:"Who writes the first message: inbound is the customer, outbound the agent."`
	// Template names the template, such as "shop/damaged/de".
	Template string `json:"template" doc:"The template, such as shop/damaged/de."`
	Language string `json:"language"`
	// Rule is the name of the routing rule that matches; empty for the defaults.
	Rule               string   `json:"rule,omitempty" doc:"The name of the routing rule that matches; omitted for the defaults."`
	EmailIntegrationID string   `json:"email_integration_id,omitempty"`
	QueueID            string   `json:"queue_id,omitempty"`
	AgentID            string   `json:"agent_id,omitempty"`
	Tags               []string `json:"tags" doc:"All tags of the conversation."`
	// Problem says why the claim would be parked instead: its template does not render.
	Problem string `json:"problem,omitempty" doc:"Why the claim would be parked instead: its template does not render."`
}

// PreviewSettings tries a change of the shop's settings on its newest claims: the
// template, the language, the tags and the route with which each is opened. It changes
// and sends nothing, and looks nothing up in Dixa.
func (c *Client) PreviewSettings(ctx context.Context, shop string, r SettingsPreviewRequest) (SettingsPreview, error) {
	return ask[SettingsPreview](ctx, c, call{method: http.MethodPost, path: dixaOf(shop, "preview"), body: r})
}
