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
	tagData      = "Organization data"
	tagUnified   = "Unified API"
	tagPortal    = "Portal"
)

func tags() []*huma.Tag {
	return []*huma.Tag{
		{Name: tagClaims, Description: "Submit and follow claims."},
		{Name: tagOperators, Description: "Resolve claims that need attention."},
		{Name: tagShops, Description: "The platform's shops."},
		{Name: tagDixa, Description: "A shop's connection to Dixa and its settings."},
		{Name: tagTemplates, Description: "Templates of conversations by reason and language."},
		{Name: tagPlatform, Description: "Settings that all shops inherit, API keys and the audit log."},
		{Name: tagWebhooks, Description: "Webhooks from Dixa and Karla."},
		{Name: tagEndpoints, Description: "Endpoints that receive events about claims: as signed webhooks, through Karla's API, or by email."},
		{Name: tagData, Description: "Everything that happened in a Dixa organization: data sources, records, imports and key figures."},
		{Name: tagUnified, Description: "One API of tickets, people and their settings over Dixa, in the shape of common unified APIs: resources, accounts, and a proxy for everything else. Limits apply per API key and per account: 429 has Retry-After, and X-RateLimit-Limit, -Remaining and -Reset show them."},
		{Name: tagPortal, Description: "Pages for the staff of a shop: links to them, and sessions."},
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
	return slices.Concat(a.endpointRoutes(), a.organizationRoutes(), a.portalRoutes(), a.dashboardRoutes(), a.wallRoutes(), []route{
		newRoute("POST "+shop+"/claims", "submit-claim", "Submit a claim", tagClaims, claimsWrite, a.submitClaim, withoutAudit,
			withRequestBody[claim.Claim](claim.MaxBodyBytes, "claim_id", "reason"), withStatus(http.StatusAccepted), submitAnswers,
			withErrors(http.StatusConflict, http.StatusRequestEntityTooLarge),
			withDescription("Accepts the flat form shown here or Karla's event envelope. 202: the claim is stored and will become a conversation. 200: the same claim was submitted before, or Prefer: wait=N was given and the claim is open, parked or skipped; claim has its conversation. If Temporal is down, the response does not wait. 409: the claim exists with different content; errors names the fields. 422: errors lists every error. 503: nothing was stored; retry.")),
		newRoute("GET "+shop+"/claims", "list-claims", "List claims, newest first", tagClaims, claimsRead, a.listClaims, listAnswers,
			withDescription("Returns one page as JSON with a cursor. With Accept: text/csv or format=csv, returns every matching claim as CSV.")),
		newRoute("GET "+shop+"/claims/{claim}", "get-claim", "Get a claim with its timeline", tagClaims, claimsRead, a.getClaim),
		newRoute("GET "+shop+"/claims/{claim}/content", "get-claim-content", "Get what the owner reported about a claim", tagClaims, claimsRead, a.getContent,
			withDescription("Returns the customer, order, items, parcels and answers as last submitted or updated. This is personal data. After an erasure, only the reason remains.")),

		newRoute("PATCH "+shop+"/claims/{claim}", "update-claim", "Update a claim", tagClaims, claimsWrite, a.updateClaim, withoutAudit,
			withRequestBody[claim.Claim](claim.MaxBodyBytes),
			withDescription("Send the members that changed. Omitted members stay unchanged, null removes a member, and a list replaces the stored list. Before the conversation is created, the update edits the claim, and the status withdrawn ends it. Afterwards, the shop's change rules are carried out in the conversation. With updated_at, an update that arrives out of order is ignored.")),

		newRoute("GET "+shop+"/claims/{claim}/messages", "list-messages", "List the messages of a claim's conversation", tagClaims, claimsRead, a.listMessages,
			withDescription("Returns messages and internal notes, oldest first unless order=newest.")),
		newRoute("POST "+shop+"/claims/{claim}/messages", "send-message", "Send a message to the customer or add an internal note", tagClaims, operate, a.sendMessage,
			withRequestBody[client.NewMessage](claim.MaxBodyBytes, "kind"), withStatus(http.StatusAccepted), withErrors(http.StatusConflict, http.StatusMethodNotAllowed),
			withDescription("202: the message is stored and will be sent once; get the instruction for its result. Repeating an Idempotency-Key with the same content returns the same message; with different content it is a 409. 405: the shop's settings are read-only.")),
		newRoute("GET "+shop+"/claims/{claim}/messages/{message}/attachments/{attachment}", "get-attachment", "Download a file of a message", tagClaims, claimsRead, a.getAttachment, withLongTimeout, attachmentAnswers,
			withErrors(http.StatusConflict, http.StatusBadGateway),
			withDescription("Returns the file as Dixa stores it, up to 50 MiB, as a download. 409: Dixa rejects the shop's token. 502: the file could not be fetched or is larger. If the transfer fails midway, the connection is closed.")),
		newRoute("GET "+shop+"/claims/{claim}/instructions/{instruction}", "get-instruction", "Get the result of a message or change", tagClaims, claimsRead, a.getInstruction),

		newRoute("POST "+shop+"/claims/{claim}/retry", "retry-claim", "Retry a claim", tagOperators, operate, a.retryClaim, withErrors(http.StatusConflict)),
		newRoute("POST "+shop+"/claims/{claim}/abandon", "abandon-claim", "Abandon a claim", tagOperators, operate, a.abandonClaim, withErrors(http.StatusConflict)),
		newRoute("POST "+shop+"/claims/{claim}/link", "link-claim", "Link a claim to a conversation", tagOperators, operate, a.linkClaim, withLongTimeout, withErrors(http.StatusConflict, http.StatusBadGateway),
			withDescription("422: the conversation does not exist in the shop's Dixa. 409: it belongs to another claim, the claim's own conversation already has content, or a create is in progress. 502: Dixa did not answer; nothing was changed.")),
		newRoute("POST "+shop+"/customers/erase", "erase-customer", "Erase a customer", tagOperators, admin, a.eraseCustomer, withStatus(http.StatusAccepted),
			withDescription("Anonymizes the customer in Dixa and blanks everything that the store has of the customer: claims, messages, events and records. Name the customer by exactly one member. 202: the erasure runs in the background; get it for its progress and report. If one of the same customer is running, it is returned. With dry_run, nothing changes and the report counts what would be erased. If several shops share a Dixa organization, the customer's conversations with the others are anonymized too; their claims stay.")),
		newRoute("GET "+shop+"/erasures", "list-erasures", "List the erasures of customers, newest first", tagOperators, admin, a.listErasures,
			withDescription("Erasures do not say who the customer is.")),
		newRoute("GET "+shop+"/erasures/{erasure}", "get-erasure", "Get an erasure with its report", tagOperators, admin, a.getErasure),
		newRoute("GET "+shop+"/attention", "get-attention", "Count the claims that wait for a person", tagOperators, claimsRead, a.getAttention,
			withDescription("Counts the parked claims by cause, which retrying the shop takes, and the skipped claims.")),
		newRoute("POST "+shop+"/retry", "retry-shop", "Retry all parked claims of a shop", tagOperators, operate, a.retryShop),
		newRoute("POST "+shop+"/open-skipped", "open-skipped", "Open skipped claims", tagOperators, operate, a.openSkipped),
		newRoute("POST "+shop+"/pause", "pause-shop", "Pause a shop", tagOperators, operate, a.pauseShop),
		newRoute("POST "+shop+"/resume", "resume-shop", "Resume a shop", tagOperators, operate, a.resumeShop),

		newRoute("GET /v1/shops", "list-shops", "List the shops", tagShops, shopsRead, a.listShops),
		newRoute("POST /v1/shops", "add-shop", "Add a shop", tagShops, shopsWrite, a.addShop, withStatus(http.StatusCreated), withErrors(http.StatusConflict)),
		newRoute("GET "+shop, "get-shop", "Get a shop with claim counts by state", tagShops, shopsRead, a.getShop),
		newRoute("PATCH "+shop, "change-shop", "Update a shop", tagShops, admin, a.updateShop),
		newRoute("DELETE "+shop, "delete-shop", "Delete a shop", tagShops, admin, a.deleteShop, withLongTimeout),

		newRoute("GET "+shop+"/integrations/dixa", "get-integration", "Get the integration and its settings", tagDixa, shopsRead, a.getIntegration),
		newRoute("PUT "+shop+"/integrations/dixa", "change-settings", "Update a shop's settings", tagDixa, shopsWrite, a.updateSettings, withLongTimeout,
			withRequestBody[claim.Settings](small), withErrors(http.StatusBadGateway, http.StatusConflict),
			withDescription("A JSON merge patch (RFC 7396). Omitted members stay as they are; null removes a member, so that it is inherited again. Every Dixa object that the settings reference must exist.")),
		newRoute("PUT "+shop+"/integrations/dixa/token", "save-token", "Save the Dixa API token", tagDixa, shopsWrite, a.saveToken, withLongTimeout,
			withRequestBody[client.TokenRequest](small, "token"), withErrors(http.StatusConflict, http.StatusBadGateway),
			withDescription("Verifies the token with Dixa first. Only a preview of it is ever returned.")),
		newRoute("DELETE "+shop+"/integrations/dixa/token", "remove-token", "Disconnect a shop from Dixa", tagDixa, shopsWrite, a.removeToken, withLongTimeout,
			withDescription("Disables the shop and removes its token; the settings stay. If other shops use the same Dixa organization, its token stays for them. Conversations stay as they are in Dixa.")),
		newRoute("POST "+shop+"/integrations/dixa/token/compare", "compare-token", "Check whether a token is the saved one", tagDixa, shopsWrite, a.compareToken, withoutAudit,
			withDescription("The token is not sent. Compares its HMAC-SHA-256 under a nonce that the caller chooses.")),
		newRoute("POST "+shop+"/integrations/dixa/status-rules/preview", "preview-status-rules", "Preview status rules against past events", tagDixa, shopsRead, a.previewStatusRules, withoutAudit,
			withDescription("Evaluates the events of the shop's newest claims with the current and with the given rules, and lists the claims whose status would differ. Needs the scope claims:read too. Changes and sends nothing.")),
		newRoute("POST "+shop+"/integrations/dixa/preview", "preview-settings", "Preview settings on past claims", tagDixa, shopsRead, a.previewSettings, withoutAudit,
			withRequestBody[client.SettingsPreviewRequest](small, "settings"),
			withDescription("Plans the opening of the shop's newest claims with the current and with the given settings, and lists the claims whose template, language, tags or route would differ. Needs the scope claims:read too. Changes and sends nothing; what the settings name is not looked up in Dixa.")),
		newRoute("GET "+shop+"/integrations/dixa/choices", "list-choices", "List what the settings can name in Dixa", tagDixa, shopsRead, a.choices, withLongTimeout, withErrors(http.StatusConflict, http.StatusBadGateway),
			withDescription("Asks the shop's Dixa for its email contact endpoints, agents, queues and text attributes of conversations.")),
		newRoute("POST "+shop+"/integrations/dixa/validate", "validate-integration", "Validate the connection and settings (read-only)", tagDixa, shopsRead, a.validate, withoutAudit, withLongTimeout),
		newRoute("POST "+shop+"/integrations/dixa/enable", "enable-integration", "Enable the integration", tagDixa, shopsWrite, a.enable, withLongTimeout, withErrors(http.StatusConflict, http.StatusBadGateway),
			withDescription("Creates the webhook subscription in the shop's Dixa. If the shop's settings are read-only, warnings says how to create it manually.")),
		newRoute("POST "+shop+"/integrations/dixa/disable", "disable-integration", "Disable the integration", tagDixa, shopsWrite, a.disable, withLongTimeout),
		newRoute("PUT "+shop+"/integrations/dixa/webhook-secret", "save-webhook-secret", "Save the signing secret of a manually created webhook", tagDixa, shopsWrite, a.saveWebhookSecret,
			withRequestBody[client.WebhookSecretRequest](small, "secret"), withErrors(http.StatusConflict),
			withDescription("For a subscription that you create in Dixa with the URL shown by the integration. Otherwise enabling the shop creates one. Only a preview of the secret is ever returned.")),
		newRoute("POST "+shop+"/integrations/dixa/sweep", "sweep-integration", "Reconcile with Dixa now", tagDixa, operate, a.sweepShop, withStatus(http.StatusAccepted), withErrors(http.StatusConflict, http.StatusServiceUnavailable),
			withDescription("202: a sweep of the shop's Dixa organization started, or is already running. The integration shows its report once it ends.")),
		newRoute("POST "+shop+"/integrations/dixa/test", "test-integration", "Open a test conversation", tagDixa, shopsWrite, a.test, testAnswers, withLongTimeout, withErrors(http.StatusConflict, http.StatusMethodNotAllowed, http.StatusBadGateway),
			withDescription("With Accept: application/x-ndjson, each check is a line as soon as it ends, and the last line is the report. 405: the shop's settings are read-only; nothing was sent to Dixa.")),

		newRoute("PUT "+shop+"/karla/webhook-secret", "save-karla-secret", "Save the signing secret of Karla's webhooks for a shop", tagShops, shopsWrite, a.saveKarlaSecret,
			withRequestBody[client.KarlaSecretRequest](small, "secret"), withDescription("Only a preview of the secret is ever returned. The previous secret stays valid for three days.")),
		newRoute("GET "+shop+"/karla/events", "list-karla-events", "List the events that Karla sent and their results", tagShops, claimsRead, a.karlaEvents,
			withDescription("The newest 200 events, without their contents. Invalid events list every error.")),

		newRoute("GET "+shop+"/templates", "list-templates", "List a shop's templates", tagTemplates, shopsRead, a.listTemplates),
		newRoute("GET "+shop+"/templates/{reason}", "get-template", "Get the effective template", tagTemplates, shopsRead, a.getTemplate),
		newRoute("PUT "+shop+"/templates/{reason}", "save-template", "Save a template", tagTemplates, shopsWrite, a.putTemplate, withRequestBody[client.TemplateSource](small)),
		newRoute("DELETE "+shop+"/templates/{reason}", "delete-template", "Delete a template", tagTemplates, shopsWrite, a.deleteTemplate),
		newRoute("POST "+shop+"/templates/{reason}/preview", "preview-template", "Render a template", tagTemplates, shopsRead, a.previewTemplate, withoutAudit,
			withRequestBody[client.PreviewRequest](claim.MaxBodyBytes), withDescription("Renders a template, saved or not, for a sample, for a given claim or for a claim of the shop. Nothing is sent to Dixa.")),
		newRoute("GET /v1/templates", "list-platform-templates", "List the platform's templates", tagTemplates, shopsRead, a.listTemplates),
		newRoute("GET /v1/templates/{reason}", "get-platform-template", "Get the template that shops inherit", tagTemplates, shopsRead, a.getTemplate),
		newRoute("PUT /v1/templates/{reason}", "save-platform-template", "Save a template of the platform", tagTemplates, shopsWrite, a.putTemplate, withRequestBody[client.TemplateSource](small)),
		newRoute("DELETE /v1/templates/{reason}", "delete-platform-template", "Delete a template of the platform", tagTemplates, shopsWrite, a.deleteTemplate),
		newRoute("POST /v1/templates/{reason}/preview", "preview-platform-template", "Render a template", tagTemplates, shopsRead, a.previewTemplate, withoutAudit,
			withRequestBody[client.PreviewRequest](claim.MaxBodyBytes), withDescription("Nothing is sent to Dixa.")),

		newRoute("GET /v1/settings", "get-platform-settings", "Get the settings that shops inherit", tagPlatform, shopsRead, a.getPlatformSettings),
		newRoute("PUT /v1/settings", "change-platform-settings", "Update the settings that shops inherit", tagPlatform, shopsWrite, a.updatePlatformSettings, withRequestBody[claim.Settings](small)),
		newRoute("PUT /v1/karla/webhook-secret", "save-platform-karla-secret", "Save the signing secret of Karla's webhooks for all shops", tagPlatform, shopsWrite, a.saveKarlaSecret,
			withRequestBody[client.KarlaSecretRequest](small, "secret"), withDescription("Only a preview of the secret is ever returned. The previous secret stays valid for three days.")),
		newRoute("GET /v1/keys", "list-keys", "List API keys", tagPlatform, admin, a.listKeys),
		newRoute("POST /v1/keys", "create-key", "Create an API key", tagPlatform, admin, a.createKey, withStatus(http.StatusCreated)),
		newRoute("DELETE /v1/keys/{key}", "revoke-key", "Revoke an API key", tagPlatform, admin, a.revokeKey),
		newRoute("GET /v1/audit-log", "list-audit-log", "List the audit log", tagPlatform, admin, a.auditLog),
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
	list := withDescription("Returns deliveries with their bodies, newest first. A delivery is dead once its last attempt has failed; replay sends it again.")
	replay := withDescription("Replays every event of a time range with its original webhook-id.")
	test := withDescription("Queues an event of the type endpoint.test, whatever types the endpoint wants. Get the delivery for its result. 409: an endpoint of kind karla receives the status of real claims only.")
	return []route{
		newRoute("GET "+own, "list-endpoints", "List a shop's endpoints", tagEndpoints, shopsRead, a.listEndpoints),
		newRoute("POST "+own, "add-endpoint", "Add an endpoint", tagEndpoints, shopsWrite, a.addEndpoint, withStatus(http.StatusCreated)),
		newRoute("GET "+own+each, "get-endpoint", "Get an endpoint", tagEndpoints, shopsRead, a.getEndpoint),
		newRoute("PATCH "+own+each, "change-endpoint", "Update or pause an endpoint", tagEndpoints, shopsWrite, a.updateEndpoint, withErrors(http.StatusConflict)),
		newRoute("DELETE "+own+each, "delete-endpoint", "Delete an endpoint", tagEndpoints, shopsWrite, a.deleteEndpoint),
		newRoute("POST "+own+each+"/rotate", "rotate-endpoint", "Rotate an endpoint's signing secret", tagEndpoints, shopsWrite, a.rotateEndpoint, withErrors(http.StatusConflict)),
		newRoute("POST "+own+each+"/resume", "resume-endpoint", "Resume a paused endpoint", tagEndpoints, operate, a.resumeEndpoint),
		newRoute("POST "+own+each+"/replay", "replay-endpoint", "Replay events", tagEndpoints, operate, a.replayEndpoint, replay),
		newRoute("POST "+own+each+"/test", "test-endpoint", "Send a test event", tagEndpoints, operate, a.testEndpoint, withStatus(http.StatusAccepted), withErrors(http.StatusConflict), test),
		newRoute("GET "+own+each+"/deliveries", "list-deliveries", "List an endpoint's deliveries", tagEndpoints, claimsRead, a.listDeliveries, list),
		newRoute("GET "+own+each+"/deliveries/{delivery}", "get-delivery", "Get a delivery", tagEndpoints, claimsRead, a.getDelivery),
		newRoute("POST "+own+each+"/deliveries/{delivery}/replay", "replay-delivery", "Replay a delivery", tagEndpoints, operate, a.replayDelivery, withStatus(http.StatusAccepted)),
		newRoute("GET "+all, "list-platform-endpoints", "List the platform's endpoints", tagEndpoints, shopsRead, a.listEndpoints),
		newRoute("POST "+all, "add-platform-endpoint", "Add an endpoint for all shops", tagEndpoints, shopsWrite, a.addEndpoint, withStatus(http.StatusCreated)),
		newRoute("GET "+all+each, "get-platform-endpoint", "Get an endpoint", tagEndpoints, shopsRead, a.getEndpoint),
		newRoute("PATCH "+all+each, "change-platform-endpoint", "Update or pause an endpoint", tagEndpoints, shopsWrite, a.updateEndpoint, withErrors(http.StatusConflict)),
		newRoute("DELETE "+all+each, "delete-platform-endpoint", "Delete an endpoint", tagEndpoints, shopsWrite, a.deleteEndpoint),
		newRoute("POST "+all+each+"/rotate", "rotate-platform-endpoint", "Rotate an endpoint's signing secret", tagEndpoints, shopsWrite, a.rotateEndpoint, withErrors(http.StatusConflict)),
		newRoute("POST "+all+each+"/resume", "resume-platform-endpoint", "Resume a paused endpoint", tagEndpoints, operate, a.resumeEndpoint),
		newRoute("POST "+all+each+"/replay", "replay-platform-endpoint", "Replay events", tagEndpoints, operate, a.replayEndpoint, replay),
		newRoute("POST "+all+each+"/test", "test-platform-endpoint", "Send a test event", tagEndpoints, operate, a.testEndpoint, withStatus(http.StatusAccepted), withErrors(http.StatusConflict), test),
		newRoute("GET "+all+each+"/deliveries", "list-platform-deliveries", "List an endpoint's deliveries", tagEndpoints, claimsRead, a.listDeliveries, list),
		newRoute("GET "+all+each+"/deliveries/{delivery}", "get-platform-delivery", "Get a delivery", tagEndpoints, claimsRead, a.getDelivery),
		newRoute("POST "+all+each+"/deliveries/{delivery}/replay", "replay-platform-delivery", "Replay a delivery", tagEndpoints, operate, a.replayDelivery, withStatus(http.StatusAccepted)),
	}
}

// organizationRoutes returns the routes of the data of whole Dixa organizations.
func (a *api) organizationRoutes() []route {
	const (
		claimsRead, shopsRead = client.ScopeClaimsRead, client.ScopeShopsRead
		shopsWrite, operate   = client.ScopeShopsWrite, client.ScopeOperate
		connections           = "/v1/connections"
		of                    = connections + "/{connection}"
		source                = of + "/sources/{source}"
		run                   = of + "/imports/{import}"
		token                 = of + "/exports-token"
		small                 = 256 << 10
	)
	unprocessable, conflict := withErrors(http.StatusUnprocessableEntity), withErrors(http.StatusConflict)
	return []route{
		newRoute("GET "+connections, "list-connections", "List the connections to Dixa organizations", tagData, shopsRead, a.listConnections,
			withDescription("A key that is limited to a shop finds the id of its connection in the shop. It can access the organization's data if no other shop uses the connection.")),

		newRoute("GET "+of+"/sources", "list-sources", "List the data sources", tagData, shopsRead, a.listSources),
		newRoute("POST "+of+"/sources", "create-source", "Create a data source", tagData, shopsWrite, a.createSource, withStatus(http.StatusCreated), unprocessable,
			withDescription("Selects records of the organization to store. Records that no source selects are not stored, except those of claims' own conversations. Start an import for what happened before.")),
		newRoute("GET "+source, "get-source", "Get a data source", tagData, shopsRead, a.getSource),
		newRoute("PUT "+source, "change-source", "Replace a data source", tagData, shopsWrite, a.replaceSource, unprocessable,
			withDescription("If the source selects more than before, the next import reads it. Records that no source selects any more are deleted later. Follow changes from the start again.")),
		newRoute("DELETE "+source, "delete-source", "Delete a data source", tagData, shopsWrite, a.deleteSource,
			withDescription("Records that no other source selects are deleted later.")),
		newRoute("GET "+source+"/records", "list-records", "List the records of a data source", tagData, claimsRead, a.listRecords, withStreaming, recordAnswers, unprocessable,
			withDescription("Returns one page as JSON. With Accept: application/x-ndjson or text/csv, or the format parameter, returns all records, up to limit. With order=change, every record has a cursor that continues after it, also in NDJSON and CSV; a record that changes again is listed again, at its new place. Records that were deleted are not listed. The ratings of a conversation are listed again whenever it changes.")),

		newRoute("POST "+of+"/imports", "start-import", "Start an import", tagData, operate, a.startImport, withStatus(http.StatusAccepted), importAnswers, conflict, unprocessable,
			withDescription("Reads what the data sources select and the store does not have, newest first. 202: an import starts. 200: an import is running or paused; no other one was started. 409: the connection has no data source.")),
		newRoute("GET "+of+"/imports", "list-imports", "List imports, newest first", tagData, shopsRead, a.listImports),
		newRoute("GET "+run, "get-import", "Get an import with its windows", tagData, shopsRead, a.getImport),
		newRoute("POST "+run+"/pause", "pause-import", "Pause an import", tagData, operate, a.pauseImport, conflict),
		newRoute("POST "+run+"/resume", "resume-import", "Resume a paused import", tagData, operate, a.resumeImport, conflict),
		newRoute("POST "+run+"/cancel", "cancel-import", "Cancel an import; what it stored stays", tagData, operate, a.cancelImport, conflict),
		newRoute("GET "+token, "get-exports-token", "Get a preview of the exports token", tagData, shopsRead, a.getExportsToken),
		newRoute("PUT "+token, "save-exports-token", "Save a token for Dixa's exports", tagData, shopsWrite, a.saveExportsToken, withRequestBody[client.TokenRequest](small, "token"), unprocessable,
			withDescription("For organizations whose exports need a token of their own. Only a preview of it is ever returned. The next import shows whether Dixa accepts it.")),
		newRoute("DELETE "+token, "remove-exports-token", "Remove the exports token; the shop's own token reads exports", tagData, shopsWrite, a.removeExportsToken),

		newRoute("GET "+of+"/kpis", "list-kpis", "List the key figures with their definitions", tagData, shopsRead, a.listKPIs, kpisAnswers),
		newRoute("GET "+of+"/kpis/{kpi}", "get-kpi", "Compute a key figure", tagData, claimsRead, a.getKPI, withLongTimeout, kpiAnswers, unprocessable, withErrors(http.StatusBadRequest, http.StatusBadGateway),
			withDescription("Returns JSON or, with Accept: text/csv or format=csv, CSV. freshness says how new and complete the data is; with CSV, the header Last-Modified is the time of the newest information.")),
		newRoute("GET "+of+"/kpis/{kpi}/behind", "list-kpi-behind", "List what is behind a value of a key figure", tagData, claimsRead, a.listKPIBehind, withLongTimeout, unprocessable,
			withDescription("Lists the conversations or claims that the value of one group and one bucket is computed from, newest first, with what it takes from each. The question is that of the key figure; group and position say which of its values. Of a backlog or a load, they are those open at the end of the bucket; of a share, those of the whole, of which part says which count. What has no known value is not listed, but counted as missing. Where records were deleted and only figures stay, gone says how many conversations cannot be listed.")),
		newRoute("GET "+of+"/kpis/{kpi}/verification", "verify-kpi", "Verify the kept values of a key figure", tagData, claimsRead, a.verifyKPI, withLongTimeout,
			withDescription("The values of finished buckets are kept. This computes them from the rows again and lists those that differ. It changes nothing.")),
	}
}

// InShop is the part of an input that names the shop. Shop is empty on the platform's
// routes, so that one handler serves both. The router reads exported types only.
type InShop struct{ Shop string }

// Resolve implements huma.Resolver.
func (in *InShop) Resolve(ctx huma.Context) []error {
	in.Shop = ctx.Param("shop")
	return nil
}

// shopParameter documents the shop of a route.
func shopParameter() *huma.Param {
	const text = "The shop's slug."
	return &huma.Param{Name: "shop", In: "path", Required: true, Description: text, Schema: &huma.Schema{Type: huma.TypeString, Description: text}}
}

// body is a JSON response body.
type body[T any] struct{ Body T }

// orZero returns an optional request body.
func orZero[T any](body *T) (v T) {
	if body != nil {
		v = *body
	}
	return v
}

// notNil makes JSON of an empty list [] instead of null.
func notNil[T any](list []T) []T { return append([]T{}, list...) }

func ok[T any](v T, err error) (*body[T], error) {
	if err != nil {
		return nil, err
	}
	return &body[T]{Body: v}, nil
}
