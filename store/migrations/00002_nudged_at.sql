-- nudged_at is when the engine last took word of a claim. With it a claim whose
-- workflow ended behind our back is found.

-- +goose Up

ALTER TABLE claims ADD COLUMN nudged_at BIGINT NOT NULL DEFAULT 0;

-- +goose Down

ALTER TABLE claims DROP COLUMN nudged_at;
