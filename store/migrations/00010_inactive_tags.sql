-- sweeps.inactive_tags are the names of the tags that are deactivated in the
-- connection's Dixa, as a JSON list: Dixa leaves them out without a word.

-- +goose Up

ALTER TABLE sweeps ADD COLUMN inactive_tags TEXT NOT NULL DEFAULT '[]';

-- +goose Down

ALTER TABLE sweeps DROP COLUMN inactive_tags;
