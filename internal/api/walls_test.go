package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/internal/api"
)

func TestWalls(t *testing.T) {
	t.Parallel()
	b := newBenchOn(t, "sqlite::memory:", func(o *api.Options) { o.PublicURL = "https://claims.example" })
	b.shop("acme")
	b.shop("other")
	link, err := b.client.CreateWall(t.Context(), "acme", client.NewWall{Name: "Room", Board: "backlog", Query: "period=7"})
	require.NoError(t, err)
	require.Regexp(t, `^https://claims\.example/portal/wall/cfw_[A-Za-z0-9_-]{43}$`, link.URL)
	require.True(t, link.LastUsedAt.IsZero())
	all, err := b.client.Walls(t.Context(), "acme")
	require.NoError(t, err)
	require.Equal(t, []claim.Wall{link.Wall}, all)
	listed := b.send("GET", "/v1/shops/acme/portal-walls", b.key("acme", client.ScopeShopsRead), "")
	require.NotContains(t, listed.text, "cfw_")

	_, err = b.client.CreateWall(t.Context(), "acme", client.NewWall{Name: "Room", Board: "own-nothing"})
	_ = refusal(t, err, http.StatusNotFound, client.CodeNotFound)
	_, err = b.client.CreateWall(t.Context(), "nobody", client.NewWall{Name: "Room", Board: "backlog"})
	_ = refusal(t, err, http.StatusNotFound, client.CodeNotFound)
	for _, bad := range []client.NewWall{{Board: "backlog"}, {Name: " ", Board: "backlog"}, {Name: "x", Board: "luck"}, {Name: "x", Board: "backlog", Query: "a;b"}, {Name: "x", Board: "backlog", Query: strings.Repeat("a", 1001)}} {
		_, err = b.client.CreateWall(t.Context(), "acme", bad)
		_ = refusal(t, err, http.StatusUnprocessableEntity, client.CodeInvalid)
	}
	const body = `{"name":"x","board":"backlog"}`
	path := "/v1/shops/acme/portal-walls"
	require.Equal(t, http.StatusForbidden, b.send("POST", path, b.key("acme", client.ScopeShopsRead, client.ScopeClaimsRead), body).StatusCode)
	require.Equal(t, http.StatusForbidden, b.send("POST", path, b.key("acme", client.ScopeShopsWrite, client.ScopeShopsRead), body).StatusCode, "a link permits no more than its key")
	require.Equal(t, http.StatusForbidden, b.send("DELETE", path+"/"+link.ID, b.key("other", client.ScopeShopsWrite), "").StatusCode)
	_ = refusal(t, b.client.RevokeWall(t.Context(), "other", link.ID), http.StatusNotFound, client.CodeNotFound)

	for i := range claim.MaxWalls - 1 {
		_, err := b.client.CreateWall(t.Context(), "acme", client.NewWall{Name: fmt.Sprint("Room ", i), Board: "claims"})
		require.NoError(t, err)
	}
	_, err = b.client.CreateWall(t.Context(), "acme", client.NewWall{Name: "Room", Board: "backlog"})
	_ = refusal(t, err, http.StatusConflict, client.CodeConflict)
	require.NoError(t, b.client.RevokeWall(t.Context(), "acme", link.ID))
	_ = refusal(t, b.client.RevokeWall(t.Context(), "acme", link.ID), http.StatusNotFound, client.CodeNotFound)
}
