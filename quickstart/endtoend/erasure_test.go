package endtoend_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/client"
	"github.com/claimflow/claimflow/dixa"
	"github.com/claimflow/claimflow/emulator/server"
	"github.com/claimflow/claimflow/workflows"
)

// A customer is erased in Dixa and here although workers die on the way. Another
// customer, whose address differs by one character, keeps everything.
func TestErasureSurvivesKills(t *testing.T) {
	t.Parallel()
	s := newSite(t, siteOptions{switches: server.Switches{AnonymizationDelay: server.Duration(2 * time.Second)}})
	stop := s.work()
	gone, kept := s.submit(s.sample("ada")), s.submit(s.sample("adb"))
	open := s.awaitState(gone, claim.StateOpen)
	other := s.awaitState(kept, claim.StateOpen)
	s.customer(open, server.Step{Action: server.PlayReply, Text: "It is still broken, yours Wilhelmine"})
	s.customer(other, server.Step{Action: server.PlayReply, Text: "Mine too, yours Wilhelmine"})
	s.awaitMessages(gone, 3)
	s.awaitMessages(kept, 3)

	erasure, err := s.api.EraseCustomer(t.Context(), shop, client.EraseRequest{Email: "ADA.kundin@privat.example"})
	require.NoError(t, err)
	for range 6 {
		wait := time.NewTimer(time.Duration(100+rand.IntN(500)) * time.Millisecond)
		select {
		case <-wait.C:
		case <-t.Context().Done():
		}
		stop()
		stop = s.work()
	}
	eventually(t, "the erasure ends", func() error {
		if erasure, err = s.api.Erasure(t.Context(), shop, erasure.ID); err != nil {
			return err
		}
		if erasure.State == claim.ErasureRunning {
			return fmt.Errorf("%s: %+v", erasure.Why, erasure.Steps)
		}
		return nil
	})
	require.Equal(t, claim.ErasureDone, erasure.State, "%+v", erasure)

	running, err := s.temporal().ListWorkflow(t.Context(), &workflowservice.ListWorkflowExecutionsRequest{Query: "WorkflowType = '" + claim.ErasureWorkflowName + "'"})
	require.NoError(t, err)
	require.NotEmpty(t, running.Executions)
	s.replayRun("erasure", running.Executions[0].Execution.WorkflowId, claim.ErasureWorkflowName, workflows.Erase)

	detail, err := s.api.Claim(t.Context(), gone)
	require.NoError(t, err)
	require.Equal(t, claim.StateAbandoned, detail.State)
	require.Equal(t, "damaged", detail.Reason)
	require.Empty(t, detail.OrderNumber)
	whole, err := s.store.Claims.LatestBody(t.Context(), gone)
	require.NoError(t, err)
	require.Empty(t, whole.Customer)
	require.Empty(t, whole.Description)
	for m, err := range s.api.Messages(t.Context(), gone) {
		require.NoError(t, err)
		require.Empty(t, m.Text+m.HTML, "%+v", m)
	}
	for _, person := range s.dixa.State().EndUsers {
		require.NotEqual(t, "ada.kundin@privat.example", person.Email)
	}

	detail, err = s.api.Claim(t.Context(), kept)
	require.NoError(t, err)
	require.Equal(t, claim.StateOpen, detail.State)
	whole, err = s.store.Claims.LatestBody(t.Context(), kept)
	require.NoError(t, err)
	require.Equal(t, "adb.kundin@privat.example", whole.Customer.Email)
	s.awaitMessages(kept, 3)
	require.Equal(t, string(dixa.StateOpen), s.dixa.Truth(other.ConversationID)[0].State)

	// The person can be a customer again.
	again := s.sample("ada")
	again.ID = "ada-again"
	s.awaitState(s.submit(again), claim.StateOpen)
}
