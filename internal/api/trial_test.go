package api_test

import (
	"context"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
	emulator "github.com/claimflow/claimflow/emulator/server"
)

func TestTestStreamsItsChecks(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.shop("acme")
	request := client.TestRequest{Email: "tester@example.org"}
	_, err := b.client.WatchTest(t.Context(), "acme", request)
	_ = refusal(t, err, http.StatusConflict, client.CodeNotConnected)
	_, err = b.client.Connect(t.Context(), "acme", token)
	require.NoError(t, err)
	b.settings("acme", `{"email_integration_id": "`+emulator.SeedMailbox+`"}`)
	_, err = b.client.WatchTest(t.Context(), "acme", client.TestRequest{Email: "nobody"})
	_ = refusal(t, err, http.StatusUnprocessableEntity, client.CodeInvalid)

	steps, err := b.client.WatchTest(t.Context(), "acme", request)
	require.NoError(t, err)
	var checks []claim.Check
	var report *claim.Report
	for step, err := range steps {
		require.NoError(t, err)
		require.Nil(t, report, "the report is the last step")
		if report = step.Report; report == nil {
			checks = append(checks, step.Check)
		}
	}
	require.NotNil(t, report)
	require.True(t, report.OK)
	require.Equal(t, checks, report.Checks)
	entries, _, err := b.store.AuditLog.List(t.Context(), claim.AuditFilter{Action: "test-integration"})
	require.NoError(t, err)
	require.Len(t, entries, 1)
	require.Equal(t, strconv.FormatInt(report.ConversationID, 10), entries[0].Details["conversation_id"])

	// A check arrives while Dixa has not answered the next call.
	b.dixa.Inject(emulator.Fault{Operation: "POST /conversations/{conversationId}/notes", Kind: emulator.FaultDelay, Delay: emulator.Duration(time.Hour)})
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	steps, err = b.client.WatchTest(ctx, "acme", request)
	require.NoError(t, err)
	for step, err := range steps {
		require.NoError(t, err)
		require.Nil(t, step.Report)
		if step.Check.Name == "tag it" {
			break
		}
	}
}
