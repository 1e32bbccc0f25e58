package endtoend_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/quickstart/engine"
)

var record = flag.Bool("record", false, "write the histories of TestShapes to workflows/testdata/histories")

// A test fails only after the state it checks has not changed for patience while
// this process used patientCPU of processor time. On a busy machine everything takes
// longer, because the process gets less of the processor.
const (
	patience   = 90 * time.Second
	patientCPU = 2 * time.Minute
)

// shared holds what all tests of the package share.
var shared struct {
	engine *engine.Engine
	// binaries is the folder with the built commands.
	binaries string
}

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	// The tests mostly wait: for a dead worker to be noticed, or for a window.
	if err := flag.Set("test.parallel", "12"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	// The workers of this process cache no workflow between tasks, so every task
	// replays the whole history. Workers in separate processes cache them.
	worker.SetStickyWorkflowCacheSize(0)
	// An in-memory engine produces much garbage, and memory is plentiful.
	debug.SetGCPercent(400)

	var err error
	if shared.binaries, err = os.MkdirTemp("", "claimflow-endtoend"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if shared.engine, err = engine.Start(context.Background(), engine.Options{FrontendAddr: "127.0.0.1:0"}); err != nil {
		fmt.Fprintln(os.Stderr, "start Temporal:", err)
		return 1
	}
	code := m.Run()
	if err := errors.Join(shared.engine.Stop(), os.RemoveAll(shared.binaries)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// build builds the commands once. The test's race detector does not cover them.
var build = sync.OnceValue(func() error {
	cmd := exec.Command("go", "build", "-o", shared.binaries+string(filepath.Separator), "./worker", "./starter", "./emulator")
	cmd.Dir = filepath.Join("..", "..")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build the commands: %w\n%s", err, out)
	}
	return nil
})

// command returns the path of a built command.
func command(t *testing.T, name string) string {
	t.Helper()
	require.NoError(t, build())
	return filepath.Join(shared.binaries, name)
}

// namespacesAtOnce is how many namespaces are created together: each takes some
// seconds until every part of Temporal knows it.
const namespacesAtOnce = 24

var namespaces struct {
	mu    sync.Mutex
	spare []string
}

// newNamespace returns an unused namespace of the shared engine. Task queues have
// fixed names, so the namespace isolates the tests.
func newNamespace(t *testing.T) string {
	t.Helper()
	namespaces.mu.Lock()
	defer namespaces.mu.Unlock()
	if len(namespaces.spare) == 0 {
		namespaces.spare = makeNamespaces(t)
	}
	name := namespaces.spare[0]
	namespaces.spare = namespaces.spare[1:]
	return name
}

// keywords returns the search attributes of claims with their types.
func keywords() map[string]enumspb.IndexedValueType {
	attributes := map[string]enumspb.IndexedValueType{}
	for _, name := range claim.SearchAttributes() {
		attributes[name] = enumspb.INDEXED_VALUE_TYPE_KEYWORD
	}
	return attributes
}

func makeNamespaces(t *testing.T) []string {
	t.Helper()
	c, err := client.NewLazyClient(shared.engine.ClientOptions())
	require.NoError(t, err)
	defer c.Close()
	names := make([]string, namespacesAtOnce)
	for i := range names {
		names[i] = "t-" + uuid.NewString()[:8]
		_, err = c.WorkflowService().RegisterNamespace(t.Context(), &workflowservice.RegisterNamespaceRequest{
			Namespace: names[i], WorkflowExecutionRetentionPeriod: durationpb.New(24 * time.Hour),
		})
		require.NoError(t, err)
	}
	for _, name := range names {
		eventually(t, "namespace "+name+" accepts search attributes", func() error {
			_, err := c.OperatorService().AddSearchAttributes(t.Context(), &operatorservice.AddSearchAttributesRequest{Namespace: name, SearchAttributes: keywords()})
			return err
		})
	}
	for _, name := range names {
		eventually(t, "namespace "+name+" is usable", func() error {
			_, err := c.WorkflowService().CountWorkflowExecutions(t.Context(), &workflowservice.CountWorkflowExecutionsRequest{
				Namespace: name, Query: claim.AttributeConversation + " IS NULL",
			})
			return err
		})
	}
	return names
}

// eventually retries until try succeeds. It fails with the last error once that
// error has stayed the same for the time of [patience], because errors show
// progress.
func eventually(t *testing.T, what string, try func() error) {
	t.Helper()
	began, used := time.Now(), cpuTime()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for last := ""; ; {
		err := try()
		if err == nil {
			return
		}
		if reason := err.Error(); reason != last {
			last, began, used = reason, time.Now(), cpuTime()
		}
		if time.Since(began) > patience && cpuTime()-used > patientCPU {
			require.FailNow(t, "condition not met: "+what, "%v", err)
		}
		select {
		case <-t.Context().Done():
			require.FailNow(t, "the test ended while waiting for: "+what, "%v", err)
		case <-tick.C:
		}
	}
}

// cpuTime returns the processor time that this process has used.
func cpuTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
