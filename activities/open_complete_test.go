package activities_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/activities"
	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/emulator/server"
)

// An attempt that fails at any step is followed by one that completes the conversation
// and opens the claim, without writing anything twice.
func TestCompletionContinuesAfterFailedStep(t *testing.T) {
	t.Parallel()
	var dixa *activities.Dixa
	for name, operation := range map[string]string{
		"tags":       "POST /conversations/{conversationId}/tags/bulk",
		"files":      "POST /conversations/{conversationId}/messages",
		"assignment": "PUT /conversations/{conversationId}/claim",
		"attributes": "PATCH /conversations/{conversationId}/custom-attributes",
		"note":       "POST /conversations/{conversationId}/notes",
		"no failure": "",
	} {
		for _, kind := range []string{server.FaultDropBefore, server.FaultDropAfter} {
			t.Run(name+" "+kind, func(t *testing.T) {
				t.Parallel()
				b := setup(t, server.Switches{}, map[string]any{
					"default_agent_id": server.SeedAgentAnna, "claim_id_attribute": server.SeedAttrClaimID, "commit_window": "1ms",
				})
				c := b.sample("c-1")
				c.ImageURLs = append(c.ImageURLs, b.photos.URL+"/gone/x")
				ref := b.accept(c)
				b.dixa.Inject(server.Fault{Operation: "POST /conversations", Kind: server.FaultStatus, Status: 400, Times: 1, Body: `{"message":"Failure to download attachment"}`})
				_, err := b.open(ref)
				require.NoError(t, err)
				opened := activities.StatusChange{Ref: ref, Event: claim.EventOpened}
				if operation != "" {
					b.dixa.Inject(server.Fault{Operation: operation, Kind: kind, Times: 1})
					_, err = run[activities.Completed](b, dixa.CompleteConversation, opened)
					require.Error(t, err, b.requests())
					require.Equal(t, claim.StateOpening, b.load(ref).State)
				}
				for range 2 {
					done, err := run[activities.Completed](b, dixa.CompleteConversation, opened)
					require.NoError(t, err)
					require.Equal(t, claim.StateOpen, done.State.State)
					require.Equal(t, 3, done.Attached)
					require.Equal(t, 1, done.LeftOut)
				}
				b.dixa.Settle()
				conversation := b.conversations()[0]
				require.NotEmpty(t, conversation.TagNames)
				require.Len(t, conversation.Messages, 4)
				require.Equal(t, server.SeedAgentAnna, conversation.AssigneeID)
				require.NotEmpty(t, conversation.Attributes)
				require.Len(t, conversation.Notes, 1)
				require.Equal(t, []string{claim.OutboundOpened}, b.told(ref))
			})
		}
	}
}

// An operator may move a claim to another conversation at any time. An attempt in
// progress then writes nothing more.
func TestCompletionStopsForAPersonsLink(t *testing.T) {
	t.Parallel()
	var dixa *activities.Dixa
	b := setup(t, server.Switches{}, map[string]any{"default_agent_id": server.SeedAgentAnna})
	c := b.sample("c-1")
	c.ImageURLs = append(c.ImageURLs, b.photos.URL+"/gone/x")
	ref := b.accept(c)
	_, err := b.open(ref)
	require.NoError(t, err)
	b.asked = func(r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/tags/bulk") {
			b.asked = nil
			require.NoError(t, b.store.Claims.Abandon(t.Context(), ref))
			require.NoError(t, b.store.Claims.Link(t.Context(), ref, 999))
		}
	}
	_, err = run[activities.Completed](b, dixa.CompleteConversation, activities.StatusChange{Ref: ref, Event: claim.EventOpened})
	require.Equal(t, claim.ErrorWithdrawn, failure(t, err).Type())
	require.Empty(t, b.conversations()[0].Notes)
	require.Empty(t, b.conversations()[0].AssigneeID)
	require.NotEqual(t, claim.StateOpen, b.load(ref).State)
}

func TestFailureOfCompletionNamesTheStep(t *testing.T) {
	t.Parallel()
	var dixa *activities.Dixa
	b := setup(t, server.Switches{}, map[string]any{"default_agent_id": "3f0f9c5e-5b0a-4f7e-9d7c-0a6a3a1dffff"})
	ref := b.accept(b.sample("c-1"))
	_, err := b.open(ref)
	require.NoError(t, err)
	opened := activities.StatusChange{Ref: ref, Event: claim.EventOpened}
	b.dixa.Inject(server.Fault{Operation: "POST /conversations/{conversationId}/tags/bulk", Kind: server.FaultStatus, Status: 503, Times: 1})
	_, err = run[activities.Completed](b, dixa.CompleteConversation, opened)
	require.Contains(t, failure(t, err).Message(), "complete the conversation: apply the tags: ")
	_, err = run[activities.Completed](b, dixa.CompleteConversation, opened)
	require.Contains(t, requireParked(t, err, claim.CauseRouting), "assign the conversation: ")
}
