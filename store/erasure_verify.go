package store

import (
	"context"
	"database/sql"
	"maps"
	"strconv"
	"strings"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/mirror"
)

// search looks for a customer in the rows that an erasure blanked.
type search struct {
	*core
	db    *sql.DB
	words []string
	found map[string]int
}

// Leftovers counts, by table, the rows of a subject in which the customer is still found:
// an address, number or external id in a text, or an id in a column.
func (s Erasures) Leftovers(ctx context.Context, e claim.Erasure, person ErasurePerson, x ErasureSubject) (map[string]int, error) {
	return get(ctx, s.core, "look for what erasure "+e.ID+" left", func(db *sql.DB) (map[string]int, error) {
		look := &search{core: s.core, db: db, words: quotedShort(person.Words), found: map[string]int{}}
		var err error
		switch x.Kind {
		case SubjectClaim:
			err = look.claim(ctx, claim.Ref{Shop: e.Shop, ID: x.ID})
		case SubjectConversation:
			err = look.conversation(ctx, e.ID, x)
		case SubjectEndUser:
			err = look.endUser(ctx, x)
		}
		maps.DeleteFunc(look.found, func(_ string, n int) bool { return n == 0 })
		return look.found, err
	})
}

// shortWord is the length below which a word counts only as a whole JSON string: a short
// external id may be part of any number.
const shortWord = 8

func quotedShort(words []string) []string {
	out := make([]string, 0, len(words))
	for _, word := range words {
		if len(word) < shortWord {
			word = `"` + word + `"`
		}
		out = append(out, word)
	}
	return out
}

// sealed looks into the sealed values of a query: the columns of their key as text, then
// the value.
func (look *search) sealed(ctx context.Context, c sealedColumn, where string, args ...any) error {
	columns := make([]string, len(c.key))
	for i, name := range c.key {
		columns[i] = "CAST(" + name + " AS TEXT)"
	}
	return queryEach(ctx, look.db, func(scan func(...any) error) error {
		key, dest := make([]string, len(c.key)), []any{}
		for i := range key {
			dest = append(dest, &key[i])
		}
		var value []byte
		if err := scan(append(dest, &value)...); err != nil {
			return err
		}
		plaintext, err := look.open(c, value, key...)
		if err != nil {
			return err
		}
		text := strings.ToLower(string(plaintext))
		for _, word := range look.words {
			if strings.Contains(text, word) {
				look.found[c.table]++
				break
			}
		}
		return nil
	}, `SELECT `+strings.Join(columns, ", ")+`, `+c.column+` FROM `+c.table+` WHERE `+c.column+` IS NOT NULL AND `+where, args...)
}

// count adds the number of rows that a query counts.
func (look *search) count(ctx context.Context, table, query string, args ...any) error {
	var n int
	err := queryOne(ctx, look.db, nil, []any{&n}, query, args...)
	look.found[table] += n
	return err
}

func (look *search) claim(ctx context.Context, ref claim.Ref) error {
	for _, c := range []sealedColumn{claimBody, claimEdited, claimLatest} {
		if err := look.sealed(ctx, c, `shop = $1 AND id = $2`, ref.Shop, ref.ID); err != nil {
			return err
		}
	}
	for _, c := range []sealedColumn{draftBody, outboxBody, instructionBody, timelineBody, ownerEventBody} {
		if err := look.sealed(ctx, c, `shop = $1 AND claim_id = $2`, ref.Shop, ref.ID); err != nil {
			return err
		}
	}
	err := look.count(ctx, "claims", `SELECT COUNT(*) FROM claims WHERE shop = $1 AND id = $2 AND (erased_at = 0 OR order_number <> '' OR end_user_id <> '' OR customer <> '' OR last_error <> '')`,
		ref.Shop, ref.ID)
	if err != nil {
		return err
	}
	return look.count(ctx, "links", `SELECT COUNT(*) FROM links WHERE shop = $1 AND claim_id = $2 AND end_user_id <> ''`, ref.Shop, ref.ID)
}

func (look *search) conversation(ctx context.Context, erasureID string, x ErasureSubject) error {
	id, err := strconv.ParseInt(x.ID, 10, 64)
	if err != nil {
		return err
	}
	for _, c := range []sealedColumn{conversationDoc, messageBody, activityBody, inboxBody} {
		if err := look.sealed(ctx, c, `connection_id = $1 AND conversation_id = $2`, x.ConnectionID, id); err != nil {
			return err
		}
	}
	if err := look.count(ctx, "figures", `SELECT COUNT(*) FROM figures WHERE connection_id = $1 AND conversation_id = $2 AND requester_id <> ''`, x.ConnectionID, id); err != nil {
		return err
	}
	return look.count(ctx, "activities", `SELECT COUNT(*) FROM activities WHERE connection_id = $1 AND conversation_id = $2 AND author_id IN (
		SELECT id FROM erasure_subjects WHERE erasure_id = $3 AND kind = $4 AND connection_id = $1)`, x.ConnectionID, id, erasureID, SubjectEndUser)
}

func (look *search) endUser(ctx context.Context, x ErasureSubject) error {
	if err := look.count(ctx, "messages", `SELECT COUNT(*) FROM messages WHERE connection_id = $1 AND author_id = $2`, x.ConnectionID, x.ID); err != nil {
		return err
	}
	// An import may have stored the end user again, as Dixa shows it now.
	return look.sealed(ctx, directoryBody, `connection_id = $1 AND kind = $2 AND id = $3`, x.ConnectionID, mirror.KindEndUser, x.ID)
}
