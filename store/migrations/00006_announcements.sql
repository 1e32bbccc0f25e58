-- An endpoint is of a kind: webhook, karla or email. karla is what Karla's API
-- asks for, sealed.
--
-- An announcement is an event that is of no claim: of a connection, or of an
-- endpoint itself. "shops" are those that it concerns, a list with commas.
--
-- A delivery is of an event of a claim or of an announcement. Deliveries of one
-- lane, a claim or what announcements are about, go out in the order of their
-- sequence. "note" says why one that counts as delivered was not sent.

-- +goose Up

ALTER TABLE endpoints ADD COLUMN kind TEXT NOT NULL DEFAULT 'webhook';
ALTER TABLE endpoints ADD COLUMN karla BYTEA;

CREATE TABLE announcements (
    id         TEXT PRIMARY KEY,
    lane       TEXT NOT NULL,
    sequence   BIGINT NOT NULL,
    type       TEXT NOT NULL,
    shops      TEXT NOT NULL,
    body       BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    UNIQUE (lane, sequence)
);
CREATE INDEX announcements_by_time ON announcements (created_at);

CREATE TABLE deliveries_by_lane (
    id              TEXT PRIMARY KEY,
    endpoint_id     TEXT NOT NULL REFERENCES endpoints (id) ON DELETE CASCADE,
    lane            TEXT NOT NULL,
    sequence        BIGINT NOT NULL,
    shop            TEXT,
    claim_id        TEXT,
    announcement_id TEXT REFERENCES announcements (id) ON DELETE CASCADE,
    state           TEXT NOT NULL,
    attempts        BIGINT NOT NULL DEFAULT 0,
    next_attempt_at BIGINT NOT NULL,
    holder          TEXT NOT NULL DEFAULT '',
    held_until      BIGINT NOT NULL DEFAULT 0,
    last_status     BIGINT NOT NULL DEFAULT 0,
    last_error      TEXT NOT NULL DEFAULT '',
    note            TEXT NOT NULL DEFAULT '',
    delivered_at    BIGINT NOT NULL DEFAULT 0,
    created_at      BIGINT NOT NULL,
    UNIQUE (endpoint_id, lane, sequence),
    CHECK ((announcement_id IS NULL) = (shop IS NOT NULL AND claim_id IS NOT NULL)),
    FOREIGN KEY (shop, claim_id, sequence) REFERENCES outbox (shop, claim_id, sequence) ON DELETE CASCADE
);
INSERT INTO deliveries_by_lane (id, endpoint_id, lane, sequence, shop, claim_id, state, attempts, next_attempt_at, holder, held_until,
        last_status, last_error, delivered_at, created_at)
    SELECT id, endpoint_id, 'claim:' || shop || ':' || claim_id, sequence, shop, claim_id, state, attempts, next_attempt_at, holder, held_until,
        last_status, last_error, delivered_at, created_at
    FROM deliveries;
DROP TABLE deliveries;
ALTER TABLE deliveries_by_lane RENAME TO deliveries;
CREATE INDEX deliveries_newest ON deliveries (endpoint_id, created_at, id);
CREATE INDEX deliveries_of_claim ON deliveries (shop, claim_id);
CREATE INDEX deliveries_of_announcement ON deliveries (announcement_id);
CREATE INDEX deliveries_waiting ON deliveries (endpoint_id, next_attempt_at) WHERE state = 'waiting';
CREATE INDEX deliveries_dead ON deliveries (endpoint_id) WHERE state = 'dead';
CREATE INDEX deliveries_done ON deliveries (delivered_at) WHERE state = 'delivered';

-- +goose Down

CREATE TABLE deliveries_of_claims (
    id              TEXT PRIMARY KEY,
    endpoint_id     TEXT NOT NULL REFERENCES endpoints (id) ON DELETE CASCADE,
    shop            TEXT NOT NULL,
    claim_id        TEXT NOT NULL,
    sequence        BIGINT NOT NULL,
    state           TEXT NOT NULL,
    attempts        BIGINT NOT NULL DEFAULT 0,
    next_attempt_at BIGINT NOT NULL,
    holder          TEXT NOT NULL DEFAULT '',
    held_until      BIGINT NOT NULL DEFAULT 0,
    last_status     BIGINT NOT NULL DEFAULT 0,
    last_error      TEXT NOT NULL DEFAULT '',
    delivered_at    BIGINT NOT NULL DEFAULT 0,
    created_at      BIGINT NOT NULL,
    UNIQUE (endpoint_id, shop, claim_id, sequence),
    FOREIGN KEY (shop, claim_id, sequence) REFERENCES outbox (shop, claim_id, sequence) ON DELETE CASCADE
);
DELETE FROM endpoints WHERE kind <> 'webhook';
INSERT INTO deliveries_of_claims (id, endpoint_id, shop, claim_id, sequence, state, attempts, next_attempt_at, holder, held_until,
        last_status, last_error, delivered_at, created_at)
    SELECT id, endpoint_id, shop, claim_id, sequence, state, attempts, next_attempt_at, holder, held_until,
        last_status, last_error, delivered_at, created_at
    FROM deliveries WHERE announcement_id IS NULL;
DROP TABLE deliveries;
ALTER TABLE deliveries_of_claims RENAME TO deliveries;
CREATE INDEX deliveries_newest ON deliveries (endpoint_id, created_at, id);
CREATE INDEX deliveries_of_claim ON deliveries (shop, claim_id);
CREATE INDEX deliveries_waiting ON deliveries (endpoint_id, next_attempt_at) WHERE state = 'waiting';
CREATE INDEX deliveries_dead ON deliveries (endpoint_id) WHERE state = 'dead';
DROP TABLE announcements;
ALTER TABLE endpoints DROP COLUMN karla;
ALTER TABLE endpoints DROP COLUMN kind;
