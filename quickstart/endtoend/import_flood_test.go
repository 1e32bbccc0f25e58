package endtoend_test

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/emulator/server"
)

// besideClaims is the number of claims of the flood.
const besideClaims = 200

// Claims open as fast beside an import as without one, although the import reads
// conversation by conversation with the same token, and Dixa refuses nothing. It
// measures for four minutes, so it runs only if CLAIMFLOW_MEASURE is set.
func TestClaimsOpenAsFastBesideAnImport(t *testing.T) { //nolint:paralleltest // it is about a rate
	if os.Getenv("CLAIMFLOW_MEASURE") == "" {
		t.Skip("measures for four minutes; set CLAIMFLOW_MEASURE=1 to run it")
	}
	alone, _ := openFlood(t, false)
	beside, read := openFlood(t, true)
	t.Logf("%d claims: %v without an import, %v beside one that read %d rows meanwhile; ratio %.2f",
		besideClaims, alone.Round(time.Millisecond), beside.Round(time.Millisecond), read, alone.Seconds()/beside.Seconds())
	require.GreaterOrEqual(t, alone.Seconds()/beside.Seconds(), 0.95)
}

// openFlood returns how long a flood of claims takes to open, and how many rows the
// import read meanwhile: few or none, because it takes nothing while a claim waits. It
// fails if the import does not go on after the flood.
func openFlood(t *testing.T, importing bool) (took time.Duration, read int) {
	t.Helper()
	s := newSite(t, siteOptions{limit: server.Limit{Reading: server.LimitBoth}, pace: 104 * time.Millisecond})
	connection := s.connection()
	stop := s.work()
	defer stop()
	if importing {
		require.NoError(t, s.dixa.Fill(t.Context(), server.FillOptions{Conversations: 2000, Seed: 3, Until: time.Now(), Span: 20 * 24 * time.Hour}))
		for _, operation := range []string{"GET /exports/v1/conversation_export", "GET /exports/v1/message_export"} {
			s.dixa.Inject(server.Fault{Operation: operation, Kind: server.FaultStatus, Status: 401})
		}
		_, err := s.api.CreateDataSource(t.Context(), connection, claim.DataSource{Title: "Everything", From: time.Now().AddDate(0, 0, -25)})
		require.NoError(t, err)
		s.startImport(connection, claim.ImportRequest{})
		eventually(t, "the import reads conversations", func() error {
			if i := s.importProgress(connection); i.Read < 50 {
				return fmt.Errorf("%d rows", i.Read)
			}
			return nil
		})
	}
	before := 0
	if importing {
		before = s.importProgress(connection).Read
	}
	began := time.Now()
	g, ctx := errgroup.WithContext(t.Context())
	g.SetLimit(20)
	for n := range besideClaims {
		g.Go(func() error {
			_, err := s.api.Submit(ctx, s.sample(fmt.Sprintf("flood-%d", n)))
			return err
		})
	}
	require.NoError(t, g.Wait())
	eventually(t, "every claim is open", func() error {
		status, err := s.api.Shop(t.Context(), shop)
		if err != nil {
			return err
		}
		if status.Counts[claim.StateOpen] < besideClaims {
			return fmt.Errorf("claims: %v", status.Counts)
		}
		return nil
	})
	took = time.Since(began)
	require.Zero(t, s.dixa.Stats().Refused, "Dixa must refuse no request")
	if !importing {
		return took, 0
	}
	after := s.importProgress(connection).Read
	eventually(t, "the import goes on after the flood", func() error {
		if i := s.importProgress(connection); i.Read == after {
			return fmt.Errorf("%d rows", i.Read)
		}
		return nil
	})
	return took, after - before
}
