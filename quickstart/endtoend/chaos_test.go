package endtoend_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/emulator/server"
	"github.com/claimflow/claimflow/internal/seal"
	"github.com/claimflow/claimflow/store"
)

const (
	chaosClaims  = 100
	chaosActions = 12 // per claim
)

// Agents and customers act at random in the conversations of a hundred claims.
// Webhooks arrive twice, late or out of order, a fifth of them never, and processes
// are killed and restarted. In the end Dixa, the store, the workflows and the
// claims' owner agree.
func TestAllSidesConverge(t *testing.T) {
	t.Parallel()
	c := newChaos(t)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)

	// A worker in this process is not limited to Dixa's rate.
	stopWorking := c.work()
	for i := range chaosClaims {
		c.submit(c.sample(fmt.Sprint("c-", i)))
	}
	refs := c.awaitAll(claim.StateOpen)
	stopWorking()
	c.begin("worker")
	writes := c.writes()

	c.dixa.SetSwitches(server.Switches{Webhooks: server.WebhookSwitches{
		Duplicate: 0.2, Reorder: 0.2, Late: 0.2, LateBy: server.Duration(time.Second), Lose: 0.2,
		Attempts: 8, RetryDelay: server.Duration(500 * time.Millisecond),
	}})
	stopKilling := c.killAtRandom(rand.New(rand.NewPCG(seed, 1)))
	var people errgroup.Group
	people.SetLimit(8)
	for i, ref := range refs {
		r := c.record(ref)
		people.Go(func() error { return c.act(r.ConversationID, rand.New(rand.NewPCG(seed, uint64(100+i)))) })
	}
	require.NoError(t, people.Wait())
	stopKilling()
	c.dixa.SetSwitches(server.Switches{})
	c.processes["worker"].kill()
	c.work()
	c.sweep()

	for _, ref := range refs {
		c.requireSamePicture(ref)
	}
	require.Equal(t, writes, c.writes(), "events from Dixa must not cause writes to Dixa")
}

// chaos is a Claimflow whose processes are killed at random, with the endpoint of
// its claims' owner.
type chaos struct {
	*site
	owner *owner

	mu        sync.Mutex
	processes map[string]*running
	env       []string
}

func newChaos(t *testing.T) *chaos {
	t.Helper()
	s := &site{t: t, logs: &logBook{}, engine: shared.engine.ClientOptions(), pace: time.Microsecond}
	s.engine.Namespace = newNamespace(t)
	s.database = "sqlite:" + filepath.Join(t.TempDir(), "claimflow.db")
	s.dixa = server.New(server.Options{Token: dixaToken, Limit: server.Limit{Reading: server.LimitOff}})
	t.Cleanup(s.dixa.Close)
	dixa := httptest.NewServer(s.dixa)
	t.Cleanup(dixa.Close)
	s.dixaURL, s.photos = dixa.URL, photoServer(t)
	var err error
	s.keys, err = seal.Generate()
	require.NoError(t, err)
	s.assemble() // for reading the store; none of its parts run

	address := freeAddress(t)
	c := &chaos{site: s, owner: newOwner(t), processes: map[string]*running{}}
	c.env = s.environ("CLAIMFLOW_PUBLIC_URL=http://"+address, "CLAIMFLOW_LISTEN="+address, "CLAIMFLOW_ALLOW_PRIVATE_ENDPOINTS=true", "CLAIMFLOW_PACE=100ms")
	c.begin("starter", "serve")
	s.apiURL = "http://" + address
	_, s.apiKey, err = s.store.APIKeys.Create(t.Context(), claim.NewKey{Name: "test", Scopes: client.Scopes()})
	require.NoError(t, err)
	s.api, err = client.New(s.apiURL, s.apiKey)
	require.NoError(t, err)
	eventually(t, "starter serve responds", func() error {
		_, err := s.api.Shops(t.Context())
		return err
	})
	s.connect(nil)
	made, err := s.api.AddEndpoint(t.Context(), shop, client.NewEndpoint{URL: c.owner.url})
	require.NoError(t, err)
	require.NoError(t, c.owner.trust(made.Secret))
	t.Cleanup(func() {
		if t.Failed() {
			lines := strings.Split(s.logs.String(), "\n")
			lines = slices.DeleteFunc(lines, func(l string) bool {
				return strings.Contains(l, `"level":"debug"`) || strings.Contains(l, `"level":"info"`)
			})
			t.Log(strings.Join(lines[max(0, len(lines)-40):], "\n"))
		}
	})
	return c
}

// begin starts a process that replaces a killed one.
func (c *chaos) begin(name string, args ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.processes[name] = start(c.t, c.logs, c.env, name, args...)
}

// killAtRandom kills and starts processes until the returned function is called.
// After that, all processes run.
func (c *chaos) killAtRandom(r *rand.Rand) (stop func()) {
	ctx, cancel := context.WithCancel(c.t.Context())
	var killer sync.WaitGroup
	killer.Go(func() {
		for ctx.Err() == nil {
			select {
			case <-ctx.Done():
				return
			case <-time.After(time.Duration(300+r.IntN(1500)) * time.Millisecond):
			}
			name, args := "worker", []string(nil)
			if r.IntN(2) == 0 {
				name, args = "starter", []string{"serve"}
			}
			c.mu.Lock()
			p := c.processes[name]
			c.mu.Unlock()
			p.kill()
			c.begin(name, args...)
		}
	})
	return func() { cancel(); killer.Wait() }
}

// act lets agents and customers act at random in a conversation.
func (c *chaos) act(conversation int64, r *rand.Rand) error {
	tags := []string{"claim-accepted", "claim-rejected", "vip"}
	untag := "" // a tag that exists in Dixa
	for i := range chaosActions {
		tag := tags[r.IntN(len(tags))]
		agent := []server.Step{
			{Action: server.PlayClaim},
			{Action: server.PlayReply, Text: fmt.Sprint("reply ", i)},
			{Action: server.PlayTag, Tag: tag},
			{Action: server.PlayUntag, Tag: untag},
			{Action: server.PlayNote, Text: fmt.Sprint("note ", i)},
			{Action: server.PlayClose},
			{Action: server.PlayReopen},
			{Action: server.PlayPending},
			{Action: server.PlayUnassign},
			{Action: server.PlayClose},
		}
		customer := []server.Step{{Action: server.PlayReply, Text: fmt.Sprint("answer ", i)}, {Action: server.PlayRate, Score: 1 + r.IntN(5)}}
		var err error
		if n := r.IntN(len(agent) + len(customer)); n < len(agent) {
			step := agent[n]
			step.Conversation = conversation
			switch {
			case step.Action == server.PlayTag:
				untag = step.Tag
			case step.Action == server.PlayUntag && untag == "":
				continue
			}
			err = c.dixa.Agent(c.t.Context(), step)
		} else {
			step := customer[n-len(agent)]
			step.Conversation = conversation
			err = c.dixa.Customer(c.t.Context(), step)
		}
		if err != nil {
			return err
		}
		select { // people pause between actions
		case <-c.t.Context().Done():
		case <-time.After(time.Duration(2+r.IntN(60)) * time.Millisecond):
		}
	}
	return nil
}

func (c *chaos) writes() int { return c.dixa.Stats().Writes() }

func (c *chaos) awaitAll(state claim.State) []claim.Ref {
	c.t.Helper()
	var refs []claim.Ref
	eventually(c.t, "every claim is "+string(state), func() error {
		records, _, err := c.store.Claims.List(c.t.Context(), store.ClaimFilter{Shop: shop, States: []claim.State{state}, Limit: 500})
		if err != nil {
			return err
		}
		refs = nil
		for _, r := range records {
			refs = append(refs, r.Ref)
		}
		if len(refs) < chaosClaims {
			return fmt.Errorf("got %d claims", len(refs))
		}
		return nil
	})
	return refs
}

// requireSamePicture compares Dixa's view of a claim's conversation with the views
// of the store, the workflow and the owner.
func (c *chaos) requireSamePicture(ref claim.Ref) {
	c.t.Helper()
	truth := map[string]claim.State{server.StateOpen: claim.StateOpen, server.StatePending: claim.StatePending, server.StateClosed: claim.StateClosed}
	eventually(c.t, "claim "+ref.ID+" matches Dixa", func() error {
		r, err := c.store.Claims.Record(c.t.Context(), ref)
		if err != nil {
			return err
		}
		dixa := c.conversation(r.ConversationID)
		known, err := c.store.Conversations.Get(c.t.Context(), ref)
		if err != nil {
			return err
		}
		settings := claim.DefaultSettings()
		want := settings.EvaluateStatus(truth[dixa.State], &claim.Conversation{Tags: dixa.TagNames})
		if r.State != truth[dixa.State] || r.Status != want.Status {
			return fmt.Errorf("got %s, %s, want %s, %s", r.State, r.Status, truth[dixa.State], want.Status)
		}
		tags := slices.Sorted(slices.Values(dixa.TagNames))
		if !slices.Equal(tags, known.Tags) {
			return fmt.Errorf("got tags %v, want %v", known.Tags, tags)
		}
		assignee := ""
		if known.Assignee != nil {
			assignee = known.Assignee.ID
		}
		if assignee != dixa.AssigneeID {
			return fmt.Errorf("got agent %q, want %q", assignee, dixa.AssigneeID)
		}
		var have, there []string
		messages, err := c.store.Conversations.Messages(c.t.Context(), ref, store.MessageFilter{Limit: 500})
		if err != nil {
			return err
		}
		for _, m := range messages {
			have = append(have, m.ID)
		}
		for _, m := range dixa.Messages {
			there = append(there, m.ID)
		}
		for _, n := range dixa.Notes {
			there = append(there, n.ID)
		}
		slices.Sort(have)
		slices.Sort(there)
		if !slices.Equal(have, there) {
			return fmt.Errorf("got %d messages and notes, want %d", len(have), len(there))
		}
		if err := c.workflowShows(ref, r.State); err != nil {
			return err
		}
		return c.owner.sees(r)
	})
}

func (c *chaos) conversation(id int64) *server.Conversation {
	for _, conversation := range c.dixa.State().Conversations {
		if conversation.ID == id {
			return conversation
		}
	}
	return &server.Conversation{}
}

// workflowShows compares a claim's state with what operators see in the Temporal UI.
func (c *chaos) workflowShows(ref claim.Ref, state claim.State) error {
	d, err := c.temporal().DescribeWorkflowExecution(c.t.Context(), ref.WorkflowID(), "")
	if err != nil {
		return err
	}
	shown := string(d.GetWorkflowExecutionInfo().GetSearchAttributes().GetIndexedFields()[claim.AttributeState].GetData())
	if shown != `"`+string(state)+`"` {
		return fmt.Errorf("the workflow shows %s, want %s", shown, state)
	}
	return nil
}

// owner is the endpoint of the claims' owner.
type owner struct {
	url string

	mu       sync.Mutex
	verifier *standardwebhooks.Webhook
	last     map[string]claim.NoticeData
	wrong    error
}

func newOwner(t *testing.T) *owner {
	t.Helper()
	o := &owner{last: map[string]claim.NoticeData{}}
	s := httptest.NewServer(o)
	t.Cleanup(s.Close)
	o.url = s.URL
	return o
}

func (o *owner) trust(secret string) (err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.verifier, err = standardwebhooks.NewWebhook(secret)
	return err
}

func (o *owner) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	defer o.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	if err == nil {
		err = o.verifier.Verify(body, r.Header)
	}
	var notice claim.Notice
	if err == nil {
		err = json.Unmarshal(body, &notice)
	}
	if err == nil {
		err = o.take(notice.Data)
	}
	o.wrong = errors.Join(o.wrong, err)
}

// take receives the next event of a claim. The last one may be repeated: its answer
// may be lost with the process that waited for it.
func (o *owner) take(n claim.NoticeData) error {
	have := o.last[n.ID].Sequence
	switch n.Sequence {
	case have:
		return nil
	case have + 1:
		o.last[n.ID] = n
		return nil
	}
	return fmt.Errorf("claim %s: event %d arrived after event %d", n.ID, n.Sequence, have)
}

// sees compares the owner's last view of a claim with the claim.
func (o *owner) sees(r claim.Record) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	last := o.last[r.ID]
	if last.State != r.State || last.Status != r.Status {
		return errors.Join(o.wrong, fmt.Errorf("the owner has %s, %s after event %d, want %s, %s", last.State, last.Status, last.Sequence, r.State, r.Status))
	}
	return o.wrong
}
