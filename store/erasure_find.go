package store

import (
	"context"
	"database/sql"
	"slices"
	"time"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/mirror"
)

// Kinds of what belongs to a customer.
const (
	SubjectClaim        = "claim"
	SubjectConversation = "conversation"
	SubjectEndUser      = "end_user"
)

// ErasureSubject is something that belongs to the customer of an erasure.
type ErasureSubject struct {
	Kind         string
	ConnectionID string
	// ID is a claim's, conversation's or end user's.
	ID string
	// RequestID is the request by which Dixa anonymizes an end user; empty if it is not
	// known.
	RequestID string
	// Result is one of the answers of [claim.ErasureAnswer]; empty until Dixa answered.
	Result, Detail string
}

// Found adds what belongs to the customer, and what the customer is called there. What
// is known already stays unchanged.
func (s Erasures) Found(ctx context.Context, id string, subjects []ErasureSubject, words []string) error {
	return s.write(ctx, "store what erasure "+id+" found", func(tx *sql.Tx) error {
		added := map[string]int{}
		for _, subject := range subjects {
			n, err := exec(ctx, tx, `INSERT INTO erasure_subjects (erasure_id, kind, connection_id, id) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`,
				id, subject.Kind, subject.ConnectionID, subject.ID)
			if err != nil {
				return err
			}
			added[subject.Kind] += n
		}
		err := s.changeErasure(ctx, tx, id, func(e *claim.Erasure) {
			e.Report.Claims += added[SubjectClaim]
			e.Report.Conversations += added[SubjectConversation]
			e.Report.EndUsers += added[SubjectEndUser]
		})
		if err != nil || len(words) == 0 {
			return err
		}
		person, err := s.erasurePerson(ctx, tx, id)
		if err != nil {
			return err
		}
		person.Words = append(person.Words, words...)
		slices.Sort(person.Words)
		person.Words = slices.Compact(person.Words)
		sealed, err := s.sealJSON(erasedPerson, person, id)
		if err != nil {
			return err
		}
		_, err = exec(ctx, tx, `UPDATE erasures SET person = $2 WHERE id = $1`, id, sealed)
		return err
	})
}

// Subjects lists what belongs to the customer of an erasure, of one kind. pending lists
// only what is not erased yet.
func (s Erasures) Subjects(ctx context.Context, id, kind string, pending bool) ([]ErasureSubject, error) {
	return get(ctx, s.core, "list what erasure "+id+" found", func(db *sql.DB) ([]ErasureSubject, error) { return subjectsOf(ctx, db, id, kind, pending) })
}

func subjectsOf(ctx context.Context, q querier, id, kind string, pending bool) ([]ErasureSubject, error) {
	return collect(ctx, q, func(scan func(...any) error) (x ErasureSubject, err error) {
		err = scan(&x.Kind, &x.ConnectionID, &x.ID, &x.RequestID, &x.Result, &x.Detail)
		return x, err
	}, `SELECT kind, connection_id, id, request_id, result, detail FROM erasure_subjects WHERE erasure_id = $1 AND kind = $2 AND NOT (done AND $3)
		ORDER BY connection_id, id`, id, kind, pending)
}

// Answered records what Dixa answered about an end user.
func (s Erasures) Answered(ctx context.Context, id string, subject ErasureSubject) error {
	return s.execute(ctx, "store Dixa's answer for erasure "+id, nil,
		`UPDATE erasure_subjects SET request_id = $5, result = $6, detail = $7 WHERE erasure_id = $1 AND kind = $2 AND connection_id = $3 AND id = $4`,
		id, subject.Kind, subject.ConnectionID, subject.ID, plain(subject.RequestID), subject.Result, plain(cut(subject.Detail, maxLastError)))
}

// EndUserOf returns the end user that is remembered for an identity, see
// [Customers.Reserve]; empty if there is none.
func (s Customers) EndUserOf(ctx context.Context, connectionID, identity string) (string, error) {
	return get(ctx, s.core, "find a customer", func(db *sql.DB) (id string, err error) {
		err = queryOne(ctx, db, nil, []any{&id}, `SELECT end_user_id FROM customers WHERE connection_id = $1 AND identity = $2`, connectionID, s.identity(connectionID, identity))
		return id, err
	})
}

// ErasureClaim is what decides whether a claim belongs to a customer.
type ErasureClaim struct {
	Ref            claim.Ref
	ConnectionID   string
	ConversationID int64
	EndUserID      string
	// Bodies are the versions of the claim that are stored.
	Bodies []*claim.Claim
}

// Claims lists a shop's claims that were accepted until a time and have their content,
// after the given id.
func (s Erasures) Claims(ctx context.Context, shop, after string, until time.Time, limit int) ([]ErasureClaim, error) {
	return list(ctx, s.core, "read the claims of shop "+shop, func(scan func(...any) error) (ErasureClaim, error) {
		c := ErasureClaim{Ref: claim.Ref{Shop: shop}}
		var bodies [3][]byte
		if err := scan(&c.Ref.ID, &c.ConnectionID, &c.ConversationID, &c.EndUserID, &bodies[0], &bodies[1], &bodies[2]); err != nil {
			return c, err
		}
		for i, column := range []sealedColumn{claimBody, claimEdited, claimLatest} {
			if bodies[i] == nil {
				continue
			}
			body := new(claim.Claim)
			if err := s.openJSON(column, bodies[i], body, shop, c.Ref.ID); err != nil {
				return c, err
			}
			c.Bodies = append(c.Bodies, body)
		}
		return c, nil
	}, `SELECT id, connection_id, conversation_id, end_user_id, body, edited, latest FROM claims
		WHERE shop = $1 AND id > $2 AND accepted_at <= $3 AND erased_at = 0 ORDER BY id LIMIT $4`, shop, after, micros(until), limit)
}

// ErasureConversation is what decides whether a conversation belongs to a customer.
type ErasureConversation struct {
	ID                        int64
	RequesterID, Email, Phone string
}

// Conversations lists the conversations of a connection after the given id. It omits
// those that have no requester, as anonymized ones.
func (s Erasures) Conversations(ctx context.Context, connectionID string, after int64, limit int) (found []ErasureConversation, last int64, err error) {
	err = s.read(ctx, "read the conversations of connection "+connectionID, func(db *sql.DB) error {
		found, last = nil, after
		ids, err := collect(ctx, db, single[int64], `SELECT conversation_id FROM conversations WHERE connection_id = $1 AND conversation_id > $2
			ORDER BY conversation_id LIMIT $3`, connectionID, after, limit)
		if err != nil || len(ids) == 0 {
			return err
		}
		last = ids[len(ids)-1]
		rows, err := s.conversationRows(ctx, db, connectionID, ids)
		for _, id := range ids {
			row := rows[id]
			if row == nil || row.Requester == nil && row.Origin.Email == "" && row.Origin.Phone == "" {
				continue
			}
			c := ErasureConversation{ID: id, Email: row.Origin.Email, Phone: row.Origin.Phone}
			if row.Requester != nil {
				c.RequesterID = row.Requester.ID
			}
			found = append(found, c)
		}
		return err
	})
	return found, last, err
}

// Stop abandons the claims of an erasure that still run. It returns how many of its
// claims were changed since their workflow last read them: those workflows may still
// write. They are notified again after a minute.
func (s Erasures) Stop(ctx context.Context, id string) (unread int, err error) {
	e, err := get(ctx, s.core, "read erasure "+id, func(db *sql.DB) (claim.Erasure, error) {
		found, err := s.erasures(ctx, db, `id = $1`, id)
		return only(found, err, notFound("erasure "+id))
	})
	if err != nil {
		return 0, err
	}
	subjects, err := s.Subjects(ctx, id, SubjectClaim, true)
	if err != nil {
		return 0, err
	}
	for _, subject := range subjects {
		ref := claim.Ref{Shop: e.Shop, ID: subject.ID}
		err := s.write(ctx, "abandon claim "+ref.String(), func(tx *sql.Tx) error {
			row, err := lockClaim(ctx, tx, ref)
			if err != nil {
				return err
			}
			if !row.state.Final() {
				if err := s.abandon(ctx, tx, ref, &row, ClaimUpdate{}); err != nil {
					return err
				}
				return s.changeErasure(ctx, tx, id, func(e *claim.Erasure) { e.Report.Stopped++ })
			}
			_, err = exec(ctx, tx, `UPDATE claims SET revision = revision + 1, gather_until = 0
				WHERE shop = $1 AND id = $2 AND read_revision < revision AND signalled >= revision AND nudged_at <= $3`, ref.Shop, ref.ID, s.now()-resendAfter.Microseconds())
			return err
		})
		if err != nil {
			return 0, err
		}
	}
	return get(ctx, s.core, "count the claims of erasure "+id, func(db *sql.DB) (n int, err error) {
		err = queryOne(ctx, db, nil, []any{&n}, `SELECT COUNT(*) FROM claims c JOIN erasure_subjects x ON x.kind = $2 AND x.id = c.id AND NOT x.done
			WHERE x.erasure_id = $1 AND c.shop = $3 AND c.read_revision < c.revision`, id, SubjectClaim, e.Shop)
		return n, err
	})
}

// OtherShops counts the claims of other shops whose customer is an end user of an
// erasure. They stay: each shop decides for itself.
func (s Erasures) OtherShops(ctx context.Context, shop, id string) (int, error) {
	return get(ctx, s.core, "count the claims of other shops", func(db *sql.DB) (n int, err error) {
		err = queryOne(ctx, db, nil, []any{&n}, `SELECT COUNT(*) FROM claims c JOIN erasure_subjects x ON x.kind = $2 AND x.id = c.end_user_id AND x.connection_id = c.connection_id
			WHERE x.erasure_id = $1 AND c.shop <> $3`, id, SubjectEndUser, shop)
		return n, err
	})
}

// EndUsers lists the end users in the directory of a connection after the given id.
func (s Erasures) EndUsers(ctx context.Context, connectionID, after string, limit int) ([]mirror.DirectoryEntry, error) {
	return list(ctx, s.core, "read the end users of connection "+connectionID, s.scanDirectory(connectionID),
		`SELECT kind, id, body FROM directory WHERE connection_id = $1 AND kind = $2 AND id > $3 ORDER BY id LIMIT $4`, connectionID, mirror.KindEndUser, after, limit)
}
