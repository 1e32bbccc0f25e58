package seal_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/internal/seal"
)

func TestSecretIsNotPrinted(t *testing.T) {
	t.Parallel()
	const secret = seal.Secret("hunter2")
	encoded, err := json.Marshal(secret)
	require.NoError(t, err)
	for _, text := range []string{fmt.Sprintf("%v %+v %#v %s %q", secret, secret, secret, secret, secret), string(encoded), secret.LogValue().String(), slog.Any("s", secret).String()} {
		require.NotContains(t, text, "hunter")
		require.Contains(t, text, "[secret]")
	}
	require.Empty(t, seal.Secret("").String())
	require.Equal(t, "hunter2", secret.Reveal())
}
