package api_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
	emulator "github.com/claimflow/claimflow/emulator/server"
	"github.com/claimflow/claimflow/store"
)

// happened returns the body of a conversation event, the given number of seconds
// after nine.
func happened(id, organization, name, status string, conversation int64, second int, tags ...string) string {
	list := []map[string]any{}
	for _, t := range tags {
		list = append(list, map[string]any{"id": t, "name": t})
	}
	body, err := json.Marshal(map[string]any{
		"event_id": id, "event_fqn": name, "event_version": "1", "event_timestamp": fmt.Sprintf("2026-03-01T09:00:%02d.000Z", second),
		"organization": map[string]any{"id": organization, "name": "Demo Shop"},
		"data":         map[string]any{"conversation": map[string]any{"csid": conversation, "status": status, "tags": list}},
	})
	if err != nil {
		panic(err)
	}
	return string(body)
}

func TestStatusRulesPreviewUsesPastEvents(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	connection, secret := b.enabled("acme")
	ctx := t.Context()
	for i, tags := range [][]string{{"claim-accepted"}, {"refunded"}, nil} {
		id, conversation := fmt.Sprint("c-", i), int64(100+i)
		_, err := b.store.Claims.Accept(ctx, &claim.Claim{ID: id, Shop: "acme", Reason: "damaged", Customer: claim.Customer{Email: "ada@customer.example"}})
		require.NoError(t, err)
		ref := claim.Ref{Shop: "acme", ID: id}
		require.NoError(t, b.store.Links.Create(ctx, store.LinkInput{Ref: ref, ConnectionID: connection, ConversationID: conversation, Step: claim.StepConversation}))
		for _, event := range []claim.Event{claim.EventStart, claim.EventOpened} {
			_, err = b.store.Claims.Change(ctx, ref, event, store.ClaimUpdate{})
			require.NoError(t, err)
		}
		// They arrive out of order.
		for _, body := range []string{
			happened(id+"-closed", emulator.SeedOrganization, "CONVERSATION_CLOSED", "CLOSED", conversation, 20, tags...),
			happened(id+"-open", emulator.SeedOrganization, "CONVERSATION_ASSIGNED", "OPEN", conversation, 10, tags...),
		} {
			require.Equal(t, 204, b.deliver(connection, secret, body).StatusCode)
		}
	}
	_, err := b.store.Inbox.Join(ctx, 100)
	require.NoError(t, err)

	tried, err := b.client.PreviewStatusRules(ctx, "acme", client.StatusRulesRequest{StatusRules: []claim.StatusRule{
		{Name: "refunded", When: claim.StatusWhen{Tags: []string{"refunded"}, State: []claim.State{claim.StateClosed}}, Then: claim.StatusThen{Status: "accepted"}},
		{Name: "accepted", When: claim.StatusWhen{Tags: []string{"claim-accepted"}, State: []claim.State{claim.StateClosed}}, Then: claim.StatusThen{Status: "accepted"}},
	}})
	require.NoError(t, err)
	require.Equal(t, 3, tried.Claims)
	require.Equal(t, []client.StatusDifference{
		{ClaimID: "c-2", State: claim.StateOpen, Is: []string{"pending", "closed"}, Would: []string{"pending"}},
		{ClaimID: "c-1", State: claim.StateOpen, Is: []string{"pending", "closed"}, Would: []string{"pending", "accepted"}},
	}, tried.Different)

	same, err := b.client.PreviewStatusRules(ctx, "acme", client.StatusRulesRequest{})
	require.NoError(t, err)
	require.Empty(t, same.Different, "the built-in rules must apply")

	_, err = b.client.PreviewStatusRules(ctx, "acme", client.StatusRulesRequest{StatusRules: []claim.StatusRule{{Name: "x"}}})
	var refused *client.Error
	require.ErrorAs(t, err, &refused)
	require.Equal(t, 422, refused.Status)
	require.Contains(t, fmt.Sprint(refused), "status_rules[0].then.status")
	r := b.send("POST", "/v1/shops/acme/integrations/dixa/status-rules/preview", b.key("acme", client.ScopeShopsRead), `{"status_rules": []}`)
	require.Equal(t, 403, r.StatusCode, "the preview names claims")
}
