package activities_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/activities"
	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/emulator/server"
	"github.com/claimflow/claimflow/internal/fromdixa/subscription"
	"github.com/claimflow/claimflow/store"
)

// letters are Dixa's events on their way to the receiver.
type letters struct {
	mu   sync.Mutex
	open []string
	came int
}

// subscribe collects the events of the organization.
func (b *importBench) subscribe() *letters {
	b.Helper()
	l := &letters{}
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		l.open = append(l.open, string(body))
	}))
	b.Cleanup(receiver.Close)
	err := subscription.New(b.store.Subscriptions, b.imports.Clients, receiver.URL).Ensure(b.Context(), b.connection, func(context.Context) error { return nil })
	require.NoError(b, err)
	return l
}

// deliver brings some of the events, in any order: some are lost, some come twice, the
// others later.
func (b *importBench) deliver(l *letters, chance *rand.Rand, share float64) {
	b.Helper()
	b.dixa.Settle()
	require.NoError(b, b.dixa.FlushDeliveries(b.Context()))
	l.mu.Lock()
	chance.Shuffle(len(l.open), func(i, j int) { l.open[i], l.open[j] = l.open[j], l.open[i] })
	var now []string
	l.open = slices.DeleteFunc(l.open, func(body string) bool {
		switch at := chance.Float64(); {
		case at < 0.2: // lost
			return true
		case at < 0.2+0.8*share:
			now = append(now, body)
			return chance.Float64() < 0.8 // the others come again
		}
		return false
	})
	l.came += len(now)
	l.mu.Unlock()
	for _, body := range now {
		event, err := dixa.ParseEvent([]byte(body))
		require.NoError(b, err)
		e := store.DixaEvent{
			ID: event.ID, Name: string(event.Name), HappenedAt: event.Timestamp.Time, Body: []byte(body),
			Organization: store.Organization{ID: event.Organization.ID},
		}
		if c, ok := event.Conversation(); ok {
			e.ConversationID = c.ID
		}
		_, err = b.store.Inbox.Receive(b.Context(), b.connection, e)
		require.NoError(b, err)
	}
	for more := true; more; {
		var err error
		more, err = b.store.Inbox.Join(b.Context(), 1000)
		require.NoError(b, err)
	}
}

// write opens a conversation.
func (b *importBench) write(ctx context.Context, n int) {
	b.Helper()
	client, err := b.imports.Clients.Client(ctx, b.connection)
	require.NoError(b, err)
	customer, err := client.EndUsers.Create(ctx, dixa.EndUserInput{DisplayName: "A customer", Email: fmt.Sprintf("customer%d@example.org", n)})
	require.NoError(b, err)
	body, err := json.Marshal(map[string]any{
		"_type": "Chat", "widgetId": server.SeedWidget, "requesterId": customer.ID,
		"message": map[string]any{"_type": "Inbound", "content": map[string]any{"_type": "Text", "value": "Hello"}, "attachments": []any{}},
	})
	require.NoError(b, err)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, b.host+"/v1/conversations", bytes.NewReader(body))
	require.NoError(b, err)
	r.Header.Set("Authorization", "demo-token")
	answer, err := http.DefaultClient.Do(r)
	require.NoError(b, err)
	require.NoError(b, answer.Body.Close())
	require.Equal(b, http.StatusCreated, answer.StatusCode)
}

// happen performs random actions of agents and customers.
func (b *importBench) happen(chance *rand.Rand, n int) {
	b.Helper()
	ctx := b.Context()
	ids := b.ids()
	for i := range n {
		id := ids[chance.IntN(len(ids))]
		step := server.Step{Conversation: id}
		agent := true
		switch chance.IntN(12) {
		case 0:
			step.Action = server.PlayClaim
		case 1:
			step.Action, step.Text = server.PlayReply, "Reply"
		case 2, 3:
			step.Action, step.Tag = server.PlayTag, fmt.Sprintf("tag-%d", chance.IntN(3))
		case 4:
			step.Action, step.Tag = server.PlayUntag, fmt.Sprintf("tag-%d", chance.IntN(3))
		case 5:
			step.Action = server.PlayClose
		case 6:
			step.Action = server.PlayReopen
		case 7:
			step.Action, step.Queue = server.PlayTransfer, server.SeedQueueClaims
		case 8:
			step.Action, step.Text, agent = server.PlayReply, "Question", false
		case 9:
			step.Action, step.Score, agent = server.PlayRate, 1+chance.IntN(5), false
		case 10:
			step.Action = server.PlayPending
		case 11:
			b.write(ctx, chance.IntN(1_000_000_000)+i)
			continue
		}
		play := b.dixa.Customer
		if agent {
			play = b.dixa.Agent
		}
		_ = play(ctx, step) // some steps are impossible in some states
	}
}

// sweep reads the newest part of the log as the sweep does.
func (b *importBench) sweep() {
	b.Helper()
	sweeps := &activities.Sweeps{Store: b.store, Clients: b.imports.Clients}
	env := b.environment(b.Context(), false)
	env.RegisterActivity(sweeps)
	_, err := env.ExecuteActivity(sweeps.ReadActivityLog, activities.PageInput{ConnectionID: b.connection, From: time.Now().Add(-time.Minute), To: time.Now()})
	require.NoError(b, err)
}

// Events that are lost, doubled, late and out of order while an import runs and sweeps
// read the log: after one more import, rows and figures are those of a fresh import.
func TestEverythingConverges(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			chance := rand.New(rand.NewPCG(seed, 7))
			switches := server.Switches{TimePrecision: "millis"}
			if seed%2 == 1 {
				switches.Exports = server.ExportSwitches{Bounds: "exclusive", Empty: "omitted", Enums: "upper", Reopened: "cleared"}
			}
			b := newImportBench(t, 6, switches, 3*24*time.Hour)
			post := b.subscribe()
			b.everything()
			for range 2 {
				i := b.plan(claim.ImportRequest{})
				for _, w := range b.waiting(i) {
					b.happen(chance, 6)
					b.deliver(post, chance, 0.5)
					b.finish(i, w)
					if chance.IntN(2) == 0 {
						b.sweep()
					}
				}
				b.happen(chance, 4)
				b.end(i)
				b.deliver(post, chance, 0.5)
			}
			b.dixa.Settle()
			b.deliver(post, chance, 1)
			b.importAll(claim.ImportRequest{})
			b.deliver(post, chance, 1) // even later
			require.Greater(t, post.came, 30, "events that were received")
			b.requireTruth(true)
			clean := b.fresh()
			clean.everything()
			clean.importAll(claim.ImportRequest{})
			clean.requireTruth(true)
			b.requireSame(clean)
			if seed == 0 {
				now := time.Now()
				requireEqualKPIs(t, clean.oracle(), b.store.Mirror.Figures(b.connection), now.AddDate(0, 0, -5), now)
			}
		})
	}
}
