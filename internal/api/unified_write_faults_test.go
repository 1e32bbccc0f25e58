package api_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/testsuite"

	"github.com/claimflow/claimflow/activities"
	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
	emulator "github.com/claimflow/claimflow/emulator/server"
	"github.com/claimflow/claimflow/internal/api"
	"github.com/claimflow/claimflow/store"
)

// writeCase is a write whose effect in Dixa can be counted.
type writeCase struct {
	method, path, body string
	// operations are those of Dixa that write.
	operations []string
	// effect counts what was done; 1 after the write.
	effect func(b *writeBench) int
}

func writeCases() map[string]writeCase {
	const tickets, comments, users = "/unified/ticketing/tickets", "/unified/ticketing/comments", "/unified/user-directory/users"
	count := func(yes bool) int {
		if yes {
			return 1
		}
		return 0
	}
	return map[string]writeCase{
		"note": {
			"POST", comments, `{"ticket": {"id": "TICKET"}, "body": "Call <b>back</b> & ask", "is_private": true}`,
			[]string{"POST /conversations/{conversationId}/notes"},
			func(b *writeBench) int { return len(b.conversation().Notes) },
		},
		"reply": {
			"POST", comments, `{"ticket": {"id": "TICKET"}, "html_body": "<p>On its way</p>", "author": {"id": "` + emulator.SeedAgentAnna + `"}}`,
			[]string{"POST /conversations/{conversationId}/messages"},
			func(b *writeBench) int { return len(b.conversation().Messages) - 1 },
		},
		"new ticket": {
			"POST", tickets, `{"name": "New", "description": "Second one", "contact": {"name": "Bo", "emails": ["bo@example.org"]}, "tags": ["vip"], "assignees": [{"id": "` + emulator.SeedAgentBen + `"}]}`,
			[]string{"POST /endusers", "POST /conversations", "POST /tags", "PUT /conversations/{conversationId}/tags/{tagId}", "PUT /conversations/{conversationId}/claim"},
			func(b *writeBench) int {
				state := b.dixa.State()
				people := slices.DeleteFunc(state.EndUsers, func(u *emulator.EndUser) bool { return u.Email != "bo@example.org" })
				return (len(state.Conversations) - 1) * len(people) * len(b.conversation().Messages)
			},
		},
		"ticket closed": {
			"PATCH", tickets + "/TICKET", `{"status": "closed"}`,
			[]string{"PUT /conversations/{conversationId}/close"},
			func(b *writeBench) int { return count(b.conversation().State == emulator.StateClosed) },
		},
		"contact": {
			"POST", "/unified/ticketing/contacts", `{"name": "Cy", "emails": ["cy@example.org"], "custom_fields": {"loyalty_tier": "gold"}}`,
			[]string{"POST /endusers", "PATCH /endusers/{userId}/custom-attributes"},
			func(b *writeBench) int {
				n := 0
				for _, u := range b.dixa.State().EndUsers {
					n += count(u.Email == "cy@example.org" && len(u.Attributes) == 1)
				}
				return n
			},
		},
		"tag deleted": {
			"DELETE", "/unified/ticketing/tags/TAG", "",
			[]string{"DELETE /tags/{tagId}"},
			func(b *writeBench) int { return 1 - len(b.tags("fragile")) },
		},
		"team": {
			"POST", "/unified/ticketing/teams", `{"name": "Night", "user_ids": ["` + emulator.SeedAgentAnna + `"]}`,
			[]string{"POST /teams", "PATCH /teams/{teamId}/agents"},
			func(b *writeBench) int {
				n := 0
				for _, team := range b.dixa.State().Teams {
					n += count(team.Name == "Night" && len(team.Members) == 1)
				}
				return n
			},
		},
		"queue": {
			"POST", "/unified/ticketing/collections", `{"name": "Night", "user_ids": ["` + emulator.SeedAgentAnna + `"]}`,
			[]string{"POST /queues", "PATCH /queues/{queueId}/members"},
			func(b *writeBench) int {
				n := 0
				for _, queue := range b.dixa.State().Queues {
					n += count(queue.Name == "Night" && len(queue.Members) == 1)
				}
				return n
			},
		},
		"user": {
			"POST", users, `{"name": "Di", "emails": ["di@example.org"], "team_ids": ["` + emulator.SeedTeamCare + `"]}`,
			[]string{"POST /agents", "PATCH /teams/{teamId}/agents"},
			func(b *writeBench) int {
				n := 0
				for _, a := range b.dixa.State().Agents {
					n += count(a.Email == "di@example.org" && slices.Contains(b.team(emulator.SeedTeamCare).Members, a.ID))
				}
				return n
			},
		},
		"user downgraded": {"DELETE", users + "/" + emulator.SeedAgentBen, "", []string{"DELETE /agents/{agentId}"}, func(b *writeBench) int {
			return count(!slices.ContainsFunc(b.dixa.State().Agents, func(a *emulator.Agent) bool { return a.ID == emulator.SeedAgentBen }))
		}},
	}
}

func (b *writeBench) tags(name string) []*emulator.Tag {
	b.Helper()
	return slices.DeleteFunc(b.dixa.State().Tags, func(t *emulator.Tag) bool { return t.Name != name })
}

// prepare makes what the cases refer to and returns the case's address and body.
func (b *writeBench) prepare(c writeCase) (path, body string) {
	b.Helper()
	ticket := b.ticket()
	tag, _ := b.done("POST", "/unified/ticketing/tags", `{"name": "fragile"}`)["id"].(string)
	replace := strings.NewReplacer("TICKET", ticket, "TAG", tag)
	return replace.Replace(c.path), replace.Replace(c.body)
}

// Whatever happens to a request to Dixa, the write is done once, and a repeat gets the
// same answer.
func TestWritesAreNeitherDoubledNorLost(t *testing.T) {
	t.Parallel()
	faults := map[string]emulator.Fault{
		"time-out after the commit": {Kind: emulator.FaultDropAfter},
		"cut before the commit":     {Kind: emulator.FaultDropBefore},
		"answer cut off":            {Kind: emulator.FaultTruncate},
		"garbage after the commit":  {Kind: emulator.FaultGarbage},
		"503":                       {Kind: emulator.FaultStatus, Status: http.StatusServiceUnavailable},
		"429":                       {Kind: emulator.FaultStatus, Status: http.StatusTooManyRequests, Headers: map[string]string{"Retry-After": "1"}},
	}
	for name, c := range writeCases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for kind, fault := range faults {
				for _, operation := range c.operations {
					b := newWriteBench(t, emulator.Switches{})
					path, body := b.prepare(c)
					fault.Operation, fault.Times = operation, 1
					if fault.Kind == emulator.FaultDropAfter {
						fault.Times = 3
					}
					b.dixa.Inject(fault)
					what := operation + ", " + kind
					first := b.send(c.method, path, "key-1", body)
					require.Equal(t, http.StatusOK, first.status, "%s: %s", what, first.raw)
					require.Equal(t, 1, c.effect(b), what)
					again := b.send(c.method, path, "key-1", body)
					require.Equal(t, first.raw, again.raw, what)
					require.Equal(t, 1, c.effect(b), what)
				}
			}
		})
	}
}

// Reads that fail after the write do not repeat it either, and Dixa's other habits make
// no difference.
func TestWritesSurviveFailingReadsAndOtherHabits(t *testing.T) {
	t.Parallel()
	switches := map[string]emulator.Switches{
		"keys not kept": {ExternalID: emulator.ExternalIDDropped}, "keys unchecked": {ExternalID: emulator.ExternalIDStored}, "keys of one": {ExternalID: emulator.ExternalIDConversation},
		"HTML notes":      {NoteFormat: "html"},
		"text notes":      {NoteFormat: "text"},
		"lists lag":       {ListLag: emulator.Duration(300 * time.Millisecond)},
		"new ids lag":     {NewConversationLag: emulator.Duration(300 * time.Millisecond)},
		"newest first":    {ConversationOrder: "newest", ListOrder: "newest"},
		"tag twice":       {TagTwice: "rejected"},
		"strict requests": {UnknownFields: "rejected", UnknownQuery: "rejected"},
	}
	for name, c := range writeCases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for habit, s := range switches {
				b := newWriteBench(t, s)
				b.settings(`{"email_integration_id": "` + emulator.SeedMailbox + `", "commit_window": "0s", "list_lag": "400ms"}`)
				path, body := b.prepare(c)
				for _, operation := range c.operations {
					b.dixa.Inject(emulator.Fault{Operation: operation, Kind: emulator.FaultDropAfter, Times: 1})
				}
				b.dixa.Inject(emulator.Fault{Operation: "GET /conversations/{conversationId}/messages", Kind: emulator.FaultStatus, Status: 502, Times: 2})
				b.dixa.Inject(emulator.Fault{Operation: "GET /conversations/{conversationId}", Kind: emulator.FaultGarbage, Times: 1})
				r := b.send(c.method, path, "", body)
				require.Equal(t, http.StatusOK, r.status, "%s: %s", habit, r.raw)
				require.Equal(t, 1, c.effect(b), habit)
			}
		})
	}
}

// Two requests with one key at once: one is carried out, the other is told so. Another
// body under the key is refused.
func TestOneKeyIsOneWrite(t *testing.T) {
	t.Parallel()
	b := newWriteBench(t, emulator.Switches{})
	id := b.ticket()
	body := `{"ticket": {"id": "` + id + `"}, "body": "Once", "is_private": true}`
	b.hold = make(chan struct{})
	answers := make(chan written, 1)
	go func() { answers <- b.send("POST", "/unified/ticketing/comments", "k", body) }()
	require.Eventually(t, func() bool {
		n, err := b.store.Operations.Running(t.Context(), time.Now().Add(time.Hour))
		return err == nil && len(n) == 1
	}, 10*time.Second, time.Millisecond)

	var group sync.WaitGroup
	for range 3 { // as clients repeat a 409
		group.Go(func() {
			r := b.send("POST", "/unified/ticketing/comments", "k", body)
			if r.status != http.StatusConflict || r.header.Get("Retry-After") == "" {
				t.Errorf("the repeat got %d: %s", r.status, r.raw)
			}
		})
	}
	group.Wait()
	other := b.send("POST", "/unified/ticketing/comments", "k", strings.Replace(body, "Once", "Twice", 1))
	require.Equal(t, http.StatusConflict, other.status)
	close(b.hold)
	first := <-answers
	require.Equal(t, http.StatusOK, first.status, first.raw)
	require.Equal(t, "k", first.header.Get("Idempotency-Key"))
	require.Equal(t, first.raw, b.send("POST", "/unified/ticketing/comments", "k", body).raw)
	require.Equal(t, http.StatusConflict, b.send("POST", "/unified/ticketing/comments", "k", strings.Replace(body, "Once", "Twice", 1)).status)
	require.Len(t, b.conversation().Notes, 1)

	own := b.send("POST", "/unified/ticketing/comments", "", body)
	require.NotEmpty(t, own.header.Get("Idempotency-Key"))
	require.Len(t, b.conversation().Notes, 2, "another key is another write")
	require.Equal(t, own.raw, b.send("POST", "/unified/ticketing/comments", own.header.Get("Idempotency-Key"), body).raw)
}

func TestReadOnlyAccountIsRefusedBeforeAnyRequest(t *testing.T) {
	t.Parallel()
	b := newWriteBench(t, emulator.Switches{})
	id := b.ticket()
	b.settings(`{"read_only": true}`)
	before := b.dixa.Stats().Requests
	r := b.send("PATCH", "/unified/ticketing/tickets/"+id, "k", `{"status": "closed"}`)
	require.Equal(t, http.StatusMethodNotAllowed, r.status, r.raw)
	require.Equal(t, before, b.dixa.Stats().Requests)
	b.settings(`{"read_only": false, "commit_window": "0s", "list_lag": "0s"}`)
	require.Equal(t, http.StatusOK, b.send("PATCH", "/unified/ticketing/tickets/"+id, "k", `{"status": "closed"}`).status, "the key is still free")
}

func TestRefusedTokenFreesTheKey(t *testing.T) {
	t.Parallel()
	b := newWriteBench(t, emulator.Switches{})
	id := b.ticket()
	b.dixa.Inject(emulator.Fault{Operation: "*", Kind: emulator.FaultStatus, Status: http.StatusUnauthorized, Times: 2})
	r := b.send("PATCH", "/unified/ticketing/tickets/"+id, "k", `{"status": "closed"}`)
	require.Equal(t, http.StatusUnauthorized, r.status, r.raw)
	require.Equal(t, claim.ConnectionNeedsToken, b.connectionState())
	_, err := b.store.Connections.SaveToken(t.Context(), "acme", token, store.Organization{ID: emulator.SeedOrganization, Name: "Demo"})
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, b.send("PATCH", "/unified/ticketing/tickets/"+id, "k", `{"status": "closed"}`).status)
}

// A 401 for one request alone must not stop the claims of the connection.
func TestOneRefusedRequestKeepsTheConnection(t *testing.T) {
	t.Parallel()
	b := newWriteBench(t, emulator.Switches{})
	path := "/unified/ticketing/tickets/" + b.ticket()
	closing := emulator.Fault{Operation: "PUT /conversations/{conversationId}/close", Kind: emulator.FaultStatus, Status: http.StatusUnauthorized, Times: 1}
	b.dixa.Inject(closing)
	r := b.send("PATCH", path, "k", `{"status": "closed"}`)
	require.Equal(t, http.StatusUnauthorized, r.status, r.raw)
	require.Contains(t, r.raw, "the token may not do this")
	require.Equal(t, claim.ConnectionActive, b.connectionState())
	require.Equal(t, http.StatusOK, b.send("PATCH", path, "k", `{"status": "closed"}`).status, "the key is free once the token may do it")

	b.done("PATCH", path, `{"status": "open"}`)
	b.dixa.Inject(closing)
	b.dixa.Inject(emulator.Fault{Operation: "GET /organization", Kind: emulator.FaultStatus, Status: http.StatusServiceUnavailable, Times: 3})
	r = b.send("PATCH", path, "", `{"status": "closed"}`)
	require.Equal(t, http.StatusOK, r.status, "what Dixa means is asked again: %s", r.raw)
	require.Equal(t, claim.ConnectionActive, b.connectionState())
}

// However a create ends after Dixa made the object, the error names it, so that its
// caller makes no second one.
func TestEndOfAnUnfinishedCreateNamesTheObject(t *testing.T) {
	t.Parallel()
	const tagging = "PUT /conversations/{conversationId}/tags/{tagId}"
	for name, c := range map[string]struct {
		answers map[string]int
		// meanwhile is what happens while the operation is tried.
		meanwhile func(b *writeBench, operation string)
		status    int
	}{
		"refused":       {map[string]int{tagging: 400}, nil, 400},
		"not allowed":   {map[string]int{tagging: 401}, nil, 401},
		"token refused": {map[string]int{tagging: 401, "GET /organization": 401}, nil, 401},
		"token refused elsewhere": {map[string]int{tagging: 503}, func(b *writeBench, _ string) {
			_, err := b.store.Connections.MarkNeedsToken(b.Context(), b.account, b.store.Connections.TokenHash(token))
			require.NoError(b, err)
		}, 401},
		"not in time": {map[string]int{tagging: 503}, (*writeBench).giveUp, 504},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newWriteBench(t, emulator.Switches{}, func(o *api.Options) { o.WriteWait = time.Millisecond })
			for operation, status := range c.answers {
				b.dixa.Inject(emulator.Fault{Operation: operation, Kind: emulator.FaultStatus, Status: status})
			}
			r := b.send("POST", "/unified/ticketing/tickets", "", `{"name": "A vase", "description": "It is broken.", "contact": {"name": "Ada", "emails": ["ada@example.org"]}, "tags": ["fragile"]}`)
			require.Equal(t, http.StatusAccepted, r.status, r.raw)
			operation := "/operations/" + text(r.body["id"])
			require.Eventually(t, func() bool { return b.dixa.Stats().ByOperation[tagging] > 0 }, 10*time.Second, time.Millisecond)
			if c.meanwhile != nil {
				c.meanwhile(b, text(r.body["id"]))
			}
			require.Eventually(t, func() bool { return b.done("GET", operation, "")["status"] == "failed" }, 20*time.Second, 5*time.Millisecond)
			failed, _ := b.done("GET", operation, "")["error"].(map[string]any)
			require.EqualValues(t, c.status, failed["statusCode"])
			require.Len(t, b.dixa.State().Conversations, 1)
			object := fmt.Sprintf("tickets/%d", b.conversation().ID)
			require.Contains(t, failed["message"], "The object "+object+" was created")
			require.Contains(t, fmt.Sprint(failed["details"]), object+" was created")
		})
	}
}

// waited sends a create of a ticket of which the operation waits for a time before it is
// carried out, and returns how it ended.
func (b *writeBench) waited(d time.Duration) map[string]any {
	b.Helper()
	b.hold = make(chan struct{})
	b.ahead.Store(int64(-d))
	r := b.send("POST", "/unified/ticketing/tickets", "k", `{"name": "A vase", "description": "It is broken.", "contact": {"name": "Ada", "emails": ["ada@example.org"]}, "tags": ["fragile"]}`)
	require.Equal(b, http.StatusAccepted, r.status, r.raw)
	b.ahead.Store(0)
	close(b.hold)
	b.running.Wait()
	return b.done("GET", "/operations/"+text(r.body["id"]), "")
}

// A write that could not begin in time must not surprise anyone later.
func TestWriteIsNotSentTooLate(t *testing.T) {
	t.Parallel()
	b := newWriteBench(t, emulator.Switches{}, func(o *api.Options) { o.WriteWait = time.Millisecond })
	ended := b.waited(store.OperationTime + time.Minute)
	require.Equal(t, "failed", ended["status"])
	require.EqualValues(t, http.StatusGatewayTimeout, at(ended, "error", "statusCode"))
	require.Empty(t, b.dixa.State().Conversations)
	require.Empty(t, b.dixa.State().EndUsers)
}

// A new object is waited for, however long the write waited before it made the object.
func TestNewObjectIsWaitedForAfterALongWait(t *testing.T) {
	t.Parallel()
	b := newWriteBench(t, emulator.Switches{NewConversationLag: emulator.Duration(300 * time.Millisecond)}, func(o *api.Options) { o.WriteWait = time.Millisecond })
	ended := b.waited(store.OperationTime - time.Minute)
	require.Equal(t, "done", ended["status"], "%v", ended)
	require.Equal(t, []string{"fragile"}, names(at(ended, "result", "tags"), "name"))
}

// A tag that Dixa refuses is not taken for one that may exist: the key is free after a 401.
func TestRefusedTagLeavesNothingOpen(t *testing.T) {
	t.Parallel()
	b := newWriteBench(t, emulator.Switches{})
	b.dixa.Inject(emulator.Fault{Operation: "POST /tags", Kind: emulator.FaultStatus, Status: http.StatusUnauthorized, Times: 1})
	const path, body = "/unified/ticketing/tags", `{"name": "fragile"}`
	require.Equal(t, http.StatusUnauthorized, b.send("POST", path, "k", body).status)
	made := b.send("POST", path, "k", body)
	require.Equal(t, http.StatusOK, made.status, made.raw)
	require.Equal(t, made.raw, b.send("POST", path, "k", body).raw)
}

// giveUp ends an operation as its workflow does.
func (b *writeBench) giveUp(id string) {
	b.Helper()
	rows := &activities.OperationStore{Store: b.store}
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	env := suite.NewTestActivityEnvironment()
	env.RegisterActivity(rows)
	_, err := env.ExecuteActivity(rows.GiveUp, activities.GiveUp{OperationRef: store.OperationRef{ConnectionID: b.account, ID: id}, Why: "Dixa was away"})
	require.NoError(b, err)
}

func (b *writeBench) connectionState() claim.ConnectionState {
	b.Helper()
	c, err := b.store.Connections.Get(b.Context(), b.account)
	require.NoError(b, err)
	return c.State
}

func TestWritesNeedTheirScope(t *testing.T) {
	t.Parallel()
	b := newWriteBench(t, emulator.Switches{})
	id := b.ticket()
	for path, c := range map[string]struct{ has, lacks string }{
		"/unified/ticketing/tags":        {client.ScopeUnifiedWrite, client.ScopeDirectoryWrite},
		"/unified/ticketing/teams":       {client.ScopeDirectoryWrite, client.ScopeUnifiedWrite},
		"/unified/user-directory/groups": {client.ScopeDirectoryWrite, client.ScopeUnifiedWrite},
	} {
		b.secret = b.key("", c.lacks)
		require.Equal(t, http.StatusForbidden, b.send("POST", path, "", `{"name": "x"}`).status, path)
		b.secret = b.key("acme", c.has)
		require.Equal(t, http.StatusOK, b.send("POST", path, "", `{"name": "x"}`).status, path)
	}
	_ = id
}

// Two writes of the same text are two notes and two messages, even if Dixa answers
// neither and keeps no keys.
func TestSameTextTwiceIsWrittenTwice(t *testing.T) {
	t.Parallel()
	for range 3 {
		b := newWriteBench(t, emulator.Switches{ExternalID: emulator.ExternalIDDropped})
		id := b.ticket()
		for _, operation := range []string{"POST /conversations/{conversationId}/notes", "POST /conversations/{conversationId}/messages"} {
			b.dixa.Inject(emulator.Fault{Operation: operation, Kind: emulator.FaultDropAfter, Times: 1})
			b.dixa.Inject(emulator.Fault{Operation: operation, Kind: emulator.FaultDropBefore, Times: 1})
		}
		var group sync.WaitGroup
		for _, body := range []string{
			`{"ticket": {"id": "` + id + `"}, "body": "The same", "is_private": true}`,
			`{"ticket": {"id": "` + id + `"}, "body": "The same", "author": {"id": "` + emulator.SeedAgentAnna + `"}}`,
		} {
			for range 2 {
				group.Go(func() {
					if r := b.send("POST", "/unified/ticketing/comments", "", body); r.status != http.StatusOK {
						t.Errorf("%d: %s", r.status, r.raw)
					}
				})
			}
		}
		group.Wait()
		c := b.conversation()
		require.Len(t, c.Notes, 2)
		require.Len(t, c.Messages, 3)
	}
}

// While Temporal is away, writes are stored and answered at once. They are carried out
// once it is back.
func TestWriteIsStoredWhileTemporalIsAway(t *testing.T) {
	t.Parallel()
	b := newWriteBench(t, emulator.Switches{})
	id := b.ticket()
	b.unified.Start = func(context.Context, store.OperationRef) error { return errors.New("Temporal is away") }
	r := b.send("PATCH", "/unified/ticketing/tickets/"+id, "k", `{"status": "closed"}`)
	require.Equal(t, http.StatusAccepted, r.status, r.raw)
	require.Equal(t, http.StatusConflict, b.send("PATCH", "/unified/ticketing/tickets/"+id, "k", `{"status": "closed"}`).status)
	waiting, err := b.store.Operations.Running(t.Context(), time.Now().Add(time.Minute))
	require.NoError(t, err)
	require.Len(t, waiting, 1)
	require.NoError(t, b.start(t.Context(), waiting[0]))
	b.running.Wait()
	require.Equal(t, http.StatusOK, b.send("PATCH", "/unified/ticketing/tickets/"+id, "k", `{"status": "closed"}`).status)
	require.Equal(t, emulator.StateClosed, b.conversation().State)
}
