package claim_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
)

// The operations document must list every cause, state and search attribute.
func TestOperationsDocumentIsComplete(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/operations.md")
	require.NoError(t, err)
	for _, c := range claim.Causes() {
		require.Contains(t, string(text), "| `"+string(c)+"` |", "docs/operations.md has no row for the cause")
	}
	for _, s := range claim.States() {
		require.Contains(t, string(text), "| `"+string(s)+"` |", "docs/operations.md has no row for the state")
	}
	for _, a := range claim.SearchAttributes() {
		require.Contains(t, string(text), "| `"+a+"` |", "docs/operations.md has no row for the search attribute")
	}
}
