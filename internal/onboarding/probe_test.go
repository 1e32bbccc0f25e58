package onboarding_test

import (
	"cmp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/dixa"
	emulator "github.com/claimflow/claimflow/emulator/server"
	"github.com/claimflow/claimflow/internal/onboarding"
	"github.com/claimflow/claimflow/store"
)

func row(t *testing.T, r claim.Report, name string) claim.Check {
	t.Helper()
	for _, c := range r.Checks {
		if c.Name == name {
			require.NotEmpty(t, c.Detail, name)
			return c
		}
	}
	require.Failf(t, "check not found", "%s in %+v", name, r.Checks)
	return claim.Check{}
}

func TestValidateOnlyReads(t *testing.T) {
	t.Parallel()
	b := newBench(t, emulator.Options{})
	b.ready()
	b.settings(`{"default_agent_id": "` + emulator.SeedAgentAnna + `", "default_queue_id": "` + emulator.SeedQueueClaims + `"}`)
	report, err := b.service.Validate(t.Context(), shop)
	require.NoError(t, err)
	require.True(t, report.OK, "%+v", report.Checks)
	require.Contains(t, row(t, report, "token").Detail, "(Demo Shop)")
	require.Equal(t, claim.CheckOK, row(t, report, "contact endpoint").Result)
	require.Equal(t, claim.CheckOK, row(t, report, "default_agent_id").Result)
	for operation := range b.dixa.Stats().ByOperation {
		require.Regexp(t, "^GET ", operation)
	}
}

func TestValidateWarnsAboutSharedToken(t *testing.T) {
	t.Parallel()
	b := newBench(t, emulator.Options{})
	b.ready()
	_, err := b.store.Budget.Take(t.Context(), b.store.Connections.TokenHash(token), store.BudgetLimits{MaxWait: time.Minute})
	require.NoError(t, err)
	require.NoError(t, b.store.Budget.RecordRefusal(t.Context(), b.store.Connections.TokenHash(token), store.BudgetLimits{Interval: 200 * time.Millisecond}, 0))
	report, err := b.service.Validate(t.Context(), shop)
	require.NoError(t, err)
	check := row(t, report, "request limit")
	require.Equal(t, claim.CheckWarning, check.Result)
	require.Contains(t, check.Detail, "another program uses the token")
	require.Contains(t, check.Detail, "starter shop connect "+shop)
	require.True(t, report.OK, "a shared token must only cause a warning: %+v", report.Checks)
}

func TestValidateReportsProblems(t *testing.T) {
	t.Parallel()
	b := newBench(t, emulator.Options{})
	report, err := b.service.Validate(t.Context(), shop)
	require.NoError(t, err)
	require.Equal(t, claim.CheckFailed, row(t, report, "token").Result)
	require.Equal(t, claim.CheckSkipped, row(t, report, "contact endpoint").Result)

	b.connect()
	report, err = b.service.Validate(t.Context(), shop)
	require.NoError(t, err)
	require.Contains(t, row(t, report, "contact endpoint").Detail, "not set")

	b.settings(`{"email_integration_id": "` + emulator.SeedMailbox + `", "default_agent_id": "` + emulator.SeedAgentAnna + `"}`)
	b.dixa.Inject(emulator.Fault{Operation: "GET /agents/{agentId}", Kind: emulator.FaultStatus, Status: 404})
	b.dixa.Inject(emulator.Fault{Operation: "GET /tags", Kind: emulator.FaultStatus, Status: 500})
	report, err = b.service.Validate(t.Context(), shop)
	require.NoError(t, err)
	require.Contains(t, row(t, report, "default_agent_id").Detail, "is not an agent")
	require.Contains(t, row(t, report, "read tags").Detail, "Dixa returned a server error (status 500)")

	b.dixa.Revoke(token)
	report, err = b.service.Validate(t.Context(), shop)
	require.NoError(t, err)
	require.Contains(t, row(t, report, "token").Detail, "Dixa rejected the token (dix…4f2a, saved on ")
	require.False(t, report.OK)
}

func TestValidateFindsDeactivatedTags(t *testing.T) {
	t.Parallel()
	b := newBench(t, emulator.Options{Limit: emulator.Limit{Reading: emulator.LimitOff}})
	b.connect()
	b.settings(`{"extra_tags": ["VIP"], "change_rules": [{"name": "any", "then": {"add_tags": ["later"]}}]}`)
	client, err := dixa.New(token, dixa.WithBaseURL(b.server.URL+"/v1/"))
	require.NoError(t, err)
	for _, name := range []string{"claim-accepted", "vip", "later", "nobody-uses-it"} {
		tag, err := client.Tags.Create(t.Context(), dixa.TagInput{Name: name})
		require.NoError(t, err)
		require.NoError(t, client.Tags.Deactivate(t.Context(), tag.ID))
	}
	report, err := b.service.Validate(t.Context(), shop)
	require.NoError(t, err)
	tags := row(t, report, "tags")
	require.Equal(t, claim.CheckWarning, tags.Result)
	for _, name := range []string{"claim-accepted", "vip", "later"} {
		require.Contains(t, tags.Detail, name)
	}
	require.NotContains(t, tags.Detail, "nobody-uses-it")
}

func TestTestRunsAllProbes(t *testing.T) {
	t.Parallel()
	b := newBench(t, emulator.Options{})
	b.ready()
	report, err := b.service.Test(t.Context(), shop, "tester@example.org", "")
	require.NoError(t, err)
	require.True(t, report.OK, "%+v", report.Checks)
	require.Contains(t, row(t, report, "auto-reply").Detail, "no automatic reply")
	b.dixa.Settle()
	state := b.dixa.State()
	require.Len(t, state.Conversations, 1)
	require.Equal(t, report.ConversationID, state.Conversations[0].ID)
	require.Equal(t, "Closed", state.Conversations[0].State)
	require.Len(t, state.EndUsers, 1)
	tagged := false
	for _, tag := range state.Tags {
		tagged = tagged || tag.Name == onboarding.TestTag
	}
	require.True(t, tagged)
	require.Equal(t, claim.CheckSkipped, row(t, report, "send a reply").Result, "no agent is set for the reply")
	require.Contains(t, row(t, report, "reply in the same thread").Detail, "default_agent_id")

	report, err = b.service.Test(t.Context(), shop, "tester@example.org", "")
	require.NoError(t, err)
	require.Equal(t, claim.CheckSkipped, row(t, report, "create a customer").Result, "the second test must reuse the customer")
}

func TestTestRepliesInTheSameThread(t *testing.T) {
	t.Parallel()
	for name, agent := range map[string]string{"default agent": "", "given agent": emulator.SeedAgentBen} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, emulator.Options{Switches: emulator.Switches{AutoReply: true}})
			b.ready()
			b.settings(`{"default_agent_id": "` + emulator.SeedAgentAnna + `"}`)
			report, err := b.service.Test(t.Context(), shop, "tester@example.org", agent)
			require.NoError(t, err)
			require.True(t, report.OK, "%+v", report.Checks)
			require.Contains(t, row(t, report, "reply in the same thread").Detail, "lists the reply after the opening message")
			b.dixa.Settle()
			conversations := b.dixa.State().Conversations
			require.Len(t, conversations, 1)
			require.Equal(t, "Closed", conversations[0].State)
			last := conversations[0].Messages[len(conversations[0].Messages)-1]
			require.Equal(t, emulator.Outbound, last.Direction)
			require.Equal(t, cmp.Or(agent, emulator.SeedAgentAnna), last.AuthorID)
		})
	}
}

func TestTestReportsMissingReply(t *testing.T) {
	t.Parallel()
	messages, post := "GET /conversations/{conversationId}/messages", "POST /conversations/{conversationId}/messages"
	for name, tt := range map[string]struct {
		fault        emulator.Fault
		check, words string
	}{
		"not allowed":         {emulator.Fault{Operation: post, Kind: emulator.FaultStatus, Status: 401}, "send a reply", "lacks the permission"},
		"no response":         {emulator.Fault{Operation: post, Kind: emulator.FaultDropAfter}, "send a reply", ""},
		"unreadable messages": {emulator.Fault{Operation: messages, Kind: emulator.FaultStatus, Status: 401, Skip: 1}, "reply in the same thread", "could not be read"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, emulator.Options{})
			b.ready()
			b.dixa.Inject(tt.fault)
			report, err := b.service.Test(t.Context(), shop, "tester@example.org", emulator.SeedAgentAnna)
			require.NoError(t, err)
			require.Equal(t, claim.CheckFailed, row(t, report, tt.check).Result)
			require.Contains(t, row(t, report, tt.check).Detail, tt.words)
			require.Equal(t, claim.CheckOK, row(t, report, "close it").Result, "the test must close the conversation")
		})
	}
}

func TestTestDetectsAutoReply(t *testing.T) {
	t.Parallel()
	b := newBench(t, emulator.Options{Switches: emulator.Switches{AutoReply: true}})
	b.ready()
	report, err := b.service.Test(t.Context(), shop, "tester@example.org", "")
	require.NoError(t, err)
	require.Contains(t, row(t, report, "auto-reply").Detail, "Dixa sends an automatic reply")
}

func TestTestReportsMissingPermissions(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		operation, check string
		kind             string
		status           int
		words            string
		skipped          []string
	}{
		"read":        {"GET /endusers", "read customers", emulator.FaultStatus, 401, "lacks the permission", []string{"create a customer", "open a conversation", "close it"}},
		"create":      {"POST /endusers", "create a customer", emulator.FaultStatus, 401, "lacks the permission", []string{"open a conversation"}},
		"open":        {"POST /conversations", "open a conversation", emulator.FaultStatus, 401, "lacks the permission", []string{"tag it", "write a note", "auto-reply", "close it"}},
		"no response": {"POST /conversations", "open a conversation", emulator.FaultDropAfter, 0, `search Dixa for "Claimflow test"`, []string{"close it"}},
		"tag":         {"POST /conversations/{conversationId}/tags/bulk", "tag it", emulator.FaultStatus, 401, "lacks the permission", nil},
		"note":        {"POST /conversations/{conversationId}/notes", "write a note", emulator.FaultStatus, 401, "lacks the permission", nil},
		"close":       {"PUT /conversations/{conversationId}/close", "close it", emulator.FaultStatus, 401, "lacks the permission", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, emulator.Options{})
			b.ready()
			b.dixa.Inject(emulator.Fault{Operation: tt.operation, Kind: tt.kind, Status: tt.status})
			report, err := b.service.Test(t.Context(), shop, "tester@example.org", "")
			require.NoError(t, err)
			require.Positive(t, b.dixa.Stats().Struck, "the fault did not apply")
			require.False(t, report.OK)
			c := row(t, report, tt.check)
			require.Equal(t, claim.CheckFailed, c.Result)
			require.Contains(t, c.Detail, tt.words)
			for _, s := range tt.skipped {
				require.Equal(t, claim.CheckSkipped, row(t, report, s).Result, s)
			}
		})
	}
}

func TestTestWithAgentAddress(t *testing.T) {
	t.Parallel()
	b := newBench(t, emulator.Options{})
	b.ready()
	report, err := b.service.Test(t.Context(), shop, emulator.SeedAgentAnnaEmail, "")
	require.NoError(t, err)
	require.Contains(t, row(t, report, "create a customer").Detail, "it may belong to an agent")
}

func TestTestRequiresTokenAndMailbox(t *testing.T) {
	t.Parallel()
	b := newBench(t, emulator.Options{})
	_, err := b.service.Test(t.Context(), shop, "tester@example.org", "")
	_ = refused(t, err, onboarding.NotConnected)
	b.connect()
	_, err = b.service.Test(t.Context(), shop, "tester@example.org", "")
	_ = refused(t, err, onboarding.NotReady)
}

// The API answers 405 earlier. The client rejects writes regardless.
func TestTestOfReadOnlyShopSendsNoWrites(t *testing.T) {
	t.Parallel()
	b := newBench(t, emulator.Options{})
	b.ready()
	b.settings(`{"read_only": true}`)
	report, err := b.service.Test(t.Context(), shop, "tester@example.org", "")
	require.NoError(t, err)
	require.Equal(t, claim.CheckOK, row(t, report, "read customers").Result)
	require.Equal(t, claim.CheckFailed, row(t, report, "create a customer").Result)
	require.Equal(t, "the shop's settings are read-only", row(t, report, "create a customer").Detail)
	require.Zero(t, b.dixa.Stats().Writes())
}
