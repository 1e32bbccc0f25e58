package portal_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/internal/api"
)

// A person who enters another shop in another tab does not change it from the first.
func TestFormsOfAnotherShop(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	_, err := b.client.AddShop(t.Context(), client.NewShop{Slug: "other", Name: "Other"})
	require.NoError(t, err)
	p := b.enter(client.NewPortalLink{})
	first := p.get("/portal/rules")
	forms := regexp.MustCompile(`<form [^>]*method="post"[^>]*>`).FindAllString(first.text, -1)
	require.NotEmpty(t, forms)
	const hidden = `<input type="hidden" name="portal_shop" value="acme">`
	require.Equal(t, len(forms), strings.Count(first.text, hidden))
	require.Contains(t, p.stream("/portal/endpoints")(), "event: news")

	link, err := b.client.CreatePortalLink(t.Context(), "other", client.NewPortalLink{Subject: "staff-1"})
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, p.post(link.URL, nil).status)
	for _, path := range []string{"/portal/rules/voice", "/portal/setup/token", "/portal/claims/mend", "/portal/leave"} {
		refused := p.post(path, url.Values{"portal_shop": {"acme"}, "opening": {"outbound"}, "token": {token}})
		require.Equal(t, http.StatusConflict, refused.status, path)
		require.Contains(t, refused.text, "You are in another shop now")
	}
	require.Contains(t, p.get("/portal/live?page=/portal/setup&shop=acme").text, "event: ended")
	require.Equal(t, http.StatusOK, p.post("/portal/setup/token", url.Values{"portal_shop": {"other"}, "token": {token}}).status)
	for slug, connected := range map[string]bool{"acme": false, "other": true} {
		s, err := b.client.Shop(t.Context(), slug)
		require.NoError(t, err)
		require.Equal(t, connected, s.Connection != nil, slug)
	}
}

// What a form that was cut off does not have must not count as emptied.
func TestFormsThatAreCutOff(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(o *api.Options) { o.Mails = true })
	b.connect()
	p := b.enter(client.NewPortalLink{})
	added, err := b.client.AddEndpoint(t.Context(), shop, client.NewEndpoint{
		Kind: claim.EndpointEmail, URL: "mailto:ops@shop.example", Description: "Ops", EventTypes: []string{claim.OutboundTypes()[0]},
	})
	require.NoError(t, err)
	huge := url.Values{"description": {strings.Repeat("x", 3<<20)}}
	for _, path := range []string{"/portal/endpoints/" + added.ID + "/edit", "/portal/endpoints/" + added.ID + "/delete", "/portal/claims/open-skipped"} {
		require.Equal(t, http.StatusUnprocessableEntity, p.post(path, huge).status, path)
	}
	kept, err := b.client.Endpoint(t.Context(), shop, added.ID)
	require.NoError(t, err)
	require.Equal(t, "Ops", kept.Description)
}
