package engine_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/server/common/dynamicconfig"
)

// No test starts the cluster of docker-compose.yml, but the server's parser can
// detect a misspelled key.
func TestDeployedDynamicConfigIsValid(t *testing.T) {
	t.Parallel()
	contents, err := os.ReadFile("../../deploy/temporal/dynamicconfig.yaml")
	require.NoError(t, err)
	loaded := dynamicconfig.LoadYamlFile(contents)
	require.NoError(t, loaded.Err())
	require.Empty(t, loaded.Warnings)
	require.NotEmpty(t, loaded.Map)
}
