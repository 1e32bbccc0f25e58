package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/internal/seal"
)

func TestKeyringRotation(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connected("acme")
	b.ok("claim", "submit", "-f", b.file("claim.json", aClaim))
	path := filepath.Join(b.dir, "keys.json")
	require.Equal(t, "CLAIMFLOW_KEYS=file:"+path+"\n", b.ok("keyring", "new", "--file", path))
	require.Contains(t, b.fails(exitFailed, "keyring", "new", "--file", path), "an existing keyring is never overwritten")

	// The store's own keys are in the file.
	app := &app{environ: b.environ}
	require.NoError(t, os.WriteFile(path, []byte(app.env("CLAIMFLOW_KEYS")), 0o600))
	b.environ = append([]string{"CLAIMFLOW_KEYS=file:" + path}, without(b.environ, "CLAIMFLOW_KEYS=")...)
	require.Contains(t, b.fails(exitFailed, "keyring", "promote"), "`starter keyring add` adds another")
	require.Contains(t, b.fails(exitFailed, "keyring", "prune"), "nothing to remove")

	require.Contains(t, b.ok("keyring", "add"), "then run `starter keyring promote`")
	require.Equal(t, "0 values re-encrypted\n", b.ok("keyring", "reencrypt"), "an added key does not encrypt")
	require.Contains(t, b.ok("keyring", "promote"), "then run `starter keyring reencrypt`")
	promoted, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Regexp(t, `old keys still encrypt [1-9][0-9]* values, so no key was removed`, b.fails(exitFailed, "keyring", "prune"))
	kept, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, promoted, kept, "a refused prune changes nothing")
	require.Regexp(t, `^[1-9][0-9]* values re-encrypted\n$`, b.ok("keyring", "reencrypt"))
	require.Equal(t, "0 values re-encrypted\n", b.ok("keyring", "reencrypt"))
	require.Contains(t, b.ok("keyring", "prune"), "no longer has the old keys")
	require.Contains(t, b.ok("api-key", "list"), "test", "the store opens with the rotated keys")

	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	entries, _, err := b.store.AuditLog.List(t.Context(), claim.AuditFilter{Actor: "cli", Action: "prune-keys"})
	require.NoError(t, err)
	require.Len(t, entries, 1)
}

// A keyring that is not in a file is printed alone, so that scripts can read it.
func TestKeyringWithoutFile(t *testing.T) {
	t.Parallel()
	b := &bench{t: t}
	text := b.ok("keyring", "new")
	for _, step := range []string{"add", "promote"} {
		b.environ = []string{"CLAIMFLOW_KEYS=" + strings.TrimSpace(text)}
		code, out, said := b.run("", "keyring", step)
		require.Equal(t, exitOK, code, said)
		_, err := seal.Parse(out)
		require.NoError(t, err)
		require.Contains(t, said, "Deploy it to every process and restart it")
		require.NotContains(t, said, strings.TrimSpace(out))
		text = out
	}
	require.Contains(t, (&bench{t: t}).fails(exitUsage, "keyring", "add"), "CLAIMFLOW_KEYS is not set")
}

func without(environ []string, prefix string) (out []string) {
	for _, e := range environ {
		if !strings.HasPrefix(e, prefix) {
			out = append(out, e)
		}
	}
	return out
}

// Scripts may use the former names of the commands.
func TestRenamedCommandsStillWork(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	require.Contains(t, b.ok("key", "list"), "SCOPES")
	require.NotEmpty(t, b.ok("keys", "new"))
	require.Equal(t, "0 values re-encrypted\n", b.ok("keys", "reseal"))
	require.NotRegexp(t, `(?m)^  keys? `, b.ok("--help"))
}
