package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	sdkpb "go.temporal.io/api/sdk/v1"
	"go.temporal.io/sdk/temporal"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/workflows"
)

// card returns the live status card as the Temporal UI shows it.
func (w *world) card(t *testing.T) string {
	t.Helper()
	value, err := w.env.QueryWorkflow("__temporal_workflow_metadata")
	require.NoError(t, err)
	var metadata sdkpb.WorkflowMetadata
	require.NoError(t, value.Get(&metadata))
	return metadata.GetCurrentDetails()
}

func TestCardShowsClaim(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.checked.LeftOut = 1
	w.fail["CreateConversation"] = once(park(claim.CauseContactEndpoint))
	w.at(time.Hour, func() {
		card := w.card(t)
		require.Contains(t, card, "### needs attention")
		require.Contains(t, card, "**Cause:** contact_endpoint_gone")
		require.Contains(t, card, "**What to do:** "+claim.CauseContactEndpoint.Advice())
		require.Contains(t, card, "**Last error:** because")
		w.state.SettingsVersion++
	})
	w.at(2*time.Hour, func() {
		card := w.card(t)
		require.Contains(t, card, "### open")
		require.Contains(t, card, "**Conversation in Dixa:** 4711")
		require.Contains(t, card, "**Files:** 2 attached, 1 omitted")
		require.Contains(t, card, "**Template:** built-in/defective/en")
		require.Contains(t, card, ref.Reference())
		require.NotContains(t, card, "What to do")
		require.Contains(t, card, "**Last error (resolved):** because")
		w.abandon()
	})
	w.run(t)
}

func TestCardShowsSlowAttempts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fail["CreateConversation"] = downFromNow()
	w.env.RegisterDelayedCallback(func() {
		require.Contains(t, w.card(t), "**Waiting for:** Dixa, in slow attempts")
		require.Contains(t, w.card(t), "Dixa returned 503")
	}, time.Hour)
	w.at(10*time.Hour, w.abandon)
	w.run(t)
}

func TestCardOfPausedShopShowsResumeCommand(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.state.Paused = true
	w.at(time.Hour, func() {
		require.Contains(t, w.card(t), "`starter shop resume acme`")
		w.abandon()
	})
	w.run(t)
}

func TestCardShowsSharedToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.state.Paused = true
	w.state.TokenShare = &claim.TokenShare{PerSecond: 1.25, RefusedAt: time.Date(2026, 11, 27, 9, 0, 0, 0, time.UTC)}
	w.at(time.Hour, func() {
		require.Contains(t, w.card(t), "**Dixa's request limit:** Dixa rate limits requests within Claimflow's own pace, last at 2026-11-27T09:00:00Z, because another program uses the token. About 1.2 requests per second remain")
		w.abandon()
	})
	w.run(t)
}

func TestSearchAttributesFollowClaim(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var upserts []string
	w.env.OnUpsertTypedSearchAttributes(mock.Anything).Return(nil).Run(func(args mock.Arguments) {
		sa, ok := args.Get(0).(temporal.SearchAttributes)
		require.True(t, ok)
		line := ""
		for _, name := range []string{claim.AttributeState, claim.AttributeCause, claim.AttributeConversation} {
			if v, ok := sa.GetKeyword(temporal.NewSearchAttributeKeyKeyword(name)); ok {
				line += name + "=" + v + " "
			}
		}
		upserts = append(upserts, line)
	})
	w.fail["CreateConversation"] = once(park(claim.CauseContactEndpoint))
	w.at(time.Hour, func() { w.state.SettingsVersion++ })
	w.at(2*time.Hour, w.abandon)
	w.run(t)
	require.Equal(t, []string{
		"ClaimState=needs_attention ClaimCause=contact_endpoint_gone ",
		"ClaimState=opening ",
		"ClaimState=open ClaimConversation=4711 ",
		"ClaimState=abandoned ",
	}, upserts, "each change must cost one upsert, and opening a new claim none")
}

func TestSummary(t *testing.T) {
	t.Parallel()
	require.Equal(t, "acme: not received claim c-1 on order #10001", workflows.Summary(ref, "notReceived", "#10001"))
	require.Equal(t, "acme: claim c-1 (damaged)", workflows.Summary(ref, "damaged", ""))
}
