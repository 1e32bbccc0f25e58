package main

import (
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestTokenFromOneSourceOnly(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.ok("shop", "add", "acme")
	b.environ = append(b.environ, "CLAIMFLOW_DIXA_TOKEN="+dixaToken)
	code, _, err := b.run("another-token\n", "shop", "connect", "acme")
	require.Equal(t, exitUsage, code)
	require.Contains(t, err, "CLAIMFLOW_DIXA_TOKEN is set and the standard input is not empty")
	require.NotContains(t, err, "another-token")
	require.Contains(t, b.fails(exitUsage, "shop", "connect", "acme", "--token-file", b.file("token", dixaToken)), "--token-file and CLAIMFLOW_DIXA_TOKEN are both set")
	require.Contains(t, b.ok("shop", "connect", "acme"), "dix…4f2a", "an empty input counts as missing")

	idle, writer := io.Pipe()
	t.Cleanup(func() { _ = writer.Close() })
	a := &app{in: idle, environ: b.environ, inputWait: time.Millisecond}
	token, failed := a.token("")
	require.NoError(t, failed, "an idle input does not block the command")
	require.Equal(t, dixaToken, token)
}
