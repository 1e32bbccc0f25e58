package endtoend_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/emulator/server"
	"github.com/claimflow/claimflow/store"
)

// agent has an agent act in a claim's conversation, each step at a distinct time.
func (s *site) agent(r claim.Record, steps ...server.Step) {
	s.t.Helper()
	for _, step := range steps {
		step.Conversation = r.ConversationID
		require.NoError(s.t, s.dixa.Agent(s.t.Context(), step))
		s.tick()
	}
}

// customer has the claim's customer act.
func (s *site) customer(r claim.Record, steps ...server.Step) {
	s.t.Helper()
	for _, step := range steps {
		step.Conversation = r.ConversationID
		require.NoError(s.t, s.dixa.Customer(s.t.Context(), step))
		s.tick()
	}
}

// tick advances Dixa's clock, which has millisecond resolution.
func (s *site) tick() {
	for begun := time.Now().UnixMilli(); time.Now().UnixMilli() <= begun; {
	}
}

// told returns the types of the events for the claim's owner, in order, each with
// its status if it has one.
func (s *site) told(ref claim.Ref) []string {
	s.t.Helper()
	events, err := s.store.Outbox.List(s.t.Context(), ref)
	require.NoError(s.t, err)
	var told []string
	for i, e := range events {
		require.EqualValues(s.t, i+1, e.Sequence)
		told = append(told, strings.TrimPrefix(e.Type, "claim."))
	}
	return told
}

func (s *site) awaitStatus(ref claim.Ref, state claim.State, status string) claim.Record {
	s.t.Helper()
	return s.await(ref, fmt.Sprintf("%s with the status %s", state, status), func(r claim.Record) bool {
		return r.State == state && r.Status == status
	})
}

// What people do in Dixa reaches the claim and its owner until the claim is settled.
func TestClaimFollowsConversationUntilSettled(t *testing.T) {
	t.Parallel()
	s := newSite(t, siteOptions{settings: map[string]any{"quiet_period": "30d"}})
	s.work()
	ref := s.submit(s.sample("c-1"))
	r := s.awaitStatus(ref, claim.StateOpen, claim.StatusPending)
	waited, err := s.api.Submit(t.Context(), s.sample("c-1"), client.Wait(client.MaxWait))
	require.NoError(t, err)
	require.Equal(t, r.ConversationID, waited.Claim.ConversationID)

	s.agent(r, server.Step{Action: server.PlayClaim}, server.Step{Action: server.PlayReply, Text: "We look into it."}, server.Step{Action: server.PlayPending})
	s.awaitStatus(ref, claim.StatePending, claim.StatusPending)
	s.agent(r, server.Step{Action: server.PlayClose})
	s.awaitStatus(ref, claim.StateClosed, claim.StatusClosed)
	s.customer(r, server.Step{Action: server.PlayReply, Text: "It is still broken."})
	s.awaitStatus(ref, claim.StateOpen, claim.StatusPending)
	s.save(map[string]any{"quiet_period": "1s"})
	s.agent(r, server.Step{Action: server.PlayTag, Tag: "claim-accepted"}, server.Step{Action: server.PlayClose})
	s.awaitStatus(ref, claim.StateSettled, claim.StatusAccepted)

	require.Equal(t, []string{
		"opened", "message_added", "pending", "closed", "message_added", "reopened", "closed", "settled",
	}, s.told(ref))
	detail, err := s.api.Claim(t.Context(), ref)
	require.NoError(t, err)
	require.NotNil(t, detail.Conversation)
	require.Equal(t, claim.ConversationClosed, detail.Conversation.Status)
	require.Equal(t, server.SeedAgentAnna, detail.Conversation.Assignee.ID)
	require.Contains(t, detail.Conversation.Tags, "claim-accepted")
	var happened []string
	for _, e := range detail.Timeline {
		happened = append(happened, e.What)
	}
	for _, what := range []string{"accepted", "assigned", "reply to the customer", "follow-up set", "conversation closed", "message from the customer", "conversation reopened", "tag added", "claim.settled"} {
		require.Contains(t, happened, what)
	}
	messages, err := s.store.Conversations.Messages(t.Context(), ref, store.MessageFilter{})
	require.NoError(t, err)
	var ours int
	for _, m := range messages {
		if m.Ours {
			ours++
		}
	}
	require.Len(t, messages, 4, "the conversation must have the opening message, our note, a reply and the customer's answer")
	require.Equal(t, 2, ours)

	// The workflow answers queries after it ends.
	value, err := s.temporal().QueryWorkflow(t.Context(), ref.WorkflowID(), "", claim.QueryStatus)
	require.NoError(t, err)
	var status claim.RunStatus
	require.NoError(t, value.Get(&status))
	require.Equal(t, claim.RunStatus{
		State: claim.StateSettled, ConversationID: r.ConversationID, Status: claim.StatusAccepted,
		StepsDone: []string{claim.StepConversation, claim.StepCustomer, claim.StepNote, claim.StepTags},
	}, status)

	// Reopening a settled claim starts its next run.
	s.customer(r, server.Step{Action: server.PlayReply, Text: "And now it broke again."})
	s.awaitStatus(ref, claim.StateOpen, claim.StatusPending)
}
