package api_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/store"
)

// The claims of two shops on one connection stay apart in every figure that a key of a shop
// can ask for: before the other shop comes, while it is there and after it has left. What
// cannot be divided by shop is refused once the connection was shared, until the other shop
// is deleted.
func TestShopsOfOneOrganizationStayApart(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	id := b.connection("acme")
	source := b.source(id, claim.DataSource{Title: "all"})
	b.shop("other")
	base := "/v1/connections/" + id
	const opened = 7
	for i, of := range []struct {
		shop, claim, reason, cause string
	}{
		{"acme", "a-1", "damaged", ""},
		{"acme", "a-2", "not_received", "outcome_unknown"},
		{"other", "o-1", "damaged", ""},
		{"other", "o-2", "secret_reason", "refused_by_dixa"},
		{"other", "o-3", "damaged", "outcome_unknown"},
	} {
		ref := b.claimOf(of.shop, of.claim, of.reason)
		require.NoError(t, b.store.Links.Create(t.Context(), store.LinkInput{Ref: ref, ConnectionID: id, ConversationID: int64(opened + i)}))
		if of.cause != "" {
			_, err := b.store.Claims.Change(t.Context(), ref, claim.EventPark, store.ClaimUpdate{Cause: claim.Cause(of.cause)})
			require.NoError(t, err)
		}
	}
	keyed := func(shop string) string {
		return b.key(shop, client.ScopeShopsRead, client.ScopeShopsWrite, client.ScopeClaimsRead, client.ScopeUnifiedRead, client.ScopeProxy)
	}
	acme, other, platform := keyed("acme"), keyed("other"), b.key("", client.ScopeClaimsRead)
	count := func(key, figure string) (n int) {
		t.Helper()
		r := b.send("GET", base+"/kpis/"+figure, key, "")
		require.Equal(t, http.StatusOK, r.StatusCode, r.text)
		var result client.KPIResult
		require.NoError(t, json.Unmarshal([]byte(r.text), &result))
		for _, s := range result.Series {
			for _, bucket := range s.Buckets {
				n += bucket.Count
			}
		}
		return n
	}
	ownOnly := func() {
		t.Helper()
		for figure, want := range map[string]int{
			"claim_volume?bucket=none": 2, "claim_volume?bucket=day&by=reason": 2, "claim_volume?bucket=none&by=shop": 2,
			"claim_volume?bucket=none&filter=shop:other": 0, "claim_volume?bucket=none&filter=reason:secret_reason": 0,
			"claim_parkings?bucket=none": 1, "claim_parkings?bucket=none&by=cause": 1,
			"claim_repeat_share?bucket=none": 2,
		} {
			require.Equal(t, want, count(acme, figure), figure)
		}
		for _, figure := range []string{"claim_volume?bucket=none&by=reason", "claim_parkings?by=cause&bucket=none", "claim_volume?bucket=none&by=shop&format=csv"} {
			r := b.send("GET", base+"/kpis/"+figure, acme, "")
			require.NotContains(t, r.text, "secret", figure)
			require.NotContains(t, r.text, "refused_by_dixa", figure)
			require.NotContains(t, r.text, "other", figure)
		}
		require.Equal(t, http.StatusOK, b.send("GET", base+"/kpis/claim_volume/verification", acme, "").StatusCode)
		behind := b.send("GET", base+"/kpis/claim_volume/behind?bucket=none", acme, "")
		require.Equal(t, http.StatusOK, behind.StatusCode, behind.text)
		require.Equal(t, 2, strings.Count(behind.text, `"shop":"acme"`), behind.text)
		require.NotContains(t, behind.text, `"other"`)
	}
	undivided := []string{
		base + "/kpis/conversation_volume", base + "/kpis/conversation_volume/behind", base + "/kpis/conversation_volume/verification", base + "/sources", base + "/sources/" + source.ID + "/records",
		base + "/imports", base + "/exports-token", in("/unified/ticketing/tickets", id) + "&truto_ignore_remote_data=true", in("/unified/ticketing/comments", id) + "&ticket_id=9",
		in("/proxy/organization", id), "/integrated-account/" + id,
	}
	status := func(key, path string) int { return b.send("GET", path, key, "").StatusCode }
	hook := `{"url": "https://owner.example/hook", "event_types": ["record:created"]}`
	apart := func() {
		t.Helper()
		ownOnly()
		for _, path := range undivided {
			require.Equal(t, http.StatusForbidden, status(acme, path), path)
		}
		list := b.send("GET", base+"/kpis", acme, "")
		require.Equal(t, http.StatusOK, list.StatusCode)
		require.Contains(t, list.text, "claim_volume")
		require.NotContains(t, list.text, "conversation_volume")
		require.NotContains(t, b.send("GET", "/integrated-account", acme, "").text, id)
		require.Equal(t, http.StatusUnprocessableEntity, b.send("POST", endpointAt("acme"), acme, hook).StatusCode)
		require.Contains(t, b.send("GET", "/v1/shops/acme", acme, "").text, `"shared":true`)
		require.Equal(t, 5, count(platform, "claim_volume?bucket=none"), "a platform key sees all")
	}
	whole := func() {
		t.Helper()
		ownOnly()
		for _, path := range undivided {
			require.NotContains(t, []int{http.StatusForbidden, http.StatusUnauthorized}, status(acme, path), path)
		}
		require.Contains(t, b.send("GET", base+"/kpis", acme, "").text, "conversation_volume")
		require.Contains(t, b.send("GET", "/v1/shops/acme", acme, "").text, `"shared":false`)
	}

	whole()
	require.Equal(t, http.StatusForbidden, status(other, base+"/kpis/claim_volume"), "it does not use the connection")
	require.Equal(t, http.StatusForbidden, status(other, base+"/kpis"))

	_, err := b.client.Connect(t.Context(), "other", token)
	require.NoError(t, err)
	apart()
	require.Equal(t, 3, count(other, "claim_volume?bucket=none"))

	require.NoError(t, b.store.Connections.RemoveToken(t.Context(), "other"))
	apart()
	require.Equal(t, http.StatusForbidden, status(other, base+"/kpis/claim_volume"))

	require.NoError(t, b.client.DeleteShop(t.Context(), "other"))
	whole()
}

// claimOf submits a claim of a shop with a reason.
func (b *bench) claimOf(shop, id, reason string) claim.Ref {
	b.t.Helper()
	_, err := b.client.Submit(b.t.Context(), &claim.Claim{
		ID: id, Shop: shop, Reason: reason, Customer: claim.Customer{Email: "ada@customer.example", FirstName: "Ada", LastName: "Lovelace"},
		Order: claim.Order{Number: "1"}, Items: []claim.Item{{SKU: "VASE-1", Quantity: 1}},
	})
	require.NoError(b.t, err)
	return claim.Ref{Shop: shop, ID: id}
}
