package activities_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/activities"
	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/emulator/server"
)

// Values that are too long do not block a claim. The internal note lists the
// truncations.
func TestNoteListsTruncations(t *testing.T) {
	t.Parallel()
	b := setup(t, server.Switches{}, nil)
	c, err := claim.Decode([]byte(fmt.Sprintf(`{"claim_id": "c-1", "reason": "damaged", "customer": {"email": "anna.berg@example.org", "first_name": %q},
		"answers": {"O": {"x": 1, "y": [{"z": null}]}}}`, strings.Repeat("ü", 500))), shop)
	require.NoError(t, err)
	ref := b.accept(c)
	_, err = b.open(ref)
	require.NoError(t, err)
	require.NoError(t, runVoid(b, steps.AddNote, ref))
	b.sync(activities.StatusChange{Ref: ref, Event: claim.EventOpened})
	opened, _ := b.conversation()
	require.Contains(t, opened.Messages[0].Content.Value, "O › x")
	require.Contains(t, opened.Notes[0].Text, "Shortened or omitted because of their length:\n- customer.first_name: truncated to the first 199 of 500 characters")

	b.patch(ref, fmt.Sprintf(`{"customer": {"last_name": %q}}`, strings.Repeat("ü", 300)))
	b.carryOut(ref)
	opened, _ = b.conversation()
	require.Len(t, opened.Notes, 2)
	require.Contains(t, opened.Notes[1].Text, "- customer.last_name: truncated to the first 199 of 300 characters")
	require.NotContains(t, opened.Notes[1].Text, "customer.first_name:", "an unchanged truncation must not be repeated")
}
