-- conversations.doubt_at is since when the known state of a conversation may not
-- be the one that it has in Dixa; 0 where nothing speaks against it.

-- +goose Up

ALTER TABLE conversations ADD COLUMN doubt_at BIGINT NOT NULL DEFAULT 0;

-- +goose Down

ALTER TABLE conversations DROP COLUMN doubt_at;
