package main

import (
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestATokenComesInOneWayOnly(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.ok("shop", "add", "acme")
	b.environ = append(b.environ, "CLAIMFLOW_DIXA_TOKEN="+dixaToken)
	code, _, err := b.run("another-token\n", "shop", "connect", "acme")
	require.Equal(t, exitUsage, code)
	require.Contains(t, err, "the standard input holds something and CLAIMFLOW_DIXA_TOKEN is set")
	require.NotContains(t, err, "another-token")
	require.Contains(t, b.fails(exitUsage, "shop", "connect", "acme", "--token-file", b.file("token", dixaToken)), "--token-file is given and CLAIMFLOW_DIXA_TOKEN is set")
	require.Contains(t, b.ok("shop", "connect", "acme"), "dix…4f2a", "an empty input is none")

	idle, writer := io.Pipe()
	t.Cleanup(func() { _ = writer.Close() })
	a := &app{in: idle, environ: b.environ, inputWait: time.Millisecond}
	token, failed := a.token("")
	require.NoError(t, failed, "an input that nobody writes to does not hold it up")
	require.Equal(t, dixaToken, token)
}
