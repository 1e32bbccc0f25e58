package engine_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/server/common/dynamicconfig"
)

// The cluster of docker-compose.yml has no test of its own that starts it, but
// the server's parser can tell a misspelt key from one it knows.
func TestServerKnowsTheDeployedDynamicConfig(t *testing.T) {
	t.Parallel()
	contents, err := os.ReadFile("../../deploy/temporal/dynamicconfig.yaml")
	require.NoError(t, err)
	loaded := dynamicconfig.LoadYamlFile(contents)
	require.NoError(t, loaded.Err())
	require.Empty(t, loaded.Warnings)
	require.NotEmpty(t, loaded.Map)
}
