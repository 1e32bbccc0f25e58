-- Links to the portal and their sessions. A link becomes a session once: used_at is set
-- then, together with session_hash, the hash of the session's cookie, and expires_at becomes
-- the end of the session. hash is the hash of the link's secret. body holds what the link permits and where it leads, as JSON without
-- personal data; subject is the platform's id of the person. shop is
-- NULL for the session of an operator, who signed in without a link and chooses a shop. All times are microseconds
-- since 1970, or 0.

-- +goose Up

CREATE TABLE portal_links (
    id           TEXT PRIMARY KEY,
    hash         TEXT NOT NULL UNIQUE,
    session_hash TEXT,
    shop         TEXT REFERENCES shops (slug) ON DELETE CASCADE,
    subject      TEXT NOT NULL,
    body         TEXT NOT NULL,
    created_by   TEXT NOT NULL,
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,
    used_at      BIGINT NOT NULL,
    seen_at      BIGINT NOT NULL,
    ended_at     BIGINT NOT NULL
);
CREATE UNIQUE INDEX portal_links_by_session ON portal_links (session_hash);
CREATE INDEX portal_links_by_shop ON portal_links (shop, subject);

-- The dashboards that shops have put together. body is a claim.Dashboard as JSON.
CREATE TABLE dashboards (
    shop       TEXT NOT NULL REFERENCES shops (slug) ON DELETE CASCADE,
    id         TEXT NOT NULL,
    body       TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (shop, id)
);

-- Links that show a board on a screen until they are revoked, which deletes them. hash is
-- the hash of the link's secret. body is a claim.NewWall as JSON; board is its board.
CREATE TABLE portal_walls (
    id         TEXT PRIMARY KEY,
    hash       TEXT NOT NULL UNIQUE,
    shop       TEXT NOT NULL REFERENCES shops (slug) ON DELETE CASCADE,
    board      TEXT NOT NULL,
    body       TEXT NOT NULL,
    created_by TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    used_at    BIGINT NOT NULL
);
CREATE INDEX portal_walls_by_shop ON portal_walls (shop, board);
