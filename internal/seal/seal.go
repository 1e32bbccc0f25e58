// Package seal keeps secrets and personal data unreadable at rest: authenticated
// encryption under a ring of keys, of which the primary seals and all open.
//
// The keys are a keyset of Tink (https://developers.google.com/tink), so they
// can be looked at and handled with Tink's own tools too.
package seal

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	tinkpb "github.com/tink-crypto/tink-go/v2/proto/tink_go_proto"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// filePrefix marks a value of CLAIMFLOW_KEYS that names a file.
const filePrefix = "file:"

// prefixBytes is how many bytes of a ciphertext name its key: Tink's start byte
// and the key's id.
const prefixBytes = 5

const adviceNew = "make a keyring with `starter keyring new` and put it into CLAIMFLOW_KEYS"

// Keyring seals and opens. It is safe for concurrent use.
type Keyring struct {
	primitive tink.AEAD
	primary   [prefixBytes]byte
}

// Parse reads the value of CLAIMFLOW_KEYS: a cleartext Tink keyset of AEAD keys,
// either in JSON or in Tink's binary form in base64 (what [Generate] makes), or
// "file:" and the path of a file that holds one of the two. Errors say what to
// do and never hold key material.
func Parse(text string) (*Keyring, error) {
	handle, err := read(text)
	if err != nil {
		return nil, err
	}
	return newKeyring(handle)
}

func newKeyring(handle *keyset.Handle) (*Keyring, error) {
	primitive, err := aead.New(handle)
	if err != nil {
		return nil, errors.New("the keyring holds no usable AEAD keys: " + adviceNew)
	}
	info := handle.KeysetInfo()
	for _, key := range info.GetKeyInfo() {
		if key.GetKeyId() == info.GetPrimaryKeyId() && key.GetOutputPrefixType() != tinkpb.OutputPrefixType_TINK {
			return nil, errors.New("the keyring's primary key does not mark what it seals (output prefix TINK), so it could not be rotated: " + adviceNew)
		}
	}
	k := &Keyring{primitive: primitive}
	k.primary[0] = 1
	binary.BigEndian.PutUint32(k.primary[1:], info.GetPrimaryKeyId())
	return k, nil
}

// Generate makes a keyring of one new key (XChaCha20-Poly1305) as the text to
// put into CLAIMFLOW_KEYS. The text is a secret.
func Generate() (string, error) {
	handle, err := keyset.NewHandle(aead.XChaCha20Poly1305KeyTemplate())
	if err != nil {
		return "", fmt.Errorf("make a key: %w", err)
	}
	return write(handle)
}

// Add adds a new key to a keyring that [Parse] reads and returns the new
// keyring's text. The key only opens for now; [Promote] makes it seal. Give the
// text to every process in between: one that lacks the key cannot open what the
// key sealed.
func Add(text string) (string, error) {
	handle, err := read(text)
	if err != nil {
		return "", err
	}
	manager := keyset.NewManagerFromHandle(handle)
	if _, err := manager.Add(aead.XChaCha20Poly1305KeyTemplate()); err != nil {
		return "", fmt.Errorf("add a key to the keyring: %w", err)
	}
	return changed(manager)
}

// Promote makes the newest key of a keyring that [Parse] reads the one that seals
// and returns the new keyring's text. What the others sealed still opens. It is
// an error where the newest key seals already.
func Promote(text string) (string, error) {
	handle, err := read(text)
	if err != nil {
		return "", err
	}
	info := handle.KeysetInfo()
	keys := info.GetKeyInfo()
	newest := keys[len(keys)-1].GetKeyId()
	if newest == info.GetPrimaryKeyId() {
		return "", errors.New("the keyring's newest key seals already: `starter keyring add` adds another")
	}
	manager := keyset.NewManagerFromHandle(handle)
	if err := manager.SetPrimary(newest); err != nil {
		return "", fmt.Errorf("make the newest key the one that seals: %w", err)
	}
	return changed(manager)
}

// Prune drops every key that is older than the one that seals from a keyring that
// [Parse] reads and returns the new keyring's text. What only a dropped key opens
// is lost, so seal everything anew first. It is an error where there is no older
// key.
func Prune(text string) (string, error) {
	handle, err := read(text)
	if err != nil {
		return "", err
	}
	info := handle.KeysetInfo()
	manager := keyset.NewManagerFromHandle(handle)
	for i, key := range info.GetKeyInfo() {
		if key.GetKeyId() == info.GetPrimaryKeyId() {
			if i == 0 {
				return "", errors.New("the keyring has no older key than the one that seals, so there is nothing to drop")
			}
			break
		}
		if err := manager.Delete(key.GetKeyId()); err != nil {
			return "", fmt.Errorf("drop an old key from the keyring: %w", err)
		}
	}
	return changed(manager)
}

// changed is the text of a changed keyring, which must be one that [Parse] takes.
func changed(manager *keyset.Manager) (string, error) {
	handle, err := manager.Handle()
	if err != nil {
		return "", fmt.Errorf("read the changed keyring: %w", err)
	}
	if _, err := newKeyring(handle); err != nil {
		return "", err
	}
	return write(handle)
}

// Seal encrypts plaintext. associated is not kept; the same bytes must be given
// to [Keyring.Open], so that a sealed value cannot be moved to another place.
func (k *Keyring) Seal(plaintext, associated []byte) ([]byte, error) {
	sealed, err := k.primitive.Encrypt(plaintext, associated)
	if err != nil {
		return nil, fmt.Errorf("seal %d bytes: %w", len(plaintext), err)
	}
	return sealed, nil
}

// Open decrypts what [Keyring.Seal] made with the same associated bytes under
// any key of the ring.
func (k *Keyring) Open(sealed, associated []byte) ([]byte, error) {
	plaintext, err := k.primitive.Decrypt(sealed, associated)
	if err != nil {
		return nil, errors.New("what is sealed cannot be opened: it was changed or moved, or its key is not in CLAIMFLOW_KEYS")
	}
	return plaintext, nil
}

// NeedsReseal reports whether sealed was sealed by another key than the primary
// one.
func (k *Keyring) NeedsReseal(sealed []byte) bool {
	return !bytes.HasPrefix(sealed, k.primary[:])
}

func read(text string) (*keyset.Handle, error) {
	text = strings.TrimSpace(text)
	if path, ok := strings.CutPrefix(text, filePrefix); ok {
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("read the keyring's file: %w", err)
		}
		text = strings.TrimSpace(string(data))
	}
	if text == "" {
		return nil, errors.New("there are no keys to seal with: " + adviceNew)
	}
	var reader keyset.Reader
	if strings.HasPrefix(text, "{") {
		reader = keyset.NewJSONReader(strings.NewReader(text))
	} else {
		data, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return nil, errors.New("the keyring is neither JSON nor base64 (was it cut?): " + adviceNew)
		}
		reader = keyset.NewBinaryReader(bytes.NewReader(data))
	}
	// Tink's own words are dropped: they may quote what they could not read.
	handle, err := insecurecleartextkeyset.Read(reader)
	if err != nil {
		return nil, errors.New("the keyring is not a cleartext Tink keyset (was it cut?): " + adviceNew)
	}
	return handle, nil
}

func write(handle *keyset.Handle) (string, error) {
	var buf bytes.Buffer
	if err := insecurecleartextkeyset.Write(handle, keyset.NewBinaryWriter(&buf)); err != nil {
		return "", fmt.Errorf("write the keyring: %w", err)
	}
	return base64.StdEncoding.EncodeToString(buf.Bytes()), nil
}
