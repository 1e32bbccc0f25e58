package endtoend_test

import (
	"net"
	"os"
	"os/exec"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// running is one of our processes.
type running struct {
	*exec.Cmd
	ended chan struct{}
}

// start starts one of the commands and logs its output to the book. The process is
// killed when the test ends.
func start(t *testing.T, logs *logBook, environ []string, name string, args ...string) *running {
	t.Helper()
	p := &running{Cmd: exec.Command(command(t, name), args...), ended: make(chan struct{})}
	// The machine's own configuration must not reach the process.
	p.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}, environ...)
	p.Stdout, p.Stderr = logs, logs
	require.NoError(t, p.Start())
	go func() {
		defer close(p.ended)
		_ = p.Wait() // the process is killed, so Wait returns an error
	}()
	t.Cleanup(p.kill)
	return p
}

// kill is kill -9.
func (p *running) kill() {
	_ = p.Process.Kill() // a process that has already ended needs no kill
	<-p.ended
}

// environ returns the environment for a separate process of the site.
func (s *site) environ(more ...string) []string {
	return append([]string{
		"CLAIMFLOW_DATABASE_URL=" + s.database,
		"CLAIMFLOW_KEYS=" + s.keys,
		"CLAIMFLOW_DIXA_URL=" + s.dixaURL + "/v1/",
		"CLAIMFLOW_DIXA_FILES_URL=" + s.dixaURL + "/files",
		"CLAIMFLOW_ALLOW_LOOPBACK_EVIDENCE=true",
		"CLAIMFLOW_LOG_LEVEL=debug",
		"CLAIMFLOW_LOG_FORMAT=json",
		"TEMPORAL_ADDRESS=" + s.engine.HostPort,
		"TEMPORAL_NAMESPACE=" + s.engine.Namespace,
	}, more...)
}

// startWorker starts a worker as a separate process.
func (s *site) startWorker(more ...string) *running {
	s.t.Helper()
	return start(s.t, s.logs, s.environ(more...), "worker")
}

// onlyWorker is a site's only worker process, which tests kill and replace.
type onlyWorker struct {
	site *site

	mu  sync.Mutex
	now *running
}

func (s *site) onlyWorker() *onlyWorker {
	s.t.Helper()
	return &onlyWorker{site: s, now: s.startWorker()}
}

// killNow kills the worker and closes killed.
func (w *onlyWorker) killNow(killed chan<- struct{}) func() {
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.now.kill()
		close(killed)
	}
}

// replace starts a new worker once the old one is dead.
func (w *onlyWorker) replace(killed <-chan struct{}) {
	w.site.t.Helper()
	eventually(w.site.t, "the worker is killed at the chosen moment", func() error {
		select {
		case <-killed:
			return nil
		default:
			return errNotYet
		}
	})
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.site.startWorker()
}

// freeAddress returns an address that a process can listen on.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}
