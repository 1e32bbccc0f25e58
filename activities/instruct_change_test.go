package activities_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/activities"
	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/emulator/server"
	"github.com/claimflow/claimflow/store"
)

// opened returns a claim with an open conversation.
func (b *bench) opened(id string) claim.Ref {
	b.Helper()
	ref := b.accept(b.sample(id))
	_, err := b.open(ref)
	require.NoError(b, err)
	b.sync(activities.StatusChange{Ref: ref, Event: claim.EventOpened})
	return ref
}

// patch submits a change to a claim as its owner.
func (b *bench) patch(ref claim.Ref, change string) claim.Updated {
	b.Helper()
	out, err := b.store.Claims.UpdateFromOwner(b.Context(), store.OwnerUpdate{
		Ref: ref, By: "shop system",
		Read: func(current *claim.Claim) (*claim.Claim, error) { return claim.DecodeUpdate([]byte(change), current) },
	})
	require.NoError(b, err)
	return out
}

// carryOut carries out the pending instructions as the workflow does, then applies the
// resulting events.
func (b *bench) carryOut(ref claim.Ref) {
	b.Helper()
	require.Eventually(b, func() bool { return b.instruct(ref) == nil && !b.work(ref).Instructed }, 15*time.Second, time.Millisecond)
	b.follow(ref)
}

func (b *bench) instruct(ref claim.Ref) error {
	var dixa *activities.Dixa
	return runVoid(b, dixa.Instruct, ref)
}

func (b *bench) follow(ref claim.Ref) {
	b.Helper()
	var claims *activities.Claims
	for b.work(ref).Unread || b.load(ref).Unread {
		_, err := run[claim.WorkflowState](b, claims.Follow, ref)
		require.NoError(b, err)
	}
}

func (b *bench) work(ref claim.Ref) store.Snapshot {
	b.Helper()
	w, err := b.store.Claims.Load(b.Context(), ref)
	require.NoError(b, err)
	return w
}

func (b *bench) instruction(ref claim.Ref, id string) claim.Instruction {
	b.Helper()
	in, err := b.store.Instructions.Get(b.Context(), ref, id)
	require.NoError(b, err)
	return in
}

// conversation returns the only conversation and the names of its tags.
func (b *bench) conversation() (*server.Conversation, []string) {
	b.Helper()
	state := b.dixa.State()
	require.Len(b, state.Conversations, 1)
	var tags []string
	for _, t := range state.Tags {
		if slices.Contains(state.Conversations[0].TagIDs, t.ID) {
			tags = append(tags, t.Name)
		}
	}
	return state.Conversations[0], tags
}

func TestDefaultChangeRules(t *testing.T) {
	t.Parallel()
	for name, switches := range map[string]server.Switches{
		"documented behavior":                {},
		"rejects no-op changes":              {CloseClosed: server.Rejected, ReopenOpen: server.Rejected, TagTwice: server.Rejected, TransferClosed: server.Rejected},
		"delayed tags":                       {BulkTagDelay: server.Duration(300 * time.Millisecond)},
		"transfer keeps conversation closed": {TransferClosed: server.Stays},
		"notes converted to HTML":            {NoteFormat: "html"},
		"external id not stored":             {ExternalID: server.ExternalIDDropped},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, switches, nil)
			ref := b.opened("c-1")

			out := b.patch(ref, `{"status": "accepted", "resolution_preference": "reorder"}`)
			require.Equal(t, claim.UpdateInstructed, out.Result)
			require.Equal(t, []string{"resolution_preference", "status"}, out.Changed)
			require.Equal(t, "accepted", out.Claim.Status)
			require.Equal(t, claim.ByOwner, out.Claim.StatusBy)
			b.carryOut(ref)
			c, tags := b.conversation()
			require.Contains(t, tags, "claim-accepted")
			require.Len(t, c.Notes, 1)
			require.Contains(t, c.Notes[0].Text, "refund → reorder")
			require.Equal(t, server.StateOpen, c.State)

			b.patch(ref, `{"status": "rejected"}`)
			b.carryOut(ref)
			_, tags = b.conversation()
			require.Contains(t, tags, "claim-rejected")
			require.NotContains(t, tags, "claim-accepted", "accepted and rejected tags must exclude each other")
			require.Equal(t, "rejected", b.work(ref).Status)

			b.patch(ref, `{"status": "withdrawn"}`)
			b.carryOut(ref)
			c, tags = b.conversation()
			require.Contains(t, tags, "claim-withdrawn")
			require.Equal(t, server.StateClosed, c.State)
			w := b.work(ref)
			require.Equal(t, claim.StateClosed, w.State, "the closed state must be known without an event")
			require.Equal(t, "withdrawn", w.Status, "the owner's status must win over the effect of its change")
			require.Equal(t, []string{claim.OutboundOpened, claim.OutboundClosed}, b.told(ref), "the owner must not be notified of a status that it set")
		})
	}
}

func TestDesiredStateIsNotWrittenTwice(t *testing.T) {
	t.Parallel()
	b := setup(t, server.Switches{CloseClosed: server.Rejected}, nil)
	ref := b.opened("c-1")
	c, _ := b.conversation()
	b.patch(ref, `{"status": "withdrawn"}`)
	// The response to the close is lost, so the next attempt finds the conversation closed.
	b.dixa.Inject(server.Fault{Operation: "PUT /conversations/{conversationId}/close", Kind: server.FaultDropAfter, Times: 1})
	b.carryOut(ref)
	stats := b.dixa.Stats().ByOperation
	require.Equal(t, 1, stats["PUT /conversations/{conversationId}/close"], b.requests())
	now, _ := b.conversation()
	require.Len(t, now.Notes, 1, "conversation %d must have one note for the change", c.ID)
}

func TestNoteIsWrittenOnceAfterLostResponse(t *testing.T) {
	t.Parallel()
	b := setup(t, server.Switches{}, nil)
	ref := b.opened("c-1")
	b.patch(ref, `{"resolution_preference": "reorder"}`)
	b.dixa.Inject(server.Fault{Operation: "POST /conversations/{conversationId}/notes", Kind: server.FaultDropAfter, Times: 1})
	require.Error(t, b.instruct(ref))
	b.carryOut(ref)
	c, _ := b.conversation()
	require.Len(t, c.Notes, 1)
}

func TestShopChangeRules(t *testing.T) {
	t.Parallel()
	b := setup(t, server.Switches{}, map[string]any{"change_rules": []map[string]any{
		{"name": "who", "when": map[string]any{"changed": []string{"customer"}}, "then": map[string]any{"queue_id": server.SeedQueueSupport, "add_tags": []string{"vip"}}},
		{"name": "later", "when": map[string]any{"preference": []string{"Refund later"}}, "then": map[string]any{"follow_up": "48h"}},
	}})
	ref := b.opened("c-1")
	b.patch(ref, `{"description": "It is broken in two."}`)
	b.carryOut(ref)
	c, _ := b.conversation()
	require.Empty(t, c.Notes, "without a matching rule, no note may be written")

	b.patch(ref, `{"customer": {"first_name": "Anne"}}`)
	b.carryOut(ref)
	c, tags := b.conversation()
	require.Equal(t, server.SeedQueueSupport, c.QueueID)
	require.Contains(t, tags, "vip")

	b.patch(ref, `{"resolution_preference": "refund_later"}`)
	b.carryOut(ref)
	c, _ = b.conversation()
	require.Equal(t, server.StatePending, c.State)
	require.Equal(t, claim.StatePending, b.work(ref).State)
}

func TestAddedTextBecomesCustomerMessage(t *testing.T) {
	t.Parallel()
	for _, onClosed := range []string{server.InboundReopens, server.Reopens, server.Stays, server.Rejected} {
		t.Run(onClosed, func(t *testing.T) {
			t.Parallel()
			b := setup(t, server.Switches{MessageOnClosed: onClosed, ReopenOpen: server.Rejected}, nil)
			ref := b.opened("c-1")
			b.patch(ref, `{"status": "closed"}`)
			b.carryOut(ref)
			b.patch(ref, `{"status": "withdrawn"}`) // closes the conversation
			b.carryOut(ref)
			c, _ := b.conversation()
			require.Equal(t, server.StateClosed, c.State)
			before := len(c.Messages)

			out := b.patch(ref, fmt.Sprintf(`{"description": "The mug is broken. So is the lid.", "image_urls": [%q, %q, %q]}`,
				b.photos.URL+"/b", b.photos.URL+"/n", b.photos.URL+"/gone/x"))
			require.Equal(t, []string{"description", "image_urls"}, out.Changed)
			b.carryOut(ref)
			c, _ = b.conversation()
			require.Equal(t, server.StateOpen, c.State, "a customer's message must reopen the conversation")
			require.Len(t, c.Messages, before+1)
			said := c.Messages[len(c.Messages)-1]
			require.True(t, strings.HasPrefix(said.Content.Value, "So is the lid."), said.Content.Value)
			require.Len(t, said.Attachments, 1, "only the new and available photo may be sent")
			require.Contains(t, c.Notes[len(c.Notes)-1].Text, "Not attached:\n- photo-2")
			require.Equal(t, "pending", b.work(ref).Status, "the reopen must update the status, because the owner set none")
		})
	}
}

// If Dixa stores no keys, the IDs of a change's messages identify them as ours, so they
// are not reported as written by the customer in Dixa.
func TestMessagesOfChangesAreRecordedAsOurs(t *testing.T) {
	t.Parallel()
	b := setup(t, server.Switches{ExternalID: server.ExternalIDDropped}, nil)
	ref := b.opened("c-1")
	b.patch(ref, `{"description": "The mug is broken. So is the lid."}`)
	b.carryOut(ref)
	c, _ := b.conversation()
	sent, err := b.store.Instructions.SentMessages(t.Context(), ref)
	require.NoError(t, err)
	require.Contains(t, sent, c.Messages[len(c.Messages)-1].ID)
	require.Contains(t, sent, c.Notes[len(c.Notes)-1].ID)
}

func TestUncopyableFileDoesNotBlockMessage(t *testing.T) {
	t.Parallel()
	b := setup(t, server.Switches{MaxAttachmentBytes: 1}, nil)
	c := b.sample("c-1")
	c.Items, c.ImageURLs, c.SignatureURL = nil, nil, ""
	ref := b.accept(c)
	_, err := b.open(ref)
	require.NoError(t, err)
	b.sync(activities.StatusChange{Ref: ref, Event: claim.EventOpened})
	b.patch(ref, fmt.Sprintf(`{"description": "See the photo.", "image_urls": [%q]}`, b.photos.URL+"/n"))
	b.carryOut(ref)
	now, _ := b.conversation()
	require.Len(t, now.Messages, 2)
	require.Contains(t, now.Notes[0].Text, "Dixa could not copy it")
}

// Contradictory status and change rules terminate, even if the owner answers every
// event.
func TestContradictoryRulesTerminate(t *testing.T) {
	t.Parallel()
	b := setup(t, server.Switches{}, map[string]any{
		"status_rules": []map[string]any{
			{"name": "closed is rejected", "when": map[string]any{"state": []string{"closed"}}, "then": map[string]any{"status": "rejected"}},
			{"name": "open is accepted", "then": map[string]any{"status": "accepted"}},
		},
		"change_rules": []map[string]any{
			{"name": "accepted closes", "when": map[string]any{"status": []string{"accepted"}}, "then": map[string]any{"close": true}},
			{"name": "rejected reopens", "when": map[string]any{"status": []string{"rejected"}}, "then": map[string]any{"reopen": true}},
		},
	})
	ref := b.opened("c-1")
	statuses := []string{"accepted", "rejected"}
	answered := 0
	b.patch(ref, `{"status": "rejected"}`)
	b.patch(ref, `{"status": "accepted"}`)
	for round := range 100 {
		b.carryOut(ref)
		told := b.told(ref)
		if len(told) == answered {
			require.Less(t, round, 40)
			break
		}
		answered = len(told)
		// The owner contradicts every status.
		next := statuses[slices.Index(statuses, b.work(ref).Status)^1]
		b.patch(ref, fmt.Sprintf(`{"status": %q}`, next))
	}
	stats := b.dixa.Stats().ByOperation
	writes := stats["PUT /conversations/{conversationId}/close"] + stats["PUT /conversations/{conversationId}/reopen"]
	require.LessOrEqual(t, writes, 10)
	require.Greater(t, writes, 5, "the rules must contradict each other for this test")
	conflicts := 0
	for _, kind := range b.told(ref) {
		if kind == claim.OutboundStatusConflict {
			conflicts++
		}
	}
	require.Equal(t, 1, conflicts)
}

// Rules saved while a change is in progress apply to the next change.
func TestChangeUsesRulesOfFirstAttempt(t *testing.T) {
	t.Parallel()
	rules := func(tag, queue string, closes bool) map[string]any {
		return map[string]any{"email_integration_id": server.SeedMailbox, "commit_window": "0s", "list_lag": "0s", "change_rules": []map[string]any{
			{"name": "all", "then": map[string]any{"note": true, "add_tags": []string{tag}, "queue_id": queue, "close": closes}},
		}}
	}
	for _, operation := range []string{
		"GET /conversations/{conversationId}", "POST /conversations/{conversationId}/notes", "GET /conversations/{conversationId}/tags",
		"POST /conversations/{conversationId}/tags/bulk", "PUT /conversations/{conversationId}/transfer/queue", "PUT /conversations/{conversationId}/close",
	} {
		t.Run(operation, func(t *testing.T) {
			t.Parallel()
			b := setup(t, server.Switches{}, rules("first", server.SeedQueueClaims, true))
			ref := b.opened("c-1")
			b.patch(ref, `{"reason": "return"}`)
			b.dixa.Inject(server.Fault{Operation: operation, Kind: server.FaultStatus, Status: 503, Times: 1})
			require.Error(t, b.instruct(ref))
			b.save(rules("second", server.SeedQueueSupport, false))
			b.carryOut(ref)

			c, tags := b.conversation()
			require.Len(t, c.Notes, 1)
			require.Contains(t, tags, "first")
			require.NotContains(t, tags, "second")
			require.Equal(t, server.StateClosed, c.State)
			require.Equal(t, 1, b.dixa.Stats().ByOperation["PUT /conversations/{conversationId}/transfer/queue"]-b.dixa.Stats().Struck*count(strings.HasSuffix(operation, "/queue")))

			b.patch(ref, `{"reason": "damaged"}`)
			b.carryOut(ref)
			_, tags = b.conversation()
			require.Contains(t, tags, "second")
		})
	}
}

// The change that reaches the limit can still be retried.
func TestRetryDoesNotCountAsAnotherChange(t *testing.T) {
	t.Parallel()
	b := setup(t, server.Switches{}, nil)
	ref := b.opened("c-1")
	for i := range 9 {
		b.patch(ref, fmt.Sprintf(`{"reason": "reason-%d"}`, i))
		b.carryOut(ref)
	}
	tenth := b.patch(ref, `{"reason": "tenth"}`).InstructionID
	b.dixa.Inject(server.Fault{Operation: "POST /conversations/{conversationId}/notes", Kind: server.FaultDropAfter, Times: 1})
	require.Error(t, b.instruct(ref))
	b.carryOut(ref)
	require.Equal(t, claim.InstructionDone, b.instruction(ref, tenth).State)
}

func TestTooManyChangesAreRefused(t *testing.T) {
	t.Parallel()
	b := setup(t, server.Switches{}, nil)
	ref := b.opened("c-1")
	var last string
	for i := range 13 {
		last = b.patch(ref, fmt.Sprintf(`{"reason": "reason-%d"}`, i)).InstructionID
		b.carryOut(ref)
	}
	c, _ := b.conversation()
	require.Len(t, c.Notes, 10)
	in := b.instruction(ref, last)
	require.Equal(t, claim.InstructionRefused, in.State)
	require.Contains(t, in.Why, "contradict each other")
	require.Equal(t, []string{claim.OutboundOpened, claim.OutboundStatusConflict}, b.told(ref), "once")
	happened, err := b.store.Conversations.LatestTimeline(t.Context(), ref, 100)
	require.NoError(t, err)
	require.Equal(t, "owner's change refused", happened[len(happened)-1].What)
}

func TestEditBeforeCreateIsSent(t *testing.T) {
	t.Parallel()
	b := setup(t, server.Switches{}, nil)
	ref := b.accept(b.sample("c-1"))
	customer, err := b.customer(ref)
	require.NoError(t, err)
	out := b.patch(ref, `{"description": "It was the plate.", "customer": {"email": "other@example.org"}}`)
	require.Equal(t, claim.UpdateEdited, out.Result)
	require.Empty(t, out.InstructionID)

	// A draft rendered before the edit is not sent.
	_, err = b.open(ref)
	require.Equal(t, claim.ErrorEdited, failure(t, err).Type())
	require.Empty(t, b.conversations())
	b.prepare(ref)
	_, err = b.open(ref)
	require.NoError(t, err)
	c, _ := b.conversation()
	require.NotEqual(t, customer.EndUserID, c.RequesterID, "the customer must come from the edited claim")
	require.Contains(t, c.Messages[0].Content.Value, "It was the plate.")

	// Submitting the original claim again still matches the accepted claim.
	accepted, err := b.store.Claims.Accept(t.Context(), b.sample("c-1"))
	require.NoError(t, err)
	require.Empty(t, accepted.Differences)
	require.Equal(t, claim.UpdateInstructed, b.patch(ref, `{"description": "It was both."}`).Result)
}

func TestEditDuringUnansweredCreateFollowsIt(t *testing.T) {
	t.Parallel()
	b := setup(t, server.Switches{}, nil)
	ref := b.accept(b.sample("c-1"))
	b.dixa.Inject(server.Fault{Operation: "POST /conversations", Kind: server.FaultDropAfter, Times: 1})
	_, err := b.open(ref)
	require.Error(t, err)
	out := b.patch(ref, `{"customer": {"email": "other@example.org"}, "description": "The mug is broken. Both are."}`)
	require.Equal(t, claim.UpdateInstructed, out.Result)
	b.prepare(ref)
	_, err = b.open(ref)
	require.NoError(t, err, "the search must use the customer of the create")
	b.sync(activities.StatusChange{Ref: ref, Event: claim.EventOpened})
	b.carryOut(ref)
	c, _ := b.conversation()
	require.Len(t, c.Messages, 2)
	require.Contains(t, c.Messages[1].Content.Value, "Both are.")
}

func TestWithdrawalBeforeCreateEndsClaim(t *testing.T) {
	t.Parallel()
	b := setup(t, server.Switches{}, nil)
	ref := b.accept(b.sample("c-1"))
	require.Equal(t, claim.UpdateWithdrawn, b.patch(ref, `{"status": "Withdrawn"}`).Result)
	require.Equal(t, claim.StateAbandoned, b.load(ref).State)
	_, err := b.open(ref)
	require.Equal(t, claim.ErrorWithdrawn, failure(t, err).Type())
	_, _, err = b.store.Intents.BeginForRevision(t.Context(), ref, claim.StepConversation, 0)
	var stale *store.StaleError
	require.ErrorAs(t, err, &stale, "an attempt in progress must not send the create")
	require.Equal(t, []string{claim.OutboundAbandoned}, b.told(ref))
	require.Equal(t, claim.UpdateUnchanged, b.patch(ref, `{"status": "withdrawn"}`).Result)
	require.Equal(t, claim.UpdateKept, b.patch(ref, `{"description": "never mind"}`).Result)
}

func TestShipmentUpdateWritesOneNote(t *testing.T) {
	t.Parallel()
	b := setup(t, server.Switches{}, nil)
	ref := b.opened("c-1")
	body, err := json.Marshal(store.ShipmentUpdate{Shipment: "s-1", Phase: "return_received", Carrier: "dhl", Number: "4711"})
	require.NoError(t, err)
	in := claim.Instruction{Ref: ref, ID: "shipment-1", Kind: claim.InstructShipment, Body: body, By: store.ByKarla}
	for range 2 {
		_, _, err = b.store.Instructions.Add(t.Context(), in)
		require.NoError(t, err)
		b.carryOut(ref)
	}
	c, _ := b.conversation()
	require.Len(t, c.Notes, 1)
	require.Contains(t, c.Notes[0].Text, "Status of the parcel dhl 4711: return received")
}
