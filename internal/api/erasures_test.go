package api_test

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/internal/api"
	"github.com/claimflow/claimflow/store"
)

func TestErasureIsRequestedAndShown(t *testing.T) {
	t.Parallel()
	var asked []claim.Erasure
	var trouble error
	b := newBenchOn(t, "sqlite::memory:", func(o *api.Options) {
		o.Erase = func(_ context.Context, e claim.Erasure) error {
			asked = append(asked, e)
			return trouble
		}
	})
	ctx := t.Context()
	b.connected("acme")
	e, err := b.client.EraseCustomer(ctx, "acme", client.EraseRequest{Email: "Ada@customer.example"})
	require.NoError(t, err)
	require.Equal(t, claim.ErasureRunning, e.State)
	require.Equal(t, e.ID, asked[0].ID)
	require.Contains(t, asked[0].WorkflowID(), "erase:acme:")
	require.NotContains(t, asked[0].WorkflowID(), "ada")

	trouble = errors.New("the engine is away")
	again, err := b.client.EraseCustomer(ctx, "acme", client.EraseRequest{Email: "ada@CUSTOMER.example"})
	require.NoError(t, err, "a worker starts it later")
	require.Equal(t, e.ID, again.ID, "two erasures of one customer are one")
	dry, err := b.client.EraseCustomer(ctx, "acme", client.EraseRequest{Email: "ada@customer.example", DryRun: true})
	require.NoError(t, err)
	require.NotEqual(t, e.ID, dry.ID)
	require.True(t, dry.DryRun)

	require.NoError(t, b.store.Erasures.End(ctx, e.ID, nil))
	e, err = b.client.Erasure(ctx, "acme", e.ID)
	require.NoError(t, err)
	require.Equal(t, claim.ErasureDone, e.State)
	list, err := b.client.Erasures(ctx, "acme")
	require.NoError(t, err)
	require.Len(t, list, 2)
	r := b.send("GET", "/v1/shops/acme/erasures", b.secret, "")
	require.NotContains(t, r.text, "customer.example")
	require.NotContains(t, r.text, "null")
	_, err = b.client.Erasure(ctx, "acme", "unknown")
	_ = refusal(t, err, http.StatusNotFound, client.CodeNotFound)
	_, err = b.client.Erasures(ctx, "nobody")
	_ = refusal(t, err, http.StatusNotFound, client.CodeNotFound)

	// Neither the audit log nor the process log says who the customer is.
	entries, _, err := b.store.AuditLog.List(ctx, claim.AuditFilter{Action: "erase-customer"})
	require.NoError(t, err)
	require.Len(t, entries, 3)
	require.Equal(t, map[string]string{"erasure": dry.ID, "by": "email", "dry_run": "true"}, entries[0].Details)
	require.Contains(t, b.log.String(), "the engine is away")
	require.NotContains(t, b.log.String(), "customer.example")
}

func TestErasureRequestIsChecked(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connected("acme")
	for name, body := range map[string]string{
		"nobody":      `{}`,
		"two names":   `{"email": "ada@customer.example", "phone": "+45"}`,
		"no address":  `{"email": "ada at customer.example"}`,
		"blank":       `{"external_id": "  "}`,
		"misspelling": `{"mail": "ada@customer.example"}`,
	} {
		r := b.send("POST", "/v1/shops/acme/customers/erase", b.secret, body)
		require.Equal(t, http.StatusUnprocessableEntity, r.problem(t).Status, name)
		require.NotContains(t, r.text, "customer.example", name)
	}
	b.shop("other")
	own, foreign, weak := b.key("acme", client.ScopeAdmin), b.key("other", client.ScopeAdmin), b.key("acme", client.ScopeOperate)
	const body = `{"email": "ada@customer.example"}`
	require.Equal(t, http.StatusAccepted, b.send("POST", "/v1/shops/acme/customers/erase", own, body).StatusCode)
	for _, key := range []string{foreign, weak} {
		require.Equal(t, http.StatusForbidden, b.send("POST", "/v1/shops/acme/customers/erase", key, body).StatusCode)
		require.Equal(t, http.StatusForbidden, b.send("GET", "/v1/shops/acme/erasures", key, "").StatusCode)
	}
	require.Equal(t, http.StatusNotFound, b.send("POST", "/v1/shops/nobody/customers/erase", b.secret, body).StatusCode)
}

func TestErasedClaimAnswersUpdates(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connected("acme")
	ctx := t.Context()
	b.submit("c-1")
	ref := claim.Ref{Shop: "acme", ID: "c-1"}
	e, err := b.client.EraseCustomer(ctx, "acme", client.EraseRequest{EndUserID: "eu-1"})
	require.NoError(t, err)
	mine := store.ErasureSubject{Kind: store.SubjectClaim, ID: ref.ID}
	require.NoError(t, b.store.Erasures.Found(ctx, e.ID, []store.ErasureSubject{mine}, nil))
	_, err = b.store.Erasures.Erase(ctx, e, mine)
	require.NoError(t, err)
	out, err := b.client.Update(ctx, ref, []byte(`{"description": "again"}`))
	require.NoError(t, err)
	require.Equal(t, client.UpdateErased, out.Result)
	_, err = b.client.Retry(ctx, ref, client.RetryRequest{})
	_ = refusal(t, err, http.StatusConflict, client.CodeConflict)
}
