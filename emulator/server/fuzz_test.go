package server_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/claimflow/claimflow/emulator/server"
)

// FuzzRequests sends arbitrary bodies to every operation that takes one. The
// emulator must always answer, and every error must have Dixa's shape.
func FuzzRequests(f *testing.F) {
	for i, body := range []string{
		``, `{}`, `[]`, `null`, `{"data":[{}]}`, `{"data":[{"name":"x"}]}`, `{"message":"note"}`, `{"_type":"Email"}`,
		`{"_type":"Inbound","content":{"_type":"Text","value":"x"},"attachments":[{"url":"::"}]}`,
		`{"filters":{"strategy":"All","conditions":[{"field":{"_type":"TagId","operator":{"_type":"IncludesOne","values":[1]}}}]}}`,
		`{"` + server.SeedAttrReason + `":["claim","damaged"]}`,
		`{"name":"n","url":"http://x","authorization":{"_type":"BasicAuth"},"events":["ConversationCreated"]}`,
		`[{"id":"` + server.SeedAgentAnna + `","additionalEmails":["a@b.c","a@b.c"]}]`,
		`{"id":"csat","timezone":"Europe/Copenhagen","periodFilter":{"_type":"Preset","value":"Today"},"filters":[{"attribute":"channel","values":["EMAIL"]}]}`,
		`{"id":"ratings","timezone":"UTC","csidFilter":[1001]}`,
		`{"translations":[{"languageId":"en","title":"x","content":"<p>"}],"parentId":"` + server.SeedCategoryLabels + `","tags":["x"]}`,
		`{"ownedBy":"` + server.SeedAgentBen + `","tags":{"add":["x"],"remove":["x"]},"preRelease":true}`,
	} {
		f.Add(i, body)
	}
	operations := server.Operations()
	f.Fuzz(func(t *testing.T, which int, body string) {
		if strings.Contains(body, "http") {
			t.Skip("an attachment or webhook could reach another host")
		}
		emulator := server.New(server.Options{Limit: server.Limit{Reading: server.LimitOff}})
		defer emulator.Close()
		send := func(method, path, body string) *httptest.ResponseRecorder {
			request := httptest.NewRequest(method, path, strings.NewReader(body))
			request.Header.Set("Authorization", "demo-token")
			recorder := httptest.NewRecorder()
			emulator.ServeHTTP(recorder, request)
			return recorder
		}
		send(http.MethodPost, "/v1/endusers", `{"email":"a@example.org"}`)
		user := emulator.State().EndUsers[0].ID
		create, _ := json.Marshal(mail(user, "key"))
		send(http.MethodPost, "/v1/conversations", string(create))

		operation := operations[((which%len(operations))+len(operations))%len(operations)]
		method, path, _ := strings.Cut(operation, " ")
		path = strings.NewReplacer(
			"{conversationId}", "1001", "{csid}", "1001", "{userId}", user, "{agentId}", server.SeedAgentAnna,
			"{teamId}", server.SeedTeamCare, "{queueId}", server.SeedQueueClaims,
			"{metricId}", "csat", "{recordId}", "ratings", "{filterAttribute}", "channel", "{scheduleId}", server.SeedScheduleSupport,
			"{templateId}", server.SeedTemplateReturns, "{collectionId}", server.SeedCollectionHelp, "{categoryId}", server.SeedCategoryReturns,
			"{articleId}", server.SeedArticleReturn, "{languageId}", "en", "{parentId}", server.SeedCategoryLabels,
		).Replace(path)
		if strings.Contains(path, "{") {
			t.Skip("the operation needs an id that the emulator generates")
		}
		if !strings.HasPrefix(path, "/exports/") {
			path = "/v1" + path
		}
		got := send(method, path, body)
		if got.Code >= http.StatusInternalServerError {
			t.Fatalf("%s returned %d %s", operation, got.Code, got.Body)
		}
		if got.Code >= http.StatusBadRequest {
			var reply map[string]string
			if err := json.Unmarshal(got.Body.Bytes(), &reply); err != nil || reply["message"] == "" || len(reply) != 1 {
				t.Fatalf("%s returned %d without a message: %s", operation, got.Code, got.Body)
			}
		}
		emulator.Settle()
	})
}
