package api_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
)

func TestResponsesReportCutAndIgnoredMembers(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.shop("acme")
	r := b.send("POST", "/v1/shops/acme/claims", b.secret, `{"claim_id": "c-1", "reason": "damaged", "statsu": "pending", "answers": {"O": {"x": 1}},
		"customer": {"email": "a@example.org", "first_name": "`+strings.Repeat("a", 500)+`"}}`)
	require.Equal(t, http.StatusAccepted, r.StatusCode, r.text)
	var submitted client.Submitted
	require.NoError(t, json.Unmarshal([]byte(r.text), &submitted))
	require.Equal(t, []string{"statsu"}, submitted.Ignored)
	require.Equal(t, []claim.Truncation{{Field: "customer.first_name", Given: 500, Kept: 199}}, submitted.Cut)

	r = b.send("PATCH", "/v1/shops/acme/claims/c-1", b.secret, `{"statsu": "accepted"}`)
	require.Equal(t, http.StatusUnprocessableEntity, r.StatusCode, r.text)
	require.Equal(t, []client.FieldError{{Field: "statsu", Message: "is not a member of a claim, and the update changes nothing else"}}, r.problem(t).Errors)

	updated, err := b.client.Update(t.Context(), claim.Ref{Shop: "acme", ID: "c-1"}, json.RawMessage(`{"statsu": "accepted", "phase": "delivered"}`))
	require.NoError(t, err)
	require.Equal(t, []string{"statsu"}, updated.Ignored)
	require.Contains(t, updated.Changed, "phase")
}
