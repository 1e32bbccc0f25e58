package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/internal/seal"
	"github.com/claimflow/claimflow/store"
)

func TestSealingKeysRotate(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connected("acme")
	b.ok("claim", "submit", "-f", b.file("claim.json", aClaim))
	path := filepath.Join(b.dir, "keys.json")
	require.Equal(t, "CLAIMFLOW_KEYS=file:"+path+"\n", b.ok("keys", "new", "--file", path))
	require.Contains(t, b.fails(exitFailed, "keys", "new", "--file", path), "keys that exist are never overwritten")

	// The store's own keys, in the file.
	app := &app{environ: b.environ}
	require.NoError(t, os.WriteFile(path, []byte(app.env("CLAIMFLOW_KEYS")), 0o600))
	b.environ = append([]string{"CLAIMFLOW_KEYS=file:" + path}, without(b.environ, "CLAIMFLOW_KEYS=")...)
	require.Contains(t, b.fails(exitFailed, "keys", "promote"), "`starter keys add` adds another")
	require.Contains(t, b.fails(exitFailed, "keys", "prune"), "nothing to drop")

	require.Contains(t, b.ok("keys", "add"), "then run `starter keys promote`")
	require.Equal(t, "0 values sealed anew\n", b.ok("keys", "reseal"), "a key that was only added seals")
	require.Contains(t, b.ok("keys", "promote"), "then run `starter keys reseal`")
	promoted, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Regexp(t, `holds [1-9][0-9]* values that old keys sealed, so no key was dropped`, b.fails(exitFailed, "keys", "prune"))
	kept, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, promoted, kept, "a refused prune changed the ring")
	require.Regexp(t, `^[1-9][0-9]* values sealed anew\n$`, b.ok("keys", "reseal"))
	require.Equal(t, "0 values sealed anew\n", b.ok("keys", "reseal"))
	require.Contains(t, b.ok("keys", "prune"), "has lost its old keys")
	require.Contains(t, b.ok("key", "list"), "test", "the store opens with the rotated keys")

	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	entries, _, err := b.store.AuditLog.List(t.Context(), store.AuditFilter{Actor: "cli", Action: "prune-keys"})
	require.NoError(t, err)
	require.Len(t, entries, 1)
}

// A ring that is in no file comes alone on the output, for a script to take.
func TestSealingKeysWithoutAFile(t *testing.T) {
	t.Parallel()
	b := &bench{t: t}
	text := b.ok("keys", "new")
	for _, step := range []string{"add", "promote"} {
		b.environ = []string{"CLAIMFLOW_KEYS=" + strings.TrimSpace(text)}
		code, out, said := b.run("", "keys", step)
		require.Equal(t, exitOK, code, said)
		_, err := seal.Parse(out)
		require.NoError(t, err)
		require.Contains(t, said, "Give it to every process and restart it")
		require.NotContains(t, said, strings.TrimSpace(out))
		text = out
	}
	require.Contains(t, (&bench{t: t}).fails(exitUsage, "keys", "add"), "CLAIMFLOW_KEYS is not set")
}

func without(environ []string, prefix string) (out []string) {
	for _, e := range environ {
		if !strings.HasPrefix(e, prefix) {
			out = append(out, e)
		}
	}
	return out
}
