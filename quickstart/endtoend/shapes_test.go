package endtoend_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	temporal "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/emulator/server"
	"github.com/claimflow/claimflow/quickstart/engine"
	"github.com/claimflow/claimflow/workflows"
)

// histories is the folder where the tests of package workflows find the recorded
// histories.
var histories = filepath.Join("..", "..", "workflows", "testdata", "histories")

// shapes are the paths that a claim can take through its workflow. Each names the
// history that it produces; a changed workflow must replay them all.
var shapes = map[string]func(*site) claim.Ref{
	"opened": func(s *site) claim.Ref {
		ref := s.submit(s.sample("c-1"))
		s.requireOne(s.awaitState(ref, claim.StateOpen))
		s.awaitMessages(ref, 2)
		return ref
	},
	"known-customer": func(s *site) claim.Ref {
		first, second := s.sample("c-1"), s.sample("c-2")
		second.Customer = first.Customer
		s.awaitState(s.submit(first), claim.StateOpen)
		ref := s.submit(second)
		s.awaitState(ref, claim.StateOpen)
		s.awaitMessages(ref, 2)
		return ref
	},
	"followed-and-settled": func(s *site) claim.Ref {
		s.save(map[string]any{"quiet_period": "1s"})
		ref := s.submit(s.sample("c-1"))
		r := s.awaitState(ref, claim.StateOpen)
		s.agent(r, server.Step{Action: server.PlayClaim}, server.Step{Action: server.PlayReply, Text: "We look into it."}, server.Step{Action: server.PlayPending})
		s.awaitState(ref, claim.StatePending)
		s.agent(r, server.Step{Action: server.PlayTag, Tag: "claim-accepted"}, server.Step{Action: server.PlayClose})
		s.awaitStatus(ref, claim.StateSettled, claim.StatusAccepted)
		return ref
	},
	"news-while-open": func(s *site) claim.Ref {
		ref := s.submit(s.sample("c-1"))
		r := s.awaitState(ref, claim.StateOpen)
		s.agent(r, server.Step{Action: server.PlayClaim}, server.Step{Action: server.PlayPending})
		s.awaitState(ref, claim.StatePending)
		_, err := s.api.Abandon(s.t.Context(), ref)
		require.NoError(s.t, err)
		s.awaitState(ref, claim.StateAbandoned)
		return ref
	},
	"reopened-after-settling": func(s *site) claim.Ref {
		s.save(map[string]any{"quiet_period": "1s"})
		ref := s.submit(s.sample("c-1"))
		r := s.awaitState(ref, claim.StateOpen)
		s.agent(r, server.Step{Action: server.PlayClose})
		s.awaitState(ref, claim.StateSettled)
		s.save(map[string]any{"quiet_period": "30d"})
		s.customer(r, server.Step{Action: server.PlayReply, Text: "It broke again."})
		s.awaitState(ref, claim.StateOpen)
		s.agent(r, server.Step{Action: server.PlayClose})
		s.awaitState(ref, claim.StateClosed)
		return ref
	},
	"instructed": func(s *site) claim.Ref {
		ref := s.submit(s.sample("c-1"))
		s.awaitState(ref, claim.StateOpen)
		s.awaitMessages(ref, 2)
		for i, m := range []client.NewMessage{
			{Kind: claim.InstructReply, Text: "Your refund is on its way.", AgentID: server.SeedAgentAnna},
			{Kind: claim.InstructNote, Text: "The warehouse is informed."},
			{Kind: claim.InstructReply, Text: "The refund has arrived.", AgentID: server.SeedAgentAnna},
		} {
			key := fmt.Sprint("key-", i)
			_, err := s.api.Send(s.t.Context(), ref, key, m)
			require.NoError(s.t, err)
			eventually(s.t, "the message is sent", func() error {
				in, err := s.api.Instruction(s.t.Context(), ref, key)
				if err == nil && in.State != claim.InstructionDone {
					err = fmt.Errorf("got instruction %s %s", in.State, in.Why)
				}
				return err
			})
		}
		s.awaitMessages(ref, 5)
		return ref
	},
	"skipped": func(s *site) claim.Ref {
		_, err := s.api.Disable(s.t.Context(), shop)
		require.NoError(s.t, err)
		ref := s.submit(s.sample("c-1"))
		s.awaitState(ref, claim.StateSkipped)
		return ref
	},
	"parked-and-woken": func(s *site) claim.Ref {
		s.dixa.Revoke(dixaToken)
		ref := s.submit(s.sample("c-1"))
		parked := s.awaitState(ref, claim.StateNeedsAttention)
		require.Equal(s.t, claim.CauseConnection, parked.Cause)
		s.dixa.AddToken("new-" + dixaToken)
		_, err := s.api.Connect(s.t.Context(), shop, "new-"+dixaToken)
		require.NoError(s.t, err)
		s.requireOne(s.awaitState(ref, claim.StateOpen))
		return ref
	},
	"fallback-and-retry": func(s *site) claim.Ref {
		s.save(map[string]any{"open_within": "3s"})
		s.dixa.Inject(down)
		ref := s.submit(s.sample("c-1"))
		parked := s.await(ref, "parked with its fallback triggered", func(r claim.Record) bool { return r.FallbackUsed })
		require.Equal(s.t, claim.StateNeedsAttention, parked.State)
		require.Equal(s.t, claim.CauseDeadline, parked.Cause)
		s.dixa.ClearFaults()
		s.save(map[string]any{"open_within": "4h"})
		_, err := s.api.Retry(s.t.Context(), ref, client.RetryRequest{})
		require.NoError(s.t, err)
		opened := s.awaitState(ref, claim.StateOpen)
		require.True(s.t, opened.FallbackUsed, "the claim must keep the record of its fallback")
		s.requireOne(opened)
		return ref
	},
	"slow-attempts": func(s *site) claim.Ref {
		fault := down
		fault.Operation, fault.Times = "POST /conversations", 11 // one more than the quick attempts
		s.dixa.Inject(fault)
		ref := s.submit(s.sample("c-1"))
		s.requireOne(s.awaitState(ref, claim.StateOpen))
		return ref
	},
	"customer-gone": func(s *site) claim.Ref {
		first := s.sample("c-1")
		s.awaitState(s.submit(first), claim.StateOpen)
		// The store has a customer that Dixa does not know.
		for _, operation := range []string{"POST /conversations", "GET /endusers/{userId}"} {
			s.dixa.Inject(server.Fault{Operation: operation, Kind: server.FaultStatus, Status: 404, Times: 1})
		}
		second := s.sample("c-2")
		second.Customer = first.Customer
		ref := s.submit(second)
		s.awaitState(ref, claim.StateOpen)
		require.Len(s.t, s.dixa.State().Conversations, 2)
		require.Equal(s.t, 2, s.dixa.Stats().ByOperation["GET /endusers"], "the customer must be searched again")
		return ref
	},
	"files-one-by-one": func(s *site) claim.Ref {
		s.dixa.Inject(oneByOne)
		ref := s.submit(s.sample("c-1"))
		s.requireOne(s.awaitState(ref, claim.StateOpen))
		return ref
	},
	"abandoned-while-opening": func(s *site) claim.Ref {
		ref := claim.Ref{Shop: shop, ID: "c-1"}
		s.gate.at("POST /v1/conversations/*/tags/bulk", afterCommit, func() {
			if _, err := s.api.Abandon(s.t.Context(), ref); err != nil {
				s.t.Error(err)
			}
		})
		s.submit(s.sample(ref.ID))
		s.awaitState(ref, claim.StateAbandoned)
		return ref
	},
	"paused-and-resumed": func(s *site) claim.Ref {
		_, err := s.api.Pause(s.t.Context(), shop)
		require.NoError(s.t, err)
		ref := s.submit(s.sample("c-1"))
		s.awaitRest(s.temporal(), ref, "")
		require.Equal(s.t, claim.StateReceived, s.record(ref).State)
		require.Empty(s.t, s.dixa.State().Conversations)
		_, err = s.api.Resume(s.t.Context(), shop)
		require.NoError(s.t, err)
		s.requireOne(s.awaitState(ref, claim.StateOpen))
		return ref
	},
	"nudged-while-opening": func(s *site) claim.Ref {
		ref := claim.Ref{Shop: shop, ID: "c-1"}
		nudged := 0
		s.gate.at("POST /v1/conversations", afterReply, func() {
			c := s.temporal()
			for range 3 {
				s.nudge(c, ref)
				nudged++
			}
		})
		s.submit(s.sample(ref.ID))
		s.requireOne(s.awaitState(ref, claim.StateOpen))
		require.Equal(s.t, 3, nudged)
		return ref
	},
}

// awaitMessages waits until the claim has n messages and notes from Dixa.
func (s *site) awaitMessages(ref claim.Ref, n int) {
	s.t.Helper()
	eventually(s.t, fmt.Sprintf("the claim has %d messages", n), func() error {
		page, err := s.api.MessagesPage(s.t.Context(), ref, "", 0)
		if err == nil && len(page.Messages) != n {
			err = fmt.Errorf("got %d messages", len(page.Messages))
		}
		return err
	})
}

// down makes every request fail for as long as Dixa asks clients to wait.
var down = server.Fault{Kind: server.FaultStatus, Status: 503, Headers: map[string]string{"Retry-After": "1"}}

// TestShapes runs each path on a real engine, whose workers replay the whole history
// at every task. With -record it stores the histories.
func TestShapes(t *testing.T) {
	t.Parallel()
	for name, take := range shapes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, siteOptions{everyStep: true})
			s.work()
			ref := take(s)
			s.replay(name, s.historyAtRest(ref))
		})
	}
}

// continuing returns a separate engine that suggests continue-as-new after a given
// number of history events.
func continuing(t *testing.T, after int) temporal.Options {
	t.Helper()
	e, err := engine.Start(t.Context(), engine.Options{FrontendAddr: "127.0.0.1:0", SearchAttributes: keywords(), ContinueAfter: after})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Stop()) })
	return e.ClientOptions()
}

// TestContinuesAsNew ends a run because its history is long, and has the next one
// continue.
func TestContinuesAsNew(t *testing.T) {
	t.Parallel()
	s := newSite(t, siteOptions{engine: continuing(t, 100), everyStep: true, settings: map[string]any{"quiet_period": "1s"}})
	s.work()
	ref := s.submit(s.sample("c-1"))
	r := s.awaitState(ref, claim.StateOpen)
	c := s.temporal()
	first := s.awaitRest(c, ref, "")
	told := 0
	for run := first; run == first; run = s.awaitRest(c, ref, "") {
		told++
		require.Less(t, told, 50, "the run must continue as new")
		s.agent(r, server.Step{Action: server.PlayTag, Tag: fmt.Sprint("seen-", told)})
		eventually(t, "the claim has the tag", func() error {
			now, err := s.api.Claim(t.Context(), ref)
			if err == nil && (now.Conversation == nil || !now.Conversation.HasTag(fmt.Sprint("seen-", told))) {
				err = fmt.Errorf("got %+v", now.Conversation)
			}
			return err
		})
	}
	s.replay("continued-as-new", s.historyOf(ref, first))
	s.agent(r, server.Step{Action: server.PlayTag, Tag: "claim-rejected"}, server.Step{Action: server.PlayClose})
	s.awaitStatus(ref, claim.StateSettled, claim.StatusRejected)
	s.replay("went-on-as-new", s.historyAtRest(ref))
	require.Len(t, s.dixa.State().Conversations, 1)
}

// replay replays a history and stores it with -record.
func (s *site) replay(name string, history *historypb.History) {
	s.t.Helper()
	document := indented(s.t, history) // the replay below modifies the history in place
	replayer := worker.NewWorkflowReplayer()
	replayer.RegisterWorkflowWithOptions(workflows.Claim, workflow.RegisterOptions{Name: claim.WorkflowName})
	require.NoError(s.t, replayer.ReplayWorkflowHistory(nil, history))
	requireNothingPersonal(s.t, "the history", s.secrets(), document)
	if *record {
		require.NoError(s.t, os.MkdirAll(histories, 0o755))
		require.NoError(s.t, os.WriteFile(filepath.Join(histories, name+".json"), document, 0o644))
	}
}

// replayRun replays the newest run of another workflow, once it has ended, and stores
// its history with -record.
func (s *site) replayRun(name, id, workflowName string, definition any) {
	s.t.Helper()
	c := s.temporal()
	require.NoError(s.t, c.GetWorkflow(s.t.Context(), id, "").Get(s.t.Context(), nil))
	history := s.historyOfRun(id, "")
	document := indented(s.t, history)
	replayer := worker.NewWorkflowReplayer()
	replayer.RegisterWorkflowWithOptions(definition, workflow.RegisterOptions{Name: workflowName})
	require.NoError(s.t, replayer.ReplayWorkflowHistory(nil, history))
	requireNothingPersonal(s.t, "the history", s.secrets(), document)
	if *record {
		folder := filepath.Join(histories, "..", "others")
		require.NoError(s.t, os.MkdirAll(folder, 0o755))
		require.NoError(s.t, os.WriteFile(filepath.Join(folder, name+".json"), document, 0o644))
	}
}

// historyAtRest returns the history of the claim's newest run, once the run is idle
// or has ended.
func (s *site) historyAtRest(ref claim.Ref) *historypb.History {
	s.t.Helper()
	c := s.temporal()
	if !s.record(ref).State.Final() {
		s.awaitRest(c, ref, "")
	} else {
		var end claim.State
		require.NoError(s.t, c.GetWorkflow(s.t.Context(), ref.WorkflowID(), "").Get(s.t.Context(), &end))
		require.Equal(s.t, s.record(ref).State, end)
	}
	return s.historyOf(ref, "")
}

// historyOf returns the history of a run, or of the newest run if run is empty.
func (s *site) historyOf(ref claim.Ref, run string) *historypb.History {
	s.t.Helper()
	return s.historyOfRun(ref.WorkflowID(), run)
}

func (s *site) historyOfRun(id, run string) *historypb.History {
	s.t.Helper()
	history := &historypb.History{}
	events := s.temporal().GetWorkflowHistory(s.t.Context(), id, run, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		e, err := events.Next()
		require.NoError(s.t, err)
		history.Events = append(history.Events, e)
	}
	return history
}

// indented returns a history as JSON that differs between runs only in IDs and
// times.
func indented(t *testing.T, history *historypb.History) []byte {
	t.Helper()
	data, err := protojson.Marshal(history)
	require.NoError(t, err)
	var v any
	require.NoError(t, json.Unmarshal(data, &v)) // protojson varies its whitespace at random
	data, err = json.MarshalIndent(v, "", " ")
	require.NoError(t, err)
	return append(data, '\n')
}

// personal returns identifying data of the customers of [site.sample], in parts that
// no encoding of texts or addresses changes. It may appear only in the store and in
// Dixa.
func personal() []string {
	return []string{
		"kundin", "Wilhelmine", "nspecht", "Zerschellt", "broke into pieces",
		"Heimlichgasse", "15112345", "front.jpg", "back.jpg",
	}
}

// secrets returns the personal data and all credentials.
func (s *site) secrets() []string {
	secrets := append(personal(), dixaToken, s.apiKey, s.keys)
	for _, line := range strings.FieldsFunc(s.keys, func(r rune) bool { return strings.ContainsRune(" ,:\n", r) }) {
		if len(line) > 16 { // a key, not its name
			secrets = append(secrets, line)
		}
	}
	return secrets
}

// requireNothingPersonal checks that data contains no secrets, neither as is nor in
// its base64 texts (JSON payloads, for example) after decoding.
func requireNothingPersonal(t *testing.T, what string, secrets []string, data []byte) {
	t.Helper()
	text := string(data) + "\n" + strings.Join(decoded(data), "\n")
	for _, secret := range secrets {
		if at := strings.Index(text, secret); at >= 0 {
			require.Fail(t, what+" contains "+secret, "… %q …", text[max(0, at-300):min(len(text), at+100)])
		}
	}
}
