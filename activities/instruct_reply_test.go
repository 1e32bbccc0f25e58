package activities_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/emulator/server"
	"github.com/claimflow/claimflow/store"
)

// ask adds an instruction to a claim.
func (b *bench) ask(ref claim.Ref, id, kind string, body any) {
	b.Helper()
	data, err := json.Marshal(body)
	require.NoError(b, err)
	_, fresh, err := b.store.Instructions.Add(b.Context(), claim.Instruction{Ref: ref, ID: id, Kind: kind, Body: data, By: "test"})
	require.NoError(b, err)
	require.True(b, fresh)
}

// replies returns the outbound messages in Dixa.
func (b *bench) replies() []*server.Message {
	b.Helper()
	c, _ := b.conversation()
	var out []*server.Message
	for _, m := range c.Messages {
		if m.Direction == server.Outbound {
			out = append(out, m)
		}
	}
	return out
}

var anna = claim.ReplyBody{Text: `It is "on" its way & <soon> there.`, AgentID: server.SeedAgentAnna}

// A reply is sent once, regardless of how Dixa treats its key and when the response is
// lost.
func TestReplyIsSentOnce(t *testing.T) {
	t.Parallel()
	for _, reading := range []string{server.ExternalIDOrganization, server.ExternalIDConversation, server.ExternalIDStored, server.ExternalIDDropped} {
		for _, kind := range []string{"", server.FaultDropAfter, server.FaultDropBefore} {
			t.Run(reading+" "+kind, func(t *testing.T) {
				t.Parallel()
				b := setup(t, server.Switches{ExternalID: reading}, nil)
				ref := b.opened("c-1")
				if kind != "" {
					b.dixa.Inject(server.Fault{Operation: "POST /conversations/{conversationId}/messages", Kind: kind, Times: 1})
				}
				b.ask(ref, "r-1", claim.InstructReply, anna)
				b.carryOut(ref)
				in := b.instruction(ref, "r-1")
				require.Equal(t, claim.InstructionDone, in.State, in.Why)
				sent := b.replies()
				require.Len(t, sent, 1)
				require.Equal(t, server.SeedAgentAnna, sent[0].AuthorID)
				require.JSONEq(t, `{"message_id":"`+sent[0].ID+`"}`, string(in.Result))

				// A second instruction with the same text is a separate reply.
				b.ask(ref, "r-2", claim.InstructReply, anna)
				b.carryOut(ref)
				require.Len(t, b.replies(), 2)
			})
		}
	}
}

// The reply keeps the default agent of its first attempt, so a later attempt recognizes
// it if Dixa stores no keys.
func TestReplyKeepsAgentOfFirstAttempt(t *testing.T) {
	t.Parallel()
	b := setup(t, server.Switches{ExternalID: server.ExternalIDDropped}, map[string]any{"default_agent_id": server.SeedAgentAnna})
	ref := b.opened("c-1")
	b.dixa.Inject(server.Fault{Operation: "POST /conversations/{conversationId}/messages", Kind: server.FaultDropAfter, Times: 1})
	b.ask(ref, "r-1", claim.InstructReply, claim.ReplyBody{Text: "It is on its way."})
	require.Error(t, b.instruct(ref))
	b.save(map[string]any{"email_integration_id": server.SeedMailbox, "commit_window": "0s", "list_lag": "0s", "default_agent_id": server.SeedAgentBen})
	b.carryOut(ref)
	require.Len(t, b.replies(), 1)
}

func TestReplyToClosedConversation(t *testing.T) {
	t.Parallel()
	for _, reading := range []string{server.InboundReopens, server.Reopens, server.Stays, server.Rejected} {
		for _, setting := range []string{claim.ReplyReopens, claim.ReplyRefused} {
			t.Run(reading+" "+setting, func(t *testing.T) {
				t.Parallel()
				b := setup(t, server.Switches{MessageOnClosed: reading}, map[string]any{"reply_to_closed": setting})
				ref := b.opened("c-1")
				c, _ := b.conversation()
				require.NoError(t, b.dixa.Agent(t.Context(), server.Step{Action: server.PlayClose, Conversation: c.ID}))
				writes := b.dixa.Stats().Writes()
				b.ask(ref, "r-1", claim.InstructReply, anna)
				b.carryOut(ref)
				in := b.instruction(ref, "r-1")
				c, _ = b.conversation()
				if setting == claim.ReplyRefused {
					require.Equal(t, claim.InstructionRefused, in.State)
					require.Contains(t, in.Why, "reply_to_closed")
					require.Empty(t, b.replies())
					require.Equal(t, writes, b.dixa.Stats().Writes(), "a refused reply must write nothing")
					return
				}
				require.Equal(t, claim.InstructionDone, in.State, in.Why)
				require.Len(t, b.replies(), 1)
				require.Equal(t, server.StateOpen, c.State)
			})
		}
	}
}

func TestUnsendableReplyIsRefusedWithReason(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		body any
		why  string
	}{
		"no agent":      {claim.ReplyBody{Text: "x"}, "default_agent_id"},
		"missing file":  {claim.ReplyBody{Text: "x", AgentID: server.SeedAgentAnna, Attachments: []string{"http://127.0.0.1:1/gone.pdf"}}, "could not copy an attachment"},
		"unknown agent": {claim.ReplyBody{Text: "x", AgentID: "00000000-0000-4000-8000-000000000000"}, "AddMessageError.EndUserNotFound"},
		"invalid body":  {[]string{"x"}, "cannot be decoded"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, server.Switches{}, nil)
			ref := b.opened("c-1")
			b.ask(ref, "r-1", claim.InstructReply, test.body)
			b.carryOut(ref)
			in := b.instruction(ref, "r-1")
			require.Equal(t, claim.InstructionRefused, in.State)
			require.Contains(t, in.Why, test.why)
			require.Empty(t, b.replies())
		})
	}
}

// A note is added once and never reaches the customer. Two notes with the same text
// are separate notes.
func TestNoteIsNotSentAsMessage(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"", server.FaultDropAfter} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			b := setup(t, server.Switches{}, nil)
			ref := b.opened("c-1")
			before, _ := b.conversation()
			messages, notes := len(before.Messages), len(before.Notes)
			if kind != "" {
				b.dixa.Inject(server.Fault{Operation: "POST /conversations/{conversationId}/notes", Kind: kind, Times: 1})
			}
			b.ask(ref, "n-1", claim.InstructNote, claim.NoteBody{Text: "The warehouse found it."})
			b.ask(ref, "n-2", claim.InstructNote, claim.NoteBody{Text: "The warehouse found it."})
			b.carryOut(ref)
			after, _ := b.conversation()
			require.Len(t, after.Messages, messages)
			require.Len(t, after.Notes, notes+2)
			require.Zero(t, b.dixa.Stats().Outcomes["POST /conversations/{conversationId}/messages"], "a note must not be sent as a message")
		})
	}
}

func TestAbandonedClaimWritesNothing(t *testing.T) {
	t.Parallel()
	b := setup(t, server.Switches{}, nil)
	ref := b.opened("c-1")
	b.ask(ref, "r-1", claim.InstructReply, anna)
	require.NoError(t, b.store.Claims.Abandon(t.Context(), ref))
	require.Equal(t, claim.InstructionRefused, b.instruction(ref, "r-1").State)
	require.Empty(t, b.replies())
	_, err := b.store.Instructions.Next(t.Context(), ref)
	require.ErrorIs(t, err, store.ErrNotFound)
}
