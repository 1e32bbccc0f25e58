package unify_test

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/internal/todixa/connection"
	"github.com/claimflow/claimflow/store"
	"github.com/claimflow/claimflow/unified"
)

// A list of Dixa that was read before a write is neither kept nor shared after it.
func TestReadsAfterAWriteSeeIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	var lists atomic.Int64
	held, release := make(chan struct{}), make(chan struct{})
	answer := sync.OnceFunc(func() { close(release) })
	host := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1/tags" || lists.Add(1) > 1 {
			w.dixa.ServeHTTP(rw, r)
			return
		}
		early := httptest.NewRecorder()
		w.dixa.ServeHTTP(early, r)
		close(held)
		<-release
		rw.Header().Set("Content-Type", early.Header().Get("Content-Type"))
		_, _ = rw.Write(early.Body.Bytes())
	}))
	t.Cleanup(host.Close)
	w.service.Clients = connection.New(w.store, connection.Options{
		BaseURL: host.URL + "/v1/", Limits: store.BudgetLimits{Interval: time.Microsecond, MaxWait: time.Second},
	})
	named := func() []map[string]any { return w.list("tags", "name=brand%20new").Result }

	before := make(chan int, 1)
	go func() { before <- len(named()) }()
	<-held
	_, err := w.client().Tags.Create(t.Context(), dixa.TagInput{Name: "brand new", Color: "#ff8800"})
	require.NoError(t, err)
	w.service.Forget(w.account)
	giveUp := time.AfterFunc(10*time.Second, answer) // a read that waits for the held one
	defer giveUp.Stop()
	require.Len(t, named(), 1, "a read after the write was answered by one before it")
	answer()
	require.Zero(t, <-before)
	require.Len(t, named(), 1, "what was read before the write was kept")
}

// The ids of entries are no parameters of lists.
func TestIDsAreNotTakenForLists(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	w.mirror()
	require.NotEmpty(t, w.list("users", "live=true").Result) // lists teams with their members
	_, err := w.service.Get(t.Context(), w.account, "ticketing", "teams", "members", "")
	var e *unified.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, http.StatusNotFound, e.StatusCode)
}
