// Package deploy_test checks the files in this folder and docker-compose.yml against
// the code that they configure.
package deploy_test

import (
	"os"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/internal/config"
)

func read(t *testing.T, path string) string {
	t.Helper()
	contents, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(contents)
}

func TestNamespaceHasEverySearchAttribute(t *testing.T) {
	t.Parallel()
	var made []string
	for _, m := range regexp.MustCompile(`--name (\w+) --type Keyword`).FindAllStringSubmatch(read(t, "temporal/namespace.sh"), -1) {
		made = append(made, m[1])
	}
	require.ElementsMatch(t, claim.SearchAttributes(), made)
}

func TestQueueOfDixaCallsHasOnePartition(t *testing.T) {
	t.Parallel()
	var settings map[string][]struct {
		Value       any
		Constraints struct {
			TaskQueueName string `yaml:"taskQueueName"`
		}
	}
	require.NoError(t, yaml.Unmarshal([]byte(read(t, "temporal/dynamicconfig.yaml")), &settings))
	for _, key := range []string{"matching.numTaskqueueReadPartitions", "matching.numTaskqueueWritePartitions"} {
		require.Len(t, settings[key], 1, key)
		require.Equal(t, 1, settings[key][0].Value, key)
		require.Equal(t, claim.TaskQueueDixa, settings[key][0].Constraints.TaskQueueName, key)
	}
}

func TestComposeSetsOnlyVariablesThatAreKnown(t *testing.T) {
	t.Parallel()
	var known []string
	for _, v := range append(config.Variables(config.Config{}), config.Others()...) {
		known = append(known, v.Name)
	}
	var compose struct {
		Services map[string]struct {
			Environment map[string]string
		}
	}
	require.NoError(t, yaml.Unmarshal([]byte(read(t, "../docker-compose.yml")), &compose))
	for _, name := range []string{"worker", "starter"} {
		require.NotEmpty(t, compose.Services[name].Environment, "docker-compose.yml has no %s", name)
		for variable := range compose.Services[name].Environment {
			require.Contains(t, known, variable, "docker-compose.yml gives the %s a variable that docs/configuration.md does not know", name)
		}
	}
}
