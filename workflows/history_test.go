package workflows_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"text/tabwriter"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"github.com/claimflow/claimflow/claim"
)

var histories = flag.String("histories", filepath.Join("testdata", "histories"), "folder of the recorded histories that TestHistoryFigures measures")

// figures are the cost of one recorded run.
type figures struct {
	// Events and Actions count the whole run. ToOpen and ActionsToOpen count up to the
	// update of the search attributes that shows the claim as open; zero if it never
	// opens.
	Events, Actions, ToOpen, ActionsToOpen int
	// Follows counts the steps that apply events from Dixa, Instructions the
	// instructions carried out.
	Follows, Instructions int
}

// measure counts the events of a history and what Temporal Cloud bills for it. See
// https://docs.temporal.io/cloud/actions: a start, a signal, a timer, an update of
// search attributes and each attempt of an activity are one action each. All local
// activities of a workflow task are one action.
func measure(t *testing.T, history *historypb.History) figures {
	t.Helper()
	var f figures
	localIn := map[int64]bool{} // workflow tasks with local activities
	for _, e := range history.GetEvents() {
		f.Events++
		switch e.GetEventType() {
		case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED, enumspb.EVENT_TYPE_TIMER_STARTED:
			f.Actions++
		case enumspb.EVENT_TYPE_ACTIVITY_TASK_STARTED:
			f.Actions += int(e.GetActivityTaskStartedEventAttributes().GetAttempt())
		case enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
			f.count(e.GetActivityTaskScheduledEventAttributes().GetActivityType().GetName())
		case enumspb.EVENT_TYPE_MARKER_RECORDED:
			marker := e.GetMarkerRecordedEventAttributes()
			task := marker.GetWorkflowTaskCompletedEventId()
			if !localIn[task] {
				localIn[task] = true
				f.Actions++
			}
			var data struct{ ActivityType string }
			require.NoError(t, converter.GetDefaultDataConverter().FromPayloads(marker.GetDetails()["data"], &data))
			f.count(data.ActivityType)
		case enumspb.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES:
			f.Actions++
			state := e.GetUpsertWorkflowSearchAttributesEventAttributes().GetSearchAttributes().GetIndexedFields()[claim.AttributeState]
			if f.ToOpen == 0 && string(state.GetData()) == `"open"` {
				f.ToOpen, f.ActionsToOpen = f.Events, f.Actions
			}
		}
	}
	return f
}

func (f *figures) count(activity string) {
	switch activity {
	case "Follow":
		f.Follows++
	case "Instruct":
		f.Instructions++
	}
}

// TestHistoryFigures keeps histories short. With -v it prints the table of
// docs/performance.md.
func TestHistoryFigures(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(*histories, "*.json"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	measured := map[string]figures{}
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "SHAPE\tEVENTS TO OPEN\tACTIONS TO OPEN\tEVENTS\tACTIONS")
	for _, file := range files {
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		history, err := client.HistoryFromJSON(strings.NewReader(string(data)), client.HistoryJSONOptions{})
		require.NoError(t, err)
		shape := strings.TrimSuffix(filepath.Base(file), ".json")
		f := measure(t, history)
		measured[shape] = f
		_, _ = fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\n", shape, f.ToOpen, f.ActionsToOpen, f.Events, f.Actions)
	}
	require.NoError(t, w.Flush())
	t.Log("\n" + table.String())
	if *histories != flag.Lookup("histories").DefValue {
		return // other histories have other limits
	}

	for _, shape := range []string{"opened", "known-customer", "files-one-by-one", "instructed", "news-while-open", "followed-and-settled"} {
		f := measured[shape]
		require.NotZero(t, f.ToOpen, shape)
		require.LessOrEqual(t, f.ToOpen, 25, "events to open: %s", shape)
		require.LessOrEqual(t, f.ActionsToOpen, 5, "actions to open: %s", shape)
	}
	opened := measured["opened"]
	require.LessOrEqual(t, opened.Follows, 1, "the events of the opening must cost one turn")
	instructed := measured["instructed"]
	require.Equal(t, 3, instructed.Instructions)
	require.LessOrEqual(t, (instructed.Events-opened.Events)/instructed.Instructions, 15, "events per instruction, including the events that it causes")
}
