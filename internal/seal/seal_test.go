package seal_test

import (
	"bytes"
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/mac"
	tinkpb "github.com/tink-crypto/tink-go/v2/proto/tink_go_proto"

	"github.com/claimflow/claimflow/internal/seal"
)

func generate(t *testing.T) string {
	t.Helper()
	text, err := seal.Generate()
	require.NoError(t, err)
	return text
}

func parse(t *testing.T, text string) *seal.Keyring {
	t.Helper()
	keys, err := seal.Parse(text)
	require.NoError(t, err)
	return keys
}

// foreign returns a keyset of another type, as JSON.
func foreign(t *testing.T, template *tinkpb.KeyTemplate) string {
	t.Helper()
	handle, err := keyset.NewHandle(template)
	require.NoError(t, err)
	var buf bytes.Buffer
	require.NoError(t, insecurecleartextkeyset.Write(handle, keyset.NewJSONWriter(&buf)))
	return buf.String()
}

func TestOpenRequiresSameAssociatedData(t *testing.T) {
	t.Parallel()
	keys := parse(t, generate(t))
	sealed, err := keys.Seal([]byte("ada@example.com"), []byte("claims|body|acme|1"))
	require.NoError(t, err)
	require.NotContains(t, string(sealed), "ada")

	opened, err := keys.Open(sealed, []byte("claims|body|acme|1"))
	require.NoError(t, err)
	require.Equal(t, "ada@example.com", string(opened))

	_, err = keys.Open(sealed, []byte("claims|body|acme|2"))
	require.ErrorContains(t, err, "cannot decrypt")
	sealed[len(sealed)-1] ^= 1
	_, err = keys.Open(sealed, []byte("claims|body|acme|1"))
	require.ErrorContains(t, err, "cannot decrypt")
	_, err = parse(t, generate(t)).Open(sealed, []byte("claims|body|acme|1"))
	require.ErrorContains(t, err, "CLAIMFLOW_KEYS")
}

func TestAdjacentRotationStepsDecryptEachOther(t *testing.T) {
	t.Parallel()
	oldText := generate(t)
	addedText, err := seal.Add(oldText)
	require.NoError(t, err)
	promotedText, err := seal.Promote(addedText)
	require.NoError(t, err)
	prunedText, err := seal.Prune(promotedText)
	require.NoError(t, err)
	rings := []*seal.Keyring{parse(t, oldText), parse(t, addedText), parse(t, promotedText), parse(t, prunedText)}
	sealed := make([][]byte, len(rings))
	for i, ring := range rings {
		sealed[i], err = ring.Seal([]byte("x"), nil)
		require.NoError(t, err)
		require.False(t, ring.NeedsReencryption(sealed[i]))
	}

	// During a rollout, keyrings of two neighboring steps are in use. (Nothing is
	// encrypted with the old key when it is dropped.)
	for _, pair := range [][2]int{{0, 1}, {1, 0}, {1, 2}, {2, 1}, {2, 3}, {3, 2}} {
		opened, err := rings[pair[0]].Open(sealed[pair[1]], nil)
		require.NoError(t, err, "the keyring of step %d cannot decrypt data of step %d", pair[0], pair[1])
		require.Equal(t, "x", string(opened))
	}
	require.False(t, rings[1].NeedsReencryption(sealed[0]), "an added key does not encrypt")
	require.True(t, rings[2].NeedsReencryption(sealed[0]), "data of the old key needs re-encryption")
	_, err = rings[0].Open(sealed[2], nil)
	require.Error(t, err, "the old keyring does not have the new key")
	_, err = rings[3].Open(sealed[0], nil)
	require.Error(t, err, "a removed key does not decrypt")
}

func TestRotationStepsFailWithNothingToDo(t *testing.T) {
	t.Parallel()
	text := generate(t)
	_, err := seal.Promote(text)
	require.ErrorContains(t, err, "starter keyring add")
	_, err = seal.Prune(text)
	require.ErrorContains(t, err, "nothing to remove")

	// A key that waits for promotion is not an old key.
	added, err := seal.Add(text)
	require.NoError(t, err)
	_, err = seal.Prune(added)
	require.ErrorContains(t, err, "nothing to remove")
	promoted, err := seal.Promote(added)
	require.NoError(t, err)
	waiting, err := seal.Add(promoted)
	require.NoError(t, err)
	pruned, err := seal.Prune(waiting)
	require.NoError(t, err)
	_, err = seal.Promote(pruned)
	require.NoError(t, err, "prune keeps a key that waits for promotion")
}

func TestParseAcceptsAllForms(t *testing.T) {
	t.Parallel()
	text := generate(t)
	path := filepath.Join(t.TempDir(), "keys")
	require.NoError(t, os.WriteFile(path, []byte(text+"\n"), 0o600))
	sealed, err := parse(t, "  "+text+"\n").Seal([]byte("x"), nil)
	require.NoError(t, err)
	_, err = parse(t, "file:"+path).Open(sealed, nil)
	require.NoError(t, err)
	parse(t, foreign(t, aead.AES256GCMKeyTemplate()))
	added, err := seal.Add("file:" + path)
	require.NoError(t, err)
	_, err = parse(t, added).Open(sealed, nil)
	require.NoError(t, err)
}

func TestParseErrorsIncludeAdvice(t *testing.T) {
	t.Parallel()
	text := generate(t)
	raw := aead.AES256GCMNoPrefixKeyTemplate()
	for name, c := range map[string]struct{ text, says string }{
		"empty":           {"  ", "the keyring is empty"},
		"not base64":      {"not base64!", "neither JSON nor base64"},
		"truncated":       {text[:len(text)/2/4*4], "not a cleartext Tink keyset"},
		"truncated JSON":  {`{"primaryKeyId":1,"key":[`, "not a cleartext Tink keyset"},
		"other base64":    {base64.StdEncoding.EncodeToString([]byte("secret words")), "not a cleartext Tink keyset"},
		"keys of a MAC":   {foreign(t, mac.HMACSHA256Tag128KeyTemplate()), "no usable AEAD keys"},
		"without key ids": {foreign(t, raw), "cannot be rotated"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := seal.Parse(c.text)
			require.ErrorContains(t, err, c.says)
			require.ErrorContains(t, err, "starter keyring new")
			require.NotContains(t, err.Error(), "secret words")
		})
	}
	_, err := seal.Parse("file:/nowhere/keys")
	require.ErrorContains(t, err, "/nowhere/keys")
	for name, change := range map[string]func(string) (string, error){"Add": seal.Add, "Promote": seal.Promote, "Prune": seal.Prune} {
		_, err = change("nonsense")
		require.ErrorContains(t, err, "starter keyring new", name)
	}
}

func TestMaskShowsSevenCharactersAtMost(t *testing.T) {
	t.Parallel()
	for token, want := range map[string]string{
		"":                                  "",
		"   ":                               "",
		"short":                             "…",
		"elevenchars":                       "…",
		"twelve-chars":                      "…hars",
		"twenty-three-characters":           "…ters",
		"twenty-four-characters-0":          "twe…rs-0",
		" dx_live-0123456789abcdef4f2a\n":   "dx_…4f2a",
		strings.Repeat("é", 25) + "ü" + "ö": "ééé…ééüö",
	} {
		require.Equal(t, want, seal.Mask(token), "mask of %q", token)
	}
}

func FuzzParse(f *testing.F) {
	text, err := seal.Generate()
	require.NoError(f, err)
	f.Add(text)
	f.Add("{}")
	f.Add(`{"primaryKeyId":1}`)
	f.Fuzz(func(t *testing.T, text string) {
		if strings.HasPrefix(strings.TrimSpace(text), "file:") {
			return
		}
		for name, change := range map[string]func(string) (string, error){"Add": seal.Add, "Promote": seal.Promote, "Prune": seal.Prune} {
			if changed, err := change(text); err == nil {
				_, err = seal.Parse(changed)
				require.NoError(t, err, "%s returns an invalid keyring", name)
			}
		}
		keys, err := seal.Parse(text)
		if err != nil {
			return
		}
		sealed, err := keys.Seal([]byte("x"), []byte("y"))
		require.NoError(t, err)
		require.False(t, keys.NeedsReencryption(sealed), "data of the primary key needs no re-encryption")
		_, err = keys.Open(sealed, []byte("y"))
		require.NoError(t, err)
	})
}

func FuzzOpen(f *testing.F) {
	text, err := seal.Generate()
	require.NoError(f, err)
	keys, err := seal.Parse(text)
	require.NoError(f, err)
	f.Add([]byte{})
	f.Add([]byte{1, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, sealed []byte) {
		_, err := keys.Open(sealed, nil)
		require.Error(t, err, "unsealed data must not decrypt")
	})
}
