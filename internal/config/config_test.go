package config_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/internal/config"
)

var update = flag.Bool("update", false, "rewrite docs/configuration.md")

func TestDocumentIsCurrent(t *testing.T) {
	t.Parallel()
	const path = "../../docs/configuration.md"
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(config.Markdown()), 0o644))
	}
	have, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, config.Markdown(), string(have), "run: go test ./internal/config -update")
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	c, err := config.LoadFrom([]string{"CLAIMFLOW_LISTEN="})
	require.NoError(t, err)
	require.Equal(t, "sqlite:claimflow.db", c.DatabaseURL)
	require.Equal(t, "https://dev.dixa.io/v1/", c.DixaURL)
	require.Equal(t, ":8080", c.Listen, "an empty variable counts as missing")
	require.Equal(t, 104*time.Millisecond, c.DixaPace)
	require.False(t, c.AllowLoopbackEvidence)
}

func TestLoadReportsAllInvalidVariables(t *testing.T) {
	t.Parallel()
	_, err := config.LoadFrom([]string{
		"CLAIMFLOW_DATABASE_URL=mysql://root:hunter2@db", "CLAIMFLOW_DIXA_URL=dixa", "CLAIMFLOW_PACE=5ms",
		"CLAIMFLOW_LOG_LEVEL=loud", "CLAIMFLOW_LISTEN=8080", "CLAIMFLOW_SMTP_URL=smtp://user:hunter2@mail",
	})
	require.EqualError(t, err, "invalid configuration: "+
		"CLAIMFLOW_DATABASE_URL must be sqlite:FILE or postgres://…; "+
		"CLAIMFLOW_DIXA_URL must be an http or https URL; CLAIMFLOW_PACE must be at least 100ms; "+
		"CLAIMFLOW_LISTEN must be an address such as :8080 or 127.0.0.1:8080; "+
		"CLAIMFLOW_SMTP_URL must be a URL such as smtp://user:password@mail.example:587?from=claims@acme.example; "+
		"CLAIMFLOW_LOG_LEVEL must be one of debug, info, warn, error; "+
		"docs/configuration.md describes every variable")
}

func TestUnparsableValues(t *testing.T) {
	t.Parallel()
	_, err := config.LoadFrom([]string{"CLAIMFLOW_PACE=soon", "CLAIMFLOW_ALLOW_LOOPBACK_EVIDENCE=perhaps"})
	require.ErrorContains(t, err, "CLAIMFLOW_PACE must be a duration such as 104ms or 1s")
	require.ErrorContains(t, err, "CLAIMFLOW_ALLOW_LOOPBACK_EVIDENCE must be true or false")
}

func TestSecretsAreNeverPrinted(t *testing.T) {
	t.Parallel()
	c, err := config.LoadFrom([]string{
		"CLAIMFLOW_KEYS=kkkk-secret", "CLAIMFLOW_API_KEY=cfk_secret", "CLAIMFLOW_SMTP_URL=smtp://u:secret@mail?from=a@b.example",
		"CLAIMFLOW_DATABASE_URL=postgres://u:secret@db/claims",
	})
	require.NoError(t, err)
	require.Equal(t, "kkkk-secret", c.Keys.Reveal())
	var table bytes.Buffer
	require.NoError(t, config.WriteTable(&table, c))
	list, err := json.Marshal(config.Variables(c))
	require.NoError(t, err)
	for _, printed := range []string{table.String(), string(list)} {
		require.NotContains(t, strings.ReplaceAll(printed, "[secret]", ""), "secret@")
		require.NotContains(t, printed, "kkkk")
		require.NotContains(t, printed, "cfk_secret")
	}
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		require.NotContains(t, fmt.Sprintf(format, c.Keys), "kkkk")
	}
}

func TestEveryVariableIsDocumented(t *testing.T) {
	t.Parallel()
	for _, v := range append(config.Variables(config.Config{}), config.Others()...) {
		require.NotEmpty(t, v.Name)
		require.NotEmpty(t, v.Meaning, v.Name)
		require.NotEmpty(t, v.UsedBy, v.Name)
	}
}
