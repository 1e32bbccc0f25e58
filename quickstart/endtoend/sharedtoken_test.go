package endtoend_test

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/emulator/server"
	"github.com/claimflow/claimflow/store"
)

// Another program uses nine of the token's ten requests.
func TestClaimsOpenDespiteSharedToken(t *testing.T) {
	t.Parallel()
	s := newSite(t, siteOptions{limit: server.Limit{Reading: server.LimitBoth}, pace: store.DefaultInterval})
	s.work()
	stop := s.otherProgram()
	began := time.Now()
	var refs []claim.Ref
	for i := range 3 {
		refs = append(refs, s.submit(s.sample(fmt.Sprintf("c-%d", i))))
	}
	eventually(t, "the shared token is detected", func() error {
		in, err := s.api.Integration(t.Context(), shop)
		if err != nil || in.TokenShare != nil && in.TokenShare.PerSecond < 9 {
			return err
		}
		if s.record(refs[len(refs)-1]).State == claim.StateOpen && len(refs) < 20 { // only requests are refused
			refs = append(refs, s.submit(s.sample(fmt.Sprintf("c-%d", len(refs)))))
		}
		return fmt.Errorf("not with %d claims", len(refs))
	})
	for _, ref := range refs {
		s.awaitState(ref, claim.StateOpen)
		t.Logf("%s opened after %s", ref.ID, time.Since(began).Round(time.Second))
	}
	other := stop()
	stats := s.dixa.Stats()
	t.Logf("Dixa received %d requests, %d of them from the other program, and refused %d", stats.Requests, other, stats.Refused)
	require.Len(t, s.dixa.State().Conversations, len(refs), "each claim must have one conversation")
}

// otherProgram reads nine times a second with the site's token until stopped; stop
// returns the number of reads.
func (s *site) otherProgram() (stop func() int) {
	s.t.Helper()
	var group sync.WaitGroup
	end := make(chan struct{})
	var sent atomic.Int64
	read := func() {
		req, err := http.NewRequest(http.MethodGet, s.dixaURL+"/v1/organization", nil)
		if err != nil {
			return
		}
		req.Header.Set("Authorization", dixaToken)
		if r, err := http.DefaultClient.Do(req); err == nil {
			_ = r.Body.Close() // the response does not matter
			sent.Add(1)
		}
	}
	group.Go(func() {
		for next := time.Now(); ; next = next.Add(time.Second / 9) {
			select {
			case <-end:
				return
			case <-time.After(time.Until(next)): // a slow read delays no other
				group.Go(read)
			}
		}
	})
	stop = sync.OnceValue(func() int {
		close(end)
		group.Wait()
		return int(sent.Load())
	})
	s.t.Cleanup(func() { stop() })
	return stop
}
