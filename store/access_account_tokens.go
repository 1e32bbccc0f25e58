package store

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/claimflow/claimflow/claim"
)

// AccountTokenPrefix starts every account token, so that it can be told apart from an
// API key.
const AccountTokenPrefix = "cfa_"

// ErrAccountToken means that an account token is unknown or has expired, or that the API
// key that issued it was revoked.
var ErrAccountToken = errors.New("the account token is not valid")

// accountToken is the content of an account token. Nothing of it is stored: the token is
// sealed, so that only a process with the keyring can have made it. The row of its API
// key revokes it.
type accountToken struct {
	KeyID     string    `json:"key"`
	AccountID string    `json:"account"`
	Expires   time.Time `json:"expires"`
}

var accountTokenData = []byte("account token")

// IssueAccountToken returns a token that acts for an API key on one connection until it
// expires. It also ends with the key.
func (s APIKeys) IssueAccountToken(keyID, connectionID string, expires time.Time) (string, error) {
	text, err := json.Marshal(accountToken{keyID, connectionID, expires.UTC()})
	if err != nil {
		return "", err
	}
	sealed, err := s.keys.Seal(text, accountTokenData)
	return AccountTokenPrefix + base64.RawURLEncoding.EncodeToString(sealed), err
}

// ByAccountToken returns the API key that issued an account token, as it is now, and the
// id of the token's connection. It returns [ErrAccountToken] if the token is not valid.
func (s APIKeys) ByAccountToken(ctx context.Context, token string) (key claim.Key, connectionID string, err error) {
	sealed, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(token, AccountTokenPrefix))
	if err != nil || !strings.HasPrefix(token, AccountTokenPrefix) {
		return claim.Key{}, "", ErrAccountToken
	}
	text, err := s.keys.Open(sealed, accountTokenData)
	if err != nil {
		return claim.Key{}, "", ErrAccountToken
	}
	var t accountToken
	if err := json.Unmarshal(text, &t); err != nil || !s.clock().Before(t.Expires) {
		return claim.Key{}, "", ErrAccountToken
	}
	keys, err := s.keysWhere(ctx, `id = $1 AND revoked_at = 0`, t.KeyID)
	if key, err = only(keys, err, ErrAccountToken); err != nil {
		return claim.Key{}, "", err
	}
	return key, t.AccountID, nil
}
