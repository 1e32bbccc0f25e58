package claim_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
)

func TestTokenInWords(t *testing.T) {
	t.Parallel()
	saved := time.Date(2026, 11, 27, 23, 59, 0, 0, time.UTC)
	for preview, want := range map[string]string{
		"": "none", "…": "saved on 2026-11-27", "…4f2a": "saved on 2026-11-27, ends in 4f2a", "dx_…4f2a": "dx_…4f2a, saved on 2026-11-27",
	} {
		require.Equal(t, want, claim.Connection{TokenPreview: preview, TokenSavedAt: saved}.TokenInWords())
	}
	require.Equal(t, "…4f2a", claim.Connection{TokenPreview: "…4f2a"}.TokenInWords(), "without a date, only the preview remains")
}
