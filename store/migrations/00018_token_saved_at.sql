-- connections.token_saved_at is when the token was saved; 0 where there is none.

-- +goose Up

ALTER TABLE connections ADD COLUMN token_saved_at BIGINT NOT NULL DEFAULT 0;

-- +goose Down

ALTER TABLE connections DROP COLUMN token_saved_at;
