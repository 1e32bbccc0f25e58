package claim_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
)

func TestMergeSettings(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ layer, patch, want string }{
		{``, `{"tag": "x"}`, `{"tag": "x"}`},
		{`{"tag": "x"}`, `{}`, `{"tag": "x"}`},
		{`{"tag": "x", "language": "de"}`, `{"tag": null}`, `{"language": "de"}`},
		{`{"evidence": {"max_files": 1, "types": {"pdf": 2}}}`, `{"evidence": {"max_files": 3}}`, `{"evidence": {"max_files": 3, "types": {"pdf": 2}}}`},
		{`{"extra_tags": ["a", "b"]}`, `{"extra_tags": ["c"]}`, `{"extra_tags": ["c"]}`},
	} {
		got, err := claim.MergeSettings(json.RawMessage(tt.layer), json.RawMessage(tt.patch))
		require.NoError(t, err)
		require.JSONEq(t, tt.want, string(got), "%s + %s", tt.layer, tt.patch)
	}
	for _, patch := range []string{``, `null`, `[]`, `"x"`, `{`, `{} {}`} {
		_, err := claim.MergeSettings(nil, json.RawMessage(patch))
		var invalid *claim.InvalidError
		require.ErrorAs(t, err, &invalid, patch)
	}
}

// FuzzMergeSettings checks that every patch either fails or yields a layer that is a
// JSON object.
func FuzzMergeSettings(f *testing.F) {
	for _, seed := range []string{`{"tag": "x"}`, `{"evidence": {"max_files": null}}`, `null`, `[]`, `{"a": {"b": {"c": null}}}`, "{\"\\u0000\": 1}"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, patch string) {
		merged, err := claim.MergeSettings(json.RawMessage(`{"evidence": {"max_files": 1}, "tag": "x"}`), json.RawMessage(patch))
		if err != nil {
			return
		}
		var layer map[string]json.RawMessage
		require.NoError(t, json.Unmarshal(merged, &layer))
		require.NotNil(t, layer)
	})
}
