package api_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/internal/api"
)

// A link is only made where the portal can be used.
func TestPortalNeedsASuitableAddress(t *testing.T) {
	t.Parallel()
	for public, want := range map[string]string{
		"http://claims.example":       "needs https",
		"":                            "needs https",
		"https://claims.example/deep": "without a path",
	} {
		b := newBenchOn(t, "sqlite::memory:", func(o *api.Options) { o.PublicURL = public })
		b.shop("acme")
		_, err := b.client.CreatePortalLink(t.Context(), "acme", client.NewPortalLink{Subject: "x"})
		require.Contains(t, refusal(t, err, http.StatusConflict, client.CodeConflict).Detail, want, public)
		_, err = b.client.CreateWall(t.Context(), "acme", client.NewWall{Name: "Room", Board: "overview"})
		require.Contains(t, refusal(t, err, http.StatusConflict, client.CodeConflict).Detail, want, public)
	}
	for _, public := range []string{"https://claims.example", "https://claims.example/", "http://localhost:8080"} {
		b := newBenchOn(t, "sqlite::memory:", func(o *api.Options) { o.PublicURL = public })
		b.shop("acme")
		link, err := b.client.CreatePortalLink(t.Context(), "acme", client.NewPortalLink{Subject: "x"})
		require.NoError(t, err)
		require.Regexp(t, `^`+public+`/*portal/enter/cfl_`, link.URL)
		require.NotContains(t, link.URL, "//portal")
	}
}
