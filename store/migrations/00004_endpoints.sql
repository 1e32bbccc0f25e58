-- Endpoints are told what becomes of claims; a delivery is one event for one
-- endpoint. Columns of type BYTEA are sealed. "types" is a list with commas,
-- empty for every type. A delivery's state is waiting, delivered or dead.

-- +goose Up

CREATE TABLE endpoints (
    id              TEXT PRIMARY KEY,
    shop            TEXT NOT NULL,
    url             BYTEA NOT NULL,
    description     TEXT NOT NULL,
    types           TEXT NOT NULL,
    state           TEXT NOT NULL,
    reason          TEXT NOT NULL DEFAULT '',
    secret          BYTEA NOT NULL,
    previous_secret BYTEA,
    previous_until  BIGINT NOT NULL DEFAULT 0,
    failing_since   BIGINT NOT NULL DEFAULT 0,
    failed_at       BIGINT NOT NULL DEFAULT 0,
    succeeded_at    BIGINT NOT NULL DEFAULT 0,
    created_at      BIGINT NOT NULL,
    updated_at      BIGINT NOT NULL
);
CREATE INDEX endpoints_of_shop ON endpoints (shop);

CREATE TABLE deliveries (
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
CREATE INDEX deliveries_newest ON deliveries (endpoint_id, created_at, id);
CREATE INDEX deliveries_of_claim ON deliveries (shop, claim_id);
CREATE INDEX deliveries_waiting ON deliveries (endpoint_id, next_attempt_at) WHERE state = 'waiting';
CREATE INDEX deliveries_dead ON deliveries (endpoint_id) WHERE state = 'dead';
CREATE INDEX outbox_by_time ON outbox (created_at, shop, claim_id, sequence);

-- +goose Down

DROP INDEX outbox_by_time;
DROP TABLE deliveries;
DROP TABLE endpoints;
