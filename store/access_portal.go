package store

import (
	"context"
	"crypto/subtle"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/claimflow/claimflow/claim"
)

// Prefixes of the secrets of the portal, so that leaked ones can be recognized.
const (
	portalLinkPrefix    = "cfl_"
	portalSessionPrefix = "cfs_"
)

// Errors of [Portal]. The session that comes with them, if any, says where to send the
// person.
var (
	ErrPortalLink    = errors.New("the portal link was used, has expired or is unknown")
	ErrPortalSession = errors.New("the portal session has ended or is unknown")
)

// portalTerms is the body of a link.
type portalTerms struct {
	Pages         []claim.PortalPage       `json:"pages"`
	Capabilities  []claim.PortalCapability `json:"capabilities"`
	Language      string                   `json:"language,omitempty"`
	ReturnURL     string                   `json:"return_url,omitempty"`
	RefreshURL    string                   `json:"refresh_url,omitempty"`
	AllowedOrigin string                   `json:"allowed_origin,omitempty"`
}

// CreateLink creates a link to the portal of a shop and returns it with its secret of 256
// random bits, of which only a hash is stored. The link must be valid and complete. It
// returns [ErrNotFound] for an unknown shop.
func (s Portal) CreateLink(ctx context.Context, shop, createdBy string, l claim.NewPortalLink) (link claim.PortalSession, secret string, err error) {
	secret = randomSecret(portalLinkPrefix)
	link = claim.PortalSession{
		ID: uuid.NewString(), Shop: shop, Subject: plain(l.Subject), Pages: l.Pages, Capabilities: append([]claim.PortalCapability{}, l.Capabilities...), Language: l.Language,
		ReturnURL: l.ReturnURL, RefreshURL: l.RefreshURL, AllowedOrigin: l.AllowedOrigin, CreatedBy: createdBy,
	}
	terms, err := json.Marshal(portalTerms{link.Pages, link.Capabilities, link.Language, link.ReturnURL, link.RefreshURL, link.AllowedOrigin})
	if err != nil {
		return link, "", err
	}
	err = s.write(ctx, "create a portal link", func(tx *sql.Tx) error {
		if err := liveShop(ctx, tx, shop); err != nil {
			return err
		}
		now := s.now()
		expires := now + (time.Duration(l.ExpiresIn) * time.Second).Microseconds()
		link.CreatedAt, link.ExpiresAt = timeOf(now), timeOf(expires)
		_, err := exec(ctx, tx, `INSERT INTO portal_links (id, hash, shop, subject, body, created_by, created_at, expires_at, used_at, seen_at, ended_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, 0, 0)`, link.ID, keyHash(secret), shop, link.Subject, string(terms), createdBy, now, expires)
		return err
	})
	return link, secret, err
}

// Link returns the link of a secret, without using it. It returns [ErrPortalLink] if the
// link cannot be used, with the link if it is known.
func (s Portal) Link(ctx context.Context, secret string) (claim.PortalSession, error) {
	return get(ctx, s.core, "read a portal link", func(db *sql.DB) (claim.PortalSession, error) {
		row, err := s.portalRow(ctx, db, "hash", secret, ErrPortalLink)
		if err == nil && !row.usable(s.now()) {
			err = ErrPortalLink
		}
		return row.PortalSession, err
	})
}

// Begin uses a link and returns its session with the secret of the session's cookie. A
// link can be used once: of two attempts, one gets [ErrPortalLink], with the link if it
// is known.
func (s Portal) Begin(ctx context.Context, secret string) (session claim.PortalSession, cookie string, err error) {
	cookie = randomSecret(portalSessionPrefix)
	err = s.write(ctx, "begin a portal session", func(tx *sql.Tx) error {
		now := s.now()
		row, err := s.portalRow(ctx, tx, "hash", secret, ErrPortalLink)
		session = row.PortalSession
		if err != nil {
			return err
		}
		if !row.usable(now) {
			return ErrPortalLink
		}
		expires := now + claim.PortalSessionTTL.Microseconds()
		session.StartedAt, session.LastSeenAt, session.ExpiresAt = timeOf(now), timeOf(now), timeOf(expires)
		return execOne(ctx, tx, ErrPortalLink, `UPDATE portal_links SET used_at = $2, seen_at = $2, expires_at = $3, session_hash = $4 WHERE id = $1 AND used_at = 0 AND ended_at = 0`,
			session.ID, now, expires, keyHash(cookie))
	})
	return session, cookie, err
}

// BeginOperator begins the session of an operator who signed in without a link, and returns
// it with the secret of its cookie. It has no shop.
func (s Portal) BeginOperator(ctx context.Context, subject string) (session claim.PortalSession, cookie string, err error) {
	cookie = randomSecret(portalSessionPrefix)
	err = s.write(ctx, "begin the session of an operator", func(tx *sql.Tx) error {
		now := s.now()
		session = claim.PortalSession{
			ID: uuid.NewString(), Subject: plain(subject), CreatedBy: claim.PortalOperators,
			CreatedAt: timeOf(now), StartedAt: timeOf(now), LastSeenAt: timeOf(now), ExpiresAt: timeOf(now + claim.PortalSessionTTL.Microseconds()),
		}
		_, err := exec(ctx, tx, `INSERT INTO portal_links (id, hash, session_hash, subject, body, created_by, created_at, expires_at, used_at, seen_at, ended_at)
			VALUES ($1, $2, $3, $4, '{}', $5, $6, $7, $6, $6, 0)`,
			session.ID, keyHash(randomSecret(portalLinkPrefix)), keyHash(cookie), session.Subject, session.CreatedBy, now, micros(session.ExpiresAt))
		return err
	})
	return session, cookie, err
}

// EndOperator ends all sessions of an operator, also those in shops.
func (s Portal) EndOperator(ctx context.Context, subject string) error {
	return s.write(ctx, "end the sessions of an operator", func(tx *sql.Tx) error {
		_, err := exec(ctx, tx, `UPDATE portal_links SET ended_at = $3 WHERE subject = $1 AND created_by = $2 AND ended_at = 0`, subject, claim.PortalOperators, s.now())
		return err
	})
}

// Session returns the session of a cookie. It returns [ErrPortalSession] if the session has
// ended, with the session if it is known.
func (s Portal) Session(ctx context.Context, cookie string) (claim.PortalSession, error) {
	return get(ctx, s.core, "read a portal session", func(db *sql.DB) (claim.PortalSession, error) {
		row, err := s.portalRow(ctx, db, "session_hash", cookie, ErrPortalSession)
		now := s.now()
		if err == nil && (row.ended || now >= micros(row.ExpiresAt) || now >= micros(row.LastSeenAt.Add(claim.PortalSessionIdle))) {
			err = ErrPortalSession
		}
		return row.PortalSession, err
	})
}

// Used records that a person uses a session, to the minute.
func (s Portal) Used(ctx context.Context, session claim.PortalSession) error {
	now := s.now()
	if now-micros(session.LastSeenAt) < time.Minute.Microseconds() {
		return nil
	}
	return s.execute(ctx, "record the use of a portal session", ErrPortalSession,
		`UPDATE portal_links SET seen_at = CASE WHEN seen_at < $2 THEN $2 ELSE seen_at END WHERE id = $1 AND ended_at = 0`, session.ID, now)
}

// Sessions lists the links of a shop that can be used and its sessions that have not ended,
// newest first.
func (s Portal) Sessions(ctx context.Context, shop string) ([]claim.PortalSession, error) {
	now := s.now()
	return get(ctx, s.core, "list portal sessions", func(db *sql.DB) ([]claim.PortalSession, error) {
		if err := liveShop(ctx, db, shop); err != nil {
			return nil, err
		}
		rows, err := collect(ctx, db, scanPortalRow, `SELECT `+portalColumns+` WHERE shop = $1 AND ended_at = 0 AND expires_at > $2 AND (used_at = 0 OR seen_at > $3)
			ORDER BY created_at DESC, id`, shop, now, now-claim.PortalSessionIdle.Microseconds())
		all := make([]claim.PortalSession, len(rows))
		for i, row := range rows {
			all[i] = row.PortalSession
		}
		return all, err
	})
}

// End revokes one link or session of a shop, all of a subject, or all, and returns their
// number. id and subject may be empty.
func (s Portal) End(ctx context.Context, shop, id, subject string) (n int, err error) {
	err = s.write(ctx, "end portal sessions of shop "+shop, func(tx *sql.Tx) error {
		if err := liveShop(ctx, tx, shop); err != nil {
			return err
		}
		n, err = exec(ctx, tx, `UPDATE portal_links SET ended_at = $4 WHERE shop = $1 AND ($2 = '' OR id = $2) AND ($3 = '' OR subject = $3) AND ended_at = 0`,
			shop, id, subject, s.now())
		return err
	})
	return n, err
}

// DeleteEnded deletes links and sessions that ended before a time, and returns their
// number.
func (s Portal) DeleteEnded(ctx context.Context, before time.Time) (n int, err error) {
	err = s.write(ctx, "delete portal sessions that ended", func(tx *sql.Tx) error {
		n, err = exec(ctx, tx, `DELETE FROM portal_links WHERE expires_at < $1 OR ended_at > 0 AND ended_at < $1`, micros(before))
		return err
	})
	return n, err
}

// portalRow is a row of portal_links.
type portalRow struct {
	claim.PortalSession
	hash, sessionHash string
	used, ended       bool
}

func (r *portalRow) usable(now int64) bool {
	return !r.used && !r.ended && now < micros(r.ExpiresAt)
}

const portalColumns = `id, hash, session_hash, shop, subject, body, created_by, created_at, expires_at, used_at, seen_at, ended_at
	FROM portal_links`

func scanPortalRow(scan func(...any) error) (r portalRow, err error) {
	var body string
	var shop, sessionHash sql.NullString
	var created, expires, used, seen, ended int64
	if err := scan(&r.ID, &r.hash, &sessionHash, &shop, &r.Subject, &body, &r.CreatedBy, &created, &expires, &used, &seen, &ended); err != nil {
		return r, err
	}
	r.Shop, r.sessionHash, r.used, r.ended = shop.String, sessionHash.String, used > 0, ended > 0
	r.CreatedAt, r.ExpiresAt, r.StartedAt, r.LastSeenAt = timeOf(created), timeOf(expires), timeOf(used), timeOf(seen)
	var terms portalTerms
	err = json.Unmarshal([]byte(body), &terms)
	r.Pages, r.Capabilities, r.Language = terms.Pages, terms.Capabilities, terms.Language
	r.ReturnURL, r.RefreshURL, r.AllowedOrigin = terms.ReturnURL, terms.RefreshURL, terms.AllowedOrigin
	return r, err
}

// portalRow returns the row in which a column is the hash of a secret. The row is found by
// the hash; the comparison takes the same time for every secret.
func (s *core) portalRow(ctx context.Context, q querier, column, secret string, missing error) (portalRow, error) {
	hash := keyHash(secret)
	rows, err := collect(ctx, q, scanPortalRow, `SELECT `+portalColumns+` WHERE `+column+` = $1`, hash)
	row, err := only(rows, err, missing)
	if err != nil {
		return portalRow{}, err
	}
	stored := row.hash
	if column == "session_hash" {
		stored = row.sessionHash
	}
	if subtle.ConstantTimeCompare([]byte(stored), []byte(hash)) != 1 {
		return portalRow{}, missing
	}
	return row, nil
}
