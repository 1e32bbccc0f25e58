-- Claims follow their conversations. inbox.sequence is NULL for an event that was
-- not yet looked at, 0 where its conversation is no claim's, else the number that
-- the claim gave it; links.joined says that the events which came before the link
-- have theirs. claims.events is the last number given and claims.applied the last
-- one that the claim has taken in. read_revision is the revision that the claim's
-- workflow read last. Columns of type BYTEA are sealed; keys beside them are texts.

-- +goose Up

ALTER TABLE inbox ADD COLUMN sequence BIGINT;
ALTER TABLE links ADD COLUMN joined BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE claims ADD COLUMN events BIGINT NOT NULL DEFAULT 0;
ALTER TABLE claims ADD COLUMN applied BIGINT NOT NULL DEFAULT 0;
ALTER TABLE claims ADD COLUMN read_revision BIGINT NOT NULL DEFAULT 0;
ALTER TABLE claims ADD COLUMN status TEXT NOT NULL DEFAULT '';
ALTER TABLE claims ADD COLUMN status_by TEXT NOT NULL DEFAULT '';
ALTER TABLE claims ADD COLUMN derived_status TEXT NOT NULL DEFAULT '';
DROP INDEX inbox_by_conversation;
CREATE INDEX inbox_by_conversation ON inbox (connection_id, conversation_id, sequence);
CREATE INDEX inbox_not_looked_at ON inbox (received_at) WHERE sequence IS NULL;
CREATE INDEX links_not_joined ON links (created_at) WHERE NOT joined;

CREATE TABLE conversations (
    connection_id   TEXT NOT NULL REFERENCES connections (id),
    conversation_id TEXT NOT NULL,
    status          TEXT NOT NULL,
    assignee_id     TEXT NOT NULL,
    queue_id        TEXT NOT NULL,
    closed_since    BIGINT NOT NULL,
    refreshed_at    BIGINT NOT NULL DEFAULT 0,
    body            BYTEA NOT NULL,
    updated_at      BIGINT NOT NULL,
    PRIMARY KEY (connection_id, conversation_id)
);

CREATE TABLE messages (
    connection_id   TEXT NOT NULL REFERENCES connections (id),
    conversation_id TEXT NOT NULL,
    id              TEXT NOT NULL,
    at              BIGINT NOT NULL,
    listed          BOOLEAN NOT NULL,
    body            BYTEA NOT NULL,
    PRIMARY KEY (connection_id, conversation_id, id)
);
CREATE INDEX messages_in_order ON messages (connection_id, conversation_id, at, id);

CREATE TABLE timeline (
    shop     TEXT NOT NULL,
    claim_id TEXT NOT NULL,
    id       TEXT NOT NULL,
    at       BIGINT NOT NULL,
    body     BYTEA NOT NULL,
    PRIMARY KEY (shop, claim_id, id),
    FOREIGN KEY (shop, claim_id) REFERENCES claims (shop, id) ON DELETE CASCADE
);
CREATE INDEX timeline_in_order ON timeline (shop, claim_id, at, id);

-- +goose Down

DROP TABLE timeline;
DROP TABLE messages;
DROP TABLE conversations;
DROP INDEX links_not_joined;
DROP INDEX inbox_not_looked_at;
DROP INDEX inbox_by_conversation;
CREATE INDEX inbox_by_conversation ON inbox (connection_id, conversation_id);
ALTER TABLE claims DROP COLUMN derived_status;
ALTER TABLE claims DROP COLUMN status_by;
ALTER TABLE claims DROP COLUMN status;
ALTER TABLE claims DROP COLUMN read_revision;
ALTER TABLE claims DROP COLUMN applied;
ALTER TABLE claims DROP COLUMN events;
ALTER TABLE links DROP COLUMN joined;
ALTER TABLE inbox DROP COLUMN sequence;
