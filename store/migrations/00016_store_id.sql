-- platform.store_id tells this store from every other one. The first process that
-- opens the store draws it; it never changes.

-- +goose Up

ALTER TABLE platform ADD COLUMN store_id TEXT NOT NULL DEFAULT '';

-- +goose Down

ALTER TABLE platform DROP COLUMN store_id;
