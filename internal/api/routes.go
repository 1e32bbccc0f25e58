package api

import (
	"net/http"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
)

// Sections of the document.
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
		{Name: tagTemplates, Description: "The words of the conversations, per reason and language."},
		{Name: tagPlatform, Description: "What all shops inherit, API keys and the audit log."},
		{Name: tagWebhooks, Description: "What Dixa and Karla send."},
		{Name: tagEndpoints, Description: "Addresses that are told what becomes of claims, by signed webhooks."},
	}
}

const shop = "/v1/shops/{shop}"

// routes is the index of the API. Every route that is not a GET goes into the
// audit log under its name unless it says otherwise.
func (a *api) routes() []route {
	const (
		claimsWrite, claimsRead = client.ScopeClaimsWrite, client.ScopeClaimsRead
		shopsWrite, shopsRead   = client.ScopeShopsWrite, client.ScopeShopsRead
		operate, admin          = client.ScopeOperate, client.ScopeAdmin
	)
	const small = 256 << 10
	return slices.Concat(a.endpointRoutes(), []route{
		at("POST "+shop+"/claims", "submit-claim", "Hand a claim over", tagClaims, claimsWrite, a.submitClaim, unaudited,
			takes[claim.Claim](claim.MaxBodyBytes, "claim_id", "reason"), answers(http.StatusAccepted), submitAnswers,
			mayFail(http.StatusConflict, http.StatusRequestEntityTooLarge),
			says("Takes the flat form that is shown here or Karla's event envelope. 202: the claim is durable and will become a conversation. 200: it was known already with this content. 409: it is known with other content; errors names the fields. 422: errors lists every fault. 503: nothing was taken; try again.")),
		at("GET "+shop+"/claims", "list-claims", "List claims, newest first", tagClaims, claimsRead, a.listClaims, listAnswers,
			says("One page as JSON with a cursor, or, for Accept: text/csv or format=csv, every claim that matches as CSV.")),
		at("GET "+shop+"/claims/{claim}", "get-claim", "Read one claim with its timeline", tagClaims, claimsRead, a.getClaim),

		at("PATCH "+shop+"/claims/{claim}", "update-claim", "Tell what changed of a claim", tagClaims, claimsWrite, a.updateClaim, unaudited,
			takes[claim.Claim](claim.MaxBodyBytes),
			says("The members of a claim that changed; those that are left out stay, null removes one, a list is replaced as a whole. Before the conversation is created this edits what it is opened with, and the status withdrawn ends the claim. After it the shop's change rules are carried out in the conversation. With updated_at a change that comes out of order is ignored.")),

		at("GET "+shop+"/claims/{claim}/messages", "list-messages", "List the messages of a claim's conversation", tagClaims, claimsRead, a.listMessages,
			says("Messages and internal notes in the order in which they were written, as Dixa told of them.")),
		at("POST "+shop+"/claims/{claim}/messages", "send-message", "Write to the customer, or an internal note", tagClaims, operate, a.sendMessage,
			takes[client.NewMessage](claim.MaxBodyBytes, "kind"), answers(http.StatusAccepted), mayFail(http.StatusConflict, http.StatusMethodNotAllowed),
			says("202: it is durable and is sent once; read the instruction to see what became of it. The same Idempotency-Key with the same content is the same message; with other content it is a 409. 405: the shop's settings are read-only.")),
		at("GET "+shop+"/claims/{claim}/messages/{message}/attachments/{attachment}", "get-attachment", "Fetch a file of a message", tagClaims, claimsRead, a.getAttachment, talks, attachmentAnswers,
			mayFail(http.StatusConflict, http.StatusBadGateway),
			says("The file as Dixa keeps it, up to 50 MiB, to be saved and not to be shown as a page. 409: Dixa refuses the shop's token. 502: it could not be fetched, or is larger. A file that breaks off on the way cuts the connection.")),
		at("GET "+shop+"/claims/{claim}/instructions/{instruction}", "get-instruction", "See what became of a message or change", tagClaims, claimsRead, a.getInstruction),

		at("POST "+shop+"/claims/{claim}/retry", "retry-claim", "Take a claim up again", tagOperators, operate, a.retryClaim, mayFail(http.StatusConflict)),
		at("POST "+shop+"/claims/{claim}/abandon", "abandon-claim", "Give a claim up", tagOperators, operate, a.abandonClaim, mayFail(http.StatusConflict)),
		at("POST "+shop+"/claims/{claim}/link", "link-claim", "Name a claim's conversation", tagOperators, operate, a.linkClaim, talks, mayFail(http.StatusConflict, http.StatusBadGateway),
			says("422: the shop's Dixa has no such conversation. 409: it is another claim's, the claim's own has something of it already, or a create is on its way. 502: Dixa could not be asked; nothing was changed.")),
		at("POST "+shop+"/retry", "retry-shop", "Take all parked claims up again", tagOperators, operate, a.retryShop),
		at("POST "+shop+"/open-skipped", "open-skipped", "Open what came while the integration was off", tagOperators, operate, a.openSkipped),
		at("POST "+shop+"/pause", "pause-shop", "Let new claims wait", tagOperators, operate, a.pauseShop),
		at("POST "+shop+"/resume", "resume-shop", "Let waiting claims go on", tagOperators, operate, a.resumeShop),

		at("GET /v1/shops", "list-shops", "List the shops", tagShops, shopsRead, a.listShops),
		at("POST /v1/shops", "add-shop", "Add a shop", tagShops, shopsWrite, a.addShop, answers(http.StatusCreated), mayFail(http.StatusConflict)),
		at("GET "+shop, "get-shop", "Read a shop with its claims by state", tagShops, shopsRead, a.getShop),
		at("PATCH "+shop, "change-shop", "Change a shop", tagShops, admin, a.patchShop),
		at("DELETE "+shop, "delete-shop", "Remove a shop", tagShops, admin, a.deleteShop, talks),

		at("GET "+shop+"/integrations/dixa", "get-integration", "Read the integration and its settings", tagDixa, shopsRead, a.getIntegration),
		at("PUT "+shop+"/integrations/dixa", "change-settings", "Merge into the shop's own settings", tagDixa, shopsWrite, a.changeSettings, talks,
			takes[claim.Settings](small), mayFail(http.StatusBadGateway, http.StatusConflict),
			says("A JSON merge patch (RFC 7396): members that are left out stay, null removes one, so that it is inherited again. What names something in Dixa must exist there.")),
		at("PUT "+shop+"/integrations/dixa/token", "save-token", "Save the Dixa API token", tagDixa, shopsWrite, a.saveToken, talks,
			takes[client.TokenRequest](small, "token"), mayFail(http.StatusConflict, http.StatusBadGateway),
			says("The token is checked with Dixa first. It never comes out again but as a preview.")),
		at("POST "+shop+"/integrations/dixa/token/compare", "compare-token", "Ask whether a token is the saved one", tagDixa, shopsWrite, a.compareToken, unaudited,
			says("The token is not sent: it is compared by its HMAC-SHA-256 under a nonce of the caller's.")),
		at("POST "+shop+"/integrations/dixa/status-rules/preview", "preview-status-rules", "Try status rules on what happened", tagDixa, shopsRead, a.previewStatusRules, unaudited,
			says("Reads what Dixa told of the shop's newest claims again, by the rules that hold and by those given, and lists the claims whose owner would have been told otherwise. Nothing is changed or sent.")),
		at("POST "+shop+"/integrations/dixa/validate", "validate-integration", "Check connection and settings by reading", tagDixa, shopsRead, a.validate, unaudited, talks),
		at("POST "+shop+"/integrations/dixa/enable", "enable-integration", "Let claims become conversations", tagDixa, shopsWrite, a.enable, talks, mayFail(http.StatusConflict, http.StatusBadGateway),
			says("Makes the webhook subscription in the shop's Dixa, unless its settings are read-only: then warnings says how a person makes one.")),
		at("POST "+shop+"/integrations/dixa/disable", "disable-integration", "Let new claims be skipped", tagDixa, shopsWrite, a.disable, talks),
		at("PUT "+shop+"/integrations/dixa/webhook-secret", "save-webhook-secret", "Save the secret of a webhook made by hand", tagDixa, shopsWrite, a.saveWebhookSecret,
			takes[client.WebhookSecretRequest](small, "secret"), mayFail(http.StatusConflict),
			says("For a subscription that a person makes in Dixa, with the address that reading the integration shows. Without one, enabling the shop makes it. The secret never comes out again but as a preview.")),
		at("POST "+shop+"/integrations/dixa/sweep", "sweep-integration", "Search Dixa now for what no webhook told", tagDixa, operate, a.sweepShop, answers(http.StatusAccepted), mayFail(http.StatusConflict, http.StatusServiceUnavailable),
			says("202: a sweep of the shop's Dixa organisation was begun, or one that was asked for before still runs. Reading the integration shows what it found once it ended.")),
		at("POST "+shop+"/integrations/dixa/test", "test-integration", "Open a test conversation", tagDixa, shopsWrite, a.test, talks, mayFail(http.StatusConflict, http.StatusMethodNotAllowed, http.StatusBadGateway),
			says("405: the shop's settings are read-only; nothing was sent to Dixa.")),

		at("PUT "+shop+"/karla/webhook-secret", "save-karla-secret", "Save the secret of Karla's webhooks for a shop", tagShops, shopsWrite, a.saveShopKarlaSecret,
			takes[client.KarlaSecretRequest](small, "secret"), says("The secret never comes out again but as a preview. The one that it replaces stays good for three days.")),
		at("GET "+shop+"/karla/events", "list-karla-events", "List what Karla sent and what became of it", tagShops, claimsRead, a.karlaEvents,
			says("The newest 200, without their contents. An invalid one names every fault.")),

		at("GET "+shop+"/templates", "list-templates", "List a shop's templates", tagTemplates, shopsRead, ofShop[InShop](a.listTemplates)),
		at("GET "+shop+"/templates/{reason}", "get-template", "Read the template that holds", tagTemplates, shopsRead, ofShop[shopTemplateInput](a.getTemplate)),
		at("PUT "+shop+"/templates/{reason}", "save-template", "Save a template", tagTemplates, shopsWrite, ofShop[shopTemplateBodyInput](a.putTemplate), takes[client.TemplateSource](small)),
		at("DELETE "+shop+"/templates/{reason}", "delete-template", "Remove a template", tagTemplates, shopsWrite, ofShop[shopTemplateInput](a.deleteTemplate)),
		at("POST "+shop+"/templates/{reason}/preview", "preview-template", "Render a template", tagTemplates, shopsRead, ofShop[shopTemplateBodyInput](a.previewTemplate), unaudited,
			takes[client.PreviewRequest](claim.MaxBodyBytes), says("Nothing is sent to Dixa.")),
		at("GET /v1/templates", "list-platform-templates", "List the platform's templates", tagTemplates, shopsRead, ofPlatform(a.listTemplates)),
		at("GET /v1/templates/{reason}", "get-platform-template", "Read the template that shops inherit", tagTemplates, shopsRead, ofPlatform(a.getTemplate)),
		at("PUT /v1/templates/{reason}", "save-platform-template", "Save a template for all shops", tagTemplates, shopsWrite, ofPlatform(a.putTemplate), takes[client.TemplateSource](small)),
		at("DELETE /v1/templates/{reason}", "delete-platform-template", "Remove a template of all shops", tagTemplates, shopsWrite, ofPlatform(a.deleteTemplate)),
		at("POST /v1/templates/{reason}/preview", "preview-platform-template", "Render a template", tagTemplates, shopsRead, ofPlatform(a.previewTemplate), unaudited,
			takes[client.PreviewRequest](claim.MaxBodyBytes), says("Nothing is sent to Dixa.")),

		at("GET /v1/settings", "get-platform-settings", "Read the settings that shops inherit", tagPlatform, shopsRead, a.getPlatformSettings),
		at("PUT /v1/settings", "change-platform-settings", "Merge into the settings that shops inherit", tagPlatform, shopsWrite, a.changePlatformSettings, takes[claim.Settings](small)),
		at("PUT /v1/karla/webhook-secret", "save-platform-karla-secret", "Save the secret of Karla's webhooks for all shops", tagPlatform, shopsWrite, a.savePlatformKarlaSecret,
			takes[client.KarlaSecretRequest](small, "secret"), says("The secret never comes out again but as a preview. The one that it replaces stays good for three days.")),
		at("GET /v1/keys", "list-keys", "List API keys", tagPlatform, admin, a.listKeys),
		at("POST /v1/keys", "create-key", "Make an API key", tagPlatform, admin, a.createKey, answers(http.StatusCreated)),
		at("DELETE /v1/keys/{key}", "revoke-key", "Revoke an API key", tagPlatform, admin, a.revokeKey),
		at("GET /v1/audit-log", "list-audit-log", "Read who changed what", tagPlatform, admin, a.auditLog),
	})
}

// endpointRoutes are those of endpoints, each for a shop and for the platform.
func (a *api) endpointRoutes() []route {
	const (
		claimsRead, shopsRead = client.ScopeClaimsRead, client.ScopeShopsRead
		shopsWrite, operate   = client.ScopeShopsWrite, client.ScopeOperate
		all                   = "/v1/endpoints"
		own                   = shop + "/endpoints"
		each                  = "/{endpoint}"
	)
	list := says("The log of what was sent and is to be, newest first, with bodies. Dead ones were given up; replay sends them again.")
	replay := says("Sends again every event that happened in a range of time, with the webhook-id that it had.")
	return []route{
		at("GET "+own, "list-endpoints", "List a shop's endpoints", tagEndpoints, shopsRead, ofShop[InShop](a.listEndpoints)),
		at("POST "+own, "add-endpoint", "Add an endpoint", tagEndpoints, shopsWrite, ofShop[shopNewEndpoint](a.addEndpoint), answers(http.StatusCreated)),
		at("GET "+own+each, "get-endpoint", "Read an endpoint", tagEndpoints, shopsRead, ofShop[shopEndpoint](a.getEndpoint)),
		at("PATCH "+own+each, "change-endpoint", "Change or pause an endpoint", tagEndpoints, shopsWrite, ofShop[shopEndpointPatch](a.patchEndpoint), mayFail(http.StatusConflict)),
		at("DELETE "+own+each, "delete-endpoint", "Remove an endpoint", tagEndpoints, shopsWrite, ofShop[shopEndpoint](a.deleteEndpoint)),
		at("POST "+own+each+"/rotate", "rotate-endpoint", "Give an endpoint a new secret", tagEndpoints, shopsWrite, ofShop[shopEndpointRotate](a.rotateEndpoint), mayFail(http.StatusConflict)),
		at("POST "+own+each+"/resume", "resume-endpoint", "Let a paused endpoint go on", tagEndpoints, operate, ofShop[shopEndpoint](a.resumeEndpoint)),
		at("POST "+own+each+"/replay", "replay-endpoint", "Send events again", tagEndpoints, operate, ofShop[shopEndpointReplay](a.replayEndpoint), replay),
		at("GET "+own+each+"/deliveries", "list-deliveries", "List an endpoint's deliveries", tagEndpoints, claimsRead, ofShop[shopDeliveries](a.listDeliveries), list),
		at("GET "+all, "list-platform-endpoints", "List the platform's endpoints", tagEndpoints, shopsRead, ofPlatform(a.listEndpoints)),
		at("POST "+all, "add-platform-endpoint", "Add an endpoint for all shops", tagEndpoints, shopsWrite, ofPlatform(a.addEndpoint), answers(http.StatusCreated)),
		at("GET "+all+each, "get-platform-endpoint", "Read an endpoint", tagEndpoints, shopsRead, ofPlatform(a.getEndpoint)),
		at("PATCH "+all+each, "change-platform-endpoint", "Change or pause an endpoint", tagEndpoints, shopsWrite, ofPlatform(a.patchEndpoint), mayFail(http.StatusConflict)),
		at("DELETE "+all+each, "delete-platform-endpoint", "Remove an endpoint", tagEndpoints, shopsWrite, ofPlatform(a.deleteEndpoint)),
		at("POST "+all+each+"/rotate", "rotate-platform-endpoint", "Give an endpoint a new secret", tagEndpoints, shopsWrite, ofPlatform(a.rotateEndpoint), mayFail(http.StatusConflict)),
		at("POST "+all+each+"/resume", "resume-platform-endpoint", "Let a paused endpoint go on", tagEndpoints, operate, ofPlatform(a.resumeEndpoint)),
		at("POST "+all+each+"/replay", "replay-platform-endpoint", "Send events again", tagEndpoints, operate, ofPlatform(a.replayEndpoint), replay),
		at("GET "+all+each+"/deliveries", "list-platform-deliveries", "List an endpoint's deliveries", tagEndpoints, claimsRead, ofPlatform(a.listDeliveries), list),
	}
}

// InShop is the part of an input that names the shop. The router reads exported
// types only.
type InShop struct {
	Shop string `path:"shop" doc:"The shop's slug."`
}

// body is an output of a JSON body.
type body[T any] struct{ Body T }

func ok[T any](v T, err error) (*body[T], error) {
	if err != nil {
		return nil, err
	}
	return &body[T]{Body: v}, nil
}
