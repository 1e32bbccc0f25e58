package endtoend_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/emulator/server"
)

// trial is one setting of one switch, with its prerequisites.
type trial struct {
	setting any
	// with are other switches that the setting depends on.
	with map[string]any
	// sweeps: webhooks do not report everything, so sweeps find the changes.
	sweeps bool
}

// measured returns the settings to try for switches that take numbers, shares or
// durations. Named settings and booleans are all tried.
func measured() map[string][]trial {
	limited := map[string]any{"limitReading": server.LimitBoth}
	return map[string][]trial{
		"maxTextBytes":            {{setting: 400}},
		"largeContentBytes":       {{setting: 50}},
		"bulkTagDelay":            {{setting: "300ms"}},
		"anonymizationDelay":      {{setting: "1s"}},
		"listLag":                 {{setting: "400ms"}},
		"newConversationLag":      {{setting: "1s"}},
		"endUserListLag":          {{setting: "400ms"}},
		"activityShift":           {{setting: "2s"}, {setting: "-2s"}},
		"defaultPageLimit":        {{setting: 2}},
		"maxPageLimit":            {{setting: 3}, {setting: 3, with: map[string]any{"pageLimitTooLarge": server.Rejected}}},
		"maxAttachmentBytes":      {{setting: 20}},
		"maxAttachments":          {{setting: 1}},
		"attachmentTimeout":       {{setting: "1ns"}},
		"maxNameChars":            {{setting: 12}},
		"maxTagChars":             {{setting: len("claim-accepted")}}, // the other tags are longer
		"maxAttributeChars":       {{setting: 40}},
		"requestsPerDay":          {{setting: 100_000}},
		"exports":                 {{setting: map[string]any{"lag": "1s", "empty": "omitted", "enums": "api"}}},            // none affects the loop
		"analytics":               {{setting: map[string]any{"lag": "1h", "filters": "some", "recordFields": "examples"}}}, // none affects the loop
		"businessHours":           {{setting: map[string]any{"sunday": "0"}}},                                              // none affects the loop
		"knowledge":               {{setting: map[string]any{"collectionPages": "linked"}}},                                // none affects the loop
		"webhooks.logRetention":   {{setting: "1ms", with: map[string]any{"webhooks.lose": 0.5, "webhooks.logLost": true}, sweeps: true}},
		"webhooks.duplicate":      {{setting: 1}},
		"webhooks.reorder":        {{setting: 1, sweeps: true}},
		"webhooks.late":           {{setting: 1}},
		"webhooks.lateBy":         {{setting: "300ms", with: map[string]any{"webhooks.late": 0.5}}},
		"webhooks.lose":           {{setting: 0.5, sweeps: true}, {setting: 1, sweeps: true}},
		"webhooks.attempts":       {{setting: 1}},
		"webhooks.retryDelay":     {{setting: "100ms"}},
		"webhooks.timeout":        {{setting: "30s"}, {setting: "1ns", sweeps: true}},
		"webhooks.disableAfter":   {{setting: 1, with: map[string]any{"webhooks.timeout": "1ns"}, sweeps: true}},
		"webhooks.keptDeliveries": {{setting: 1, with: map[string]any{"webhooks.lose": 0.5, "webhooks.logLost": true}, sweeps: true}},
		// Named settings and booleans that depend on other switches.
		"retryAfter":         {{setting: server.RetryAfterSeconds, with: limited}, {setting: server.RetryAfterDate, with: limited}},
		"limitBody":          {{setting: "empty", with: limited}, {setting: "html", with: limited}},
		"pageLimitTooLarge":  {{setting: server.Rejected, with: map[string]any{"maxPageLimit": 60}}},
		"webhooks.off":       {{setting: true, sweeps: true}},
		"webhooks.logLost":   {{setting: true, with: map[string]any{"webhooks.lose": 0.5}, sweeps: true}},
		"organizationAbsent": {{setting: true}},
	}
}

// trials returns the settings to try, by switch: at least one besides the default
// for each switch of the emulator.
func trials(t *testing.T) map[string][]trial {
	t.Helper()
	all := measured()
	for name, settings := range server.NamedSettings() {
		if all[name] == nil {
			for _, s := range settings[1:] {
				all[name] = append(all[name], trial{setting: s})
			}
		}
	}
	encoded, err := json.Marshal(server.Switches{LimitReading: server.LimitOff}.WithDefaults())
	require.NoError(t, err)
	var defaults map[string]any
	require.NoError(t, json.Unmarshal(encoded, &defaults))
	webhooks, ok := defaults["webhooks"].(map[string]any)
	require.True(t, ok)
	delete(defaults, "webhooks")
	for name, value := range webhooks {
		defaults["webhooks."+name] = value
	}
	for name, value := range defaults {
		if truth, ok := value.(bool); ok && all[name] == nil {
			all[name] = []trial{{setting: !truth}}
		}
		require.NotEmpty(t, all[name], "no setting of switch %s is tested; add one to measured", name)
	}
	return all
}

// switchesOf returns switches with the named ones set.
func switchesOf(t *testing.T, set map[string]any) server.Switches {
	t.Helper()
	document := map[string]any{}
	webhooks := map[string]any{}
	for name, value := range set {
		if inner, ok := strings.CutPrefix(name, "webhooks."); ok {
			webhooks[inner] = value
		} else {
			document[name] = value
		}
	}
	document["webhooks"] = webhooks
	encoded, err := json.Marshal(document)
	require.NoError(t, err)
	var switches server.Switches
	require.NoError(t, json.Unmarshal(encoded, &switches))
	require.NoError(t, switches.Validate())
	return switches
}

// TestLoopUnderEverySetting plays a claim's life under every setting of every switch
// of the emulator. Our side opens the claim with a lost reply, answers it, adds a
// note and changes it. Dixa's side answers, closes, reopens and settles it. Each
// setting has its own shop and Dixa in one deployment.
func TestLoopUnderEverySetting(t *testing.T) {
	t.Parallel()
	s := newSite(t, siteOptions{})
	many := &manyDixas{first: s.dixa, byToken: map[string]*server.Server{}}
	s.gate.next = many
	s.work()
	all := trials(t)
	began := time.Now()
	n := 0
	t.Cleanup(func() {
		t.Logf("the loop under %d settings of %d switches took %s", n, len(all), time.Since(began).Round(time.Second))
	})
	for _, name := range slices.Sorted(maps.Keys(all)) {
		for _, tr := range all[name] {
			n++
			number := n
			t.Run(fmt.Sprintf("%s=%v", name, tr.setting), func(t *testing.T) {
				t.Parallel()
				set := maps.Clone(tr.with)
				if set == nil {
					set = map[string]any{}
				}
				set[name] = tr.setting
				newLoop(t, s, many, number, switchesOf(t, set), tr.sweeps).play()
			})
		}
	}
}

// manyDixas serves many emulated organizations at one address, selected by token.
type manyDixas struct {
	first *server.Server

	mu      sync.Mutex
	byToken map[string]*server.Server
}

func (m *manyDixas) add(token string, dixa *server.Server) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.byToken[token] = dixa
}

func (m *manyDixas) of(token string) *server.Server {
	m.mu.Lock()
	defer m.mu.Unlock()
	if dixa, ok := m.byToken[strings.TrimPrefix(token, "Bearer ")]; ok {
		return dixa
	}
	return m.first
}

func (m *manyDixas) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.of(r.Header.Get("Authorization")).ServeHTTP(w, r)
}

// loop is a shop with its own Dixa.
type loop struct {
	*site
	t      *testing.T
	dixa   *server.Server
	shop   string
	ref    claim.Ref
	sweeps bool
}

func newLoop(t *testing.T, s *site, many *manyDixas, number int, switches server.Switches, sweeps bool) *loop {
	t.Helper()
	token := "token-of-organization-" + fmt.Sprint(number)
	if switches.LimitReading == "" {
		switches.LimitReading = server.LimitOff
	}
	dixa := server.New(server.Options{Token: token, OrganizationID: uuid.NewString(), Switches: switches})
	t.Cleanup(dixa.Close)
	many.add(token, dixa)
	l := &loop{site: s, t: t, dixa: dixa, shop: fmt.Sprintf("shop-%d", number), sweeps: sweeps}
	ctx := t.Context()
	_, err := s.api.AddShop(ctx, client.NewShop{Slug: l.shop, Name: "Acme"})
	require.NoError(t, err)
	_, err = s.api.Connect(ctx, l.shop, token)
	require.NoError(t, err)
	patch, err := json.Marshal(map[string]any{
		"email_integration_id": server.SeedMailbox, "commit_window": "500ms", "list_lag": "500ms", "quiet_period": "1s",
		"default_agent_id": server.SeedAgentAnna, "order_number_attribute": server.SeedAttrOrderNumber, "claim_id_attribute": server.SeedAttrClaimID,
	})
	require.NoError(t, err)
	_, err = s.api.UpdateSettings(ctx, l.shop, patch)
	require.NoError(t, err)
	_, err = s.api.Enable(ctx, l.shop)
	require.NoError(t, err)
	if switches.Webhooks.OtherEvents {
		l.subscribe(token, server.EventNames())
	}
	return l
}

// subscribe changes the events of the subscription, as a person can in Dixa.
func (l *loop) subscribe(token string, events []string) {
	l.t.Helper()
	body, err := json.Marshal(map[string]any{"events": events})
	require.NoError(l.t, err)
	for _, webhook := range l.dixa.State().Webhooks {
		r, err := http.NewRequestWithContext(l.t.Context(), http.MethodPatch, l.dixaURL+"/v1/webhooks/"+webhook.ID, bytes.NewReader(body))
		require.NoError(l.t, err)
		r.Header.Set("Authorization", token)
		r.Header.Set("Content-Type", "application/json")
		answer, err := http.DefaultClient.Do(r)
		require.NoError(l.t, err)
		require.NoError(l.t, answer.Body.Close())
		require.Equal(l.t, http.StatusOK, answer.StatusCode)
	}
}

// Texts written in the loop.
const (
	loopReply    = "We send a new mug today."
	loopNote     = "The carrier knows of it."
	loopChange   = "The saucer is broken, too."
	loopAgent    = "Which color shall it be?"
	loopCustomer = "Blue, please."
)

func (l *loop) play() {
	l.t.Helper()
	ctx := l.t.Context()
	l.dixa.Inject(server.Fault{Operation: "POST /conversations", Kind: server.FaultDropAfter, Times: 1})
	c := l.sample("c-1")
	c.Shop, c.SignatureURL = l.shop, l.photos+"/signature.jpg"
	taken, err := l.api.Submit(ctx, c)
	require.NoError(l.t, err)
	l.ref = taken.Claim.Ref
	l.await("open", func(r claim.Record) bool { return r.ConversationID != 0 && r.State == claim.StateOpen })

	l.send("reply-1", claim.InstructReply, loopReply)
	l.send("note-1", claim.InstructNote, loopNote)
	updated, err := l.api.Update(ctx, l.ref, json.RawMessage(fmt.Sprintf(`{"description": %q}`, c.Description+" "+loopChange)))
	require.NoError(l.t, err)
	l.done(updated.InstructionID)

	l.agent(server.Step{Action: server.PlayClaim}, server.Step{Action: server.PlayReply, Text: loopAgent})
	l.knows(loopAgent)
	l.agent(server.Step{Action: server.PlayClose})
	l.await("closed", func(r claim.Record) bool {
		return r.State == claim.StateClosed || r.State == claim.StateSettled
	})
	l.agent(server.Step{Action: server.PlayReopen})
	l.await("reopened", func(r claim.Record) bool { return r.State == claim.StateOpen })
	require.NoError(l.t, l.dixa.Customer(ctx, server.Step{Action: server.PlayReply, Text: loopCustomer}))
	l.knows(loopCustomer)
	l.agent(server.Step{Action: server.PlayTag, Tag: "claim-accepted"}, server.Step{Action: server.PlayClose})
	l.await("settled as accepted", func(r claim.Record) bool {
		return r.State == claim.StateSettled && r.Status == claim.StatusAccepted
	})

	before := l.messages()
	l.sweep()
	require.Equal(l.t, before, l.messages(), "a sweep must not add known messages")
	l.require()
}

// require checks that Dixa has exactly one conversation and every written text in it
// exactly once.
func (l *loop) require() {
	l.t.Helper()
	state := l.dixa.State()
	require.Len(l.t, state.Conversations, 1, "each claim must have one conversation; requests to Dixa: %v", l.dixa.Stats().Outcomes)
	c := state.Conversations[0]
	if l.dixa.Switches().MaxTagChars == 0 {
		require.Contains(l.t, c.TagNames, "claim-reason-damaged")
	}
	require.Equal(l.t, "10001", c.Attributes[server.SeedAttrOrderNumber])
	var written []string
	for _, m := range c.Messages {
		written = append(written, m.Content.Value)
	}
	for _, n := range c.Notes {
		written = append(written, n.Text)
	}
	all := strings.Join(written, "\n")
	for _, text := range []string{"Zerschellt-Marker", loopReply, loopChange, loopAgent, loopCustomer} {
		found := 0
		for _, m := range c.Messages {
			found += strings.Count(m.Content.Value, text)
		}
		require.Equal(l.t, 1, found, "%q must be in the messages once:\n%s", text, all)
	}
	require.Equal(l.t, 1, strings.Count(all, loopNote), all)
	known := l.messages()
	for _, text := range []string{loopReply, loopNote, loopAgent, loopCustomer} {
		require.Equal(l.t, 1, strings.Count(strings.Join(known, "\n"), text), "%q must be recorded once: %q", text, known)
	}
}

// agent acts as an agent in Dixa, each step at a distinct time.
func (l *loop) agent(steps ...server.Step) {
	l.t.Helper()
	for _, step := range steps {
		require.NoError(l.t, l.dixa.Agent(l.t.Context(), step))
		l.tick()
	}
}

// send requests a reply or a note and waits until it is carried out.
func (l *loop) send(key, kind, text string) {
	l.t.Helper()
	_, err := l.api.Send(l.t.Context(), l.ref, key, client.NewMessage{Kind: kind, Text: text})
	require.NoError(l.t, err)
	l.done(key)
}

func (l *loop) done(key string) {
	l.t.Helper()
	eventually(l.t, "instruction "+key+" is done", func() error {
		in, err := l.api.Instruction(l.t.Context(), l.ref, key)
		if err == nil && in.State != claim.InstructionDone {
			err = fmt.Errorf("got instruction %s %s; requests to Dixa: %v", in.State, in.Why, l.dixa.Stats().Outcomes)
		}
		return err
	})
}

// knows waits until a message of the conversation is recorded.
func (l *loop) knows(text string) {
	l.t.Helper()
	l.eventually("the message "+text+" is recorded", func() error {
		if known := l.messages(); !slices.ContainsFunc(known, func(m string) bool { return strings.Contains(m, text) }) {
			return fmt.Errorf("got messages %q", known)
		}
		return nil
	})
}

// messages returns the texts of all recorded messages and notes.
func (l *loop) messages() []string {
	l.t.Helper()
	var texts []string
	for m, err := range l.api.Messages(l.t.Context(), l.ref) {
		require.NoError(l.t, err)
		texts = append(texts, m.Text)
	}
	return texts
}

func (l *loop) await(what string, is func(claim.Record) bool) {
	l.t.Helper()
	l.eventually("the claim is "+what, func() error {
		detail, err := l.api.Claim(l.t.Context(), l.ref)
		if err == nil && !is(detail.Record) {
			err = fmt.Errorf("got %s %s %s %q; requests to Dixa: %v", detail.State, detail.Status, detail.Cause, detail.LastError, l.dixa.Stats().Outcomes)
		}
		return err
	})
}

// eventually waits, and sweeps meanwhile if webhooks do not report everything.
func (l *loop) eventually(what string, try func() error) {
	l.t.Helper()
	if !l.sweeps {
		eventually(l.t, what, try)
		return
	}
	for range 20 {
		err := try()
		if err == nil {
			return
		}
		l.sweep()
	}
	eventually(l.t, what, try)
}

// sweep sweeps the shop's Dixa once.
func (l *loop) sweep() {
	l.t.Helper()
	asked, err := l.api.Sweep(l.t.Context(), l.shop)
	require.NoError(l.t, err)
	eventually(l.t, "the sweep ends", func() error {
		in, err := l.api.Integration(l.t.Context(), l.shop)
		if err == nil && !asked.EndedBy(in.LastSweep) {
			err = fmt.Errorf("the sweep is running; requests to Dixa: %v", l.dixa.Stats().Outcomes)
		}
		return err
	})
}
