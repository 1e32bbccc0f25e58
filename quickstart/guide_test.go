package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/internal/config"
)

func TestGuideSetsUpAShop(t *testing.T) {
	t.Parallel()
	text := guide("127.0.0.1:7233", "http://127.0.0.1:8233")
	require.NotContains(t, text, ">", "a redirect creates a world-readable file")
	require.NotContains(t, text, "%!")
	at := -1
	for _, step := range []string{
		"go run ./starter keyring new --file claimflow.keys\n",
		"export TEMPORAL_ADDRESS=127.0.0.1:7233\n",
		"export CLAIMFLOW_KEYS=file:$PWD/claimflow.keys\n",
		"export CLAIMFLOW_DATABASE_URL=sqlite:$PWD/claimflow.db\n",
		"export CLAIMFLOW_LISTEN=127.0.0.1:18080 CLAIMFLOW_URL=http://127.0.0.1:18080\n",
		"go run ./emulator ", "go run ./worker\n", "go run ./starter serve\n",
		"export CLAIMFLOW_API_KEY=$(go run ./starter api-key create --name me --scope admin)\n",
		"go run ./starter shop add demo-shop\n", "go run ./starter shop connect demo-shop\n",
		"go run ./starter shop settings demo-shop email_integration_id=", "go run ./starter shop enable demo-shop\n",
	} {
		_, after, ok := strings.Cut(text[at+1:], step)
		require.True(t, ok, "%q is missing or out of order", step)
		at = len(text) - len(after) - 1
	}
	known := map[string]bool{}
	for _, v := range config.Variables(config.Config{}) {
		known[v.Name] = true
	}
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return r != '_' && (r < 'A' || r > 'Z') }) {
		require.True(t, !strings.HasPrefix(word, "CLAIMFLOW_") || known[word], "unknown variable %s", word)
	}
}
