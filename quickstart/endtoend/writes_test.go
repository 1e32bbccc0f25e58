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

// Replies, notes and changes of many claims at once, while Dixa loses answers and
// fails, shows late what it has, and the only worker is killed: each is in Dixa
// once, in the order in which it was asked for, whatever Dixa makes of externalId.
func TestWritesAreMadeOnce(t *testing.T) {
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
							err = fmt.Errorf("it is %s %s; the claim: %+v", in.State, in.Why, s.record(ref))
						}
						return err
					})
				}
			}
			require.Positive(t, s.dixa.Stats().Struck, "Dixa failed now and then")
			for _, ref := range refs {
				s.requireWrites(ref)
			}
		})
	}
}

// writes is how many messages and notes Dixa has.
func (s *site) writes() int {
	n := 0
	for _, c := range s.dixa.State().Conversations {
		n += len(c.Messages) + len(c.Notes)
	}
	return n
}

// awaitWrites waits until Dixa has so many messages and notes, or nothing more is
// to be written.
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

// The words of what is asked for on every claim, in this order.
const (
	firstReply, sameReply, note = "It is on its way.", "We look into it.", "Asked the carrier."
	said                        = "The lid is broken, too."
)

// askFor asks for two replies with the same words, one with others, notes, and two
// changes of the owner, and returns the keys of all.
func (s *site) askFor(ref claim.Ref) []string {
	ctx := s.t.Context()
	var keys []string
	send := func(kind, text string) {
		key := fmt.Sprintf("k-%d", len(keys))
		keys = append(keys, key)
		for range 2 { // a caller who lost the answer asks again
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

// requireWrites checks that a conversation has what askFor asks for, once each.
func (s *site) requireWrites(ref claim.Ref) {
	s.t.Helper()
	conversation := s.record(ref).ConversationID
	state := s.dixa.State()
	at := slices.IndexFunc(state.Conversations, func(c *server.Conversation) bool { return c.ID == conversation })
	require.GreaterOrEqual(s.t, at, 0)
	c := state.Conversations[at]
	var messages, notes []string
	for _, m := range c.Messages[1:] { // the first one opened it
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
