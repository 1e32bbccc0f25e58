package endtoend_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/emulator/server"
	"github.com/claimflow/claimflow/workflows"
)

// unifiedWrite is a request of the unified API and its effect in Dixa, which must be 1.
type unifiedWrite struct {
	path, body string
	// operations are the requests to Dixa that write.
	operations []string
	effect     func(s *site) int
}

var unifiedWrites = map[string]unifiedWrite{
	"ticket": {
		"/unified/ticketing/tickets",
		`{"name": "Zerschellt", "description": "It broke into pieces.", "contact": {"name": "Wilhelmine Kundin", "emails": ["w.kundin@privat.example"]}, "custom_fields": {"order_number": "10001"}}`,
		[]string{"POST /v1/endusers", "POST /v1/conversations", "PATCH /v1/conversations/*/custom-attributes"},
		func(s *site) int {
			state := s.dixa.State()
			people := slices.DeleteFunc(state.EndUsers, func(u *server.EndUser) bool { return u.Email != "w.kundin@privat.example" })
			return len(people) * len(state.Conversations)
		},
	},
	"reply": {
		"/unified/ticketing/comments",
		`{"ticket": {"id": "TICKET"}, "body": "Zerschellt? We send another.", "author": {"id": "` + server.SeedAgentAnna + `"}}`,
		[]string{"POST /v1/conversations/*/messages"},
		func(s *site) int { return len(s.dixa.State().Conversations[0].Messages) - 1 },
	},
	"note": {
		"/unified/ticketing/comments",
		`{"ticket": {"id": "TICKET"}, "body": "Zerschellt: ask for the photo.", "is_private": true}`,
		[]string{"POST /v1/conversations/*/notes"},
		func(s *site) int { return len(s.dixa.State().Conversations[0].Notes) },
	},
	"user": {
		"/unified/user-directory/users",
		`{"name": "Wilhelmine Kundin", "emails": ["w.kundin@privat.example"], "team_ids": ["` + server.SeedTeamCare + `"]}`,
		[]string{"POST /v1/agents", "PATCH /v1/teams/*/agents"},
		func(s *site) int {
			state := s.dixa.State()
			agents := slices.DeleteFunc(state.Agents, func(a *server.Agent) bool { return a.Email != "w.kundin@privat.example" })
			return len(agents)
		},
	},
}

// account returns the id of the shop's connection.
func (s *site) account() string {
	s.t.Helper()
	in, err := s.store.Settings.Integration(s.t.Context(), shop)
	require.NoError(s.t, err)
	return in.Connection.ID
}

// unifiedAnswer is an answer of the unified API.
type unifiedAnswer struct {
	status int
	body   map[string]any
}

// write sends a request of the unified API with an Idempotency-Key.
func (s *site) write(account, path, key, body string) (unifiedAnswer, error) {
	return s.ask(http.MethodPost, path+"?integrated_account_id="+account, key, body)
}

// written follows a write until it ended and returns its result.
func (s *site) written(a unifiedAnswer, err error) map[string]any {
	s.t.Helper()
	require.NoError(s.t, err)
	if a.status != http.StatusAccepted {
		require.Equal(s.t, http.StatusOK, a.status, "%v", a.body)
		return a.body
	}
	operation, _ := a.body["id"].(string)
	eventually(s.t, "the operation ends", func() error {
		if a, err = s.ask(http.MethodGet, "/operations/"+operation, "", ""); err != nil || a.status != http.StatusOK || a.body["status"] == "running" {
			return fmt.Errorf("%d %v: %w", a.status, a.body, err)
		}
		return nil
	})
	require.Equal(s.t, "done", a.body["status"], "%v", a.body)
	result, _ := a.body["result"].(map[string]any)
	return result
}

func (s *site) ask(method, path, key, body string) (unifiedAnswer, error) {
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.apiURL+path, strings.NewReader(body))
	if err != nil {
		return unifiedAnswer{}, err
	}
	r.Header.Set("Authorization", "Bearer "+s.apiKey)
	if key != "" {
		r.Header.Set("Idempotency-Key", key)
	}
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return unifiedAnswer{}, err
	}
	defer func() { _ = response.Body.Close() }() // it was read to the end
	text, err := io.ReadAll(response.Body)
	a := unifiedAnswer{status: response.StatusCode}
	return a, errors.Join(err, json.Unmarshal(text, &a.body))
}

// A worker that is killed at any moment of a write leaves one effect, and a repeat gets
// the answer of the first.
func TestKilledWorkerWritesOnce(t *testing.T) {
	t.Parallel()
	for name, c := range unifiedWrites {
		for _, operation := range c.operations {
			for _, m := range []moment{beforeCommit, afterCommit, afterReply} {
				t.Run(name+" "+strings.ReplaceAll(operation, "/", ".")+" "+string(m), func(t *testing.T) {
					t.Parallel()
					s := newSite(t, siteOptions{switches: forgetful})
					w, account := s.onlyWorker(), s.account()
					body := c.body
					if strings.Contains(body, "TICKET") {
						made := s.written(s.write(account, "/unified/ticketing/tickets", "", `{"name": "A", "description": "B", "contact": {"emails": ["a@example.org"]}}`))
						id, _ := made["id"].(string)
						body = strings.Replace(body, "TICKET", id, 1)
					}
					killed := make(chan struct{})
					s.gate.at(operation, m, w.killNow(killed))
					answers, errs := make(chan unifiedAnswer, 1), make(chan error, 1)
					go func() {
						answer, err := s.write(account, c.path, "key-1", body)
						answers <- answer
						errs <- err
					}()
					w.replace(killed)
					first := s.written(<-answers, <-errs)
					require.Equal(t, 1, c.effect(s))
					require.Equal(t, first, s.written(s.write(account, c.path, "key-1", body)))
					require.Equal(t, 1, c.effect(s))
				})
			}
		}
	}
}

// The history of a write holds ids, also if an attempt fails.
func TestUnifiedWriteHistory(t *testing.T) {
	t.Parallel()
	s := newSite(t, siteOptions{})
	s.work()
	account := s.account()
	made := s.written(s.write(account, "/unified/ticketing/tickets", "", unifiedWrites["ticket"].body))
	id, _ := made["id"].(string)
	const notes = "POST /conversations/{conversationId}/notes"
	s.dixa.Inject(server.Fault{Operation: notes, Kind: server.FaultStatus, Status: http.StatusServiceUnavailable, Body: `{"message": "No room for Zerschellt: ask"}`, Times: 1})
	s.dixa.Inject(server.Fault{Operation: notes, Kind: server.FaultDropAfter, Times: 1})
	s.written(s.write(account, "/unified/ticketing/comments", "", strings.Replace(unifiedWrites["note"].body, "TICKET", id, 1)))
	entries, _, err := s.store.AuditLog.List(t.Context(), claim.AuditFilter{Action: "unified-create", Limit: 10})
	require.NoError(t, err)
	require.Len(t, entries, 2)
	require.Equal(t, "ticketing/comments", entries[0].Details["resource"])
	s.replayRun("operation", claim.OperationWorkflowID(entries[0].Details["operation"]), claim.OperationWorkflowName, workflows.Operation)
}
