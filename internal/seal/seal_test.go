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

// foreign is a keyset of another kind than ours, in JSON.
func foreign(t *testing.T, template *tinkpb.KeyTemplate) string {
	t.Helper()
	handle, err := keyset.NewHandle(template)
	require.NoError(t, err)
	var buf bytes.Buffer
	require.NoError(t, insecurecleartextkeyset.Write(handle, keyset.NewJSONWriter(&buf)))
	return buf.String()
}

func TestSealedOpensOnlyInItsPlace(t *testing.T) {
	t.Parallel()
	keys := parse(t, generate(t))
	sealed, err := keys.Seal([]byte("ada@example.com"), []byte("claims|body|acme|1"))
	require.NoError(t, err)
	require.NotContains(t, string(sealed), "ada")

	opened, err := keys.Open(sealed, []byte("claims|body|acme|1"))
	require.NoError(t, err)
	require.Equal(t, "ada@example.com", string(opened))

	_, err = keys.Open(sealed, []byte("claims|body|acme|2"))
	require.ErrorContains(t, err, "cannot be opened")
	sealed[len(sealed)-1] ^= 1
	_, err = keys.Open(sealed, []byte("claims|body|acme|1"))
	require.ErrorContains(t, err, "cannot be opened")
	_, err = parse(t, generate(t)).Open(sealed, []byte("claims|body|acme|1"))
	require.ErrorContains(t, err, "CLAIMFLOW_KEYS")
}

func TestRotatedKeyringOpensOldAndSealsNew(t *testing.T) {
	t.Parallel()
	oldText := generate(t)
	newText, err := seal.Rotate(oldText)
	require.NoError(t, err)
	before, after := parse(t, oldText), parse(t, newText)

	old, err := before.Seal([]byte("x"), nil)
	require.NoError(t, err)
	require.False(t, before.NeedsReseal(old))
	require.True(t, after.NeedsReseal(old), "the old key's work does not count as old")
	opened, err := after.Open(old, nil)
	require.NoError(t, err)
	require.Equal(t, "x", string(opened))

	fresh, err := after.Seal(opened, nil)
	require.NoError(t, err)
	require.False(t, after.NeedsReseal(fresh))
	_, err = before.Open(fresh, nil)
	require.Error(t, err, "the old keyring has the new key")

	prunedText, err := seal.Prune(newText)
	require.NoError(t, err)
	pruned := parse(t, prunedText)
	_, err = pruned.Open(fresh, nil)
	require.NoError(t, err)
	_, err = pruned.Open(old, nil)
	require.Error(t, err, "a dropped key still opens")
}

func TestKeyringComesInEveryForm(t *testing.T) {
	t.Parallel()
	text := generate(t)
	path := filepath.Join(t.TempDir(), "keys")
	require.NoError(t, os.WriteFile(path, []byte(text+"\n"), 0o600))
	sealed, err := parse(t, "  "+text+"\n").Seal([]byte("x"), nil)
	require.NoError(t, err)
	_, err = parse(t, "file:"+path).Open(sealed, nil)
	require.NoError(t, err)
	parse(t, foreign(t, aead.AES256GCMKeyTemplate()))
	rotated, err := seal.Rotate("file:" + path)
	require.NoError(t, err)
	_, err = parse(t, rotated).Open(sealed, nil)
	require.NoError(t, err)
}

func TestMalformedKeysSayWhatToDo(t *testing.T) {
	t.Parallel()
	text := generate(t)
	raw := aead.AES256GCMNoPrefixKeyTemplate()
	for name, c := range map[string]struct{ text, says string }{
		"empty":           {"  ", "no keys"},
		"no base64":       {"not base64!", "neither JSON nor base64"},
		"cut":             {text[:len(text)/2/4*4], "not a cleartext Tink keyset"},
		"cut JSON":        {`{"primaryKeyId":1,"key":[`, "not a cleartext Tink keyset"},
		"other base64":    {base64.StdEncoding.EncodeToString([]byte("secret words")), "not a cleartext Tink keyset"},
		"keys of a MAC":   {foreign(t, mac.HMACSHA256Tag128KeyTemplate()), "no usable AEAD keys"},
		"without key ids": {foreign(t, raw), "could not be rotated"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := seal.Parse(c.text)
			require.ErrorContains(t, err, c.says)
			require.ErrorContains(t, err, "starter keys new")
			require.NotContains(t, err.Error(), "secret words")
		})
	}
	_, err := seal.Parse("file:/nowhere/keys")
	require.ErrorContains(t, err, "/nowhere/keys")
	_, err = seal.Rotate("nonsense")
	require.Error(t, err)
	_, err = seal.Prune("nonsense")
	require.Error(t, err)
}

func TestMaskShowsFourCharactersAtMost(t *testing.T) {
	t.Parallel()
	for token, want := range map[string]string{
		"":                                  "",
		"   ":                               "",
		"short":                             "dx_…",
		"exactly15chars!":                   "dx_…",
		"sixteen-chars-ok":                  "dx_…s-ok",
		" dx-live-0123456789abcdef4f2a\n":   "dx_…4f2a",
		strings.Repeat("é", 15) + "ü" + "ö": "dx_…ééüö",
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
		keys, err := seal.Parse(text)
		if err != nil {
			return
		}
		sealed, err := keys.Seal([]byte("x"), []byte("y"))
		require.NoError(t, err)
		require.False(t, keys.NeedsReseal(sealed), "what the primary key seals counts as old")
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
		require.Error(t, err, "something that was never sealed opens")
	})
}
