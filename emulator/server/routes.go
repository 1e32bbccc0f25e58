package server

import (
	"net/http"
	"strings"
)

// route is one operation of the API. Its name is the method and path as in Dixa's
// documentation, without the version.
type route struct {
	operation string
	handle    func(*Server, *call) (reply, error)
	// query lists the parameters other than pageLimit and pageKey, which paged
	// operations have.
	query []string
	paged bool
	// attachments means that the body may name files, which are fetched first.
	attachments bool
}

// routes lists the operations of the API.
func routes() []route {
	return []route{
		{operation: "GET /organization", handle: (*Server).getOrganization},

		{operation: "GET /endusers", handle: (*Server).listEndUsers, query: []string{"email", "phone", "externalId"}, paged: true},
		{operation: "POST /endusers", handle: (*Server).createEndUser},
		{operation: "PUT /endusers", handle: (*Server).putEndUsers},
		{operation: "PATCH /endusers", handle: (*Server).patchEndUsers},
		{operation: "POST /endusers/bulk", handle: (*Server).createEndUsers},
		{operation: "GET /endusers/{userId}", handle: (*Server).getEndUser},
		{operation: "PUT /endusers/{userId}", handle: (*Server).putEndUser},
		{operation: "PATCH /endusers/{userId}", handle: (*Server).patchEndUser},
		{operation: "PATCH /endusers/{userId}/anonymize", handle: (*Server).anonymizeEndUser, query: []string{"force"}},
		{operation: "PATCH /endusers/{userId}/custom-attributes", handle: (*Server).patchEndUserAttributes},
		{operation: "GET /endusers/{userId}/conversations", handle: (*Server).listEndUserConversations, paged: true},

		{operation: "POST /conversations", handle: (*Server).createConversation, attachments: true},
		{operation: "POST /conversations/import", handle: (*Server).importConversation, attachments: true},
		{operation: "GET /conversations/activitylog", handle: (*Server).listActivity, query: []string{"fromDatetime", "toDatetime"}, paged: true},
		{operation: "GET /conversations/flows", handle: (*Server).listFlows, query: []string{"channel"}},
		{operation: "GET /conversations/{conversationId}", handle: (*Server).getConversation},
		{operation: "PATCH /conversations/{conversationId}/anonymize", handle: (*Server).anonymizeConversation, query: []string{"force"}},
		{operation: "PATCH /conversations/{conversationId}/messages/{messageId}/anonymize", handle: (*Server).anonymizeMessage},
		{operation: "PUT /conversations/{conversationId}/close", handle: (*Server).closeConversation},
		{operation: "PUT /conversations/{conversationId}/reopen", handle: (*Server).reopenConversation},
		{operation: "PUT /conversations/{conversationId}/followup", handle: (*Server).followupConversation},
		{operation: "PUT /conversations/{conversationId}/transfer/queue", handle: (*Server).transferConversation},
		{operation: "PUT /conversations/{conversationId}/claim", handle: (*Server).claimConversation},
		{operation: "PUT /conversations/{conversationId}/link", handle: (*Server).linkConversation},
		{operation: "GET /conversations/{conversationId}/linked", handle: (*Server).listLinked},
		{operation: "GET /conversations/{conversationId}/messages", handle: (*Server).listMessages},
		{operation: "POST /conversations/{conversationId}/messages", handle: (*Server).createMessage, attachments: true},
		{operation: "GET /conversations/{conversationId}/notes", handle: (*Server).listNotes},
		{operation: "POST /conversations/{conversationId}/notes", handle: (*Server).createNote},
		{operation: "POST /conversations/{conversationId}/notes/bulk", handle: (*Server).createNotes},
		{operation: "GET /conversations/{conversationId}/tags", handle: (*Server).listConversationTags},
		{operation: "POST /conversations/{conversationId}/tags/bulk", handle: (*Server).bulkTagConversation},
		{operation: "PUT /conversations/{conversationId}/tags/{tagId}", handle: (*Server).tagConversation},
		{operation: "DELETE /conversations/{conversationId}/tags/{tagId}", handle: (*Server).untagConversation},
		{operation: "PATCH /conversations/{conversationId}/custom-attributes", handle: (*Server).patchConversationAttributes},
		{operation: "GET /conversations/{conversationId}/activitylog", handle: (*Server).listConversationActivity},
		{operation: "GET /conversations/{conversationId}/rating", handle: (*Server).listRatings},
		{operation: "GET /conversations/{conversationId}/ratings", handle: (*Server).listRatings},
		{operation: "POST /conversations/{conversationId}/ratings/offer", handle: (*Server).offerRating},
		{operation: "POST /conversations/{conversationId}/ratings/{ratingId}/submit", handle: (*Server).submitRating},

		{operation: "GET /search/conversations", handle: (*Server).searchText, query: []string{"query", "exactMatch"}, paged: true},
		{operation: "POST /search/conversations", handle: (*Server).searchFilters, paged: true},

		{operation: "GET /tags", handle: (*Server).listTags, query: []string{"includeDeactivated"}},
		{operation: "POST /tags", handle: (*Server).createTag},
		{operation: "GET /tags/{tagId}", handle: (*Server).getTag},
		{operation: "DELETE /tags/{tagId}", handle: (*Server).deleteTag},
		{operation: "PATCH /tags/{tagId}/activate", handle: (*Server).activateTag},
		{operation: "PATCH /tags/{tagId}/deactivate", handle: (*Server).deactivateTag},

		{operation: "GET /agents", handle: (*Server).listAgents, query: []string{"email", "phone"}, paged: true},
		{operation: "POST /agents", handle: (*Server).createAgent},
		{operation: "PUT /agents", handle: (*Server).putAgents},
		{operation: "PATCH /agents", handle: (*Server).patchAgents},
		{operation: "POST /agents/bulk", handle: (*Server).createAgents},
		{operation: "GET /agents/presence", handle: (*Server).listPresence},
		{operation: "GET /agents/{agentId}", handle: (*Server).getAgent},
		{operation: "PUT /agents/{agentId}", handle: (*Server).putAgent},
		{operation: "PATCH /agents/{agentId}", handle: (*Server).patchAgent},
		{operation: "DELETE /agents/{agentId}", handle: (*Server).deleteAgent},
		{operation: "GET /agents/{agentId}/teams", handle: (*Server).listAgentTeams},
		{operation: "GET /agents/{agentId}/presence", handle: (*Server).getPresence},
		{operation: "PUT /agents/{agentId}/presence/working-channel", handle: (*Server).setWorkingChannel},

		{operation: "GET /teams", handle: (*Server).listTeams},
		{operation: "POST /teams", handle: (*Server).createTeam},
		{operation: "GET /teams/{teamId}", handle: (*Server).getTeam},
		{operation: "DELETE /teams/{teamId}", handle: (*Server).deleteTeam},
		{operation: "GET /teams/{teamId}/agents", handle: (*Server).listTeamAgents},
		{operation: "PATCH /teams/{teamId}/agents", handle: (*Server).addTeamAgents},
		{operation: "DELETE /teams/{teamId}/agents", handle: (*Server).removeTeamAgents},
		{operation: "GET /teams/{teamId}/presence", handle: (*Server).listTeamPresence, paged: true},

		{operation: "GET /queues", handle: (*Server).listQueues},
		{operation: "POST /queues", handle: (*Server).createQueue},
		{operation: "GET /queues/{queueId}", handle: (*Server).getQueue},
		{operation: "GET /queues/{queueId}/members", handle: (*Server).listQueueMembers},
		{operation: "PATCH /queues/{queueId}/members", handle: (*Server).addQueueMembers},
		{operation: "DELETE /queues/{queueId}/members", handle: (*Server).removeQueueMembers},
		{operation: "GET /queues/{queueId}/availability", handle: (*Server).queueAvailability},
		{operation: queuePositionOperation, handle: (*Server).queuePosition},

		{operation: "GET /contact-endpoints", handle: (*Server).listContactEndpoints, query: []string{"_type"}},
		{operation: "GET /contact-endpoints/{contactEndpointId}", handle: (*Server).getContactEndpoint},
		{operation: "GET /custom-attributes", handle: (*Server).listAttributes},
		{operation: "GET /custom-attributes/{customAttributeId}", handle: (*Server).getAttribute},

		{operation: "GET /webhooks", handle: (*Server).listWebhooks},
		{operation: "POST /webhooks", handle: (*Server).createWebhook},
		{operation: "GET /webhooks/{webhookSubscriptionId}", handle: (*Server).getWebhook},
		{operation: "PATCH /webhooks/{webhookSubscriptionId}", handle: (*Server).patchWebhook},
		{operation: "DELETE /webhooks/{webhookSubscriptionId}", handle: (*Server).deleteWebhook},
		{operation: "GET /webhooks/{webhookSubscriptionId}/delivery-status", handle: (*Server).webhookStatus},
		{operation: "GET /webhooks/{webhookSubscriptionId}/delivery-status/logs/{event}", handle: (*Server).webhookLogs},

		{operation: "GET /anonymization/request/{requestId}", handle: (*Server).getAnonymization},
		{operation: "POST /anonymization", handle: (*Server).anonymize},
	}
}

// queuePositionOperation conflicts with /queues/{queueId}/members in a way that
// http.ServeMux rejects, so it has its own mux.
const queuePositionOperation = "GET /queues/conversation-position/{csid}"

// Operations lists the names of the emulated operations.
func Operations() []string {
	var names []string
	for _, rt := range routes() {
		names = append(names, rt.operation)
	}
	return names
}

func (s *Server) routed() http.Handler {
	first, rest := http.NewServeMux(), http.NewServeMux()
	first.Handle("/", rest)
	for _, rt := range routes() {
		method, path, _ := strings.Cut(rt.operation, " ")
		for _, version := range []string{"v1", "beta"} {
			handler := func(w http.ResponseWriter, r *http.Request) { s.serve(rt, version, w, r) }
			if rt.operation == queuePositionOperation {
				first.HandleFunc(method+" /"+version+path, handler)
				continue
			}
			rest.HandleFunc(method+" /"+version+path, handler)
			if strings.HasSuffix(path, "/search/conversations") {
				// Dixa's own page links have a slash before the query.
				rest.HandleFunc(method+" /"+version+path+"/{$}", handler)
			}
		}
	}
	unknown := route{
		operation: unknownOperation,
		handle:    func(*Server, *call) (reply, error) { return reply{}, notFound() },
	}
	rest.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { s.serve(unknown, "v1", w, r) })
	rest.HandleFunc("GET /files/", s.serveFile)
	s.adminRoutes(rest)
	return first
}
