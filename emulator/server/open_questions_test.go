package server_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/emulator/server"
)

func TestRefusedTokenSwitch(t *testing.T) {
	t.Parallel()
	for setting, status := range map[string]int{"401": http.StatusUnauthorized, "403": http.StatusForbidden} {
		d := start(t, server.Options{Switches: server.Switches{RefusedToken: setting}})
		d.Revoke("demo-token")
		require.NotEmpty(t, d.do(http.MethodGet, "/organization", nil, status).message())
	}
}

func TestLengthLimits(t *testing.T) {
	t.Parallel()
	d := start(t, server.Options{Switches: server.Switches{MaxNameChars: 5, MaxTagChars: 5, MaxAttributeChars: 5}})
	named := func(name string) object { return object{"displayName": name, "email": name + "@example.org"} }
	d.do(http.MethodPost, "/endusers", named("Aenne"), http.StatusCreated)
	d.do(http.MethodPost, "/endusers", named("Gundula"), http.StatusBadRequest)
	var aenne struct{ ID string }
	d.do(http.MethodGet, "/endusers?email=Aenne@example.org", nil, http.StatusOK).data(&[]any{&aenne})
	d.open(aenne.ID)
	tags := func(name string) object { return object{"data": []object{{"name": name}}} }
	d.do(http.MethodPost, "/conversations/1001/tags/bulk", tags("five5"), http.StatusAccepted)
	d.do(http.MethodPost, "/conversations/1001/tags/bulk", tags("sixsix"), http.StatusBadRequest)
	d.do(http.MethodPatch, "/conversations/1001/custom-attributes", object{server.SeedAttrOrderNumber: "12345"}, http.StatusOK)
	d.do(http.MethodPatch, "/conversations/1001/custom-attributes", object{server.SeedAttrOrderNumber: "123456"}, http.StatusBadRequest)
}

func TestListOrderSwitch(t *testing.T) {
	t.Parallel()
	ids := func(order, path string) []string {
		d := start(t, server.Options{Switches: server.Switches{ListOrder: order}})
		var listed []struct {
			ID      string `json:"id"`
			Address string `json:"address"`
			Name    string `json:"name"`
		}
		d.customer("a@example.org")
		d.customer("b@example.org")
		d.do(http.MethodPost, "/tags", object{"name": "one"}, http.StatusOK)
		d.do(http.MethodPost, "/tags", object{"name": "two"}, http.StatusOK)
		d.do(http.MethodGet, path, nil, http.StatusOK).data(&listed)
		var all []string
		for _, l := range listed {
			all = append(all, l.ID+l.Address+l.Name)
		}
		require.Greater(t, len(all), 1, path)
		return all
	}
	for _, path := range []string{"/agents", "/endusers", "/queues", "/tags", "/custom-attributes", "/contact-endpoints"} {
		oldest, newest := ids(server.OldestFirst, path), ids(server.NewestFirst, path)
		slices.Reverse(newest)
		require.Equal(t, oldest, newest, path)
	}
}

func TestNextLinksAndZonedTimesSwitches(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		switches  server.Switches
		next      string
		timeMarks bool
	}{
		{server.Switches{}, `"next":"/v1/`, true},
		{server.Switches{NextLinks: "absolute", ZonedTimes: "plain"}, `"next":"http://`, false},
	} {
		d := start(t, server.Options{Switches: tt.switches})
		d.customer("a@example.org")
		d.open(d.customer("b@example.org"))
		require.Contains(t, string(d.do(http.MethodGet, "/endusers?pageLimit=1", nil, http.StatusOK).body), tt.next)
		require.Equal(t, tt.timeMarks, strings.Contains(string(d.do(http.MethodGet, "/conversations/1001/messages", nil, http.StatusOK).body), "[GMT]"))
	}
}

func TestAgentRolesSwitch(t *testing.T) {
	t.Parallel()
	for setting, want := range map[string][]string{
		"as-documented": {"Agent"}, "many": {"Admin", "TeamLead", "SystemAdmin", "Agent"}, "upper": {"AGENT"},
	} {
		d := start(t, server.Options{Switches: server.Switches{AgentRoles: setting}})
		var agent struct{ Roles []string }
		d.do(http.MethodGet, "/agents/"+server.SeedAgentAnna, nil, http.StatusOK).data(&agent)
		require.Equal(t, want, agent.Roles)
	}
}

func TestQuotaResetSwitch(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		reset string
		after time.Duration // from 8:30
		opens bool
	}{
		{"midnight", 15*time.Hour + 29*time.Minute, false},
		{"midnight", 15*time.Hour + 31*time.Minute, true},
		{"rolling", 23*time.Hour + 59*time.Minute, false},
		{"rolling", 24 * time.Hour, true},
	} {
		now := newClock()
		d := start(t, server.Options{Clock: now.Now, Limit: server.Limit{Reading: server.LimitBucket}, Switches: server.Switches{RequestsPerDay: 2, QuotaReset: tt.reset}})
		require.Equal(t, 2, d.admitted(3), tt.reset)
		now.Advance(tt.after)
		require.Equal(t, tt.opens, d.admitted(1) == 1, "%s after %s", tt.reset, tt.after)
	}
}

func TestAttachmentTypesSwitch(t *testing.T) {
	t.Parallel()
	files := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", strings.TrimPrefix(r.URL.Path, "/"))
		_, _ = w.Write([]byte("content")) // a disconnected reader is no test failure
	}))
	t.Cleanup(files.Close)
	for setting, taken := range map[string][]string{
		"any": {"image/png", "application/pdf", "video/mp4"}, "images": {"image/png"}, "images-pdf": {"image/png", "application/pdf"},
	} {
		d := start(t, server.Options{Switches: server.Switches{AttachmentTypes: setting}})
		requester := d.customer("a@example.org")
		for _, kind := range []string{"image/png", "application/pdf", "video/mp4"} {
			status := http.StatusBadRequest
			if slices.Contains(taken, kind) {
				status = http.StatusCreated
			}
			d.do(http.MethodPost, "/conversations", mail(requester, "", files.URL+"/"+kind), status)
		}
	}
}

func TestActivityEntriesSwitch(t *testing.T) {
	t.Parallel()
	d := start(t, server.Options{Switches: server.Switches{ActivityEntries: "no-messages"}})
	d.open(d.customer("a@example.org"))
	require.NoError(t, d.Agent(t.Context(), server.Step{Action: server.PlayReply, Text: "Hello"}, server.Step{Action: server.PlayNote, Text: "Hm"}, server.Step{Action: server.PlayClose}))
	log := string(d.do(http.MethodGet, "/conversations/1001/activitylog", nil, http.StatusOK).body)
	require.NotContains(t, log, "MessageAdded")
	require.NotContains(t, log, "NoteAdded")
	require.Contains(t, log, "ConversationClosed")
}

func TestWebhookSuccessSwitch(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		setting  string
		status   int
		attempts int
	}{
		{"2xx", http.StatusNoContent, 1},
		{"2xx", http.StatusTeapot, 2},
		{"200", http.StatusNoContent, 2},
		{"any", http.StatusTeapot, 1},
	} {
		hook := receive(t)
		hook.status = []int{tt.status}
		d := start(t, server.Options{Switches: server.Switches{Webhooks: server.WebhookSwitches{Success: tt.setting, RetryDelay: server.Duration(time.Millisecond)}}})
		d.subscribe(hook.url, object{"events": []string{"ConversationCreated"}})
		d.open(d.customer("a@example.org"))
		d.flush()
		require.Len(t, hook.names(), tt.attempts, "setting %s, status %d", tt.setting, tt.status)
	}
}

func TestUnpublishedEventShapes(t *testing.T) {
	t.Parallel()
	hook := receive(t)
	d := start(t, server.Options{Switches: server.Switches{Webhooks: server.WebhookSwitches{
		UnconfirmedNames: "api", OtherEvents: true, UserRoles: "filled", CustomAttributeItems: "map",
	}}})
	d.subscribe(hook.url, object{"events": server.EventNames()})
	d.open(d.customer("a@example.org"))
	d.do(http.MethodPatch, "/conversations/1001/custom-attributes", object{server.SeedAttrOrderNumber: "7"}, http.StatusOK)
	require.NoError(t, d.Agent(t.Context(), server.Step{Action: server.PlayClaim}, server.Step{Action: server.PlayReply, Text: "Hello"}))
	d.flush()
	names := hook.names()
	for _, name := range []string{
		"CONVERSATION_CREATED", "ConversationAssigned", "ConversationCustomAttributeUpdated", "TYPING_STARTED",
		"CONVERSATION_MESSAGE_DELIVERY_SENT", "SLA_EVALUATION_PENDING", "AGENT_BANNED_ENDUSER",
	} {
		require.Contains(t, names, name)
	}
	var last struct {
		Data struct {
			Conversation struct {
				Attributes map[string]string `json:"custom_attributes"`
				Requester  struct{ Roles []string }
			}
		}
	}
	decode(t, hook.got[len(hook.got)-1].body, &last)
	require.Equal(t, map[string]string{"order_number": "7"}, last.Data.Conversation.Attributes)
	require.Equal(t, []string{"Enduser"}, last.Data.Conversation.Requester.Roles)
}

func TestLogRetentionSwitch(t *testing.T) {
	t.Parallel()
	hook, now := receive(t), newClock()
	d := start(t, server.Options{Clock: now.Now, Switches: server.Switches{Webhooks: server.WebhookSwitches{LogRetention: server.Duration(time.Hour)}}})
	made := d.subscribe(hook.url, object{"events": []string{"ConversationCreated"}})
	d.open(d.customer("a@example.org"))
	d.flush()
	logged := func() (count int) {
		var entries []any
		d.do(http.MethodGet, "/webhooks/"+made.ID+"/delivery-status/logs/ConversationCreated", nil, http.StatusOK).data(&entries)
		return len(entries)
	}
	require.Equal(t, 1, logged())
	now.Advance(61 * time.Minute)
	require.Zero(t, logged())
}

func TestAgentOfEndUserSwitch(t *testing.T) {
	t.Parallel()
	for setting, status := range map[string]int{"": http.StatusBadRequest, "promoted": http.StatusCreated} {
		d := start(t, server.Options{Switches: server.Switches{AgentOfEndUser: setting}})
		d.do(http.MethodDelete, "/agents/"+server.SeedAgentBen, nil, http.StatusNoContent)
		made := d.do(http.MethodPost, "/agents", object{"displayName": "Ben again", "email": server.SeedAgentBenEmail}, status)
		if status == http.StatusCreated {
			var agent struct{ ID string }
			made.data(&agent)
			require.Equal(t, server.SeedAgentBen, agent.ID)
			d.do(http.MethodGet, "/endusers/"+server.SeedAgentBen, nil, http.StatusNotFound)
		}
	}
}
