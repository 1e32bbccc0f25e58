package api_test

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	emulator "github.com/claimflow/claimflow/emulator/server"
	"github.com/claimflow/claimflow/internal/api"
	"github.com/claimflow/claimflow/internal/onboarding"
	"github.com/claimflow/claimflow/internal/unify"
	"github.com/claimflow/claimflow/store"
)

// impatient makes requests wait for their writes for a moment only.
func impatient(o *api.Options) { o.WriteWait = 50 * time.Millisecond }

// keep keeps operations from starting until release is called, which waits for their end.
// Lists are as if they were asked for a while later.
func (b *writeBench) keep() (release func()) {
	kept := make(chan struct{})
	b.hold = kept
	release = sync.OnceFunc(func() { close(kept); b.running.Wait(); b.unified.Forget(b.account) })
	b.Cleanup(release)
	return release
}

// stillRuns sends a request that must be answered as one whose write has not ended.
func (b *writeBench) stillRuns(method, path, body string) {
	b.Helper()
	r := b.scim(method, path, body)
	r.scimError(b, http.StatusServiceUnavailable, "")
	require.NotEmpty(b, r.header.Get("Retry-After"))
}

// settled sends a request as a provider does, which repeats it after each 503.
func (b *writeBench) settled(status int, method, path, body string) map[string]any {
	b.Helper()
	var r written
	for range 5 { // a request may lead to several writes
		r = b.scim(method, path, body)
		b.running.Wait()
		if r.status != http.StatusServiceUnavailable {
			break
		}
	}
	require.Equal(b, status, r.status, "%s %s: %s", method, path, r.raw)
	return r.body
}

// settledUser creates a user and returns its id.
func (b *writeBench) settledUser(body string) string {
	b.Helper()
	b.scim("POST", "/Users", body)
	b.running.Wait()
	found := b.usersBy(`userName eq "mary@example.org"`)
	require.Len(b, found, 1)
	return text(found[0]["id"])
}

// process is another process of the same installation, with its own memory.
func (b *writeBench) process() *writeBench {
	b.Helper()
	other := &writeBench{T: b.T, store: b.store, dixa: b.dixa, clients: b.clients, account: b.account, secret: b.secret}
	other.unified = &unify.Service{Store: b.store, Clients: b.clients, PublicURL: b.url, Start: other.start}
	handler, err := api.New(api.Options{
		Store: b.store, Onboarding: onboarding.New(onboarding.Options{Store: b.store, Dixa: b.clients, PublicURL: b.url, AutoReplyWait: -1}),
		Log: slog.New(slog.DiscardHandler), Unified: other.unified, PublicURL: b.url, WriteWait: 15 * time.Second,
	})
	require.NoError(b, err)
	server := httptest.NewServer(handler)
	b.Cleanup(server.Close)
	b.Cleanup(other.running.Wait)
	other.url = server.URL
	return other
}

const (
	activate   = `{"op": "Replace", "path": "active", "value": "True"}`
	deactivate = `{"op": "Replace", "path": "active", "value": "False"}`
)

// Somebody who leaves while their return still runs must not end as an agent.
func TestScimUserLeavesWhileTheyReturn(t *testing.T) {
	t.Parallel()
	for name, forgets := range map[string]bool{"same id": false, "another id": true} {
		for _, last := range []struct{ method, body string }{{"PATCH", patchOps(deactivate)}, {"PUT", `{"userName": "mary@example.org", "active": false}`}, {"DELETE", ""}} {
			t.Run(name+" "+last.method, func(t *testing.T) {
				t.Parallel()
				b := newWriteBench(t, emulator.Switches{AgentOfEndUser: "promoted"}, impatient)
				id := b.settledUser(oktaUser)
				path := "/Users/" + id
				b.settled(http.StatusOK, "PATCH", path, patchOps(deactivate))
				if forgets {
					b.send("PATCH", "/unified/ticketing/contacts/"+id, "forget", `{"anonymize": true}`)
					b.running.Wait()
				}
				release := b.keep()
				for range 2 {
					b.stillRuns("PATCH", path, patchOps(activate))
				}
				b.stillRuns(last.method, path, last.body)
				b.stillRuns("PATCH", path, patchOps(`{"op": "Replace", "path": "displayName", "value": "Marie"}`))
				require.Equal(t, false, b.scimDone(http.StatusOK, "GET", path, "")["active"])
				release()
				agents := b.agentsOf("mary@example.org")
				require.Len(t, agents, 1)
				require.Equal(t, forgets, agents[0].ID != id)

				status := http.StatusOK
				if last.method == "DELETE" {
					status = http.StatusNoContent
				}
				b.settled(status, last.method, path, last.body)
				require.Empty(t, b.agentsOf("mary@example.org"))
				if last.method == "DELETE" {
					b.scimRefused(http.StatusNotFound, "", "GET", path, "")
					require.Empty(t, b.usersBy(`userName eq "mary@example.org"`))
					return
				}
				require.Equal(t, false, b.scimDone(http.StatusOK, "GET", path, "")["active"])
			})
		}
	}
}

// Somebody who returns while their leaving still runs must not end as an end user.
func TestScimUserReturnsWhileTheyLeave(t *testing.T) {
	t.Parallel()
	for _, leave := range []struct{ method, body string }{{"PATCH", patchOps(deactivate)}, {"DELETE", ""}} {
		b := newWriteBench(t, emulator.Switches{AgentOfEndUser: "promoted"}, impatient)
		path := "/Users/" + b.settledUser(oktaUser)
		release := b.keep()
		for range 2 {
			b.stillRuns(leave.method, path, leave.body)
		}
		b.stillRuns("PATCH", path, patchOps(activate))
		b.stillRuns("PUT", path, `{"userName": "mary@example.org", "displayName": "Marie"}`)
		if leave.method == "PATCH" {
			b.stillRuns("DELETE", path, "")
		}
		require.Equal(t, true, b.scimDone(http.StatusOK, "GET", path, "")["active"])
		release()
		require.Empty(t, b.agentsOf("mary@example.org"))
		require.Equal(t, false, b.scimDone(http.StatusOK, "GET", path, "")["active"])
		now := b.settled(http.StatusOK, "PATCH", path, patchOps(activate))
		require.Equal(t, true, now["active"])
		require.Equal(t, "00ujl29u0le5T6Aj10h7", now["externalId"])
		require.Len(t, b.agentsOf("mary@example.org"), 1)
	}
}

// What is kept of a user until they return is not lost if the request that brings them
// back does not see them return.
func TestScimUserReturnsWithWhatWasKept(t *testing.T) {
	t.Parallel()
	b := newWriteBench(t, emulator.Switches{AgentOfEndUser: "promoted"}, impatient)
	path := "/Users/" + b.settledUser(oktaUser)
	b.settled(http.StatusOK, "PATCH", path, patchOps(deactivate))
	b.settled(http.StatusOK, "PATCH", path, patchOps(`{"op": "Replace", "path": "name.familyName", "value": "Levy"}`))
	release := b.keep()
	b.stillRuns("PATCH", path, patchOps(activate))
	release()
	require.Equal(t, "Jackson", at(b.scimDone(http.StatusOK, "GET", path, ""), "name", "familyName"), "an answer has what Dixa has")
	now := b.settled(http.StatusOK, "PATCH", path, patchOps(activate))
	require.Equal(t, "Levy", at(now, "name", "familyName"))
	require.Equal(t, "Levy", b.agentsOf("mary@example.org")[0].LastName)
}

// A process that does not know yet what another has created finds it.
func TestScimProcessesCreateOnce(t *testing.T) {
	t.Parallel()
	b := newWriteBench(t, emulator.Switches{})
	other := b.process()
	require.Empty(t, other.usersBy(`userName eq "mary@example.org"`))
	require.Empty(t, resources(other, other.scimDone(http.StatusOK, "GET", "/Groups?excludedAttributes=members&filter=displayName+eq+%22Night%22", "")))
	user := b.scimDone(http.StatusCreated, "POST", "/Users", oktaUser)
	group := b.scimDone(http.StatusCreated, "POST", "/Groups", `{"displayName": "Night", "externalId": "e-1"}`)
	for range 2 {
		require.Contains(t, other.scimRefused(http.StatusConflict, "uniqueness", "POST", "/Groups", `{"displayName": "Night", "externalId": "e-2"}`), text(group["id"]))
		require.Contains(t, other.scimRefused(http.StatusConflict, "uniqueness", "POST", "/Users", `{"userName": "Mary@example.org", "externalId": "e-3"}`), text(user["id"]))
	}
	require.Len(t, other.usersBy(`userName eq "mary@example.org"`), 1, "a provider looks for what it cannot create")
	require.Equal(t, user, b.scimDone(http.StatusOK, "GET", "/Users/"+text(user["id"]), ""))
	require.Equal(t, group, b.scimDone(http.StatusOK, "GET", "/Groups/"+text(group["id"]), ""))
	require.Len(t, b.agentsOf("mary@example.org"), 1)
	named := 0
	for _, team := range b.dixa.State().Teams {
		if team.Name == "Night" {
			named++
		}
	}
	require.Equal(t, 1, named)
}

// A group whose team got another name in Dixa keeps what the provider said of it when
// another group takes its name.
func TestScimGroupTakesTheNameOfARenamedTeam(t *testing.T) {
	t.Parallel()
	b := newWriteBench(t, emulator.Switches{})
	day := text(b.scimDone(http.StatusCreated, "POST", "/Groups", `{"displayName": "Day"}`)["id"])
	// As if the team had been called Night when the provider created it.
	require.NoError(t, b.store.Provisioned.Delete(t.Context(), b.account, store.ProvisionedGroup, b.store.Provisioned.NameOf("Day")))
	require.NoError(t, b.store.Provisioned.Save(t.Context(), store.ProvisionedObject{
		ConnectionID: b.account, Kind: store.ProvisionedGroup, Name: b.store.Provisioned.NameOf("Night"), ID: day, ObjectID: day, Body: json.RawMessage(`{"externalId": "e-day"}`),
	}))
	night := b.scimDone(http.StatusCreated, "POST", "/Groups", `{"displayName": "Night", "externalId": "e-night"}`)
	require.NotEqual(t, day, night["id"])
	require.Equal(t, "e-night", night["externalId"])
	require.Equal(t, "e-day", b.scimDone(http.StatusOK, "GET", "/Groups/"+day, "")["externalId"])
}

// A creation that Dixa refused after its request had ended does not stand in the way of a
// corrected one, nor does one that succeeded and was undone.
func TestScimCreationEndsUnseen(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{"again": oktaUser, "corrected": strings.ReplaceAll(oktaUser, "Mary Jackson", "Mary J.")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newWriteBench(t, emulator.Switches{AgentOfEndUser: "promoted"}, impatient)
			b.dixa.Inject(emulator.Fault{Operation: "POST /agents", Kind: emulator.FaultStatus, Status: 400, Times: 1})
			b.dixa.Inject(emulator.Fault{Operation: "POST /teams", Kind: emulator.FaultStatus, Status: 400, Times: 1})
			release := b.keep()
			b.stillRuns("POST", "/Users", oktaUser)
			b.stillRuns("POST", "/Groups", `{"displayName": "Night"}`)
			release()
			require.Empty(t, b.agentsOf("mary@example.org"))

			release = b.keep()
			b.stillRuns("POST", "/Users", body)
			b.stillRuns("POST", "/Groups", `{"displayName": "Night", "externalId": "`+name+`"}`)
			release()
			require.Len(t, b.agentsOf("mary@example.org"), 1)
			found := resources(b, b.scimDone(http.StatusOK, "GET", "/Groups?filter=displayName+eq+%22Night%22", ""))
			require.Len(t, found, 1)
			require.Equal(t, name, found[0]["externalId"])
			user := b.usersBy(`userName eq "mary@example.org"`)
			require.Len(t, user, 1)

			b.settled(http.StatusNoContent, "DELETE", "/Users/"+text(user[0]["id"]), "")
			release = b.keep()
			b.stillRuns("POST", "/Users", strings.ReplaceAll(oktaUser, "00ujl29u0le5T6Aj10h7", "e-again"))
			require.Empty(t, b.usersBy(`userName eq "mary@example.org"`), "a deleted user is gone until they are created again")
			release()
			user = b.usersBy(`userName eq "mary@example.org"`)
			require.Len(t, user, 1)
			require.Equal(t, "e-again", user[0]["externalId"])
		})
	}
}

// A user who is created again has the id that the answer says, whatever Dixa's is.
func TestScimDeletedUserIsCreatedAgain(t *testing.T) {
	t.Parallel()
	b := newWriteBench(t, emulator.Switches{})
	id := b.newUser("mary@example.org")
	b.scimDone(http.StatusNoContent, "DELETE", "/Users/"+id, "")
	b.done("PATCH", "/unified/ticketing/contacts/"+id, `{"anonymize": true}`) // Dixa gives them another id
	again := b.newUser("mary@example.org")
	require.NotEqual(t, id, b.agentsOf("mary@example.org")[0].ID)
	require.Equal(t, []map[string]any{b.scimDone(http.StatusOK, "GET", "/Users/"+again, "")}, b.usersBy(`userName eq "mary@example.org"`))
	require.Equal(t, id, again, "the person is known by their address")
}

// A deleted user whom the provider cannot create again stays deleted.
func TestScimDeletedUserStaysDeleted(t *testing.T) {
	t.Parallel()
	b := newWriteBench(t, emulator.Switches{}) // Dixa refuses the address of an end user
	id := b.newUser("mary@example.org")
	b.scimDone(http.StatusNoContent, "DELETE", "/Users/"+id, "")
	b.scimRefused(http.StatusConflict, "uniqueness", "POST", "/Users", oktaUser)
	require.Empty(t, b.usersBy(`userName eq "mary@example.org"`))
	b.scimRefused(http.StatusNotFound, "", "GET", "/Users/"+id, "")
}
