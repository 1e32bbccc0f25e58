-- Users and groups that an identity provider has provisioned through SCIM. name is a
-- keyed hash of the userName or displayName in lower case, id the id in SCIM, object_id
-- the id in Dixa, which may change if a former agent returns. Both are empty until Dixa
-- has the object. body is what the provider says and Dixa has no place for, sealed.
-- changing is the id of the operation that creates the object, or decides whether a user
-- is an agent; empty for none.
-- deleted_at is when the provider deleted a user of whom Dixa made an end user.

-- +goose Up

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
