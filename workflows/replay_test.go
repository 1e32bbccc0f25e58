package workflows_test

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/claimflow/claimflow/activities"
	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/workflows"
)

// recorded returns the histories of every path a claim can take, recorded on a real
// Temporal server. `make record-histories` records them again. Record again only for a
// workflow change that does not apply to running workflows.
func recorded(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", "histories", "*.json"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	return files
}

func replay(file string, claimWorkflow any) error {
	replayer := worker.NewWorkflowReplayer()
	replayer.RegisterWorkflowWithOptions(claimWorkflow, workflow.RegisterOptions{Name: claim.WorkflowName})
	return replayer.ReplayWorkflowHistoryFromJSONFile(nil, file)
}

func TestRecordedHistoriesReplay(t *testing.T) {
	t.Parallel()
	for _, file := range recorded(t) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			require.NoError(t, replay(file, workflows.Claim),
				"this change breaks running claims; branch with workflow.GetVersion")
		})
	}
}

// createFirst is a claim workflow with a change that breaks running claims.
func createFirst(ctx workflow.Context, ref claim.Ref) (claim.State, error) {
	var dixa *activities.Dixa
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{TaskQueue: claim.TaskQueueDixa, StartToCloseTimeout: 1})
	return "", workflow.ExecuteActivity(ctx, dixa.CreateConversation, ref).Get(ctx, nil)
}

func TestReplayDetectsNondeterminism(t *testing.T) {
	t.Parallel()
	for _, file := range recorded(t) {
		require.ErrorContains(t, replay(file, createFirst), "TMPRL1100", filepath.Base(file)) // Temporal's code for nondeterminism
	}
}

// The other workflows continue after a new version is deployed, too.
func TestOtherRecordedHistoriesReplay(t *testing.T) {
	t.Parallel()
	for name, definition := range map[string]struct {
		workflow string
		run      any
	}{
		"sweep":     {claim.SweepWorkflowName, workflows.Sweep},
		"import":    {claim.ImportWorkflowName, workflows.Import},
		"erasure":   {claim.ErasureWorkflowName, workflows.Erase},
		"operation": {claim.OperationWorkflowName, workflows.Operation},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join("testdata", "others", name+".json")
			replayer := worker.NewWorkflowReplayer()
			replayer.RegisterWorkflowWithOptions(definition.run, workflow.RegisterOptions{Name: definition.workflow})
			require.NoError(t, replayer.ReplayWorkflowHistoryFromJSONFile(nil, file))
			document, err := os.ReadFile(file)
			require.NoError(t, err)
			require.NotContains(t, string(document), "@", "the history must not contain email addresses or host names")
		})
	}
}

// Histories are stored for a long time and widely readable, and so are these files.
func TestRecordedHistoriesContainNoPersonalData(t *testing.T) {
	t.Parallel()
	personal := map[string]*regexp.Regexp{
		"an email address":   regexp.MustCompile(`[\w.+-]+@[\w-]+\.[\w.]+`),
		"the URL of a photo": regexp.MustCompile(`https?://\S+\.(jpe?g|png|pdf)`),
		"a field of a claim": regexp.MustCompile(`first_name|last_name|description|street|phone|image_urls`),
		"a token":            regexp.MustCompile(`(?i)\btoken["\s:=]+\S{8}|cfk_\w`),
		"a host name":        regexp.MustCompile(`"identity": *"[^"]*@`),
	}
	for _, file := range recorded(t) {
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		var document any
		require.NoError(t, json.Unmarshal(data, &document))
		text := string(data) + payloads(document)
		require.Contains(t, text, `"claim_id":"c-`, "the payloads of %s must be decoded", file)
		for what, pattern := range personal {
			require.Empty(t, pattern.FindString(text), "%s contains %s", filepath.Base(file), what)
		}
	}
}

// payloads returns the decoded payloads of a history.
func payloads(v any) string {
	var out strings.Builder
	switch v := v.(type) {
	case map[string]any:
		for name, member := range v {
			if text, ok := member.(string); ok && name == "data" {
				if plain, err := base64.StdEncoding.DecodeString(text); err == nil {
					out.WriteString("\n" + string(plain))
				}
				continue
			}
			out.WriteString(payloads(member))
		}
	case []any:
		for _, element := range v {
			out.WriteString(payloads(element))
		}
	}
	return out.String()
}

// Operators read a history by its summaries. The SDK sets none on a run that continues
// another.
func TestActivitiesAndTimersHaveSummaries(t *testing.T) {
	t.Parallel()
	for _, file := range recorded(t) {
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		history, err := client.HistoryFromJSON(strings.NewReader(string(data)), client.HistoryJSONOptions{})
		require.NoError(t, err)
		for _, e := range history.GetEvents() {
			if e.GetWorkflowExecutionStartedEventAttributes().GetContinuedExecutionRunId() != "" {
				continue
			}
			switch e.GetEventType() {
			case enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED, enumspb.EVENT_TYPE_TIMER_STARTED, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED:
				require.NotEmpty(t, e.GetUserMetadata().GetSummary().GetData(), "%s: event %d", filepath.Base(file), e.GetEventId())
			}
		}
	}
}
