package engine_test

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/claimflow/claimflow/quickstart/engine"
)

// testLog collects the server's log from all of its goroutines.
type testLog struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *testLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *testLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func start(t *testing.T, options engine.Options) *engine.Engine {
	t.Helper()
	options.FrontendAddr = "127.0.0.1:0"
	e, err := engine.Start(t.Context(), options)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Stop()) })
	return e
}

func dial(t *testing.T, e *engine.Engine) client.Client {
	t.Helper()
	c, err := client.DialContext(t.Context(), e.ClientOptions())
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

func greet(_ context.Context, name string) (string, error) { return "hello " + name, nil }

// greeting waits for a name, then has it greeted on the task queue that the engine
// serves with one partition.
func greeting(ctx workflow.Context) (string, error) {
	var name string
	workflow.GetSignalChannel(ctx, "name").Receive(ctx, &name)
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue:           "dixa",
		StartToCloseTimeout: 10 * time.Second,
		Priority:            temporal.Priority{PriorityKey: 2, FairnessKey: "shop", FairnessWeight: 1},
	})
	var out string
	err := workflow.ExecuteActivity(ctx, greet, name).Get(ctx, &out)
	return out, err
}

func work(t *testing.T, c client.Client) (stop func()) {
	t.Helper()
	flows := worker.New(c, "claims", worker.Options{})
	flows.RegisterWorkflow(greeting)
	calls := worker.New(c, "dixa", worker.Options{DisableWorkflowWorker: true})
	calls.RegisterActivity(greet)
	require.NoError(t, flows.Start())
	require.NoError(t, calls.Start())
	return func() {
		flows.Stop()
		calls.Stop()
	}
}

func TestRunsAndSearches(t *testing.T) {
	t.Parallel()
	var log testLog
	e := start(t, engine.Options{
		SearchAttributes: map[string]enumspb.IndexedValueType{"ClaimShop": enumspb.INDEXED_VALUE_TYPE_KEYWORD},
		Logger:           slog.New(slog.NewTextHandler(&log, nil)),
	})
	c := dial(t, e)
	defer work(t, c)()

	shop := temporal.NewSearchAttributeKeyKeyword("ClaimShop")
	run, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{
		ID: "greeting", TaskQueue: "claims",
		TypedSearchAttributes: temporal.NewSearchAttributes(shop.ValueSet("acme")),
	}, greeting)
	require.NoError(t, err)
	require.NoError(t, c.SignalWorkflow(t.Context(), "greeting", "", "name", "Ada"))
	var got string
	require.NoError(t, run.Get(t.Context(), &got))
	require.Equal(t, "hello Ada", got)

	require.Eventually(t, func() bool {
		found, err := c.CountWorkflow(t.Context(), &workflowservice.CountWorkflowExecutionsRequest{Query: `ClaimShop = "acme"`})
		return err == nil && found.GetCount() == 1
	}, 10*time.Second, 20*time.Millisecond, "the run is not found by its search attribute")

	ns, err := c.WorkflowService().DescribeNamespace(t.Context(), &workflowservice.DescribeNamespaceRequest{Namespace: "default"})
	require.NoError(t, err)
	require.Equal(t, 7*24*time.Hour, ns.GetConfig().GetWorkflowExecutionRetentionTtl().AsDuration())
	require.Empty(t, log.String(), "a successful start and run log no warnings")
}

func TestKeepsRunsInTheDataFile(t *testing.T) {
	t.Parallel()
	var log testLog
	// A name with special characters in a URI.
	options := engine.Options{
		FrontendAddr: "127.0.0.1:0",
		DataFile:     filepath.Join(t.TempDir(), "runs 100%#1?.db"),
		Namespace:    "shops",
		Logger:       slog.New(slog.NewTextHandler(&log, nil)),
	}
	first, err := engine.Start(t.Context(), options)
	require.NoError(t, err)
	require.FileExists(t, options.DataFile)
	c := dial(t, first)
	_, err = c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: "greeting", TaskQueue: "claims"}, greeting)
	require.NoError(t, err)
	c.Close()
	require.NoError(t, first.Stop())
	require.NoError(t, first.Stop(), "a second stop")

	// The next program uses a search attribute that the first one did not.
	options.SearchAttributes = map[string]enumspb.IndexedValueType{"ClaimShop": enumspb.INDEXED_VALUE_TYPE_KEYWORD}
	second := start(t, options)
	c = dial(t, second)
	defer work(t, c)()
	require.NoError(t, c.SignalWorkflow(t.Context(), "greeting", "", "name", "Ada"))
	var got string
	require.NoError(t, c.GetWorkflow(t.Context(), "greeting", "").Get(t.Context(), &got))
	require.Equal(t, "hello Ada", got)
	_, err = c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{
		ID: "next", TaskQueue: "claims",
		TypedSearchAttributes: temporal.NewSearchAttributes(temporal.NewSearchAttributeKeyKeyword("ClaimShop").ValueSet("acme")),
	}, greeting)
	require.NoError(t, err, "the added search attribute cannot be used")
	require.Empty(t, log.String(), "start, stop and restart log no warnings")
}

func TestRefusesSearchAttributeOfOtherType(t *testing.T) {
	t.Parallel()
	options := engine.Options{
		FrontendAddr:     "127.0.0.1:0",
		DataFile:         filepath.Join(t.TempDir(), "runs.db"),
		SearchAttributes: map[string]enumspb.IndexedValueType{"ClaimShop": enumspb.INDEXED_VALUE_TYPE_KEYWORD},
	}
	first, err := engine.Start(t.Context(), options)
	require.NoError(t, err)
	require.NoError(t, first.Stop())

	options.SearchAttributes["ClaimShop"] = enumspb.INDEXED_VALUE_TYPE_INT
	_, err = engine.Start(t.Context(), options)
	require.ErrorContains(t, err, "search attribute ClaimShop has type Keyword")
	require.ErrorContains(t, err, "must have type Int")
}

func TestServesTheUI(t *testing.T) {
	t.Parallel()
	e := start(t, engine.Options{UIAddr: "127.0.0.1:0"})
	for _, path := range []string{"/", "/namespaces/default/workflows", "/api/v1/namespaces/default"} {
		res, err := http.Get(e.UIURL() + path)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		require.Equal(t, http.StatusOK, res.StatusCode, path)
	}
	require.NoError(t, e.Stop())
	_, err := net.Dial("tcp", e.UIURL()[len("http://"):])
	require.Error(t, err, "the UI answers after Stop")
	_, err = net.Dial("tcp", e.Address())
	require.Error(t, err, "Temporal answers after Stop")
}

func TestAddressInUse(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, taken.Close()) })
	addr := taken.Addr().String()

	for name, options := range map[string]engine.Options{
		"Temporal":        {FrontendAddr: addr, FrontendFlag: "-temporal-addr"},
		"the Temporal UI": {FrontendAddr: "127.0.0.1:0", UIAddr: addr, UIFlag: "-ui-addr"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := engine.Start(t.Context(), options)
			var listen *engine.ListenError
			require.ErrorAs(t, err, &listen)
			require.Equal(t, name, listen.Server)
			require.Contains(t, err.Error(), name+" cannot listen on "+addr)
			require.Contains(t, err.Error(), "address already in use")
			require.Contains(t, err.Error(), "choose another address with "+options.FrontendFlag+options.UIFlag)
		})
	}
}

func TestUnusableDataFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "absent", "runs.db")
	_, err := engine.Start(t.Context(), engine.Options{FrontendAddr: "127.0.0.1:0", DataFile: file})
	require.ErrorContains(t, err, "open the database")
	require.ErrorContains(t, err, file)
}
