package endtoend_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/emulator/server"
)

// Many claims get replies, notes and changes at once, while Dixa loses answers,
// fails and shows its writes late, and the only worker is killed. Each write is in
// Dixa once, in the order of the requests, whatever Dixa does with externalId.
func TestConcurrentWritesAreSentOnce(t *testing.T) {
	t.Parallel()
	for _, reading := range []string{server.ExternalIDOrganization, server.ExternalIDStored, server.ExternalIDDropped} {
		t.Run(reading, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, siteOptions{
				switches: server.Switches{ExternalID: reading, ListLag: server.Duration(200 * time.Millisecond)},
				settings: map[string]any{"default_agent_id": server.SeedAgentAnna},
			})
			worker := s.startWorker()
			var refs []claim.Ref
			for i := range 3 {
				refs = append(refs, s.submit(s.sample(fmt.Sprint("c-", i))))
			}
			for _, ref := range refs {
				s.awaitState(ref, claim.StateOpen)
			}
			for _, operation := range []string{
				"POST /conversations/{conversationId}/messages", "POST /conversations/{conversationId}/notes", "POST /conversations/{conversationId}/tags/bulk",
				"PUT /conversations/{conversationId}/close", "PUT /conversations/{conversationId}/reopen",
			} {
				s.dixa.Inject(server.Fault{Operation: operation, Kind: server.FaultDropAfter, Share: 0.25})
				s.dixa.Inject(server.Fault{Operation: operation, Kind: server.FaultDropBefore, Share: 0.1})
				s.dixa.Inject(server.Fault{Operation: operation, Kind: server.FaultStatus, Status: 500, Share: 0.1})
			}

			var asked sync.WaitGroup
			keys := make([][]string, len(refs))
			for i, ref := range refs {
				asked.Go(func() { keys[i] = s.askFor(ref) })
			}
			asked.Wait()
			for range 3 {
				s.awaitWrites(refs, 1+s.writes())
				worker.kill()
				worker = s.startWorker()
			}
			for i, ref := range refs {
				for _, key := range keys[i] {
					eventually(t, "instruction "+key+" of claim "+ref.ID+" is done", func() error {
						in, err := s.api.Instruction(t.Context(), ref, key)
						if err == nil && in.State != claim.InstructionDone {
							err = fmt.Errorf("got instruction %s %s; claim: %+v", in.State, in.Why, s.record(ref))
						}
						return err
					})
				}
			}
			require.Positive(t, s.dixa.Stats().Struck, "Dixa must have injected failures")
			for _, ref := range refs {
				s.requireWrites(ref)
			}
		})
	}
}

// writes returns the number of messages and notes in Dixa.
func (s *site) writes() int {
	n := 0
	for _, c := range s.dixa.State().Conversations {
		n += len(c.Messages) + len(c.Notes)
	}
	return n
}

// awaitWrites waits until Dixa has n messages and notes, or until no writes are
// pending.
func (s *site) awaitWrites(refs []claim.Ref, n int) {
	s.t.Helper()
	eventually(s.t, "another write", func() error {
		if s.writes() >= n || !slices.ContainsFunc(refs, func(ref claim.Ref) bool {
			w, err := s.store.Claims.Load(s.t.Context(), ref)
			return err != nil || w.Instructed
		}) {
			return nil
		}
		return errNotYet
	})
}

// The texts requested on every claim, in this order.
const (
	firstReply, sameReply, note = "It is on its way.", "We look into it.", "Asked the carrier."
	said                        = "The lid is broken, too."
)

// askFor requests two replies with the same text, one with another text, notes, and
// two changes by the owner, and returns all keys.
func (s *site) askFor(ref claim.Ref) []string {
	ctx := s.t.Context()
	var keys []string
	send := func(kind, text string) {
		key := fmt.Sprintf("k-%d", len(keys))
		keys = append(keys, key)
		for range 2 { // a caller that lost the response retries
			if _, err := s.api.Send(ctx, ref, key, client.NewMessage{Kind: kind, Text: text}); err != nil {
				s.t.Error(err)
			}
		}
	}
	change := func(body string) {
		updated, err := s.api.Update(ctx, ref, json.RawMessage(body))
		if err != nil {
			s.t.Error(err)
			return
		}
		keys = append(keys, updated.InstructionID)
	}
	send(claim.InstructReply, firstReply)
	send(claim.InstructReply, sameReply)
	send(claim.InstructNote, note)
	change(fmt.Sprintf(`{"description": %q}`, s.sample(ref.ID).Description+" "+said))
	send(claim.InstructReply, sameReply)
	send(claim.InstructNote, note)
	change(`{"status": "rejected"}`)
	return keys
}

// requireWrites checks that a conversation has everything that askFor requests,
// exactly once.
func (s *site) requireWrites(ref claim.Ref) {
	s.t.Helper()
	conversation := s.record(ref).ConversationID
	state := s.dixa.State()
	at := slices.IndexFunc(state.Conversations, func(c *server.Conversation) bool { return c.ID == conversation })
	require.GreaterOrEqual(s.t, at, 0)
	c := state.Conversations[at]
	var messages, notes []string
	for _, m := range c.Messages[1:] { // the first message opened the conversation
		messages = append(messages, strings.TrimSpace(strings.Split(m.Content.Value, "\n")[0]))
	}
	for _, n := range c.Notes {
		notes = append(notes, strings.Split(n.Text, "\n")[0])
	}
	require.Equal(s.t, []string{firstReply, sameReply, said, sameReply}, messages, "claim %s", ref.ID)
	changed := "The claim was changed by test:"
	require.Equal(s.t, []string{"Not attached:", note, changed, note, changed}, notes, "claim %s", ref.ID)
	require.Contains(s.t, c.TagNames, "claim-rejected")
}
