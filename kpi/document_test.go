package kpi_test

import (
	"flag"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/kpi"
)

var update = flag.Bool("update", false, "rewrite docs/kpis.md")

func TestDocumentIsCurrent(t *testing.T) {
	t.Parallel()
	const path = "../docs/kpis.md"
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(kpi.Markdown()), 0o644))
	}
	have, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, kpi.Markdown(), string(have), "run: go test ./kpi -update")
}
