package api_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// account returns the id of a connected shop's account.
func (b *bench) account(slug string) string {
	b.t.Helper()
	shop, err := b.client.Shop(b.t.Context(), slug)
	require.NoError(b.t, err)
	require.NotNil(b.t, shop.Connection)
	return shop.Connection.ID
}

// in returns an address with the parameter that names an account.
func in(path, account string) string {
	separator := "?"
	if strings.Contains(path, "?") {
		separator = "&"
	}
	return path + separator + "integrated_account_id=" + url.QueryEscape(account)
}

func TestProxyPassesAReadOn(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connected("acme")
	r := b.send("GET", in("/proxy/organization", b.account("acme")), b.secret, "")
	require.Equal(t, http.StatusOK, r.StatusCode, r.text)
	require.Contains(t, r.text, "Demo Shop")
	require.Equal(t, "dixa", r.Header.Get("X-Claimflow-Source"))
}
