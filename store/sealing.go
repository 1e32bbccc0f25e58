package store

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	jsonv1 "github.com/go-json-experiment/json/v1"
)

// sealedColumn is a column with encrypted values. key lists the columns of its
// table's primary key, as text.
type sealedColumn struct {
	table, column string
	key           []string
}

var (
	claimBody       = sealedColumn{"claims", "body", []string{"shop", "id"}}
	claimEdited     = sealedColumn{"claims", "edited", []string{"shop", "id"}}
	claimLatest     = sealedColumn{"claims", "latest", []string{"shop", "id"}}
	draftBody       = sealedColumn{"drafts", "body", []string{"shop", "claim_id", "kind"}}
	outboxBody      = sealedColumn{"outbox", "body", []string{"shop", "claim_id", "id"}}
	connectionToken = sealedColumn{"connections", "token", []string{"id"}}
	inboxBody       = sealedColumn{"inbox", "body", []string{"connection_id", "event_id"}}
	webhookSecret   = sealedColumn{"subscriptions", "secret", []string{"connection_id"}}
	webhookPrevious = sealedColumn{"subscriptions", "previous", []string{"connection_id"}}
	secretValue     = sealedColumn{"secrets", "sealed", []string{"name"}}
	endpointURL     = sealedColumn{"endpoints", "url", []string{"id"}}
	endpointSecret  = sealedColumn{"endpoints", "secret", []string{"id"}}
	endpointFormer  = sealedColumn{"endpoints", "previous_secret", []string{"id"}}
	endpointKarla   = sealedColumn{"endpoints", "karla", []string{"id"}}
	recordEventBody = sealedColumn{"deliveries", "body", []string{"id"}}
	announceBody    = sealedColumn{"announcements", "body", []string{"id"}}
	conversationDoc = sealedColumn{"conversations", "body", []string{"connection_id", "conversation_id"}}
	messageBody     = sealedColumn{"messages", "body", []string{"connection_id", "conversation_id", "id"}}
	instructionBody = sealedColumn{"instructions", "body", []string{"shop", "claim_id", "id"}}
	timelineBody    = sealedColumn{"timeline", "body", []string{"shop", "claim_id", "id"}}
	ownerEventBody  = sealedColumn{"owner_inbox", "body", []string{"shop", "event_id"}}
	ownerSecret     = sealedColumn{"owner_secrets", "secret", []string{"shop"}}
	ownerPrevious   = sealedColumn{"owner_secrets", "previous", []string{"shop"}}
	activityBody    = sealedColumn{"activities", "body", []string{"connection_id", "id"}}
	directoryBody   = sealedColumn{"directory", "body", []string{"connection_id", "kind", "id"}}
	exportsToken    = sealedColumn{"mirrors", "exports_token", []string{"connection_id"}}
	operationWrite  = sealedColumn{"operations", "request", []string{"id"}}
	operationReply  = sealedColumn{"operations", "answer", []string{"id"}}
	erasedPerson    = sealedColumn{"erasures", "person", []string{"id"}}
	provisionedBody = sealedColumn{"provisioned", "body", []string{"connection_id", "kind", "name"}}

	sealedColumns = []sealedColumn{
		claimBody, draftBody, outboxBody, connectionToken, inboxBody, webhookSecret, webhookPrevious, secretValue,
		endpointURL, endpointSecret, endpointFormer, endpointKarla, announceBody, recordEventBody,
		conversationDoc, messageBody, timelineBody, instructionBody, activityBody, directoryBody, exportsToken,
		claimEdited, claimLatest, ownerEventBody, ownerSecret, ownerPrevious, erasedPerson,
		operationWrite, operationReply, provisionedBody,
	}
)

// associatedData is the associated data of a value: the value cannot be decrypted in any
// other place.
func (c sealedColumn) associatedData(key []string) []byte {
	return []byte(c.table + "|" + c.column + "|" + strings.Join(key, "|"))
}

func (s *core) seal(c sealedColumn, plaintext []byte, key ...string) ([]byte, error) {
	return s.keys.Seal(plaintext, c.associatedData(key))
}

func (s *core) open(c sealedColumn, sealed []byte, key ...string) ([]byte, error) {
	plaintext, err := s.keys.Open(sealed, c.associatedData(key))
	if err != nil {
		return nil, fmt.Errorf("%s of %s %s: %w", c.column, c.table, strings.Join(key, "/"), err)
	}
	return plaintext, nil
}

// openSecrets decrypts a secret and, if both verify, the one that it replaced.
func (s *core) openSecrets(current, former sealedColumn, sealed, replaced []byte, both bool, key string) ([]string, error) {
	plaintext, err := s.open(current, sealed, key)
	if err != nil || !both {
		return []string{string(plaintext)}, err
	}
	previous, err := s.open(former, replaced, key)
	return []string{string(plaintext), string(previous)}, err
}

func (s *core) sealJSON(c sealedColumn, v any, key ...string) ([]byte, error) {
	data, err := jsonv1.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode %s of %s as JSON: %w", c.column, c.table, err)
	}
	return s.seal(c, data, key...)
}

func (s *core) openJSON(c sealedColumn, sealed []byte, v any, key ...string) error {
	data, err := s.open(c, sealed, key...)
	if err != nil {
		return err
	}
	// The decoder's error is dropped because it may quote encrypted data.
	if jsonv1.Unmarshal(data, v) != nil {
		return fmt.Errorf("%s of %s %s: unexpected JSON", c.column, c.table, strings.Join(key, "/"))
	}
	return nil
}

// indexKeyName names the secret that keys the hashes of values that must be
// searchable but not readable.
const indexKeyName = "index"

// loadIndexKey reads the key of the keyed hashes, or creates it in a new store. It
// also detects a store that was encrypted with other keys.
func (s *core) loadIndexKey(ctx context.Context) error {
	fresh := make([]byte, sha256.Size)
	rand.Read(fresh)
	sealed, err := s.seal(secretValue, fresh, indexKeyName)
	if err != nil {
		return err
	}
	err = s.write(ctx, "read the store's index key", func(tx *sql.Tx) error {
		if _, err := exec(ctx, tx, `INSERT INTO secrets (name, sealed) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING`, indexKeyName, sealed); err != nil {
			return err
		}
		return queryOne(ctx, tx, notFound("index key"), []any{&sealed}, `SELECT sealed FROM secrets WHERE name = $1`, indexKeyName)
	})
	if err != nil {
		return err
	}
	if s.indexKey, err = s.open(secretValue, sealed, indexKeyName); err != nil {
		return errors.New("the store is encrypted with keys other than those in CLAIMFLOW_KEYS; use the keyring that the store was created with, or one derived from it (`starter keyring add` keeps the old keys)")
	}
	return nil
}

// keyedHash returns a keyed hash: equal values of one kind have equal hashes, and no one
// can recover a value without the store's keys.
func (s *core) keyedHash(kind string, parts ...string) string {
	mac := hmac.New(sha256.New, s.indexKey)
	for _, part := range append([]string{kind}, parts...) {
		mac.Write(fmt.Appendf(nil, "%d:%s", len(part), part))
	}
	return hex.EncodeToString(mac.Sum(nil))
}

const reencryptBatch = 100

// Reencrypt re-encrypts, under the primary key, all values that are encrypted under
// another key, and returns their number. It is safe to run during writes: it skips a
// value that changes meanwhile because that write has encrypted it. Run it once
// every process has the new keyring; then the old keys can be removed.
func (s *Store) Reencrypt(ctx context.Context) (int, error) {
	total := 0
	for _, c := range sealedColumns {
		n, err := s.reencryptColumn(ctx, c)
		total += n
		if err != nil {
			return total, err
		}
	}
	return total, nil
}

// CountOutdated counts the values that are encrypted under a key other than the primary
// one, which [Store.Reencrypt] would re-encrypt. As long as there are any, no key may
// be removed.
func (s *Store) CountOutdated(ctx context.Context) (int, error) {
	total := 0
	for _, c := range sealedColumns {
		for batch, err := range s.outdated(ctx, c) {
			if err != nil {
				return total, err
			}
			total += len(batch)
		}
	}
	return total, nil
}

type sealedValue struct {
	key   []string
	value []byte
}

func (s *core) reencryptColumn(ctx context.Context, c sealedColumn) (int, error) {
	total := 0
	for batch, err := range s.outdated(ctx, c) {
		changed := 0
		if err == nil {
			err = s.write(ctx, "re-encrypt "+c.table, func(tx *sql.Tx) error {
				changed = 0
				for _, v := range batch {
					n, err := s.reencryptValue(ctx, tx, c, v)
					if err != nil {
						return err
					}
					changed += n
				}
				return nil
			})
		}
		if err != nil {
			return total, err
		}
		total += changed
	}
	return total, nil
}

// outdated yields the values of a column that are encrypted under a key other than the
// primary one, in batches. It ends after an error.
func (s *core) outdated(ctx context.Context, c sealedColumn) iter.Seq2[[]sealedValue, error] {
	return func(yield func([]sealedValue, error) bool) {
		var after []string
		for {
			batch, err := s.sealedBatch(ctx, c, after)
			if len(batch) > 0 {
				after = batch[len(batch)-1].key
			}
			more := len(batch) == reencryptBatch
			batch = slices.DeleteFunc(batch, func(v sealedValue) bool { return !s.keys.NeedsReencryption(v.value) })
			if (err != nil || len(batch) > 0) && !yield(batch, err) || !more {
				return
			}
		}
	}
}

func (s *core) sealedBatch(ctx context.Context, c sealedColumn, after []string) ([]sealedValue, error) {
	var args arguments
	keys := strings.Join(c.key, ", ")
	query := `SELECT ` + c.column + `, ` + keys + ` FROM ` + c.table + ` WHERE ` + c.column + ` IS NOT NULL`
	if after != nil {
		query += ` AND (` + keys + `) > (` + placeholders(&args, after) + `)`
	}
	query += fmt.Sprintf(` ORDER BY %s LIMIT %d`, keys, reencryptBatch)
	return list(ctx, s, "read encrypted values of "+c.table, func(scan func(...any) error) (sealedValue, error) {
		v := sealedValue{key: make([]string, len(c.key))}
		dest := []any{&v.value}
		for i := range v.key {
			dest = append(dest, &v.key[i])
		}
		err := scan(dest...)
		return v, err
	}, query, args...)
}

func (s *core) reencryptValue(ctx context.Context, tx *sql.Tx, c sealedColumn, v sealedValue) (int, error) {
	plaintext, err := s.open(c, v.value, v.key...)
	if err != nil {
		return 0, err
	}
	sealed, err := s.seal(c, plaintext, v.key...)
	if err != nil {
		return 0, err
	}
	args := arguments{sealed, v.value}
	where := c.column + ` = $2`
	for i, name := range c.key {
		where += ` AND ` + name + ` = ` + args.add(v.key[i])
	}
	return exec(ctx, tx, `UPDATE `+c.table+` SET `+c.column+` = $1 WHERE `+where, args...)
}
