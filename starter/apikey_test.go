package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAPIKeyCreateNamesItsStore(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	create := []string{"api-key", "create", "--name", "x", "--scope", "admin"}
	code, out, err := b.run("", create...)
	require.Equal(t, exitOK, code)
	require.True(t, strings.HasPrefix(out, "cfk_"), "only the key is printed")
	require.Equal(t, 1, strings.Count(out, "\n"))
	require.Equal(t, "The key is in the store sqlite:"+filepath.Join(b.dir, "claimflow.db")+".\n", err)

	elsewhere := filepath.Join(t.TempDir(), "claimflow.db")
	environ := append([]string{"CLAIMFLOW_DATABASE_URL=sqlite:" + elsewhere}, b.environ[1:]...)
	other := &bench{t: t, dir: b.dir, environ: environ}
	_, _, err = other.run("", create...)
	require.Contains(t, err, "Warning: no store existed at sqlite:"+elsewhere+", so this command created a new one")
	require.Contains(t, err, "It is the first key in this store.")
	_, err2 := os.Stat(elsewhere)
	require.NoError(t, err2)
	_, _, err = other.run("", create...)
	require.NotContains(t, err, "Warning")

	other.environ[0] = "CLAIMFLOW_DATABASE_URL=sqlite::memory:"
	_, _, err = other.run("", create...)
	require.Contains(t, err, "the key is lost when this command ends")

	for address, want := range map[string]string{
		"postgres://u:hunter2@db:5432/claims?password=hunter2": "The key is in the store postgres://db:5432/claims.",
		"postgres://u:hun%zzter2@db/claims":                    "The key is in the store of CLAIMFLOW_DATABASE_URL.",
	} {
		place, failed := (&app{environ: []string{"CLAIMFLOW_DATABASE_URL=" + address}}).place()
		require.NoError(t, failed)
		require.Equal(t, want, place)
	}
}
