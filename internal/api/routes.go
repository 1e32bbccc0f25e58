package api

import (
	"net/http"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
)

// Sections of the OpenAPI document.
const (
	tagClaims    = "Claims"
	tagOperators = "Operators"
	tagShops     = "Shops"
	tagDixa      = "Dixa integration"
	tagTemplates = "Templates"
	tagPlatform  = "Platform"
	tagWebhooks  = "Webhooks"
	tagEndpoints = "Endpoints"
)

func tags() []*huma.Tag {
	return []*huma.Tag{
		{Name: tagClaims, Description: "Hand claims over and see what became of them."},
		{Name: tagOperators, Description: "Mend what needs a person."},
		{Name: tagShops, Description: "The platform's shops."},
		{Name: tagDixa, Description: "A shop's connection to Dixa and its settings."},
		{Name: tagTemplates, Description: "Templates of the conversations, per reason and language."},
		{Name: tagPlatform, Description: "Settings that all shops inherit, API keys and the audit log."},
		{Name: tagWebhooks, Description: "Webhooks from Dixa and Karla."},
		{Name: tagEndpoints, Description: "Endpoints that receive signed webhooks about claims."},
	}
}

const shop = "/v1/shops/{shop}"

// routes is the index of the API. The audit log records every route other than a GET
// under its name, unless the route says otherwise.
func (a *api) routes() []route {
	const (
		claimsWrite, claimsRead = client.ScopeClaimsWrite, client.ScopeClaimsRead
		shopsWrite, shopsRead   = client.ScopeShopsWrite, client.ScopeShopsRead
		operate, admin          = client.ScopeOperate, client.ScopeAdmin
	)
	const small = 256 << 10
	return slices.Concat(a.endpointRoutes(), []route{
		at("POST "+shop+"/claims", "submit-claim", "Submit a claim", tagClaims, claimsWrite, a.submitClaim, unaudited,
			takes[claim.Claim](claim.MaxBodyBytes, "claim_id", "reason"), answers(http.StatusAccepted), submitAnswers,
			mayFail(http.StatusConflict, http.StatusRequestEntityTooLarge),
			says("Accepts the flat form shown here or Karla's event envelope. 202: the claim is stored and will become a conversation. 200: the same claim was submitted before, or Prefer: wait=N was given and the claim is open, parked or skipped; claim has its conversation. If Temporal is down, the answer does not wait. 409: the claim exists with different content; errors names the fields. 422: errors lists every fault. 503: nothing was stored; retry.")),
		at("GET "+shop+"/claims", "list-claims", "List claims, newest first", tagClaims, claimsRead, a.listClaims, listAnswers,
			says("Returns one page as JSON with a cursor. With Accept: text/csv or format=csv, returns every matching claim as CSV.")),
		at("GET "+shop+"/claims/{claim}", "get-claim", "Get a claim with its timeline", tagClaims, claimsRead, a.getClaim),

		at("PATCH "+shop+"/claims/{claim}", "update-claim", "Update a claim", tagClaims, claimsWrite, a.updateClaim, unaudited,
			takes[claim.Claim](claim.MaxBodyBytes),
			says("The members of a claim that changed; those that are left out stay, null removes one, a list is replaced as a whole. Before the conversation is created this edits what it is opened with, and the status withdrawn ends the claim. After it the shop's change rules are carried out in the conversation. With updated_at a change that comes out of order is ignored.")),

		at("GET "+shop+"/claims/{claim}/messages", "list-messages", "List the messages of a claim's conversation", tagClaims, claimsRead, a.listMessages,
			says("Messages and internal notes in the order in which they were written.")),
		at("POST "+shop+"/claims/{claim}/messages", "send-message", "Send a message to the customer or add an internal note", tagClaims, operate, a.sendMessage,
			takes[client.NewMessage](claim.MaxBodyBytes, "kind"), answers(http.StatusAccepted), mayFail(http.StatusConflict, http.StatusMethodNotAllowed),
			says("202: the message is stored and will be sent once; get the instruction for its result. Repeating an Idempotency-Key with the same content returns the same message; with different content it is a 409. 405: the shop's settings are read-only.")),
		at("GET "+shop+"/claims/{claim}/messages/{message}/attachments/{attachment}", "get-attachment", "Download a file of a message", tagClaims, claimsRead, a.getAttachment, talks, attachmentAnswers,
			mayFail(http.StatusConflict, http.StatusBadGateway),
			says("Returns the file as Dixa stores it, up to 50 MiB, as a download. 409: Dixa refuses the shop's token. 502: the file could not be fetched or is larger. If the transfer fails halfway, the connection is cut.")),
		at("GET "+shop+"/claims/{claim}/instructions/{instruction}", "get-instruction", "Get the result of a message or change", tagClaims, claimsRead, a.getInstruction),

		at("POST "+shop+"/claims/{claim}/retry", "retry-claim", "Retry a claim", tagOperators, operate, a.retryClaim, mayFail(http.StatusConflict)),
		at("POST "+shop+"/claims/{claim}/abandon", "abandon-claim", "Abandon a claim", tagOperators, operate, a.abandonClaim, mayFail(http.StatusConflict)),
		at("POST "+shop+"/claims/{claim}/link", "link-claim", "Link a claim to a conversation", tagOperators, operate, a.linkClaim, talks, mayFail(http.StatusConflict, http.StatusBadGateway),
			says("422: the conversation does not exist in the shop's Dixa. 409: it belongs to another claim, the claim's own conversation already has content, or a create is in progress. 502: Dixa did not answer; nothing was changed.")),
		at("POST "+shop+"/retry", "retry-shop", "Retry all parked claims of a shop", tagOperators, operate, a.retryShop),
		at("POST "+shop+"/open-skipped", "open-skipped", "Open skipped claims", tagOperators, operate, a.openSkipped),
		at("POST "+shop+"/pause", "pause-shop", "Pause a shop", tagOperators, operate, a.pauseShop),
		at("POST "+shop+"/resume", "resume-shop", "Resume a shop", tagOperators, operate, a.resumeShop),

		at("GET /v1/shops", "list-shops", "List the shops", tagShops, shopsRead, a.listShops),
		at("POST /v1/shops", "add-shop", "Add a shop", tagShops, shopsWrite, a.addShop, answers(http.StatusCreated), mayFail(http.StatusConflict)),
		at("GET "+shop, "get-shop", "Get a shop with claim counts by state", tagShops, shopsRead, a.getShop),
		at("PATCH "+shop, "change-shop", "Update a shop", tagShops, admin, a.patchShop),
		at("DELETE "+shop, "delete-shop", "Delete a shop", tagShops, admin, a.deleteShop, talks),

		at("GET "+shop+"/integrations/dixa", "get-integration", "Get the integration and its settings", tagDixa, shopsRead, a.getIntegration),
		at("PUT "+shop+"/integrations/dixa", "change-settings", "Update a shop's settings", tagDixa, shopsWrite, a.changeSettings, talks,
			takes[claim.Settings](small), mayFail(http.StatusBadGateway, http.StatusConflict),
			says("A JSON merge patch (RFC 7396). Omitted members stay as they are; null removes a member, so that it is inherited again. Everything that settings name in Dixa must exist there.")),
		at("PUT "+shop+"/integrations/dixa/token", "save-token", "Save the Dixa API token", tagDixa, shopsWrite, a.saveToken, talks,
			takes[client.TokenRequest](small, "token"), mayFail(http.StatusConflict, http.StatusBadGateway),
			says("Verifies the token with Dixa first. Only a preview of it is ever returned.")),
		at("POST "+shop+"/integrations/dixa/token/compare", "compare-token", "Check whether a token is the saved one", tagDixa, shopsWrite, a.compareToken, unaudited,
			says("The token is not sent. Compares its HMAC-SHA-256 under a nonce that the caller chooses.")),
		at("POST "+shop+"/integrations/dixa/status-rules/preview", "preview-status-rules", "Preview status rules against past events", tagDixa, shopsRead, a.previewStatusRules, unaudited,
			says("Evaluates the events of the shop's newest claims with the current and with the given rules, and lists the claims whose status would differ. Changes and sends nothing.")),
		at("POST "+shop+"/integrations/dixa/validate", "validate-integration", "Validate the connection and settings (read-only)", tagDixa, shopsRead, a.validate, unaudited, talks),
		at("POST "+shop+"/integrations/dixa/enable", "enable-integration", "Enable the integration", tagDixa, shopsWrite, a.enable, talks, mayFail(http.StatusConflict, http.StatusBadGateway),
			says("Creates the webhook subscription in the shop's Dixa. If the shop's settings are read-only, warnings says how to create it manually.")),
		at("POST "+shop+"/integrations/dixa/disable", "disable-integration", "Disable the integration", tagDixa, shopsWrite, a.disable, talks),
		at("PUT "+shop+"/integrations/dixa/webhook-secret", "save-webhook-secret", "Save the signing secret of a manually created webhook", tagDixa, shopsWrite, a.saveWebhookSecret,
			takes[client.WebhookSecretRequest](small, "secret"), mayFail(http.StatusConflict),
			says("For a subscription that you create in Dixa with the URL shown by the integration. Otherwise enabling the shop creates one. Only a preview of the secret is ever returned.")),
		at("POST "+shop+"/integrations/dixa/sweep", "sweep-integration", "Reconcile with Dixa now", tagDixa, operate, a.sweepShop, answers(http.StatusAccepted), mayFail(http.StatusConflict, http.StatusServiceUnavailable),
			says("202: a sweep of the shop's Dixa organisation started, or is already running. The integration shows its report once it ends.")),
		at("POST "+shop+"/integrations/dixa/test", "test-integration", "Open a test conversation", tagDixa, shopsWrite, a.test, talks, mayFail(http.StatusConflict, http.StatusMethodNotAllowed, http.StatusBadGateway),
			says("405: the shop's settings are read-only; nothing was sent to Dixa.")),

		at("PUT "+shop+"/karla/webhook-secret", "save-karla-secret", "Save the signing secret of Karla's webhooks for a shop", tagShops, shopsWrite, a.saveShopKarlaSecret,
			takes[client.KarlaSecretRequest](small, "secret"), says("Only a preview of the secret is ever returned. The previous secret stays valid for three days.")),
		at("GET "+shop+"/karla/events", "list-karla-events", "List the events that Karla sent and their results", tagShops, claimsRead, a.karlaEvents,
			says("The newest 200 events, without their contents. Invalid events list every fault.")),

		at("GET "+shop+"/templates", "list-templates", "List a shop's templates", tagTemplates, shopsRead, ofShop[InShop](a.listTemplates)),
		at("GET "+shop+"/templates/{reason}", "get-template", "Get the effective template", tagTemplates, shopsRead, ofShop[shopTemplateInput](a.getTemplate)),
		at("PUT "+shop+"/templates/{reason}", "save-template", "Save a template", tagTemplates, shopsWrite, ofShop[shopTemplateBodyInput](a.putTemplate), takes[client.TemplateSource](small)),
		at("DELETE "+shop+"/templates/{reason}", "delete-template", "Delete a template", tagTemplates, shopsWrite, ofShop[shopTemplateInput](a.deleteTemplate)),
		at("POST "+shop+"/templates/{reason}/preview", "preview-template", "Render a template", tagTemplates, shopsRead, ofShop[shopTemplateBodyInput](a.previewTemplate), unaudited,
			takes[client.PreviewRequest](claim.MaxBodyBytes), says("Nothing is sent to Dixa.")),
		at("GET /v1/templates", "list-platform-templates", "List the platform's templates", tagTemplates, shopsRead, ofPlatform(a.listTemplates)),
		at("GET /v1/templates/{reason}", "get-platform-template", "Get the template that shops inherit", tagTemplates, shopsRead, ofPlatform(a.getTemplate)),
		at("PUT /v1/templates/{reason}", "save-platform-template", "Save a template of the platform", tagTemplates, shopsWrite, ofPlatform(a.putTemplate), takes[client.TemplateSource](small)),
		at("DELETE /v1/templates/{reason}", "delete-platform-template", "Delete a template of the platform", tagTemplates, shopsWrite, ofPlatform(a.deleteTemplate)),
		at("POST /v1/templates/{reason}/preview", "preview-platform-template", "Render a template", tagTemplates, shopsRead, ofPlatform(a.previewTemplate), unaudited,
			takes[client.PreviewRequest](claim.MaxBodyBytes), says("Nothing is sent to Dixa.")),

		at("GET /v1/settings", "get-platform-settings", "Get the settings that shops inherit", tagPlatform, shopsRead, a.getPlatformSettings),
		at("PUT /v1/settings", "change-platform-settings", "Update the settings that shops inherit", tagPlatform, shopsWrite, a.changePlatformSettings, takes[claim.Settings](small)),
		at("PUT /v1/karla/webhook-secret", "save-platform-karla-secret", "Save the signing secret of Karla's webhooks for all shops", tagPlatform, shopsWrite, a.savePlatformKarlaSecret,
			takes[client.KarlaSecretRequest](small, "secret"), says("Only a preview of the secret is ever returned. The previous secret stays valid for three days.")),
		at("GET /v1/keys", "list-keys", "List API keys", tagPlatform, admin, a.listKeys),
		at("POST /v1/keys", "create-key", "Create an API key", tagPlatform, admin, a.createKey, answers(http.StatusCreated)),
		at("DELETE /v1/keys/{key}", "revoke-key", "Revoke an API key", tagPlatform, admin, a.revokeKey),
		at("GET /v1/audit-log", "list-audit-log", "List the audit log", tagPlatform, admin, a.auditLog),
	})
}

// endpointRoutes returns the endpoint routes, each for a shop and for the platform.
func (a *api) endpointRoutes() []route {
	const (
		claimsRead, shopsRead = client.ScopeClaimsRead, client.ScopeShopsRead
		shopsWrite, operate   = client.ScopeShopsWrite, client.ScopeOperate
		all                   = "/v1/endpoints"
		own                   = shop + "/endpoints"
		each                  = "/{endpoint}"
	)
	list := says("Sent and pending deliveries, newest first, with bodies. A dead delivery was given up after its last attempt; replay sends it again.")
	replay := says("Replays every event of a time range with its original webhook-id.")
	return []route{
		at("GET "+own, "list-endpoints", "List a shop's endpoints", tagEndpoints, shopsRead, ofShop[InShop](a.listEndpoints)),
		at("POST "+own, "add-endpoint", "Add an endpoint", tagEndpoints, shopsWrite, ofShop[shopNewEndpoint](a.addEndpoint), answers(http.StatusCreated)),
		at("GET "+own+each, "get-endpoint", "Get an endpoint", tagEndpoints, shopsRead, ofShop[shopEndpoint](a.getEndpoint)),
		at("PATCH "+own+each, "change-endpoint", "Update or pause an endpoint", tagEndpoints, shopsWrite, ofShop[shopEndpointPatch](a.patchEndpoint), mayFail(http.StatusConflict)),
		at("DELETE "+own+each, "delete-endpoint", "Delete an endpoint", tagEndpoints, shopsWrite, ofShop[shopEndpoint](a.deleteEndpoint)),
		at("POST "+own+each+"/rotate", "rotate-endpoint", "Rotate an endpoint's signing secret", tagEndpoints, shopsWrite, ofShop[shopEndpointRotate](a.rotateEndpoint), mayFail(http.StatusConflict)),
		at("POST "+own+each+"/resume", "resume-endpoint", "Resume a paused endpoint", tagEndpoints, operate, ofShop[shopEndpoint](a.resumeEndpoint)),
		at("POST "+own+each+"/replay", "replay-endpoint", "Replay events", tagEndpoints, operate, ofShop[shopEndpointReplay](a.replayEndpoint), replay),
		at("GET "+own+each+"/deliveries", "list-deliveries", "List an endpoint's deliveries", tagEndpoints, claimsRead, ofShop[shopDeliveries](a.listDeliveries), list),
		at("GET "+all, "list-platform-endpoints", "List the platform's endpoints", tagEndpoints, shopsRead, ofPlatform(a.listEndpoints)),
		at("POST "+all, "add-platform-endpoint", "Add an endpoint for all shops", tagEndpoints, shopsWrite, ofPlatform(a.addEndpoint), answers(http.StatusCreated)),
		at("GET "+all+each, "get-platform-endpoint", "Get an endpoint", tagEndpoints, shopsRead, ofPlatform(a.getEndpoint)),
		at("PATCH "+all+each, "change-platform-endpoint", "Update or pause an endpoint", tagEndpoints, shopsWrite, ofPlatform(a.patchEndpoint), mayFail(http.StatusConflict)),
		at("DELETE "+all+each, "delete-platform-endpoint", "Delete an endpoint", tagEndpoints, shopsWrite, ofPlatform(a.deleteEndpoint)),
		at("POST "+all+each+"/rotate", "rotate-platform-endpoint", "Rotate an endpoint's signing secret", tagEndpoints, shopsWrite, ofPlatform(a.rotateEndpoint), mayFail(http.StatusConflict)),
		at("POST "+all+each+"/resume", "resume-platform-endpoint", "Resume a paused endpoint", tagEndpoints, operate, ofPlatform(a.resumeEndpoint)),
		at("POST "+all+each+"/replay", "replay-platform-endpoint", "Replay events", tagEndpoints, operate, ofPlatform(a.replayEndpoint), replay),
		at("GET "+all+each+"/deliveries", "list-platform-deliveries", "List an endpoint's deliveries", tagEndpoints, claimsRead, ofPlatform(a.listDeliveries), list),
	}
}

// InShop is the part of an input that names the shop. The router reads exported
// types only.
type InShop struct {
	Shop string `path:"shop" doc:"The shop's slug."`
}

// body is a JSON response body.
type body[T any] struct{ Body T }

func ok[T any](v T, err error) (*body[T], error) {
	if err != nil {
		return nil, err
	}
	return &body[T]{Body: v}, nil
}
