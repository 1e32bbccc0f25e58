package endtoend_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
)

// Two deployments share one namespace by mistake. The second refuses to start and
// leaves the first alone until the namespace is released.
func TestSecondDeploymentOnOneNamespaceIsRefused(t *testing.T) {
	t.Parallel()
	first := newSite(t, siteOptions{})
	stop := first.work()
	first.awaitState(first.submit(first.sample("c-1")), claim.StateOpen)

	database := "CLAIMFLOW_DATABASE_URL=sqlite:" + filepath.Join(t.TempDir(), "second.db")
	listen := "CLAIMFLOW_LISTEN=127.0.0.1:0"
	for name, args := range map[string][]string{"worker": nil, "starter": {"serve"}} {
		var logs logBook
		p := start(t, &logs, first.environ(database, listen), name, args...)
		eventually(t, "the second "+name+" has exited", func() error {
			select {
			case <-p.ended:
				return nil
			default:
				return errors.New(logs.String())
			}
		})
		require.Equal(t, 1, p.ProcessState.ExitCode(), name)
		for _, said := range []string{
			"namespace " + first.engine.Namespace, "bound to store " + first.store.ID(), "TEMPORAL_NAMESPACE",
			"temporal workflow terminate", "--workflow-id " + claim.DeploymentWorkflowID,
		} {
			require.Contains(t, logs.String(), said, name)
		}
	}
	first.awaitState(first.submit(first.sample("c-2")), claim.StateOpen)

	// The first never returns: the operator of the second releases the namespace.
	stop()
	require.NoError(t, first.temporal().TerminateWorkflow(t.Context(), claim.DeploymentWorkflowID, "", "its store no longer exists"))
	var logs logBook
	start(t, &logs, first.environ(database, listen), "worker")
	eventually(t, "the second worker is running", func() error {
		said := logs.String()
		if !strings.Contains(said, "bound the namespace to this store") || !strings.Contains(said, `"msg":"worker started"`) {
			return errors.New(said)
		}
		return nil
	})
}
