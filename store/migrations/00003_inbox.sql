-- The inbox holds what Dixa told by webhooks, as it was received. An event is in
-- it once for ever; its body is NULL once it was dropped. retained says that the
-- body stays, since the conversation is a claim's.
--
-- A subscription is what makes Dixa send them. holder is who changes it in Dixa
-- just now.

-- +goose Up

CREATE TABLE inbox (
    connection_id   TEXT NOT NULL REFERENCES connections (id),
    event_id        TEXT NOT NULL,
    name            TEXT NOT NULL,
    conversation_id BIGINT,
    happened_at     BIGINT NOT NULL,
    received_at     BIGINT NOT NULL,
    retained        BOOLEAN NOT NULL DEFAULT FALSE,
    body            BYTEA,
    PRIMARY KEY (connection_id, event_id)
);
CREATE INDEX inbox_by_conversation ON inbox (connection_id, conversation_id);
CREATE INDEX inbox_undecided ON inbox (received_at) WHERE body IS NOT NULL AND NOT retained;

CREATE TABLE subscriptions (
    connection_id   TEXT PRIMARY KEY REFERENCES connections (id) ON DELETE CASCADE,
    subscription_id TEXT NOT NULL DEFAULT '',
    url             TEXT NOT NULL DEFAULT '',
    by_hand         BOOLEAN NOT NULL DEFAULT FALSE,
    active          BOOLEAN NOT NULL DEFAULT FALSE,
    secret          BYTEA,
    secret_preview  TEXT NOT NULL DEFAULT '',
    previous        BYTEA,
    replaced_at     BIGINT NOT NULL DEFAULT 0,
    holder          TEXT NOT NULL DEFAULT '',
    held_until      BIGINT NOT NULL DEFAULT 0,
    updated_at      BIGINT NOT NULL DEFAULT 0
);

-- +goose Down

DROP TABLE subscriptions;
DROP TABLE inbox;
