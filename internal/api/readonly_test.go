package api_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
)

// No API request writes to the Dixa of a read-only shop. A request that would only
// write is rejected before any request to Dixa.
func TestReadOnlyShop(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connected("acme")
	ctx := t.Context()
	_, err := b.client.UpdatePlatformSettings(ctx, json.RawMessage(`{"read_only": true}`))
	require.NoError(t, err)

	asked := dixaRequests(b)
	r := b.send("POST", "/v1/shops/acme/integrations/dixa/test", b.secret, `{"email": "tester@example.org"}`)
	p := r.problem(t)
	require.Equal(t, http.StatusMethodNotAllowed, r.StatusCode)
	require.Equal(t, client.CodeReadOnly, p.Code)
	require.Contains(t, p.Detail, "starter shop settings acme read_only=false")
	require.Equal(t, []string{""}, r.Header["Allow"], "RFC 9110, section 15.5.6: no method is allowed")
	require.Equal(t, asked, dixaRequests(b), "no request may be sent to Dixa")
	require.Equal(t, http.StatusNotFound, b.send("POST", "/v1/shops/nobody/integrations/dixa/test", b.secret, `{"email": "tester@example.org"}`).StatusCode)

	shop, err := b.client.Enable(ctx, "acme")
	require.NoError(t, err)
	require.Len(t, shop.Warnings, 2)
	require.Contains(t, shop.Warnings[1], "does not report events of the shop's conversations")
	report, err := b.client.Validate(ctx, "acme")
	require.NoError(t, err)
	require.True(t, report.OK, "%+v", report.Checks)

	answer := b.send("POST", "/v1/shops/acme/claims", b.secret, `{"claim_id": "c-1", "reason": "damaged", "customer": {"email": "anna@example.org"}}`)
	require.Equal(t, http.StatusAccepted, answer.StatusCode, answer.text)
	_, err = b.client.Disable(ctx, "acme")
	require.NoError(t, err)
	_, err = b.client.Connect(ctx, "acme", token)
	require.NoError(t, err)
	require.Zero(t, b.dixa.Stats().Writes(), "%v", b.dixa.Stats().ByOperation)

	b.settings("acme", `{"read_only": false}`)
	require.NotZero(t, b.conversation())
	in, err := b.client.Integration(ctx, "acme")
	require.NoError(t, err)
	require.Equal(t, claim.SubscriptionNone, in.Subscription.State, "the subscription must not exist yet")
}
