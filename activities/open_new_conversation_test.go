package activities_test

import (
	"maps"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/activities"
	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/emulator/server"
)

// Dixa does not document how soon after a create its other operations see the
// conversation. A step that runs too early is retried and takes effect once.
func TestStepsWaitForANewConversation(t *testing.T) {
	t.Parallel()
	addNote := func(b *bench, ref claim.Ref) error { return runVoid(b, steps.AddNote, ref) }
	agent := map[string]any{"default_agent_id": server.SeedAgentAnna}
	for name, step := range map[string]struct {
		settings map[string]any
		fault    server.Fault // of the create
		prepare  func(*bench, claim.Ref)
		run      func(*bench, claim.Ref) error
		done     func(*server.Conversation) int
	}{
		"tags": {
			run: func(b *bench, ref claim.Ref) error {
				return runVoid(b, steps.ApplyTags, ref)
			},
			done: func(c *server.Conversation) int { return min(1, len(c.TagIDs)) },
		},
		"separate files": {
			fault: server.Fault{Operation: "POST /conversations", Kind: server.FaultStatus, Status: 400, Times: 1, Body: `{"message":"Failure to download attachment"}`},
			run: func(b *bench, ref claim.Ref) error {
				return runVoid(b, steps.SendSeparately, ref)
			},
			done: func(c *server.Conversation) int { return (len(c.Messages) - 1) / 3 },
		},
		"assign to agent": {
			settings: agent,
			run: func(b *bench, ref claim.Ref) error {
				return runVoid(b, steps.AssignConversation, ref)
			},
			done: func(c *server.Conversation) int { return count(c.AssigneeID == server.SeedAgentAnna) },
		},
		"transfer to queue": {
			settings: map[string]any{"default_queue_id": server.SeedQueueClaims},
			run: func(b *bench, ref claim.Ref) error {
				return runVoid(b, steps.AssignConversation, ref)
			},
			done: func(c *server.Conversation) int { return count(c.QueueID == server.SeedQueueClaims) },
		},
		"attributes": {
			settings: map[string]any{"claim_id_attribute": server.SeedAttrClaimID},
			run: func(b *bench, ref claim.Ref) error {
				return runVoid(b, steps.SetAttributes, ref)
			},
			done: func(c *server.Conversation) int { return count(c.Attributes[server.SeedAttrClaimID] == "c-1") },
		},
		"note": {run: addNote, done: func(c *server.Conversation) int { return len(c.Notes) }},
		"note with lost response": {
			prepare: func(b *bench, ref claim.Ref) {
				b.dixa.Inject(server.Fault{Operation: "POST /conversations/{conversationId}/notes", Kind: server.FaultDropAfter, Times: 1})
				require.Error(b, addNote(b, ref))
			},
			run: addNote, done: func(c *server.Conversation) int { return len(c.Notes) },
		},
		"reply": {
			settings: agent,
			prepare: func(b *bench, ref claim.Ref) {
				_, _, err := b.store.Instructions.Add(b.Context(), claim.Instruction{Ref: ref, ID: "k-1", Kind: claim.InstructReply, Body: []byte(`{"text":"We look into it."}`)})
				require.NoError(b, err)
			},
			run:  (*bench).instruct,
			done: func(c *server.Conversation) int { return len(c.Messages) - 1 },
		},
		"change": {
			prepare: func(b *bench, ref claim.Ref) {
				b.sync(activities.StatusChange{Ref: ref, Event: claim.EventOpened})
				b.patch(ref, `{"description": "The mug is broken. The lid, too."}`)
			},
			run:  (*bench).instruct,
			done: func(c *server.Conversation) int { return len(c.Messages) - 1 },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			settings := map[string]any{"commit_window": "1h"}
			maps.Copy(settings, step.settings)
			b := setup(t, server.Switches{}, settings)
			ref := b.accept(b.sample("c-1"))
			if step.fault.Kind != "" {
				b.dixa.Inject(step.fault)
			}
			_, err := b.open(ref)
			require.NoError(t, err)
			if step.prepare != nil {
				step.prepare(b, ref)
			}

			b.dixa.SetSwitches(server.Switches{NewConversationLag: server.Duration(time.Hour)})
			app := failure(t, step.run(b, ref))
			require.Equal(t, claim.ErrorUnavailable, app.Type(), app.Error())
			require.False(t, app.NonRetryable())
			require.Positive(t, app.NextRetryDelay())

			b.dixa.SetSwitches(server.Switches{})
			require.NoError(t, step.run(b, ref))
			require.NoError(t, step.run(b, ref), "a step must be repeatable")
			b.dixa.Settle()
			require.Equal(t, 1, step.done(b.conversations()[0]))
		})
	}
}

func count(is bool) int {
	if is {
		return 1
	}
	return 0
}

// A new customer that Dixa does not show yet is not treated as deleted.
func TestWaitsForNewCustomer(t *testing.T) {
	t.Parallel()
	b := setup(t, server.Switches{}, map[string]any{"commit_window": "1h"})
	ref := b.accept(b.sample("c-1"))
	_, err := b.customer(ref)
	require.NoError(t, err)
	for _, operation := range []string{"POST /conversations", "GET /endusers/{userId}"} {
		b.dixa.Inject(server.Fault{Operation: operation, Kind: server.FaultStatus, Status: 404, Times: 1})
	}
	_, err = b.open(ref)
	require.Equal(t, claim.ErrorUnavailable, failure(t, err).Type())
	_, err = b.open(ref)
	require.NoError(t, err)
	require.Len(t, b.dixa.State().EndUsers, 1)
	require.Len(t, b.conversations(), 1)
}

// Activity log entries for a conversation that Dixa does not show yet wait for the next
// sweep.
func TestSweepRetriesNewConversation(t *testing.T) {
	t.Parallel()
	b := newSweepBench(t, losing(1))
	b.sweep()
	ref := b.opened(1)[0]
	b.dixa.SetSwitches(server.Switches{NewConversationLag: server.Duration(time.Hour), Webhooks: server.WebhookSwitches{Off: true}})
	report := b.sweep()
	require.Zero(t, report.Gone)
	b.dixa.SetSwitches(server.Switches{Webhooks: server.WebhookSwitches{Off: true}})
	require.Positive(t, b.sweep().Messages, "opening message of claim %s", ref)
}
