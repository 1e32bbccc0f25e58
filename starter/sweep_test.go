package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
)

func TestSweepCommand(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connected("acme")
	require.Contains(t, b.fails(exitRefused, "shop", "sweep", "acme"), "not enabled")
	b.ok("shop", "enable", "acme")
	b.found = claim.SweepReport{Requests: 5, Messages: 2}
	require.Regexp(t, `Messages and notes repaired +2`, b.ok("shop", "sweep", "acme"))
	require.Contains(t, b.ok("shop", "sweep", "acme", "-o", "json"), `"requests": 5`)
	b.found.Trouble = "Dixa is down"
	code, out, _ := b.run("", "shop", "sweep", "acme")
	require.NotEqual(t, exitOK, code)
	require.Contains(t, out, "Dixa is down")
}
