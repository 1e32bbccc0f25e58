package api_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
	emulator "github.com/claimflow/claimflow/emulator/server"
	"github.com/claimflow/claimflow/mirror"
	"github.com/claimflow/claimflow/store"
)

// linked returns an accepted claim with a conversation.
func (b *bench) linked(id string, conversation int64) claim.Ref {
	b.t.Helper()
	connection, _ := b.enabled("acme")
	_, err := b.store.Claims.Accept(b.t.Context(), &claim.Claim{ID: id, Shop: "acme", Reason: "damaged", Customer: claim.Customer{Email: "ada@customer.example"}})
	require.NoError(b.t, err)
	ref := claim.Ref{Shop: "acme", ID: id}
	require.NoError(b.t, b.store.Links.Create(b.t.Context(), store.LinkInput{Ref: ref, ConnectionID: connection, ConversationID: conversation, Step: claim.StepConversation}))
	return ref
}

func TestMessageIsDeduplicatedByKey(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ref := b.linked("c-1", 100)
	ctx := t.Context()
	reply := client.NewMessage{Kind: claim.InstructReply, Text: "Hello", AgentID: emulator.SeedAgentAnna}

	first, err := b.client.Send(ctx, ref, "key-1", reply)
	require.NoError(t, err)
	require.Equal(t, claim.InstructionWaiting, first.State)
	again, err := b.client.Send(ctx, ref, "key-1", reply)
	require.NoError(t, err)
	require.Equal(t, first.Number, again.Number, "a repeated key must return the same message")
	reply.Text = "Goodbye"
	_, err = b.client.Send(ctx, ref, "key-1", reply)
	require.True(t, client.HasCode(err, client.CodeConflict), "%v", err)
	_, err = b.client.Send(ctx, ref, "key-2", client.NewMessage{Kind: claim.InstructNote, Text: "look"})
	require.NoError(t, err)
	known, err := b.client.Instruction(ctx, ref, "key-2")
	require.NoError(t, err)
	require.Equal(t, claim.InstructNote, known.Kind)
	require.EqualValues(t, 2, known.Number)

	require.NoError(t, b.store.Claims.Abandon(ctx, ref))
	_, err = b.client.Send(ctx, ref, "key-3", reply)
	require.True(t, client.HasCode(err, client.CodeConflict), "%v", err)
	known, err = b.client.Instruction(ctx, ref, "key-2")
	require.NoError(t, err)
	require.Equal(t, claim.InstructionRefused, known.State)
	_, err = b.client.Send(ctx, claim.Ref{Shop: "acme", ID: "unknown"}, "key-1", reply)
	require.True(t, client.HasCode(err, client.CodeNotFound), "%v", err)
}

func TestInvalidMessageListsEveryError(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.linked("c-1", 100)
	key := b.key("acme", client.ScopeOperate)
	for name, test := range map[string]struct {
		key, body string
		faults    []string
	}{
		"empty reply":     {"k", `{"kind":"reply","attachments":["ftp://x","https://example.org/a","http://example.org/a","http://127.0.0.1/a","https://me:pw@example.org/a"]}`, []string{"text", "agent_id", "attachments[0]", "attachments[2]", "attachments[3]", "attachments[4]"}},
		"note with html":  {"k", `{"kind":"note","html":"x"}`, []string{"text", "kind"}},
		"unknown kind":    {"a key", `{"kind":"shout","text":"x"}`, []string{"Idempotency-Key", "kind"}},
		"unknown members": {"k", `{"kind":"note","text":"x","to":"everybody"}`, []string{"body"}},
		"no JSON":         {"k", `hello`, []string{"body"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := b.send("POST", "/v1/shops/acme/claims/c-1/messages", key, test.body, "Idempotency-Key", test.key)
			require.Equal(t, 422, r.StatusCode, r.text)
			for _, field := range test.faults {
				require.Contains(t, r.text, `"`+field+`"`)
			}
		})
	}
}

func TestMessageRequiresAKeyAndAWritableShop(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.linked("c-1", 100)
	key := b.key("acme", client.ScopeOperate)
	r := b.send("POST", "/v1/shops/acme/claims/c-1/messages", key, `{"kind":"note","text":"x"}`)
	require.Equal(t, 422, r.StatusCode, "a message requires a key")
	b.settings("acme", `{"read_only":true}`)
	r = b.send("POST", "/v1/shops/acme/claims/c-1/messages", key, `{"kind":"note","text":"x"}`, "Idempotency-Key", "k")
	require.Equal(t, 405, r.StatusCode)
}

func TestMessagesAreListedInOrder(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ref := b.linked("c-1", 100)
	at := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	var messages []mirror.Message
	for i := range 7 {
		messages = append(messages, mirror.Message{Message: claim.Message{
			ID: fmt.Sprint("m-", i), Kind: claim.MessageKind, Direction: claim.DirectionInbound, At: at.Add(time.Duration(i/2) * time.Second), Text: "Hello",
			Attachments: []claim.MessageAttachment{{ID: "1", Name: "a.jpg", Source: "https://files.dixa.io/private/secret"}},
		}})
	}
	require.NoError(t, b.store.Conversations.Apply(t.Context(), store.EventEffects{Ref: ref, State: claim.StateReceived, ConversationID: 100, Messages: messages}))
	var ids []string
	for cursor, more := "", true; more; more = cursor != "" {
		page, err := b.client.NewestMessages(t.Context(), ref, cursor, 2)
		require.NoError(t, err)
		for _, m := range page.Messages {
			ids = append(ids, m.ID)
		}
		cursor = page.Next
	}
	require.Equal(t, []string{"m-6", "m-5", "m-4", "m-3", "m-2", "m-1", "m-0"}, ids)
	ids = nil
	cursor := ""
	for {
		page, err := b.client.MessagesPage(t.Context(), ref, cursor, 2)
		require.NoError(t, err)
		for _, m := range page.Messages {
			ids = append(ids, m.ID)
		}
		data, err := json.Marshal(page)
		require.NoError(t, err)
		require.NotContains(t, string(data), "private", "the file's origin must not be revealed")
		if page.Next == "" {
			break
		}
		cursor = page.Next
	}
	require.Equal(t, []string{"m-0", "m-1", "m-2", "m-3", "m-4", "m-5", "m-6"}, ids)
	r := b.send("GET", "/v1/shops/acme/claims/c-1/messages?cursor=!", b.key("acme", client.ScopeClaimsRead), "")
	require.Equal(t, 422, r.StatusCode)
}
