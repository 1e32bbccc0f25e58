package api_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
)

var refC1 = claim.Ref{Shop: "acme", ID: "c-1"}

func (b *bench) submit(id string, edit ...func(*claim.Claim)) {
	b.t.Helper()
	_, err := b.client.Submit(b.t.Context(), aClaim(id, edit...))
	require.NoError(b.t, err)
}

func (b *bench) update(change string) client.Updated {
	b.t.Helper()
	out, err := b.client.Update(b.t.Context(), refC1, json.RawMessage(change))
	require.NoError(b.t, err)
	return out
}

func TestPatchEditsAClaimBeforeItIsOpened(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.shop("acme")
	b.submit("c-1")
	kicks := b.kicks.Load()
	change := `{"reason": "missing_product", "customer": {"phone": "+49 30 1234"}, "order": {"address": {"city": "Berlin"}}, "updated_at": "2026-03-01T12:00:00Z"}`
	out := b.update(change)
	require.Equal(t, client.UpdateEdited, out.Result)
	require.Equal(t, []string{"customer.phone", "order.address.city", "reason"}, out.Changed)
	require.Equal(t, "missing_product", out.Claim.Reason)
	require.Greater(t, b.kicks.Load(), kicks, "the dispatcher must be kicked at once")

	require.Equal(t, client.UpdateUnchanged, b.update(change).Result, "a repeated change must be unchanged")
	require.Equal(t, client.UpdateOlder, b.update(`{"reason": "damaged", "updated_at": "2026-03-01T11:59:59Z"}`).Result)
	require.Equal(t, client.UpdateUnchanged, b.update(`{}`).Result)
	require.Equal(t, client.UpdateEdited, b.update(`{"customer": {"phone": null}}`).Result)

	body, revision, err := b.store.Claims.OpeningBody(t.Context(), refC1)
	require.NoError(t, err)
	require.Equal(t, int64(2), revision)
	require.Empty(t, body.Customer.Phone)
	require.Equal(t, "ada.customer@example.org", body.Customer.Email, "omitted members must stay")

	again, err := b.client.Submit(t.Context(), aClaim("c-1"))
	require.NoError(t, err, "the first submission must still match")
	require.False(t, again.New)

	withdrawn := b.update(`{"status": "withdrawn"}`)
	require.Equal(t, client.UpdateWithdrawn, withdrawn.Result)
	require.Equal(t, claim.StateAbandoned, withdrawn.Claim.State)
	require.Equal(t, "withdrawn", withdrawn.Claim.Status)
}

func TestPatchListsEveryError(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.shop("acme")
	b.submit("c-1")
	p := b.send("PATCH", "/v1/shops/acme/claims/c-1", b.secret, `{
		"claim_id": "c-2", "shop_slug": "other", "reason": null, "selected_items": [{"quantity": 0}], "customer": {"email": "nobody"}, "order": 5
	}`).problem(t)
	require.Equal(t, http.StatusUnprocessableEntity, p.Status)
	require.Subset(t, fields(p), []string{"claim_id", "shop_slug", "reason", "selected_items[0].quantity", "customer.email", "order"})
	require.Equal(t, http.StatusUnprocessableEntity, b.send("PATCH", "/v1/shops/acme/claims/c-1", b.secret, `[]`).problem(t).Status)
	require.Equal(t, http.StatusNotFound, b.send("PATCH", "/v1/shops/acme/claims/c-9", b.secret, `{}`).problem(t).Status)
	require.Equal(t, http.StatusForbidden, b.send("PATCH", "/v1/shops/acme/claims/c-1", b.key("acme", client.ScopeClaimsRead), `{}`).problem(t).Status)
	require.Equal(t, "damaged", b.update(`{}`).Claim.Reason, "nothing may change")
}

func TestPatchAfterTheCreateAddsAnInstruction(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.shop("acme")
	b.submit("c-1")
	_, _, err := b.store.Intents.BeginForRevision(t.Context(), refC1, claim.StepConversation, 0)
	require.NoError(t, err)

	out := b.update(`{"status": "accepted", "description": "The vase is in pieces. And so is the plate."}`)
	require.Equal(t, client.UpdateInstructed, out.Result)
	in, err := b.store.Instructions.Get(t.Context(), refC1, out.InstructionID)
	require.NoError(t, err)
	var change claim.OwnerChange
	require.NoError(t, json.Unmarshal(in.Body, &change))
	require.Equal(t, "accepted", change.Status)
	require.Equal(t, "And so is the plate.", change.Said)
	require.Nil(t, change.Added)

	require.Equal(t, client.UpdateUnchanged, b.update(`{"status": "Accepted"}`).Result, "the current status must be unchanged")
	body, revision, err := b.store.Claims.OpeningBody(t.Context(), refC1)
	require.NoError(t, err)
	require.Zero(t, revision)
	require.Equal(t, "The vase is in pieces.", body.Description, "a body that may have been sent must not change")
}

func TestChangeRulesAreValidatedWhenSaved(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connected("acme")
	p := b.send("PUT", "/v1/shops/acme/integrations/dixa", b.secret, `{"tag": "krl", "change_rules": [
		{"name": "a", "when": {"changed": ["customr"]}, "then": {"remove_tags": ["vip", "krl-accepted"], "close": true, "reopen": true}},
		{"name": "b", "then": {"queue_id": "3f0f9c5e-5b0a-4f7e-9d7c-0a6a3a1d0030", "agent_id": "3f0f9c5e-5b0a-4f7e-9d7c-0a6a3a1d0011"}}]}`).problem(t)
	require.Equal(t, http.StatusUnprocessableEntity, p.Status)
	require.Equal(t, []string{"change_rules[0].when.changed[0]", "change_rules[0].then.remove_tags[0]", "change_rules[0].then", "change_rules[1].then"}, fields(p))
	b.settings("acme", `{"shipment_notes": [], "change_rules": [{"name": "quiet", "then": {"note": true, "follow_up": "2h"}}]}`)
}
