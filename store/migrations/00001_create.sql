-- The one schema for SQLite and PostgreSQL. Times are microseconds since 1970
-- UTC, zero for never. Columns of type BYTEA are sealed; "identity" and
-- "token_hash" are keyed hashes. No other column holds personal data or secrets.

-- +goose Up

CREATE TABLE platform (
    id         TEXT PRIMARY KEY,
    settings   TEXT NOT NULL,
    version    BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
INSERT INTO platform (id, settings, version, updated_at) VALUES ('platform', '{}', 1, 0);

CREATE TABLE secrets (
    name   TEXT PRIMARY KEY,
    sealed BYTEA NOT NULL
);

CREATE TABLE connections (
    id                TEXT PRIMARY KEY,
    organization_id   TEXT UNIQUE,
    organization_name TEXT NOT NULL DEFAULT '',
    state             TEXT NOT NULL,
    token             BYTEA,
    token_hash        TEXT NOT NULL DEFAULT '',
    token_preview     TEXT NOT NULL DEFAULT '',
    created_at        BIGINT NOT NULL,
    updated_at        BIGINT NOT NULL
);
CREATE INDEX connections_by_token ON connections (token_hash);

CREATE TABLE shops (
    slug             TEXT PRIMARY KEY,
    name             TEXT NOT NULL,
    feature          BOOLEAN NOT NULL,
    enabled          BOOLEAN NOT NULL DEFAULT FALSE,
    paused           BOOLEAN NOT NULL DEFAULT FALSE,
    settings         TEXT NOT NULL DEFAULT '{}',
    settings_version BIGINT NOT NULL DEFAULT 1,
    connection_id    TEXT REFERENCES connections (id),
    resumed_at       BIGINT NOT NULL DEFAULT 0,
    created_at       BIGINT NOT NULL,
    updated_at       BIGINT NOT NULL,
    deleted_at       BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX shops_by_connection ON shops (connection_id);

CREATE TABLE templates (
    shop       TEXT NOT NULL,
    key        TEXT NOT NULL,
    language   TEXT NOT NULL,
    doc        TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (shop, key, language)
);

CREATE TABLE claims (
    shop            TEXT NOT NULL REFERENCES shops (slug),
    id              TEXT NOT NULL,
    state           TEXT NOT NULL,
    cause           TEXT NOT NULL DEFAULT '',
    last_error      TEXT NOT NULL DEFAULT '',
    reason          TEXT NOT NULL,
    reason_key      TEXT NOT NULL,
    flow            TEXT NOT NULL,
    preference      TEXT NOT NULL,
    phase           TEXT NOT NULL,
    order_number    TEXT NOT NULL,
    template        TEXT NOT NULL DEFAULT '',
    language        TEXT NOT NULL DEFAULT '',
    route           TEXT NOT NULL DEFAULT '',
    connection_id   TEXT NOT NULL DEFAULT '',
    conversation_id BIGINT NOT NULL DEFAULT 0,
    end_user_id     TEXT NOT NULL DEFAULT '',
    attached        BIGINT NOT NULL DEFAULT 0,
    left_out        BIGINT NOT NULL DEFAULT 0,
    dixa_requests   BIGINT NOT NULL DEFAULT 0,
    fallback_used   BOOLEAN NOT NULL DEFAULT FALSE,
    create_anyway   BOOLEAN NOT NULL DEFAULT FALSE,
    revision        BIGINT NOT NULL DEFAULT 1,
    signalled       BIGINT NOT NULL DEFAULT 0,
    parked_version  BIGINT NOT NULL DEFAULT 0,
    woken_version   BIGINT NOT NULL DEFAULT 0,
    sequence        BIGINT NOT NULL DEFAULT 0,
    body            BYTEA NOT NULL,
    accepted_at     BIGINT NOT NULL,
    opened_at       BIGINT NOT NULL DEFAULT 0,
    fallback_at     BIGINT NOT NULL DEFAULT 0,
    retried_at      BIGINT NOT NULL DEFAULT 0,
    updated_at      BIGINT NOT NULL,
    PRIMARY KEY (shop, id)
);
CREATE INDEX claims_newest ON claims (accepted_at, shop, id);
CREATE INDEX claims_of_shop ON claims (shop, accepted_at, id);
CREATE INDEX claims_by_state ON claims (state, shop);
CREATE INDEX claims_of_shop_by_state ON claims (shop, state);
CREATE INDEX claims_by_order ON claims (shop, order_number, accepted_at, id);
CREATE INDEX claims_by_conversation ON claims (conversation_id);
CREATE INDEX claims_unsignalled ON claims (accepted_at) WHERE signalled < revision;

CREATE TABLE drafts (
    shop       TEXT NOT NULL,
    claim_id   TEXT NOT NULL,
    kind       TEXT NOT NULL,
    body       BYTEA NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (shop, claim_id, kind),
    FOREIGN KEY (shop, claim_id) REFERENCES claims (shop, id) ON DELETE CASCADE
);

CREATE TABLE intents (
    shop     TEXT NOT NULL,
    claim_id TEXT NOT NULL,
    step     TEXT NOT NULL,
    try      BIGINT NOT NULL,
    sent_at  BIGINT NOT NULL,
    result   TEXT NOT NULL DEFAULT '',
    done_at  BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (shop, claim_id, step),
    FOREIGN KEY (shop, claim_id) REFERENCES claims (shop, id) ON DELETE CASCADE
);

CREATE TABLE links (
    shop            TEXT NOT NULL,
    claim_id        TEXT NOT NULL,
    connection_id   TEXT NOT NULL REFERENCES connections (id),
    conversation_id BIGINT NOT NULL,
    end_user_id     TEXT NOT NULL DEFAULT '',
    created_at      BIGINT NOT NULL,
    PRIMARY KEY (shop, claim_id),
    UNIQUE (connection_id, conversation_id),
    FOREIGN KEY (shop, claim_id) REFERENCES claims (shop, id) ON DELETE CASCADE
);

CREATE TABLE customers (
    connection_id TEXT NOT NULL REFERENCES connections (id),
    identity      TEXT NOT NULL,
    end_user_id   TEXT NOT NULL DEFAULT '',
    holder        TEXT NOT NULL DEFAULT '',
    held_until    BIGINT NOT NULL DEFAULT 0,
    updated_at    BIGINT NOT NULL,
    PRIMARY KEY (connection_id, identity)
);
CREATE INDEX customers_by_end_user ON customers (connection_id, end_user_id);

CREATE TABLE outbox (
    shop       TEXT NOT NULL,
    claim_id   TEXT NOT NULL,
    sequence   BIGINT NOT NULL,
    id         TEXT NOT NULL,
    type       TEXT NOT NULL,
    body       BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (shop, claim_id, sequence),
    UNIQUE (shop, claim_id, id),
    FOREIGN KEY (shop, claim_id) REFERENCES claims (shop, id) ON DELETE CASCADE
);

CREATE TABLE budget (
    token_hash TEXT PRIMARY KEY,
    next_slot  BIGINT NOT NULL,
    day        BIGINT NOT NULL,
    used       BIGINT NOT NULL
);

CREATE TABLE api_keys (
    id         TEXT PRIMARY KEY,
    hash       TEXT NOT NULL UNIQUE,
    name       TEXT NOT NULL,
    shop       TEXT NOT NULL,
    scopes     TEXT NOT NULL,
    preview    TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    revoked_at BIGINT NOT NULL DEFAULT 0
);

CREATE TABLE audit (
    id      TEXT PRIMARY KEY,
    at      BIGINT NOT NULL,
    actor   TEXT NOT NULL,
    action  TEXT NOT NULL,
    shop    TEXT NOT NULL,
    target  TEXT NOT NULL,
    details TEXT NOT NULL
);
CREATE INDEX audit_newest ON audit (at, id);

-- +goose Down

DROP TABLE audit;
DROP TABLE api_keys;
DROP TABLE budget;
DROP TABLE outbox;
DROP TABLE customers;
DROP TABLE links;
DROP TABLE intents;
DROP TABLE drafts;
DROP TABLE claims;
DROP TABLE templates;
DROP TABLE shops;
DROP TABLE connections;
DROP TABLE secrets;
DROP TABLE platform;
