package endtoend_test

import (
	"fmt"
	"net/http"
	"sync"
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
	s.await(refs[0], "opening while the shared token is detected", func(claim.Record) bool {
		in, err := s.api.Integration(t.Context(), shop)
		return err == nil && in.TokenShare != nil && in.TokenShare.PerSecond < 9
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
	sent := 0
	group.Go(func() {
		tick := time.NewTicker(time.Second / 9)
		defer tick.Stop()
		for {
			select {
			case <-end:
				return
			case <-tick.C:
			}
			req, err := http.NewRequest(http.MethodGet, s.dixaURL+"/v1/organization", nil)
			if err != nil {
				return
			}
			req.Header.Set("Authorization", dixaToken)
			if r, err := http.DefaultClient.Do(req); err == nil {
				_ = r.Body.Close() // the response does not matter
				sent++
			}
		}
	})
	stop = sync.OnceValue(func() int {
		close(end)
		group.Wait()
		return sent
	})
	s.t.Cleanup(func() { stop() })
	return stop
}
