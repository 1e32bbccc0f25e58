-- The sweep looks for what no webhook told. sweeps.watermark is the time up to
-- which everything in Dixa's activity log is kept, here or in activity_log.
-- activity_log holds entries of it that are of a claim's conversation and not
-- judged yet; tried_at is when one was last put off. links.looked_at is when the
-- sweep last looked at a conversation, gone_at when Dixa had it no more. Columns
-- of type BYTEA are sealed.

-- +goose Up

CREATE TABLE sweeps (
    connection_id TEXT PRIMARY KEY REFERENCES connections (id) ON DELETE CASCADE,
    watermark     BIGINT NOT NULL DEFAULT 0,
    started_at    BIGINT NOT NULL DEFAULT 0,
    finished_at   BIGINT NOT NULL DEFAULT 0,
    report        TEXT NOT NULL DEFAULT '{}'
);

CREATE TABLE activity_log (
    connection_id   TEXT NOT NULL REFERENCES connections (id) ON DELETE CASCADE,
    id              TEXT NOT NULL,
    conversation_id BIGINT NOT NULL,
    at              BIGINT NOT NULL,
    type            TEXT NOT NULL,
    tried_at        BIGINT NOT NULL DEFAULT 0,
    body            BYTEA NOT NULL,
    PRIMARY KEY (connection_id, id)
);
CREATE INDEX activity_log_by_conversation ON activity_log (connection_id, conversation_id);

ALTER TABLE links ADD COLUMN looked_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE links ADD COLUMN gone_at BIGINT NOT NULL DEFAULT 0;

-- +goose Down

ALTER TABLE links DROP COLUMN gone_at;
ALTER TABLE links DROP COLUMN looked_at;
DROP TABLE activity_log;
DROP TABLE sweeps;
