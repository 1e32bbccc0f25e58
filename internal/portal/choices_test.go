package portal_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
)

// Whoever only reads cannot spend the requests that the shop's claims need.
func TestPagesDoNotSpendTheBudget(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connect()
	p := b.enter(client.NewPortalLink{Capabilities: []claim.PortalCapability{}})
	require.Equal(t, http.StatusOK, p.get("/portal/setup").status)
	before := b.dixa.Stats().Requests
	for _, path := range []string{"/portal/setup", "/portal/rules", "/portal/rules/routing", "/portal/setup"} {
		require.Equal(t, http.StatusOK, p.get(path).status)
	}
	require.Equal(t, before, b.dixa.Stats().Requests)
}
