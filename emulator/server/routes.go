package server

import (
	"net/http"
	"slices"
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
	// upload means that the body is a multipart form of files.
	upload bool
	// export means that the operation belongs to the Exports API, which has its own
	// credentials, limit and errors. Its name contains the whole path.
	export bool
}

// routes lists the operations of the API.
func routes() []route {
	return []route{
		{operation: "GET /organization", handle: (*Server).getOrganization},

		{operation: "GET /endusers", handle: (*Server).listEndUsers, query: []string{"email", "phone", "externalId"}, paged: true},
		{operation: "POST /endusers", handle: body((*Server).createEndUser)},
		{operation: "PUT /endusers", handle: body((*Server).updateEndUsers)},
		{operation: "PATCH /endusers", handle: body((*Server).updateEndUsers)},
		{operation: "POST /endusers/bulk", handle: body((*Server).createEndUsers)},
		{operation: "GET /endusers/{userId}", handle: on((*Server).pathEndUser, (*Server).getEndUser)},
		{operation: "PUT /endusers/{userId}", handle: onBody((*Server).pathEndUser, (*Server).updateEndUser)},
		{operation: "PATCH /endusers/{userId}", handle: onBody((*Server).pathEndUser, (*Server).updateEndUser)},
		{operation: "PATCH /endusers/{userId}/anonymize", handle: on((*Server).pathEndUser, (*Server).anonymizeEndUser), query: []string{"force"}},
		{operation: "PATCH /endusers/{userId}/custom-attributes", handle: on((*Server).pathEndUser, (*Server).patchEndUserAttributes)},
		{operation: "GET /endusers/{userId}/conversations", handle: on((*Server).pathEndUser, (*Server).listEndUserConversations), paged: true},

		{operation: "POST /conversations", handle: body((*Server).createConversation), attachments: true},
		{operation: "POST /conversations/import", handle: body((*Server).importConversation), attachments: true},
		{operation: "GET /conversations/activitylog", handle: (*Server).listActivity, query: []string{"fromDatetime", "toDatetime"}, paged: true},
		{operation: "GET /conversations/flows", handle: (*Server).listFlows, query: []string{"channel"}},
		{operation: "GET /conversations/{conversationId}", handle: on((*Server).pathConversation, (*Server).getConversation)},
		{operation: "PATCH /conversations/{conversationId}/anonymize", handle: on((*Server).pathConversation, (*Server).anonymizeConversation), query: []string{"force"}},
		{operation: "PATCH /conversations/{conversationId}/messages/{messageId}/anonymize", handle: on((*Server).pathConversation, (*Server).anonymizeMessage)},
		{operation: "PUT /conversations/{conversationId}/close", handle: on((*Server).pathConversation, (*Server).closeConversation)},
		{operation: "PUT /conversations/{conversationId}/reopen", handle: on((*Server).pathConversation, (*Server).reopenConversation)},
		{operation: "PUT /conversations/{conversationId}/followup", handle: onBody((*Server).pathConversation, (*Server).followupConversation)},
		{operation: "PUT /conversations/{conversationId}/transfer/queue", handle: onBody((*Server).pathConversation, (*Server).transferConversation)},
		{operation: "PUT /conversations/{conversationId}/claim", handle: onBody((*Server).pathConversation, (*Server).claimConversation)},
		{operation: "PUT /conversations/{conversationId}/link", handle: onBody((*Server).pathConversation, (*Server).linkConversation)},
		{operation: "GET /conversations/{conversationId}/linked", handle: on((*Server).pathConversation, (*Server).listLinked)},
		{operation: "GET /conversations/{conversationId}/messages", handle: on((*Server).pathConversation, (*Server).listMessages)},
		{operation: "POST /conversations/{conversationId}/messages", handle: onBody((*Server).pathConversation, (*Server).createMessage), attachments: true},
		{operation: "GET /conversations/{conversationId}/notes", handle: on((*Server).pathConversation, (*Server).listNotes)},
		{operation: "POST /conversations/{conversationId}/notes", handle: onBody((*Server).pathConversation, (*Server).createNote)},
		{operation: "POST /conversations/{conversationId}/notes/bulk", handle: onBody((*Server).pathConversation, (*Server).createNotes)},
		{operation: "GET /conversations/{conversationId}/tags", handle: on((*Server).pathConversation, (*Server).listConversationTags)},
		{operation: "POST /conversations/{conversationId}/tags/bulk", handle: onBody((*Server).pathConversation, (*Server).bulkTagConversation)},
		{operation: "PUT /conversations/{conversationId}/tags/{tagId}", handle: on((*Server).pathConversation, (*Server).tagConversation)},
		{operation: "DELETE /conversations/{conversationId}/tags/{tagId}", handle: on((*Server).pathConversation, (*Server).untagConversation)},
		{operation: "PATCH /conversations/{conversationId}/custom-attributes", handle: on((*Server).pathConversation, (*Server).patchConversationAttributes)},
		{operation: "GET /conversations/{conversationId}/activitylog", handle: (*Server).listConversationActivity},
		{operation: "GET /conversations/{conversationId}/rating", handle: on((*Server).pathConversation, (*Server).listRatings)},
		{operation: "GET /conversations/{conversationId}/ratings", handle: on((*Server).pathConversation, (*Server).listRatings)},
		{operation: "POST /conversations/{conversationId}/ratings/offer", handle: onBody((*Server).pathConversation, (*Server).offerRating)},
		{operation: "POST /conversations/{conversationId}/ratings/{ratingId}/submit", handle: onBody(no404((*Server).pathConversation), (*Server).submitRating)},

		{operation: "GET /search/conversations", handle: (*Server).searchText, query: []string{"query", "exactMatch"}, paged: true},
		{operation: "POST /search/conversations", handle: (*Server).searchFilters, paged: true},

		{operation: "GET /tags", handle: (*Server).listTags, query: []string{"includeDeactivated"}},
		{operation: "POST /tags", handle: body((*Server).createTag)},
		{operation: "GET /tags/{tagId}", handle: on((*Server).pathTag, (*Server).getTag)},
		{operation: "DELETE /tags/{tagId}", handle: on((*Server).pathTag, (*Server).deleteTag)},
		{operation: "PATCH /tags/{tagId}/activate", handle: on((*Server).pathTag, (*Server).activateTag)},
		{operation: "PATCH /tags/{tagId}/deactivate", handle: on((*Server).pathTag, (*Server).deactivateTag)},

		{operation: "GET /agents", handle: (*Server).listAgents, query: []string{"email", "phone"}, paged: true},
		{operation: "POST /agents", handle: body((*Server).createAgent)},
		{operation: "PUT /agents", handle: body((*Server).updateAgents)},
		{operation: "PATCH /agents", handle: body((*Server).updateAgents)},
		{operation: "POST /agents/bulk", handle: body((*Server).createAgents)},
		{operation: "GET /agents/presence", handle: (*Server).listPresence},
		{operation: "GET /agents/{agentId}", handle: on((*Server).pathAgent, (*Server).getAgent)},
		{operation: "PUT /agents/{agentId}", handle: onBody((*Server).pathAgent, (*Server).updateAgent)},
		{operation: "PATCH /agents/{agentId}", handle: onBody((*Server).pathAgent, (*Server).updateAgent)},
		{operation: "DELETE /agents/{agentId}", handle: on((*Server).pathAgent, (*Server).deleteAgent)},
		{operation: "GET /agents/{agentId}/teams", handle: on((*Server).pathAgent, (*Server).listAgentTeams)},
		{operation: "GET /agents/{agentId}/presence", handle: on((*Server).pathAgent, (*Server).getPresence)},
		{operation: "PUT /agents/{agentId}/presence/working-channel", handle: onBody(no404((*Server).pathAgent), (*Server).setWorkingChannel)},

		{operation: "GET /teams", handle: (*Server).listTeams},
		{operation: "POST /teams", handle: body((*Server).createTeam)},
		{operation: "GET /teams/{teamId}", handle: on((*Server).pathTeam, (*Server).getTeam)},
		{operation: "DELETE /teams/{teamId}", handle: on(no404((*Server).pathTeam), (*Server).deleteTeam)},
		{operation: "GET /teams/{teamId}/agents", handle: on(no404((*Server).pathTeam), (*Server).listTeamAgents)},
		{operation: "PATCH /teams/{teamId}/agents", handle: onBody(no404((*Server).pathTeam), (*Server).addTeamAgents)},
		{operation: "DELETE /teams/{teamId}/agents", handle: onBody(no404((*Server).pathTeam), (*Server).removeTeamAgents)},
		{operation: "GET /teams/{teamId}/presence", handle: on((*Server).pathTeam, (*Server).listTeamPresence), paged: true},

		{operation: "GET /queues", handle: (*Server).listQueues},
		{operation: "POST /queues", handle: body((*Server).createQueue)},
		{operation: "GET /queues/{queueId}", handle: on((*Server).pathQueue, (*Server).getQueue)},
		{operation: "GET /queues/{queueId}/members", handle: on((*Server).pathQueue, (*Server).listQueueMembers)},
		{operation: "PATCH /queues/{queueId}/members", handle: onBody((*Server).pathQueue, (*Server).addQueueMembers)},
		{operation: "DELETE /queues/{queueId}/members", handle: onBody((*Server).pathQueue, (*Server).removeQueueMembers)},
		{operation: "GET /queues/{queueId}/availability", handle: (*Server).queueAvailability},
		{operation: queuePositionOperation, handle: (*Server).queuePosition},

		{operation: "GET /contact-endpoints", handle: (*Server).listContactEndpoints, query: []string{"_type"}},
		{operation: "GET /contact-endpoints/{contactEndpointId}", handle: (*Server).getContactEndpoint},
		{operation: "GET /custom-attributes", handle: (*Server).listAttributes},
		{operation: "GET /custom-attributes/{customAttributeId}", handle: (*Server).getAttribute},

		{operation: "GET /analytics/metrics", handle: (*Server).listMetrics, paged: true},
		{operation: "POST /analytics/metrics", handle: body((*Server).queryMetric)},
		{operation: "GET /analytics/metrics/{metricId}", handle: (*Server).getMetric},
		{operation: "GET /analytics/records", handle: (*Server).listRecords, paged: true},
		{operation: "POST /analytics/records", handle: body((*Server).queryRecords), paged: true},
		{operation: "GET /analytics/records/{recordId}", handle: (*Server).getRecord},
		{operation: "GET /analytics/filter/{filterAttribute}", handle: (*Server).listFilterValues, paged: true},

		{operation: "GET /business-hours/schedules", handle: (*Server).listSchedules},
		{operation: "GET /business-hours/schedules/{scheduleId}/definition", handle: on((*Server).pathSchedule, (*Server).getSchedule)},
		{operation: "GET /business-hours/schedules/{scheduleId}/upcoming", handle: on((*Server).pathSchedule, (*Server).upcomingSchedule), query: []string{"days"}},
		{operation: "GET /business-hours/schedules/{scheduleId}/status", handle: on(no404((*Server).pathSchedule), (*Server).scheduleStatus), query: []string{"timestamp"}},

		{operation: "GET /templates", handle: (*Server).listTemplates, query: []string{"type"}, paged: true},
		{operation: "DELETE /templates/{templateId}", handle: on((*Server).pathTemplate, (*Server).deleteTemplate)},

		{operation: "GET /knowledge/collections", handle: (*Server).listCollections, paged: true},
		{operation: "GET /knowledge/collections/{collectionId}", handle: on((*Server).pathCollection, (*Server).getCollection)},
		{operation: "GET /knowledge/collections/{collectionId}/catalog", handle: on((*Server).pathCollection, (*Server).getCatalog), query: []string{"language"}},
		{operation: "GET /knowledge/categories/{categoryId}", handle: on((*Server).pathCategory, (*Server).getCategory), query: []string{"language"}},
		{operation: "GET /knowledge/categories/{categoryId}/translations", handle: on((*Server).pathCategory, (*Server).listCategoryTranslations)},
		{operation: "POST /knowledge/articles", handle: body((*Server).createArticle)},
		{operation: "POST /knowledge/articles/attachments", handle: (*Server).uploadImages, upload: true},
		{operation: "GET /knowledge/articles/{articleId}", handle: on((*Server).pathArticle, (*Server).getArticle), query: []string{"language"}},
		{operation: "PATCH /knowledge/articles/{articleId}", handle: onBody((*Server).pathArticle, (*Server).updateArticle)},
		{operation: "DELETE /knowledge/articles/{articleId}", handle: on((*Server).pathArticle, (*Server).deleteArticle)},
		{operation: "PATCH /knowledge/articles/{articleId}/parent/{parentId}", handle: on((*Server).pathArticle, (*Server).moveArticle)},
		{operation: "DELETE /knowledge/articles/{articleId}/parent", handle: on((*Server).pathArticle, (*Server).removeParent)},
		{operation: "POST /knowledge/articles/{articleId}/publish", handle: on((*Server).pathArticle, (*Server).publishArticle)},
		{operation: "POST /knowledge/articles/{articleId}/unpublish", handle: on((*Server).pathArticle, (*Server).unpublishArticle)},
		{operation: "GET /knowledge/articles/{articleId}/translations", handle: on((*Server).pathArticle, (*Server).listTranslations)},
		{operation: "PATCH /knowledge/articles/{articleId}/translations", handle: onBody((*Server).pathArticle, (*Server).updateTranslations)},
		{operation: "DELETE /knowledge/articles/{articleId}/translations/{languageId}", handle: on((*Server).pathArticle, (*Server).deleteTranslation)},
		{operation: "POST /knowledge/articles/{articleId}/translations/{languageId}/publish", handle: on((*Server).pathArticle, (*Server).publishTranslation)},
		{operation: "POST /knowledge/articles/{articleId}/translations/{languageId}/unpublish", handle: on((*Server).pathArticle, (*Server).unpublishTranslation)},

		{operation: "GET /webhooks", handle: (*Server).listWebhooks},
		{operation: "POST /webhooks", handle: body((*Server).createWebhook)},
		{operation: "GET /webhooks/{webhookSubscriptionId}", handle: on((*Server).pathWebhook, (*Server).getWebhook)},
		{operation: "PATCH /webhooks/{webhookSubscriptionId}", handle: onBody(no404((*Server).pathWebhook), (*Server).patchWebhook)},
		{operation: "DELETE /webhooks/{webhookSubscriptionId}", handle: on((*Server).pathWebhook, (*Server).deleteWebhook)},
		{operation: "GET /webhooks/{webhookSubscriptionId}/delivery-status", handle: on((*Server).pathWebhook, (*Server).webhookStatus)},
		{operation: "GET /webhooks/{webhookSubscriptionId}/delivery-status/logs/{event}", handle: on((*Server).pathWebhook, (*Server).webhookLogs)},

		{operation: "GET /anonymization/request/{requestId}", handle: (*Server).getAnonymization},
		{operation: "POST /anonymization", handle: body((*Server).anonymize)},
	}
}

// on finds what the path names and passes it to handle.
func on[T any](find func(*Server, *call) (T, error), handle func(*Server, *call, T) (reply, error)) func(*Server, *call) (reply, error) {
	return func(s *Server, c *call) (reply, error) {
		found, err := find(s, c)
		if err != nil {
			return reply{}, err
		}
		return handle(s, c, found)
	}
}

// body decodes the request's body and passes it to handle.
func body[B any](handle func(*Server, *call, B) (reply, error)) func(*Server, *call) (reply, error) {
	return on(func(_ *Server, c *call) (B, error) { return decode[B](c) }, handle)
}

// onBody finds what the path names, decodes the request's body and passes both to
// handle.
func onBody[T, B any](find func(*Server, *call) (T, error), handle func(*Server, *call, T, B) (reply, error)) func(*Server, *call) (reply, error) {
	return on(find, func(s *Server, c *call, found T) (reply, error) {
		input, err := decode[B](c)
		if err != nil {
			return reply{}, err
		}
		return handle(s, c, found, input)
	})
}

// no404 is find for operations that document no 404.
func no404[T any](find func(*Server, *call) (T, error)) func(*Server, *call) (T, error) {
	return func(s *Server, c *call) (T, error) {
		found, err := find(s, c)
		if err != nil {
			err = bad(messageInvalid)
		}
		return found, err
	}
}

// queuePositionOperation conflicts with /queues/{queueId}/members in a way that
// http.ServeMux rejects, so it has its own mux.
const queuePositionOperation = "GET /queues/conversation-position/{csid}"

// Operations lists the names of the emulated operations.
func Operations() []string {
	var names []string
	for _, rt := range slices.Concat(routes(), exportRoutes()) {
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
	for _, rt := range exportRoutes() {
		rest.HandleFunc(rt.operation, func(w http.ResponseWriter, r *http.Request) { s.serve(rt, "v1", w, r) })
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
