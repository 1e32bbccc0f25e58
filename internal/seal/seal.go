// Package seal encrypts secrets and personal data at rest. It uses authenticated
// encryption with a keyring: the primary key encrypts, all keys decrypt.
//
// The keys are a keyset of Tink (https://developers.google.com/tink), so Tink's own
// tools can inspect and manage them too.
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

// prefixBytes is how many bytes of a ciphertext identify its key: Tink's start byte
// and the key's id.
const prefixBytes = 5

const adviceNew = "create a keyring with `starter keyring new` and set CLAIMFLOW_KEYS to it"

// Keyring encrypts and decrypts. It is safe for concurrent use.
type Keyring struct {
	primitive tink.AEAD
	primary   [prefixBytes]byte
}

// Parse parses the value of CLAIMFLOW_KEYS: a cleartext Tink keyset of AEAD keys, in
// JSON or in Tink's binary form in base64 (the output of [Generate]), or "file:" and
// the path of a file that holds one of the two. Errors include advice and never
// contain key material.
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
		return nil, errors.New("the keyring has no usable AEAD keys: " + adviceNew)
	}
	info := handle.KeysetInfo()
	for _, key := range info.GetKeyInfo() {
		if key.GetKeyId() == info.GetPrimaryKeyId() && key.GetOutputPrefixType() != tinkpb.OutputPrefixType_TINK {
			return nil, errors.New("the keyring cannot be rotated, because its primary key does not have the output prefix TINK: " + adviceNew)
		}
	}
	k := &Keyring{primitive: primitive}
	k.primary[0] = 1
	binary.BigEndian.PutUint32(k.primary[1:], info.GetPrimaryKeyId())
	return k, nil
}

// Generate creates a keyring of one new key (XChaCha20-Poly1305) as the text to put
// into CLAIMFLOW_KEYS. The text is a secret.
func Generate() (string, error) {
	handle, err := keyset.NewHandle(aead.XChaCha20Poly1305KeyTemplate())
	if err != nil {
		return "", fmt.Errorf("create a key: %w", err)
	}
	return write(handle)
}

// Add adds a new key to a keyring that [Parse] reads and returns the new keyring's
// text. The key only decrypts until [Promote] makes it encrypt. Distribute the text
// to every process before that: a process without the key cannot decrypt what it
// encrypted.
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

// Promote makes the newest key of a keyring that [Parse] reads the primary key and
// returns the new keyring's text. The other keys still decrypt. It fails if the
// newest key is already the primary one.
func Promote(text string) (string, error) {
	handle, err := read(text)
	if err != nil {
		return "", err
	}
	info := handle.KeysetInfo()
	keys := info.GetKeyInfo()
	newest := keys[len(keys)-1].GetKeyId()
	if newest == info.GetPrimaryKeyId() {
		return "", errors.New("the keyring's newest key is already the primary: `starter keyring add` adds another")
	}
	manager := keyset.NewManagerFromHandle(handle)
	if err := manager.SetPrimary(newest); err != nil {
		return "", fmt.Errorf("make the newest key the primary: %w", err)
	}
	return changed(manager)
}

// Prune drops every key that is older than the encrypting one from a keyring that
// [Parse] reads and returns the new keyring's text. Data that only a dropped key
// decrypts is lost, so re-encrypt everything first. It fails if there is no older
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
				return "", errors.New("the keyring has no key older than the primary, so there is nothing to remove")
			}
			break
		}
		if err := manager.Delete(key.GetKeyId()); err != nil {
			return "", fmt.Errorf("remove an old key from the keyring: %w", err)
		}
	}
	return changed(manager)
}

// changed returns the text of a changed keyring, which [Parse] must accept.
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

// Seal encrypts plaintext. associated is not stored; [Keyring.Open] requires the
// same bytes, so that an encrypted value cannot be moved to another place.
func (k *Keyring) Seal(plaintext, associated []byte) ([]byte, error) {
	sealed, err := k.primitive.Encrypt(plaintext, associated)
	if err != nil {
		return nil, fmt.Errorf("encrypt %d bytes: %w", len(plaintext), err)
	}
	return sealed, nil
}

// Open decrypts the output of [Keyring.Seal] with the same associated bytes, under
// any key of the keyring.
func (k *Keyring) Open(sealed, associated []byte) ([]byte, error) {
	plaintext, err := k.primitive.Decrypt(sealed, associated)
	if err != nil {
		return nil, errors.New("cannot decrypt the value: it was changed or moved, or its key is not in CLAIMFLOW_KEYS")
	}
	return plaintext, nil
}

// NeedsReencryption reports whether sealed was encrypted with a key other than the primary
// one.
func (k *Keyring) NeedsReencryption(sealed []byte) bool {
	return !bytes.HasPrefix(sealed, k.primary[:])
}

func read(text string) (*keyset.Handle, error) {
	text = strings.TrimSpace(text)
	if path, ok := strings.CutPrefix(text, filePrefix); ok {
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("read the keyring file: %w", err)
		}
		text = strings.TrimSpace(string(data))
	}
	if text == "" {
		return nil, errors.New("the keyring is empty: " + adviceNew)
	}
	var reader keyset.Reader
	if strings.HasPrefix(text, "{") {
		reader = keyset.NewJSONReader(strings.NewReader(text))
	} else {
		data, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return nil, errors.New("the keyring is neither JSON nor base64 (is it truncated?): " + adviceNew)
		}
		reader = keyset.NewBinaryReader(bytes.NewReader(data))
	}
	// Tink's own errors are dropped: they may quote the input.
	handle, err := insecurecleartextkeyset.Read(reader)
	if err != nil {
		return nil, errors.New("the keyring is not a cleartext Tink keyset (is it truncated?): " + adviceNew)
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
