package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"

	"github.com/google/uuid"

	"github.com/claimflow/claimflow/claim"
)

// keyPrefix starts every API key, so that a leaked key can be recognized.
const keyPrefix = "cfk_"

// Create creates an API key and returns it with its secret of 256 random bits. Only
// a hash of the secret is stored, so it cannot be shown again.
func (s APIKeys) Create(ctx context.Context, k claim.NewKey) (key claim.Key, secret string, err error) {
	secret = randomSecret(keyPrefix)
	key = claim.Key{
		ID: uuid.NewString(), Name: plain(k.Name), Shop: k.Shop, Scopes: append([]string{}, k.Scopes...),
		Preview: keyPrefix + "…" + secret[len(secret)-4:],
	}
	scopes, err := json.Marshal(key.Scopes)
	if err != nil {
		return claim.Key{}, "", err
	}
	err = s.write(ctx, "create an API key", func(tx *sql.Tx) error {
		if k.Shop != "" {
			if err := liveShop(ctx, tx, k.Shop); err != nil {
				return err
			}
		}
		now := s.now()
		key.CreatedAt = timeOf(now)
		_, err := exec(ctx, tx, `INSERT INTO api_keys (id, hash, name, shop, scopes, preview, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
			key.ID, keyHash(secret), key.Name, key.Shop, string(scopes), key.Preview, now)
		return err
	})
	if err != nil {
		return claim.Key{}, "", err
	}
	return key, secret, nil
}

// BySecret returns the key of a secret. It returns [ErrNotFound] if the key is
// unknown or revoked.
func (s APIKeys) BySecret(ctx context.Context, secret string) (claim.Key, error) {
	keys, err := s.keysWhere(ctx, `hash = $1 AND revoked_at = 0`, keyHash(secret))
	return only(keys, err, notFound("API key"))
}

// List lists the API keys of a shop, or all keys if shop is empty, newest first and
// including revoked ones.
func (s APIKeys) List(ctx context.Context, shop string) ([]claim.Key, error) {
	return s.keysWhere(ctx, `$1 = '' OR shop = $1`, shop)
}

// Revoke revokes a key at once. It is idempotent.
func (s APIKeys) Revoke(ctx context.Context, id string) error {
	return s.execute(ctx, "revoke API key "+id, notFound("API key "+id),
		`UPDATE api_keys SET revoked_at = CASE WHEN revoked_at = 0 THEN $2 ELSE revoked_at END WHERE id = $1`, id, s.now())
}

func (s *core) keysWhere(ctx context.Context, where string, arg any) ([]claim.Key, error) {
	return list(ctx, s, "read API keys", func(scan func(...any) error) (claim.Key, error) {
		var k claim.Key
		var scopes string
		var created, revoked int64
		if err := scan(&k.ID, &k.Name, &k.Shop, &scopes, &k.Preview, &created, &revoked); err != nil {
			return k, err
		}
		k.CreatedAt, k.RevokedAt = timeOf(created), timeOf(revoked)
		err := json.Unmarshal([]byte(scopes), &k.Scopes)
		return k, err
	}, `SELECT id, name, shop, scopes, preview, created_at, revoked_at FROM api_keys WHERE `+where+` ORDER BY created_at DESC, id`, arg)
}

// keyHash needs neither a salt nor a slow hash because the secret has 256 random
// bits.
func keyHash(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// randomSecret returns a secret of 256 random bits.
func randomSecret(prefix string) string {
	random := make([]byte, 32)
	rand.Read(random)
	return prefix + base64.RawURLEncoding.EncodeToString(random)
}
