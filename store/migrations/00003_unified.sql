-- Writes through the unified API. key is a keyed hash of the address and the
-- Idempotency-Key, content one of the query and the body. request is what to do, NULL
-- once the operation ended, and answer is the body of the response. Both are sealed.
-- operation_intents are intents of operations, see intents. object names the object in
-- Dixa that a step created or found; no other step may take it for its own.

-- +goose Up

CREATE TABLE operations (
    id            TEXT PRIMARY KEY,
    connection_id TEXT NOT NULL REFERENCES connections (id) ON DELETE CASCADE,
    shop          TEXT NOT NULL,
    key           TEXT NOT NULL,
    content       TEXT NOT NULL,
    request       BYTEA,
    state         TEXT NOT NULL,
    status        BIGINT NOT NULL DEFAULT 0,
    answer        BYTEA,
    created_at    BIGINT NOT NULL,
    finished_at   BIGINT NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX operations_by_key ON operations (connection_id, key);
CREATE INDEX operations_running ON operations (created_at) WHERE state = 'running';
CREATE INDEX operations_finished ON operations (finished_at) WHERE finished_at > 0;

CREATE TABLE operation_intents (
    connection_id TEXT NOT NULL,
    operation_id  TEXT NOT NULL REFERENCES operations (id) ON DELETE CASCADE,
    step          TEXT NOT NULL,
    try           BIGINT NOT NULL,
    sent_at       BIGINT NOT NULL,
    result        TEXT NOT NULL DEFAULT '',
    object        TEXT NOT NULL DEFAULT '',
    done_at       BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (connection_id, operation_id, step)
);
CREATE UNIQUE INDEX operation_intents_of_object ON operation_intents (connection_id, object) WHERE object <> '';
CREATE INDEX operation_intents_of_operation ON operation_intents (operation_id);

-- The categories that an account gives to values of Dixa, by field: ids of collections,
-- channels or states.
CREATE TABLE mappings (
    connection_id TEXT NOT NULL REFERENCES connections (id) ON DELETE CASCADE,
    field         TEXT NOT NULL,
    value         TEXT NOT NULL,
    category      TEXT NOT NULL,
    PRIMARY KEY (connection_id, field, value)
);

-- Users and groups that an identity provider has provisioned through SCIM. name is a
-- keyed hash of the userName or displayName in lower case, id the id in SCIM, object_id
-- the id in Dixa, which may change if a former agent returns. Both are empty until Dixa
-- has the object. body is what the provider says and Dixa has no place for, sealed.
-- changing is the id of the operation that creates the object, or decides whether a user
-- is an agent; empty for none.
-- deleted_at is when the provider deleted a user of whom Dixa made an end user.
CREATE TABLE provisioned (
    connection_id TEXT NOT NULL REFERENCES connections (id) ON DELETE CASCADE,
    kind          TEXT NOT NULL,
    name          TEXT NOT NULL,
    id            TEXT NOT NULL,
    object_id     TEXT NOT NULL,
    body          BYTEA NOT NULL,
    changing      TEXT NOT NULL,
    deleted_at    BIGINT NOT NULL,
    PRIMARY KEY (connection_id, kind, name)
);
