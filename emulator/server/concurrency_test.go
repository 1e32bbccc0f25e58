package server_test

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/emulator/server"
)

// Many clients at once create one end user per address and one conversation per key.
func TestConcurrentCreates(t *testing.T) {
	t.Parallel()
	hook := receive(t)
	d := start(t, server.Options{Tokens: []string{"other"}})
	d.subscribe(hook.url, object{"events": []string{"ConversationCreated"}})
	requester := d.customer("first@example.org")
	var users, conversations atomic.Int32
	var clients sync.WaitGroup
	for i := range 40 {
		clients.Go(func() {
			user, err := d.send(http.MethodPost, "/endusers", object{"email": fmt.Sprintf("user%d@example.org", i%5)})
			if err == nil && user.status == http.StatusCreated {
				users.Add(1)
			}
			conversation, err := d.send(http.MethodPost, "/conversations", mail(requester, fmt.Sprint("key", i%10)))
			if err == nil && conversation.status == http.StatusCreated {
				conversations.Add(1)
			}
			_, _ = d.send(http.MethodPost, "/conversations/1001/tags/bulk", object{"data": []object{{"name": fmt.Sprint(i % 3)}}})
			_ = d.State()
			_ = d.Stats()
		})
	}
	clients.Wait()
	d.Settle()
	d.flush()
	require.EqualValues(t, 5, users.Load())
	require.EqualValues(t, 10, conversations.Load())
	state := d.State()
	require.Len(t, state.Conversations, 10)
	require.Len(t, state.Conversations[0].TagIDs, 3)
	require.Len(t, hook.names(), 10)
	ids := map[string]bool{}
	for _, entry := range state.Activity {
		ids[entry.ID] = true
	}
	require.Len(t, ids, len(state.Activity))
}

func TestCloseStopsDeliveries(t *testing.T) {
	t.Parallel()
	hook := receive(t)
	d := start(t, server.Options{})
	d.subscribe(hook.url, nil)
	d.Close()
	d.Close()
	d.open(d.customer("a@example.org"))
	require.Empty(t, hook.names())
}
